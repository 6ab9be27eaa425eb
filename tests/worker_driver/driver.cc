// A launcher of worker processes for tests of the hosts, without a sandbox: loads one plugin in LAMBED_CONTEXT_WORKER, forks on
// request, and has only one thread. A worker serves one environment and plays the core over its socket.
//
// driver PLUGIN [OPTION VALUE]...   with a seqpacket socket as descriptor 3
#include <dlfcn.h>
#include <lambed/host.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <condition_variable>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <mutex>

#include "support/worker_messages.h"

namespace lambed::testing {
namespace {

using nlohmann::json;

lambed_slice slice(const std::string& text) { return {text.data(), text.size()}; }
std::string text_of(lambed_slice bytes) {
  return bytes.size == 0 ? std::string() : std::string(bytes.data, bytes.size);
}

std::int64_t clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// The core of one worker. `take` and `wait` are the environment's thread's; the rest is any thread's.
struct Worker {
  int socket = -1;
  FrameReader reader;
  json invocation;
  std::string texts[8];
  bool closes = false;
  std::mutex mutex;  // guards sending and `closed`
  std::condition_variable changed;
  bool closed = false;
};
Worker* worker = nullptr;

void tell(const json& message) {
  const std::lock_guard lock(worker->mutex);
  send_frame(worker->socket, message);
}

json outcome_of(const lambed_outcome& outcome) {
  return {{"kind", outcome.kind},
          {"flags", outcome.flags},
          {"exit_code", outcome.exit_code},
          {"term_signal", outcome.term_signal},
          {"payload", text_of(outcome.payload)},
          {"error_type", text_of(outcome.error_type)}};
}

void opened(void*, const lambed_outcome* outcome) { tell({{"opened", outcome_of(*outcome)}}); }

void lend(lambed_invocation& invocation) {
  static constexpr const char* kMembers[] = {"event",          "request_id",       "arn",      "version",
                                             "client_context", "cognito_identity", "trace_id", "tenant_id"};
  lambed_slice* const places[] = {&invocation.event,
                                  &invocation.request_id,
                                  &invocation.invoked_function_arn,
                                  &invocation.function_version,
                                  &invocation.client_context,
                                  &invocation.cognito_identity,
                                  &invocation.trace_id,
                                  &invocation.tenant_id};
  for (std::size_t i = 0; i < std::size(kMembers); ++i) {
    worker->texts[i] = worker->invocation.at(kMembers[i]).get<std::string>();
    *places[i] = slice(worker->texts[i]);
  }
  const std::int64_t timeout = worker->invocation.at("timeout_ms").get<std::int64_t>();
  invocation.token = worker->invocation.at("token").get<std::uint64_t>();
  invocation.deadline = clock_ns(CLOCK_MONOTONIC) + timeout * 1'000'000;
  invocation.deadline_epoch_ms = clock_ns(CLOCK_REALTIME) / 1'000'000 + timeout;
}

lambed_take take(void*, lambed_invocation* invocation) {
  if (worker->closes) return LAMBED_TAKE_CLOSE;
  std::optional<json> message = worker->reader.next();
  if (!message) return LAMBED_TAKE_NOTHING;
  if (message->contains("close")) {
    worker->closes = true;
    return LAMBED_TAKE_CLOSE;
  }
  worker->invocation = std::move(message->at("invoke"));
  lend(*invocation);
  return LAMBED_TAKE_INVOCATION;
}

void wait(void*) {
  pollfd ready = {worker->socket, POLLIN, 0};
  if (poll(&ready, 1, -1) < 0) return;  // a signal: the interpreter looks what to do about it
  if (!worker->reader.read_some(worker->socket)) _exit(99);  // the test has gone
}

void nudge(void*) {}

void complete(void*, std::uint64_t token, const lambed_outcome* outcome) {
  tell({{"complete", outcome_of(*outcome)}, {"token", token}});
}

void log(void*, lambed_stream stream, lambed_slice bytes, std::int64_t) {
  tell({{"log", text_of(bytes)}, {"stream", static_cast<int>(stream)}});
}

void closed(void*) {
  const std::lock_guard lock(worker->mutex);
  worker->closed = true;
  worker->changed.notify_all();
}

void notice(void*, lambed_slice message) {
  if (worker != nullptr) tell({{"notice", text_of(message)}});
}

std::int64_t monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }

const lambed_core kCore = {
    sizeof(lambed_core), LAMBED_HOST_ABI, opened, take, wait, nudge, complete, log, nullptr, closed, notice,
    monotonic_ns,
};

int count_threads() {
  int count = 0;
  for ([[maybe_unused]] const auto& task : std::filesystem::directory_iterator("/proc/self/task")) ++count;
  return count;
}

class Driver {
 public:
  Driver(int count, char** arguments) : plugin_(arguments[1]) {
    for (int i = 2; i + 1 < count; i += 2) {
      options_.push_back(
          {{arguments[i], std::strlen(arguments[i])}, {arguments[i + 1], std::strlen(arguments[i + 1])}});
    }
  }

