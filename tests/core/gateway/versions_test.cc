// Versions and aliases: a call runs the version that it names.
#include "core/gateway/scripted.h"

namespace lambed::testing {
namespace {

struct VersionsFixture : GatewayFixture {
  // $LATEST, 1 and 2 carry their name in TAG.
  VersionsFixture() {
    CreateFunctionRequest request = function("hello", "stamp");
    request.environment = std::map<std::string, std::string>{{"TAG", "one"}};
    gateway.create_function(request);
    gateway.publish_version({.name = "hello"});
    tag("two");
    gateway.publish_version({.name = "hello"});
    tag("latest");
  }
  void tag(const std::string& text) {
    gateway.update_function_configuration(
        {.name = "hello", .environment = std::map<std::string, std::string>{{"TAG", text}}});
  }
  std::string tag_seen(const std::string& qualifier) {
    const InvokeResult result = gateway.invoke({.function = "hello", .qualifier = qualifier});
    const json seen = document(result);
    BOOST_TEST(seen["version"] == result.executed_version);
    return seen["tag"];
  }
};

BOOST_FIXTURE_TEST_SUITE(versions, VersionsFixture)

BOOST_AUTO_TEST_CASE(each_version_runs_with_its_own_configuration) {
  BOOST_TEST(tag_seen("") == "latest");
  BOOST_TEST(tag_seen("$LATEST") == "latest");
  BOOST_TEST(tag_seen("1") == "one");
  BOOST_TEST(tag_seen("2") == "two");
}

BOOST_AUTO_TEST_CASE(versions_never_share_an_environment) {
  const json first = document(gateway.invoke({.function = "hello", .qualifier = "1"}));
  const json second = document(gateway.invoke({.function = "hello", .qualifier = "2"}));
  const json again = document(gateway.invoke({.function = "hello", .qualifier = "1"}));
  BOOST_TEST(first["environment"] != second["environment"]);
  BOOST_TEST(first["environment"] == again["environment"]);
}

BOOST_AUTO_TEST_CASE(an_alias_reaches_its_version_and_keeps_its_name_in_the_arn) {
  gateway.create_alias({.function = "hello", .alias = "live", .version = "1"});
  BOOST_TEST(tag_seen("live") == "one");
  const InvokeResult result =
      gateway.invoke({.function = "hello", .payload = do_script("identify"), .qualifier = "live"});
  const json seen = document(result);
  BOOST_TEST(result.executed_version == "1");
  BOOST_TEST(seen["function_version"] == "1");
  BOOST_TEST(seen["invoked_function_arn"] == "arn:aws:lambda:us-east-1:123456789012:function:hello:live");
  BOOST_TEST(seen["variables"]["AWS_LAMBDA_FUNCTION_VERSION"] == "1");
}

BOOST_AUTO_TEST_CASE(an_alias_that_moves_takes_the_next_call_with_it) {
  gateway.create_alias({.function = "hello", .alias = "live", .version = "1"});
  BOOST_TEST(tag_seen("live") == "one");
  gateway.update_alias({.function = "hello", .alias = "live", .version = "2"});
  BOOST_TEST(tag_seen("live") == "two");
  gateway.delete_alias("hello", "live");
  BOOST_TEST(std::string(error_of([&] { tag_seen("live"); }).name()) == "ResourceNotFoundException");
}

BOOST_AUTO_TEST_CASE(weights_share_the_calls_out) {
  gateway.create_alias({.function = "hello",
                        .alias = "live",
                        .version = "1",
                        .weights = std::map<std::string, double>{{"2", 0.25}}});
  constexpr int kCalls = 2000;
  int second = 0;
  for (int i = 0; i < kCalls; ++i) second += tag_seen("live") == "two" ? 1 : 0;
  // 500 expected, standard deviation 19: eight of them on either side never fail by chance.
  BOOST_TEST(second > 500 - 160);
  BOOST_TEST(second < 500 + 160);
}

BOOST_AUTO_TEST_CASE(a_weight_of_all_or_nothing_is_exact) {
  for (const double weight : {0.0, 1.0}) {
    gateway.create_alias({.function = "hello",
                          .alias = "live",
                          .version = "1",
                          .weights = std::map<std::string, double>{{"2", weight}}});
    for (int i = 0; i < 100; ++i) BOOST_TEST(tag_seen("live") == (weight > 0 ? "two" : "one"));
    gateway.delete_alias("hello", "live");
  }
}

BOOST_AUTO_TEST_CASE(a_deleted_version_is_not_found_and_the_others_go_on) {
  BOOST_TEST(tag_seen("1") == "one");
  gateway.delete_function("hello", "1");
  BOOST_TEST(std::string(error_of([&] { tag_seen("1"); }).name()) == "ResourceNotFoundException");
  BOOST_TEST(tag_seen("2") == "two");
  BOOST_TEST(tag_seen("") == "latest");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
