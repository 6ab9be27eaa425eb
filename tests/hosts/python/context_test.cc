// The second argument of a handler.
#include "hosts/python/python_fixture.h"

using namespace lambed::testing;
using nlohmann::json;

BOOST_AUTO_TEST_SUITE(python_context)

BOOST_AUTO_TEST_CASE(the_context_is_complete) {
  PythonFunction function(R"(
def handler(event, context):
    names = ('aws_request_id', 'function_name', 'function_version', 'invoked_function_arn', 'memory_limit_in_mb',
             'log_group_name', 'log_stream_name', 'client_context', 'tenant_id')
    members = {name: getattr(context, name) for name in names}
    members['identity'] = [context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id]
    return members
)");
  function.spec.function_name = "greet";
  function.spec.function_version = "7";
  function.spec.memory_limit = std::uint64_t{256} << 20;
  InvocationSpec invocation;
  invocation.request_id = "11111111-2222-4333-8444-555555555555";
  invocation.invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:greet:live";
  const json expected = {
      {"aws_request_id", "11111111-2222-4333-8444-555555555555"},
      {"function_name", "greet"},
      {"function_version", "7"},
      {"invoked_function_arn", "arn:aws:lambda:eu-west-1:123456789012:function:greet:live"},
      {"memory_limit_in_mb", "256"},
      {"log_group_name", "/aws/lambda/function"},
      {"log_stream_name", "2025/11/24/[$LATEST]0123456789abcdef0123456789abcdef"},
      {"client_context", nullptr},
      {"tenant_id", nullptr},
      {"identity", {nullptr, nullptr}},
  };
  const HarnessEnvironment environment = function.open();
  BOOST_TEST(json_of(environment.invoke(invocation)) == expected);
  invocation.invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:greet:7";
  BOOST_TEST(json_of(environment.invoke(invocation))["invoked_function_arn"] ==
             invocation.invoked_function_arn);
}

BOOST_AUTO_TEST_CASE(client_context_identity_and_tenant_arrive_decoded) {
  PythonFunction function(R"(
def handler(event, context):
    return {'custom': context.client_context.custom, 'env': context.client_context.env,
            'title': context.client_context.client.app_title, 'other': context.client_context.client.app_package_name,
            'identity': context.identity.cognito_identity_id, 'pool': context.identity.cognito_identity_pool_id,
            'tenant': context.tenant_id}
)");
  InvocationSpec invocation;
  invocation.client_context =
      R"({"client": {"app_title": "shop"}, "custom": {"k": "v"}, "env": {"locale": "de"}})";
  invocation.cognito_identity = R"({"cognitoIdentityId": "id-1", "cognitoIdentityPoolId": "pool-1"})";
  invocation.tenant_id = "blue";
  const json expected = {{"custom", {{"k", "v"}}}, {"env", {{"locale", "de"}}}, {"title", "shop"},
                         {"other", nullptr},       {"identity", "id-1"},        {"pool", "pool-1"},
                         {"tenant", "blue"}};
  BOOST_TEST(json_of(function.open().invoke(invocation)) == expected);
}

BOOST_AUTO_TEST_CASE(an_unreadable_client_context_is_an_error_of_its_own) {
  PythonFunction function("def handler(event, context):\n    return 1\n");
  InvocationSpec invocation;
  invocation.client_context = "7";
  const HarnessEnvironment environment = function.open();
  BOOST_TEST(environment.invoke(invocation).error_type == "Runtime.LambdaContextUnmarshalError");
  BOOST_TEST(environment.invoke("{}").payload == "1");
}

BOOST_AUTO_TEST_CASE(remaining_time_counts_down_to_zero) {
  PythonFunction function(R"(
import time
def handler(event, context):
    first = context.get_remaining_time_in_millis()
    time.sleep(0.05)
    second = context.get_remaining_time_in_millis()
    time.sleep(0.2)
    return [first, second, context.get_remaining_time_in_millis()]
)");
  InvocationSpec invocation;
  invocation.timeout = std::chrono::milliseconds(200);
  const json left = json_of(function.open().invoke(invocation));
  BOOST_TEST(left[0].get<int>() <= 200);
  BOOST_TEST(left[1].get<int>() <= left[0].get<int>() - 50);
  BOOST_TEST(left[2] == 0);
}

BOOST_AUTO_TEST_CASE(handlers_may_put_their_own_things_on_a_context_and_the_next_one_is_fresh) {
  PythonFunction function(R"(
def handler(event, context):
    seen = hasattr(context, 'mine')
    context.mine = 1
    context.function_name = 'changed'
    context.identity = 'me'
    context.identity.upper()
    return [seen, context.function_name, context.identity, str(context).startswith('LambdaContext([aws_request_id=')]
)");
  const HarnessEnvironment environment = function.open();
  BOOST_TEST(environment.invoke("{}").payload == R"([false, "changed", "me", true])");
  BOOST_TEST(environment.invoke("{}").payload == R"([false, "changed", "me", true])");
}

BOOST_AUTO_TEST_CASE(a_context_that_is_kept_stays_valid) {
  PythonFunction function(R"(
kept = []
def handler(event, context):
    kept.append(context)
    return [each.aws_request_id for each in kept]
)");
  const HarnessEnvironment environment = function.open();
  InvocationSpec invocation;
  invocation.request_id = "one";
  environment.invoke(invocation);
  invocation.request_id = "two";
  BOOST_TEST(environment.invoke(invocation).payload == R"(["one", "two"])");
}

BOOST_AUTO_TEST_SUITE_END()
