#include <boost/test/unit_test.hpp>
#include <string>

#include "core/cli/temporary_folder.h"
#include "support/child_process.h"
#include "support/text.h"

using lambed::testing::ChildEnd;
using lambed::testing::run_program;

namespace {}  // namespace

BOOST_AUTO_TEST_SUITE(doctor)

BOOST_AUTO_TEST_CASE(it_reports_every_language_and_mechanism) {
  const ChildEnd end = run_program({LAMBED_PROGRAM, "doctor"});
  for (const char* word : {"python", "nodejs", "ruby", "user namespaces", "cgroup v2", "seccomp", "Landlock",
                           "plugin", "memory of the whole tree", "outbound TCP"}) {
    BOOST_TEST(says(end.out, word), word);
  }
  const bool missing = says(end.out, "MISSING");
  BOOST_TEST(end.exit_code == (missing ? 1 : 0), end.out);
  BOOST_TEST(says(end.out, "Every language can run.") == !missing);
}

BOOST_AUTO_TEST_CASE(it_says_what_to_do_when_plugins_are_missing) {
  // A copy of the program without plugins beside it.
  const lambed::testing::TemporaryFolder folder;
  BOOST_REQUIRE(run_program({"cp", LAMBED_PROGRAM, folder.path() + "/lambed"}).exit_code == 0);
  const ChildEnd end = run_program({folder.path() + "/lambed", "doctor"},
                                   {.variables = {{"LAMBED_HOST_PATH", folder.path()}}});
  BOOST_TEST(end.exit_code == 1);
  BOOST_TEST(says(end.out, "MISSING  no plugin liblambed_host_python"), end.out);
  BOOST_TEST(says(end.out, "LAMBED_HOST_PATH"));

  folder.file("lambda_function.py", "def lambda_handler(event, context):\n    return 1\n");
  const ChildEnd invoked = run_program({folder.path() + "/lambed", "invoke", folder.path()},
                                       {.variables = {{"LAMBED_HOST_PATH", folder.path()}}});
  BOOST_TEST(invoked.exit_code == 2);
  BOOST_TEST(invoked.out.empty());
  BOOST_TEST(says(invoked.err, "HostUnavailable"), invoked.err);
  BOOST_TEST(says(invoked.err, "python"), invoked.err);
}

BOOST_AUTO_TEST_SUITE_END()
