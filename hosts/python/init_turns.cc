#include "init_turns.h"

#include <chrono>

namespace lambed::python {

namespace {

constexpr int kAtOnce = 3;
// Ten times what an ordinary init takes.
constexpr std::chrono::milliseconds kLongestWait{500};

}  // namespace

InitTurn::Turns& InitTurn::turns() {
  static Turns* const instance = new Turns;  // threads may wait here when the process ends
  return *instance;
}

InitTurn::InitTurn() {
  Turns& all = turns();
  std::unique_lock lock(all.mutex);
  all.changed.wait_for(lock, kLongestWait, [&all] { return all.under_way < kAtOnce; });
  ++all.under_way;
}

InitTurn::~InitTurn() {
  Turns& all = turns();
  {
    std::lock_guard lock(all.mutex);
    --all.under_way;
  }
  all.changed.notify_one();
}

}  // namespace lambed::python
