// `--functions DIR`: every folder in DIR is a function, named as the folder, and is loaded anew when something in it changes.
// Threads: the constructor loads on the calling thread, a thread of its own watches. The Api must outlive it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "api/api.h"

namespace lambed::cli {

class FunctionFolders {
 public:
  // Throws CommandError when `folder` cannot be read. A folder in it that is no function is told of and left out.
  FunctionFolders(api::Api& api, std::string folder);
  ~FunctionFolders();
  FunctionFolders(const FunctionFolders&) = delete;
  FunctionFolders& operator=(const FunctionFolders&) = delete;

  std::size_t loaded() const { return loaded_.load(); }

 private:
  struct Known {
    std::string signature;
    std::string function;  // empty: it could not be loaded
  };

  void look();
  void load(const std::string& name, Known& known);
  void watch();
  void say(const std::string& text) const;

  api::Api& api_;
  const std::string folder_;
  std::map<std::string, Known> known_;  // by the folder's name; of the constructor, then of the thread
  std::atomic<std::size_t> loaded_{0};
  std::mutex mutex_;  // guards ending_
  std::condition_variable wakes_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace lambed::cli
