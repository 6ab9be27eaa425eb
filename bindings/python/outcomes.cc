#include "outcomes.h"

#include <utility>

#include "values.h"

namespace lambed::bindings {

void Outcomes::put(const EventOutcome& outcome) {
  {
    std::lock_guard lock(mutex_);
    if (is_over_) return;
    outcomes_.push_back(outcome);
  }
  comes_.notify_one();
}

void Outcomes::end() {
  {
    std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  comes_.notify_all();
}

py::list Outcomes::take() {
  std::vector<EventOutcome> taken;
  PyThreadState* const state = PyEval_SaveThread();
  {
    std::unique_lock lock(mutex_);
    comes_.wait(lock, [this] { return is_over_ || !outcomes_.empty(); });
    taken.swap(outcomes_);
  }
  PyEval_RestoreThread(state);
  return to_list(taken);
}

}  // namespace lambed::bindings
