// Versions and aliases.
#include <fmt/format.h>

#include "api/documents.h"
#include "api/operations.h"

namespace lambed::api {
namespace {

using nlohmann::json;

AliasRequest alias_request(const Members& body, std::string function, std::string alias) {
  AliasRequest request;
  request.function = std::move(function);
  request.alias = std::move(alias);
  request.version = body.text("FunctionVersion");
  request.description = body.text("Description");
  request.revision_id = body.text("RevisionId");
  if (const auto routing = body.structure("RoutingConfig")) {
    request.weights =
        routing->number_map("AdditionalVersionWeights").value_or(std::map<std::string, double>{});
  }
  return request;
}

}  // namespace

Reply publish_version(Api&, Scope& scope, Call& call) {
  const Members body = call.body();
  PublishVersionRequest request;
  request.name = call.function();
  request.description = body.text("Description").value_or("");
  request.code_sha256 = body.text("CodeSha256");
  // Clients that fill in every member send it empty.
  if (request.code_sha256 && request.code_sha256->empty()) request.code_sha256.reset();
  request.revision_id = body.text("RevisionId");
  return {201, describe(scope.catalog().publish_version(request).value(), Detail::kWhole, scope.region)};
}

Reply list_versions(Api&, Scope& scope, Call& call) {
  const Page page = page_of(call);
  const auto versions = scope.catalog().list_versions(call.function()).value();
  json body;
  put_page(
      body, "Versions", page, versions,
      [](const FunctionConfiguration& c) {
        return c.version == "$LATEST" ? std::string("$") : fmt::format("{:0>20}", c.version);
      },
      [&](const FunctionConfiguration& c) { return describe(c, Detail::kList, scope.region); });
  return {200, std::move(body)};
}

Reply create_alias(Api&, Scope& scope, Call& call) {
  const Members body = call.body();
  const auto name = body.text("Name");
  if (!name) {
    model::Violations violations;
    violations.add_missing("name");
    if (!body.has("FunctionVersion")) violations.add_missing("functionVersion");
    throw_if_any(violations);
  }
  return {201, describe(scope.catalog().create_alias(alias_request(body, call.function(), *name)).value())};
}

Reply get_alias(Api&, Scope& scope, Call& call) {
  return {200, describe(scope.catalog().get_alias(call.function(), call.path.find("Name")->second).value())};
}

Reply update_alias(Api&, Scope& scope, Call& call) {
  const AliasRequest request = alias_request(call.body(), call.function(), call.path.find("Name")->second);
  return {200, describe(scope.catalog().update_alias(request).value())};
}

Reply delete_alias(Api&, Scope& scope, Call& call) {
  scope.catalog().delete_alias(call.function(), call.path.find("Name")->second).value();
  return {204, nullptr};
}

Reply list_aliases(Api&, Scope& scope, Call& call) {
  const Page page = page_of(call, 10'000);
  auto aliases = scope.catalog().list_aliases(call.function()).value();
  if (const std::string version = call.parameter("FunctionVersion"); !version.empty()) {
    std::erase_if(aliases, [&](const AliasConfiguration& alias) {
      return alias.function_version != version && alias.weights.count(version) == 0;
    });
  }
  json body;
  put_page(
      body, "Aliases", page, aliases, [](const AliasConfiguration& alias) { return alias.name; },
      [](const AliasConfiguration& alias) { return describe(alias); });
  return {200, std::move(body)};
}

}  // namespace lambed::api
