#include "invocation/opener.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace lambed::invocation {

namespace {

// Several times what an ordinary init takes.
constexpr std::chrono::milliseconds kLongestTurn{250};

}  // namespace

Opener::Opener() : state_(std::make_shared<State>()) {}

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
    std::erase_if(line.under_way, [now](const auto& turn) { return turn.second <= now; });
    if (line.under_way.size() >= line.at_once && !state->stopping) continue;
    Begin begin = std::move(line.waiting.front());
    line.waiting.pop_front();
    const std::uint64_t id = state->next_turn++;
    line.under_way.emplace(id, now + kLongestTurn);
    return
        [begin = std::move(begin), turn = make_turn(state, kind, id)]() mutable { begin(std::move(turn)); };
  }
  return {};
}

Opener::Clock::time_point Opener::State::next_expiry() const {
  Clock::time_point next = Clock::time_point::max();
  for (const auto& [kind, line] : lines) {
    if (!line.waiting.empty() && !line.under_way.empty())
      next = std::min(next, line.under_way.begin()->second);
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
    const Clock::time_point until = state->next_expiry();
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
