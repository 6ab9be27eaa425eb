#include "completions.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "python_objects.h"

namespace lambed::bindings {

CompletionQueue::CompletionQueue() : descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

CompletionQueue::~CompletionQueue() { close(descriptor_); }

void CompletionQueue::send(std::uint64_t ticket, InvokeResult result) {
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    first = answers_.empty();
    answers_.push_back({ticket, std::move(result)});
  }
  if (!first) return;  // the loop has been told and has not come yet
  const std::uint64_t one = 1;
  // Cannot fail: the counter takes 2^64 - 2, and is read before it is written again.
  static_cast<void>(!write(descriptor_, &one, sizeof one));
}

std::vector<CompletionQueue::Answer> CompletionQueue::take() {
  // Read first: an answer that comes after the swap writes again.
  std::uint64_t count = 0;
  static_cast<void>(!read(descriptor_, &count, sizeof count));
  std::lock_guard lock(mutex_);
  return std::exchange(answers_, {});
}

py::list Completions::take(const py::set& raw_tickets) {
  const std::vector<CompletionQueue::Answer> answers = queue_->take();
  py::list list(answers.size());
  Py_ssize_t at = 0;
  for (const CompletionQueue::Answer& answer : answers) {
    const py::int_ ticket(answer.ticket);
    py::object what;
    if (answer.result.error) {
      what = error_object(*answer.result.error);
    } else {
      what = result_fields(answer.result, raw_tickets.contains(ticket));
    }
    PyList_SET_ITEM(list.ptr(), at++, py::make_tuple(ticket, what).release().ptr());
  }
  return list;
}

}  // namespace lambed::bindings
