// How an application ends while its functions do something: by its own will, with its own status, soon. What a program of C++
// documents is: main's value or exit's argument; SIGABRT after an exception that nobody catches; the signal, if it has no
// handler. docs/isolation.md tells the application the same.
//
// A part of the matrix by default; all of it with LAMBED_LONG=1 (./dev test --long).
#include <signal.h>

#include <algorithm>
#include <array>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdlib>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "support/child_process.h"

namespace {

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;
using lambed::testing::ChildEnd;
using lambed::testing::ChildProcess;

// What is promised; a busy machine gets more than one try.
#ifdef LAMBED_SANITIZED
constexpr std::chrono::milliseconds kSoon = 10s;  // interpreters' ends take several times as long there
#else
constexpr std::chrono::milliseconds kSoon = 2s;
#endif
constexpr int kTries = 3;
constexpr auto kPatience = 60s;

constexpr std::array kOrders = {"python,nodejs,ruby",
                                "ruby,nodejs,python",
                                "nodejs,python,ruby",
                                "python,ruby,nodejs",
                                "nodejs,ruby,python",
                                "ruby,python,nodejs",
                                "python",
                                "nodejs",
                                "ruby"};
constexpr std::array kActivities = {"idle", "in_flight", "spin", "swallow", "wait", "native"};

struct Ending {
  const char* name;
  const char* word;  // for exit_driver
  int sent;          // the signal it gets
  int status;        // -1: ended by `signal`
  int signal;
};
constexpr std::array kEndings = {Ending{"return", "return", 0, 7, 0},
                                 Ending{"open return", "open_return", 0, 7, 0},
                                 Ending{"exit", "exit", 0, 7, 0},
                                 Ending{"exception", "exception", 0, -1, SIGABRT},
                                 Ending{"SIGINT", "signal", SIGINT, -1, SIGINT},
                                 Ending{"SIGTERM", "signal", SIGTERM, -1, SIGTERM}};

struct Cell {
  std::string order;
  std::string activity;
  Ending ending;
};
std::ostream& operator<<(std::ostream& out, const Cell& cell) {
  return out << cell.order << ", " << cell.activity << ", " << cell.ending.name;
}

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && std::string_view(value) != "0" && std::string_view(value) != "no" &&
         *value != '\0';
}

std::vector<Cell> cells() {
  const bool all = is_set("LAMBED_LONG") || is_set("LAMBED_TEST_LONG");
  std::vector<Cell> chosen;
  std::size_t turn = 0;
  for (const char* activity : kActivities) {
    for (const Ending& ending : kEndings) {
      for (std::size_t i = 0; i < kOrders.size(); ++i) {
        if (all || i == turn % kOrders.size()) chosen.push_back({kOrders[i], activity, ending});
      }
      ++turn;
    }
  }
  return chosen;
}

// Runs one cell; the time from the moment at which it begins to end.
std::chrono::milliseconds run(const Cell& cell) {
  ChildProcess program({LAMBED_EXIT_DRIVER, cell.order, cell.activity, cell.ending.word});
  const char* last_word = cell.ending.sent != 0 ? "ready" : "ending";
  const bool begun = program.wait_for_error_text(last_word, kPatience);
  const auto begin = std::chrono::steady_clock::now();
  if (cell.ending.sent != 0 && begun) program.send_signal(cell.ending.sent);
  const ChildEnd end = program.wait(kPatience);
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  BOOST_TEST(begun, end.err);
  BOOST_TEST(!end.killed_by_test, "it hung: " << end.err);
  BOOST_TEST(end.exit_code == cell.ending.status, end.err);
  BOOST_TEST(end.signal == cell.ending.signal, end.err);
  return took;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(exit_matrix)

BOOST_DATA_TEST_CASE(the_application_ends_as_it_wishes_and_soon, data::make(cells()), cell) {
  std::chrono::milliseconds best = std::chrono::milliseconds::max();
  for (int attempt = 0; attempt < kTries && best > kSoon; ++attempt) best = std::min(best, run(cell));
  BOOST_TEST_MESSAGE(cell << ": " << best.count() << " ms");
  BOOST_TEST(best.count() <= kSoon.count());
}

BOOST_AUTO_TEST_SUITE_END()
