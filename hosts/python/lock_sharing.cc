#include "lock_sharing.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <system_error>
#include <thread>

#include "signals.h"

namespace lambed::python {

namespace {

// Shorter than Python's own switch interval of 5 ms, which this host shortens likewise: whoever reads a file or takes the import
// lock lets go of the GIL and needs it again, hundreds of times in an init, and waits a turn each time beside a busy loop.
constexpr std::chrono::microseconds kTurn{500};
constexpr int kQuietTurnsBeforeSleep =
    200;  // so that short calls side by side do not wake this thread each time
// How long an invocation lets inits go first: longer than a busy one keeps the lock, so that they get on, and short enough for
// nobody to notice.
constexpr std::chrono::milliseconds kCourtesy{2};
// And for how long after an init has begun, since it may be one that sleeps.
constexpr std::chrono::seconds kLongestCourtesy{1};
constexpr std::chrono::seconds kLongestSleep{2};  // then the thread ends: whoever needs one makes another

}  // namespace

LockSharing& LockSharing::instance() {
  static LockSharing* const sharing = new LockSharing;
  return *sharing;
}

void LockSharing::enable() { enabled_ = true; }

void LockSharing::join(const std::shared_ptr<LockHolder>& holder) {
  if (!enabled_) return;
  {
    std::lock_guard lock(mutex_);
    holders_.push_back(holder);
  }
  if (running_.load() > 1 && asleep_.load()) wake();
}

void LockSharing::part(const LockHolder* holder) {
  std::lock_guard lock(mutex_);
  const auto is_it = [holder](const std::shared_ptr<LockHolder>& each) { return each.get() == holder; };
  holders_.erase(std::remove_if(holders_.begin(), holders_.end(), is_it), holders_.end());
}

void LockSharing::begin_init() {
  if (!enabled_) return;
  std::lock_guard lock(inits_mutex_);
  inits_.fetch_add(1);
  inits_until_ = std::chrono::steady_clock::now() + kLongestCourtesy;
}

void LockSharing::end_init() {
  if (!enabled_) return;
  {
    std::lock_guard lock(inits_mutex_);
    inits_.fetch_sub(1);
  }
  inits_changed_.notify_all();
}

void LockSharing::wait_for_inits() {
  std::unique_lock lock(inits_mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (now >= inits_until_) return;
  inits_changed_.wait_until(lock, now + kCourtesy, [this] { return inits_.load() == 0; });
}

void LockSharing::wake() {
  std::lock_guard lock(mutex_);
  asleep_.store(false);
  if (has_thread_) {
    changed_.notify_one();
    return;
  }
  try {
    const AllSignalsBlocked blocked;
    std::thread([this] { watch(); }).detach();
    has_thread_ = true;
  } catch (const std::system_error&) {
    asleep_.store(true);  // no room for a thread now: the next one to enter tries again
  }
}

void LockSharing::watch() {
  pthread_setname_np(pthread_self(), "lambed-py-turns");
  std::vector<std::shared_ptr<LockHolder>> holders;
  int quiet = 0;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (quiet >= kQuietTurnsBeforeSleep) {
        holders.clear();  // so that nothing closed is kept meanwhile
        asleep_.store(true);
        // Whoever enters either sees that we sleep, or was counted before we look once more.
        if ((running_.load() < 2 || holders_.empty()) &&
            !changed_.wait_for(lock, kLongestSleep, [this] { return !asleep_.load(); })) {
          has_thread_ = false;  // and asleep_ stays: whoever enters next comes to `wake`
          return;
        }
        asleep_.store(false);
        quiet = 0;
      }
      holders = holders_;
    }
    std::this_thread::sleep_for(kTurn);
    if (running_.load() < 2 || holders.empty()) {  // nobody to ask
      ++quiet;
      continue;
    }
    quiet = 0;
    for (const std::shared_ptr<LockHolder>& holder : holders) holder->give_way();
    holders.clear();
  }
}

}  // namespace lambed::python
