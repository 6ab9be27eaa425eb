#include "mailbox.h"

#include <algorithm>
#include <utility>

#include "convert.h"

namespace lambed::node_binding {
namespace {

// So many numbers describe a completion: slot, status, flags, three durations in milliseconds, two sizes in MB.
constexpr std::size_t kNumbers = 8;
// So many values: payload, request id, version, and an object with what is rare.
constexpr std::size_t kValues = 4;
// Below this a copy costs less than a buffer with an owner of its own.
constexpr std::size_t kSmallPayload = 16 * 1024;
// Log records that wait for a JavaScript thread which does not come are dropped beyond this, and counted.
constexpr std::size_t kMostLogBytes = std::size_t{16} << 20;

enum Flags : unsigned { kHasExtras = 1, kIsBytes = 2, kIsError = 4 };

double milliseconds(std::chrono::nanoseconds time) { return static_cast<double>(time.count()) / 1e6; }

void check(Napi::Env env, napi_status status) {
  if (status != napi_ok) throw Napi::Error::New(env);
}

}  // namespace

std::shared_ptr<Mailbox> Mailbox::open(Napi::Env env, Napi::Function deliver, Napi::Function log,
                                       Napi::Function ended, Napi::Float64Array numbers) {
  std::shared_ptr<Mailbox> mailbox(new Mailbox);
  mailbox->deliver_ = Napi::Persistent(deliver);
  mailbox->log_ = Napi::Persistent(log);
  mailbox->ended_ = Napi::Persistent(ended);
  mailbox->numbers_ = Napi::Persistent(numbers);
  check(env, napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, "lambed"), 0, 1,
                                             nullptr, nullptr, mailbox.get(), on_wake, &mailbox->wake_));
  check(env, napi_unref_threadsafe_function(env, mailbox->wake_));
  return mailbox;
}

bool Mailbox::must_wake() { return wake_ != nullptr && !std::exchange(is_awaited_, true); }

void Mailbox::put(Completion&& completion) {
  std::lock_guard lock(mutex_);
  if (wake_ == nullptr) return;
  completions_.push_back(std::move(completion));
  // Under the lock, so that close cannot come between: the function is gone after it.
  if (must_wake()) napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking);
}

void Mailbox::put(DeliveredLog&& log) {
  std::lock_guard lock(mutex_);
  if (wake_ == nullptr) return;
  if (log_bytes_ + log.record.text.size() > kMostLogBytes) {
    ++dropped_logs_;
    return;
  }
  log_bytes_ += log.record.text.size();
  logs_.push_back(std::move(log));
  if (must_wake()) napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking);
}

void Mailbox::put(DeliveredOutcome&& outcome) {
  std::lock_guard lock(mutex_);
  if (wake_ == nullptr) return;
  outcomes_.push_back(std::move(outcome));
  if (must_wake()) napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking);
}

void Mailbox::hold(Napi::Env env) {
  if (wake_ != nullptr) check(env, napi_ref_threadsafe_function(env, wake_));
}

void Mailbox::release(Napi::Env env) {
  if (wake_ != nullptr) check(env, napi_unref_threadsafe_function(env, wake_));
}

void Mailbox::close() {
  napi_threadsafe_function wake = nullptr;
  {
    std::lock_guard lock(mutex_);
    wake = std::exchange(wake_, nullptr);
    completions_.clear();
    logs_.clear();
    outcomes_.clear();
  }
  if (wake != nullptr) napi_release_threadsafe_function(wake, napi_tsfn_abort);
  deliver_.Reset();
  log_.Reset();
  ended_.Reset();
  numbers_.Reset();
}

void Mailbox::on_wake(napi_env env, napi_value, void* context, void*) {
  // Without an environment: it is being torn down.
  if (env == nullptr) return;
  try {
    static_cast<Mailbox*>(context)->empty(env);
  } catch (const Napi::Error& error) {
    error.ThrowAsJavaScriptException();  // nothing of lib/completions.cjs throws; out of memory
  }
}

void Mailbox::empty(Napi::Env env) {
  std::vector<Completion> completions;
  std::vector<DeliveredLog> logs;
  std::vector<DeliveredOutcome> outcomes;
  std::uint64_t dropped = 0;
  {
    std::lock_guard lock(mutex_);
    is_awaited_ = false;
    completions.swap(completions_);
    logs.swap(logs_);
    outcomes.swap(outcomes_);
    log_bytes_ = 0;
    dropped = std::exchange(dropped_logs_, 0);
  }
  if (dropped != 0 && !logs.empty()) {
    DeliveredLog notice{logs.back().gateway, {}};
    notice.record.kind = LogKind::kNotice;
    notice.record.time = std::chrono::system_clock::now();
    notice.record.text = std::to_string(dropped) +
                         " log records were dropped, since the JavaScript thread was too busy to take them\n";
    logs.push_back(std::move(notice));
  }
  // Completions last: then a call's log is there when its promise resolves.
  deliver(env, logs);
  deliver(env, outcomes);
  deliver(env, completions);
}

