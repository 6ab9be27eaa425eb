// Ruby in worker processes: forked from a launcher with the VM up, one environment each.
#include <algorithm>
#include <chrono>
#include <csignal>

#include "hosts/ruby/ruby_host.h"
#include "support/sanitized.h"
#include "support/worker_launcher.h"

namespace lambed::testing {
namespace {

using nlohmann::json;

// Evaluates the event's "code" in the handler.
const char* const kRunner = R"(def handler(event:, context:)
  event.is_a?(Hash) && event['code'] ? eval(event['code']) : event
end

class Greeter
  def self.greet(event:, context:) = "hello #{event}"
end
)";

std::string code(const std::string& text) { return json{{"code", text}}.dump(); }

struct LauncherFixture {
  explicit LauncherFixture(const Pairs& options = {})
      : launcher(HostHarness::plugin("liblambed_host_ruby.so"), options) {}
  WorkerLauncher launcher;
  RubyFunction function{kRunner};
  std::unique_ptr<Worker> open() { return launcher.open(function.spec); }
  std::string run(const std::string& text) {
    const Outcome outcome = open()->invoke(code(text));
    BOOST_TEST(outcome.succeeded(), outcome.payload);
    return outcome.payload;
  }
  // How the process ends that runs it.
  ProcessEnd end_of(const std::string& text, std::string* log = nullptr) {
    const auto worker = open();
    BOOST_TEST(!worker->try_invoke(code(text)).has_value());
    const ProcessEnd end = worker->wait_end();
    if (log != nullptr) *log = worker->log();
    return end;
  }
};

BOOST_FIXTURE_TEST_SUITE(a_ruby_worker, LauncherFixture)

BOOST_AUTO_TEST_CASE(is_forked_from_a_process_of_one_thread_again_and_again) {
  BOOST_TEST(launcher.threads() == 1);
  for (int i = 0; i < 5; ++i) {
    const auto worker = open();
    BOOST_TEST(worker->launcher_threads() == 1);
    BOOST_TEST(worker->invoke(std::to_string(i)).payload == std::to_string(i));
    worker->close();
    BOOST_TEST(worker->wait_end().exit_code == 0);
  }
}

BOOST_AUTO_TEST_CASE(lives_beside_others) {
  std::vector<std::unique_ptr<Worker>> workers;
  for (int i = 0; i < 12; ++i) workers.push_back(launcher.launch(function.spec));
  for (const auto& worker : workers) BOOST_TEST_REQUIRE(worker->wait_opened().has_value());
  std::vector<std::string> answers;
  InvocationSpec invocation;
  // Threads, a child and a time limit need what wakes Ruby's main thread, which a fork must not share.
  invocation.event = code(
      "`true`; Thread.new { sleep 0.01 }.join; require 'timeout'; "
      "begin; Timeout.timeout(0.02) { loop {} }; rescue Timeout::Error; nil; end; Random.rand");
  std::vector<std::uint64_t> tokens;
  for (const auto& worker : workers) tokens.push_back(worker->submit(invocation));
  for (std::size_t i = 0; i < workers.size(); ++i) {
    const std::optional<Outcome> outcome = workers[i]->wait_outcome(tokens[i]);
    BOOST_TEST_REQUIRE(outcome.has_value());
    BOOST_TEST(outcome->succeeded(), outcome->payload);
    answers.push_back(outcome->payload);
  }
  std::sort(answers.begin(), answers.end());
  BOOST_TEST((std::unique(answers.begin(), answers.end()) == answers.end()));
}

BOOST_AUTO_TEST_CASE(goes_on_being_forked_after_others_have_died) {
  for (const int signal : {SIGKILL, SIGTERM, SIGUSR1}) {
    const auto worker = open();
    ::kill(worker->pid(), signal);
    BOOST_TEST(worker->wait_end().signal == signal);
    BOOST_TEST(open()->invoke("1").payload == "1");
  }
}

BOOST_AUTO_TEST_CASE(echoes_small_and_large_events) {
  const auto worker = open();
  const std::string small = R"({"a":[1,2.5,null,"x"],"b":")" + std::string(70, 'y') + "\"}";
  BOOST_TEST(worker->invoke(small).payload == small);
  const std::string large = "\"" + std::string(1 << 20, 'z') + "\"";
  BOOST_TEST((worker->invoke(large).payload == large));
}

BOOST_AUTO_TEST_CASE(runs_handlers_on_the_main_thread_and_traps_signals) {
  BOOST_TEST(run("[Thread.current == Thread.main, Thread.list.size]") == "[true,1]");
  BOOST_TEST(run("seen = []; trap('USR1') { seen << 1 }; Process.kill('USR1', $$); sleep 0.001 while "
                 "seen.empty?; seen") == "[1]");
  // While another thread has nothing to do but to wait.
  BOOST_TEST(run("q = Queue.new; trap('USR1') { Thread.new { q << 1 } }; Thread.new { Process.kill('USR1', "
                 "$$) }; q.pop") == "1");
}

