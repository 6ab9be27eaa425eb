#include "model/payload.h"

#include <boost/test/unit_test.hpp>

using namespace lambed;
using namespace lambed::model;

namespace {

std::string json_of_size(std::size_t size) { return "\"" + std::string(size - 2, 'x') + "\""; }

}  // namespace

BOOST_AUTO_TEST_SUITE(payload)

BOOST_AUTO_TEST_CASE(json_and_nothing_at_all_are_admitted) {
  for (const std::string text : {"", "{}", "null", " [1] ", "\"x\""}) {
    BOOST_TEST(check_payload(text, InvocationType::kRequestResponse, Quotas::classic()).ok());
  }
}

BOOST_AUTO_TEST_CASE(what_is_not_json_is_refused_in_the_words_of_aws) {
  const auto result = check_payload("'test'", InvocationType::kDryRun, Quotas::classic());
  BOOST_REQUIRE(!result.ok());
  BOOST_TEST((result.error().code() == ErrorCode::InvalidRequestContentException));
  BOOST_TEST(
      result.error().message().starts_with("Could not parse request body into json: Could not parse payload "
                                           "into json: Unexpected character (''' (code 39)): expected "
                                           "a valid value (JSON String, Number, Array, Object or token "
                                           "'null', 'true' or 'false')\n at [Source: "));
}

BOOST_AUTO_TEST_CASE(the_limit_depends_on_invocation_type_and_quota_set) {
  const Quotas classic = Quotas::classic(), current = Quotas::current();
  BOOST_TEST(check_payload(json_of_size(6'291'456), InvocationType::kRequestResponse, classic).ok());
  const auto large = check_payload(json_of_size(6'291'457), InvocationType::kRequestResponse, classic);
  BOOST_REQUIRE(!large.ok());
  BOOST_TEST((large.error().code() == ErrorCode::RequestEntityTooLargeException));
  BOOST_TEST(
      large.error().message() ==
      "6291457 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)");
  BOOST_TEST(check_payload(json_of_size(262'144), InvocationType::kEvent, classic).ok());
  BOOST_TEST(check_payload(json_of_size(262'145), InvocationType::kEvent, classic).error().message() ==
             "262145 byte payload is too large for the Event invocation type (limit 262144 bytes)");
  BOOST_TEST(check_payload(json_of_size(1'048'576), InvocationType::kEvent, current).ok());
  BOOST_TEST(!check_payload(json_of_size(1'048'577), InvocationType::kEvent, current).ok());
}

BOOST_AUTO_TEST_CASE(a_client_context_is_a_json_object) {
  for (const std::string text : {"", "{}", " {\"custom\":{\"k\":\"v\"}}"})
    BOOST_TEST(check_client_context(text).ok());
  for (const std::string text : {"[]", "null", "x", "{", "\"{}\"", " "}) {
    BOOST_TEST((check_client_context(text).error().code() == ErrorCode::InvalidRequestContentException));
  }
}

BOOST_AUTO_TEST_SUITE_END()
