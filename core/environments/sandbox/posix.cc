#include "environments/sandbox/posix.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <vector>

namespace lambed::sandbox {

Error system_error(const std::string& what, int error_number) {
  return {ErrorCode::ServiceException, fmt::format("{}: {}", what, std::strerror(error_number))};
}

std::string text_of_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  if (!file.is_open()) return text;
  char piece[4096];
  for (;;) {
    const ssize_t got = ::read(file.get(), piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(piece, static_cast<std::size_t>(got));
  }
}

namespace {

int write_once(int fd, std::string_view text) {
  if (fd < 0) return errno;
  const Descriptor file(fd);
  for (;;) {
    const ssize_t put = ::write(file.get(), text.data(), text.size());
    if (put >= 0) return static_cast<std::size_t>(put) == text.size() ? 0 : EIO;
    if (errno != EINTR) return errno;
  }
}

}  // namespace

int write_to(const std::string& path, std::string_view text) {
  return write_once(::open(path.c_str(), O_WRONLY | O_CLOEXEC), text);
}

int write_to(int folder, const char* name, std::string_view text) {
  return write_once(::openat(folder, name, O_WRONLY | O_CLOEXEC), text);
}

unsigned long long number_after(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.starts_with(key)) continue;
    line.remove_prefix(key.size());
    if (line.empty() || (line.front() != ' ' && line.front() != ':' && line.front() != '\t')) continue;
    const std::size_t digit = line.find_first_of("0123456789");
    if (digit == std::string_view::npos) return 0;
    unsigned long long value = 0;
    std::from_chars(line.data() + digit, line.data() + line.size(), value);
    return value;
  }
  return 0;
}

unsigned long long start_time_of(int pid) {
  const std::string text = text_of_file(fmt::format("/proc/{}/stat", pid));
  // The second field is a name in brackets that may hold anything; the start time is the 20th after it.
  std::size_t at = text.rfind(')');
  if (at == std::string::npos) return 0;
  for (int field = 0; field < 20 && at != std::string::npos; ++field) at = text.find(' ', at + 1);
  if (at == std::string::npos) return 0;
  if (const std::size_t state = text.rfind(')') + 2; text[state] == 'Z' || text[state] == 'X') return 0;
  unsigned long long value = 0;
  std::from_chars(text.data() + at + 1, text.data() + text.size(), value);
  return value;
}

namespace {

unsigned long long own_pid_namespace() {
  struct stat found {};
  return ::stat("/proc/self/ns/pid", &found) == 0 ? found.st_ino : 0;
}

}  // namespace

std::string own_mark() {
  return fmt::format("{}.{}.{}", ::getpid(), start_time_of(::getpid()), own_pid_namespace());
}

MarkState state_of_mark(std::string_view mark) {
  unsigned long long numbers[3] = {};
  const char* at = mark.data();
  const char* end = mark.data() + mark.size();
  for (int i = 0; i < 3; ++i) {
    const auto [next, error] = std::from_chars(at, end, numbers[i]);
    const bool last = i == 2;
    if (error != std::errc() || (last ? next != end : (next == end || *next != '.')))
      return MarkState::kElsewhere;
    at = last ? next : next + 1;
  }
  if (numbers[2] != own_pid_namespace()) return MarkState::kElsewhere;
  return start_time_of(static_cast<int>(numbers[0])) == numbers[1] ? MarkState::kAlive : MarkState::kDead;
}

}  // namespace lambed::sandbox
