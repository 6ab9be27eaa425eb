// Handlers of every form, and what becomes of their results.
#include "node_fixture.h"

namespace {

using namespace lambed::testing;
using nlohmann::json;

BOOST_AUTO_TEST_SUITE(handlers)

BOOST_AUTO_TEST_CASE(an_async_handler_answers_with_its_result) {
  const NodeFunction function("exports.handler = async (event) => ({ greeting: `Hello, ${event.name}` });");
  BOOST_TEST(function.result(R"({"name":"Ada"})") == json({{"greeting", "Hello, Ada"}}));
}

BOOST_AUTO_TEST_CASE(text_survives_both_ways) {
  const NodeFunction function("exports.handler = async (event) => event;");
  for (const std::string text :
       {R"("plain")", R"("Zürich")", R"("日本語 😀")", R"("\u0000\u001f\"")", R"([1.5,-2e300,null,true])"}) {
    BOOST_TEST(function.result(text) == json::parse(text));
  }
  const std::string large = json(std::string(1'000'000, 'x') + "é").dump();
  BOOST_TEST((function.result(large) == json::parse(large)));
  BOOST_TEST(function.run(R"("é")").payload == R"("é")");
}

BOOST_AUTO_TEST_CASE(a_lone_surrogate_in_a_result_is_escaped_and_stays_utf8) {
  const NodeFunction function("exports.handler = async () => 'a\\ud800b';");
  BOOST_TEST(function.run().payload == R"("a\ud800b")");
}

BOOST_AUTO_TEST_CASE(no_result_is_null) {
  for (const std::string script :
       {"async () => {}", "async () => () => 1", "async () => Symbol('s')", "async () => ({ toJSON() {} })",
        "() => {}", "(event, context, callback) => callback()"}) {
    const NodeFunction function("exports.handler = " + script);
    BOOST_TEST(function.run().payload == "null", script);
  }
}

BOOST_AUTO_TEST_CASE(a_plain_handlers_return_value_is_ignored_as_on_lambda) {
  const NodeFunction function("exports.handler = () => 5;");
  BOOST_TEST(function.run().payload == "null");
}

BOOST_AUTO_TEST_CASE(a_thenable_counts_as_a_promise) {
  const NodeFunction function(
      "exports.handler = () => ({ then: (resolve) => setTimeout(resolve, 5, 'later') });");
  BOOST_TEST(function.result() == "later");
}

BOOST_AUTO_TEST_CASE(a_callback_answers_when_the_event_loop_is_empty) {
  const NodeFunction function(R"(
    let finished = 0;
    exports.handler = (event, context, callback) => {
      setTimeout(() => { finished += 1; console.log('finished'); }, 60);
      callback(null, { finished });
    };)");
  BOOST_TEST(function.result() == json({{"finished", 0}}));
  BOOST_TEST(function.log().find("finished") != std::string::npos);
  BOOST_TEST(function.result() == json({{"finished", 1}}));
}

BOOST_AUTO_TEST_CASE(a_callback_need_not_wait_for_the_event_loop) {
  const NodeFunction function(R"(
    exports.handler = (event, context, callback) => {
      context.callbackWaitsForEmptyEventLoop = false;
      setTimeout(() => {}, 100000);
      setTimeout(callback, 5, null, 'at once');
    };)");
  BOOST_TEST(function.result() == "at once");
}

BOOST_AUTO_TEST_CASE(context_done_succeed_and_fail_answer) {
  BOOST_TEST(NodeFunction("exports.handler = (e, c) => c.succeed(1);").result() == 1);
  BOOST_TEST(
      NodeFunction(
          "exports.handler = (e, c) => { setTimeout(() => c.done(null, 2), 1); setTimeout(() => {}, 1e6); };")
          .result() == 2);
  BOOST_TEST(NodeFunction("exports.handler = (e, c) => c.fail(new RangeError('no'));").error()["errorType"] ==
             "RangeError");
  BOOST_TEST(NodeFunction("exports.handler = (e, c, callback) => callback('words');").error() ==
             json({{"errorType", "string"}, {"errorMessage", "words"}, {"trace", json::array()}}));
}

BOOST_AUTO_TEST_CASE(a_late_callback_does_not_answer_the_next_invocation) {
  const NodeFunction function(R"(
    let earlier;
    exports.handler = async (event, context) => {
      if (earlier) { earlier.succeed('stale'); }
      earlier = context;
      await new Promise((resolve) => setTimeout(resolve, 5));
      return event.n;
    };)");
  BOOST_TEST(function.result(R"({"n":1})") == 1);
  BOOST_TEST(function.result(R"({"n":2})") == 2);
}

BOOST_AUTO_TEST_CASE(timers_of_an_earlier_invocation_go_on_in_a_later_one) {
  const NodeFunction function(R"(
    let fired = 0;
    exports.handler = async (event) => {
      if (event.arm) { setTimeout(() => { fired += 1; }, 1); return fired; }
      await new Promise((resolve) => setTimeout(resolve, 10));
      return fired;
    };)");
  function.result(R"({"arm":true})");
  BOOST_TEST(function.result() == 1);
}

BOOST_AUTO_TEST_CASE(promises_ticks_immediates_and_io_settle_an_async_handler) {
  const NodeFunction function(R"(
    const fs = require('fs');
    exports.handler = async () => {
      const order = [];
      await null; order.push('microtask');
      await new Promise((resolve) => process.nextTick(resolve)); order.push('tick');
      await new Promise((resolve) => setImmediate(resolve)); order.push('immediate');
      await fs.promises.readFile(__filename); order.push('file');
      return order;
    };)");
  BOOST_TEST(function.result() == json({"microtask", "tick", "immediate", "file"}));
}

BOOST_AUTO_TEST_CASE(an_answer_does_not_wait_for_other_timers) {
  const NodeFunction function(R"(
    setInterval(() => {}, 100000);
    exports.handler = async () => new Promise((resolve) => setTimeout(resolve, 1, 'soon'));)");
  BOOST_TEST(function.result() == "soon");
}

BOOST_AUTO_TEST_CASE(state_outside_the_handler_lives_as_long_as_the_environment) {
  const NodeFunction function("let calls = 0; exports.handler = async () => ++calls;");
  for (int call = 1; call <= 5; ++call) BOOST_TEST(function.result() == call);
}

BOOST_AUTO_TEST_CASE(async_local_storage_is_per_invocation) {
  const NodeFunction function(R"(
    const { AsyncLocalStorage } = require('async_hooks');
    const storage = new AsyncLocalStorage();
    exports.handler = async (event) => {
      const before = storage.getStore() ?? null;
      storage.enterWith(event.n);
      await new Promise((resolve) => setTimeout(resolve, 1));
      return [before, storage.getStore()];
    };)");
  BOOST_TEST(function.result(R"({"n":1})") == json({nullptr, 1}));
  BOOST_TEST(function.result(R"({"n":2})") == json({nullptr, 2}));
}

BOOST_AUTO_TEST_CASE(the_context_is_complete) {
  EnvironmentSpec spec;
  spec.function_name = "ada";
  spec.memory_limit = std::uint64_t{256} << 20;
  const NodeFunction function(R"(
    exports.handler = async (event, context) => ({ ...context, remaining: context.getRemainingTimeInMillis() });)",
                              spec);
  InvocationSpec invocation;
  invocation.request_id = "id-1";
  invocation.function_version = "7";
  invocation.invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:ada:live";
  invocation.client_context = R"({"custom":{"a":"b"}})";
  invocation.cognito_identity = R"({"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"})";
  invocation.tenant_id = "tenant";
  invocation.timeout = std::chrono::milliseconds(5000);
  const json context = json::parse(function.environment().invoke(invocation).payload);
  BOOST_TEST(context["awsRequestId"] == "id-1");
  BOOST_TEST(context["functionName"] == "ada");
  BOOST_TEST(context["functionVersion"] == "7");
  BOOST_TEST(context["invokedFunctionArn"] == invocation.invoked_function_arn);
  BOOST_TEST(context["memoryLimitInMB"] == "256");
  BOOST_TEST(context["logGroupName"] == "/aws/lambda/function");
  BOOST_TEST(context["logStreamName"] == "2025/11/24/[$LATEST]0123456789abcdef0123456789abcdef");
  BOOST_TEST(context["clientContext"] == json::parse(invocation.client_context));
  BOOST_TEST(context["identity"] == json::parse(invocation.cognito_identity));
  BOOST_TEST(context["tenantId"] == "tenant");
  BOOST_TEST(context["callbackWaitsForEmptyEventLoop"] == true);
  BOOST_TEST(context["remaining"].get<double>() > 3000);
  BOOST_TEST(context["remaining"].get<double>() <= 5001);
}

