// Where `require` looks: the function's folder, its gems, the layers' folders.
#include <boost/test/unit_test.hpp>

#include "hosts/ruby/ruby_host.h"

using namespace lambed::testing;

namespace {

// As RubyGems names its folders: "3.1.0".
std::string api_version() {
  static const std::string version =
      json_of(run_once(RubyFunction("def handler(event:, context:) = RbConfig::CONFIG['ruby_version']\n")));
  return version;
}

// A gem as `gem install --install-dir` leaves it in `home`.
void add_gem(const TemporaryFolder& folder, const std::string& home, const std::string& name,
             const std::string& version, const std::string& source) {
  const std::string full_name = name + "-" + version;
  folder.write(home + "/gems/" + full_name + "/lib/" + name + ".rb", source);
  folder.write(home + "/specifications/" + full_name + ".gemspec",
               "Gem::Specification.new do |s|\n  s.name = '" + name + "'\n  s.version = '" + version +
                   "'\n  s.summary = 'x'\n  s.authors = ['x']\n  s.require_paths = ['lib']\nend\n");
}

const std::string kAnswer = "def handler(event:, context:) = Tint.colour\n";

std::string tint(const std::string& colour) {
  return "module Tint; def self.colour = '" + colour + "'; end\n";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ruby_gems)

BOOST_AUTO_TEST_CASE(files_of_the_function_are_found_by_name) {
  const RubyFunction function("require 'lib/tint'\n" + kAnswer);
  function.folder.write("lib/tint.rb", tint("own"));
  BOOST_TEST(run_once(function).payload == R"("own")");
}

BOOST_AUTO_TEST_CASE(gems_under_vendor_bundle_are_found_without_a_gemfile) {
  const RubyFunction function("require 'tint'\n" + kAnswer);
  const std::string home = "vendor/bundle/ruby/" + api_version();
  add_gem(function.folder, home, "tint", "1.2.0", tint("older"));
  add_gem(function.folder, home, "tint", "1.10.0", tint("newest"));
  BOOST_TEST(run_once(function).payload == R"("newest")");
}

BOOST_AUTO_TEST_CASE(gems_that_were_bundled_for_another_ruby_are_found) {
  const RubyFunction function("require 'tint'\n" + kAnswer);
  add_gem(function.folder, "vendor/bundle/ruby/3.2.0", "tint", "1.0.0", tint("of 3.2"));
  BOOST_TEST(run_once(function).payload == R"("of 3.2")");
  // The folder of the running Ruby goes first.
  if (api_version() == "3.2.0") return;
  add_gem(function.folder, "vendor/bundle/ruby/" + api_version(), "tint", "1.0.0", tint("fitting"));
  BOOST_TEST(run_once(function).payload == R"("fitting")");
}

BOOST_AUTO_TEST_CASE(gems_can_depend_on_each_other) {
  const RubyFunction function("gem 'tint'\nrequire 'tint'\n" + kAnswer);
  const std::string home = "vendor/bundle/ruby/" + api_version();
  add_gem(function.folder, home, "tint", "1.0.0",
          "require 'pigment'\nmodule Tint; def self.colour = PIGMENT_SOURCE; end\n");
  add_gem(function.folder, home, "pigment", "2.0.0", "PIGMENT_SOURCE = 'earth'\n");
  BOOST_TEST(run_once(function).payload == R"("earth")");
}

BOOST_AUTO_TEST_CASE(gem_path_names_further_places) {
  RubyFunction function("require 'tint'\n" + kAnswer);
  add_gem(function.folder, "elsewhere", "tint", "1.0.0", tint("elsewhere"));
  function.spec.variables = {{"GEM_PATH", function.path() + "/elsewhere"}};
  BOOST_TEST(run_once(function).payload == R"("elsewhere")");
}

BOOST_AUTO_TEST_CASE(layers_bring_files_and_gems) {
  TemporaryFolder upper;
  TemporaryFolder lower;
  upper.write("ruby/lib/tint.rb", tint("upper layer"));
  lower.write("ruby/lib/tint.rb", tint("lower layer"));
  add_gem(lower, "ruby/gems/" + api_version(), "stain", "1.0.0",
          "module Stain; NAME = 'gem of a layer'; end\n");
  RubyFunction function(
      "require 'tint'\nrequire 'stain'\ndef handler(event:, context:) = [Tint.colour, Stain::NAME]\n");
  function.spec.layers = {upper.path(), lower.path()};
  BOOST_TEST(run_once(function).payload == R"(["upper layer","gem of a layer"])");
  // The function's own file goes before those of layers.
  function.folder.write("tint.rb", tint("own"));
  BOOST_TEST(run_once(function).payload == R"(["own","gem of a layer"])");
}

BOOST_AUTO_TEST_CASE(gems_of_one_function_are_not_found_by_another) {
  const RubyFunction owner("owner", "require 'tint'\n" + kAnswer);
  add_gem(owner.folder, "vendor/bundle/ruby/" + api_version(), "tint", "1.0.0", tint("owned"));
  const RubyFunction other("other", "require 'tint'\n" + kAnswer);
  const HarnessEnvironment environment = owner.open();
  const Outcome failed = other.open_failing();
  BOOST_TEST(failed.kind == LAMBED_OUTCOME_FUNCTION_ERROR);
  BOOST_TEST(json_of(failed)["errorType"] == "Init<LoadError>");
  environment.close();
}

BOOST_AUTO_TEST_CASE(two_versions_of_a_gem_are_told_apart, *boost::unit_test::label("in_process")) {
  const std::string home = "vendor/bundle/ruby/" + api_version();
  const RubyFunction one("first", "require 'tint'\n" + kAnswer);
  const RubyFunction other("second", "require 'tint'\n" + kAnswer);
  const RubyFunction same("third", "require 'tint'\n" + kAnswer);
  add_gem(one.folder, home, "tint", "1.0.0", tint("one"));
  add_gem(other.folder, home, "tint", "2.0.0", tint("two"));
  add_gem(same.folder, home, "tint", "1.0.0", tint("one"));
  const HarnessEnvironment first = one.open();
  const Outcome refused = other.open_failing();
  BOOST_TEST(refused.kind == LAMBED_OUTCOME_REFUSED);
  BOOST_TEST(refused.payload.find("use `process` isolation") != std::string::npos);
  const HarnessEnvironment third = same.open();
  BOOST_TEST(first.invoke("{}").payload == R"("one")");
  BOOST_TEST(third.invoke("{}").payload == R"("one")");
  first.close();
  third.close();
  BOOST_TEST(run_once(other).payload == R"("two")");
}

BOOST_AUTO_TEST_SUITE_END()
