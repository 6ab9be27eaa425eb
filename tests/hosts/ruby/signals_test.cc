// Each case runs in a process of its own, where it can set signals before Ruby starts, and poison Ruby's VM.
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <thread>
#include <utility>

#include "hosts/ruby/ruby_host.h"
#include "support/child_process.h"

using namespace lambed::testing;

namespace {

void runs_in_a_process_of_its_own(const std::string& name) {
  const auto begin = std::chrono::steady_clock::now();
  const ChildEnd end =
      run_program({"/proc/self/exe", "--run_test=ruby_alone/" + name, "--catch_system_errors=no"}, {},
                  std::chrono::seconds(60));
  BOOST_TEST_CONTEXT(end.out << end.err) {
    BOOST_TEST(!end.killed_by_test);
    BOOST_TEST(end.exit_code == 0);
    BOOST_TEST(end.signal == 0);
    BOOST_TEST((end.out + end.err).find("No errors detected") != std::string::npos);
  }
  BOOST_TEST_MESSAGE(name << " took "
                          << std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()
                          << " s");
}

void own_handler(int) {}
std::atomic<int> children_seen{0};
void own_child_handler(int, siginfo_t*, void*) { ++children_seen; }

constexpr int kRestorerFlag = 0x04000000;  // glibc's own
constexpr size_t kMaskBytes = 8;           // what the kernel fills in

struct sigaction disposition_of(int signal) {
  struct sigaction action {};
  sigaction(signal, nullptr, &action);
  return action;
}

const char* const kEvaluator = "def handler(event:, context:) = eval(event['code'])\n";

}  // namespace

BOOST_AUTO_TEST_SUITE(ruby_alone, *boost::unit_test::disabled())

BOOST_AUTO_TEST_CASE(signals_are_as_before) {
  struct sigaction mine {};
  mine.sa_handler = own_handler;
  mine.sa_flags = SA_RESETHAND | SA_NODEFER;
  sigaddset(&mine.sa_mask, SIGUSR2);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGSEGV}) sigaction(signal, &mine, nullptr);
  struct sigaction child {};
  child.sa_sigaction = own_child_handler;
  child.sa_flags = SA_SIGINFO | SA_RESTART | SA_NOCLDSTOP;
  sigaction(SIGCHLD, &child, nullptr);
  struct sigaction before[65];
  for (int signal = 1; signal < 65; ++signal) before[signal] = disposition_of(signal);

  const RubyFunction function(kEvaluator);
  const HarnessEnvironment environment = function.open();
  const auto check = [&before](const char* when) {
    for (int signal = 1; signal < 65; ++signal) {
      if (signal == SIGVTALRM) continue;  // Ruby's own
      const struct sigaction now = disposition_of(signal);
      BOOST_TEST_CONTEXT(when << ": signal " << signal) {
        BOOST_TEST((before[signal].sa_handler == now.sa_handler));
        BOOST_TEST((before[signal].sa_flags & ~kRestorerFlag) == (now.sa_flags & ~kRestorerFlag));
        BOOST_TEST(memcmp(&before[signal].sa_mask, &now.sa_mask, kMaskBytes) == 0);
      }
    }
  };
  check("after the start");
  // With a SIGCHLD handler that is not Ruby's, waiting for children works for both.
  BOOST_TEST(environment.invoke(R"({"code":"`echo one`"})").payload == R"("one\n")");
  BOOST_TEST(environment.invoke(R"({"code":"system('exit 3'); $?.exitstatus"})").payload == "3");
  BOOST_TEST(
      environment.invoke(R"({"code":"IO.popen('sleep 0.05; exit 2').close; $?.exitstatus"})").payload == "2");
  BOOST_TEST(children_seen > 0);
  environment.close();
  ruby().stop();
  check("after the stop");
}

BOOST_AUTO_TEST_CASE(children_can_be_waited_for_with_sigchld_at_its_default) {
  const RubyFunction function(kEvaluator);
  const HarnessEnvironment environment = function.open();
  BOOST_TEST((disposition_of(SIGCHLD).sa_handler == SIG_DFL));
  for (int i = 0; i < 20; ++i) {
    BOOST_TEST(environment.invoke(R"({"code":"`echo x`; system('sleep 0.01'); $?.exitstatus"})").payload ==
               "0");
  }
  environment.close();
}

