// One request to the API on its way through an operation, and reading what it carries: the model's layer of checks.
// One thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/caller.h"
#include "api/fault.h"
#include "api/routes.h"
#include "http/message.h"
#include "model/violations.h"

namespace lambed::gateway {
class Core;
}

namespace lambed::api {

class Api;

// The members of a JSON body. Of the wrong type: SerializationException, as AWS's front end answers before any check.
class Members {
 public:
  Members() = default;
  explicit Members(nlohmann::json object) : object_(std::move(object)) {}

  // Absent and null are the same.
  bool has(const char* name) const;
  // Absent, null, {} or [].
  bool is_empty(const char* name) const;
  std::optional<std::string> text(const char* name) const;
  std::optional<int> integer(const char* name) const;
  std::optional<bool> boolean(const char* name) const;
  std::optional<Members> structure(const char* name) const;
  std::optional<std::map<std::string, std::string>> text_map(const char* name) const;
  std::optional<std::map<std::string, double>> number_map(const char* name) const;
  std::optional<std::vector<std::string>> text_list(const char* name) const;
  std::size_t size() const { return object_.size(); }

 private:
  const nlohmann::json* find(const char* name) const;
  nlohmann::json object_;
};

struct Call {
  http::Request& request;
  Caller caller;
  std::string request_id;
  const Operation* operation = nullptr;
  PathParameters path;
  std::vector<std::pair<std::string, std::string>> query;

  const std::string& function() const { return path.find("FunctionName")->second; }
  // "" when it is not there.
  std::string parameter(std::string_view name) const;
  std::string qualifier() const { return parameter("Qualifier"); }
  // The body: an object. InvalidRequestContentException with Jackson's words when it is no JSON; no body is no members.
  Members body() const;
};

// What an operation answers. A body that is null is none.
struct Reply {
  int status = 200;
  nlohmann::json body;
  std::vector<http::Header> headers = {};
};

// A page of a list. MaxItems 1-`highest`, of which AWS gives at most `most`; Marker is what NextMarker was.
struct Page {
  std::size_t size = 50;
  std::string after;  // the key that the page before ended with; "" for the first
};
Page page_of(const Call& call, std::size_t most = 50, int highest = 10'000);
// Takes from `items`, which are in the order of their keys, those after page.after; sets NextMarker in `body`.
std::string marker_of(const std::string& key);

template <class Items, class Key, class Show>
void put_page(nlohmann::json& body, const char* member, const Page& page, const Items& items, Key key,
              Show show) {
  nlohmann::json& list = body[member] = nlohmann::json::array();
  std::string last;
  for (const auto& item : items) {
    const std::string its_key = key(item);
    if (!page.after.empty() && !(page.after < its_key)) continue;
    if (list.size() == page.size) {
      body["NextMarker"] = marker_of(last);
      return;
    }
    list.push_back(show(item));
    last = its_key;
  }
}

// The value must be one of `allowed`.
void check_enum(model::Violations& violations, const std::optional<std::string>& value,
                std::string_view member, std::initializer_list<std::string_view> allowed);
void throw_if_any(const model::Violations& violations);

}  // namespace lambed::api
