#include "cli/standard_streams.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/exit_codes.h"

namespace lambed::cli {
namespace {

void write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      throw CommandError(
          fmt::format("the result could not be written to standard output: {}", std::strerror(errno)));
    }
  }
}

}  // namespace

std::string read_standard_input() {
  std::string text;
  char buffer[65536];
  while (true) {
    const ssize_t size = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (size == 0) return text;
    if (size > 0) {
      text.append(buffer, static_cast<std::size_t>(size));
    } else if (errno != EINTR) {
      throw CommandError(fmt::format("standard input: {}", std::strerror(errno)));
    }
  }
}

ReservedOutput::ReservedOutput() {
  output_ = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  input_ = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  const int empty = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (empty >= 0) {
    ::dup2(empty, STDIN_FILENO);
    ::close(empty);
  }
}

ReservedOutput::~ReservedOutput() {
  if (output_ >= 0) {
    ::dup2(output_, STDOUT_FILENO);
    ::close(output_);
  }
  if (input_ >= 0) {
    ::dup2(input_, STDIN_FILENO);
    ::close(input_);
  }
}

void ReservedOutput::write(std::string_view bytes) const { write_all(output_, bytes); }

void write_standard_output(std::string_view bytes) { write_all(STDOUT_FILENO, bytes); }

}  // namespace lambed::cli