// The environment's thread says which signals it blocks; a child says which it blocks and ignores.
BOOST_AUTO_TEST_CASE(signals_are_left_to_the_application_and_children_get_them_all) {
  const RubyFunction function(kEvaluator);
  const HarnessEnvironment environment = function.open();
  const auto mask = [&](const std::string& code) {
    return std::stoull(json_of(environment.invoke(nlohmann::json{{"code", code}}.dump())).get<std::string>(),
                       nullptr, 16);
  };
  const auto has = [](unsigned long long signals, int signal) { return (signals >> (signal - 1) & 1) != 0; };
  const std::string own = "File.read('/proc/thread-self/status')[/SigBlk:\\s*(\\h+)/, 1]";
  const std::string of_child = "[/SigBlk:\\s*(\\h+)/, 1]";
  for (int round = 0; round < 2; ++round) {
    for (const std::string& code : {own, "Thread.new { " + own + " }.value"}) {
      const unsigned long long blocked = mask(code);
      for (const int signal : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGCHLD})
        BOOST_TEST(has(blocked, signal));
      for (const int signal : {SIGVTALRM, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT})
        BOOST_TEST(!has(blocked, signal));
    }
    // After a write that has left a SIGPIPE pending.
    for (const std::string& code :
         {"r, w = IO.pipe; r.close; (w.syswrite('x') rescue 0); `cat /proc/self/status`" + of_child,
          "r, w = IO.pipe; r.close; (w.syswrite('x') rescue 0); IO.popen(%w[cat /proc/self/status], &:read)" +
              of_child,
          "r, w = IO.pipe; Process.wait(spawn('cat /proc/self/status', out: w)); w.close; r.read" + of_child,
          "r, w = IO.pipe; pid = fork { exec('cat /proc/self/status', out: w) }; w.close; Process.wait(pid); "
          "r.read" +
              of_child}) {
      BOOST_TEST_CONTEXT(code) { BOOST_TEST(mask(code) == 0u); }
    }
    // A child that is a copy of the process.
    BOOST_TEST(
        environment
            .invoke(
                R"({"code":"pid = fork { sleep 60 }; Process.kill(:TERM, pid); Process.wait2(pid)[1].termsig"})")
            .payload == "15");
    BOOST_TEST(
        environment
            .invoke(
                R"({"code":"pid = fork { r, w = IO.pipe; r.close; begin; w.syswrite('x'); rescue Errno::EPIPE; exit! 4; end }; Process.wait2(pid)[1].exitstatus"})")
            .payload == "4");
  }
  environment.close();
}

// As a program with signalfd or sigwait has it: blocked in every thread of its own.
BOOST_AUTO_TEST_CASE(a_signal_that_the_application_waits_for_reaches_it) {
  sigset_t awaited;
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &awaited, nullptr);
  const RubyFunction function("def handler(event:, context:)\n  puts 'running'\n  sleep\nend\n");
  const HarnessEnvironment environment = function.open();
  const std::uint64_t token = submit_and_await_start(environment);
  kill(getpid(), SIGTERM);
  const timespec patience{20, 0};
  BOOST_TEST(sigtimedwait(&awaited, nullptr, &patience) == SIGTERM);
  environment.interrupt_until_answered(token);
  environment.close();
}

BOOST_AUTO_TEST_CASE(a_write_that_nobody_reads_is_an_error_of_the_function) {
  signal(SIGPIPE, SIG_DFL);  // which would end the process
  const RubyFunction function(std::string("require 'socket'\n") + kEvaluator);
  const HarnessEnvironment environment = function.open();
  for (int round = 0; round < 2; ++round) {
    for (const std::string& code :
         {std::string("r, w = IO.pipe; r.close; begin; w.syswrite('x'); rescue Errno::EPIPE; 'told'; end"),
          std::string("r, w = IO.pipe; r.close; begin; w.write('x' * 100_000); w.flush; rescue Errno::EPIPE; "
                      "'told'; end"),
          std::string(
              "a, b = UNIXSocket.pair; b.close; begin; a.write('x'); rescue Errno::EPIPE; 'told'; end"),
          std::string("Thread.new { r, w = IO.pipe; r.close; begin; w.syswrite('x'); rescue Errno::EPIPE; "
                      "'told'; end }.value"),
          std::string("IO.popen('exec 0<&-; sleep 0.2', 'w') { |io| sleep 0.1; begin; io.syswrite('x'); "
                      "rescue Errno::EPIPE; 'told'; end }")}) {
      BOOST_TEST_CONTEXT(code) {
        BOOST_TEST(environment.invoke(nlohmann::json{{"code", code}}.dump()).payload == R"("told")");
      }
    }
  }
  environment.close();
  BOOST_TEST((disposition_of(SIGPIPE).sa_handler == SIG_DFL));
}

