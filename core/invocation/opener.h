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
#include <utility>

namespace lambed::invocation {

class Opener {
 public:
  // Takes the turn, which ends when the last copy of it goes. Its content is nobody's business.
  using Begin = std::function<void(std::shared_ptr<void> turn)>;

  // What this process has used of the processors so far.
  using ProcessorTime = std::function<std::chrono::nanoseconds()>;

  explicit Opener(ProcessorTime processor_time = time_of_this_process());
  ~Opener();
  Opener(const Opener&) = delete;
  Opener& operator=(const Opener&) = delete;

  // Runs `task` on the opener's thread, in order. Any thread. False after stop().
  bool post(std::function<void()> task);
  // Runs `begin` on the opener's thread when fewer than `at_once` turns of `kind` are under way, in the order of the calls.
  // A turn that takes its time is not counted any more, since an init may be one that sleeps; while this process keeps the
  // machine's processors busy, a second turn beside it would only slow both, and it is counted a little longer. Any thread.
  // False after stop().
  bool post_in_turn(const void* kind, std::size_t at_once, Begin begin);
  static ProcessorTime time_of_this_process();
  // Finishes what was posted, with no regard to turns, and ends the thread. Not from the opener's thread.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;  // the real one: waiting in line is no part of what is simulated
  struct Turn {
    Clock::time_point begun;
    Clock::time_point looked;               // when it was last considered whether it still counts
    std::chrono::nanoseconds processors{};  // what this process had used of them by then

    Clock::time_point next_look() const;
  };
  struct Line {
    std::size_t at_once = 1;
    std::deque<Begin> waiting;
    std::map<std::uint64_t, Turn> under_way;  // the oldest first
  };
  // Shared with the turns, which may end later than the opener.
  struct State {
    explicit State(ProcessorTime time) : processor_time(std::move(time)) {}
    const ProcessorTime processor_time;
    std::mutex mutex;  // guards what follows
    std::condition_variable changed;
    std::deque<std::function<void()>> tasks;
    std::map<const void*, Line> lines;
    std::uint64_t next_turn = 1;
    bool stopping = false;
    std::thread thread;

    Clock::time_point next_look() const;  // at a turn that others wait for
    // Whether it is counted no more. Looks at it when the time for that has come.
    bool is_over(Turn& turn, Clock::time_point now) const;
  };

  // With the mutex held. Empty when there is nothing to do at the moment.
  static std::function<void()> take_next(const std::shared_ptr<State>& state);
  static void run(const std::shared_ptr<State>& state);
  static std::shared_ptr<void> make_turn(const std::shared_ptr<State>& state, const void* kind,
                                         std::uint64_t id);

  const std::shared_ptr<State> state_;
};

}  // namespace lambed::invocation
