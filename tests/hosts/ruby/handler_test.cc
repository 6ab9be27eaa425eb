#include <boost/test/unit_test.hpp>

#include "hosts/ruby/ruby_host.h"

using namespace lambed::testing;
using nlohmann::json;

BOOST_AUTO_TEST_SUITE(ruby_handlers)

BOOST_AUTO_TEST_CASE(the_host_describes_itself, *boost::unit_test::label("in_process")) {
  const lambed_host_description description = ruby().describe();
  BOOST_TEST(std::string(description.language.data, description.language.size) == "ruby");
  const std::string version(description.interpreter_version.data, description.interpreter_version.size);
  BOOST_TEST(version.find('.') != std::string::npos);
  BOOST_TEST((description.traits & LAMBED_HOST_SHARED_LOCK) != 0u);
  BOOST_TEST((description.traits & LAMBED_HOST_SHARED_NAMESPACE) != 0u);
  BOOST_TEST((description.traits & LAMBED_HOST_RESTARTABLE) == 0u);
  BOOST_TEST(description.memory_scope == static_cast<unsigned>(LAMBED_MEMORY_UNLIMITED));
}

BOOST_AUTO_TEST_CASE(a_handler_can_be_a_class_method) {
  RubyFunction function("class App\n  def self.process(event:, context:)\n    event['n'] + 1\n  end\nend\n");
  function.spec.handler = "app.App.process";
  BOOST_TEST(run_once(function, R"({"n":41})").payload == "42");
}

BOOST_AUTO_TEST_CASE(a_handler_can_be_a_method_of_a_nested_module) {
  RubyFunction function(
      "module Outer\n  class Inner\n    def self.process(event:, context:) = self.name.split('::').last(2)\n "
      " end\nend\n");
  function.spec.handler = "app.Outer::Inner.process";
  BOOST_TEST(run_once(function).payload == R"(["Outer","Inner"])");
}

BOOST_AUTO_TEST_CASE(a_handler_can_lie_in_a_folder) {
  RubyFunction function("");
  function.folder.write("lib/deep/main.rb", "def run(event:, context:) = __dir__.end_with?('lib/deep')\n");
  function.spec.handler = "lib/deep/main.run";
  BOOST_TEST(run_once(function).payload == "true");
}

BOOST_AUTO_TEST_CASE(each_environment_loads_the_handlers_file_for_itself) {
  const RubyFunction function("COUNTS = [0]\ndef handler(event:, context:) = COUNTS[0] += 1\n");
  const HarnessEnvironment first = function.open();
  const HarnessEnvironment second = function.open();
  BOOST_TEST(first.invoke("{}").payload == "1");
  BOOST_TEST(first.invoke("{}").payload == "2");
  BOOST_TEST(second.invoke("{}").payload == "1");
  BOOST_TEST(first.log().empty());
  first.close();
  second.close();
}

BOOST_AUTO_TEST_CASE(two_functions_have_methods_and_classes_of_the_same_names) {
  const std::string source =
      "class Greeter\n  def self.word = '%'\nend\ndef handler(event:, context:) = Greeter.word\n";
  auto with = [&source](const std::string& word) {
    return std::string(source).replace(source.find('%'), 1, word);
  };
  const RubyFunction one("one", with("hello"));
  const RubyFunction other("other", with("goodbye"));
  const HarnessEnvironment first = one.open();
  const HarnessEnvironment second = other.open();
  BOOST_TEST(first.invoke("{}").payload == R"("hello")");
  BOOST_TEST(second.invoke("{}").payload == R"("goodbye")");
  BOOST_TEST(first.invoke("{}").payload == R"("hello")");
  first.close();
  second.close();
}

BOOST_AUTO_TEST_CASE(methods_of_the_top_level_can_be_called_in_classes_of_the_file) {
  const RubyFunction function(
      "def shout(text) = text.upcase\n"
      "class Speaker\n  def speak = shout('hi')\nend\n"
      "Point = Struct.new(:x) do\n  def loud = shout(x)\nend\n"
      "class Wide < Point\n  def wide = shout(x)\nend\n"
      "def handler(event:, context:) = [Speaker.new.speak, Wide.new('a').wide]\n");
  BOOST_TEST(run_once(function).payload == R"(["HI","A"])");
}

