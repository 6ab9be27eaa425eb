// A gateway whose functions run in worker processes with the scripted host, and what tests ask the system about those.
#pragma once

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "core/gateway/scripted.h"
#include "support/sanitized.h"

namespace lambed::testing {

struct ProcessInfo {
  pid_t pid = 0;
  pid_t parent = 0;
  char state = '?';
  std::string name;
};

inline std::vector<ProcessInfo> all_processes() {
  std::vector<ProcessInfo> found;
  DIR* folder = opendir("/proc");
  if (folder == nullptr) return found;
  while (const dirent* entry = readdir(folder)) {
    const long pid = std::strtol(entry->d_name, nullptr, 10);
    if (pid <= 0) continue;
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    if (!std::getline(file, line)) continue;
    const auto open = line.find('(');
    const auto close = line.rfind(')');
    if (open == std::string::npos || close == std::string::npos) continue;
    ProcessInfo info;
    info.pid = static_cast<pid_t>(pid);
    info.name = line.substr(open + 1, close - open - 1);
    std::istringstream rest(line.substr(close + 1));
    rest >> info.state >> info.parent;
    found.push_back(info);
  }
  closedir(folder);
  return found;
}

// All processes below `root`, without it.
inline std::vector<ProcessInfo> processes_below(pid_t root) {
  std::multimap<pid_t, ProcessInfo> by_parent;
  for (const ProcessInfo& info : all_processes()) by_parent.emplace(info.parent, info);
  std::vector<ProcessInfo> found;
  std::vector<pid_t> parents{root};
  while (!parents.empty()) {
    const pid_t parent = parents.back();
    parents.pop_back();
    const auto [begin, end] = by_parent.equal_range(parent);
    for (auto it = begin; it != end; ++it) {
      found.push_back(it->second);
      parents.push_back(it->second.pid);
    }
  }
  return found;
}

// The launchers of this process, and what they have started: workers, and inits of sandboxes.
inline std::vector<pid_t> launchers() {
  std::vector<pid_t> found;
  for (const ProcessInfo& info : all_processes())
    if (info.parent == getpid() && info.name == "lambed-worker" && info.state != 'Z')
      found.push_back(info.pid);
  return found;
}
// Not what makes images for /tmp beside each launcher.
inline std::vector<pid_t> worker_processes() {
  std::vector<pid_t> found;
  for (const pid_t launcher : launchers()) {
    for (const ProcessInfo& info : processes_below(launcher))
      if (info.name != "lambed-images" && info.name != "mke2fs") found.push_back(info.pid);
  }
  return found;
}

inline std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* folder = opendir("/proc/self/fd");
  while (folder != nullptr && readdir(folder) != nullptr) ++count;
  if (folder != nullptr) closedir(folder);
  return count;
}

struct WorkersFixture : ScriptedFixture {
  WorkersFixture() {
    ::chmod(code.path().c_str(), 0755);  // functions run as a user of their own, who must be able to read it
    gateway.emplace(options());
  }
  ~WorkersFixture() {
    gateway.reset();
    BOOST_CHECK_MESSAGE(await([] { return worker_processes().empty(); }),
                        worker_processes().size() << " processes of workers were left behind");
  }

  // Without a stock, so that every process is one of a function's; stock_test.cc is about those that wait.
  GatewayOptions options() const {
    GatewayOptions without = ScriptedFixture::options();
    without.worker_stock = 0;
    return without;
  }
  CreateFunctionRequest isolated(const std::string& name, const std::string& script) const {
    CreateFunctionRequest request = function(name, script);
    request.isolation = Isolation::kProcess;
    if (kIsSanitized) request.memory_mb = 1024;  // a sanitizer's own memory counts as well
    return request;
  }
  void create(const std::string& name, const std::string& script) {
    gateway->create_function(isolated(name, script));
  }
  InvokeResult invoke(const std::string& name, const std::string& payload = "{}") {
    return gateway->invoke({.function = name, .payload = payload});
  }
  InvokeResult run(const std::string& name, const std::string& script) {
    return invoke(name, do_script(script));
  }
  std::future<InvokeResult> start(const std::string& name, const std::string& script) {
    return gateway->invoke_future({.function = name, .payload = do_script(script)});
  }
  void check_document(const InvokeResult& result, const std::string& type, const std::string& message) {
    BOOST_TEST(result.status_code == 200);
    BOOST_TEST(result.function_error == "Unhandled");
    const json seen = document(result);
    BOOST_TEST(seen.value("errorType", "") == type);
    BOOST_TEST(seen.value("errorMessage", "") == "RequestId: " + result.request_id + " Error: " + message);
  }
  std::optional<Gateway> gateway;
};

}  // namespace lambed::testing
