// Behaviour of the REST API as data: tests/core/api/behaviour/*.json. Each file is one story against a fresh server, told over
// a real connection.
//
//   {"story": "...", "settles": true, "isolation": "process" (else the one that is tested), "networks": {"Vpcs": [..]}, "steps": [
//     {"it": "creates a function", "request": "POST /2015-03-31/functions", "headers": {..}, "body": {..} or "raw": "text",
//      "status": 201, "answer": {..}, "answer_headers": {"X-Amz-Executed-Version": "1"}, "keep": {"rev": "/RevisionId"}}]}
//
// An answer must be equal, but for: "<any>" is any value, "<uuid>", "<time>", "<sha256>" and "<base64>" any of that kind,
// "<text>..." any text that begins so; a member "..." in an object allows members that are not named. ${NAME} is what an earlier step kept, or one
// of ${ZIP}, ${ZIP2} (packages), ${PORT}. "await": true repeats the step until it is as expected.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>

#include "api/api.h"
#include "base/digest.h"
#include "core/catalog/zip_builder.h"
#include "core/gateway/scripted.h"
#include "core/http/serving.h"

using namespace lambed;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

using lambed::testing::eventually;

class Story {
 public:
  explicit Story(const json& story) {
    lambed::testing::ScriptedHost::instance();
    api::ApiOptions options;
    options.settles = story.value("settles", true);
    options.gateway.close_grace = std::chrono::milliseconds(500);
    options.isolation = lambed::testing::tested_isolation();
    if (story.contains("isolation"))
      options.isolation =
          story["isolation"].get<std::string>() == "process" ? Isolation::kProcess : Isolation::kInProcess;
    if (story.contains("networks"))
      options.gateway.networks = model::vpcs_from_json(story["networks"].dump()).value();
    api_ = std::make_unique<api::Api>(options);
    server_ = std::make_unique<http::Server>(http::ServerOptions{}, *api_);
    kept_["ZIP"] = base64_encode(lambed::test::good_zip());
    kept_["ZIP2"] = base64_encode(lambed::test::good_zip("def handler(e, c): return 2\n"));
    kept_["PORT"] = std::to_string(server_->port());
  }
  ~Story() { server_.reset(); }

  void tell(const json& step) {
    if (step.value("await", false)) {
      std::string problem;
      const bool came = eventually([&] { return (problem = problem_of(step)).empty(); });
      BOOST_TEST(came, step.value("it", "") << ": " << problem);
    } else {
      const std::string problem = problem_of(step);
      BOOST_TEST(problem.empty(), step.value("it", "") << ": " << problem);
    }
  }

 private:
  std::string filled(std::string text) const {
    for (std::size_t at = 0; (at = text.find("${", at)) != std::string::npos;) {
      const auto end = text.find('}', at);
      const auto it = kept_.find(text.substr(at + 2, end - at - 2));
      if (it == kept_.end()) throw std::runtime_error("nothing was kept as " + text.substr(at));
      text.replace(at, end + 1 - at, it->second);
      at += it->second.size();
    }
    return text;
  }

  http::Response send(const json& step) const {
    http::Request request;
    const std::string line = filled(step.at("request"));
    request.method = line.substr(0, line.find(' '));
    request.target = line.substr(line.find(' ') + 1);
    const json headers = step.value("headers", json::object());
    for (const auto& [name, value] : headers.items())
      request.headers.push_back({name, filled(value.get<std::string>())});
    if (step.contains("body")) request.body = filled(step.at("body").dump());
    if (step.contains("raw")) request.body = filled(step.at("raw"));
    if (step.contains("repeat")) request.body = std::string(step.at("repeat").get<std::size_t>(), 'x');
    http::Client client("127.0.0.1", server_->port(), std::chrono::seconds(20));
    return client.send(request);
  }