BOOST_AUTO_TEST_CASE(an_endless_ensure_poisons_the_vm_and_new_work_is_refused) {
  RubyFunction stubborn(
      "stubborn",
      "def handler(event:, context:)\n  puts 'running'\n  loop {}\nensure\n  begin\n    loop {}\n  ensure\n  "
      "  loop {}\n  end\nend\n");
  const RubyFunction other("other", "def handler(event:, context:) = 'fine'\n");
  const HarnessEnvironment idle = other.open();
  const HarnessEnvironment stuck = stubborn.open();
  const std::uint64_t token = submit_and_await_start(stuck);
  const auto end = std::chrono::steady_clock::now() + kPatience;
  lambed_interrupt said = LAMBED_INTERRUPT_PENDING;
  while (said == LAMBED_INTERRUPT_PENDING && std::chrono::steady_clock::now() < end) {
    said = stuck.interrupt(token);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // as often as a core would ask
  }
  BOOST_REQUIRE_EQUAL(said, LAMBED_INTERRUPT_UNSUPPORTED);
  stuck.abandon();
  BOOST_TEST(HostHarness::wait_notice("held up by function 'stubborn'"));

  const HarnessEnvironment refused = other.begin_open();
  const std::optional<Outcome> outcome = refused.wait_opened();
  BOOST_REQUIRE(outcome);
  BOOST_TEST(outcome->kind == LAMBED_OUTCOME_REFUSED);
  BOOST_TEST(outcome->payload.find("function 'stubborn'") != std::string::npos);
  BOOST_TEST(outcome->payload.find("`process` isolation") != std::string::npos);
  BOOST_TEST(refused.wait_closed());

  const Outcome invoked = idle.invoke("{}");
  BOOST_TEST(invoked.kind == LAMBED_OUTCOME_REFUSED);
  BOOST_TEST(invoked.discards());
  BOOST_TEST(invoked.payload.find("function 'stubborn'") != std::string::npos);
  const auto begin = std::chrono::steady_clock::now();
  ruby().api().stop();  // must not wait for what cannot end
  BOOST_TEST(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() < 1.0);
}

BOOST_AUTO_TEST_CASE(a_long_call_into_c_poisons_the_vm_until_it_ends) {
  const RubyFunction slow(
      "slow",
      "def handler(event:, context:)\n  puts 'running'\n  begin\n    3.times { (7**2_600_000).to_s.size }\n"
      "  rescue Exception\n    loop {}\n  end\nend\n");
  const RubyFunction other("other", "def handler(event:, context:) = 'fine'\n");
  const HarnessEnvironment stuck = slow.open();
  const std::uint64_t token = submit_and_await_start(stuck);
  stuck.interrupt(token);
  stuck.abandon();
  const HarnessEnvironment refused = other.begin_open();
  const std::optional<Outcome> outcome = refused.wait_opened();
  BOOST_REQUIRE(outcome);
  BOOST_TEST(outcome->kind == LAMBED_OUTCOME_REFUSED);
  BOOST_TEST(stuck.wait_closed(std::chrono::seconds(30)));
  BOOST_TEST(run_once(other).payload == R"("fine")");
}

BOOST_AUTO_TEST_CASE(the_process_can_end_while_a_handler_runs) {
  const RubyFunction function("def handler(event:, context:)\n  loop {}\nensure\n  loop {}\nend\n");
  const HarnessEnvironment environment = function.open();
  BOOST_REQUIRE(environment.wait_taken(environment.submit("{}")));
  // No stop: main returns as it is. The host is left alive, which is no leak; volatile, or nobody would keep the pointer.
  [[maybe_unused]] static HostHarness* volatile left_running = std::exchange(ruby_slot(), nullptr);
}

