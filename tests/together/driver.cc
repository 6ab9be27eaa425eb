// together_driver ORDER SCENARIO: one scenario in a process of its own, ended by a return from main. Exit status 0: all as it
// should be; 1: not, and standard error says what; 2: wrong arguments.
#include <cstdio>
#include <exception>
#include <map>
#include <string>

#include "together/polyglot.h"
#include "together/scenarios.h"

namespace {

using namespace lambed::together;

const std::map<std::string, void (*)(const Order&)> kScenarios = {
    {"answers", answers},
    {"waits_side_by_side", waits_side_by_side},
    {"carries_a_pipeline", carries_a_pipeline},
    {"keeps_signals", keeps_signals},
    {"keeps_default_signals", keeps_default_signals},
    {"runs_children_in_turn", runs_children_in_turn},
    {"runs_children_at_once", runs_children_at_once},
    {"survives_closed_pipes", survives_closed_pipes},
    {"agrees_on_digests", agrees_on_digests},
    {"exchanges_ciphertexts", exchanges_ciphertexts},
    {"exchanges_compressed_data", exchanges_compressed_data},
    {"gives_environments_back", gives_environments_back},
    {"gives_gateways_back", gives_gateways_back},
};

}  // namespace

int main(int count, char** words) {
  const auto scenario = count == 3 ? kScenarios.find(words[2]) : kScenarios.end();
  if (scenario == kScenarios.end()) {
    std::fprintf(stderr, "usage: together_driver LANGUAGE,... SCENARIO\n");
    return 2;
  }
  try {
    scenario->second(parse_order(words[1]));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s %s: %s\n", words[1], words[2], error.what());
    return 1;
  }
  return 0;
}
