// What an operator asks: health, metrics, logs; and the code behind Code.Location.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <iterator>

#include "api/handling.h"
#include "api/operations.h"

namespace lambed::api {
namespace {

std::uint64_t resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  unsigned long long size = 0, resident = 0;
  const int read = std::fscanf(file, "%llu %llu", &size, &resident);
  std::fclose(file);
  return read == 2 ? resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

http::Response text(std::string body, const char* type) {
  http::Response response;
  response.with("Content-Type", type);
  response.body = std::move(body);
  return response;
}

constexpr char kPlain[] = "text/plain; charset=utf-8";

}  // namespace

void Api::handle_own(const std::shared_ptr<Handling>& handling, std::string_view path) {
  const http::Request& request = handling->call.request;
  if (constexpr std::string_view letters = "/_lambed/dead-letters";
      path == letters || path.starts_with("/_lambed/dead-letters/")) {
    return handle_dead_letters(handling, std::string(path.substr(letters.size())));
  }
  if (request.method != "GET" && request.method != "HEAD") {
    throw Fault(405, "MethodNotAllowedException", "Only GET and HEAD are answered here.");
  }
  if (path == "/health") {
    const std::string store = options_.storage.store->trouble();
    const std::string queue = options_.storage.events != nullptr ? options_.storage.events->trouble() : "";
    const bool is_up = !draining_.load() && store.empty() && queue.empty();
    nlohmann::json body = {{"status", is_up ? "ok" : draining_.load() ? "draining" : "failing"}};
    if (!store.empty()) body["store"] = store;
    if (!queue.empty()) body["events"] = queue;
    http::Response response = text(body.dump() + "\n", "application/json");
    response.status = is_up ? 200 : 503;
    return answer(handling, std::move(response));
  }
  if (path == "/metrics") {
    return answer(handling, text(metrics_text(), "text/plain; version=0.0.4; charset=utf-8"));
  }
  if (constexpr std::string_view logs = "/_lambed/logs/"; path.starts_with(logs)) {
    const auto function = http::percent_decoded(path.substr(logs.size()));
    if (function && !function->empty()) return follow_logs(handling, *function);
  }
  if (constexpr std::string_view events = "/_lambed/events/"; path.starts_with(events)) {
    const auto id = http::percent_decoded(path.substr(events.size()));
    if (id && !id->empty()) return tell_event(handling, *id);
  }
  if (constexpr std::string_view code = "/_lambed/code/"; path.starts_with(code)) {
    const bool taken = workers_.post([this, handling, where = std::string(path.substr(code.size()))] {
      try {
        answer(handling, download_code(*this, where));
      } catch (const Fault& fault) {
        answer(handling, fault);
      } catch (const Error& error) {
        answer(handling, Fault(error));
      }
    });
    if (taken) return;
  }
  throw Fault(404, "ResourceNotFoundException", "There is nothing here.");
}

void Api::handle_dead_letters(const std::shared_ptr<Handling>& handling, std::string path) {
  handling->scope = &scope(handling->call.caller.account, handling->call.caller.region);
  const bool taken = workers_.post([this, handling, path = std::move(path)] {
    reply_with(handling, [&] { return dead_letters(*handling->scope, handling->call, path); });
  });
  if (!taken) throw Fault(Error(ErrorCode::GatewayClosed, "The server is stopping."));
}

void Api::follow_logs(const std::shared_ptr<Handling>& handling, const std::string& function) {
  Call& call = handling->call;
  handling->scope = &scope(call.caller.account, call.caller.region);
  // The name is looked up, so that a typing mistake does not wait for ever.
  const auto configuration = handling->scope->catalog().directory().find(function);
  if (configuration == nullptr) {
    throw Fault(Error(ErrorCode::ResourceNotFoundException, "Function not found: " + function));
  }
  auto since = std::chrono::system_clock::time_point::min();
  if (const std::string seconds = call.parameter("since"); !seconds.empty()) {
    if (seconds.size() > 9 || seconds.find_first_not_of("0123456789") != std::string::npos) {
      throw Fault(400, "ValidationException", "since: a number of seconds.");
    }
    since = clock_.wall() - std::chrono::seconds(std::stoll(seconds));
  }
  const std::string key = handling->scope->key();
  std::string past = logs_.text_of(key, function, since);
  if (call.parameter("follow") != "true") return answer(handling, text(std::move(past), kPlain));
  http::Response head;
  head.with("Content-Type", kPlain).with("x-amzn-RequestId", call.request_id);
  auto stream = handling->exchange.stream(std::move(head));
  if (!past.empty()) stream->write(std::move(past));
  logs_.follow(key, function, std::move(stream));
}

int Api::abandoned_environments() {
  int abandoned = 0;
  std::lock_guard lock(scopes_mutex_);
  for (const auto& [key, scope] : scopes_) abandoned += scope->core->engine().status().abandoned;
  return abandoned;
}

std::string Api::metrics_text() {
  std::string out;
  metrics_.append_to(out);
  append_event_metrics(out);
  const auto to = std::back_inserter(out);
  const auto one = [&](const char* name, const char* type, const char* help, auto value) {
    fmt::format_to(to, "# HELP {0} {2}\n# TYPE {0} {1}\n{0} {3}\n", name, type, help, value);
  };
  GatewayStatus status;
  std::size_t functions = 0, letters = 0;
  {
    std::lock_guard lock(scopes_mutex_);
    for (const auto& [key, scope] : scopes_) {
      const GatewayStatus s = scope->core->engine().status();
      status.opening += s.opening;
      status.idle += s.idle;
      status.busy += s.busy;
      status.interrupting += s.interrupting;
      status.abandoned += s.abandoned;
      status.in_flight += s.in_flight;
      functions += scope->catalog().directory().all().size();
      letters += scope->core->dead_letters().size();
    }
  }
  fmt::format_to(
      to, "# HELP lambed_environments Execution environments by state.\n# TYPE lambed_environments gauge\n");
  for (const auto& [state, count] : {std::pair<const char*, int>{"opening", status.opening},
                                     {"idle", status.idle},
                                     {"busy", status.busy},
                                     {"interrupting", status.interrupting},
                                     {"abandoned", status.abandoned}}) {
    fmt::format_to(to, "lambed_environments{{state=\"{}\"}} {}\n", state, count);
  }
  one("lambed_invocations_in_flight", "gauge", "Invocations that run or wait for an environment.",
      status.in_flight);
  one("lambed_functions", "gauge", "Functions that are stored.", functions);
  one("lambed_dead_letters", "gauge", "Dead letters in the table lambed:local.", letters);
  one("process_resident_memory_bytes", "gauge", "Memory of the process.", resident_bytes());
  fmt::format_to(to,
                 "# HELP lambed_http_answers_total Answers by class of status.\n# TYPE "
                 "lambed_http_answers_total counter\n");
  for (std::size_t hundred = 2; hundred <= 5; ++hundred) {
    fmt::format_to(to, "lambed_http_answers_total{{status=\"{}xx\"}} {}\n", hundred,
                   answers_[hundred].load());
  }
  if (options_.access_log != nullptr) {
    one("lambed_access_log_dropped_total", "counter", "Lines that nobody read in time.",
        options_.access_log->dropped());
  }
  if (http::Server* server = server_.load(); server != nullptr) {
    const http::ServerStatus s = server->status();
    one("lambed_http_connections", "gauge", "Open connections.", s.connections_open);
    one("lambed_http_connections_total", "counter", "Connections so far.", s.connections_opened);
    one("lambed_http_connections_refused_total", "counter", "Connections over the limit.",
        s.connections_refused);
    one("lambed_http_requests_total", "counter", "Requests that were read.", s.requests);
    one("lambed_http_malformed_total", "counter", "Requests that could not be read.", s.malformed);
    one("lambed_http_timeouts_total", "counter", "Clients that were too slow.", s.timeouts);
    one("lambed_loop_lag_seconds", "gauge", "How late the loops' timers came at worst since the last look.",
        static_cast<double>(s.worst_lag.count()) / 1e9);
  }
  return out;
}

}  // namespace lambed::api
