#include "environments/signal_broker.h"

#include <uv.h>

#include <array>
#include <atomic>
#include <cerrno>

namespace lambed::environments {
namespace {

// The application's, libuv's and one a language: room for more than there will be.
constexpr std::size_t kMostHandlers = 16;

// sigaction's two forms of handler in one; the length is published after the entry.
struct Chain {
  std::array<std::atomic<void (*)(int, siginfo_t*, void*)>, kMostHandlers> with_info{};
  std::array<std::atomic<void (*)(int)>, kMostHandlers> plain{};
  std::atomic<std::size_t> length{0};
};

Chain g_chain;  // of SIGCHLD, the only signal that is shared

void call_all(int signal, siginfo_t* info, void* context) {
  const int saved = errno;
  const std::size_t length = g_chain.length.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < length; ++i) {
    if (auto* handler = g_chain.with_info[i].load(std::memory_order_relaxed)) handler(signal, info, context);
    if (auto* handler = g_chain.plain[i].load(std::memory_order_relaxed)) handler(signal);
  }
  errno = saved;
}

bool is_broker(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == &call_all;
}

void add(const struct sigaction& action) {
  if (is_broker(action)) return;
  const bool with_info = (action.sa_flags & SA_SIGINFO) != 0;
  if (!with_info && (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN)) return;
  const std::size_t length = g_chain.length.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < length; ++i) {
    if (with_info ? g_chain.with_info[i].load(std::memory_order_relaxed) == action.sa_sigaction
                  : g_chain.plain[i].load(std::memory_order_relaxed) == action.sa_handler) {
      return;
    }
  }
  if (length == kMostHandlers) return;
  if (with_info) {
    g_chain.with_info[length].store(action.sa_sigaction, std::memory_order_relaxed);
  } else {
    g_chain.plain[length].store(action.sa_handler, std::memory_order_relaxed);
  }
  g_chain.length.store(length + 1, std::memory_order_release);
}

// libuv installs its handler with the first watcher of a signal in the process and takes it away with the last. This one is
// the first and stays for good, so libuv never installs anything over the broker. Nobody runs its loop: libuv writes to its
// pipe until that is full and goes on.
void hold_uv_watcher(int signal) {
  static uv_loop_t* loop = nullptr;
  if (loop != nullptr) return;
  loop = new uv_loop_t;
  auto* watcher = new uv_signal_t;
  if (uv_loop_init(loop) != 0 || uv_signal_init(loop, watcher) != 0) return;
  uv_signal_start(
      watcher, [](uv_signal_t*, int) {}, signal);
}

}  // namespace

void adopt_signal(int signal, const struct sigaction& before) {
  struct sigaction now {};
  add(before);
  if (sigaction(signal, nullptr, &now) != 0) return;
  add(now);
  hold_uv_watcher(signal);
  if (sigaction(signal, nullptr, &now) != 0 || is_broker(now)) return;
  add(now);  // libuv's

  struct sigaction broker {};
  broker.sa_sigaction = &call_all;
  broker.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigfillset(&broker.sa_mask);
  sigaction(signal, &broker, nullptr);
}

}  // namespace lambed::environments
