#include <boost/test/unit_test.hpp>
#include <regex>

#include "hosts/ruby/ruby_host.h"

using namespace lambed::testing;
using nlohmann::json;

BOOST_AUTO_TEST_SUITE(ruby_output)

BOOST_AUTO_TEST_CASE(what_a_handler_writes_is_in_its_log) {
  const RubyFunction function(R"ruby(
def handler(event:, context:)
  puts 'a', ['b', [1]], nil
  print 'c', 'd'
  $stdout << 'e' << "\n"
  $stdout.printf("%03d\n", 7)
  STDOUT.puts 'constant'
  STDOUT.sync = true
  p :symbol
  pp({ k: 1 })
  putc 'z'
  $stdout.write('x', "\n")
  $stderr.puts 'wrong'
  warn 'careful'
  STDERR.print "last\n"
end
)ruby");
  const HarnessEnvironment environment = function.open();
  const Outcome outcome = environment.invoke("{}");
  BOOST_REQUIRE_MESSAGE(outcome.succeeded(), outcome.payload);
  BOOST_TEST(environment.log(LAMBED_STREAM_STDOUT) ==
             "a\nb\n1\n\ncde\n007\nconstant\n:symbol\n{:k=>1}\nzx\n");
  BOOST_TEST(environment.log(LAMBED_STREAM_STDERR) == "wrong\ncareful\nlast\n");
  environment.close();
}

BOOST_AUTO_TEST_CASE(output_goes_to_the_environment_whose_thread_writes) {
  const RubyFunction function(R"ruby(
puts 'loading'
def handler(event:, context:)
  threads = 4.times.map { |i| Thread.new { Thread.new { puts "#{event['name']} #{i}" }.join } }
  threads.each(&:join)
end
)ruby");
  const HarnessEnvironment first = function.open();
  const HarnessEnvironment second = function.open();
  const std::uint64_t one = first.submit(R"({"name":"first"})");
  const std::uint64_t two = second.submit(R"({"name":"second"})");
  BOOST_REQUIRE(first.wait_outcome(one));
  BOOST_REQUIRE(second.wait_outcome(two));
  for (const auto& [environment, own, foreign] :
       {std::tuple{first, "first", "second"}, {second, "second", "first"}}) {
    const std::string log = environment.log();
    BOOST_TEST(log.starts_with("loading\n"));
    for (const char* const digit : {"0", "1", "2", "3"}) {
      BOOST_TEST(log.find(std::string(own) + " " + digit + "\n") != std::string::npos);
    }
    BOOST_TEST(log.find(foreign) == std::string::npos);
  }
  first.close();
  second.close();
}

BOOST_AUTO_TEST_CASE(an_environment_can_capture_its_own_stdout_alone) {
  const RubyFunction capturing(R"ruby(
def handler(event:, context:)
  before = $stdout
  $stdout = StringIO.new
  puts 'captured'
  sleep 0.2
  $stdout.string
ensure
  $stdout = before
  puts 'visible'
end
)ruby");
  const RubyFunction plain("def handler(event:, context:) = puts('plain')\n");
  const HarnessEnvironment first = capturing.open();
  const HarnessEnvironment second = plain.open();
  const std::uint64_t token = first.submit("{}");
  BOOST_REQUIRE(first.wait_taken(token));
  BOOST_TEST(second.invoke("{}").succeeded());
  BOOST_TEST(second.log() == "plain\n");
  BOOST_TEST(first.wait_outcome(token)->payload == R"("captured\n")");
  BOOST_TEST(first.log() == "visible\n");
  first.close();
  second.close();
}

BOOST_AUTO_TEST_CASE(a_logger_uses_lambdas_format) {
  const RubyFunction function(R"ruby(
require 'logger'
LOG = Logger.new($stdout)
def handler(event:, context:)
  LOG.info('hello')
  Logger.new(STDERR, progname: 'prog').warn('mind')
  file = StringIO.new
  Logger.new(file).error('elsewhere')
  file.string
end
)ruby");
  const HarnessEnvironment environment = function.open();
  const Outcome outcome = environment.invoke("{}");
  BOOST_REQUIRE_MESSAGE(outcome.succeeded(), outcome.payload);
  const std::string id = InvocationSpec{}.request_id;
  const std::string time = R"(\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6} #\d+\])";
  BOOST_TEST(std::regex_match(environment.log(LAMBED_STREAM_STDOUT),
                              std::regex("I, " + time + "  INFO " + id + " -- : hello\n")));
  BOOST_TEST(std::regex_match(environment.log(LAMBED_STREAM_STDERR),
                              std::regex("W, " + time + "  WARN " + id + " -- prog: mind\n")));
  BOOST_TEST(std::regex_match(json_of(outcome).get<std::string>(),
                              std::regex("E, " + time + " ERROR -- : elsewhere\n")));
  environment.close();
}

BOOST_AUTO_TEST_CASE(a_thread_that_dies_is_reported_in_the_log) {
  const RubyFunction function(R"ruby(
def handler(event:, context:)
  Thread.new { raise 'lost' }.join
rescue RuntimeError
  'survived'
end
)ruby");
  const HarnessEnvironment environment = function.open();
  BOOST_TEST(environment.invoke("{}").payload == R"("survived")");
  BOOST_TEST(environment.log(LAMBED_STREAM_STDERR).find("lost") != std::string::npos);
  environment.close();
}

BOOST_AUTO_TEST_CASE(handlers_read_nothing_from_the_applications_input) {
  const RubyFunction function("def handler(event:, context:) = [$stdin.read, STDIN.gets, gets]\n");
  const Outcome outcome = run_once(function);
  BOOST_TEST(outcome.payload == R"(["",null,null])");
}

BOOST_AUTO_TEST_CASE(threads_end_with_their_environment, *boost::unit_test::label("in_process")) {
  const RubyFunction function(
      "def handler(event:, context:)\n  Thread.new { loop { puts 'tick'; sleep 0.01 } }\n  nil\nend\n");
  const HarnessEnvironment environment = function.open();
  BOOST_TEST(environment.invoke("{}").succeeded());
  BOOST_TEST(environment.wait_log("tick\n"));
  environment.close();
  const size_t lines = environment.log().size();
  const RubyFunction other("def handler(event:, context:) = sleep(0.1)\n");
  BOOST_TEST(run_once(other).succeeded());
  BOOST_TEST(environment.log().size() == lines);
}

BOOST_AUTO_TEST_SUITE_END()