BOOST_AUTO_TEST_CASE(the_handlers_file_can_reopen_a_class_of_ruby) {
  const RubyFunction function(
      "class String\n  def lambed_shout = upcase + '!'\nend\ndef handler(event:, context:) = "
      "'hi'.lambed_shout\n");
  const HarnessEnvironment first = function.open();
  const HarnessEnvironment second = function.open();
  BOOST_TEST(first.invoke("{}").payload == R"("HI!")");
  BOOST_TEST(second.invoke("{}").payload == R"("HI!")");
  first.close();
  second.close();
}

BOOST_AUTO_TEST_CASE(the_context_has_what_lambda_gives) {
  RubyFunction function(R"ruby(
def handler(event:, context:)
  { id: context.aws_request_id, name: context.function_name, version: context.function_version,
    arn: context.invoked_function_arn, memory: context.memory_limit_in_mb, group: context.log_group_name,
    stream: context.log_stream_name, identity: context.identity, client: context.client_context,
    left: context.get_remaining_time_in_millis, deadline: context.deadline_ms, now: (Time.now.to_f * 1000).to_i,
    tenant: context.tenant_id, trace: ENV['_X_AMZN_TRACE_ID'] }
end
)ruby");
  function.spec.memory_limit = std::uint64_t{512} << 20;
  const HarnessEnvironment environment = function.open();
  InvocationSpec invocation;
  invocation.client_context = R"({"custom":{"a":"b"}})";
  invocation.cognito_identity = R"({"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"})";
  invocation.trace_id = "Root=1-2-3";
  invocation.tenant_id = "blue";
  const json context = json_of(environment.invoke(invocation));
  BOOST_TEST(context["id"] == invocation.request_id);
  BOOST_TEST(context["name"] == "function");
  BOOST_TEST(context["version"] == "$LATEST");
  BOOST_TEST(context["arn"] == invocation.invoked_function_arn);
  BOOST_TEST(context["memory"] == "512");
  BOOST_TEST(context["group"] == function.spec.log_group);
  BOOST_TEST(context["stream"] == function.spec.log_stream);
  BOOST_TEST(context["client"]["custom"]["a"] == "b");
  BOOST_TEST(context["identity"]["cognitoIdentityPoolId"] == "p");
  BOOST_TEST(context["tenant"] == "blue");
  BOOST_TEST(context["trace"] == "Root=1-2-3");
  BOOST_TEST(context["left"].get<int>() > 0);
  BOOST_TEST(context["left"].get<int>() <= 3000);
  const auto left = context["deadline"].get<std::int64_t>() - context["now"].get<std::int64_t>();
  BOOST_TEST(left > 0);
  BOOST_TEST(left <= 3001);

  const json plain = json_of(environment.invoke("{}"));
  BOOST_TEST(plain["client"].is_null());
  BOOST_TEST(plain["identity"].is_null());
  environment.close();
}

BOOST_AUTO_TEST_CASE(
    what_the_handler_does_to_its_context_and_what_was_invoked_before_leave_the_next_context_alone) {
  const RubyFunction function(R"ruby(
def handler(event:, context:)
  before = [context.invoked_function_arn.dup, context.function_version.dup]
  context.invoked_function_arn << '!'
  context.function_version << '!'
  before + [context.invoked_function_arn, context.function_version]
end
)ruby");
  const HarnessEnvironment environment = function.open();
  const std::string arn = InvocationSpec().invoked_function_arn;
  // A longer one, a shorter one that the longer begins with, and one of the same length.
  for (const std::string& invoked :
       {arn, arn, arn + ":live", arn + ":live", arn, arn.substr(0, arn.size() - 1) + "N"}) {
    BOOST_TEST_CONTEXT(invoked) {
      InvocationSpec invocation;
      invocation.invoked_function_arn = invoked;
      invocation.function_version = invoked.size() > arn.size() ? "12" : "1";
      const std::string version = invocation.function_version;
      BOOST_TEST(json_of(environment.invoke(invocation)) ==
                 json({invoked, version, invoked + "!", version + "!"}));
    }
  }
  environment.close();
}

