// What the bootstrap, which is Python, asks of this host: the object `host` in its globals.
#pragma once

#include <memory>
#include <string>

#include "environment_settings.h"
#include "interruption.h"
#include "memory.h"
#include "output.h"
#include "python_api.h"

namespace lambed::python {

// The environment as its interpreter's code can reach it. Members without a comment never change; the others belong to
// whoever holds the interpreter's lock. Lives as long as the interpreter, which threads of the function can keep alive.
struct NativeState {
  std::shared_ptr<Output> output;
  std::shared_ptr<Interruption> interruption;
  std::shared_ptr<MemoryAccount> account;
  Ref stop_exception;      // the class of what interruptions raise; none while the interpreter ends
  Ref request_id;          // of the present invocation
  Ref tenant_id;           // str or None
  bool is_forked = false;  // this process is a child that the function made by os.fork
  std::string
      refused_module;  // the first extension module of this init or invocation that wanted the main interpreter
};

struct BootstrapFacts {
  bool is_main;
  bool is_worker;  // the process is the function's own
  bool in_node;
  bool own_folder;  // this thread's working directory is its own
};

// The members of `host`: a dictionary; null with an exception set.
Ref make_host_members(PythonLock& lock, const std::shared_ptr<NativeState>& state,
                      const EnvironmentSettings& settings, const BootstrapFacts& facts);

}  // namespace lambed::python
