#include "model/alias.h"

#include <boost/test/unit_test.hpp>
#include <limits>

using namespace lambed;
using namespace lambed::model;

namespace {

AliasRequest alias(std::string name) {
  AliasRequest request;
  request.function = "f";
  request.alias = std::move(name);
  request.version = "1";
  return request;
}

std::string complaint(const AliasRequest& request, bool creating = true) {
  const auto result = check_alias_request(request, creating);
  BOOST_REQUIRE(!result.ok());
  BOOST_TEST((result.error().code() == ErrorCode::ValidationException));
  return result.error().message();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(aliases)

BOOST_AUTO_TEST_CASE(alias_names_are_words_that_are_not_all_digits) {
  for (const std::string name : {"live", "a", "1a", "a1", "-", "_", "A-b_9"})
    BOOST_TEST(check_alias_request(alias(name), true).ok());
  BOOST_TEST(check_alias_request(alias(std::string(128, 'a')), true).ok());
  for (const std::string name : {"1", "007", "a b", "a.b", "$LATEST", "a:b", "\xc3\xa9"}) {
    BOOST_TEST(complaint(alias(name)) ==
               "1 validation error detected: Value '" + name +
                   "' at 'name' failed to satisfy constraint: Member must satisfy regular expression "
                   "pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)");
  }
  BOOST_TEST(
      complaint(alias(std::string(129, 'a'))).ends_with("Member must have length less than or equal to 128"));
  BOOST_TEST(complaint(alias("")).starts_with("2 validation errors detected"));
}

BOOST_AUTO_TEST_CASE(an_alias_is_created_for_a_version) {
  AliasRequest request = alias("live");
  for (const char* version : {"$LATEST", "1", "12"}) {
    request.version = version;
    BOOST_TEST(check_alias_request(request, true).ok());
  }
  for (const char* version : {"", "x", "1.0", "$latest", "-1"}) {
    request.version = version;
    BOOST_TEST(complaint(request).find("at 'functionVersion' failed to satisfy constraint") !=
               std::string::npos);
  }
  request.version.reset();
  BOOST_TEST(complaint(request) ==
             "1 validation error detected: Value null at 'functionVersion' failed to satisfy constraint: "
             "Member must not be null");
  BOOST_TEST(check_alias_request(request, false).ok());
}

BOOST_AUTO_TEST_CASE(descriptions_have_at_most_256_characters) {
  AliasRequest request = alias("live");
  request.description = std::string(256, 'd');
  BOOST_TEST(check_alias_request(request, true).ok());
  request.description = std::string(257, 'd');
  BOOST_TEST(complaint(request).find("at 'description'") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(weights_are_shares_of_numbered_versions) {
  AliasRequest request = alias("live");
  for (const double weight : {0.0, 0.5, 1.0}) {
    request.weights = {{"2", weight}};
    BOOST_TEST(check_alias_request(request, true).ok());
  }
  for (const double weight :
       {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    request.weights = {{"2", weight}};
    BOOST_TEST(complaint(request).find(
                   "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, "
                   "Member must have value greater than or equal to 0.0, Member must not be null]") !=
               std::string::npos);
  }
  for (const char* version : {"$LATEST", "live", "", "1a"}) {
    request.weights = {{version, 0.5}};
    BOOST_TEST(complaint(request).find(
                   "Map keys must satisfy constraint: [Member must have length less than or equal to 1024") !=
               std::string::npos);
  }
  request.weights = {{"2", 1.5}};
  BOOST_TEST(complaint(request).find("Value '{2=1.5}' at 'routingConfig.additionalVersionWeights'") !=
             std::string::npos);
  BOOST_TEST(printed({{"2", 1.0}, {"3", 0.25}}) == "{2=1.0, 3=0.25}");
}

BOOST_AUTO_TEST_CASE(routing_takes_one_other_numbered_version) {
  BOOST_TEST(check_routing("$LATEST", {}).ok());
  BOOST_TEST(check_routing("1", {{"2", 0.1}}).ok());
  BOOST_TEST(check_routing("$LATEST", {{"2", 0.1}}).error().message() ==
             "Alias with weights can not be used with $LATEST version");
  BOOST_TEST(check_routing("1", {{"2", 0.1}, {"3", 0.1}}).error().message() ==
             "Number of items in AdditionalVersionWeights cannot be greater than 1");
  BOOST_TEST(check_routing("2", {{"2", 0.1}}).error().message() ==
             "Invalid function version 2. Function version 2 is already included in routing configuration.");
  BOOST_TEST((check_routing("2", {{"2", 0.1}}).error().code() == ErrorCode::InvalidParameterValueException));
}

BOOST_AUTO_TEST_SUITE_END()
