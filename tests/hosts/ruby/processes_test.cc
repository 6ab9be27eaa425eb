#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "hosts/ruby/ruby_host.h"

using namespace lambed::testing;
using nlohmann::json;

namespace {

// An environment whose handler evaluates event["code"].
struct Evaluator : RubyFunction {
  Evaluator() : RubyFunction("require 'open3'\ndef handler(event:, context:) = eval(event['code'])\n") {
    spec.variables = {{"COLOUR", "blue"}, {"PATH", "/usr/local/bin:/usr/bin:/bin"}};
  }
};

std::string call_of(const std::string& text) { return json{{"code", text}}.dump(); }

}  // namespace

BOOST_AUTO_TEST_SUITE(ruby_processes)

BOOST_AUTO_TEST_CASE(children_see_the_functions_variables_and_none_of_the_applications) {
  setenv("LAMBED_TEST_SECRET", "hidden", 1);
  const Evaluator function;
  const HarnessEnvironment environment = function.open();
  const std::string ask = R"(echo \"$COLOUR/$LAMBED_TEST_SECRET\")";
  const std::vector<std::string> ways = {
      "`" + ask + "`.strip",
      "%x(" + ask + ").strip",
      "IO.popen(\"" + ask + "\", &:read).strip",
      "IO.popen(['sh', '-c', 'echo $COLOUR/$LAMBED_TEST_SECRET']) { |io| io.read.strip }",
      "io = IO.popen(['sh', '-c', 'echo $COLOUR/$LAMBED_TEST_SECRET']); t = io.read.strip; io.close; t",
      "open('|echo $COLOUR/$LAMBED_TEST_SECRET').read.strip",
      "Open3.capture2('sh', '-c', 'echo $COLOUR/$LAMBED_TEST_SECRET')[0].strip",
      "Open3.capture3('echo $COLOUR/$LAMBED_TEST_SECRET')[0].strip",
      "r, w = IO.pipe; pid = spawn('echo $COLOUR/$LAMBED_TEST_SECRET', out: w); Process.wait(pid); w.close; "
      "r.read.strip",
      "r, w = IO.pipe; Process.wait(Process.spawn('echo $COLOUR/$LAMBED_TEST_SECRET', 1 => w)); w.close; "
      "r.read.strip",
      "r, w = IO.pipe; pid = fork { w.puts \"#{ENV['COLOUR']}/#{ENV['LAMBED_TEST_SECRET']}\" }; w.close; "
      "Process.wait(pid); "
      "r.read.strip",
      "r, w = IO.pipe; pid = fork { exec('echo $COLOUR/$LAMBED_TEST_SECRET', out: w) }; w.close; "
      "Process.wait(pid); "
      "r.read.strip",
      "Thread.new { `" + ask + "` }.value.strip",
  };
  for (const std::string& way : ways) {
    BOOST_TEST_CONTEXT(way) {
      const Outcome outcome = environment.invoke(call_of(way));
      BOOST_TEST(outcome.payload == R"("blue/")");
    }
  }
  environment.close();
  unsetenv("LAMBED_TEST_SECRET");
}

BOOST_AUTO_TEST_CASE(children_write_to_the_functions_log) {
  const Evaluator function;
  const HarnessEnvironment environment = function.open();
  const Outcome outcome = environment.invoke(call_of(
      "[system('echo from system; echo wrong >&2'), system('exit 3'), $?.exitstatus, "
      "system('no_such_program_here'), "
      "system({ 'COLOUR' => 'red' }, 'echo $COLOUR'), system('echo joined >&2', err: :out), `echo oops "
      ">&2; echo kept`, "
      "fork { puts 'from fork'; warn 'fork warns' }.then { |pid| Process.wait2(pid)[1].success? }]"));
  BOOST_TEST(outcome.payload == R"([true,false,3,null,true,true,"kept\n",true])");
  for (const char* const text : {"from system\n", "red\n", "joined\n", "from fork\n"}) {
    BOOST_TEST_CONTEXT(text) {
      BOOST_TEST(environment.wait_log(text));
      BOOST_TEST(environment.log(LAMBED_STREAM_STDOUT).find(text) != std::string::npos);
    }
  }
  for (const char* const text : {"wrong\n", "oops\n", "fork warns\n"}) {
    BOOST_TEST_CONTEXT(text) {
      BOOST_TEST(environment.wait_log(text));
      BOOST_TEST(environment.log(LAMBED_STREAM_STDERR).find(text) != std::string::npos);
    }
  }
  environment.close();
}

