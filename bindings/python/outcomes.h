// Events that are over, on their way to a thread of Python's that calls the program's hooks: the core's own thread puts them in and
// touches nothing of Python.
#pragma once

#include <lambed/events.h>
#include <pybind11/pybind11.h>

#include <condition_variable>
#include <mutex>
#include <vector>

namespace lambed::bindings {

class Outcomes {
 public:
  void put(const EventOutcome& outcome);  // any thread; needs nothing of Python
  void end();                             // what was put in before is still taken

  // Those that have come, waiting for some with the GIL released; an empty list at the end. Needs the GIL.
  pybind11::list take();

 private:
  std::mutex mutex_;  // guards what follows
  std::condition_variable comes_;
  std::vector<EventOutcome> outcomes_;
  bool is_over_ = false;
};

}  // namespace lambed::bindings
