// Work of the control plane on a thread of libuv's pool, with a promise for its result.
#ifndef LAMBED_BINDINGS_NODE_TASK_H
#define LAMBED_BINDINGS_NODE_TASK_H

#include <lambed/errors.h>
#include <napi.h>

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "addon.h"
#include "convert.h"

namespace lambed::node_binding {

template <typename Result>
class Task : public Napi::AsyncWorker {
 public:
  Task(Napi::Env env, std::function<Result()> work)
      : Napi::AsyncWorker(env, "lambed"),
        work_(std::move(work)),
        promise_(Napi::Promise::Deferred::New(env)) {}
  Napi::Promise promise() const { return promise_.Promise(); }

 protected:
  void Execute() override {
    try {
      result_.emplace(work_());
    } catch (const Error& error) {
      error_ = error;
    }
  }
  void OnOK() override {
    const Napi::HandleScope scope(Env());
    // Holds the gateway: let go of here, on the JavaScript thread.
    work_ = nullptr;
    if (error_) return promise_.Reject(Addon::of(Env()).error_to_js(Env(), *error_));
    promise_.Resolve(to_js(Env(), *result_));
  }
  void OnError(const Napi::Error& error) override { promise_.Reject(error.Value()); }

 private:
  std::function<Result()> work_;
  Napi::Promise::Deferred promise_;
  std::optional<Result> result_;
  std::optional<Error> error_;
};

struct Nothing {};
inline Napi::Value to_js(Napi::Env env, const Nothing&) { return env.Undefined(); }

// Runs `work()` on the pool. What it returns becomes the promise's value; lambed::Error its reason.
template <typename Work>
Napi::Value run_on_pool(Napi::Env env, Work work) {
  using Result = std::invoke_result_t<Work>;
  if constexpr (std::is_void_v<Result>) {
    return run_on_pool(env, [work = std::move(work)]() mutable {
      work();
      return Nothing{};
    });
  } else {
    auto* task = new Task<Result>(env, std::move(work));
    const Napi::Promise promise = task->promise();
    task->Queue();
    return promise;
  }
}

}  // namespace lambed::node_binding
#endif