  // Empty: as expected.
  std::string problem_of(const json& step) {
    const http::Response answer = send(step);
    const std::string shown =
        " (status " + std::to_string(answer.status) + ", body " + answer.body.substr(0, 2000) + ")";
    if (answer.status != step.at("status").get<int>()) return "another status" + shown;
    if (lambed::testing::header_of(answer, "x-amzn-RequestId").empty() && answer.status != 403)
      return "no request id" + shown;
    const json headers = step.value("answer_headers", json::object());
    for (const auto& [name, value] : headers.items()) {
      const std::string found = lambed::testing::header_of(answer, name);
      if (value.is_null() ? !found.empty() : !like(json(found), value))
        return "header " + name + ": " + found + shown;
    }
    if (step.contains("answer")) {
      const json body = json::parse(answer.body, nullptr, false);
      if (body.is_discarded()) return "no JSON" + shown;
      if (const std::string where = difference(body, step.at("answer"), ""); !where.empty())
        return where + shown;
      const json keep = step.value("keep", json::object());
      for (const auto& [name, pointer] : keep.items()) {
        const json& value = body.at(json::json_pointer(pointer.get<std::string>()));
        kept_[name] = value.is_string() ? value.get<std::string>() : value.dump();
      }
    }
    if (step.contains("answer_raw") && answer.body != filled(step.at("answer_raw")))
      return "another body" + shown;
    if (step.contains("answer_has")) {
      for (const json& part : step.at("answer_has")) {
        if (answer.body.find(filled(part)) == std::string::npos) return "lacks " + part.dump() + shown;
      }
    }
    return {};
  }

  bool like(const json& value, const json& wanted) const {
    if (!wanted.is_string()) return value == wanted;
    const std::string text = filled(wanted);
    if (text == "<any>") return true;
    if (!value.is_string()) return false;
    const std::string found = value.get<std::string>();
    const auto matches = [&](const char* pattern) { return std::regex_match(found, std::regex(pattern)); };
    if (text == "<uuid>") return matches("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}");
    if (text == "<time>") return matches(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000)");
    if (text == "<sha256>") return matches("[A-Za-z0-9+/]{43}=");
    if (text == "<base64>") return base64_decode(found).has_value();
    if (text.starts_with("<text>")) return found.starts_with(text.substr(6));
    return found == text;
  }

  // Where the two differ; empty: nowhere.
  std::string difference(const json& value, const json& wanted, const std::string& where) const {
    if (wanted.is_object() && value.is_object()) {
      for (const auto& [name, member] : wanted.items()) {
        if (name == "...") continue;
        if (!value.contains(name)) return where + "/" + name + " is missing";
        if (auto found = difference(value.at(name), member, where + "/" + name); !found.empty()) return found;
      }
      if (wanted.contains("...")) return {};
      for (const auto& [name, member] : value.items()) {
        if (!wanted.contains(name)) return where + "/" + name + " is not expected";
      }
      return {};
    }
    if (wanted.is_array() && value.is_array()) {
      if (wanted.size() != value.size()) return where + ": " + std::to_string(value.size()) + " items";
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (auto found = difference(value[i], wanted[i], where + "/" + std::to_string(i)); !found.empty())
          return found;
      }
      return {};
    }
    return like(value, wanted) ? std::string() : where + " is " + value.dump() + ", not " + wanted.dump();
  }

  std::unique_ptr<api::Api> api_;
  std::unique_ptr<http::Server> server_;
  std::map<std::string, std::string> kept_;
};

void tell_file(const fs::path& path) {
  std::ifstream file(path);
  const json story = json::parse(file);
  Story teller(story);
  for (const json& step : story.at("steps")) teller.tell(step);
}

// A test case for each file.
const bool kRegistered = [] {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(LAMBED_SOURCE_DIR "/tests/core/api/behaviour")) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  auto* suite = BOOST_TEST_SUITE("behaviour");
  for (const fs::path& path : files) {
    suite->add(boost::unit_test::make_test_case([path] { tell_file(path); }, path.stem().string(), __FILE__,
                                                __LINE__));
  }
  boost::unit_test::framework::master_test_suite().add(suite);
  return true;
}();

}  // namespace
