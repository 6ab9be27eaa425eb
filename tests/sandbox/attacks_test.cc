// Every attack of the lists, as root and as nobody, in every layer that this machine has.
#include <fmt/format.h>
#include <unistd.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "environments/sandbox/landlock.h"
#include "sandbox/stage.h"

namespace lambed::testing {
namespace {

using sandbox::Layer;

bool is_one_of(const std::string& outcome, const std::string& alternatives) {
  return ("|" + alternatives + "|").find("|" + outcome + "|") != std::string::npos;
}

const char* expected(const Attack& attack, Layer layer) {
  if (layer == Layer::kUserNamespace) return attack.in_user_namespace;
  return layer == Layer::kBare ? attack.in_bare : attack.in_root_layers;
}

std::size_t attack_all(Layer layer, bool as_root, const std::vector<Attack>& attacks, bool prepared,
                       const sandbox::Network& network) {
  const Performance performance = play(layer, as_root, attacks, prepared, network);
  const std::string where = fmt::format("{} in '{}'{}", as_root ? "root" : "nobody", sandbox::name_of(layer),
                                        prepared ? ", prepared" : "");
  BOOST_TEST(performance.problem.empty(), where << ": " << performance.problem);
  const bool has_user_namespaces = user_namespaces_can_be_had();
  const bool has_scopes = sandbox::landlock_version() >= 6;
  std::size_t played = 0;
  for (const Attack& attack : attacks) {
    if (attack.needs_root && !as_root) continue;
    const auto found = performance.played.find(attack.name);
    if (found == performance.played.end()) {
      BOOST_ERROR(where << ": '" << attack.name << "' was not played");
      continue;
    }
    const std::string& control = found->second.control;
    const bool is_out_of_the_question =
        (attack.uses_user_namespace && !has_user_namespaces && control == "EPERM") ||
        (attack.is_newer && control == "EPERM") || control == "ENOSYS";  // a kernel without the call
    BOOST_TEST(
        (found->second.control == "done" || is_out_of_the_question),
        where << ": '" << attack.name << "' must work where nothing stops it: " << found->second.control);
    const bool is_a_known_gap =
        layer == Layer::kBare && !has_scopes && is_one_of(found->second.inside, attack.without_scopes);
    BOOST_TEST((is_a_known_gap || is_one_of(found->second.inside, expected(attack, layer))),
               where << ": '" << attack.name << "' ended as " << found->second.inside << ", not as "
                     << expected(attack, layer));
    ++played;
  }
  return played;
}

void attack_everywhere(const std::vector<Attack>& attacks, bool prepared = false,
                       const sandbox::Network& network = {}) {
  BOOST_REQUIRE_MESSAGE(::geteuid() == 0, "these tests must run as root: they become other users");
  for (const auto& stage : stages()) {
    if (prepared && stage.first == Layer::kBare) continue;  // there, none are
    const std::size_t played = attack_all(stage.first, stage.second, attacks, prepared, network);
    BOOST_TEST_MESSAGE(fmt::format("{} attacks as {} in '{}'", played, stage.second ? "root" : "nobody",
                                   sandbox::name_of(stage.first)));
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(attacks)

BOOST_AUTO_TEST_CASE(files_of_the_machine_are_out_of_reach) { attack_everywhere(attacks_on_files()); }
BOOST_AUTO_TEST_CASE(processes_of_others_are_out_of_reach) { attack_everywhere(attacks_on_processes()); }
BOOST_AUTO_TEST_CASE(resources_end_at_their_limits) { attack_everywhere(attacks_on_resources()); }
BOOST_AUTO_TEST_CASE(the_kernel_offers_no_way_out) { attack_everywhere(attacks_on_kernel()); }
BOOST_AUTO_TEST_CASE(the_network_is_shut_where_it_must_be) { attack_everywhere(attacks_on_network()); }
BOOST_AUTO_TEST_CASE(datagrams_go_where_they_may) { attack_everywhere(attacks_on_datagrams()); }
BOOST_AUTO_TEST_CASE(a_security_group_lets_out_to_nothing_else) {
  attack_everywhere(attacks_on_egress(), false, network_of_group());
}
BOOST_AUTO_TEST_CASE(who_waited_for_its_function_reaches_no_more_files) {
  attack_everywhere(attacks_on_files(), true);
}
BOOST_AUTO_TEST_CASE(who_waited_for_its_function_reaches_no_more_processes) {
  attack_everywhere(attacks_on_processes(), true);
}
BOOST_AUTO_TEST_CASE(who_waited_for_its_function_finds_no_other_way_out) {
  attack_everywhere(attacks_on_kernel(), true);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace lambed::testing
