#include "invocation/opener.h"

#include <pthread.h>

#include <algorithm>
#include <ctime>
#include <iterator>

namespace lambed::invocation {

namespace {

// Several times what an ordinary init takes. Then, and again each time as much later, one looks whether it still counts.
constexpr std::chrono::milliseconds kUsualTurn{250};
// Of inits that may be what keeps the processors busy. Whatever it is, others get on a few a second.
constexpr std::chrono::seconds kLongestTurn{1};
// Share of all processors' time that this process has used: the rest is left to those who would wake up.
constexpr double kBusy = 0.7;

double processors() { return std::max(1u, std::thread::hardware_concurrency()); }

}  // namespace

Opener::Opener(ProcessorTime processor_time) : state_(std::make_shared<State>(std::move(processor_time))) {}

Opener::ProcessorTime Opener::time_of_this_process() {
  return [] {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  };
}

Opener::~Opener() { stop(); }

bool Opener::post(std::function<void()> task) {
  std::lock_guard lock(state_->mutex);
  if (state_->stopping) return false;
  state_->tasks.push_back(std::move(task));
  if (!state_->thread.joinable()) state_->thread = std::thread([state = state_] { run(state); });
  state_->changed.notify_one();
  return true;
}

bool Opener::post_in_turn(const void* kind, std::size_t at_once, Begin begin) {
  std::lock_guard lock(state_->mutex);
  if (state_->stopping) return false;
  Line& line = state_->lines[kind];
  line.at_once = at_once;
  line.waiting.push_back(std::move(begin));
  if (!state_->thread.joinable()) state_->thread = std::thread([state = state_] { run(state); });
  state_->changed.notify_one();
  return true;
}

std::shared_ptr<void> Opener::make_turn(const std::shared_ptr<State>& state, const void* kind,
                                        std::uint64_t id) {
  return {nullptr, [state, kind, id](void*) {
            std::lock_guard lock(state->mutex);
            if (state->lines[kind].under_way.erase(id) > 0) state->changed.notify_one();
          }};
}

std::function<void()> Opener::take_next(const std::shared_ptr<State>& state) {
  if (!state->tasks.empty()) {
    std::function<void()> task = std::move(state->tasks.front());
    state->tasks.pop_front();
    return task;
  }
  const Clock::time_point now = Clock::now();
  for (auto& [kind, line] : state->lines) {
    if (line.waiting.empty()) continue;
    for (auto turn = line.under_way.begin(); turn != line.under_way.end();)
      turn = state->is_over(turn->second, now) ? line.under_way.erase(turn) : std::next(turn);
    if (line.under_way.size() >= line.at_once && !state->stopping) continue;
    Begin begin = std::move(line.waiting.front());
    line.waiting.pop_front();
    const std::uint64_t id = state->next_turn++;
    line.under_way.emplace(id, Turn{now, now, state->processor_time()});
    return
        [begin = std::move(begin), turn = make_turn(state, kind, id)]() mutable { begin(std::move(turn)); };
  }
  return {};
}

Opener::Clock::time_point Opener::Turn::next_look() const { return looked + kUsualTurn; }

bool Opener::State::is_over(Turn& turn, Clock::time_point now) const {
  if (now < turn.next_look()) return false;
  if (now - turn.begun >= kLongestTurn) return true;
  const std::chrono::nanoseconds used = processor_time();
  const double share =
      static_cast<double>((used - turn.processors).count()) /
      (static_cast<double>(std::chrono::nanoseconds(now - turn.looked).count()) * processors());
  if (share < kBusy) return true;
  turn.looked = now;
  turn.processors = used;
  return false;
}

Opener::Clock::time_point Opener::State::next_look() const {
  Clock::time_point next = Clock::time_point::max();
  for (const auto& [kind, line] : lines) {
    if (line.waiting.empty()) continue;
    for (const auto& [id, turn] : line.under_way) next = std::min(next, turn.next_look());
  }
  return next;
}

void Opener::run(const std::shared_ptr<State>& state) {
  pthread_setname_np(pthread_self(), "lambed-opener");
  std::unique_lock lock(state->mutex);
  for (;;) {
    if (std::function<void()> task = take_next(state)) {
      lock.unlock();
      task();
      task = nullptr;  // and what it holds, without the lock
      lock.lock();
      continue;
    }
    if (state->stopping) return;
    const Clock::time_point until = state->next_look();
    if (until == Clock::time_point::max()) {
      state->changed.wait(lock);
    } else {
      state->changed.wait_until(lock, until);
    }
  }
}

void Opener::stop() {
  std::thread thread;
  {
    std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    thread.swap(state_->thread);
    state_->changed.notify_one();
  }
  if (!thread.joinable()) return;
  // The last owner of what a task held may be that task itself.
  if (thread.get_id() == std::this_thread::get_id()) {
    thread.detach();
  } else {
    thread.join();
  }
}

}  // namespace lambed::invocation
