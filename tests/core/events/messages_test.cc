#include "events/messages.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "core/events/deliveries.h"

using namespace lambed;
using namespace lambed::events;
using lambed::testing::dead_letter;
using lambed::testing::failed_delivery;
using nlohmann::json;

BOOST_AUTO_TEST_SUITE(messages)

BOOST_AUTO_TEST_CASE(a_record_has_the_members_that_aws_sends_and_no_others) {
  BOOST_TEST(
      record_of(failed_delivery("x")) ==
      R"({"version":"1.0","timestamp":"2026-09-21T14:16:20.042Z",)"
      R"("requestContext":{"requestId":"1f1b2c3d-0000-4000-8000-000000000001",)"
      R"("functionArn":"arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST",)"
      R"("condition":"RetriesExhausted","approximateInvokeCount":3},)"
      R"("requestPayload":{"n":1,"text":"h\u00e9 <&>"},)"
      R"("responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},)"
      R"("responsePayload":{"errorMessage":"boom","errorType":"ValueError"}})");
}

BOOST_AUTO_TEST_CASE(a_success_has_no_function_error) {
  Delivery delivery = failed_delivery("x");
  delivery.kind = DeliveryKind::kOnSuccess;
  delivery.condition = Condition::kSuccess;
  delivery.function_error.clear();
  delivery.response_payload = "null";
  const json record = json::parse(record_of(delivery));
  BOOST_TEST(record["requestContext"]["condition"] == "Success");
  BOOST_TEST(record["responseContext"] == json::parse(R"({"statusCode":200,"executedVersion":"$LATEST"})"));
  BOOST_TEST(record["responsePayload"].is_null());
  BOOST_TEST(detail_type_of(delivery) == "Lambda Function Invocation Result - Success");
}

BOOST_AUTO_TEST_CASE(what_never_ran_has_no_response) {
  Delivery delivery = failed_delivery("x");
  delivery.condition = Condition::kZeroReservedConcurrency;
  delivery.approximate_invoke_count = 0;
  delivery.has_response = false;
  delivery.request_payload.clear();
  const json record = json::parse(record_of(delivery));
  BOOST_TEST(!record.contains("responseContext"));
  BOOST_TEST(!record.contains("responsePayload"));
  BOOST_TEST(record["requestContext"]["approximateInvokeCount"] == 0);
  BOOST_TEST(record["requestContext"]["condition"] == "ZeroReservedConcurrency");
  BOOST_TEST(record["requestPayload"] == json::object());
  BOOST_TEST(detail_type_of(delivery) == "Lambda Function Invocation Result - Failure");
}

BOOST_AUTO_TEST_CASE(a_record_is_json_whatever_the_response_was) {
  Delivery delivery = failed_delivery("x");
  delivery.response_payload = std::string("\xff\x00z", 3);
  delivery.response_is_binary = true;
  BOOST_TEST(json::parse(record_of(delivery))["responsePayload"] == "/wB6");
  delivery.response_is_binary = false;
  delivery.response_payload = "plain \"text\"";
  BOOST_TEST(json::parse(record_of(delivery))["responsePayload"] == "plain \"text\"");
  delivery.response_payload.clear();
  BOOST_TEST(json::parse(record_of(delivery))["responsePayload"].is_null());
}

BOOST_AUTO_TEST_CASE(a_dead_letter_is_the_event_itself_with_three_attributes) {
  const Delivery delivery = dead_letter("x");
  BOOST_TEST(body_of(delivery) == delivery.request_payload);
  const auto attributes = attributes_of(delivery);
  BOOST_TEST_REQUIRE(attributes.size() == 3U);
  const auto shown = [](const Attribute& a) { return std::string(a.name) + ":" + a.type + ":" + a.value; };
  BOOST_TEST(shown(attributes[0]) == "RequestID:String:1f1b2c3d-0000-4000-8000-000000000001");
  BOOST_TEST(shown(attributes[1]) == "ErrorCode:Number:200");
  BOOST_TEST(shown(attributes[2]) == "ErrorMessage:String:boom");
  BOOST_TEST(attributes_of(failed_delivery("x")).empty());
}

BOOST_AUTO_TEST_CASE(services_are_sent_no_empty_attribute) {
  Delivery delivery = dead_letter("x");
  delivery.error_message.clear();
  BOOST_TEST(attributes_of(delivery).size() == 2U);
}

BOOST_AUTO_TEST_CASE(an_object_is_named_by_function_time_and_delivery) {
  BOOST_TEST(object_key_of(failed_delivery("x")) ==
             "aws/lambda/async/f/2026/09/21/2026-09-21T14.16.20-1f1b2c3d-0000-4000-8000-000000000001");
}

BOOST_AUTO_TEST_SUITE_END()
