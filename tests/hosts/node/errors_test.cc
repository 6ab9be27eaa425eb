// The documents that a caller gets when the handler, or loading it, fails.
#include <algorithm>

#include "node_fixture.h"

namespace {

using namespace lambed::testing;
using nlohmann::json;

std::vector<std::string> keys(const json& object) {
  std::vector<std::string> names;
  for (const auto& [name, value] : object.items()) names.push_back(name);
  return names;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

BOOST_AUTO_TEST_SUITE(errors)

BOOST_AUTO_TEST_CASE(a_thrown_error_has_type_message_and_trace) {
  for (const std::string form :
       {"async () => { throw new TypeError('boom'); }", "() => { throw new TypeError('boom'); }",
        "async () => { await null; throw new TypeError('boom'); }",
        "() => Promise.reject(new TypeError('boom'))",
        "(e, c, callback) => callback(new TypeError('boom'))"}) {
    const NodeFunction function("exports.handler = " + form + ";");
    const json document = function.error();
    BOOST_TEST(keys(document) == (std::vector<std::string>{"errorMessage", "errorType", "trace"}),
               boost::test_tools::per_element());
    BOOST_TEST(document["errorType"] == "TypeError");
    BOOST_TEST(document["errorMessage"] == "boom");
    BOOST_TEST(document["trace"][0] == "TypeError: boom");
    BOOST_TEST(contains(document["trace"][1], function.path() + "/index.js:1:"));
    BOOST_TEST(contains(
        function.log(),
        "\tERROR\tInvoke Error \t{\"errorType\":\"TypeError\",\"errorMessage\":\"boom\",\"stack\":["));
    BOOST_TEST(!function.run().discards());
  }
}

BOOST_AUTO_TEST_CASE(what_is_not_an_error_is_described_by_its_type) {
  const auto thrown = [](const std::string& value) {
    return NodeFunction("exports.handler = async () => { throw " + value + "; };").error();
  };
  BOOST_TEST(thrown("'words'") ==
             json({{"errorType", "string"}, {"errorMessage", "words"}, {"trace", json::array()}}));
  BOOST_TEST(thrown("42") ==
             json({{"errorType", "number"}, {"errorMessage", "42"}, {"trace", json::array()}}));
  BOOST_TEST(thrown("undefined")["errorType"] == "undefined");
  BOOST_TEST(thrown("{ a: 1 }")["errorMessage"] == "[object Object]");
  BOOST_TEST(thrown("Object.create(null)")["errorType"] == "handled");
}

BOOST_AUTO_TEST_CASE(a_named_error_keeps_its_name) {
  const json document = NodeFunction(R"(
    class NotFound extends Error { constructor(message) { super(message); this.name = 'NotFound'; this.code = 404; } }
    exports.handler = async () => { throw new NotFound('gone'); };)")
                            .error();
  BOOST_TEST(document["errorType"] == "NotFound");
}

BOOST_AUTO_TEST_CASE(a_result_that_is_not_json_is_an_error) {
  for (const std::string form : {"async () => { const a = {}; a.a = a; return a; }", "async () => 10n",
                                 "(e, c, callback) => callback(null, 10n)"}) {
    const json document = NodeFunction("exports.handler = " + form + ";").error();
    BOOST_TEST(document["errorType"] == "Error");
    BOOST_TEST(document["errorMessage"] == "Unable to stringify response body");
  }
}

BOOST_AUTO_TEST_CASE(an_async_handler_that_nothing_will_settle_is_nodejsexit) {
  const NodeFunction function("exports.handler = () => new Promise(() => {});");
  BOOST_TEST(function.error()["errorType"] == "Runtime.NodeJsExit");
  BOOST_TEST(function.error()["errorType"] == "Runtime.NodeJsExit");
}

BOOST_AUTO_TEST_CASE(an_unhandled_rejection_ends_the_environment) {
  const NodeFunction function(R"(
    exports.handler = async () => { Promise.reject(new Error('lost')); await new Promise((r) => setTimeout(r, 1000)); };)");
  const Outcome outcome = function.run();
  BOOST_TEST(outcome.kind == LAMBED_OUTCOME_FUNCTION_ERROR);
  BOOST_TEST(outcome.discards());
  const json document = json::parse(outcome.payload);
  BOOST_TEST(document["errorType"] == "Runtime.UnhandledPromiseRejection");
  BOOST_TEST(document["errorMessage"] == "Error: lost");
  BOOST_TEST(document["trace"][0] == "Runtime.UnhandledPromiseRejection: Error: lost");
  BOOST_TEST(contains(function.log(),
                      "Unhandled Promise Rejection \t{\"errorType\":\"Runtime.UnhandledPromiseRejection\""));
  BOOST_TEST(contains(function.log(), "\"reason\":{\"errorType\":\"Error\",\"errorMessage\":\"lost\""));
}

BOOST_AUTO_TEST_CASE(a_rejection_handled_later_in_the_same_tick_is_none) {
  const NodeFunction function(
      "exports.handler = async () => { const p = Promise.reject(new Error('x')); try { await p; } catch { "
      "return 'caught'; } };");
  BOOST_TEST(function.result() == "caught");
}

BOOST_AUTO_TEST_CASE(an_exception_in_a_timer_ends_the_environment) {
  const NodeFunction function(R"(
    exports.handler = async () => { setTimeout(() => { throw new RangeError('in timer'); }, 1); await new Promise((r) => setTimeout(r, 1000)); };)");
  const Outcome outcome = function.run();
  BOOST_TEST(outcome.kind == LAMBED_OUTCOME_FUNCTION_ERROR);
  BOOST_TEST(outcome.discards());
  BOOST_TEST(json::parse(outcome.payload)["errorType"] == "RangeError");
  BOOST_TEST(contains(function.log(), "\tERROR\tUncaught Exception \t{\"errorType\":\"RangeError\""));
}

BOOST_AUTO_TEST_CASE(process_exit_is_the_end_of_the_environment_only) {
  for (const auto& [script, code] : std::vector<std::pair<std::string, int>>{
           {"exports.handler = async () => process.exit(3);", 3},
           {"exports.handler = () => { setTimeout(() => process.exit(), 1); };", 0},
           {"exports.handler = async () => { process.on('exit', () => console.log('bye')); process.exitCode "
            "= 4; process.exit(); };",
            4},
           {"exports.handler = async () => { try { process.exit(5); } finally { for (;;); } };", 5},
           {"exports.handler = async () => process.reallyExit(6);", 6}}) {
    const NodeFunction function(script);
    const Outcome outcome = function.run();
    BOOST_TEST(outcome.kind == LAMBED_OUTCOME_EXITED, script);
    BOOST_TEST(outcome.exit_code == code, script);
    BOOST_TEST(outcome.discards());
  }
  const NodeFunction early("process.exit(9);");
  BOOST_TEST(early.opened().kind == LAMBED_OUTCOME_EXITED);
  BOOST_TEST(early.opened().exit_code == 9);
}

BOOST_AUTO_TEST_CASE(a_missing_module_is_importmoduleerror) {
  const NodeFunction function("require('missing');");
  BOOST_TEST(function.opened().kind == LAMBED_OUTCOME_FUNCTION_ERROR);
  BOOST_TEST(function.opened().error_type == "Runtime.ImportModuleError");
  BOOST_TEST(function.init_error()["errorType"] == "Runtime.ImportModuleError");
  BOOST_TEST(std::string(function.init_error()["errorMessage"])
                 .starts_with("Error: Cannot find module 'missing'\nRequire stack:\n- " + function.path() +
                              "/index.js"));
  BOOST_TEST(function.init_error()["trace"][0] ==
             "Runtime.ImportModuleError: Error: Cannot find module 'missing'");
  BOOST_TEST(
      contains(function.log(),
               "\tundefined\tERROR\tUncaught Exception \t{\"errorType\":\"Runtime.ImportModuleError\""));
  const NodeFunction nothing(Files{});
  BOOST_TEST(nothing.init_error()["errorType"] == "Runtime.ImportModuleError");
  BOOST_TEST(
      std::string(nothing.init_error()["errorMessage"]).starts_with("Error: Cannot find module 'index'"));
}

BOOST_AUTO_TEST_CASE(a_missing_handler_is_handlernotfound) {
  BOOST_TEST(NodeFunction("exports.other = 1;").init_error()["errorMessage"] ==
             "index.handler is undefined or not exported");
  BOOST_TEST(NodeFunction("exports.handler = 1;").init_error()["errorMessage"] ==
             "index.handler is not a function");
  BOOST_TEST(NodeFunction("").init_error()["errorType"] == "Runtime.HandlerNotFound");
  BOOST_TEST(NodeFunction(Files{{"index.mjs", "export const other = 1;"}}).init_error()["errorType"] ==
             "Runtime.HandlerNotFound");
}

BOOST_AUTO_TEST_CASE(a_syntax_error_is_usercodesyntaxerror) {
  BOOST_TEST(NodeFunction("exports.handler = )").init_error()["errorType"] == "Runtime.UserCodeSyntaxError");
  BOOST_TEST(NodeFunction("exports.handler = )").init_error()["errorMessage"] ==
             "SyntaxError: Unexpected token ')'");
  BOOST_TEST(NodeFunction(Files{{"index.mjs", "export const = 1"}}).init_error()["errorType"] ==
             "Runtime.UserCodeSyntaxError");
}

BOOST_AUTO_TEST_CASE(a_bad_handler_name_is_malformedhandlername) {
  for (const std::string name : {"index", "../index.handler", "a/../b.handler", "folder/index"}) {
    EnvironmentSpec spec;
    spec.handler = name;
    BOOST_TEST(NodeFunction("exports.handler = async () => 1;", spec).init_error()["errorType"] ==
               "Runtime.MalformedHandlerName");
  }
  EnvironmentSpec spec;
  spec.handler = "index";
  BOOST_TEST(NodeFunction("", spec).init_error()["errorMessage"] == "Bad handler");
}

BOOST_AUTO_TEST_CASE(an_error_while_loading_keeps_its_own_type) {
  const NodeFunction function("throw new RangeError('at init');");
  BOOST_TEST(function.init_error()["errorType"] == "RangeError");
  BOOST_TEST(function.init_error()["errorMessage"] == "at init");
  BOOST_TEST(function.init_error()["trace"][0] == "RangeError: at init");
}

BOOST_AUTO_TEST_CASE(an_unhandled_rejection_while_loading_is_an_init_error) {
  const NodeFunction function(Files{{"index.mjs", R"(
    Promise.reject(new Error('lost')); await new Promise((r) => setTimeout(r, 50)); export const handler = async () => 1;)"}});
  BOOST_TEST(function.init_error()["errorType"] == "Runtime.UnhandledPromiseRejection");
}

BOOST_AUTO_TEST_CASE(a_stack_overflow_is_an_ordinary_error) {
  const NodeFunction function(
      "const f = () => f() + 1; exports.handler = async (event) => event.deep ? f() : 'fine';");
  BOOST_TEST(function.error(R"({"deep":true})")["errorMessage"] == "Maximum call stack size exceeded");
  BOOST_TEST(function.result() == "fine");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
