// Where the credentials for AWS come from: the environment, then a profile of the shared credentials file.
// Threads: any.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "events/outgoing_http.h"

namespace lambed::events {

class CredentialSource {
 public:
  using Environment = std::function<std::string(const char* name)>;  // "" for a variable that is not set

  // Reads AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE, AWS_SHARED_CREDENTIALS_FILE and HOME now:
  // another thread may change the environment later.
  explicit CredentialSource(const Environment& environment);
  // This process's environment.
  CredentialSource();

  // The variables when they are set, else the profile's keys; the file is read again when it has changed, so that keys may be
  // renewed while a gateway runs. nullopt: there are none; `why` says where they were looked for.
  std::optional<Credentials> current(std::string* why = nullptr);

 private:
  struct Read {
    std::int64_t changed_ns = 0;
    std::int64_t size = 0;
    std::optional<Credentials> found;
  };

  std::optional<Credentials> given_;
  std::string file_;
  std::string profile_;
  std::mutex mutex_;  // guards last_
  std::optional<Read> last_;
};

// The keys of one profile in the text of a shared credentials file. nullopt: not there, or not whole.
std::optional<Credentials> credentials_in(const std::string& text, const std::string& profile);

}  // namespace lambed::events
