#include "main_seat.h"

#include <chrono>

namespace lambed::python {

namespace {

constexpr std::chrono::milliseconds kLookForInterruption{20};

}  // namespace

MainSeat& MainSeat::instance() {
  static MainSeat* const seat = new MainSeat;
  return *seat;
}

std::string MainSeat::take(const EnvironmentSettings& settings, const Interruption& interruption,
                           bool& interrupted) {
  std::unique_lock lock(mutex_);
  while (taken_) {
    if (code_id_ != settings.code_id) {
      return "needs Python's main interpreter (an extension module does not support sub-interpreters), which "
             "function " +
             function_name_ + " occupies: use process isolation";
    }
    if (interruption.is_requested()) {
      interrupted = true;
      return {};
    }
    changed_.wait_for(lock, kLookForInterruption);
  }
  taken_ = true;
  code_id_ = settings.code_id;
  function_name_ = settings.function_name;
  return {};
}

void MainSeat::give_back() {
  std::lock_guard lock(mutex_);
  taken_ = false;
  changed_.notify_all();
}

}  // namespace lambed::python