BOOST_AUTO_TEST_CASE(ends_as_the_handler_ends_it) {
  BOOST_TEST(end_of("exit!(7)").exit_code == 7);
  BOOST_TEST(end_of("Process.kill(:KILL, $$); sleep").signal == SIGKILL);
  BOOST_TEST(end_of("Process.kill(:TERM, $$); sleep").signal == SIGTERM);
  BOOST_TEST(end_of("Process.kill(:ABRT, $$); sleep").signal == SIGABRT);
  BOOST_TEST(end_of("exec('exit 6')").exit_code == 6);
  BOOST_TEST(end_of("Thread.new { exit 5 }; sleep").exit_code == 5);
  std::string log;
  BOOST_TEST(end_of("at_exit { puts 'at the end' }; exit 3", &log).exit_code == 3);
  BOOST_TEST(log == "at the end\n");
  BOOST_TEST(end_of("abort 'last words'", &log).exit_code == 1);
  BOOST_TEST(log == "last words\n");
}

BOOST_AUTO_TEST_CASE(writes_the_same_error_documents_and_logs_as_in_process) {
  for (const char* const text :
       {"raise ArgumentError, 'x'", "1.foo", "raise", "Nope", "raise NotImplementedError, 'y'",
        "raise Exception, 'z'", "Float::NAN", "def again = again; again"}) {
    const auto worker = open();
    const Outcome here = worker->invoke(code(text));
    const HarnessEnvironment environment = function.open();
    const Outcome there = environment.invoke(code(text));
    BOOST_TEST(here.kind == LAMBED_OUTCOME_FUNCTION_ERROR, text);
    BOOST_TEST(here.error_type == there.error_type);
    if (std::string(text).find("again") == std::string::npos) {  // whose stack is as deep as the thread's
      BOOST_TEST(here.payload == there.payload);
      BOOST_TEST(worker->log() == environment.log());
    }
    environment.close();
  }
}

