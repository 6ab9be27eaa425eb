#include "runner.h"

#include <iterator>

namespace lambed::node_host {
namespace {

using v8::Isolate;
using v8::Local;
using v8::Promise;
using v8::Value;

constexpr std::string_view kNull = "null";
constexpr int kUnsettledTopLevelAwait = 13;

void ignore(const v8::FunctionCallbackInfo<Value>&) {}

}  // namespace

void Runner::release() {
  arn_.text.Reset();
  version_.text.Reset();
}

template <typename Predicate>
void Runner::spin(IsolateScope& scope, Predicate is_done) {
  uv_loop_t* loop = instance_.loop();
  const v8::SealHandleScope seal(scope.isolate());
  while (!stop_.is_stopping() && !is_done()) {
    if (uv_loop_alive(loop) != 0) {
      uv_run(loop, UV_RUN_DEFAULT);  // returns when it is empty or was told to stop
      continue;
    }
    instance_.drain_platform_tasks();
    if (is_done() || stop_.is_stopping() || uv_loop_alive(loop) != 0) continue;
    const v8::HandleScope handles(scope.isolate());
    if (node::EmitProcessBeforeExit(instance_.environment()).IsNothing()) return;
    if (!is_done() && uv_loop_alive(loop) == 0) return;
  }
}

Local<Value> Runner::cached(Isolate* isolate, lambed_slice text, CachedText& cache) {
  if (cache.text.IsEmpty() || cache.bytes != view(text)) {
    cache.bytes = view(text);
    cache.text.Reset(isolate, to_js_short(isolate, cache.bytes));
  }
  return cache.text.Get(isolate);
}

Local<Value> Runner::optional(Isolate* isolate, lambed_slice text) {
  if (text.size == 0) return v8::Undefined(isolate);
  return to_js_short(isolate, view(text));
}

void Runner::load(IsolateScope& scope) {
  Isolate* isolate = scope.isolate();
  const v8::HandleScope handles(isolate);
  Local<Promise> loading;
  {
    const node::CallbackScope callback_scope(isolate, v8::Object::New(isolate), node::async_context{0, 0});
    const v8::TryCatch failure(isolate);
    Local<Value> returned;
    if (!bridge_.load()->Call(scope.context(), v8::Undefined(isolate), 0, nullptr).ToLocal(&returned)) {
      if (failure.HasCaught() && !failure.HasTerminated()) bridge_.fail(scope, failure.Exception(), true);
      return;
    }
    loading = returned.As<Promise>();
    // Counts as handling a rejection, too.
    if (loading->Then(scope.context(), bridge_.wake(), bridge_.wake()).IsEmpty()) return;
  }
  spin(scope,
       [&] { return loading->State() != Promise::kPending || bridge_.answer.kind != AnswerKind::kNone; });
  if (bridge_.answer.kind != AnswerKind::kNone || stop_.is_stopping()) return;
  if (loading->State() == Promise::kRejected) bridge_.fail(scope, loading->Result(), true);
  // A top-level await that nothing will ever settle: node exits with this status.
  if (loading->State() == Promise::kPending) bridge_.answer.set_exited(kUnsettledTopLevelAwait, 0);
}

void Runner::invoke(IsolateScope& scope, const lambed_invocation& invocation) {
  Isolate* isolate = scope.isolate();
  const v8::HandleScope handles(isolate);
  Answer& answer = bridge_.answer;
  answer.clear();
  result_ = {};
  has_turned_ = false;

  const Local<Value> returned = call_handler(scope, invocation);
  if (!returned.IsEmpty() && returned->IsPromise()) {
    await(scope, returned.As<Promise>());
  } else if (answer.kind == AnswerKind::kNone || answer.waits_for_empty_loop) {
    await_callback(scope);
  }
  if (answer.kind == AnswerKind::kSucceeded && result_.data() == nullptr) result_ = answer.payload;
  // What the function left to do without waiting for it (keep-alive sockets, timers of earlier invocations)
  // goes on while an invocation runs, as on Lambda. An idle loop costs nothing.
  if (!has_turned_ && !stop_.is_stopping() && uv_loop_alive(instance_.loop()) != 0) {
    const v8::SealHandleScope seal(isolate);
    uv_run(instance_.loop(), UV_RUN_NOWAIT);
  }
}

Local<Value> Runner::call_handler(IsolateScope& scope, const lambed_invocation& invocation) {
  Isolate* isolate = scope.isolate();
  const Local<v8::Context> context = scope.context();
  const Local<Value> undefined = v8::Undefined(isolate);
  Local<v8::String> event;
  if (!to_js(isolate, view(invocation.event)).ToLocal(&event)) {
    bridge_.fail(
        scope, v8::Exception::RangeError(to_js_short(isolate, "the event is too large for a string")), false);
    return {};
  }
  Local<Value> returned;
  // A scope of node around the call runs what process.nextTick and promises have put off when it closes. Its resource is new each
  // time: AsyncLocalStorage keeps there what it was told to enter with.
  const node::CallbackScope callback_scope(isolate, v8::Object::New(isolate), node::async_context{0, 0});
  // Inside of that scope: outside of it a throw would be a fatal uncaughtException.
  const v8::TryCatch failure(isolate);
  if (had_trace_ && invocation.trace_id.size == 0) {
    if (bridge_.clear_trace()->Call(context, undefined, 0, nullptr).IsEmpty()) return {};
  }
  had_trace_ = invocation.trace_id.size != 0;
  Local<Value> arguments[] = {event,
                              to_js_short(isolate, view(invocation.request_id)),
                              v8::Number::New(isolate, static_cast<double>(invocation.deadline_epoch_ms)),
                              cached(isolate, invocation.invoked_function_arn, arn_),
                              cached(isolate, invocation.function_version, version_),
                              optional(isolate, invocation.client_context),
                              optional(isolate, invocation.cognito_identity),
                              optional(isolate, invocation.trace_id),
                              optional(isolate, invocation.tenant_id)};
  if (!bridge_.invoke()->Call(context, undefined, std::size(arguments), arguments).ToLocal(&returned)) {
    if (failure.HasCaught() && !failure.HasTerminated()) bridge_.fail(scope, failure.Exception(), false);
    return {};
  }
  if (returned->IsObject() && !returned->IsPromise()) {
    Local<Value> adopted;
    if (!bridge_.adopt()->Call(context, undefined, 1, &returned).ToLocal(&adopted)) {
      if (failure.HasCaught() && !failure.HasTerminated()) bridge_.fail(scope, failure.Exception(), false);
      return {};
    }
    returned = adopted;
  }
  if (returned->IsPromise()) {
    const Local<Promise> promise = returned.As<Promise>();
    if (promise->State() == Promise::kRejected) {
      // Node has noted it as unhandled already; only a real reaction takes that back.
      Local<v8::Function> nothing;
      Local<Promise> handled;
      if (!v8::Function::New(context, ignore).ToLocal(&nothing) ||
          !promise->Catch(context, nothing).ToLocal(&handled)) {
        return {};
      }
    } else {
      promise->MarkAsHandled();
    }
  }
  return returned;
}

void Runner::await(IsolateScope& scope, Local<Promise> promise) {
  Answer& answer = bridge_.answer;
  const auto is_done = [&] {
    return promise->State() != Promise::kPending ||
           (answer.kind != AnswerKind::kNone && !answer.waits_for_empty_loop);
  };
  if (!is_done()) {
    // Without this the loop would sleep until its next event although the answer is there.
    if (promise->Then(scope.context(), bridge_.wake(), bridge_.wake()).IsEmpty()) return;
    has_turned_ = true;
    spin(scope, is_done);
  }
  if (answer.kind != AnswerKind::kNone || stop_.is_stopping()) return;
  if (promise->State() == Promise::kPending) {
    bridge_.fail_ended(scope);
  } else {
    take_settled(scope, promise);
  }
}

void Runner::take_settled(IsolateScope& scope, Local<Promise> promise) {
  Isolate* isolate = scope.isolate();
  const Local<Value> value = promise->Result();
  if (promise->State() == Promise::kRejected) return bridge_.fail(scope, value, false);
  Answer& answer = bridge_.answer;
  if (value->IsUndefined() || value->IsFunction() || value->IsSymbol()) {
    result_ = kNull;
    return answer.set(AnswerKind::kSucceeded, {});
  }
  const v8::TryCatch failure(isolate);
  Local<v8::String> text;
  if (v8::JSON::Stringify(scope.context(), value).ToLocal(&text)) {
    result_ = buffer_.read(isolate, text);
    if (result_ == "undefined")
      result_ = kNull;  // a toJSON that returns nothing; a string would be in quotes
    return answer.set(AnswerKind::kSucceeded, {});
  }
  if (!failure.HasTerminated()) bridge_.fail_unserialisable(scope);
}

void Runner::await_callback(IsolateScope& scope) {
  Answer& answer = bridge_.answer;
  has_turned_ = uv_loop_alive(instance_.loop()) != 0;
  spin(scope, [&] { return answer.kind != AnswerKind::kNone && !answer.waits_for_empty_loop; });
  // Nothing left to do and the callback was never called.
  if (answer.kind == AnswerKind::kNone && !stop_.is_stopping()) answer.set(AnswerKind::kSucceeded, kNull);
}

}  // namespace lambed::node_host
