// The one writer of a database: changes of many threads share transactions, and each is told when its own is on the disk.
//
// Threads: submit from any thread; jobs and answers run on the committer's thread, one after the other, in the order in which
// they were submitted. Life: the destructor commits what was submitted, then ends the thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "storage/sqlite.h"

namespace lambed::storage {

enum class Commit {
  kDone,     // it is on the disk
  kRefused,  // it did not happen: the disk is full or read-only
  kUnknown   // an error of the disk on the way: look again to find out
};

class Committer {
 public:
  // Makes a change within a transaction that others share; throws Failure. May be called a second time, when what came with it
  // has failed and everything of the first time was undone.
  using Change = std::function<void(Connection&)>;
  using Settled = std::function<void(Commit)>;
  // The same as an object, for changes that come by the ten thousand.
  class Job {
   public:
    virtual ~Job() = default;
    virtual void change(Connection& connection) = 0;
    virtual void settled(Commit commit) = 0;
  };

  // So many changes share a transaction at most: whoever comes first does not wait for ever more others.
  static constexpr std::size_t kMostTogether = 256;

  explicit Committer(std::unique_ptr<Connection> connection, std::size_t most_together = kMostTogether);
  ~Committer();
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  void submit(Change change, Settled settled);
  void submit(std::unique_ptr<Job> job);
  // The last failure's words; empty again after a commit.
  std::string trouble() const;
  std::uint64_t commits() const;

 private:
  using Jobs = std::deque<std::unique_ptr<Job>>;

  void run();
  Commit commit(Jobs& jobs);
  void note(const std::string& trouble);

  const std::unique_ptr<Connection> connection_;
  const std::size_t most_together_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wakes_;
  Jobs jobs_;
  std::string trouble_;
  std::uint64_t commits_ = 0;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace lambed::storage
