// `lambed invoke` with handlers that do not stop by themselves: the limit holds, signals end the program.
#include <signal.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "core/cli/temporary_folder.h"
#include "support/child_process.h"

using namespace std::chrono_literals;
using lambed::testing::ChildEnd;
using lambed::testing::ChildProcess;
using lambed::testing::TemporaryFolder;

namespace {

// Start of the interpreter, one second of limit, closing; far above what is expected, for loaded machines.
constexpr auto kGenerousBound = 15s;
// What is promised after a signal is 2 s; the rest is for loaded machines and sanitizers.
constexpr auto kSignalBound = 5s;

struct Runaway {
  const char* name;
  const char* file;
  const char* source;
};
std::ostream& operator<<(std::ostream& out, const Runaway& runaway) { return out << runaway.name; }

const Runaway kRunaways[] = {
    {"busy loop", "lambda_function.py",
     "import sys\ndef lambda_handler(event, context):\n    print('running', file=sys.stderr, flush=True)\n   "
     " while True: pass\n"},
    {"sleep", "lambda_function.py",
     "import sys, time\ndef lambda_handler(event, context):\n    print('running', file=sys.stderr, "
     "flush=True)\n    time.sleep(60)\n"},
    {"swallows BaseException", "lambda_function.py",
     "import sys\ndef lambda_handler(event, context):\n    print('running', file=sys.stderr, flush=True)\n"
     "    while True:\n        try:\n            while True: pass\n        except BaseException: pass\n"},
    {"catastrophic regex", "lambda_function.py",
     "import re, sys\ndef lambda_handler(event, context):\n    print('running', file=sys.stderr, "
     "flush=True)\n"
     "    return re.match(r'(a+)+$', 'a' * 60 + 'b')\n"},
    {"busy loop in Node.js", "index.mjs",
     "export const handler = async () => { console.log('running'); for (;;); };\n"},
    {"busy loop in Ruby", "lambda_function.rb",
     "def lambda_handler(event:, context:)\n  warn 'running'\n  loop {}\nend\n"},
    {"ensure loop in Ruby", "lambda_function.rb",
     "def lambda_handler(event:, context:)\n  warn 'running'\n  begin\n    loop {}\n  ensure\n    while true "
     "do end\n  end\nend\n"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(runaways)

BOOST_DATA_TEST_CASE(a_handler_that_does_not_stop_is_a_timeout, boost::unit_test::data::make(kRunaways),
                     runaway) {
  const TemporaryFolder folder;
  folder.file(runaway.file, runaway.source);
  const ChildEnd end =
      lambed::testing::run_program({LAMBED_PROGRAM, "invoke", folder.path(), "--timeout", "1"});
  BOOST_TEST(end.exit_code == 1, end.err);
  const nlohmann::json document = nlohmann::json::parse(end.out, nullptr, false);
  BOOST_REQUIRE(document.is_object());
  BOOST_TEST(document["errorType"] == "Sandbox.Timedout");
  BOOST_TEST(
      document["errorMessage"].get<std::string>().ends_with("Error: Task timed out after 1.00 seconds"));
  BOOST_TEST(end.err.find("Status: timeout") != std::string::npos);
  BOOST_TEST(end.duration.count() >= 1000);
  BOOST_TEST(std::chrono::milliseconds(end.duration).count() <
             std::chrono::milliseconds(kGenerousBound).count());
}

BOOST_DATA_TEST_CASE(a_signal_ends_the_program_by_that_signal,
                     boost::unit_test::data::make(kRunaways) *
                         boost::unit_test::data::make({SIGINT, SIGTERM}),
                     runaway, signal) {
  const TemporaryFolder folder;
  folder.file(runaway.file, runaway.source);
  ChildProcess program({LAMBED_PROGRAM, "invoke", folder.path(), "--timeout", "60"});
  BOOST_REQUIRE(program.wait_for_error_text("running", 30s));
  const auto sent = std::chrono::steady_clock::now();
  program.send_signal(signal);
  const ChildEnd end = program.wait(30s);
  const auto took = std::chrono::steady_clock::now() - sent;
  BOOST_TEST(!end.killed_by_test);
  BOOST_TEST(end.signal == signal);
  BOOST_TEST(end.out.empty());
  BOOST_TEST((took < kSignalBound));
}

BOOST_AUTO_TEST_SUITE_END()
