#include "lambed/errors.h"

#include <boost/test/unit_test.hpp>
#include <set>

#include "model/violations.h"

using namespace lambed;

namespace {
#define LAMBED_ERROR_CODE(name, status, member, type) ErrorCode::name,
constexpr ErrorCode kAll[] = {LAMBED_ERRORS(LAMBED_ERROR_CODE)};
#undef LAMBED_ERROR_CODE
}  // namespace

BOOST_AUTO_TEST_SUITE(errors)

BOOST_AUTO_TEST_CASE(every_code_leads_to_its_own_row) {
  std::set<std::string_view> names;
  for (const ErrorCode code : kAll) {
    BOOST_TEST((traits_of(code).code == code));
    names.insert(traits_of(code).name);
  }
  BOOST_TEST(names.size() == std::size(kAll));
}

BOOST_AUTO_TEST_CASE(every_row_can_be_answered_over_http) {
  for (const ErrorCode code : kAll) {
    const ErrorTraits& row = traits_of(code);
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST((row.http_status >= 400 && row.http_status < 600));
      BOOST_TEST((row.message_member == "message" || row.message_member == "Message"));
      BOOST_TEST((row.type.empty() || row.type == "User" || row.type == "Service"));
    }
  }
}

BOOST_AUTO_TEST_CASE(rows_are_as_recorded_from_aws) {
  const ErrorTraits& not_found = traits_of(ErrorCode::ResourceNotFoundException);
  BOOST_TEST(not_found.name == "ResourceNotFoundException");
  BOOST_TEST(not_found.http_status == 404);
  BOOST_TEST(not_found.message_member == "Message");
  BOOST_TEST(not_found.type == "User");
  BOOST_TEST(traits_of(ErrorCode::ValidationException).type == "");
  BOOST_TEST(traits_of(ErrorCode::PreconditionFailedException).http_status == 412);
  BOOST_TEST(traits_of(ErrorCode::TooManyRequestsException).http_status == 429);
  BOOST_TEST(traits_of(ErrorCode::RequestEntityTooLargeException).type == "");
}

BOOST_AUTO_TEST_CASE(an_error_carries_code_message_and_reason) {
  const Error error(ErrorCode::TooManyRequestsException, "Rate Exceeded.",
                    "ReservedFunctionConcurrentInvocationLimitExceeded");
  BOOST_TEST(error.name() == "TooManyRequestsException");
  BOOST_TEST(error.http_status() == 429);
  BOOST_TEST(error.message() == "Rate Exceeded.");
  BOOST_TEST(error.reason() == "ReservedFunctionConcurrentInvocationLimitExceeded");
  BOOST_CHECK_THROW(throw Error(error), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(violations_are_counted_and_joined_as_aws_does) {
  model::Violations violations;
  BOOST_TEST(violations.empty());
  BOOST_TEST(!violations.error().has_value());
  violations.check_length("abcd", "name", 1, 4);
  violations.check_range(5, "timeout", 5, 5);
  BOOST_TEST(violations.empty());
  violations.check_range(0, "timeout", 1, 900);
  BOOST_TEST(violations.error()->message() ==
             "1 validation error detected: Value '0' at 'timeout' failed to satisfy constraint: Member must "
             "have value greater "
             "than or equal to 1");
  violations.check_length("", "qualifier", 1, 2);
  violations.check_length("abc", "qualifier", 1, 2);
  violations.add_missing("handler");
  violations.add_hidden("environment.variables", "X");
  BOOST_TEST(violations.error()->message() ==
             "5 validation errors detected: Value '0' at 'timeout' failed to satisfy constraint: Member must "
             "have value greater "
             "than or equal to 1; Value '' at 'qualifier' failed to satisfy constraint: Member must have "
             "length greater than or "
             "equal to 1; Value 'abc' at 'qualifier' failed to satisfy constraint: Member must have length "
             "less than or equal "
             "to 2; Value null at 'handler' failed to satisfy constraint: Member must not be null; Value at "
             "'environment.variables' failed to satisfy constraint: X");
  BOOST_TEST((violations.error()->code() == ErrorCode::ValidationException));
}

BOOST_AUTO_TEST_CASE(values_that_are_not_text_are_shown_as_text) {
  model::Violations violations;
  violations.add(std::string_view("a\0\xff", 3), "name", "C");
  violations.add("\xc3\xa9", "name", "C");
  BOOST_TEST(violations.error()->message() ==
             "2 validation errors detected: Value 'a\xEF\xBF\xBD\xEF\xBF\xBD' at 'name' failed to satisfy "
             "constraint: C; Value "
             "'\xc3\xa9' at 'name' failed to satisfy constraint: C");
}

BOOST_AUTO_TEST_SUITE_END()
