#include "sitting.h"

#include <cstdio>
#include <cstdlib>

namespace bench {
namespace {

constexpr const char* kPythonSource = R"(import time


def handler(event, context):
    return event


def hang(event, context):
    while event != "warm":
        time.sleep(0.01)
    return event


def spin(event, context):
    while event != "warm":
        pass
    return event
)";

}  // namespace

const Subject* subject_of(const std::string& language) {
  static const Subject kPython{"python", "python3.11", "app.py", kPythonSource, make_python_floor};
  return language == kPython.language ? &kPython : nullptr;
}

void Sitting::create(const std::string& name, const std::string& handler, int timeout_s) const {
  gateway.create_function({.name = name,
                           .runtime = subject.runtime,
                           .handler = handler,
                           .code = lambed::Code::directory(folder),
                           .timeout_s = timeout_s,
                           .memory_mb = 512});
}

std::string event_of(std::size_t size) {
  std::string event = R"({"version":"2.0","id":"8f7a1c6e","records":[)";
  const std::string record =
      R"({"key":"images/2025/11/photo.jpg","size":48213,"tags":["new","raw"],"ratio":1.5})";
  std::size_t count = 0;
  while (event.size() + record.size() + 3 < size) {
    if (count++ > 0) event += ',';
    event += record;
  }
  event += "]";
  if (event.size() + 10 < size) event += ",\"pad\":\"" + std::string(size - event.size() - 10, 'p') + "\"";
  return event + "}";
}

void expect_ok(const lambed::InvokeResult& result) {
  if (result.ok()) return;
  std::fprintf(stderr, "bench: an invocation failed: %s %s\n", result.error ? result.error->what() : "",
               result.payload.c_str());
  std::exit(1);
}

}  // namespace bench
