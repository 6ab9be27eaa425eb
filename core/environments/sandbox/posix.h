// Small pieces of the kernel's interface that glibc 2.36 and Debian 12's headers do not have, and errors with a cause.
#pragma once

#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "base/result.h"

namespace lambed::sandbox {

// A ServiceException "<what>: <text of the error number>".
Error system_error(const std::string& what, int error_number);

// The whole of a small file, or nothing when it cannot be read (a file of /proc may be gone at any time).
std::string text_of_file(const std::string& path);
// One write(2), as /proc and cgroup files want it. 0, or errno.
int write_to(const std::string& path, std::string_view text);
int write_to(int folder, const char* name, std::string_view text);

// Value of "<key> <number>" or "<key>: <number>" lines; 0 when it is not there.
unsigned long long number_after(std::string_view text, std::string_view key);

// Since boot, in clock ticks; 0 when there is no such process. With the pid it names a process once and for all.
unsigned long long start_time_of(int pid);

// Names this process among all that ever ran on this machine since its start: "<pid>.<start time>.<pid namespace>".
std::string own_mark();
enum class MarkState {
  kAlive,
  kDead,
  kElsewhere
};  // kElsewhere: of another pid namespace, or no mark at all
MarkState state_of_mark(std::string_view mark);

}  // namespace lambed::sandbox
