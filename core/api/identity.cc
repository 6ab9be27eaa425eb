// STS and IAM, as far as tools need them on the way to a function: who am I, and a role to name. Roles are kept, and nothing is
// checked against them.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <tuple>

#include "api/operations.h"
#include "base/digest.h"
#include "catalog/awaited.h"

namespace lambed::api {
namespace {

using catalog::Awaited;
using catalog::Entity;
using catalog::StoreStatus;
using nlohmann::json;

constexpr char kStsNamespace[] = "https://sts.amazonaws.com/doc/2011-06-15/";
constexpr char kIamNamespace[] = "https://iam.amazonaws.com/doc/2010-05-08/";

struct Form {
  std::vector<std::pair<std::string, std::string>> fields;
  std::string get(std::string_view name) const {
    for (const auto& [key, value] : fields) {
      if (key == name) return value;
    }
    return {};
  }
};

std::string envelope(const std::string& action, const char* xmlns, const std::string& result,
                     const std::string& request_id) {
  return fmt::format(
      R"(<{0}Response xmlns="{1}">{2}<ResponseMetadata><RequestId>{3}</RequestId></ResponseMetadata></{0}Response>)",
      action, xmlns, result.empty() ? "" : fmt::format("<{0}Result>{1}</{0}Result>", action, result),
      request_id);
}

// ---- Roles, one entity each. The account is a part of the key; regions share them, as IAM's do.

class Roles {
 public:
  Roles(catalog::Store& store, std::string account) : store_(store), account_(std::move(account)) {}

  using Found = std::pair<json, catalog::Rev>;
  std::optional<Found> find(const std::string& name) const {
    using Answer = std::tuple<StoreStatus, std::optional<Entity>>;
    const auto [status, entity] =
        Awaited<Answer>::wait_for([&](auto done) { store_.get(key_of(name), std::move(done)); });
    if (status != StoreStatus::kOk)
      throw Fault(503, "ServiceUnavailable", "The store does not answer. Try again.");
    if (!entity) return std::nullopt;
    return Found{json::parse(entity->bytes), entity->rev};
  }
  Found get(const std::string& name) const {
    auto found = find(name);
    if (!found) throw Fault(404, "NoSuchEntity", fmt::format("The role with name {} cannot be found.", name));
    return std::move(*found);
  }
  StoreStatus put(const std::string& name, const json& role, const std::optional<catalog::Rev>& rev) const {
    using Answer = std::tuple<StoreStatus, catalog::Rev>;
    return std::get<0>(Awaited<Answer>::wait_for(
        [&](auto done) { store_.put_if(key_of(name), role.dump(), rev, std::move(done)); }));
  }
  StoreStatus remove(const std::string& name, const catalog::Rev& rev) const {
    return std::get<0>(Awaited<std::tuple<StoreStatus>>::wait_for(
        [&](auto done) { store_.remove_if(key_of(name), rev, std::move(done)); }));
  }
  // Until it has happened or cannot.
  template <class Change>
  void change(const std::string& name, Change apply) const {
    for (;;) {
      auto [role, rev] = get(name);
      apply(role);
      if (check(put(name, role, rev))) return;
    }
  }
  // True: written. False: somebody else was quicker.
  static bool check(StoreStatus status) {
    if (status == StoreStatus::kOk) return true;
    if (status == StoreStatus::kConflict) return false;
    throw Fault(503, "ServiceUnavailable", "The store cannot be written now. Try again.");
  }

 private:
  std::string key_of(const std::string& name) const { return "iam/" + account_ + "/role/" + name; }
  catalog::Store& store_;
  const std::string account_;
};

std::string describe(const json& role) {
  std::string text = fmt::format(
      "<Role><Path>{}</Path><RoleName>{}</RoleName><RoleId>{}</RoleId><Arn>{}</Arn><CreateDate>{}</"
      "CreateDate>"
      "<AssumeRolePolicyDocument>{}</AssumeRolePolicyDocument>",
      xml_text(role.value("path", "/")), xml_text(role.value("name", "")), role.value("id", ""),
      xml_text(role.value("arn", "")), role.value("created", ""),
      http::percent_encoded(role.value("trust", "")));
  if (const std::string about = role.value("description", ""); !about.empty()) {
    text += fmt::format("<Description>{}</Description>", xml_text(about));
  }
  text += fmt::format("<MaxSessionDuration>{}</MaxSessionDuration></Role>", role.value("session", 3600));
  return text;
}

bool is_role_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("+=,.@-_").find(c) != std::string_view::npos;
  });
}

