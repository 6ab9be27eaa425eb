#include "environments/sandbox/child_state.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "environments/sandbox/messages.h"

namespace lambed::sandbox {
namespace {

constexpr int kStartPatience = 20'000;  // milliseconds
constexpr int kAnswerPatience = 2'000;

}  // namespace

Child::State::~State() {
  if (pid > 0 && !reaped) {
    end();
    wait();
  }
}

void Child::State::end() {
  killed = true;
  if (cgroup) {
    cgroup->kill();
  } else if (!tmp.empty()) {  // kBare: only init can find them all
    const Command command{Command::Kind::kKill, 0, 0};
    if (send_message(control.get(), &command, sizeof command) == 0) return;
  }
  ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
}

int Child::State::wait() {
  int status = 0;
  while (::waitpid(pid, &status, __WALL) < 0 && errno == EINTR) {
  }
  reaped = true;
  return status;
}

Ending Child::State::await_end() {
  wait();
  while (!ended && receive(0)) {
  }
  Ending ending;
  if (!ended) {
    ending.signal = SIGKILL;
    return ending;
  }
  ending.exit_code = WIFEXITED(ended->status) ? WEXITSTATUS(ended->status) : 0;
  ending.signal = WIFSIGNALED(ended->status) ? WTERMSIG(ended->status) : 0;
  ending.out_of_memory = ended->out_of_memory;
  ending.memory_peak = ended->memory_peak;
  return ending;
}

std::optional<Report> Child::State::receive(int patience) {
  pollfd polled{control.get(), POLLIN, 0};
  if (::poll(&polled, 1, patience) <= 0) return std::nullopt;
  Report report;
  if (receive_message(control.get(), &report, sizeof report) != sizeof report) return std::nullopt;
  if (report.kind == Report::Kind::kEnded) ended = report;
  return report;
}

std::optional<Report> Child::State::ask(Command::Kind kind, double cores) {
  const Command command{kind, 0, cores};
  if (ended || send_message(control.get(), &command, sizeof command) != 0) return std::nullopt;
  return receive(kAnswerPatience);
}

Result<void> Child::State::await_ready(Layer layer) {
  // The control socket's other end lives in init alone once the caller has closed its copy: here it may be open still, so a
  // death is seen by the pidfd.
  pollfd polled[2] = {{control.get(), POLLIN, 0}, {pidfd.get(), POLLIN, 0}};
  int ready = 0;
  do {
    ready = ::poll(polled, 2, kStartPatience);
  } while (ready < 0 && errno == EINTR);
  if (const std::optional<Report> report = receive(0)) {
    if (report->kind == Report::Kind::kReady) {
      has_tunnel = has_tunnel || report->has_tunnel;
      return {};
    }
    if (report->kind == Report::Kind::kFailed) {
      return Error(ErrorCode::ServiceException,
                   fmt::format("Could not set the sandbox ({}) up: {}: {}", name_of(layer),
                               report->trouble.step, std::strerror(report->trouble.error)),
                   report->trouble.error == ECHILD ? kEndedInSetUp : "");
    }
  }
  if (ready == 0) return Error(ErrorCode::ServiceException, "The sandbox was not set up within 20 seconds");
  return Error(
      ErrorCode::ServiceException,
      "The sandbox's first process ended while it was set up; is there memory enough for it in the limit?",
      kEndedInSetUp);
}

Child::Child(std::unique_ptr<State> state) : state_(std::move(state)) {}
Child::Child(Child&&) noexcept = default;
Child& Child::operator=(Child&&) noexcept = default;
Child::~Child() = default;
pid_t Child::pid() const { return state_->pid; }
int Child::pidfd() const { return state_->pidfd.get(); }

}  // namespace lambed::sandbox