BOOST_AUTO_TEST_CASE(the_ends_of_children_are_told) {
  const Evaluator function;
  const HarnessEnvironment environment = function.open();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"system('exit 1', exception: true) rescue $!.message", R"("Command failed with exit 1: exit 1")"},
      {"(system('no_such_program_here', exception: true); 0) rescue $!.class", R"("Errno::ENOENT")"},
      {"`no_such_program_here` rescue $!.class", R"("Errno::ENOENT")"},
      {"`exit 4`; $?.exitstatus", "4"},
      {"IO.popen('exit 5').close; $?.exitstatus", "5"},
      {"pid = spawn('exit 6'); Process.wait; [$?.pid == pid, $?.exitstatus]", "[true,6]"},
      {"pids = 3.times.map { |i| spawn(\"exit #{i}\") }; Process.waitall.map { |pid, s| s.exitstatus }.sort",
       "[0,1,2]"},
      {"Process.wait rescue $!.class", R"("Errno::ECHILD")"},
      {"Process.detach(spawn('exit 7')).value.exitstatus", "7"},
      {"pid = spawn('sleep 60'); Process.kill(:TERM, pid); Process.wait2(pid)[1].termsig", "15"},
      {"pid = spawn('sleep 60'); r = Process.wait(pid, Process::WNOHANG); Process.kill(9, pid); "
       "Process.wait(pid); r",
       "null"},
      {"pid = fork { exit 8 }; Process.wait2(pid)[1].exitstatus", "8"},
      {"pid = fork { exit! 9 }; Process.wait2(pid)[1].exitstatus", "9"},
      {"pid = fork { raise 'in the child' }; Process.wait2(pid)[1].exitstatus", "1"},
      {"pid = fork; pid ? Process.wait2(pid)[1].exitstatus : exit(10)", "10"},
      {"`cat`", R"("")"},
  };
  for (const auto& [text, expected] : cases) {
    BOOST_TEST_CONTEXT(text) { BOOST_TEST(environment.invoke(call_of(text)).payload == expected); }
  }
  environment.close();
}

BOOST_AUTO_TEST_CASE(the_applications_children_are_left_to_it) {
  const pid_t child = fork();
  if (child == 0) _exit(5);
  const Evaluator function;
  const HarnessEnvironment environment = function.open();
  BOOST_TEST(environment.invoke(call_of("begin; Process.wait; rescue Errno::ECHILD; 'none'; end")).payload ==
             R"("none")");
  BOOST_TEST(environment.invoke(call_of("Process.wait(spawn('true')); Process.waitall")).payload == "[]");
  environment.close();
  int status = 0;
  BOOST_TEST(waitpid(child, &status, 0) == child);
  BOOST_TEST(WEXITSTATUS(status) == 5);
}

// The environment's thread may run its handler before the thread that made it goes on: found by the soak, once in ten thousand
// ends. Here the maker is slow.
BOOST_AUTO_TEST_CASE(a_function_may_end_before_the_maker_of_its_thread_goes_on) {
  const Evaluator other;
  const HarnessEnvironment environment = other.open();
  environment.invoke(
      call_of("class << Thread; alias_method :prompt_new, :new; def new(*a, &b) = prompt_new(*a, &b).tap { "
              "sleep 0.2 }; end; 1"));
  const Outcome outcome = RubyFunction("exit! 7\n").open_failing();
  environment.invoke(
      call_of("class << Thread; alias_method :new, :prompt_new; remove_method :prompt_new; end; 1"));
  environment.close();
  BOOST_TEST(outcome.kind == LAMBED_OUTCOME_EXITED);
  BOOST_TEST(outcome.exit_code == 7);
}

