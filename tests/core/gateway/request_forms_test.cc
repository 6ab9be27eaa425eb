// What a request may look like, and what is refused before anything runs.
#include "core/gateway/scripted.h"

namespace lambed::testing {
namespace {

constexpr const char* kArn = "arn:aws:lambda:us-east-1:123456789012:function:";

BOOST_FIXTURE_TEST_SUITE(request_forms, GatewayFixture)

BOOST_AUTO_TEST_CASE(every_form_of_a_name_reaches_the_function) {
  create("hello", "identify");
  gateway.publish_version({.name = "hello"});
  for (const std::string& form :
       {std::string("hello"), std::string("hello:$LATEST"), std::string("123456789012:function:hello"),
        kArn + std::string("hello"), kArn + std::string("hello:$LATEST")}) {
    BOOST_TEST_CONTEXT(form) {
      const InvokeResult result = gateway.invoke({.function = form});
      BOOST_TEST(result.status_code == 200);
      BOOST_TEST(result.ok());
      BOOST_TEST(result.executed_version == "$LATEST");
      BOOST_TEST(document(result)["function"] == "hello");
    }
  }
  for (const std::string& form : {std::string("hello:1"), std::string("123456789012:function:hello:1"),
                                  kArn + std::string("hello:1")}) {
    BOOST_TEST(gateway.invoke({.function = form}).executed_version == "1");
    BOOST_TEST(gateway.invoke({.function = form, .qualifier = "1"}).executed_version == "1");
  }
}

// With workers their launcher runs already, and needs the program no more.
BOOST_AUTO_TEST_CASE(who_asks_for_process_isolation_never_gets_less, *boost::unit_test::label("in_process")) {
  // Without the program that workers are made of, nothing runs: not even here.
  ::setenv("LAMBED_WORKER", "/nowhere", 1);
  CreateFunctionRequest request = function("hello", "echo");
  request.isolation = Isolation::kProcess;
  gateway.create_function(request);
  const Error error = error_of([&] { gateway.invoke({.function = "hello"}); });
  ::unsetenv("LAMBED_WORKER");
  BOOST_TEST((error.code() == ErrorCode::HostUnavailable));
  BOOST_TEST(error.message().find("LAMBED_WORKER") != std::string::npos);
  BOOST_TEST(host().environments() == 0);
}

BOOST_AUTO_TEST_CASE(a_qualifier_that_differs_from_the_name_s_own_is_refused) {
  create("hello", "echo");
  gateway.publish_version({.name = "hello"});
  check_error(error_of([&] { gateway.invoke({.function = "hello:1", .qualifier = "$LATEST"}); }),
              ErrorCode::InvalidParameterValueException,
              "The derived qualifier from the function name does not match the specified qualifier.");
}

BOOST_AUTO_TEST_CASE(an_unknown_function_is_named_by_its_arn_with_the_qualifier) {
  check_error(error_of([&] { gateway.invoke({.function = "absent"}); }), ErrorCode::ResourceNotFoundException,
              std::string("Function not found: ") + kArn + "absent:$LATEST");
  check_error(error_of([&] { gateway.invoke({.function = "absent", .qualifier = "live"}); }),
              ErrorCode::ResourceNotFoundException,
              std::string("Function not found: ") + kArn + "absent:live");
}

BOOST_AUTO_TEST_CASE(an_unknown_version_or_alias_of_a_function_is_not_found) {
  create("hello", "echo");
  for (const std::string qualifier : {"7", "live"}) {
    check_error(error_of([&] { gateway.invoke({.function = "hello", .qualifier = qualifier}); }),
                ErrorCode::ResourceNotFoundException,
                std::string("Function not found: ") + kArn + "hello:" + qualifier);
  }
}

BOOST_AUTO_TEST_CASE(malformed_names_and_foreign_arns_are_refused_with_a_typed_error) {
  create("hello", "echo");
  for (const std::string& name :
       {std::string(), std::string("hel lo"), std::string("a/b"), std::string(300, 'x'),
        std::string("hello:"), std::string("arn:aws:lambda:us-east-1:123456789012:layer:hello"),
        std::string("hello\0x", 7)}) {
    BOOST_TEST_CONTEXT("name '" << name << "'") {
      const Error error = error_of([&] { gateway.invoke({.function = name}); });
      BOOST_TEST(error.http_status() / 100 == 4);
      BOOST_TEST(!error.message().empty());
    }
  }
  check_error(
      error_of([&] { gateway.invoke({.function = "arn:aws:lambda:eu-west-1:123456789012:function:hello"}); }),
      ErrorCode::ResourceNotFoundException,
      "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')");
  BOOST_TEST(error_of([&] {
               gateway.invoke({.function = "arn:aws:lambda:us-east-1:999999999999:function:hello"});
             }).http_status() == 403);
}

BOOST_AUTO_TEST_CASE(an_empty_payload_reaches_the_handler_as_an_empty_object) {
  create("hello", "echo");
  BOOST_TEST(gateway.invoke({.function = "hello"}).payload == "{}");
}

BOOST_AUTO_TEST_CASE(every_kind_of_json_text_is_a_payload) {
  create("hello", "echo");
  for (const std::string text : {"null", "true", "-1.5e3", "\"x\"", "[]", "[1,{\"a\":[]}]", " {\"a\" : 1}\n",
                                 R"({"a":"\u00e9\ud83d\ude00"})", "\"\xc3\xa9\""}) {
    BOOST_TEST_CONTEXT(text) {
      BOOST_TEST(json::parse(gateway.invoke({.function = "hello", .payload = text}).payload) ==
                 json::parse(text));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_payload_that_is_not_json_is_refused_before_anything_runs) {
  create("hello", "echo");
  const std::string prefix = "Could not parse request body into json: Could not parse payload into json: ";
  for (const std::string& text :
       {std::string("{"), std::string("{\"a\":}"), std::string("nul"), std::string("1 2"),
        std::string("{} x"), std::string("'x'"), std::string("\x87"), std::string("\"\xff\""),
        std::string("\"\xc3"), std::string("   "), std::string("[1,]"), std::string("\"a\nb\""),
        std::string("{}\0", 3), std::string("NaN"), std::string("01")}) {
    BOOST_TEST_CONTEXT("payload '" << text << "'") {
      const Error error = error_of([&] { gateway.invoke({.function = "hello", .payload = text}); });
      BOOST_TEST(std::string(error.name()) == "InvalidRequestContentException");
      BOOST_TEST(error.message().substr(0, prefix.size()) == prefix);
      BOOST_TEST(error.message().size() > prefix.size());
    }
  }
  BOOST_TEST(gateway.status().in_flight == 0);
  BOOST_TEST(host().environments() == 0);
  BOOST_TEST(gateway.usage("hello").requests == 0u);
}

BOOST_AUTO_TEST_CASE(a_deeply_nested_payload_is_answered_and_not_a_crash) {
  create("hello", "text=deep");
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  try {
    BOOST_TEST(gateway.invoke({.function = "hello", .payload = deep}).payload == "\"deep\"");
  } catch (const Error& error) {
    BOOST_TEST(std::string(error.name()) == "InvalidRequestContentException");
  }
}

BOOST_AUTO_TEST_CASE(a_payload_of_exactly_6_mb_passes_and_one_byte_more_does_not) {
  create("hello", "text=taken");
  std::string payload(6'291'456, 'x');
  payload.front() = payload.back() = '"';
  BOOST_TEST(gateway.invoke({.function = "hello", .payload = payload}).payload == "\"taken\"");
  payload.insert(1, "x");
  check_error(
      error_of([&] { gateway.invoke({.function = "hello", .payload = payload}); }),
      ErrorCode::RequestEntityTooLargeException,
      "6291457 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)");
}

BOOST_AUTO_TEST_CASE(a_dry_run_checks_the_request_and_runs_nothing) {
  create("hello", "echo");
  const long opened = host().opened();
  const InvokeResult result = gateway.invoke({.function = "hello", .type = InvocationType::kDryRun});
  BOOST_TEST(result.status_code == 204);
  BOOST_TEST(result.payload.empty());
  BOOST_TEST(result.ok());
  BOOST_TEST(host().opened() == opened);
  BOOST_TEST(gateway.usage("hello").requests == 0u);
  BOOST_TEST(std::string(error_of([&] {
                           gateway.invoke({.function = "absent", .type = InvocationType::kDryRun});
                         }).name()) == "ResourceNotFoundException");
}

BOOST_AUTO_TEST_CASE(a_request_id_is_kept_when_given_and_new_when_not) {
  create("hello", "identify");
  const std::string given = "11111111-2222-4333-8444-555555555555";
  const InvokeResult result = gateway.invoke({.function = "hello", .request_id = given});
  BOOST_TEST(result.request_id == given);
  BOOST_TEST(document(result)["request_id"] == given);
  const InvokeResult first = gateway.invoke({.function = "hello"});
  const InvokeResult second = gateway.invoke({.function = "hello"});
  BOOST_TEST(first.request_id.size() == 36u);
  BOOST_TEST(first.request_id != second.request_id);
  BOOST_TEST(document(first)["request_id"] == first.request_id);
}

BOOST_AUTO_TEST_CASE(the_context_of_the_request_reaches_the_handler) {
  create("hello", "identify");
  const json seen =
      document(gateway.invoke({.function = "hello",
                               .client_context = R"({"custom":{"a":"b"}})",
                               .cognito_identity = R"({"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"})",
                               .trace_id = "Root=1-2-3;Sampled=1",
                               .tenant_id = "tenant"}));
  BOOST_TEST(seen["client_context"]["custom"]["a"] == "b");
  BOOST_TEST(seen["cognito_identity"]["cognitoIdentityPoolId"] == "p");
  BOOST_TEST(seen["trace_id"] == "Root=1-2-3;Sampled=1");
  BOOST_TEST(seen["tenant_id"] == "tenant");
  BOOST_TEST(seen["invoked_function_arn"] == kArn + std::string("hello"));
  const json qualified = document(gateway.invoke({.function = "hello", .qualifier = "$LATEST"}));
  BOOST_TEST(qualified["invoked_function_arn"] == kArn + std::string("hello:$LATEST"));
}

BOOST_AUTO_TEST_CASE(the_environment_variables_of_the_function_are_lambda_s_own_and_its_own) {
  CreateFunctionRequest request = function("hello", "identify");
  request.environment = std::map<std::string, std::string>{{"COLOUR", "blue"}};
  request.memory_mb = 256;
  gateway.create_function(request);
  const json seen = document(gateway.invoke({.function = "hello"}));
  const json& variables = seen["variables"];
  BOOST_TEST(variables["COLOUR"] == "blue");
  BOOST_TEST(variables["AWS_LAMBDA_FUNCTION_NAME"] == "hello");
  BOOST_TEST(variables["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST");
  BOOST_TEST(variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256");
  BOOST_TEST(variables["AWS_LAMBDA_LOG_GROUP_NAME"] == "/aws/lambda/hello");
  BOOST_TEST(variables["AWS_LAMBDA_LOG_STREAM_NAME"] == seen["log_stream"]);
  BOOST_TEST(variables["AWS_LAMBDA_INITIALIZATION_TYPE"] == "on-demand");
  BOOST_TEST(variables["AWS_EXECUTION_ENV"] == "AWS_Lambda_scripted1.0");
  BOOST_TEST(variables["AWS_REGION"] == "us-east-1");
  BOOST_TEST(variables["AWS_DEFAULT_REGION"] == "us-east-1");
  BOOST_TEST(variables["_HANDLER"] == "identify");
  BOOST_TEST(variables["LAMBDA_TASK_ROOT"] == seen["task_root"]);
  BOOST_TEST(variables["TZ"] == ":UTC");
  BOOST_TEST(seen["memory_limit"] == 256 << 20);
  // Only the sandbox of the bare layer leaves it where it is, too.
  const bool may_move = tested_isolation() == Isolation::kProcess;
  BOOST_TEST((seen["task_root"] == code.path() || (may_move && seen["task_root"] == "/var/task")));
}

BOOST_AUTO_TEST_CASE(hosts_are_found_by_the_path_that_was_set) {
  bool found = false;
  for (const HostReport& report : Gateway::hosts(true)) {
    if (report.language != "scripted") continue;
    found = true;
    BOOST_TEST(report.available);
    BOOST_TEST(report.interpreter_version == "1.0");
    BOOST_TEST(report.problem == "");
  }
  BOOST_TEST(found);
}

BOOST_AUTO_TEST_CASE(a_runtime_that_no_host_serves_is_refused_with_a_clear_error) {
  // Whether creating or invoking refuses it, the caller learns which runtime it is.
  const Error error = error_of([&] {
    CreateFunctionRequest request = function("strange", "echo");
    request.runtime = "cobol1.0";
    gateway.create_function(request);
    gateway.invoke({.function = "strange"});
  });
  BOOST_TEST(error.message().find("cobol1.0") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
