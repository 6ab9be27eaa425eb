// Native addons: compiled for any node, loaded into environments of this process.
#include <cstdlib>

#include "node_fixture.h"

namespace {

using namespace lambed::testing;
using nlohmann::json;

std::string addon() {
  const char* named = std::getenv("LAMBED_TEST_ADDON");
  return named != nullptr ? named : LAMBED_TEST_PLUGIN_DIR "/counter.node";
}

BOOST_AUTO_TEST_SUITE(addons)

BOOST_AUTO_TEST_CASE(an_addon_loads_in_every_environment_with_data_of_its_own) {
  const std::string script = "const addon = require('" + addon() +
                             "'); exports.handler = async () => [addon.add(1, 2), addon.count()];";
  const NodeFunction one(script);
  const NodeFunction two(script);
  BOOST_TEST(one.result() == json({3, 1}));
  BOOST_TEST(one.result() == json({3, 2}));
  BOOST_TEST(two.result() == json({3, 1}));
}

BOOST_AUTO_TEST_CASE(an_addon_can_be_loaded_again_after_its_environment_is_gone) {
  for (int round = 0; round < 3; ++round) {
    const NodeFunction function("const addon = require('" + addon() +
                                "'); exports.handler = async () => addon.count();");
    BOOST_TEST(function.result() == 1);
  }
}

BOOST_AUTO_TEST_CASE(what_is_not_an_addon_is_an_error) {
  const NodeFunction function(Files{{"index.js", "require('./bad.node');"}, {"bad.node", "not a library"}});
  BOOST_TEST(function.opened().kind == LAMBED_OUTCOME_FUNCTION_ERROR);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
