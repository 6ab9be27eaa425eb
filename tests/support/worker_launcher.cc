#include "support/worker_launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace lambed::testing {

using nlohmann::json;

namespace {

constexpr std::chrono::milliseconds kQuiet{50};

std::chrono::steady_clock::time_point patience() { return std::chrono::steady_clock::now() + kPatience; }

json json_of_spec(const EnvironmentSpec& spec) {
  return {{"function_name", spec.function_name},
          {"function_version", spec.function_version},
          {"function_id", spec.function_id},
          {"code_id", spec.code_id.empty() ? spec.task_root : spec.code_id},
          {"runtime", spec.runtime},
          {"handler", spec.handler},
          {"task_root", spec.task_root},
          {"layers", spec.layers},
          {"variables", spec.variables},
          {"memory_limit", spec.memory_limit},
          {"log_group", spec.log_group},
          {"log_stream", spec.log_stream},
          {"json_logs", spec.json_logs}};
}

Outcome outcome_of(const json& message) {
  Outcome outcome;
  outcome.kind = static_cast<lambed_outcome_kind>(message.at("kind").get<int>());
  outcome.flags = message.at("flags").get<std::uint32_t>();
  outcome.exit_code = message.at("exit_code").get<int>();
  outcome.term_signal = message.at("term_signal").get<int>();
  outcome.payload = message.at("payload").get<std::string>();
  outcome.error_type = message.at("error_type").get<std::string>();
  return outcome;
}

}  // namespace

WorkerLauncher::WorkerLauncher(const std::string& plugin_path, const Pairs& options, const Pairs& variables) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    throw std::runtime_error("no socket pair");
  std::vector<std::string> texts = {LAMBED_TEST_WORKER_DRIVER, plugin_path};
  for (const auto& [name, value] : options) texts.insert(texts.end(), {name, value});
  std::vector<char*> arguments;
  for (std::string& text : texts) arguments.push_back(text.data());
  arguments.push_back(nullptr);
  std::vector<std::string> pairs;
  for (const auto& [name, value] : variables) pairs.push_back(name + "=" + value);
  // Interpreters of workers are never finalised, and the status of a process that found its leaks is another.
  if (const char* const value = std::getenv("ASAN_OPTIONS"))
    pairs.push_back("ASAN_OPTIONS=" + std::string(value) + ":detect_leaks=0");
  std::vector<char*> environment;
  for (std::string& pair : pairs) environment.push_back(pair.data());
  environment.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], kControlDescriptor);
  const int failed =
      posix_spawn(&pid_, LAMBED_TEST_WORKER_DRIVER, &actions, nullptr, arguments.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  control_ = ends[0];
  if (failed != 0) throw std::runtime_error("the worker driver cannot be run");
  DriverState state;
  if (recv(control_, &state, sizeof state, 0) != static_cast<ssize_t>(sizeof state))
    throw std::runtime_error("the worker driver ended before it had started the plugin");
  if (state.problem[0] != '\0') throw std::runtime_error(state.problem);
  threads_ = state.threads;
}

WorkerLauncher::~WorkerLauncher() {
  ::close(control_);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
}

std::unique_ptr<Worker> WorkerLauncher::open(const EnvironmentSpec& spec) {
  std::unique_ptr<Worker> worker = launch(spec);
  const std::optional<Outcome> opened = worker->wait_opened();
  if (!opened) throw std::runtime_error("the worker ended in its init; it wrote: " + worker->output());
  if (!opened->succeeded()) throw std::runtime_error("init failed: " + opened->payload);
  return worker;
}

DriverReply WorkerLauncher::ask(const DriverRequest& request, const int* descriptors, int count) const {
  DriverReply reply;
  if (!send_request(control_, request, descriptors, count) ||
      recv(control_, &reply, sizeof reply, 0) != static_cast<ssize_t>(sizeof reply)) {
    throw std::runtime_error("the worker driver has ended");
  }
  return reply;
}

Worker::Worker(WorkerLauncher& launcher, const EnvironmentSpec& spec) : launcher_(launcher) {
  int sockets[2];
  int pipe_ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0 || pipe2(pipe_ends, O_CLOEXEC) != 0)
    throw std::runtime_error("no descriptors for another worker");
  const int theirs[] = {sockets[1], pipe_ends[1]};
  const DriverReply reply = launcher_.ask({DriverRequest::kFork, 0}, theirs, 2);
  ::close(sockets[1]);
  ::close(pipe_ends[1]);
  socket_ = sockets[0];
  output_end_ = pipe_ends[0];
  pid_ = reply.pid;
  launcher_threads_ = reply.threads;
  if (pid_ <= 0) throw std::runtime_error("the plugin refused to be forked");
  send_frame(socket_, json_of_spec(spec));
}

