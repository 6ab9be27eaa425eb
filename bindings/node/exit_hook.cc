#include "exit_hook.h"

#include <node.h>
#include <unistd.h>

#include <cstdio>

namespace lambed::node_binding {
namespace {

int exit_status = 0;

}  // namespace

void end_before_v8(int status) {
  exit_status = status;
  v8::Isolate* isolate = v8::Isolate::GetCurrent();
  const v8::HandleScope scope(isolate);
  // Node-API's clean-up hooks do not run at process.exit and after an uncaught exception; these do.
  node::AtExit(
      node::GetCurrentEnvironment(isolate->GetCurrentContext()),
      [](void*) {
        std::fflush(nullptr);
        ::_exit(exit_status);
      },
      nullptr);
}

}  // namespace lambed::node_binding
