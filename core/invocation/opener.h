// The thread that opens environments: starting an interpreter takes up to a second and must hold up neither the core loop
// nor a caller. One per gateway; it starts with the first task.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

namespace lambed::invocation {

class Opener {
 public:
  // Takes the turn, which ends when the last copy of it goes. Its content is nobody's business.
  using Begin = std::function<void(std::shared_ptr<void> turn)>;

  Opener();
  ~Opener();
  Opener(const Opener&) = delete;
  Opener& operator=(const Opener&) = delete;

  // Runs `task` on the opener's thread, in order. Any thread. False after stop().
  bool post(std::function<void()> task);
  // Runs `begin` on the opener's thread when fewer than `at_once` turns of `kind` are under way, in the order of the calls.
  // Nobody waits for long: a turn that takes its time is not counted any more, since an init may be one that sleeps. Any
  // thread. False after stop().
  bool post_in_turn(const void* kind, std::size_t at_once, Begin begin);
  // Finishes what was posted, with no regard to turns, and ends the thread. Not from the opener's thread.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;  // the real one: waiting in line is no part of what is simulated
  struct Line {
    std::size_t at_once = 1;
    std::deque<Begin> waiting;
    std::map<std::uint64_t, Clock::time_point> under_way;  // when they end at the latest; the oldest first
  };
  // Shared with the turns, which may end later than the opener.
  struct State {
    std::mutex mutex;  // guards what follows
    std::condition_variable changed;
    std::deque<std::function<void()>> tasks;
    std::map<const void*, Line> lines;
    std::uint64_t next_turn = 1;
    bool stopping = false;
    std::thread thread;

    Clock::time_point next_expiry() const;  // of a turn that others wait for
  };

  // With the mutex held. Empty when there is nothing to do at the moment.
  static std::function<void()> take_next(const std::shared_ptr<State>& state);
  static void run(const std::shared_ptr<State>& state);
  static std::shared_ptr<void> make_turn(const std::shared_ptr<State>& state, const void* kind,
                                         std::uint64_t id);

  const std::shared_ptr<State> state_;
};

}  // namespace lambed::invocation
