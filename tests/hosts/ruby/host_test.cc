#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <chrono>

#include "hosts/ruby/ruby_host.h"

using namespace lambed::testing;

struct StopsRubyAtTheEnd {
  ~StopsRubyAtTheEnd() {
    delete ruby_slot();
    ruby_slot() = nullptr;
  }
};
BOOST_TEST_GLOBAL_FIXTURE(StopsRubyAtTheEnd);

BOOST_AUTO_TEST_SUITE(ruby_host)

BOOST_AUTO_TEST_CASE(a_handler_answers_with_its_event) {
  const RubyFunction function("def handler(event:, context:)\n  { got: event }\nend\n");
  const HarnessEnvironment environment = function.open();
  const Outcome outcome = environment.invoke(R"({"name":"Ada","list":[1,2.5,null,true]})");
  BOOST_REQUIRE_EQUAL(outcome.kind, LAMBED_OUTCOME_SUCCESS);
  BOOST_TEST(outcome.payload == R"({"got":{"name":"Ada","list":[1,2.5,null,true]}})");
  environment.close();
}

BOOST_AUTO_TEST_SUITE_END()
