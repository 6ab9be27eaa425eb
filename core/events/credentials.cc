#include "events/credentials.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>

namespace lambed::events {

namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view white = " \t\r";
  const auto first = text.find_first_not_of(white);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(white) + 1 - first);
}

std::string of_process(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

std::optional<Credentials> credentials_in(const std::string& text, const std::string& profile) {
  Credentials found;
  bool is_ours = false;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::string_view content = trimmed(line);
    if (content.empty() || content.front() == '#' || content.front() == ';') continue;
    if (content.front() == '[') {
      const auto end = content.find(']');
      std::string_view name = trimmed(content.substr(1, end == std::string_view::npos ? end : end - 1));
      if (name.starts_with("profile ")) name = trimmed(name.substr(8));
      is_ours = name == profile;
      continue;
    }
    const auto equals = content.find('=');
    if (!is_ours || equals == std::string_view::npos) continue;
    const std::string_view name = trimmed(content.substr(0, equals));
    const std::string value(trimmed(content.substr(equals + 1)));
    if (name == "aws_access_key_id") found.access_key_id = value;
    if (name == "aws_secret_access_key") found.secret_access_key = value;
    if (name == "aws_session_token") found.session_token = value;
  }
  if (found.access_key_id.empty() || found.secret_access_key.empty()) return std::nullopt;
  return found;
}

CredentialSource::CredentialSource() : CredentialSource(of_process) {}

CredentialSource::CredentialSource(const Environment& environment) {
  Credentials given{environment("AWS_ACCESS_KEY_ID"), environment("AWS_SECRET_ACCESS_KEY"),
                    environment("AWS_SESSION_TOKEN")};
  if (!given.access_key_id.empty() && !given.secret_access_key.empty()) given_ = std::move(given);
  profile_ = environment("AWS_PROFILE");
  if (profile_.empty()) profile_ = "default";
  file_ = environment("AWS_SHARED_CREDENTIALS_FILE");
  if (const std::string home = environment("HOME"); file_.empty() && !home.empty())
    file_ = home + "/.aws/credentials";
}

std::optional<Credentials> CredentialSource::current(std::string* why) {
  if (given_) return given_;
  struct stat state {};
  const bool is_there = !file_.empty() && ::stat(file_.c_str(), &state) == 0;
  std::lock_guard lock(mutex_);
  if (!is_there) {
    last_.reset();
  } else {
    const std::int64_t changed = state.st_mtim.tv_sec * 1'000'000'000 + state.st_mtim.tv_nsec;
    if (!last_ || last_->changed_ns != changed || last_->size != state.st_size) {
      std::ifstream file(file_);
      const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
      last_ = Read{changed, state.st_size, credentials_in(text, profile_)};
    }
  }
  if (last_ && last_->found) return last_->found;
  if (why != nullptr) {
    *why = fmt::format(
        "no credentials for AWS: neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment nor "
        "the profile '{}' "
        "in {}",
        profile_, file_.empty() ? "~/.aws/credentials" : file_);
  }
  return std::nullopt;
}

}  // namespace lambed::events