std::string create_role(Api& api, const Call& call, const Form& form, const Roles& roles) {
  const std::string name = form.get("RoleName");
  if (!is_role_name(name)) {
    throw Fault(
        400, "ValidationError",
        fmt::format("1 validation error detected: Value '{}' at 'roleName' failed to satisfy constraint: "
                    "Member must satisfy regular expression pattern: [\\w+=,.@-]+",
                    name));
  }
  const std::string trust = form.get("AssumeRolePolicyDocument");
  if (json::parse(trust, nullptr, false).is_discarded()) {
    throw Fault(400, "MalformedPolicyDocument", "This policy contains invalid Json");
  }
  std::string path = form.get("Path");
  if (path.empty()) path = "/";
  if (!path.starts_with("/") || !path.ends_with("/") || path.size() > 512) {
    throw Fault(400, "ValidationError",
                "The specified value for path is invalid. It must begin and end with /.");
  }
  std::string id = to_hex(sha256(api.new_id())).substr(0, 17);
  std::transform(id.begin(), id.end(), id.begin(),
                 [](char c) { return c >= 'a' ? static_cast<char>(c - 32) : c; });
  const json role = {
      {"name", name},
      {"path", path},
      {"id", "AROA" + id},
      {"arn", fmt::format("arn:aws:iam::{}:role{}{}", call.caller.account, path, name)},
      {"created", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(
                                                           std::chrono::system_clock::now())))},
      {"trust", trust},
      {"description", form.get("Description")},
      {"policies", json::array()}};
  if (!Roles::check(roles.put(name, role, std::nullopt))) {
    throw Fault(409, "EntityAlreadyExists", fmt::format("Role with name {} already exists.", name));
  }
  return describe(role);
}

void delete_role(const Form& form, const Roles& roles) {
  const std::string name = form.get("RoleName");
  for (;;) {
    const auto [role, rev] = roles.get(name);
    if (!role.at("policies").empty()) {
      throw Fault(409, "DeleteConflict", "Cannot delete entity, must detach all policies first.");
    }
    if (Roles::check(roles.remove(name, rev))) return;
  }
}

void attach(const Form& form, const Roles& roles, bool attaching) {
  const std::string arn = form.get("PolicyArn");
  if (!arn.starts_with("arn:") || arn.find(":policy/") == std::string::npos) {
    throw Fault(400, "ValidationError", fmt::format("ARN {} is not valid.", arn));
  }
  roles.change(form.get("RoleName"), [&](json& role) {
    json& policies = role["policies"];
    const auto at = std::find(policies.begin(), policies.end(), json(arn));
    if (attaching) {
      if (at == policies.end()) policies.push_back(arn);
    } else if (at == policies.end()) {
      throw Fault(404, "NoSuchEntity", fmt::format("Policy {} was not found.", arn));
    } else {
      policies.erase(at);
    }
  });
}

std::string attached(const Form& form, const Roles& roles) {
  std::string text = "<AttachedPolicies>";
  const auto found = roles.get(form.get("RoleName"));
  for (const json& policy : found.first.at("policies")) {
    const auto arn = policy.get<std::string>();
    text += fmt::format("<member><PolicyName>{}</PolicyName><PolicyArn>{}</PolicyArn></member>",
                        xml_text(arn.substr(arn.rfind('/') + 1)), xml_text(arn));
  }
  return text + "</AttachedPolicies><IsTruncated>false</IsTruncated>";
}

std::string perform(Api& api, const Call& call, const Form& form, const std::string& action) {
  if (action == "GetCallerIdentity") {
    return envelope(action, kStsNamespace,
                    fmt::format("<Arn>arn:aws:iam::{0}:root</Arn><UserId>{0}</UserId><Account>{0}</Account>",
                                call.caller.account),
                    call.request_id);
  }
  const Roles roles(api.store(), call.caller.account);
  std::string result;
  if (action == "CreateRole") {
    result = create_role(api, call, form, roles);
  } else if (action == "GetRole") {
    result = describe(roles.get(form.get("RoleName")).first);
  } else if (action == "DeleteRole") {
    delete_role(form, roles);
  } else if (action == "AttachRolePolicy" || action == "DetachRolePolicy") {
    attach(form, roles, action == "AttachRolePolicy");
  } else if (action == "ListAttachedRolePolicies") {
    result = attached(form, roles);
  } else {
    throw Fault(
        501, "OperationNotSupported",
        fmt::format("{} is not supported by this version of lambed, which knows of IAM and STS only what "
                    "creating functions needs.",
                    action));
  }
  return envelope(action, kIamNamespace, result, call.request_id);
}

}  // namespace

http::Response perform_identity(Api& api, Call& call) {
  try {
    auto fields = http::parse_query(call.request.body.empty() ? call.request.query()
                                                              : std::string_view(call.request.body));
    if (!fields) throw Fault(400, "MalformedQueryString", "The body is no form.");
    const Form form{std::move(*fields)};
    const std::string action = form.get("Action");
    if (action.empty()) throw Fault(400, "MissingAction", "The request names no Action.");
    http::Response response;
    response.with("Content-Type", "text/xml");
    response.body = perform(api, call, form, action);
    return response;
  } catch (const Fault& fault) {
    return to_xml_response(fault, call.request_id);
  }
}

}  // namespace lambed::api
