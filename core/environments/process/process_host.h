// Isolation `process` as a host: what EnvironmentPool opens environments with, like a language's host in this process. There is
// one for each set of a language, its options (interpreters of different versions are different sets) and the size of the stock,
// with one launcher.
//
// Threads: any. The hosts live as long as the process; a launcher that has ended is replaced when it is needed next.
#pragma once

#include <map>
#include <memory>
#include <mutex>
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

  // Starts a launcher unless one lives. Blocks as long as an interpreter takes to start.
  Result<void> be_ready(const environments::HostOptions& options, bool strict);

  Result<void> start_launcher(const environments::HostOptions& options);  // with mutex_ held

  const int worker_stock_;
  std::mutex mutex_;  // guards launcher_; held while one starts
  std::shared_ptr<Launcher> launcher_;
};

// The host for a runtime, "python3.12", with its launcher running. `options` are those of GatewayOptions::host_options for the
// language; without an `interpreter` among them, one of the runtime's version is looked for. `worker_stock` and `strict`: see
// GatewayOptions. Errors: HostUnavailable.
Result<environments::Host*> process_host_for(std::string_view runtime,
                                             const environments::HostOptions& options, int worker_stock,
                                             bool strict);

}  // namespace lambed::process
