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


def compute(event, context):
    value = 1
    for _ in range(event["rounds"]):
        value = (value * 1103515245 + 12345) % 2147483648
    return value
)";

constexpr const char* kNodeSource = R"('use strict';
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

exports.handler = async (event) => event;

exports.hang = async (event) => {
  while (event !== 'warm') await sleep(10);
  return event;
};

exports.spin = async (event) => {
  while (event !== 'warm');
  return event;
};

exports.compute = async (event) => {
  let value = 1;
  for (let round = 0; round < event.rounds; round += 1) value = (Math.imul(value, 1103515245) + 12345) >>> 1;
  return value;
};
)";

constexpr const char* kRubySource = R"(def handler(event:, context:)
  event
end

def hang(event:, context:)
  sleep 0.01 while event != 'warm'
  event
end

def spin(event:, context:)
  nil while event != 'warm'
  event
end

def compute(event:, context:)
  value = 1
  event['rounds'].times { value = ((value * 1_103_515_245) + 12_345) % 2_147_483_648 }
  value
end
)";

constexpr const char* kRubyEntrance = R"(require ENV.fetch('FLOOR')

def handler(event:, context:)
  event
end
)";

}  // namespace

std::vector<const Subject*> all_subjects() {
  static const Subject kPython{
      "python",
      "python3.11",
      "app.py",
      kPythonSource,
      "",
      make_python_floor,
      {.back_to_back_ratio = 2.0, .back_to_back_large_ratio = 1.2, .cold_start_ratio = 1.3}};
  static const Subject kNode{"nodejs",
                             "nodejs18.x",
                             "app.js",
                             kNodeSource,
                             "",
                             make_node_floor,
                             {.back_to_back_ratio = 2.0, .cold_start_ratio = 1.2}};
  static const Subject kRuby{"ruby",
                             "ruby3.2",
                             "app.rb",
                             kRubySource,
                             kRubyEntrance,
                             make_ruby_floor,
                             {.over_floor_us = 50.0, .cold_start_ms = 2.0},
                             1};
  return {&kPython, &kNode, &kRuby};
}

const Subject* subject_of(const std::string& language) {
  for (const Subject* subject : all_subjects()) {
    if (language == subject->language || (language == "node" && subject->language == "nodejs"))
      return subject;
  }
  return nullptr;
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
