// Few inits at a time where all interpreters share one GIL.
//
// More inits side by side do not end sooner: they want the same lock, and each import of each of them also wants Python's
// process-wide import lock, dozens of times. Thirty at once then take longer than thirty in a row, too long for the limit that
// Lambda sets. So a few go ahead and the others wait, but not for long: an init may be one that sleeps.
#pragma once

#include <condition_variable>
#include <mutex>

namespace lambed::python {

// One environment's turn: from its making, which waits for it, to its end. Hold no interpreter's lock meanwhile.
class InitTurn {
 public:
  InitTurn();
  ~InitTurn();
  InitTurn(const InitTurn&) = delete;
  InitTurn& operator=(const InitTurn&) = delete;

 private:
  struct Turns {
    std::mutex mutex;  // guards under_way
    std::condition_variable changed;
    int under_way = 0;
  };
  static Turns& turns();
};

}  // namespace lambed::python
