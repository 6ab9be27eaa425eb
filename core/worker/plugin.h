// The one host plugin of this process: loaded by the launcher, and by it or by each worker started.
//
// Threads: the first thread of the process.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "environments/channel/messages.h"
#include "lambed/host.h"

namespace lambed::worker {

class Plugin {
 public:
  // Loads it. Errors: what is wrong with the file.
  static Result<Plugin> load(const channel::Hello& hello);

  const lambed_host_api& api() const { return *api_; }
  // Whether workers are forked from the running interpreter; else each one starts its own.
  bool runs_before_fork() const;
  // Starts the interpreter. Errors: the host's own words.
  Result<void> start(const lambed_core& core) const;
  // Fills language, version and path.
  void describe(channel::Ready& ready) const;
  // Where the interpreter lies, so far as it is known.
  std::string interpreter_path() const;
  const std::string& path() const { return path_; }

 private:
  Plugin(const lambed_host_api* api, std::string path, channel::Pairs options)
      : api_(api), path_(std::move(path)), options_(std::move(options)) {}

  const lambed_host_api* api_;
  std::string path_;
  channel::Pairs options_;
};

}  // namespace lambed::worker
