// Answers on their way to an asyncio loop: any thread puts one in and touches nothing of Python; the loop is told by an
// eventfd that it watches, and takes all that have come at once. One write for as many answers as come between two turns of
// the loop, and no thread but the loop's own ever asks for the GIL: an interpreter's exit cannot race with it.
#pragma once

#include <lambed/invoke.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace lambed::bindings {

// What the callbacks of invocations share with the loop they answer to. It may outlive both the loop and Completions.
class CompletionQueue {
 public:
  struct Answer {
    std::uint64_t ticket;
    InvokeResult result;
  };

  CompletionQueue();
  ~CompletionQueue();
  CompletionQueue(const CompletionQueue&) = delete;
  CompletionQueue& operator=(const CompletionQueue&) = delete;

  int descriptor() const { return descriptor_; }
  void send(std::uint64_t ticket, InvokeResult result);  // any thread; needs nothing of Python
  std::vector<Answer> take();

 private:
  const int descriptor_;
  std::mutex mutex_;  // guards answers_
  std::vector<Answer> answers_;
};

class Completions {
 public:
  int descriptor() const { return queue_->descriptor(); }
  const std::shared_ptr<CompletionQueue>& queue() const { return queue_; }

  // [(ticket, fields of the result or an exception)], in the order of their coming. `raw_tickets`: a set of those whose
  // payload is wanted as bytes. Needs the GIL.
  pybind11::list take(const pybind11::set& raw_tickets);

 private:
  std::shared_ptr<CompletionQueue> queue_ = std::make_shared<CompletionQueue>();
};

}  // namespace lambed::bindings
