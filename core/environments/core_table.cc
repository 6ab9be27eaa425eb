#include "environments/core_table.h"

#include <mutex>
#include <utility>

#include "base/clock.h"
#include "environments/environment.h"

namespace lambed::environments {
namespace {

Environment& environment(void* user) { return *static_cast<Environment*>(user); }

struct StartNotices {
  std::mutex mutex;  // guards messages
  std::vector<std::string> messages;
};

StartNotices& start_notices() {
  static auto* notices = new StartNotices();  // never destroyed, like the hosts that write to it
  return *notices;
}

void opened(void* user, const lambed_outcome* outcome) {
  Environment& e = environment(user);
  HostRegistry::instance().stay_first_at_exit();
  e.owner().opened(e, *outcome);
}

lambed_take take(void* user, lambed_invocation* invocation) {
  Environment& e = environment(user);
  return e.owner().take(e, *invocation);
}

void wait(void* user) {
  Environment& e = environment(user);
  static_cast<void>(e.owner().wait(e, kNever));
}
void nudge(void* user) { environment(user).parker().unpark(); }

void complete(void* user, uint64_t token, const lambed_outcome* outcome) {
  Environment& e = environment(user);
  if (!e.has_answered) {
    e.has_answered = true;
    HostRegistry::instance().stay_first_at_exit();
  }
  e.owner().complete(e, token, *outcome);
}

void log(void* user, lambed_stream stream, lambed_slice bytes, int64_t realtime_us) {
  environment(user).write_log(stream, {bytes.data, bytes.size}, realtime_us);
}

void closed(void* user) {
  Environment& e = environment(user);
  e.owner().closed(e);
}

void notice(void* user, lambed_slice message) {
  const std::string_view text(message.data, message.size);
  if (user != nullptr) {
    environment(user).write_notice(text);
    return;
  }
  StartNotices& notices = start_notices();
  std::lock_guard lock(notices.mutex);
  notices.messages.emplace_back(text);
}

int64_t monotonic_ns() { return SystemClock().now(); }

}  // namespace

const lambed_core& core_table() {
  static const lambed_core kTable = {
      sizeof(lambed_core), LAMBED_HOST_ABI, opened, take, wait, nudge, complete, log, nullptr, closed, notice,
      monotonic_ns};
  return kTable;
}

void collect_start_notices(std::vector<std::string>* into) {
  StartNotices& notices = start_notices();
  std::lock_guard lock(notices.mutex);
  std::vector<std::string> messages = std::exchange(notices.messages, {});
  if (into != nullptr) *into = std::move(messages);
}

}  // namespace lambed::environments
