// What together_driver can be asked to do. Each scenario throws Failure when something is not as it should be, and may write
// figures to standard output. `order`: the languages in the order in which their hosts start.
#pragma once

#include <string>
#include <vector>

namespace lambed::together {

using Order = std::vector<std::string>;

// scenario_load.cc
void answers(const Order& order);
void waits_side_by_side(const Order& order);
void carries_a_pipeline(const Order& order);

// scenario_signals.cc
void keeps_signals(const Order& order);
void keeps_default_signals(const Order& order);

// scenario_children.cc
void runs_children_in_turn(const Order& order);
void runs_children_at_once(const Order& order);
void survives_closed_pipes(const Order& order);

// scenario_libraries.cc
void agrees_on_digests(const Order& order);
void exchanges_ciphertexts(const Order& order);
void exchanges_compressed_data(const Order& order);

// scenario_memory.cc
void gives_environments_back(const Order& order);
void gives_gateways_back(const Order& order);

}  // namespace lambed::together
