// Ruby has one space of names for all functions of a process: what would overwrite the definitions of other code is refused.
#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "hosts/ruby/ruby_host.h"

using namespace lambed::testing;

namespace {

// A function whose handler answers with `expression`, and which requires helper.rb beside it.
struct HelpedFunction : RubyFunction {
  HelpedFunction(const std::string& name, const std::string& helper, const std::string& expression)
      : RubyFunction(name,
                     "require_relative 'helper'\ndef handler(event:, context:) = " + expression + "\n") {
    folder.write("helper.rb", helper);
  }
};

void expect_refusal(const Outcome& outcome, const std::string& first, const std::string& second) {
  BOOST_TEST(outcome.kind == LAMBED_OUTCOME_REFUSED);
  BOOST_TEST(outcome.discards());
  BOOST_TEST_CONTEXT(outcome.payload) {
    BOOST_TEST(outcome.payload.find("function '" + first + "'") != std::string::npos);
    BOOST_TEST(outcome.payload.find("'" + second + "'") != std::string::npos);
    BOOST_TEST(outcome.payload.find("use `process` isolation") != std::string::npos);
  }
}

struct Clashing {
  const char* what;
  const char* one;
  const char* other;
  const char* expression;
  const char* answer;  // of the one
};

const Clashing kClashes[] = {
    {"a class", "class Helper; def self.name_of = 'one'; end\n",
     "class Helper; def self.name_of = 'other'; end\n", "Helper.name_of", R"("one")"},
    {"a module", "module Helper; NAME = 'one'; end\n", "module Helper; NAME = 'other'; end\n", "Helper::NAME",
     R"("one")"},
    {"a nested class", "module Helper; class Deep; def name_of = 'one'; end; end\n",
     "module Helper; class Deep; def name_of = 'other'; end; end\n", "Helper::Deep.new.name_of", R"("one")"},
    {"a superclass", "class Helper < String; end\n", "class Helper < Array; end\n", "Helper.superclass.name",
     R"("String")"},
    {"a struct", "Helper = Struct.new(:a)\n", "Helper = Struct.new(:a, :b)\n", "Helper.members", R"(["a"])"},
    {"a constant", "HELPER_LIMIT = 1\n", "HELPER_LIMIT = 2\n", "HELPER_LIMIT", "1"},
    {"a method of every object", "def helper_name = 'one'\n", "def helper_name = 'other'\n", "helper_name",
     R"("one")"},
    {"a method of a class of Ruby", "class String; def helper_cry = 'one'; end\n",
     "class String; def helper_cry = 'other'; end\n", "''.helper_cry", R"("one")"},
    {"a global variable", "$helper_memory = 'one'\n", "$helper_memory = 'other'\n", "$helper_memory",
     R"("one")"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(ruby_clashes)

BOOST_AUTO_TEST_CASE(two_functions_that_define_the_same_are_told_apart) {
  for (const Clashing& clash : kClashes) {
    BOOST_TEST_CONTEXT(clash.what) {
      const HelpedFunction one("first", clash.one, clash.expression);
      const HelpedFunction other("second", clash.other, clash.expression);
      const HarnessEnvironment environment = one.open();
      BOOST_TEST(environment.invoke("{}").payload == clash.answer);
      expect_refusal(other.open_failing(), "second", "first");
      BOOST_TEST(environment.invoke("{}").payload == clash.answer);
      environment.close();
      // What nobody uses any more is in nobody's way.
      const Outcome later = run_once(other);
      BOOST_TEST(later.kind == LAMBED_OUTCOME_SUCCESS);
      BOOST_TEST(later.payload != clash.answer);
      BOOST_TEST(run_once(one).payload == clash.answer);
    }
  }
}

BOOST_AUTO_TEST_CASE(two_versions_of_a_function_with_different_helpers_are_told_apart) {
  const HelpedFunction old_version("shop", "class Prices; def self.of = 1; end\n", "Prices.of");
  HelpedFunction new_version("shop", "class Prices; def self.of = 2; end\n", "Prices.of");
  new_version.spec.function_version = "2";
  const HarnessEnvironment first = old_version.open();
  const Outcome refused = new_version.open_failing();
  expect_refusal(refused, "shop", "shop");
  BOOST_TEST(refused.payload.find("other code of 'shop'") != std::string::npos);
  // More environments of the version that is there can be opened.
  const HarnessEnvironment second = old_version.open();
  BOOST_TEST(first.invoke("{}").payload == "1");
  BOOST_TEST(second.invoke("{}").payload == "1");
  first.close();
  expect_refusal(new_version.open_failing(), "shop", "shop");
  second.close();
  BOOST_TEST(run_once(new_version).payload == "2");
}

BOOST_AUTO_TEST_CASE(equal_helpers_are_shared) {
  const char* const helper = "class Common; def self.answer = 42; end\n";
  const HelpedFunction one("first", helper, "Common.answer");
  const HelpedFunction other("second", helper, "Common.answer + 1");
  const HarnessEnvironment first = one.open();
  const HarnessEnvironment second = other.open();
  BOOST_TEST(first.invoke("{}").payload == "42");
  first.close();
  BOOST_TEST(second.invoke("{}").payload == "43");
  second.close();
}

BOOST_AUTO_TEST_CASE(equal_helpers_that_require_different_ones_are_told_apart) {
  const char* const helper = "require_relative 'deeper'\nmodule Outer; def self.answer = DEEP_ANSWER; end\n";
  const HelpedFunction one("first", helper, "Outer.answer");
  const HelpedFunction other("second", helper, "Outer.answer");
  one.folder.write("deeper.rb", "DEEP_ANSWER = 1\n");
  other.folder.write("deeper.rb", "DEEP_ANSWER = 2\n");
  const HarnessEnvironment environment = one.open();
  expect_refusal(other.open_failing(), "second", "first");
  BOOST_TEST(environment.invoke("{}").payload == "1");
  environment.close();
}

BOOST_AUTO_TEST_CASE(helpers_of_one_name_that_define_different_things_live_together) {
  const HelpedFunction one("first", "class OnlyFirst; def self.answer = 1; end\n", "OnlyFirst.answer");
  const HelpedFunction other("second", "class OnlySecond; def self.answer = 2; end\n", "OnlySecond.answer");
  const HarnessEnvironment first = one.open();
  const HarnessEnvironment second = other.open();
  BOOST_TEST(first.invoke("{}").payload == "1");
  BOOST_TEST(second.invoke("{}").payload == "2");
  first.close();
  second.close();
}

BOOST_AUTO_TEST_CASE(a_clash_at_an_invocation_is_refused_even_when_it_is_rescued) {
  const HelpedFunction one("first", "class Late; def self.answer = 1; end\n", "Late.answer");
  RubyFunction other(
      "second",
      "def handler(event:, context:)\n  begin\n    require_relative 'late'\n  rescue Exception\n  end\n"
      "  Late.answer\nend\n");
  other.folder.write("late.rb", "class Late; def self.answer = 2; end\n");
  const HarnessEnvironment first = one.open();
  const HarnessEnvironment second = other.open();
  expect_refusal(second.invoke("{}"), "second", "first");
  BOOST_TEST(first.invoke("{}").payload == "1");
  second.close();
  first.close();
}

BOOST_AUTO_TEST_CASE(a_helper_that_changed_in_place_is_told) {
  const HelpedFunction function("edited", "EDITED_NUMBER = 1\n", "EDITED_NUMBER");
  const HarnessEnvironment environment = function.open();
  function.folder.write("helper.rb", "EDITED_NUMBER = 2\n");
  RubyFunction again("again", "");
  again.spec.task_root = function.spec.task_root;
  again.spec.code_id = "the edited code";
  expect_refusal(again.open_failing(), "again", "edited");
  BOOST_TEST(environment.invoke("{}").payload == "1");
  environment.close();
  BOOST_TEST(run_once(again).payload == "2");
}

BOOST_AUTO_TEST_CASE(environments_that_open_together_wait_for_the_file_that_one_of_them_loads) {
  const std::string slow = "sleep 0.3\nclass Helper; def self.name_of = 'one'; end\n";
  const std::string source =
      "require_relative 'helper'\nWORD = Helper.name_of\ndef handler(event:, context:) = WORD\n";
  const RubyFunction one("one", source);
  const RubyFunction other("other", source);
  std::vector<HarnessEnvironment> environments;
  for (const RubyFunction* function : {&one, &one, &other, &other}) {
    function->folder.write("helper.rb", slow);
    environments.push_back(function->begin_open());
  }
  for (const HarnessEnvironment& environment : environments) {
    environment.expect_opened();
    BOOST_TEST(environment.invoke("{}").payload == R"("one")");
  }
  for (const HarnessEnvironment& environment : environments) environment.close();
}

BOOST_AUTO_TEST_CASE(files_that_require_each_other_are_loaded_once) {
  const HelpedFunction function(
      "one", "require_relative 'other_helper'\nclass Helper; def self.name_of = OtherHelper.name_of; end\n",
      "Helper.name_of");
  function.folder.write(
      "other_helper.rb",
      "require_relative 'helper'\nclass OtherHelper; def self.name_of = defined?(Helper).to_s; end\n");
  BOOST_TEST(run_once(function).payload == R"("constant")");
}

BOOST_AUTO_TEST_CASE(a_file_that_failed_to_load_is_loaded_again) {
  const RubyFunction function("one", R"(
def handler(event:, context:)
  ENV['READY'] = '1' if event['ready']
  require_relative 'late'
  LateHelper.name
end
)");
  function.folder.write("late.rb", "raise 'not yet' unless ENV['READY']\nclass LateHelper; end\n");
  const HarnessEnvironment environment = function.open();
  BOOST_TEST(environment.invoke("{}").kind == LAMBED_OUTCOME_FUNCTION_ERROR);
  BOOST_TEST(environment.invoke("{}").kind == LAMBED_OUTCOME_FUNCTION_ERROR);
  BOOST_TEST(environment.invoke(R"({"ready":1})").payload == R"("LateHelper")");
  environment.close();
}

BOOST_AUTO_TEST_SUITE_END()
