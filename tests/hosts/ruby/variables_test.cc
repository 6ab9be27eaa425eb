#include <stdlib.h>

#include <boost/test/unit_test.hpp>

#include "hosts/ruby/ruby_host.h"

using namespace lambed::testing;
using nlohmann::json;

BOOST_AUTO_TEST_SUITE(ruby_variables)

BOOST_AUTO_TEST_CASE(env_is_the_functions_own) {
  setenv("LAMBED_TEST_SECRET", "the application's", 1);
  RubyFunction function("AT_LOAD = ENV['COLOUR']\ndef handler(event:, context:) = eval(event['code'])\n");
  function.spec.variables = {{"COLOUR", "blue"}, {"PATH", "/usr/bin:/bin"}};
  const HarnessEnvironment environment = function.open();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[AT_LOAD, ENV['COLOUR'], ENV['LAMBED_TEST_SECRET']]", R"(["blue","blue",null])"},
      {"ENV.to_h", R"({"COLOUR":"blue","PATH":"/usr/bin:/bin"})"},
      {"ENV.fetch('NONE', 'default')", R"("default")"},
      {"ENV.fetch('NONE') { |name| name.downcase }", R"("none")"},
      {"ENV.key?('COLOUR') && ENV.include?('PATH') && !ENV.has_key?('NONE')", "true"},
      {"ENV.map { |name, value| name + value.size.to_s }", R"(["COLOUR4","PATH13"])"},
      {"ENV.select { |name, _| name == 'COLOUR' }", R"({"COLOUR":"blue"})"},
      {"ENV['ADDED'] = 'x'; ENV.delete('ADDED')", R"("x")"},
      {"ENV.update('M' => '1').values_at('M'); ENV['M'] = nil; ENV.size", "2"},
      {"ENV.sort.first", R"(["COLOUR","blue"])"},
      {"ENV.each_pair.to_a.size", "2"},
      {"ENV.to_s", R"("ENV")"},
      {"ENV.find { |_, value| value == 'blue' }", R"(["COLOUR","blue"])"},
      {"begin; ENV[:symbol]; rescue TypeError => e; e.message; end",
       R"("no implicit conversion of Symbol into String")"},
      {"begin; ENV['A'] = 1; rescue TypeError => e; e.message; end",
       R"("no implicit conversion of Integer into String")"},
      {"begin; ENV.fetch('NONE'); rescue KeyError => e; e.message; end", R"("key not found: \"NONE\"")"},
      {"ENV['COLOUR'].frozen?", "true"},
  };
  for (const auto& [code, expected] : cases) {
    BOOST_TEST_CONTEXT(code) {
      BOOST_TEST(environment.invoke(json{{"code", code}}.dump()).payload == expected);
    }
  }
  environment.close();
  BOOST_TEST(getenv("COLOUR") == nullptr);
  unsetenv("LAMBED_TEST_SECRET");
}

BOOST_AUTO_TEST_CASE(environments_of_one_function_do_not_share_changes) {
  RubyFunction function(
      "def handler(event:, context:)\n  ENV['X'] = event['x'] if event['x']\n  Thread.new { ENV['X'] "
      "}.value\nend\n");
  function.spec.variables = {{"X", "start"}};
  const HarnessEnvironment first = function.open();
  const HarnessEnvironment second = function.open();
  BOOST_TEST(first.invoke(R"({"x":"changed"})").payload == R"("changed")");
  BOOST_TEST(second.invoke("{}").payload == R"("start")");
  BOOST_TEST(first.invoke("{}").payload == R"("changed")");
  first.close();
  second.close();
}

BOOST_AUTO_TEST_SUITE_END()
