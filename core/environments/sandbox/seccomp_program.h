// The system calls that an environment may make, as a program for the kernel: compiled once, installed in every child.
//
// It is a list of what is allowed; anything else, also what a later kernel brings, answers ENOSYS, so that libraries take the
// way they have for older kernels. What is known and refused for a reason answers EPERM. Other architectures' calls (32 bit,
// x32) end the process.
#pragma once

#include <linux/filter.h>

#include <vector>

#include "base/result.h"

namespace lambed::sandbox {

struct SeccompChoice {
  // connect(2), and listen(2) where it is not refused, are made by init on the caller's behalf (connector.h).
  bool supervise_connections = true;
  // Without namespaces: no listening, no System V objects and message queues, no changes to other processes.
  bool shares_the_machine = false;
  // Landlock before its version 3 (Linux 6.2) lets files be emptied that may not be written: refused are truncate(2) and
  // O_TRUNC without the right to write.
  bool refuse_unchecked_truncation = false;
  bool refuse_unseen_memory = false;  // memfd_create, shmget: memory that no process's figures show
};

class SeccompProgram {
 public:
  static Result<SeccompProgram> compile(const SeccompChoice& choice);

  // For the calling thread, and all it starts. Needs no_new_privs. Returns the listener for supervised calls (or -1 when the
  // program has none); -1 with errno set to other than 0 on failure.
  int install() const;

 private:
  std::vector<sock_filter> program_;
  bool listens_ = false;
};

}  // namespace lambed::sandbox
