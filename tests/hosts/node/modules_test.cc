// Where the handler's file is looked for, and what it may require and import.
#include "node_fixture.h"

namespace {

using namespace lambed::testing;
using nlohmann::json;

EnvironmentSpec with_handler(const std::string& handler) {
  EnvironmentSpec spec;
  spec.handler = handler;
  return spec;
}

const std::string kCommon = "exports.handler = async () => 'common';";
const std::string kModule = "export const handler = async () => 'module';";

BOOST_AUTO_TEST_SUITE(modules)

BOOST_AUTO_TEST_CASE(every_extension_is_found) {
  BOOST_TEST(NodeFunction(Files{{"index.js", kCommon}}).result() == "common");
  BOOST_TEST(NodeFunction(Files{{"index.cjs", kCommon}}).result() == "common");
  BOOST_TEST(NodeFunction(Files{{"index.mjs", kModule}}).result() == "module");
  BOOST_TEST(NodeFunction(Files{{"index", kCommon}}).result() == "common");
}

BOOST_AUTO_TEST_CASE(the_package_type_decides_about_js) {
  BOOST_TEST(NodeFunction(Files{{"index.js", kModule}, {"package.json", R"({"type":"module"})"}}).result() ==
             "module");
  BOOST_TEST(
      NodeFunction(Files{{"index.js", kCommon}, {"package.json", R"({"type":"commonjs"})"}}).result() ==
      "common");
}

BOOST_AUTO_TEST_CASE(files_win_in_lambdas_order) {
  const auto say = [](const std::string& word) { return "exports.handler = async () => '" + word + "';"; };
  const std::string module = "export const handler = async () => 'mjs';";
  Files files{{"index.cjs", say("cjs")}};
  BOOST_TEST(NodeFunction(files).result() == "cjs");
  files.emplace_back("index.mjs", module);
  BOOST_TEST(NodeFunction(files).result() == "mjs");
  files.emplace_back("index.js", say("js"));
  BOOST_TEST(NodeFunction(files).result() == "js");
  files.emplace_back("index", say("none"));
  BOOST_TEST(NodeFunction(files).result() == "none");
}

BOOST_AUTO_TEST_CASE(handlers_may_be_nested_and_in_folders) {
  const Files files{
      {"src/app.js", "exports.a = { b: { c: async () => 'nested' } }; exports.plain = async () => 'plain';"}};
  BOOST_TEST(NodeFunction(files, with_handler("src/app.a.b.c")).result() == "nested");
  BOOST_TEST(NodeFunction(files, with_handler("src/app.plain")).result() == "plain");
}

BOOST_AUTO_TEST_CASE(top_level_await_is_awaited) {
  const NodeFunction function(Files{{"index.mjs", R"(
    const value = await new Promise((resolve) => setTimeout(resolve, 20, 'awaited'));
    export const handler = async () => value;)"}});
  BOOST_TEST(function.result() == "awaited");
}

BOOST_AUTO_TEST_CASE(a_top_level_await_without_end_is_nodes_exit_status_13) {
  const NodeFunction function(
      Files{{"index.mjs", "await new Promise(() => {}); export const handler = async () => 1;"}});
  BOOST_TEST(function.opened().kind == LAMBED_OUTCOME_EXITED);
  BOOST_TEST(function.opened().exit_code == 13);
}

BOOST_AUTO_TEST_CASE(modules_import_builtins_files_json_and_common_modules) {
  const NodeFunction function(Files{{"index.mjs", R"(
    import { readFileSync } from 'node:fs';
    import path from 'path';
    import { createRequire } from 'module';
    import { half } from './half.mjs';
    import common from './common.cjs';
    const require = createRequire(import.meta.url);
    export const handler = async () => {
      const late = await import('./late.mjs');
      return [typeof readFileSync, path.basename(import.meta.url), half(8), common.name, require('./data.json').n, late.default];
    };)"},
                                    {"half.mjs", "export const half = (n) => n / 2;"},
                                    {"common.cjs", "module.exports = { name: 'common' };"},
                                    {"data.json", R"({"n":7})"},
                                    {"late.mjs", "export default 'late';"}});
  BOOST_TEST(function.result() == json({"function", "index.mjs", 4, "common", 7, "late"}));
}

BOOST_AUTO_TEST_CASE(common_modules_may_import_dynamically) {
  const NodeFunction function(
      Files{{"index.js", "exports.handler = async () => (await import('./other.mjs')).default;"},
            {"other.mjs", "export default 'imported';"}});
  BOOST_TEST(function.result() == "imported");
}

BOOST_AUTO_TEST_CASE(packages_of_the_task_root_and_of_layers_are_found) {
  const TemporaryFolder layer;
  layer.write("nodejs/node_modules/from-layer/index.js", "module.exports = 'layer';");
  layer.write("nodejs/node_modules/both/index.js", "module.exports = 'layer';");
  const TemporaryFolder newer;
  newer.write("nodejs/node18/node_modules/versioned/index.js", "module.exports = 'node18';");
  newer.write("nodejs/node_modules/from-layer-two/package.json", R"({"main":"main.js"})");
  newer.write("nodejs/node_modules/from-layer-two/main.js",
              "module.exports = require('from-layer') + ' two';");
  EnvironmentSpec spec;
  spec.layers = {newer.path(), layer.path()};
  const NodeFunction function(Files{{"index.js", R"(
    exports.handler = async () => [require('own'), require('both'), require('from-layer'), require('versioned'), require('from-layer-two'), require('beside')];)"},
                                    {"node_modules/own/index.js", "module.exports = 'own';"},
                                    {"node_modules/both/index.js", "module.exports = 'own';"},
                                    {"beside.js", "module.exports = 'task root';"}},
                              spec);
  BOOST_TEST(function.result() == json({"own", "own", "layer", "node18", "layer two", "task root"}));
}

BOOST_AUTO_TEST_CASE(the_handler_may_be_a_package_of_a_layer) {
  const TemporaryFolder layer;
  layer.write("nodejs/node_modules/wrapper/index.js", "exports.handler = async () => 'wrapped';");
  EnvironmentSpec spec = with_handler("wrapper.handler");
  spec.layers = {layer.path()};
  BOOST_TEST(NodeFunction(Files{}, spec).result() == "wrapped");
}

BOOST_AUTO_TEST_CASE(node_path_of_the_function_counts_and_that_of_the_application_does_not,
                     *boost::unit_test::label("in_process")) {
  const TemporaryFolder mine;
  mine.write("listed/index.js", "module.exports = 'listed';");
  EnvironmentSpec spec;
  spec.variables = {{"NODE_PATH", "/var/runtime/node_modules:" + mine.path()}};
  BOOST_TEST(NodeFunction("exports.handler = async () => require('listed');", spec).result() == "listed");
}

BOOST_AUTO_TEST_CASE(require_main_and_filename_are_as_on_lambda) {
  const NodeFunction function("exports.handler = async () => [require.main === module, __filename];");
  BOOST_TEST(function.result() == json({false, function.path() + "/index.js"}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