BOOST_AUTO_TEST_CASE(results_become_json) {
  const RubyFunction function("def handler(event:, context:) = eval(event['code'])\n");
  const HarnessEnvironment environment = function.open();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"nil", "null"},
      {"\"caf\\u00e9\"", "\"café\""},
      {"{ a: :b, 'c' => [1, 2.5, true] }", R"({"a":"b","c":[1,2.5,true]})"},
      {"12345678901234567890123", "12345678901234567890123"},
      {"Time.at(0).utc", R"("1970-01-01 00:00:00 UTC")"},
  };
  for (const auto& [code, expected] : cases) {
    BOOST_TEST_CONTEXT(code) {
      const Outcome outcome = environment.invoke(json{{"code", code}}.dump());
      BOOST_TEST(outcome.kind == LAMBED_OUTCOME_SUCCESS);
      BOOST_TEST(outcome.payload == expected);
    }
  }
  const Outcome binary = environment.invoke(json{{"code", "StringIO.new(\"\\x00\\xff\".b)"}}.dump());
  BOOST_TEST(binary.is_binary());
  BOOST_TEST(binary.payload == std::string("\0\xff", 2));
  environment.close();
}

BOOST_AUTO_TEST_CASE(the_handlers_errors_have_lambdas_documents) {
  const RubyFunction function(R"ruby(
class Refused < StandardError; end
def deep(what) = raise(what)
def handler(event:, context:)
  case event['do']
  when 'argument' then raise ArgumentError, 'bad input'
  when 'own' then deep(Refused.new('no way'))
  when 'nan' then Float::NAN
  when 'bytes' then "\xff"
  when 'loop' then a = []; a << a; a
  when 'deep' then handler(event: event, context: context)
  when 'zero' then 1 / 0
  when 'script' then raise NotImplementedError, 'later'
  when 'name' then no_such_thing
  when 'bytes_message' then raise "\xff".b
  when 'broken_message' then raise "broken \xff"
  end
end
)ruby");
  const HarnessEnvironment environment = function.open();
  const std::vector<std::tuple<std::string, std::string, std::string>> cases = {
      {"argument", "Function<ArgumentError>", "bad input"},
      {"own", "Function<Refused>", "no way"},
      {"nan", "Function<JSON::GeneratorError>", "NaN"},
      {"bytes", "Function<JSON::GeneratorError>", "source"},
      {"loop", "Function<JSON::NestingError>", "nesting"},
      {"deep", "Function<SystemStackError>", "stack level too deep"},
      {"zero", "Function<ZeroDivisionError>", "divided by 0"},
      {"script", "Function<NotImplementedError>", "later"},
      {"name", "Function<NameError>", "no_such_thing"},
      {"bytes_message", "Function<RuntimeError>", "\xef\xbf\xbd"},
      {"broken_message", "Function<RuntimeError>", "broken \xef\xbf\xbd"},
  };
  for (const auto& [what, type, message] : cases) {
    BOOST_TEST_CONTEXT(what) {
      const Outcome outcome = environment.invoke(json{{"do", what}}.dump());
      BOOST_REQUIRE_EQUAL(outcome.kind, LAMBED_OUTCOME_FUNCTION_ERROR);
      BOOST_TEST(!outcome.discards());
      const json document = json_of(outcome);
      BOOST_TEST(document["errorType"] == type);
      BOOST_TEST(outcome.error_type == type);
      BOOST_TEST(document["errorMessage"].get<std::string>().find(message) != std::string::npos);
      BOOST_TEST(document["stackTrace"].is_array());
      BOOST_TEST(outcome.payload.find("#<Module") == std::string::npos);
      BOOST_TEST(outcome.payload.find("lambed/") == std::string::npos);
    }
  }
  const json document = json_of(environment.invoke(R"({"do":"own"})"));
  BOOST_REQUIRE(document["stackTrace"].size() >= 2u);
  BOOST_TEST(document["stackTrace"][0].get<std::string>().find("/app.rb:3:in ") != std::string::npos);
  BOOST_TEST(document["stackTrace"][1].get<std::string>().find("/app.rb:7:in ") != std::string::npos);
  BOOST_TEST(environment.log().find("Error raised from handler method") != std::string::npos);
  environment.close();
}