BOOST_AUTO_TEST_CASE(a_thread_that_a_handler_has_left_does_not_hold_up_the_stop) {
  const RubyFunction function(
      "def handler(event:, context:)\n"
      "  Thread.new { begin; puts 'running'; loop {}; ensure; while true; end; end }\n  1\nend\n");
  const HarnessEnvironment environment = function.open();
  environment.invoke("{}");
  BOOST_REQUIRE(environment.wait_log("running"));
  environment.close();
  const auto begin = std::chrono::steady_clock::now();
  ruby().stop();
  BOOST_TEST(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() < 0.8);
}

BOOST_AUTO_TEST_CASE(a_stopped_host_cannot_be_started_again_and_says_so) {
  run_once(RubyFunction("def handler(event:, context:) = 1\n"));
  ruby().stop();
  try {
    HostHarness again(HostHarness::plugin("liblambed_host_ruby.so"));
    BOOST_ERROR("it started again");
  } catch (const std::runtime_error& error) {
    BOOST_TEST(std::string(error.what()).find("start a new process") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(an_interpreter_that_is_none_is_refused_in_words) {
  for (const auto& [interpreter, words] :
       {std::pair<std::string, std::string>{"/nowhere/ruby", "cannot be run"},
        {"/nowhere/libruby.so", "cannot load libruby"},
        {"/bin/true", "no shared libruby"}}) {
    BOOST_TEST_CONTEXT(interpreter) {
      try {
        HostHarness host(HostHarness::plugin("liblambed_host_ruby.so"), {{"interpreter", interpreter}});
        BOOST_ERROR("it started");
      } catch (const std::runtime_error& error) {
        BOOST_TEST(std::string(error.what()).find(words) != std::string::npos);
        BOOST_TEST(std::string(error.what()).find("LAMBED_RUBY") != std::string::npos);
      }
    }
  }
  BOOST_TEST(run_once(RubyFunction("def handler(event:, context:) = 1\n")).payload == "1");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(ruby_in_the_process)

BOOST_AUTO_TEST_CASE(signals_are_as_before_the_start) {
  runs_in_a_process_of_its_own("signals_are_as_before");
}
BOOST_AUTO_TEST_CASE(children_with_default_sigchld) {
  runs_in_a_process_of_its_own("children_can_be_waited_for_with_sigchld_at_its_default");
}
BOOST_AUTO_TEST_CASE(signals_of_threads_and_children) {
  runs_in_a_process_of_its_own("signals_are_left_to_the_application_and_children_get_them_all");
}
BOOST_AUTO_TEST_CASE(awaited_signals_of_the_application) {
  runs_in_a_process_of_its_own("a_signal_that_the_application_waits_for_reaches_it");
}
BOOST_AUTO_TEST_CASE(closed_pipes) {
  runs_in_a_process_of_its_own("a_write_that_nobody_reads_is_an_error_of_the_function");
}
BOOST_AUTO_TEST_CASE(an_endless_ensure_is_contained) {
  runs_in_a_process_of_its_own("an_endless_ensure_poisons_the_vm_and_new_work_is_refused");
}
BOOST_AUTO_TEST_CASE(a_poisoned_vm_heals) {
  runs_in_a_process_of_its_own("a_long_call_into_c_poisons_the_vm_until_it_ends");
}
BOOST_AUTO_TEST_CASE(exit_with_a_running_handler_is_clean) {
  runs_in_a_process_of_its_own("the_process_can_end_while_a_handler_runs");
}
BOOST_AUTO_TEST_CASE(stop_beside_an_endless_thread) {
  runs_in_a_process_of_its_own("a_thread_that_a_handler_has_left_does_not_hold_up_the_stop");
}
BOOST_AUTO_TEST_CASE(no_second_start) {
  runs_in_a_process_of_its_own("a_stopped_host_cannot_be_started_again_and_says_so");
}
BOOST_AUTO_TEST_CASE(wrong_interpreters) {
  runs_in_a_process_of_its_own("an_interpreter_that_is_none_is_refused_in_words");
}

BOOST_AUTO_TEST_SUITE_END()
