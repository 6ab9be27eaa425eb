// Child processes of all languages and of the application, in turn and at once; pipes that nobody reads.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <mutex>
#include <thread>

#include "together/polyglot.h"
#include "together/scenarios.h"

namespace lambed::together {
namespace {

void expect_child(const json& answer, const std::string& out, int code, const std::string& whose) {
  expect(answer == json({{"out", out}, {"code", code}}), "a child of " + whose + ": " + answer.dump());
}

// Has one child run by a function, in one of two ways, and checks what came of it.
void run_child(Polyglot& all, const std::string& language, int serial) {
  const std::string text = language + " " + std::to_string(serial);
  const int code = serial % 5;
  expect_child(all.call(language, "run", {{"command", "echo " + text + "; exit " + std::to_string(code)}}),
               text + "\n", code, language);
  const json event = {{"command", "cat; exit " + std::to_string(code)}, {"input", text}};
  expect_child(all.call(language, "popen", event), text, code, language);
}

void run_own_child(int code) {
  const std::string script = "exit " + std::to_string(code);
  const std::array<char*, 4> words = {const_cast<char*>("sh"), const_cast<char*>("-c"),
                                      const_cast<char*>(script.c_str()), nullptr};
  pid_t child = -1;
  expect(posix_spawn(&child, "/bin/sh", nullptr, nullptr, words.data(), environ) == 0, "posix_spawn");
  int status = 0;
  expect(waitpid(child, &status, 0) == child, "somebody else collected the application's child");
  expect(WIFEXITED(status) && WEXITSTATUS(status) == code, "another status of the application's child");
}

}  // namespace

void runs_children_in_turn(const Order& order) {
  constexpr int kRounds = 6;
  Polyglot all;
  all.start(order);
  for (int round = 0; round < kRounds; ++round) {
    for (const std::string& language : order) {
      run_child(all, language, round);
      run_own_child(round);
    }
  }
}

void runs_children_at_once(const Order& order) {
  constexpr int kThreads = 3;
  constexpr int kRounds = 8;
  Polyglot all;
  all.start(order);
  std::mutex mutex;  // guards failure
  std::string failure;
  const auto guarded = [&](const auto& work) {
    try {
      for (int round = 0; round < kRounds; ++round) work(round);
    } catch (const std::exception& error) {
      const std::lock_guard lock(mutex);
      if (failure.empty()) failure = error.what();
    }
  };
  std::vector<std::thread> threads;
  for (const std::string& language : order) {
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back(
          [&, language, t] { guarded([&](int round) { run_child(all, language, t * 100 + round); }); });
    }
  }
  threads.emplace_back([&] { guarded([](int round) { run_own_child(round); }); });
  for (std::thread& thread : threads) thread.join();
  expect(failure.empty(), failure);
}

// SIGPIPE has its default action here, which would end the process.
void survives_closed_pipes(const Order& order) {
  Polyglot all;
  all.start(order);
  for (int round = 0; round < 2; ++round) {
    for (const std::string& language : order) {
      const json answer = all.call(language, "closed_pipe");
      expect(answer == "EPIPE", language + " got " + answer.dump());
    }
  }
}

}  // namespace lambed::together