BOOST_AUTO_TEST_CASE(finds_handlers_as_in_process) {
  function.folder.write("bad.rb", "raise 'boom'\n");
  function.folder.write("wrong.rb", "def x(\n");
  for (const char* const handler : {"missing.handler", "app.missing", "app.Greeter.greet",
                                    "app.Missing.greet", "bad.handler", "wrong.handler", "nodot"}) {
    function.spec.handler = handler;
    const auto worker = launcher.launch(function.spec);
    const std::optional<Outcome> here = worker->wait_opened();
    const HarnessEnvironment environment = function.begin_open();
    const std::optional<Outcome> there = environment.wait_opened();
    BOOST_TEST_REQUIRE((here.has_value() && there.has_value()), handler);
    BOOST_TEST(here->kind == there->kind);
    BOOST_TEST(here->payload == there->payload);
    if (here->succeeded()) {
      const Outcome answer = worker->invoke("1");
      const Outcome expected = environment.invoke("1");
      BOOST_TEST(answer.kind == expected.kind);
      BOOST_TEST(answer.payload == expected.payload);
      environment.close();
    } else {
      BOOST_TEST(worker->wait_end().exit_code == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(finds_a_handler_whose_file_has_the_name_of_a_library) {
  function.folder.write("json.rb", "def handler(event:, context:) = JSON.generate(['mine'])\n");
  function.spec.handler = "json.handler";
  BOOST_TEST(open()->invoke("1").payload == R"("[\"mine\"]")");
}

BOOST_AUTO_TEST_CASE(can_end_in_its_init) {
  function.folder.write("leaves.rb", "at_exit { puts 'bye' }\nexit 9\n");
  function.spec.handler = "leaves.handler";
  const auto worker = launcher.launch(function.spec);
  BOOST_TEST(!worker->wait_opened().has_value());
  BOOST_TEST(worker->wait_end().exit_code == 9);
  BOOST_TEST(worker->log() == "bye\n");
}

BOOST_AUTO_TEST_CASE(logs_what_is_printed_and_lets_children_write_to_its_descriptors) {
  const auto worker = open();
  worker->invoke(
      code("puts 'printed'; STDERR.print 'no newline'; system('echo from a child'); "
           "Process.wait(spawn('echo redirected', out: $stdout)); Logger.new($stdout).info('logged')"));
  BOOST_TEST(worker->log(LAMBED_STREAM_STDOUT).find("printed\n") == 0u);
  BOOST_TEST(worker->log(LAMBED_STREAM_STDOUT).find(InvocationSpec().request_id + " -- : logged\n") !=
             std::string::npos);
  BOOST_TEST(worker->log(LAMBED_STREAM_STDERR) == "no newline");
  BOOST_TEST(worker->wait_output("from a child\nredirected\n"));
}

BOOST_AUTO_TEST_CASE(gives_the_function_the_process_s_variables_and_folder) {
  function.spec.variables = {{"NAME", "value"}, {"PATH", "/usr/bin:/bin"}};
  const auto worker = open();
  const json seen = json::parse(worker->invoke(code("[ENV.to_h, `env`, Dir.pwd]")).payload);
  BOOST_TEST((seen[0] == json{{"NAME", "value"}, {"PATH", "/usr/bin:/bin"}}));
  BOOST_TEST(seen[1].get<std::string>().find("NAME=value\n") != std::string::npos);
  BOOST_TEST(seen[1].get<std::string>().find("LAUNCHER_ONLY") == std::string::npos);
  BOOST_TEST(seen[2] == function.folder.path());
  BOOST_TEST(worker->invoke(code("Dir.chdir('/'); File.umask(0o27); Process.setsid; Dir.pwd")).payload ==
             "\"/\"");
}

BOOST_AUTO_TEST_CASE(lets_handlers_fork) {
  const auto worker = open();
  BOOST_TEST(
      worker->invoke(code("pid = fork { puts 'in the child'; exit 4 }; Process.wait(pid); $?.exitstatus"))
          .payload == "4");
  BOOST_TEST(
      worker->invoke(code("pid = fork or raise 'in the child'; Process.wait(pid); $?.exitstatus")).payload ==
      "1");
  BOOST_TEST(worker->wait_output("in the child (RuntimeError)"));
  BOOST_TEST(worker->wait_output("in the child\n"));
  BOOST_TEST(worker->invoke("5").payload == "5");
}

BOOST_AUTO_TEST_CASE(finds_gems_of_the_function_and_its_layers) {
  TemporaryFolder layer;
  layer.write("ruby/lib/from_layer.rb", "LAYERED = 'layer'\n");
  const std::string home = "vendor/bundle/ruby/3.2.0";
  function.folder.write(home + "/specifications/tiny-1.0.gemspec",
                        "Gem::Specification.new { |s| s.name = 'tiny'; s.version = '1.0'; s.summary = "
                        "s.name; s.authors = ['x']; "
                        "s.files = ['lib/tiny.rb']; s.require_paths = ['lib'] }\n");
  function.folder.write(home + "/gems/tiny-1.0/lib/tiny.rb", "TINY = 'gem'\n");
  function.folder.write("own.rb", "OWN = 'own'\n");
  function.spec.layers = {layer.path()};
  BOOST_TEST(run("require 'own'; require 'tiny'; require 'from_layer'; [OWN, TINY, LAYERED]") ==
             R"(["own","gem","layer"])");
}

BOOST_AUTO_TEST_CASE(closes_beside_threads_that_do_not_end) {
  const auto worker = open();
  worker->invoke(code("Thread.new { loop { sleep } }; 1"));
  worker->close();
  BOOST_TEST(worker->wait_end().exit_code == 0);
}

BOOST_AUTO_TEST_CASE(answers_soon_and_adds_little_memory) {
  std::vector<double> milliseconds;
  for (int i = 0; i < 15; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const auto worker = open();
    worker->invoke("1");
    milliseconds.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
    BOOST_TEST(worker->private_memory() < std::uint64_t{kIsSanitized ? 8 : 5} << 20);
    if (i == 14)
      BOOST_TEST_MESSAGE("private memory of a worker: " << worker->private_memory() / 1024 << " KiB");
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  BOOST_TEST_MESSAGE("fork to first answer: " << milliseconds[7] << " ms at the median, "
                                              << milliseconds.front() << " at best");
  BOOST_TEST(milliseconds.front() < 100);
}

BOOST_AUTO_TEST_SUITE_END()

// Where Ruby cannot be copied once it is up (3.2 and later), as if this one could not.
struct ColdLauncherFixture : LauncherFixture {
  ColdLauncherFixture() : LauncherFixture(Pairs{{"warm", "no"}}) {}
};
BOOST_FIXTURE_TEST_SUITE(a_ruby_worker_of_a_cold_launcher, ColdLauncherFixture)

BOOST_AUTO_TEST_CASE(boots_its_own_vm) {
  for (int i = 0; i < 2; ++i) {
    const auto worker = open();
    BOOST_TEST(worker->launcher_threads() == 1);
    BOOST_TEST(worker
                   ->invoke(code("[Thread.current == Thread.main, `echo child`, fork { exit 3 } && "
                                 "Process.wait2[1].exitstatus]"))
                   .payload == R"([true,"child\n",3])");
    worker->close();
    BOOST_TEST(worker->wait_end().exit_code == 0);
  }
  BOOST_TEST(end_of("exit 3").exit_code == 3);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
