// How much slower than a machine the one is that tests run on: 1, or what LAMBED_TEST_SLOWNESS says, as `./dev machine` does of a
// processor that is emulated. For limits of time that are asserted or given to functions.
#pragma once

#include <algorithm>
#include <cstdlib>

namespace lambed::testing {

inline int slowness() {
  const char* said = std::getenv("LAMBED_TEST_SLOWNESS");
  return said == nullptr ? 1 : std::max(1, std::atoi(said));
}

}  // namespace lambed::testing
