// Keeps the program's own output apart from what functions write.
#pragma once

#include <string>
#include <string_view>

namespace lambed::cli {

// All of standard input. Throws CommandError.
std::string read_standard_input();

// Writes all of it to standard output. Throws CommandError, for example when the disk is full.
void write_standard_output(std::string_view bytes);

// While it lives, file descriptor 1 leads to standard error and file descriptor 0 to an empty input: a
// handler that writes to them directly, or a child process that it starts, cannot mix with the payload nor
// wait for a person to type. One object at a time.
class ReservedOutput {
 public:
  ReservedOutput();
  ~ReservedOutput();
  ReservedOutput(const ReservedOutput&) = delete;
  ReservedOutput& operator=(const ReservedOutput&) = delete;

  // Writes all of it to the real standard output. Throws CommandError.
  void write(std::string_view bytes) const;

 private:
  int output_ = -1;
  int input_ = -1;
};

}  // namespace lambed::cli