BOOST_AUTO_TEST_CASE(the_trace_id_is_that_of_the_invocation) {
  const NodeFunction function("exports.handler = async () => process.env._X_AMZN_TRACE_ID ?? 'none';");
  InvocationSpec traced;
  traced.trace_id = "Root=1-2;Sampled=1";
  BOOST_TEST(function.environment().invoke(traced).payload == R"("Root=1-2;Sampled=1")");
  BOOST_TEST(function.result() == "none");
}

BOOST_AUTO_TEST_CASE(environments_do_not_see_each_other) {
  const NodeFunction one("globalThis.mark = 'one'; exports.handler = async () => globalThis.mark;");
  const NodeFunction two("exports.handler = async () => globalThis.mark ?? 'nothing';");
  BOOST_TEST(one.result() == "one");
  BOOST_TEST(two.result() == "nothing");
}

BOOST_AUTO_TEST_CASE(a_replaced_json_object_does_not_disturb_the_host) {
  const NodeFunction function(R"(
    JSON.parse = () => 'replaced'; JSON.stringify = () => 'replaced'; Date.now = () => 0;
    exports.handler = async (event) => event;)");
  BOOST_TEST(function.result(R"({"a":1})") == json({{"a", 1}}));
}

BOOST_AUTO_TEST_CASE(streaming_handlers_are_refused_in_words) {
  const NodeFunction function(
      "exports.handler = awslambda.streamifyResponse(async (event, stream) => stream.end());");
  BOOST_TEST(function.opened().kind == LAMBED_OUTCOME_REFUSED);
  BOOST_TEST(function.opened().payload.find("streamifyResponse") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
