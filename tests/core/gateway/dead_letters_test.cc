// The table of dead letters as programs see it: what comes into it, and what a redrive does.
#include "core/gateway/scripted.h"

namespace lambed::testing {
namespace {

struct DeadLetterFixture : ScriptedFixture {
  DeadLetterFixture() { ScriptedHost::instance(); }

  void create(const std::string& name, const std::string& script) {
    CreateFunctionRequest request = function(name, script);
    request.dead_letter_target_arn = "lambed:local";
    gateway.create_function(request);
    gateway.put_function_event_invoke_config({.function = name, .maximum_retry_attempts = 0});
  }
  std::string send(const std::string& name, const std::string& payload, const std::string& qualifier = {}) {
    return gateway
        .invoke(
            {.function = name, .payload = payload, .qualifier = qualifier, .type = InvocationType::kEvent})
        .request_id;
  }
  bool await_letters(std::size_t count) {
    return await([&] { return gateway.list_dead_letters().size() == count; });
  }
  // From now on the function answers.
  void mend(const std::string& name) {
    gateway.update_function_configuration({.name = name, .handler = "echo"});
  }

  Gateway gateway{options()};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(gateway_dead_letters, DeadLetterFixture)

BOOST_AUTO_TEST_CASE(an_event_that_nobody_could_handle_is_kept_with_all_that_is_known) {
  create("f", "fail");
  const std::string id = send("f", R"({"n":1})");
  BOOST_TEST_REQUIRE(await_letters(1));
  const DeadLetter summary = gateway.list_dead_letters()[0];
  BOOST_TEST(summary.request_payload.empty());
  const DeadLetter letter = gateway.get_dead_letter(summary.id);
  BOOST_TEST((letter.kind == DeadLetterKind::kDeadLetter));
  BOOST_TEST(letter.request_id == id);
  BOOST_TEST(letter.function_arn == "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST");
  BOOST_TEST(letter.condition == "RetriesExhausted");
  BOOST_TEST(letter.approximate_invoke_count == 1);
  BOOST_TEST(letter.error_code == 200);
  BOOST_TEST(letter.request_payload == R"({"n":1})");
  BOOST_TEST(letter.has_response);
  BOOST_TEST(!letter.response_payload.empty());
  BOOST_TEST(letter.stored_ms >= letter.ended_ms);
  BOOST_TEST(letter.ended_ms >= letter.accepted_ms);
}

BOOST_AUTO_TEST_CASE(a_redriven_event_is_run_again_as_it_was_called_and_leaves_the_table) {
  create("f", "fail");
  gateway.publish_version({.name = "f"});
  gateway.create_alias({.function = "f", .alias = "live", .version = "1"});
  gateway.put_function_event_invoke_config(
      {.function = "f", .qualifier = "live", .maximum_retry_attempts = 0});
  send("f", R"({"n":1})", "live");
  BOOST_TEST_REQUIRE(await_letters(1));
  const std::string first = gateway.list_dead_letters()[0].id;

  // Version 1 fails as ever: the event comes back as another letter.
  BOOST_TEST(gateway.redrive_dead_letters().redriven == 1U);
  BOOST_TEST_REQUIRE(await(
      [&] { return gateway.list_dead_letters().size() == 1 && gateway.list_dead_letters()[0].id != first; }));
  BOOST_TEST(gateway.list_dead_letters()[0].function_arn ==
             "arn:aws:lambda:us-east-1:123456789012:function:f:live");

  mend("f");
  gateway.publish_version({.name = "f"});
  gateway.update_alias({.function = "f", .alias = "live", .version = "2"});
  const std::uint64_t succeeded = gateway.event_counts().succeeded;
  BOOST_TEST(gateway.redrive_dead_letters({.function = "f"}).redriven == 1U);
  BOOST_TEST(await([&] { return gateway.event_counts().succeeded == succeeded + 1; }));
  BOOST_TEST(gateway.list_dead_letters().empty());
}

BOOST_AUTO_TEST_CASE(a_redrive_takes_many_at_once_and_no_more_than_were_there) {
  create("f", "fail");
  create("g", "fail");
  for (int n = 0; n < 150; ++n) send("f", std::to_string(n));
  send("g", "{}");
  BOOST_TEST_REQUIRE(await([&] { return gateway.list_dead_letters({.limit = 1000}).size() == 151; }));
  // They all fail again; what comes meanwhile is not redriven a second time.
  const Redrive done = gateway.redrive_dead_letters({.function = "f"});
  BOOST_TEST(done.redriven == 150U);
  BOOST_TEST(done.failed == 0U);
  BOOST_TEST(await([&] { return gateway.list_dead_letters({.limit = 1000}).size() == 151; }));
  BOOST_TEST(gateway.purge_dead_letters({.function = "g"}) == 1U);
  BOOST_TEST(gateway.purge_dead_letters() == 150U);
}

BOOST_AUTO_TEST_CASE(what_is_refused_stays_and_is_named) {
  create("f", "fail");
  send("f", "{}");
  BOOST_TEST_REQUIRE(await_letters(1));
  const std::string id = gateway.list_dead_letters()[0].id;
  gateway.delete_function("f");
  const Redrive done = gateway.redrive_dead_letters({.ids = {id, "77"}});
  BOOST_TEST(done.redriven == 0U);
  BOOST_TEST_REQUIRE(done.failures.size() == 2U);
  // The one that is not there is known before the other is answered.
  BOOST_TEST(done.failures[0].id == "77");
  BOOST_TEST(done.failures[0].problem == "There is no dead letter 77");
  BOOST_TEST(done.failures[1].id == id);
  BOOST_TEST(done.failures[1].problem.starts_with("Function not found: "));
  BOOST_TEST(gateway.list_dead_letters().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_success_is_recorded_and_never_run_again) {
  CreateFunctionRequest request = function("f", "echo");
  gateway.create_function(request);
  gateway.put_function_event_invoke_config({.function = "f", .on_success = "lambed:local"});
  send("f", R"({"n":1})");
  BOOST_TEST_REQUIRE(await_letters(1));
  const DeadLetter letter = gateway.get_dead_letter(gateway.list_dead_letters()[0].id);
  BOOST_TEST((letter.kind == DeadLetterKind::kOnSuccess));
  BOOST_TEST(letter.condition == "Success");
  BOOST_TEST(letter.response_payload == R"({"n":1})");
  BOOST_TEST(gateway.redrive_dead_letters().redriven == 0U);
  const Redrive named = gateway.redrive_dead_letters({.ids = {letter.id}});
  BOOST_TEST(named.failures.at(0).problem == "This event was a success.");
  BOOST_TEST(gateway.list_dead_letters().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_function_may_be_the_destination_of_another) {
  gateway.create_function(function("f", "echo"));
  gateway.create_function(function("g", "echo"));
  gateway.put_function_event_invoke_config({.function = "g", .on_success = "lambed:local"});
  gateway.put_function_event_invoke_config(
      {.function = "f", .on_success = "arn:aws:lambda:us-east-1:123456789012:function:g"});
  const std::string id = send("f", R"({"n":1})");
  BOOST_TEST_REQUIRE(await_letters(1));
  const DeadLetter letter = gateway.get_dead_letter(gateway.list_dead_letters()[0].id);
  BOOST_TEST(letter.function_name == "g");
  BOOST_TEST(letter.request_payload.find("\"requestId\":\"" + id + "\"") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_record_that_another_function_never_takes_is_given_up_and_counted) {
  gateway.create_function(function("f", "echo"));
  gateway.create_function(function("g", "echo"));
  gateway.put_function_event_invoke_config(
      {.function = "f", .on_success = "arn:aws:lambda:us-east-1:123456789012:function:g"});
  gateway.delete_function("g");
  send("f", "{}");
  BOOST_TEST(await([&] { return gateway.event_counts().destination_delivery_failures == 1; }));
}

BOOST_AUTO_TEST_CASE(a_gateway_closes_while_a_service_does_not_answer) {
  // Nobody listens there, and connections are dropped: the address is for documentation.
  GatewayOptions own = options();
  own.aws_endpoint_url = "http://192.0.2.1:9";
  Gateway other(own);
  CreateFunctionRequest request = function("f", "fail");
  request.dead_letter_target_arn = "arn:aws:sqs:us-east-1:123456789012:q";
  other.create_function(request);
  other.put_function_event_invoke_config({.function = "f", .maximum_retry_attempts = 0});
  other.invoke({.function = "f", .type = InvocationType::kEvent});
  BOOST_TEST(await([&] { return other.event_counts().dropped == 1; }));
  const auto start = std::chrono::steady_clock::now();
  other.close();
  BOOST_TEST((std::chrono::steady_clock::now() - start < std::chrono::seconds(15)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace lambed::testing