void Mailbox::deliver(Napi::Env env, std::vector<DeliveredOutcome>& outcomes) {
  if (outcomes.empty()) return;
  const Napi::HandleScope scope(env);
  Napi::Array list = Napi::Array::New(env, outcomes.size());
  for (std::uint32_t at = 0; at < outcomes.size(); ++at) {
    Napi::Object outcome = to_js(env, outcomes[at].outcome).As<Napi::Object>();
    outcome.Set("gateway", Napi::Number::New(env, outcomes[at].gateway));
    list.Set(at, outcome);
  }
  ended_.Call({list});
}

void Mailbox::deliver(Napi::Env env, std::vector<DeliveredLog>& logs) {
  if (logs.empty()) return;
  const Napi::HandleScope scope(env);
  Napi::Array records = Napi::Array::New(env, logs.size());
  for (std::uint32_t at = 0; at < logs.size(); ++at) {
    Napi::Object record = to_js(env, logs[at].record);
    record.Set("gateway", Napi::Number::New(env, logs[at].gateway));
    records.Set(at, record);
  }
  log_.Call({records});
}

Napi::Value Mailbox::payload_of(Napi::Env env, Completion& completion) {
  std::string& payload = completion.result.payload;
  if (!completion.is_raw && !completion.result.binary) return Napi::String::New(env, payload);
  if (payload.size() <= kSmallPayload) return Napi::Buffer<char>::Copy(env, payload.data(), payload.size());
  auto* owner = new std::string(std::move(payload));
  return Napi::Buffer<char>::NewOrCopy(
      env, owner->data(), owner->size(), [](Napi::Env, char*, std::string* text) { delete text; }, owner);
}

void Mailbox::deliver(Napi::Env env, std::vector<Completion>& completions) {
  for (std::size_t begin = 0; begin < completions.size();) {
    const Napi::HandleScope scope(env);
    Napi::Float64Array numbers = numbers_.Value();
    const std::size_t room = numbers.ElementLength() / kNumbers;
    const std::size_t count = std::min(completions.size() - begin, room);
    Napi::Array values = Napi::Array::New(env, count * kValues);
    for (std::size_t i = 0; i < count; ++i) {
      Completion& completion = completions[begin + i];
      InvokeResult& result = completion.result;
      unsigned flags = completion.is_raw || result.binary ? unsigned{kIsBytes} : 0;
      const auto at = static_cast<std::uint32_t>(i * kValues);
      values.Set(at + 1, Napi::String::New(env, result.request_id));
      if (result.error) {
        flags |= kIsError;
        Napi::Object error = Napi::Object::New(env);
        error.Set("name", text_to_js(env, result.error->name()));
        error.Set("message", Napi::String::New(env, result.error->message()));
        error.Set("reason", Napi::String::New(env, result.error->reason()));
        values.Set(at + 3, error);
      } else {
        values.Set(at, payload_of(env, completion));
        values.Set(at + 2, Napi::String::New(env, result.executed_version));
        if (!result.function_error.empty() || !result.log_tail.empty()) {
          flags |= kHasExtras;
          Napi::Object extras = Napi::Object::New(env);
          if (!result.function_error.empty())
            extras.Set("functionError", Napi::String::New(env, result.function_error));
          if (!result.log_tail.empty()) extras.Set("logTail", Napi::String::New(env, result.log_tail));
          values.Set(at + 3, extras);
        }
      }
      const InvocationReport& report = result.report;
      const std::array<double, kNumbers> described = {static_cast<double>(completion.slot),
                                                      static_cast<double>(result.status_code),
                                                      static_cast<double>(flags),
                                                      milliseconds(report.duration),
                                                      milliseconds(report.billed_duration),
                                                      milliseconds(report.init_duration),
                                                      static_cast<double>(report.memory_size_mb),
                                                      static_cast<double>(report.max_memory_used_mb)};
      std::copy(described.begin(), described.end(), numbers.Data() + i * kNumbers);
    }
    deliver_.Call({values, Napi::Number::New(env, static_cast<double>(count))});
    begin += count;
  }
}

void MailboxLogSink::write(const LogRecord& record) {
  mailbox_->put(DeliveredLog{gateway_,
                             {record.kind, std::string(record.function_name), std::string(record.log_group),
                              std::string(record.log_stream), std::string(record.request_id), record.time,
                              std::string(record.text)}});
}

}  // namespace lambed::node_binding