BOOST_AUTO_TEST_CASE(failing_inits_have_lambdas_documents) {
  struct Case {
    std::string handler, source, type, message;
  };
  const std::vector<Case> cases = {
      {"nowhere.handler", "", "Init<LoadError>", "cannot load such file -- nowhere"},
      {"app.handler", "require 'no_such_gem'\n", "Init<LoadError>", "cannot load such file -- no_such_gem"},
      {"app.handler", "require_relative 'gone'\n", "Init<LoadError>", "cannot load such file -- "},
      {"app.handler", "def handler(\n", "Init<SyntaxError>", "syntax error"},
      {"app.handler", "raise 'not today'\n", "Init<RuntimeError>", "not today"},
      {"app", "", "Init<ArgumentError>", "Invalid handler app, must be of form FILENAME.METHOD"},
      {"a.b.c.d", "", "Init<ArgumentError>", "Invalid handler a.b.c.d"},
  };
  for (const Case& one : cases) {
    BOOST_TEST_CONTEXT(one.handler << " " << one.type) {
      RubyFunction function(one.source);
      function.spec.handler = one.handler;
      const Outcome outcome = function.open_failing();
      BOOST_REQUIRE_EQUAL(outcome.kind, LAMBED_OUTCOME_FUNCTION_ERROR);
      const json document = json_of(outcome);
      BOOST_TEST(document["errorType"] == one.type);
      BOOST_TEST(document["errorMessage"].get<std::string>().find(one.message) != std::string::npos);
      BOOST_TEST(document["stackTrace"].is_array());
    }
  }
}

BOOST_AUTO_TEST_CASE(a_missing_method_or_class_is_told_at_the_invocation) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"app.absent", "Function<NoMethodError>"},
      {"app.Absent.method", "Function<NameError>"},
      {"app.App.absent", "Function<NoMethodError>"},
  };
  for (const auto& [handler, type] : cases) {
    BOOST_TEST_CONTEXT(handler) {
      RubyFunction function("class App; end\n");
      function.spec.handler = handler;
      const Outcome outcome = run_once(function);
      BOOST_REQUIRE_EQUAL(outcome.kind, LAMBED_OUTCOME_FUNCTION_ERROR);
      BOOST_TEST(json_of(outcome)["errorType"] == type);
      BOOST_TEST(json_of(outcome)["errorMessage"].get<std::string>().find("#<Module") == std::string::npos);
    }
  }
}

BOOST_AUTO_TEST_CASE(waiting_handlers_do_not_hold_up_each_other) {
  const RubyFunction function("def handler(event:, context:) = sleep(0.3)\n");
  std::vector<HarnessEnvironment> environments;
  for (int i = 0; i < 16; ++i) environments.push_back(function.open());
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::uint64_t> tokens;
  for (const HarnessEnvironment& environment : environments) tokens.push_back(environment.submit("{}"));
  for (size_t i = 0; i < environments.size(); ++i) {
    const std::optional<Outcome> outcome = environments[i].wait_outcome(tokens[i]);
    BOOST_REQUIRE(outcome);
    BOOST_TEST(outcome->succeeded());
  }
  const auto elapsed = std::chrono::steady_clock::now() - begin;
  BOOST_TEST(std::chrono::duration<double>(elapsed).count() < 2.4);  // one after the other: 4.8
  for (const HarnessEnvironment& environment : environments) environment.close();
}

BOOST_AUTO_TEST_CASE(usage_tells_processor_time_and_the_memory_of_the_vm,
                     *boost::unit_test::label("in_process")) {
  const RubyFunction function("def handler(event:, context:) = 200_000.times.sum\n");
  const HarnessEnvironment environment = function.open();
  const std::uint64_t before = environment.usage().cpu_ns;
  BOOST_TEST(environment.invoke("{}").succeeded());
  BOOST_TEST(environment.usage().cpu_ns > before);
  BOOST_TEST(environment.usage().memory > std::uint64_t{1} << 20);
  environment.close();
}

BOOST_AUTO_TEST_CASE(openssl_and_zlib_can_be_used) {
  const RubyFunction function(
      "require 'openssl'\nrequire 'zlib'\n"
      "def handler(event:, context:)\n"
      "  [OpenSSL::Digest::SHA256.hexdigest('a')[0, 8], "
      "Zlib::Inflate.inflate(Zlib::Deflate.deflate('abc'))]\nend\n");
  BOOST_TEST(run_once(function).payload == R"(["ca978112","abc"])");
}

BOOST_AUTO_TEST_SUITE_END()
