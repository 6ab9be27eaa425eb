// `lambed serve` as a process of its own, on a free port, and how it is asked.
#pragma once

#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "core/catalog/zip_builder.h"
#include "core/http/serving.h"
#include "http/client.h"
#include "support/child_process.h"

namespace lambed::testing {

inline constexpr std::chrono::seconds kServePatience{60};
inline constexpr char kFunctions[] = "/2015-03-31/functions";

inline http::Response ask(std::uint16_t port, const std::string& method, const std::string& target,
                          const std::string& body = {}, std::vector<http::Header> headers = {}) {
  http::Request request;
  request.method = method;
  request.target = target;
  request.body = body;
  request.headers = std::move(headers);
  http::Client client("127.0.0.1", port, kServePatience);
  return client.send(request);
}

inline nlohmann::json create_request(const std::string& name, const std::string& source) {
  return {{"FunctionName", name},
          {"Runtime", "python3.11"},
          {"Role", "arn:aws:iam::123456789012:role/r"},
          {"Handler", "app.handler"},
          {"Code", {{"ZipFile", base64_encode(test::good_zip(source))}}}};
}

class ServedProgram {
 public:
  // `words` follow `lambed serve --listen 127.0.0.1:0`. Returns when it listens.
  explicit ServedProgram(std::vector<std::string> words) {
    words.insert(words.begin(), {LAMBED_PROGRAM, "serve", "--listen", "127.0.0.1:0"});
    process_.emplace(words);
    const bool started = process_->wait_for_error_text("/invocations\n", kServePatience);
    BOOST_REQUIRE_MESSAGE(started, process_->error_text());
    const std::string& text = process_->error_text();
    const std::string before = "serves the Lambda API at http://127.0.0.1:";
    port_ = static_cast<std::uint16_t>(std::stoi(text.substr(text.find(before) + before.size())));
  }

  std::uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  ChildProcess& process() { return *process_; }
  http::Response invoke(const std::string& function, const std::string& event = "{}",
                        const std::string& type = "RequestResponse") const {
    return ask(port_, "POST", std::string(kFunctions) + "/" + function + "/invocations", event,
               {{"X-Amz-Invocation-Type", type}});
  }
  ChildEnd end() {
    process_->send_signal(SIGTERM);
    return process_->wait(kServePatience);
  }

 private:
  std::optional<ChildProcess> process_;
  std::uint16_t port_ = 0;
};

}  // namespace lambed::testing