Worker::~Worker() {
  if (!has_ended_) {
    ::kill(pid_, SIGKILL);
    wait_end();
  }
  ::close(socket_);
  ::close(output_end_);
}

void Worker::note(json message) {
  if (message.contains("opened")) {
    opened_ = outcome_of(message["opened"]);
  } else if (message.contains("complete")) {
    outcomes_[message["token"].get<std::uint64_t>()] = outcome_of(message["complete"]);
  } else if (message.contains("log")) {
    log_.emplace_back(message["stream"].get<int>(), message["log"].get<std::string>());
  }
}

bool Worker::pump(std::chrono::steady_clock::time_point end) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
  if (left.count() <= 0) return false;
  pollfd ready[2] = {{socket_, POLLIN, 0}, {output_end_, POLLIN, 0}};
  if (poll(ready, 2, static_cast<int>(left.count())) <= 0) return false;
  if (ready[1].revents != 0) {
    char buffer[65536];
    const ssize_t count = read(output_end_, buffer, sizeof buffer);
    if (count > 0) output_.append(buffer, static_cast<std::size_t>(count));
    if (count > 0 || ready[0].revents == 0) return count > 0;
  }
  if (ready[0].revents == 0) return true;
  const bool is_open = reader_.read_some(socket_);
  while (std::optional<json> message = reader_.next()) note(std::move(*message));
  return is_open;
}

std::optional<Outcome> Worker::wait_opened() {
  const auto end = patience();
  while (!opened_ && pump(end)) {
  }
  return opened_;
}

std::uint64_t Worker::submit(const InvocationSpec& invocation) {
  const std::uint64_t token = next_token_++;
  send_frame(socket_, {{"invoke",
                        {{"token", token},
                         {"event", invocation.event},
                         {"request_id", invocation.request_id},
                         {"arn", invocation.invoked_function_arn},
                         {"version", invocation.function_version},
                         {"client_context", invocation.client_context},
                         {"cognito_identity", invocation.cognito_identity},
                         {"trace_id", invocation.trace_id},
                         {"tenant_id", invocation.tenant_id},
                         {"timeout_ms", invocation.timeout.count()}}}});
  return token;
}

std::optional<Outcome> Worker::wait_outcome(std::uint64_t token) {
  const auto end = patience();
  while (outcomes_.count(token) == 0 && pump(end)) {
  }
  const auto found = outcomes_.find(token);
  return found == outcomes_.end() ? std::nullopt : std::optional<Outcome>(found->second);
}

std::optional<Outcome> Worker::try_invoke(const std::string& event) {
  InvocationSpec invocation;
  invocation.event = event;
  return wait_outcome(submit(invocation));
}

Outcome Worker::invoke(const std::string& event) {
  std::optional<Outcome> outcome = try_invoke(event);
  if (!outcome) throw std::runtime_error("no answer to " + event.substr(0, 200) + "; it wrote: " + output_);
  return std::move(*outcome);
}

void Worker::close() { send_frame(socket_, {{"close", true}}); }

ProcessEnd Worker::wait_end() {
  has_ended_ = true;
  const int status = launcher_.ask({DriverRequest::kWait, pid_}, nullptr, 0).status;
  while (pump(std::chrono::steady_clock::now() + kQuiet)) {
  }
  if (WIFSIGNALED(status)) return {0, WTERMSIG(status)};
  return {WEXITSTATUS(status), 0};
}

std::string Worker::log(int stream) const {
  std::string joined;
  for (const auto& [from, text] : log_) {
    if (stream == 0 || stream == from) joined += text;
  }
  return joined;
}

bool Worker::wait_output(const std::string& text) {
  const auto end = patience();
  while (output_.find(text) == std::string::npos && pump(end)) {
  }
  return output_.find(text) != std::string::npos;
}

std::uint64_t Worker::private_memory() const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/smaps_rollup");
  std::uint64_t sum = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("Private_", 0) == 0) sum += std::stoull(line.substr(line.find(':') + 1)) * 1024;
  }
  return sum;
}

}  // namespace lambed::testing
