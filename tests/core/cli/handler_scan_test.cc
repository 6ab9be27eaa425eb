#include "cli/handler_scan.h"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <optional>
#include <string>

using lambed::cli::find_handler;

namespace {

// "-" where nothing is found: Boost prints strings, not optionals.
std::string found(std::string_view language, std::string_view text) {
  return find_handler(language, text).value_or("-");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(handler_scan)

BOOST_AUTO_TEST_CASE(python_handlers_are_found_however_they_are_defined) {
  BOOST_TEST(found("python", "def lambda_handler(event, context):\n  pass\n") == "lambda_handler");
  BOOST_TEST(found("python", "async def handler(event, context): ...") == "handler");
  BOOST_TEST(found("python", "handler = wrap(main)\n") == "handler");
  BOOST_TEST(found("python", "from pkg.web import app, handler\n") == "handler");
  BOOST_TEST(found("python", "from pkg import x as lambda_handler\n") == "lambda_handler");
  BOOST_TEST(found("python", "def handler(e, c): ...\ndef lambda_handler(e, c): ...\n") == "lambda_handler");
}

BOOST_AUTO_TEST_CASE(python_names_that_are_no_handlers_are_passed_over) {
  BOOST_TEST(found("python", "def handler_of(x): ...\n") == "-");
  BOOST_TEST(found("python", "class A:\n    def handler(self): ...\n") == "-");
  BOOST_TEST(found("python", "# def handler(event, context)\n") == "-");
  BOOST_TEST(found("python", "handler == 1\n") == "-");
  BOOST_TEST(found("python", "print('def handler(')\n") == "-");
  BOOST_TEST(found("python", "") == "-");
}

BOOST_AUTO_TEST_CASE(node_exports_are_found_in_both_module_systems) {
  BOOST_TEST(found("nodejs", "exports.handler = async (event) => event;") == "handler");
  BOOST_TEST(found("nodejs", "module.exports.handler=function(){}") == "handler");
  BOOST_TEST(found("nodejs", "module.exports = {\n  other: 1,\n  handler: async () => 1,\n};") == "handler");
  BOOST_TEST(found("nodejs", "module.exports = { handler };") == "handler");
  BOOST_TEST(found("nodejs", "export const handler = async () => 1;") == "handler");
  BOOST_TEST(found("nodejs", "export async function handler() {}") == "handler");
  BOOST_TEST(found("nodejs", "export {\n  main as lambdaHandler\n};") == "lambdaHandler");
}

BOOST_AUTO_TEST_CASE(node_functions_that_are_not_exported_are_passed_over) {
  BOOST_TEST(found("nodejs", "const handler = async () => 1;") == "-");
  BOOST_TEST(found("nodejs", "function handler() {}\nexport default handler;") == "-");
  BOOST_TEST(found("nodejs", "exports.handlers = 1;") == "-");
  BOOST_TEST(found("nodejs", "if (exports.handler == null) {}") == "-");
}

// Hundredths of a second; it was a minute when each name that is found was looked back from to the start of the bundle.
BOOST_AUTO_TEST_CASE(a_bundle_of_megabytes_is_scanned_without_trouble) {
  const auto begin = std::chrono::steady_clock::now();
  std::string bundle = "module.exports = {";
  while (bundle.size() < (4u << 20)) bundle += "a" + std::to_string(bundle.size()) + ":1,";
  BOOST_TEST(found("nodejs", bundle + "handler:f};") == "handler");
  std::string braces;
  while (braces.size() < (2u << 20)) braces += "function(){handler()}";
  BOOST_TEST(found("nodejs", braces) == "-");
  BOOST_TEST((std::chrono::steady_clock::now() - begin < std::chrono::seconds(10)));
}

BOOST_AUTO_TEST_CASE(ruby_methods_are_found_at_top_level_and_in_classes) {
  BOOST_TEST(found("ruby", "def lambda_handler(event:, context:)\nend\n") == "lambda_handler");
  BOOST_TEST(found("ruby", "class Orders < Base\n  def self.handler(event:, context:)\n  end\nend\n") ==
             "Orders.handler");
  BOOST_TEST(found("ruby", "module A::B\n  def self.handler(event:, context:)\n  end\nend\n") ==
             "A::B.handler");
  BOOST_TEST(found("ruby", "class Orders\n  def handler(event:, context:)\n  end\nend\n") == "-");
  BOOST_TEST(found("ruby", "def handler_for(x)\nend\n") == "-");
}

BOOST_AUTO_TEST_SUITE_END()
