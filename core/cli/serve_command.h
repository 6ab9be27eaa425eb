// `lambed serve`: functions over AWS's REST API.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace lambed::cli {

struct ServeOptions {
  std::string listen = "127.0.0.1:9001";
  std::string data;
  std::string functions;
  std::string isolation = "process";
  std::string require_isolation = "any";
  std::string quotas = "classic";
  std::string region = "us-east-1";
  std::string account = "123456789012";
  std::string auth = "none";
  std::string access_log = "off";
  std::string aws_endpoint_url;
  std::string async_retry_base = "60s";
  std::vector<std::string> allow_hosts;
  std::string networks;
  bool allow_host_loopback = false;
  bool strict_runtimes = false;
  bool quiet = false;
  int loops = 0;
  int worker_stock = 2;
  int drain_s = 10;
};

void declare_serve(CLI::App& command, ServeOptions& options);

// Runs until SIGINT, SIGTERM or SIGHUP: then no new connections, what is under way is answered, kExitOk. A second signal ends
// the process at once. Throws CommandError when it cannot start.
int run_serve(const ServeOptions& options);

}  // namespace lambed::cli
