#include "storage/committer.h"

#include <pthread.h>
#include <sqlite3.h>

#include <utility>

namespace lambed::storage {
namespace {

class FunctionJob final : public Committer::Job {
 public:
  FunctionJob(Committer::Change change, Committer::Settled settled)
      : change_(std::move(change)), settled_(std::move(settled)) {}
  void change(Connection& connection) override { change_(connection); }
  void settled(Commit commit) override { settled_(commit); }

 private:
  const Committer::Change change_;
  const Committer::Settled settled_;
};

}  // namespace

Committer::Committer(std::unique_ptr<Connection> connection, std::size_t most_together)
    : connection_(std::move(connection)), most_together_(most_together), thread_([this] { run(); }) {}

Committer::~Committer() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wakes_.notify_all();
  thread_.join();
}

void Committer::submit(Change change, Settled settled) {
  submit(std::make_unique<FunctionJob>(std::move(change), std::move(settled)));
}

void Committer::submit(std::unique_ptr<Job> job) {
  {
    std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  wakes_.notify_one();
}

std::string Committer::trouble() const {
  std::lock_guard lock(mutex_);
  return trouble_;
}

std::uint64_t Committer::commits() const {
  std::lock_guard lock(mutex_);
  return commits_;
}

void Committer::note(const std::string& trouble) {
  std::lock_guard lock(mutex_);
  trouble_ = trouble;
  if (trouble.empty()) ++commits_;
}

Commit Committer::commit(Jobs& jobs) {
  try {
    connection_->run("BEGIN IMMEDIATE");
    for (const auto& job : jobs) job->change(*connection_);
    connection_->run("COMMIT");
    note({});
    return Commit::kDone;
  } catch (const Failure& failure) {
    note(failure.what());
    // SQLite rolls back by itself after some errors and not after others.
    bool is_undone = ::sqlite3_get_autocommit(connection_->get()) != 0;
    if (!is_undone) {
      is_undone = ::sqlite3_exec(connection_->get(), "ROLLBACK", nullptr, nullptr, nullptr) == SQLITE_OK;
    }
    return failure.is_refusal() && is_undone ? Commit::kRefused : Commit::kUnknown;
  }
}

void Committer::run() {
  pthread_setname_np(pthread_self(), "lambed-commit");
  std::unique_lock lock(mutex_);
  for (;;) {
    wakes_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    Jobs jobs;
    while (!jobs_.empty() && jobs.size() < most_together_) {
      jobs.push_back(std::move(jobs_.front()));
      jobs_.pop_front();
    }
    lock.unlock();
    Commit end = commit(jobs);
    if (end == Commit::kDone || jobs.size() == 1) {
      for (const auto& job : jobs) job->settled(end);
    } else {
      // One large change must not take the small ones down with it.
      while (!jobs.empty()) {
        Jobs alone;
        alone.push_back(std::move(jobs.front()));
        jobs.pop_front();
        end = commit(alone);
        alone.front()->settled(end);
      }
    }
    jobs.clear();
    lock.lock();
  }
}

}  // namespace lambed::storage
