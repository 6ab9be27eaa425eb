// The floor: what a call costs at least, in a language. The bare interpreter through its C API, without
// anything of ours.
//
// A floor lives in the same process as the gateway it is compared with and shares the interpreter that the
// gateway's host has started. One file per language: floor_<language>.cc.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "figures.h"

namespace bench {

// A thread's own environment with the handler loaded. Opened, used and closed by one thread; between `enter`
// and `leave` that thread holds the interpreter's lock.
class Lane {
 public:
  virtual ~Lane() = default;
  virtual void enter() = 0;
  virtual void leave() = 0;
  // Parses the event, calls the handler, serialises its result: the size of the answer. Ends the program on a
  // failure.
  virtual std::size_t call(std::string_view event) = 0;
};

class Floor {
 public:
  virtual ~Floor() = default;
  virtual std::string version() const = 0;
  // Whether environments take turns at one lock.
  virtual bool shares_one_lock() const = 0;
  // `app.handler` of that folder. The lane is not entered yet.
  virtual std::unique_ptr<Lane> open_lane(const std::string& folder) = 0;
};

// The interpreter must be running in this process (a gateway has invoked a function of that language) unless
// `start` asks to start it here. Throws std::runtime_error with the cause.
std::unique_ptr<Floor> make_python_floor(bool start);

}  // namespace bench
