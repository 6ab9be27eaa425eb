// The floor: what a call costs at least, in a language. The bare interpreter through its C or C++ API, without
// anything of ours.
//
// A floor lives in the same process as the gateway it is compared with and shares the interpreter that the
// gateway's host has started. One file per language: floor_<language>.cc. Python's is part of the program; Node's
// and Ruby's are modules of their own (floor_node.so, floor_ruby.so), because they need their interpreter's
// library where Python's finds every function by name.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "figures.h"

namespace bench {

// An environment with the handler loaded. Opened, used and closed by one thread, inside Floor::run.
class Lane {
 public:
  virtual ~Lane() = default;
  // Runs `work` while this thread holds the interpreter's lock. What `work` throws ends the program.
  virtual void hold(const std::function<void()>& work) = 0;
  // Only inside `hold`: parses the event, calls the handler, serialises its result: the size of the answer. Ends
  // the program on a failure.
  virtual std::size_t call(std::string_view event) = 0;
};

class Floor {
 public:
  virtual ~Floor() = default;
  virtual std::string version() const = 0;
  // Whether environments take turns at one lock.
  virtual bool shares_one_lock() const = 0;
  // Runs `work` on a thread that may open lanes, without the interpreter's lock, and returns when it has ended. The
  // calling thread, unless the interpreter knows its own threads only.
  virtual void run(const std::function<void()>& work) { work(); }
  // That function of the subject's file in that folder.
  virtual std::unique_ptr<Lane> open_lane(const std::string& folder, const std::string& function) = 0;
  std::unique_ptr<Lane> open_lane(const std::string& folder) { return open_lane(folder, "handler"); }
};

// The interpreter must be running in this process (a gateway has invoked a function of that language) unless
// `start` asks to start it here. Throw std::runtime_error with the cause.
std::unique_ptr<Floor> make_python_floor(bool start);
std::unique_ptr<Floor> make_node_floor(bool start);
std::unique_ptr<Floor> make_ruby_floor(bool start);

// The module of a floor, beside the program.
std::string floor_module(const std::string& language);
// What such a module exports: Floor* lambed_bench_floor(int start); it throws as the functions above do.
inline constexpr const char* kFloorEntry = "lambed_bench_floor";

[[noreturn]] inline void end_by_failure(const char* language, const std::string& cause) {
  std::fprintf(stderr, "bench: the floor of %s: %s\n", language, cause.c_str());
  std::_Exit(1);
}

}  // namespace bench
