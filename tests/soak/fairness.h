// Whether one language starves another.
#pragma once

namespace lambed::soak {

// Measures each language alone and all three at once, in turns, for `seconds` each. True when each keeps at least 70 % of a
// third of its solo rate. Prints the rates.
bool measure_fairness(int seconds);

}  // namespace lambed::soak
