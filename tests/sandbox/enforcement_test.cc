// The table of what is enforced: complete, and the same in the documentation.
#include "environments/sandbox/enforcement.h"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>

namespace lambed::testing {

using namespace sandbox;

BOOST_AUTO_TEST_SUITE(enforcement)

BOOST_AUTO_TEST_CASE(the_documentation_has_the_table) {
  std::ifstream file(LAMBED_SOURCE_DIR "/docs/isolation.md");
  std::ostringstream text;
  text << file.rdbuf();
  BOOST_TEST((text.str().find(enforcement_as_markdown()) != std::string::npos),
             "docs/isolation.md must hold this:\n"
                 << enforcement_as_markdown());
}

BOOST_AUTO_TEST_CASE(every_guard_says_how) {
  for (const EnforcedLimit& limit : enforced_limits()) {
    for (const Enforcement& cell : limit.layers)
      BOOST_TEST((cell.grade != Grade::kGuarded || *cell.how != 0), limit.limit);
  }
}

BOOST_AUTO_TEST_CASE(strict_isolation_needs_root) {
  BOOST_TEST(not_hard_in(Layer::kRootCgroup2).empty());
  BOOST_TEST(not_hard_in(Layer::kRootCgroup1).empty());
  BOOST_TEST(!not_hard_in(Layer::kUserNamespace).empty());
  BOOST_TEST(!not_hard_in(Layer::kBare).empty());
}

BOOST_AUTO_TEST_CASE(every_layer_works_or_says_why_not) {
  for (const LayerReport& report : try_layers()) BOOST_TEST(report.available == report.reason.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace lambed::testing
