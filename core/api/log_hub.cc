#include "api/log_hub.h"

#include <algorithm>

namespace lambed::api {
namespace {

// Functions of one name in two accounts are two functions: the memory sink knows them by this.
std::string key_of(const std::string& scope, std::string_view function) {
  return scope + "/" + std::string(function);
}

std::string line_of(std::string_view text) {
  std::string line(text);
  if (!line.empty() && line.back() != '\n') line += '\n';
  return line;
}

}  // namespace

class LogHub::ScopeSink final : public LogSink {
 public:
  ScopeSink(LogHub& hub, std::string scope) : hub_(hub), scope_(std::move(scope)) {}
  void write(const LogRecord& record) override { hub_.write(scope_, record); }

 private:
  LogHub& hub_;
  const std::string scope_;
};

std::shared_ptr<LogSink> LogHub::sink_for(std::string scope) {
  return std::make_shared<ScopeSink>(*this, std::move(scope));
}

void LogHub::write(const std::string& scope, const LogRecord& record) {
  if (next_ != nullptr) next_->write(record);
  LogRecord kept = record;
  const std::string key = key_of(scope, record.function_name);
  kept.function_name = key;
  kept_.write(kept);
  if (following_.load(std::memory_order_relaxed) == 0) return;
  std::lock_guard lock(mutex_);
  const auto gone = std::remove_if(followers_.begin(), followers_.end(), [&](const Follower& follower) {
    if (follower.scope != scope || follower.function != record.function_name) return false;
    return !follower.stream->write(line_of(record.text));
  });
  followers_.erase(gone, followers_.end());
  following_.store(static_cast<int>(followers_.size()), std::memory_order_relaxed);
}

std::string LogHub::text_of(const std::string& scope, std::string_view function,
                            std::chrono::system_clock::time_point since) const {
  std::string text;
  for (const StoredLogRecord& record : kept_.records(key_of(scope, function))) {
    if (record.time >= since) text += line_of(record.text);
  }
  return text;
}

void LogHub::follow(std::string scope, std::string function, std::shared_ptr<http::BodyStream> stream) {
  std::lock_guard lock(mutex_);
  if (ended_) return stream->end();
  followers_.push_back({std::move(scope), std::move(function), std::move(stream)});
  following_.store(static_cast<int>(followers_.size()), std::memory_order_relaxed);
}

void LogHub::end_followers() {
  std::lock_guard lock(mutex_);
  ended_ = true;
  for (const Follower& follower : followers_) follower.stream->end();
  followers_.clear();
  following_.store(0);
}

void LogHub::notice(const std::string& text) const {
  if (next_ == nullptr) return;
  LogRecord record{};
  record.kind = LogKind::kNotice;
  record.time = std::chrono::system_clock::now();
  record.text = text;
  next_->write(record);
}

}  // namespace lambed::api
