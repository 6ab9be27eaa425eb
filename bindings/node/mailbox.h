// What other threads have for the JavaScript thread: results of invocations and log records.
#ifndef LAMBED_BINDINGS_NODE_MAILBOX_H
#define LAMBED_BINDINGS_NODE_MAILBOX_H

#include <lambed/gateway.h>
#include <napi.h>

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace lambed::node_binding {

struct Completion {
  std::uint32_t slot;  // of the promise, as lib/completions.cjs numbers them
  bool is_raw;         // the payload is wanted as bytes
  InvokeResult result;
};

struct DeliveredLog {
  std::uint32_t gateway;
  StoredLogRecord record;
};

struct DeliveredOutcome {
  std::uint32_t gateway;
  EventOutcome outcome;
};

// One for each JavaScript environment (the main thread, each worker thread). Any number of letters wakes the JavaScript
// thread once: while it is busy they pile up, and it takes them all at its next turn.
//
// Threads: put from any thread, also after the environment has ended, when letters are dropped; the rest on the JavaScript
// thread.
class Mailbox : public std::enable_shared_from_this<Mailbox> {
 public:
  // `deliver(numbers, values, count)`, `log(records)` and `ended(outcomes)` are the functions of lib/completions.cjs that take the letters.
  static std::shared_ptr<Mailbox> open(Napi::Env env, Napi::Function deliver, Napi::Function log,
                                       Napi::Function ended, Napi::Float64Array numbers);
  ~Mailbox() = default;
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  void put(Completion&& completion);
  void put(DeliveredLog&& log);
  void put(DeliveredOutcome&& outcome);

  // Whether waiting for letters keeps node's event loop alive; at first it does not.
  void hold(Napi::Env env);
  void release(Napi::Env env);
  // Hands over what is there.
  void empty(Napi::Env env);
  // No letter reaches the environment any more.
  void close();

 private:
  Mailbox() = default;
  // With mutex_ held: whether the JavaScript thread must be told.
  bool must_wake();
  static void on_wake(napi_env env, napi_value callback, void* context, void* data);

  void deliver(Napi::Env env, std::vector<Completion>& completions);
  void deliver(Napi::Env env, std::vector<DeliveredLog>& logs);
  void deliver(Napi::Env env, std::vector<DeliveredOutcome>& outcomes);
  Napi::Value payload_of(Napi::Env env, Completion& completion);

  std::mutex mutex_;  // guards the next seven
  std::vector<Completion> completions_;
  std::vector<DeliveredLog> logs_;
  std::vector<DeliveredOutcome> outcomes_;
  std::size_t log_bytes_ = 0;
  std::uint64_t dropped_logs_ = 0;
  bool is_awaited_ = false;  // the JavaScript thread has been told and has not come yet
  napi_threadsafe_function wake_ = nullptr;

  // The JavaScript thread's.
  Napi::FunctionReference deliver_;
  Napi::FunctionReference log_;
  Napi::FunctionReference ended_;
  Napi::Reference<Napi::Float64Array> numbers_;
};

// Hands the records of one gateway to the mailbox.
class MailboxLogSink : public LogSink {
 public:
  MailboxLogSink(std::shared_ptr<Mailbox> mailbox, std::uint32_t gateway)
      : mailbox_(std::move(mailbox)), gateway_(gateway) {}
  void write(const LogRecord& record) override;

 private:
  const std::shared_ptr<Mailbox> mailbox_;
  const std::uint32_t gateway_;
};

}  // namespace lambed::node_binding
#endif
