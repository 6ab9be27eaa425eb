#include "api/api.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "api/handling.h"
#include "api/operations.h"
#include "catalog/awaited.h"
#include "catalog/code_packages.h"
#include "catalog/memory_store.h"
#include "catalog/scoped_store.h"
#include "environments/host_registry.h"
#include "model/runtimes.h"

namespace lambed::api {
namespace {

// "Request must be smaller than 70167211 bytes for the CreateFunction operation": AWS's own number.
constexpr std::uint64_t kCodeRequest = 70'167'211;
constexpr std::uint64_t kOtherRequest = 1024 * 1024;

std::uint64_t body_limit_of(const http::Request& head, const Quotas& quotas) {
  const auto found = match(head.method, head.path(), head.query());
  if (!found) return kOtherRequest;
  const std::string_view name = found->operation->name;
  if (name == "Invoke" || name == "InvokeAsync" || name == "InvokeWithResponseStream")
    return quotas.sync_payload;
  if (name == "CreateFunction" || name == "UpdateFunctionCode" || name == "PublishLayerVersion")
    return kCodeRequest;
  return kOtherRequest;
}

std::string_view error_name_of(int status) {
  switch (status) {
    case 403:
      return "AccessDeniedException";
    case 408:
      return "RequestTimeoutException";
    case 413:
      return "RequestEntityTooLargeException";
    case 417:
      return "ExpectationFailedException";
    case 431:
      return "RequestHeaderFieldsTooLargeException";
    case 503:
      return "ServiceUnavailableException";
    default:
      return "MalformedHttpRequestException";
  }
}

Error internal(const char* what) {
  return Error(ErrorCode::ServiceException, std::string("lambed has made a mistake: ") + what);
}

}  // namespace

Api::Api(ApiOptions options)
    : options_(std::move(options)),
      logs_(options_.log_sink),
      workers_(options_.workers, "lambed-api"),
      payload_workers_(2, "lambed-payload") {
  if (options_.storage.store == nullptr) options_.storage.store = std::make_shared<catalog::MemoryStore>();
  if (options_.storage.packages == nullptr) options_.storage.packages = catalog::CodePackages::in_memory();
  // Accounts that are stored: their provisioned environments open, and what a server that died had begun is ended.
  using ListAnswer = std::tuple<catalog::StoreStatus, std::vector<catalog::Entity>>;
  const auto [status, entities] = catalog::Awaited<ListAnswer>::wait_for(
      [&](auto done) { options_.storage.store->list({}, std::move(done)); });
  if (status != catalog::StoreStatus::kOk) {
    throw Error(ErrorCode::ServiceException,
                "The store cannot be read: " + options_.storage.store->trouble());
  }
  std::set<std::pair<std::string, std::string>> known;
  for (const catalog::Entity& entity : entities) {
    const auto first = entity.key.find('/');
    const auto second = first == std::string::npos ? first : entity.key.find('/', first + 1);
    if (first != 12 || second == std::string::npos) continue;
    known.emplace(entity.key.substr(0, first), entity.key.substr(first + 1, second - first - 1));
  }
  for (const auto& [account, region] : known) scope(account, region);
  if (options_.settles) settle_all();
}

Api::~Api() {
  begin_drain();
  workers_.stop();
  payload_workers_.stop();
  options_.storage.packages->keep_blobs();
  std::lock_guard lock(scopes_mutex_);
  scopes_.clear();
}

void Api::end_events(std::chrono::milliseconds patience) {
  const Nanos end = clock_.now() + to_nanos(patience);
  std::lock_guard lock(scopes_mutex_);
  for (const auto& [key, scope] : scopes_) scope->core->events().begin_close();
  for (const auto& [key, scope] : scopes_) {
    const Nanos left = std::max<Nanos>(0, end - clock_.now());
    scope->core->events().close(std::chrono::milliseconds(left / 1'000'000));
  }
}

void Api::begin_drain() {
  draining_.store(true);
  logs_.end_followers();
}

Scope& Api::scope(const std::string& account, const std::string& region) {
  std::lock_guard lock(scopes_mutex_);
  const std::string key = account + "/" + region;
  if (const auto found = scopes_.find(key); found != scopes_.end()) return *found->second;
  if (scopes_.size() >= kMostScopes) {
    throw Fault(
        Error(ErrorCode::ServiceException,
              fmt::format("This server holds functions of {} accounts and regions already, which is all "
                          "that it takes.",
                          kMostScopes)));
  }
  auto made = std::make_unique<Scope>();
  made->account = account;
  made->region = region;
  made->sink = logs_.sink_for(made->key());
  GatewayOptions gateway = options_.gateway;
  gateway.account = account;
  gateway.region = region;
  gateway.log_sink = made->sink;
  gateway::Storage storage = options_.storage;
  storage.store = std::make_shared<catalog::ScopedStore>(options_.storage.store, made->key() + "/");
  gateway::Extras extras;
  extras.on_attempt = [this](const std::string& function, const InvokeResult& result) {
    metrics_.count(function, result);
  };
  made->core = std::make_unique<gateway::Core>(gateway, std::move(storage), false, std::move(extras));
  return *scopes_.emplace(key, std::move(made)).first->second;
}

void Api::settle_later(Scope& scope, const std::string& function) {
  if (!options_.settles) return;
  // A function that is gone or a store that fails: the next start settles what is left.
  workers_.post([&scope, function] { static_cast<void>(scope.catalog().settle(function)); });
}

void Api::settle_all() {
  std::vector<Scope*> scopes;
  {
    std::lock_guard lock(scopes_mutex_);
    for (const auto& [key, scope] : scopes_) scopes.push_back(scope.get());
  }
  for (Scope* scope : scopes) {
    for (const auto& function : scope->catalog().directory().all()) {
      const FunctionConfiguration& latest = function->latest->configuration;
      if (latest.state != "Active" || latest.last_update_status == "InProgress") {
        static_cast<void>(scope->catalog().settle(function->name));
      }
    }
  }
}

// ---- From the wire.

http::Application::Admission Api::admit(const http::Request& head) {
  if (auto why = foreign(head, options_.hosts)) {
    Fault fault(403, "AccessDeniedException", std::move(*why));
    fault.message_member = "Message";
    fault.type.clear();
    return {to_response(fault), 0};
  }
  return {std::nullopt, body_limit_of(head, quotas())};
}

http::Response Api::refuse(int status, std::string_view why, const http::Request* head,
                           std::uint64_t received) {
  Fault fault(status, std::string(error_name_of(status)), std::string(why));
  if (head != nullptr && status == 413) {
    fault.type.clear();
    const auto found = match(head->method, head->path(), head->query());
    const std::uint64_t limit = body_limit_of(*head, quotas());
    if (found && found->operation->name == "Invoke") {
      fault.message =
          fmt::format("{} byte payload is too large for the RequestResponse invocation type (limit {} bytes)",
                      head->content_length.value_or(std::max(received, limit + 1)), limit);
    } else {
      fault.message = fmt::format("Request must be smaller than {} bytes for the {} operation", limit,
                                  found ? found->operation->name : "requested");
    }
  }
  http::Response response = to_response(fault);
  response.with("x-amzn-RequestId", new_id());
  return response;
}

void Api::handle(http::Exchange exchange) {
  const auto handling = std::make_shared<Handling>(std::move(exchange), clock_.now());
  Call& call = handling->call;
  call.request_id = new_id();
  try {
    const std::string_view path = call.request.path();
    auto query = http::parse_query(call.request.query());
    auto caller = caller_of(call.request, {options_.gateway.account, options_.gateway.region});
    if (!query || !caller) {
      throw Fault(400, "IncompleteSignatureException",
                  !query ? "The query is malformed." : "The signature's credential is malformed.");
    }
    call.query = std::move(*query);
    call.caller = std::move(*caller);
    if (path == "/health" || path == "/metrics" || path.starts_with("/_lambed/"))
      return handle_own(handling, path);
    if (path == "/") {
      if (!workers_.post([this, handling] { answer(handling, perform_identity(*this, handling->call)); })) {
        throw Fault(Error(ErrorCode::GatewayClosed, "The server is stopping."));
      }
      return;
    }
    handle_lambda(handling);
  } catch (const Fault& fault) {
    answer(handling, fault);
  } catch (const Error& error) {
    answer(handling, Fault(error));
  } catch (const std::exception& error) {
    answer(handling, Fault(internal(error.what())));
  }
}

void Api::handle_lambda(std::shared_ptr<Handling> handling) {
  Call& call = handling->call;
  auto found = match(call.request.method, call.request.path(), call.request.query());
  if (!found) {
    throw Fault(
        404, "UnknownOperationException",
        fmt::format("The Lambda API has no operation {} {}.", call.request.method, call.request.path()));
  }
  call.operation = found->operation;
  call.path = std::move(found->parameters);
  handling->scope = &scope(call.caller.account, call.caller.region);
  if (call.operation->name == "Invoke" || call.operation->name == "InvokeAsync") return invoke(handling);
  if (!workers_.post([this, handling] { run_operation(handling); })) {
    throw Fault(Error(ErrorCode::GatewayClosed, "The server is stopping."));
  }
}

void Api::run_operation(const std::shared_ptr<Handling>& handling) {
  reply_with(handling, [&] {
    Call& call = handling->call;
    const Perform perform = find_operation(call.operation->name);
    if (perform == nullptr) {
      throw Fault(Error(ErrorCode::OperationNotSupportedException,
                        fmt::format("{} is not supported by this version of lambed.", call.operation->name)));
    }
    return perform(*this, *handling->scope, call);
  });
}

void Api::reply_with(const std::shared_ptr<Handling>& handling, const std::function<Reply()>& work) {
  try {
    Reply reply = work();
    http::Response response;
    response.status = reply.status;
    response.headers = std::move(reply.headers);
    if (!reply.body.is_null()) {
      response.with("Content-Type", "application/json");
      response.body = reply.body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    }
    answer(handling, std::move(response));
  } catch (const Fault& fault) {
    answer(handling, fault);
  } catch (const Error& error) {
    answer(handling, Fault(error));
  } catch (const std::exception& error) {
    answer(handling, Fault(internal(error.what())));
  }
}

// ---- To the wire.

void Api::answer(const std::shared_ptr<Handling>& handling, const Fault& fault) {
  answer(handling, to_response(fault));
}

void Api::answer(const std::shared_ptr<Handling>& handling, http::Response response) {
  response.with("x-amzn-RequestId", handling->call.request_id);
  const auto hundred = static_cast<std::size_t>(std::clamp(response.status / 100, 0, 5));
  answers_[hundred].fetch_add(1, std::memory_order_relaxed);
  if (options_.access_log != nullptr) {
    const Call& call = handling->call;
    const http::Request& request = call.request;
    const auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(clock_.wall());
    nlohmann::json line = {{"time", fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                                                fmt::gmtime(std::chrono::system_clock::to_time_t(now)),
                                                now.time_since_epoch().count() % 1000)},
                           {"requestId", call.request_id},
                           {"remote", request.peer},
                           {"method", request.method},
                           {"path", request.target},
                           {"status", response.status},
                           {"bytesIn", request.body.size()},
                           {"bytesOut", response.body.size()},
                           {"ms", static_cast<double>((clock_.now() - handling->start) / 1000) / 1000.0},
                           {"account", call.caller.account},
                           {"region", call.caller.region}};
    if (call.operation != nullptr) line["operation"] = call.operation->name;
    for (const http::Header& header : response.headers) {
      if (header.name == "x-amzn-ErrorType") line["error"] = header.value;
      if (header.name == "X-Amz-Function-Error") line["functionError"] = header.value;
    }
    options_.access_log->write(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  handling->exchange.respond(std::move(response));
}

// ---- Runtimes.

void Api::check_runtime(const std::string& runtime) {
  const std::string_view language = model::language_of(runtime);
  if (language.empty()) return;  // the catalogue says so better
  if (options_.strict_runtimes) {
    if (auto differs = difference_of(runtime, language)) {
      throw Fault(Error(ErrorCode::InvalidParameterValueException,
                        fmt::format("{}, and --strict-runtimes takes no other.", *differs)));
    }
    return;
  }
  {
    std::lock_guard lock(runtimes_mutex_);
    if (!noticed_.insert(runtime).second) return;
  }
  // The interpreter starts meanwhile, which takes longer than the operation that asks.
  payload_workers_.post([this, runtime, language = std::string(language)] {
    if (auto differs = difference_of(runtime, language)) logs_.notice(fmt::format("lambed: {}\n", *differs));
  });
}

std::optional<std::string> Api::difference_of(const std::string& runtime, std::string_view language) const {
  const auto& all_options = options_.gateway.host_options;
  const auto options = all_options.find(std::string(language));
  const auto host = environments::HostRegistry::instance().host_for(
      language, options == all_options.end() ? environments::HostOptions{} : options->second);
  if (!host.ok()) {
    return fmt::format("The runtime {} is not installed: {}", runtime, host.error().message());
  }
  // "python3.11" and "3.11.2": the same up to the wanted digits; "nodejs20.x" and "v20.1.0" as well.
  std::string wanted = runtime.substr(language.size());
  if (wanted.ends_with(".x")) wanted.resize(wanted.size() - 2);
  std::string there = (*host)->interpreter_version();
  if (there.starts_with("v")) there.erase(0, 1);
  if (there == wanted || there.starts_with(wanted + ".")) return std::nullopt;
  return fmt::format("The runtime {} is not installed: {} {} runs its functions", runtime, language, there);
}

}  // namespace lambed::api