  std::string load() {
    void* const library = dlopen(plugin_.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return dlerror();
    auto* const entry = reinterpret_cast<lambed_host_entry_function>(dlsym(library, LAMBED_HOST_ENTRY));
    api_ = entry == nullptr ? nullptr : entry(LAMBED_HOST_ABI);
    if (api_ == nullptr) return plugin_ + " is no host";
    can_fork_ = api_->size >= offsetof(lambed_host_api, after_fork) + sizeof api_->after_fork &&
                api_->before_fork != nullptr;
    return can_fork_ ? start() : "";
  }

  int serve() {
    DriverState state;
    const std::string problem = load();
    std::snprintf(state.problem, sizeof state.problem, "%s", problem.c_str());
    state.threads = count_threads();
    if (send(kControlDescriptor, &state, sizeof state, MSG_NOSIGNAL) < 0 || !problem.empty()) return 1;
    DriverRequest request;
    int descriptors[2] = {-1, -1};
    while (receive_request(kControlDescriptor, request, descriptors, 2)) {
      DriverReply reply;
      reply.threads = count_threads();
      if (request.kind == DriverRequest::kWait) {
        while (waitpid(request.pid, &reply.status, 0) < 0 && errno == EINTR) {
        }
      } else {
        reply.pid = fork_worker(descriptors[0], descriptors[1]);
        ::close(descriptors[0]);
        ::close(descriptors[1]);
      }
      if (send(kControlDescriptor, &reply, sizeof reply, MSG_NOSIGNAL) < 0) break;
    }
    return 0;
  }

 private:
  std::string start() {
    lambed_host_options options{};
    options.size = sizeof options;
    options.context = LAMBED_CONTEXT_WORKER;
    options.plugin_path = slice(plugin_);
    options.options = options_.data();
    options.option_count = options_.size();
    char message[256] = "";
    return api_->start(&kCore, &options, message, sizeof message) == 0 ? "" : message;
  }

  int fork_worker(int socket, int output) {
    if (can_fork_ && api_->before_fork() != 0) return 0;
    const int pid = fork();
    if (can_fork_) api_->after_fork(pid == 0 ? 1 : 0);
    if (pid == 0) {
      ::close(kControlDescriptor);
      dup2(output, STDOUT_FILENO);
      dup2(output, STDERR_FILENO);
      ::close(output);
      run_worker(socket);
    }
    return pid;
  }

  [[noreturn]] void run_worker(int socket) {
    static Worker the_worker;
    worker = &the_worker;
    worker->socket = socket;
    std::optional<json> spec;
    while (!(spec = worker->reader.next())) {
      if (!worker->reader.read_some(socket)) _exit(99);
    }
    if (const std::string problem = can_fork_ ? "" : start(); !problem.empty()) {
      std::fprintf(stderr, "%s\n", problem.c_str());
      _exit(98);
    }
    open(*spec);
    std::unique_lock lock(worker->mutex);
    worker->changed.wait(lock, [] { return worker->closed; });
    _exit(0);
  }

  void open(const json& spec) {
    const auto text = [&spec](const char* name) {
      return slice(*spec.at(name).get_ptr<const std::string*>());
    };
    std::vector<lambed_slice> layers;
    for (const json& layer : spec.at("layers")) layers.push_back(slice(*layer.get_ptr<const std::string*>()));
    std::vector<lambed_variable> variables;
    for (const auto& [name, value] : spec.at("variables").items()) {
      variables.push_back(
          {slice(*value[0].get_ptr<const std::string*>()), slice(*value[1].get_ptr<const std::string*>())});
    }
    lambed_environment_options options{};
    options.size = sizeof options;
    options.user = worker;
    options.function_name = text("function_name");
    options.function_version = text("function_version");
    options.function_id = text("function_id");
    options.code_id = text("code_id");
    options.runtime = text("runtime");
    options.handler = text("handler");
    options.task_root = text("task_root");
    options.layers = layers.data();
    options.layer_count = layers.size();
    options.variables = variables.data();
    options.variable_count = variables.size();
    options.memory_limit = spec.at("memory_limit").get<std::uint64_t>();
    options.log_group = text("log_group");
    options.log_stream = text("log_stream");
    options.json_logs = spec.at("json_logs").get<bool>() ? 1 : 0;
    char message[256] = "";
    lambed_environment* environment = nullptr;
    if (api_->open(&options, &environment, message, sizeof message) != 0) {
      std::fprintf(stderr, "%s\n", message);
      _exit(97);
    }
  }

  const std::string plugin_;
  std::vector<lambed_option> options_;
  const lambed_host_api* api_ = nullptr;
  bool can_fork_ = false;
};

}  // namespace
}  // namespace lambed::testing

int main(int count, char** arguments) {
  if (count < 2) return 2;
  return lambed::testing::Driver(count, arguments).serve();
}
