// The functions of the soak, and the thread that changes them while they are called.
//
// In each language: `<language>-steady`, whose code and variables change; `<language>-passing`, which is deleted and made
// again; `<language>-broken`, whose every second code does not parse; `<language>-slow` with a limit of one second. Variables
// and code carry numbers that only grow, and every good answer tells both, so that an answer of the wrong version shows.
#pragma once

#include <lambed/gateway.h>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "soak/deeds.h"

namespace lambed::soak {

// A number that grows: first `begun`, then the change is made, then `done`.
class Generation {
 public:
  long done() const { return done_.load(); }
  long begun() const { return begun_.load(); }
  long begin() { return begun_.fetch_add(1) + 1; }
  void finish() { done_.store(begun_.load()); }

 private:
  std::atomic<long> begun_{0};
  std::atomic<long> done_{0};
};

enum class Kind { kSteady, kPassing, kBroken, kSlow };

// Readable from any thread; changed by Functions alone.
struct Function {
  std::string name;
  const Language* language = nullptr;
  Kind kind = Kind::kSteady;
  Generation tag;
  Generation code;
  Generation absence;  // begun: it is about to be deleted; done: it is there again
};

// What was true of a function before a call.
struct Before {
  long tag = 0;
  long code = 0;
  long absence = 0;
};

// Any thread may read; start and stop by one thread.
class Functions {
 public:
  explicit Functions(Gateway& gateway);
  ~Functions() { stop_changing(); }
  Functions(const Functions&) = delete;
  Functions& operator=(const Functions&) = delete;

  void start_changing();
  void stop_changing();
  void delete_all();

  Function& get(std::size_t language, Kind kind) const;
  static Before before(const Function& function);
  // Empty when the answer of a good deed, or of a broken version, is right for a call that began at `before`.
  static std::string fault_of_answer(const Function& function, const Before& before,
                                     const InvokeResult& result, const std::string& id);
  static bool may_be_absent(const Function& function, const Before& before);

  long changes() const { return changes_.load(); }
  // What kept a change from being made; empty as it should be.
  std::string problem() const { return problem_; }

 private:
  void create(Function& function);
  void change(Function& function);
  std::string source(const Function& function, long code) const;
  void run();

  Gateway& gateway_;
  std::vector<std::unique_ptr<Function>> functions_;
  std::vector<std::string> sources_;  // by language
  std::atomic<bool> stopping_{false};
  std::atomic<long> changes_{0};
  std::string problem_;  // written by the changing thread, read after it has ended
  std::thread thread_;
};

}  // namespace lambed::soak
