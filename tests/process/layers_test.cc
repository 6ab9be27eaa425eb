// The sandbox's layers one by one, each with a launcher of its own: what the machine can have besides the best one is not met
// otherwise. LAMBED_SANDBOX_LAYER chooses; the rest of this suite runs in whatever layer it names, too.
#include <fmt/format.h>

#include <filesystem>

#include "environments/sandbox/enforcement.h"
#include "process/workers.h"
#include "support/child_process.h"

namespace lambed::testing {
namespace {

// One of each kind: answers, the process's own surroundings, ends, time, freezing, closing.
constexpr const char* kCases =
    "workers/a_function_runs_in_a_process_of_its_own,"
    "the_process_has_the_functions_variables_and_no_others,"
    "code_that_the_server_keeps_itself_can_be_read_and_its_memory_is_told,"
    "what_the_process_and_its_children_write_themselves_is_logged_too,"
    "a_worker_that_exits_is_answered_with_its_status_and_replaced,"
    "a_handler_that_hangs_is_answered_in_time_and_its_whole_tree_is_gone,"
    "a_launcher_that_dies_takes_its_workers_along_and_is_replaced,"
    "an_idle_worker_is_frozen_and_thawed_by_the_next_call,"
    "a_frozen_worker_can_be_closed";

std::string self() { return std::filesystem::read_symlink("/proc/self/exe"); }

BOOST_AUTO_TEST_SUITE(layers)

BOOST_AUTO_TEST_CASE(each_layer_that_can_be_had_serves) {
  int tried = 0;
  for (const sandbox::LayerReport& report : sandbox::try_layers()) {
    if (!report.available) continue;
    // Without control groups memory is limited by what a process has mapped, and a sanitizer maps terabytes.
    if (kIsSanitized && !sandbox::is_root_layer(report.layer)) continue;
    ++tried;
    const ChildEnd end =
        run_program({self(), std::string("--run_test=") + kCases},
                    {.variables = {{"LAMBED_SANDBOX_LAYER", sandbox::word_for(report.layer)}}});
    BOOST_TEST(end.exit_code == 0, sandbox::name_of(report.layer) << ": " << end.out << end.err);
  }
  if (!kIsSanitized) BOOST_TEST(tried > 0);
}

BOOST_FIXTURE_TEST_CASE(a_layer_that_is_none_is_an_error_that_names_them_all, WorkersFixture) {
  gateway.reset();
  const ChildEnd end = run_program({self(), "--run_test=workers/a_function_runs_in_a_process_of_its_own"},
                                   {.variables = {{"LAMBED_SANDBOX_LAYER", "best"}}});
  BOOST_TEST(end.exit_code != 0);
  BOOST_TEST((end.out + end.err).find("none of cgroup2, cgroup1, user and bare") != std::string::npos,
             end.out << end.err);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
