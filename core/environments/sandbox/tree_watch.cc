#include "environments/sandbox/tree_watch.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>

namespace lambed::sandbox {

bool TreeWatch::look() {
  if (frozen_) return true;
  memory_ = tree_.memory(limits_.memory_bytes);
  peak_ = std::max(peak_, memory_);
  if (memory_ > limits_.memory_bytes) return false;
  if (cores_ > 0) share_cpu();
  return true;
}

void TreeWatch::share_cpu() {
  const auto now = std::chrono::steady_clock::now();
  const std::chrono::milliseconds used = tree_.cpu_used();
  if (looked_ != std::chrono::steady_clock::time_point{}) {
    const double passed = std::chrono::duration<double, std::milli>(now - looked_).count();
    // What is not used is not saved up beyond a moment, else a burst after a pause would be unlimited.
    constexpr double kMostCredit = 100;
    credit_ms_ = std::min(kMostCredit, credit_ms_ + passed * cores_);
    credit_ms_ -= static_cast<double>((used - used_).count());
  }
  looked_ = now;
  used_ = std::max(used, used_);
  const bool hold = credit_ms_ < 0;
  if (hold != held_) {
    held_ = hold;
    stop(hold);
  }
}

void TreeWatch::freeze(bool frozen) {
  if (frozen == frozen_) return;
  frozen_ = frozen;
  if (!held_) stop(frozen);
}

void TreeWatch::stop(bool stopped) { tree_.signal(stopped ? SIGSTOP : SIGCONT); }

}  // namespace lambed::sandbox
