// Isolation `process` as a host: what EnvironmentPool opens environments with, like a language's host in this process. There is
// one for each set of a language, its options (interpreters of different versions are different sets) and the size of the stock,
// with one launcher.
//
// Threads: any. The hosts live as long as the process; a launcher that has ended is replaced when it is needed next.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "environments/host_registry.h"
#include "environments/process/launcher.h"

namespace lambed::process {

class ProcessHost final : public environments::Host {
 public:
  Result<void> open(environments::Environment& environment, const lambed_environment_options& options,
                    lambed_environment** handle) override;

 private:
  friend class ProcessHosts;  // process_host.cc: all there are
  ProcessHost(std::string language, int worker_stock);

  // Into the log, with what is said when an environment opens; once.
  void note(const std::string& message);
  // Starts a launcher unless one lives. Blocks as long as an interpreter takes to start.
  Result<void> be_ready(const environments::HostOptions& options, bool strict);

  // With mutex_ held.
  Result<void> start_launcher(const environments::HostOptions& options);
  Result<void> start_launcher_in_node(const std::string& node, const environments::HostOptions& options);
  Result<void> launch(Launcher::Options wanted, const environments::HostOptions& options);

  const int worker_stock_;
  std::mutex mutex_;  // guards what follows; held while a launcher starts
  std::shared_ptr<Launcher> launcher_;
  std::set<std::string> notes_;
};

// The host for a runtime, "python3.12", with its launcher running. `options` are those of GatewayOptions::host_options for the
// language; without an `interpreter` among them, one of the runtime's version is looked for; where there is no such `node`, it is
// libnode, which the log then says. `worker_stock` and `strict`: see
// GatewayOptions. Errors: HostUnavailable.
Result<environments::Host*> process_host_for(std::string_view runtime,
                                             const environments::HostOptions& options, int worker_stock,
                                             bool strict);

}  // namespace lambed::process
