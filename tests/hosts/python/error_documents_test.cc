// What a caller gets when a function fails: the documents of Lambda's Python runtime.
#include "hosts/python/python_fixture.h"

using namespace lambed::testing;
using nlohmann::json;

namespace {

const std::string kId = InvocationSpec().request_id;

json error_of(const Outcome& outcome) {
  BOOST_TEST_REQUIRE(outcome.kind == LAMBED_OUTCOME_FUNCTION_ERROR);
  json document = json::parse(outcome.payload);
  BOOST_TEST(outcome.error_type == document["errorType"].get<std::string>());
  return document;
}

json init_error_of(PythonFunction& function) {
  const HarnessEnvironment environment = function.start();
  const std::optional<Outcome> outcome = environment.wait_opened();
  BOOST_TEST_REQUIRE(outcome.has_value());
  BOOST_TEST(outcome->discards());
  BOOST_TEST(environment.wait_closed());
  return error_of(*outcome);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(python_error_documents)

BOOST_AUTO_TEST_CASE(an_exception_tells_its_type_message_and_stack) {
  PythonFunction function(R"(class Odd(ValueError):
    pass

def inner(value):
    raise Odd(f'{value} is odd')

def handler(event, context):
    return inner(event['n'])
)");
  const HarnessEnvironment environment = function.open();
  const Outcome outcome = environment.invoke(R"({"n": 3})");
  const std::string file = function.seen_folder() + "/app.py";
  const json expected = {
      {"errorMessage", "3 is odd"},
      {"errorType", "Odd"},
      {"requestId", kId},
      {"stackTrace",
       {"  File \"" + file + "\", line 8, in handler\n    return inner(event['n'])\n",
        "  File \"" + file + "\", line 5, in inner\n    raise Odd(f'{value} is odd')\n"}},
  };
  BOOST_TEST(error_of(outcome) == expected);
  BOOST_TEST(outcome.payload.rfind(R"({"errorMessage": "3 is odd", "errorType": "Odd", "requestId": ")", 0) ==
             0u);
  BOOST_TEST(!outcome.discards());
  BOOST_TEST(environment.log(LAMBED_STREAM_LOG) ==
             "[ERROR] Odd: 3 is odd\nTraceback (most recent call last):\n"
             "\u00a0\u00a0File \"" +
                 file +
                 "\", line 8, in handler\n\u00a0\u00a0\u00a0\u00a0return inner(event['n'])\n"
                 "\u00a0\u00a0File \"" +
                 file + "\", line 5, in inner\n\u00a0\u00a0\u00a0\u00a0raise Odd(f'{value} is odd')\n");
}

BOOST_AUTO_TEST_CASE(an_environment_goes_on_after_an_exception) {
  PythonFunction function("def handler(event, context):\n    return 1 / event\n");
  const HarnessEnvironment environment = function.open();
  BOOST_TEST(error_of(environment.invoke("0"))["errorType"] == "ZeroDivisionError");
  BOOST_TEST(environment.invoke("2").payload == "0.5");
}

BOOST_AUTO_TEST_CASE(an_exception_without_a_message_has_an_empty_one) {
  PythonFunction function("class Bare(Exception): pass\ndef handler(event, context):\n    raise Bare\n");
  BOOST_TEST(error_of(function.open().invoke("{}"))["errorMessage"] == "");
}

BOOST_AUTO_TEST_CASE(an_exception_whose_message_fails_is_still_an_error) {
  PythonFunction function(
      "class Bad(Exception):\n    def __str__(self): raise RuntimeError('no')\ndef handler(event, "
      "context):\n    raise Bad\n");
  BOOST_TEST(error_of(function.open().invoke("{}"))["errorType"] == "Bad");
}

BOOST_AUTO_TEST_CASE(a_missing_module_is_an_import_module_error) {
  PythonFunction function("");
  function.spec.handler = "absent.handler";
  const json expected = {{"errorMessage", "Unable to import module 'absent': No module named 'absent'"},
                         {"errorType", "Runtime.ImportModuleError"},
                         {"requestId", ""},
                         {"stackTrace", json::array()}};
  BOOST_TEST(init_error_of(function) == expected);
}

BOOST_AUTO_TEST_CASE(a_missing_import_of_the_module_is_an_import_module_error) {
  PythonFunction function("import requests_that_is_not_there\n");
  BOOST_TEST(init_error_of(function)["errorMessage"] ==
             "Unable to import module 'app': No module named 'requests_that_is_not_there'");
}

BOOST_AUTO_TEST_CASE(a_missing_function_is_handler_not_found) {
  PythonFunction function("def other(event, context): pass\n");
  const json document = init_error_of(function);
  BOOST_TEST(document["errorType"] == "Runtime.HandlerNotFound");
  BOOST_TEST(document["errorMessage"] == "Handler 'handler' missing on module 'app'");
}

BOOST_AUTO_TEST_CASE(a_syntax_error_names_file_and_line) {
  PythonFunction function("def handler(event, context)\n    return 1\n");
  const json document = init_error_of(function);
  BOOST_TEST(document["errorType"] == "Runtime.UserCodeSyntaxError");
  BOOST_TEST(document["errorMessage"] == "Syntax error in module 'app': expected ':' (app.py, line 1)");
  BOOST_TEST(document["stackTrace"] == json::array({"  File \"" + function.seen_folder() +
                                                    "/app.py\" Line 1\n    def handler(event, context)\n"}));
}

BOOST_AUTO_TEST_CASE(a_handler_name_without_a_dot_is_malformed) {
  PythonFunction function("");
  function.spec.handler = "handler";
  const json document = init_error_of(function);
  BOOST_TEST(document["errorType"] == "Runtime.MalformedHandlerName");
  BOOST_TEST(document["errorMessage"] ==
             "Bad handler 'handler': not enough values to unpack (expected 2, got 1)");
}

BOOST_AUTO_TEST_CASE(a_module_named_like_a_builtin_one_conflicts) {
  PythonFunction function("");
  function.spec.handler = "sys.handler";
  const json document = init_error_of(function);
  BOOST_TEST(document["errorType"] == "Runtime.BuiltInModuleConflict");
  BOOST_TEST(document["errorMessage"] == "Cannot use built-in module sys as a handler module");
}

BOOST_AUTO_TEST_CASE(an_exception_in_init_tells_where) {
  PythonFunction function("raise RuntimeError('no configuration')\n");
  const json document = init_error_of(function);
  BOOST_TEST(document["errorType"] == "RuntimeError");
  BOOST_TEST(document["errorMessage"] == "no configuration");
  BOOST_TEST(document["requestId"] == "");
  const std::string last = document["stackTrace"].back();
  BOOST_TEST(last == "  File \"" + function.seen_folder() +
                         "/app.py\", line 1, in <module>\n    raise RuntimeError('no configuration')\n");
  for (const json& entry : document["stackTrace"]) {
    BOOST_TEST(entry.get<std::string>().find("<lambed") == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_result_that_is_not_json_is_a_marshal_error) {
  PythonFunction function(R"(
def handler(event, context):
    if event == 'circle':
        value = []
        value.append(value)
        return value
    return {event: object()} if event else {('a', 'b'): 1}
)");
  const HarnessEnvironment environment = function.open();
  const json expected = {
      {"errorMessage", "Unable to marshal response: Object of type object is not JSON serializable"},
      {"errorType", "Runtime.MarshalError"},
      {"requestId", kId},
      {"stackTrace", json::array()}};
  BOOST_TEST(error_of(environment.invoke("\"a\"")) == expected);
  BOOST_TEST(error_of(environment.invoke("\"circle\""))["errorMessage"] ==
             "Unable to marshal response: Circular reference detected");
  BOOST_TEST(error_of(environment.invoke("0"))["errorMessage"] ==
             "Unable to marshal response: keys must be str, int, float, bool or None, not tuple");
  BOOST_TEST(error_of(environment.invoke("\"a\"")) == expected);
}

BOOST_AUTO_TEST_CASE(a_coroutine_is_not_a_result) {
  PythonFunction function("async def handler(event, context):\n    return 1\n");
  BOOST_TEST(error_of(function.open().invoke("{}"))["errorMessage"] ==
             "Unable to marshal response: Object of type coroutine is not JSON serializable");
}

BOOST_AUTO_TEST_CASE(an_event_that_python_cannot_read_is_an_unmarshal_error) {
  PythonFunction function("def handler(event, context):\n    return event\n");
  const HarnessEnvironment environment = function.open();
  const json document =
      error_of(environment.invoke("[" + std::string(5000, '9') + "]"));  // valid JSON, too many digits
  BOOST_TEST(document["errorType"] == "Runtime.UnmarshalError");
  BOOST_TEST(document["errorMessage"].get<std::string>().rfind("Unable to unmarshal input: Exceeds the limit",
                                                               0) == 0u);
  const std::string deep = std::string(200000, '[') + std::string(200000, ']');
  BOOST_TEST(error_of(environment.invoke(deep))["errorType"] == "Runtime.UnmarshalError");
  BOOST_TEST(environment.invoke("1").payload == "1");
}

BOOST_AUTO_TEST_CASE(endless_recursion_is_an_ordinary_error) {
  PythonFunction function("def handler(event, context):\n    return handler(event, context)\n");
  const HarnessEnvironment environment = function.open();
  BOOST_TEST(error_of(environment.invoke("{}"))["errorType"] == "RecursionError");
  BOOST_TEST(error_of(environment.invoke("{}"))["errorType"] == "RecursionError");
}

BOOST_AUTO_TEST_CASE(errors_are_logged_as_json_when_the_function_logs_json) {
  PythonFunction function("def handler(event, context):\n    raise KeyError('name')\n");
  function.spec.json_logs = true;
  const HarnessEnvironment environment = function.open();
  environment.invoke("{}");
  const json record = json::parse(environment.log(LAMBED_STREAM_LOG));
  BOOST_TEST(record["level"] == "ERROR");
  BOOST_TEST(record["errorType"] == "KeyError");
  BOOST_TEST(record["errorMessage"] == "'name'");
  BOOST_TEST(record["requestId"] == kId);
}

BOOST_AUTO_TEST_SUITE_END()
