// What is written into a queue's items comes back as it was; what is damaged is told from what is not.
#include <boost/test/unit_test.hpp>

#include "events/record.h"

using namespace lambed::events;

namespace {

Delivery delivery() {
  Delivery d;
  d.id = "id/failure";
  d.kind = DeliveryKind::kDeadLetter;
  d.target = "arn:aws:sqs:us-east-1:123456789012:q";
  d.account = "123456789012";
  d.region = "us-east-1";
  d.request_id = "id";
  d.function_arn = "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST";
  d.condition = Condition::kEventAgeExceeded;
  d.approximate_invoke_count = 3;
  d.request_payload = std::string("{\"a\":\"\0\"}", 9);
  d.trace_id = "Root=1";
  d.has_response = true;
  d.status_code = 200;
  d.function_error = "Unhandled";
  d.executed_version = "$LATEST";
  d.response_payload = std::string(300'000, 'x');
  d.response_is_binary = true;
  d.error_code = 429;
  d.error_message = "Oops";
  d.accepted = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'764'000'000'123));
  d.ended = d.accepted + std::chrono::hours(1);
  return d;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(events_record)

BOOST_AUTO_TEST_CASE(an_event_comes_back_as_it_was) {
  const EventRecord record{"live", std::string(200'000, 'p'), "{\"c\":1}", "{\"i\":2}", "Root=1", "tenant"};
  const auto back = decode_event(encode(record));
  BOOST_REQUIRE(back);
  BOOST_TEST(back->qualifier == record.qualifier);
  BOOST_TEST(back->payload == record.payload);
  BOOST_TEST(back->client_context == record.client_context);
  BOOST_TEST(back->cognito_identity == record.cognito_identity);
  BOOST_TEST(back->trace_id == record.trace_id);
  BOOST_TEST(back->tenant_id == record.tenant_id);
  BOOST_TEST(*decode_qualifier(encode(record)) == "live");
}

BOOST_AUTO_TEST_CASE(a_delivery_comes_back_as_it_was) {
  const Delivery d = delivery();
  const auto back = decode_delivery(encode(d));
  BOOST_REQUIRE(back);
  BOOST_TEST(back->id == d.id);
  BOOST_TEST((back->kind == d.kind));
  BOOST_TEST(back->target == d.target);
  BOOST_TEST(back->account == d.account);
  BOOST_TEST(back->region == d.region);
  BOOST_TEST(back->request_id == d.request_id);
  BOOST_TEST(back->function_arn == d.function_arn);
  BOOST_TEST((back->condition == d.condition));
  BOOST_TEST(back->approximate_invoke_count == 3);
  BOOST_TEST(back->request_payload == d.request_payload);
  BOOST_TEST(back->trace_id == d.trace_id);
  BOOST_TEST(back->has_response);
  BOOST_TEST(back->status_code == 200);
  BOOST_TEST(back->function_error == d.function_error);
  BOOST_TEST(back->executed_version == d.executed_version);
  BOOST_TEST(back->response_payload == d.response_payload);
  BOOST_TEST(back->response_is_binary);
  BOOST_TEST(back->error_code == 429);
  BOOST_TEST(back->error_message == d.error_message);
  BOOST_TEST((back->accepted == d.accepted));
  BOOST_TEST((back->ended == d.ended));
}

BOOST_AUTO_TEST_CASE(what_is_cut_or_of_another_kind_is_refused) {
  const std::string event = encode(EventRecord{"q", "payload", "", "", "t", ""});
  for (std::size_t size = 0; size < event.size(); ++size)
    BOOST_TEST(!decode_event(event.substr(0, size)), size);
  BOOST_TEST(!decode_event(event + "x"));
  BOOST_TEST(!decode_delivery(event));
  BOOST_TEST(!decode_qualifier(""));
  Delivery small = delivery();
  small.response_payload = "r";
  const std::string bytes = encode(small);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    BOOST_TEST(!decode_delivery(bytes.substr(0, size)), size);
  BOOST_TEST(!decode_event(bytes));
}

BOOST_AUTO_TEST_SUITE_END()
