// Three interpreters in one process: whatever the order of their start, they work, leave the application's signals alone, and
// the process ends by itself. Each case is a process of its own (driver.cc), because a host is started once in a process.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <string>

#include "support/child_process.h"

namespace {

namespace data = boost::unit_test::data;
using lambed::testing::ChildEnd;

const std::string kOrders[] = {"python,nodejs,ruby", "python,ruby,nodejs", "nodejs,python,ruby",
                               "nodejs,ruby,python", "ruby,python,nodejs", "ruby,nodejs,python"};

const std::string kScenarios[] = {"answers",
                                  "keeps_signals",
                                  "keeps_default_signals",
                                  "runs_children_in_turn",
                                  "runs_children_at_once",
                                  "survives_closed_pipes",
                                  "agrees_on_digests",
                                  "exchanges_ciphertexts",
                                  "exchanges_compressed_data"};

// Where the order of the start makes no difference that is known of.
const std::string kOnce[] = {"waits_side_by_side", "carries_a_pipeline", "gives_environments_back",
                             "gives_gateways_back"};

void expect_success(const std::string& order, const std::string& scenario) {
  const ChildEnd end = lambed::testing::run_program({LAMBED_TOGETHER_DRIVER, order, scenario});
  if (!end.out.empty()) BOOST_TEST_MESSAGE(end.out);
  BOOST_TEST(!end.killed_by_test, order << " " << scenario << " did not end");
  BOOST_TEST(end.signal == 0,
             order << " " << scenario << " ended by signal " << end.signal << ": " << end.err);
  BOOST_TEST(end.exit_code == 0, end.err);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(living_together)

BOOST_DATA_TEST_CASE(any_order_of_start_works, data::make(kOrders) * data::make(kScenarios), order,
                     scenario) {
  expect_success(order, scenario);
}

BOOST_DATA_TEST_CASE(all_together, data::make(kOnce), scenario) {
  expect_success("python,nodejs,ruby", scenario);
}

BOOST_AUTO_TEST_SUITE_END()
