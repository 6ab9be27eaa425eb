// Waiting for an answer of a store. Functions; any thread but the store's own.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

namespace lambed::catalog {

// An answer that comes once, from whatever thread. Shared with the callback, so that a late answer finds its place.
template <class T>
class Awaited {
 public:
  template <class Start>
  static T wait_for(Start start) {
    const auto answer = std::make_shared<Awaited>();
    start([answer](auto&&... values) { answer->set(T{std::forward<decltype(values)>(values)...}); });
    std::unique_lock lock(answer->mutex_);
    answer->arrived_.wait(lock, [&] { return answer->value_.has_value(); });
    return std::move(*answer->value_);
  }

 private:
  void set(T value) {
    {
      std::lock_guard lock(mutex_);
      value_ = std::move(value);
    }
    arrived_.notify_all();
  }

  std::mutex mutex_;  // guards value_
  std::condition_variable arrived_;
  std::optional<T> value_;
};

}  // namespace lambed::catalog