BOOST_AUTO_TEST_CASE(ways_to_end_the_process_end_the_environment_alone) {
  struct Case {
    std::string text;
    int exit_code;
    int term_signal;
  };
  const std::vector<Case> cases = {
      {"exit", 0, 0},
      {"exit 7", 7, 0},
      {"exit(false)", 1, 0},
      {"Process.exit(3)", 3, 0},
      {"Kernel.exit(4)", 4, 0},
      {"exit!", 1, 0},
      {"exit! 9", 9, 0},
      {"begin; Process.exit!(5); rescue Exception; end; loop {}", 5, 0},
      {"abort", 1, 0},
      {"abort 'so long'", 1, 0},
      {"raise SystemExit.new(6)", 6, 0},
      {"Process.kill(:KILL, Process.pid)", 0, SIGKILL},
      {"Process.kill('SIGTERM', $$)", 0, SIGTERM},
      {"Process.kill(6, 0)", 0, SIGABRT},
      {"Thread.new { exit 11 }.join", 11, 0},
      {"Thread.new { exit! 12 }.join", 12, 0},
      {"Thread.new { Process.kill(9, $$) }.join", 0, SIGKILL},
      {"exec('exit 13')", 13, 0},
      {"at_exit { puts 'parting' }; exit 14", 14, 0},
  };
  for (const Case& one : cases) {
    BOOST_TEST_CONTEXT(one.text) {
      const Evaluator function;
      const HarnessEnvironment environment = function.open();
      const Outcome outcome = environment.invoke(call_of(one.text));
      BOOST_TEST(outcome.kind == LAMBED_OUTCOME_EXITED);
      BOOST_TEST(outcome.discards());
      BOOST_TEST(outcome.exit_code == one.exit_code);
      BOOST_TEST(outcome.term_signal == one.term_signal);
      if (one.text.find("so long") != std::string::npos) BOOST_TEST(environment.log() == "so long\n");
      if (one.text.find("parting") != std::string::npos) BOOST_TEST(environment.log() == "parting\n");
      environment.close();
    }
  }
  BOOST_TEST(run_once(RubyFunction("def handler(event:, context:) = 'alive'\n")).payload == R"("alive")");
}

BOOST_AUTO_TEST_CASE(exit_while_loading_is_told_as_an_exit) {
  const Outcome outcome = RubyFunction("exit 3\n").open_failing();
  BOOST_TEST(outcome.kind == LAMBED_OUTCOME_EXITED);
  BOOST_TEST(outcome.exit_code == 3);
}

BOOST_AUTO_TEST_CASE(traps_belong_to_the_environment) {
  struct sigaction before {};
  sigaction(SIGUSR1, nullptr, &before);
  const Evaluator function;
  const HarnessEnvironment environment = function.open();
  BOOST_TEST(environment
                 .invoke(call_of("got = []; old = trap('USR1') { |n| got << n }; Process.kill('USR1', $$); "
                                 "[got == [Signal.list['USR1']], old, Signal.trap(:USR1, 'IGNORE').class]"))
                 .payload == R"([true,"DEFAULT","Proc"])");
  BOOST_TEST(environment.invoke(call_of("Process.kill('USR1', $$); 'ignored'")).payload == R"("ignored")");
  environment.close();
  struct sigaction after {};
  sigaction(SIGUSR1, nullptr, &after);
  BOOST_TEST((before.sa_handler == after.sa_handler));
}

BOOST_AUTO_TEST_CASE(what_would_change_the_whole_application_is_refused) {
  char before[4096];
  BOOST_REQUIRE(getcwd(before, sizeof before) != nullptr);
  const Evaluator function;
  const HarnessEnvironment environment = function.open();
  for (const char* const text : {"Dir.chdir('/')", "Dir.chdir('/') { 1 }", "File.umask(0)", "Process.daemon",
                                 "Process.setsid", "Process.setrlimit(Process::RLIMIT_NOFILE, 10)"}) {
    BOOST_TEST_CONTEXT(text) {
      const json document = json_of(environment.invoke(call_of(text)));
      BOOST_TEST(document["errorType"] == "Function<NotImplementedError>");
    }
  }
  environment.close();
  char after[4096];
  BOOST_REQUIRE(getcwd(after, sizeof after) != nullptr);
  BOOST_TEST(std::string(before) == std::string(after));
}

BOOST_AUTO_TEST_CASE(a_write_to_a_closed_socket_is_an_error_of_the_function) {
  const Evaluator function;
  const HarnessEnvironment environment = function.open();
  BOOST_TEST(
      environment
          .invoke(call_of("require 'socket'; a, b = UNIXSocket.pair; b.close; "
                          "begin; 10.times { a.write('x' * 65536) }; rescue Errno::EPIPE; 'told'; end"))
          .payload == R"("told")");
  environment.close();
}

BOOST_AUTO_TEST_SUITE_END()
