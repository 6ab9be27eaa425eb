// Hosts that are part of the application, a limit of environments per version, and gateways after fork().
#include <lambed/embedding.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/gateway/scripted.h"

namespace lambed::testing {
namespace {

const lambed_host_api& plugin_table() {
  const std::string path = std::string(LAMBED_TEST_PLUGIN_DIR) + "/liblambed_host_scripted.so";
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(::dlerror());
  return *reinterpret_cast<lambed_host_entry_function>(::dlsym(library, LAMBED_HOST_ENTRY))(LAMBED_HOST_ABI);
}

// The scripted host once more, linked in by table, with one environment for each version of a function.
void describe_solitary(lambed_host_description* description) {
  plugin_table().describe(description);
  description->max_environments_per_version = 1;
}

struct SolitaryFixture : ScriptedFixture {
  SolitaryFixture() {
    static const lambed_host_api kTable = [] {
      lambed_host_api table = plugin_table();
      table.describe = describe_solitary;
      return table;
    }();
    static const bool kRegistered = (register_host("solitary", kTable), true);
    static_cast<void>(kRegistered);
  }
  CreateFunctionRequest solitary(const std::string& name, const std::string& script) const {
    CreateFunctionRequest request = function(name, script);
    request.runtime = "solitary";
    return request;
  }
};

// Handlers of such a host are in the application: no worker has them.
BOOST_FIXTURE_TEST_SUITE(a_host_that_is_part_of_the_application, SolitaryFixture,
                         *boost::unit_test::label("in_process"))

BOOST_AUTO_TEST_CASE(serves_its_runtime_without_a_plugin) {
  Gateway gateway{options()};
  gateway.create_function(solitary("hello", "echo"));
  BOOST_TEST(gateway.invoke({.function = "hello", .payload = "[1]"}).payload == "[1]");
}

BOOST_AUTO_TEST_CASE(with_one_environment_per_version_runs_calls_one_after_another) {
  Gateway gateway{options()};
  gateway.create_function(solitary("hello", "echo"));
  Gate gate;
  std::vector<std::future<InvokeResult>> held;
  for (int i = 0; i < 8; ++i) {
    held.push_back(gateway.invoke_future({.function = "hello", .payload = do_script("wait=" + gate.name())}));
  }
  BOOST_TEST(gate.await_waiting(1));
  BOOST_TEST(host().environments() == 1);
  gate.open();
  for (auto& future : held) BOOST_TEST(result_of(future).ok());
  BOOST_TEST(gateway.invoke({.function = "hello"}).ok());
  BOOST_TEST(host().environments() == 1);
  BOOST_TEST(gateway.usage("hello").requests == 9u);
}

BOOST_AUTO_TEST_CASE(has_another_environment_for_another_function) {
  Gateway gateway{options()};
  gateway.create_function(solitary("one", "echo"));
  gateway.create_function(solitary("two", "echo"));
  Gate gate;
  auto held = gateway.invoke_future({.function = "one", .payload = do_script("wait=" + gate.name())});
  BOOST_TEST(gate.await_waiting(1));
  BOOST_TEST(gateway.invoke({.function = "two"}).ok());
  gate.open();
  BOOST_TEST(result_of(held).ok());
}

BOOST_AUTO_TEST_CASE(serves_those_in_line_after_its_only_environment_ended) {
  Gateway gateway{options()};
  gateway.create_function(solitary("hello", "echo"));
  Gate gate;
  std::vector<std::future<InvokeResult>> held;
  for (int i = 0; i < 4; ++i) {
    const char* last = i % 2 == 0 ? ";exit=3" : "";
    held.push_back(
        gateway.invoke_future({.function = "hello", .payload = do_script("wait=" + gate.name() + last)}));
  }
  BOOST_TEST(gate.await_waiting(1));
  gate.open();
  int failed = 0;
  for (auto& future : held) failed += result_of(future).ok() ? 0 : 1;
  BOOST_TEST(failed == 2);
}

BOOST_AUTO_TEST_CASE(answers_everyone_when_it_cannot_be_opened) {
  Gateway gateway{options()};
  gateway.create_function(solitary("hello", "init-fail=Broken"));
  std::vector<std::future<InvokeResult>> held;
  for (int i = 0; i < 4; ++i) held.push_back(gateway.invoke_future({.function = "hello"}));
  for (auto& future : held) BOOST_TEST(result_of(future).function_error == "Unhandled");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(a_caller_that_stays_reachable, GatewayFixture)

BOOST_AUTO_TEST_CASE(is_asked_while_it_waits_and_gets_the_answer) {
  create("hello", "echo");
  Gate gate;
  int asked = 0;
  const std::function<bool()> go_on = [&] {
    if (++asked == 3) gate.open();
    return true;
  };
  const InvokeResult result =
      gateway.invoke({.function = "hello", .payload = do_script("wait=" + gate.name())}, go_on);
  BOOST_TEST(result.ok());
  BOOST_TEST(asked >= 3);
}

BOOST_AUTO_TEST_CASE(may_give_up_which_interrupts_the_handler_and_leaves_the_next_call_unharmed) {
  create("hello", "echo");
  Gate gate;
  const Error error = error_of([&] {
    gateway.invoke({.function = "hello", .payload = do_script("wait=" + gate.name())},
                   [&] { return gate.waiting() == 0; });
  });
  BOOST_TEST(std::string(error.name()) == "ServiceException");
  BOOST_TEST(error.reason() == "CallGivenUp");
  BOOST_TEST(gate.await_waiting(0));
  BOOST_TEST(gateway.invoke({.function = "hello"}).ok());
  BOOST_TEST(gateway.status().in_flight == 0);
}

BOOST_AUTO_TEST_CASE(may_give_up_before_the_handler_began) {
  gateway.create_function(function("hello", "init-sleep=500"));
  const Error error = error_of([&] { gateway.invoke({.function = "hello"}, [] { return false; }); });
  BOOST_TEST(error.reason() == "CallGivenUp");
  BOOST_TEST(gateway.invoke({.function = "hello"}).ok());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(after_fork, GatewayFixture)

// Runs `body` in a forked child; its exit code, or -1 when it did not end.
template <typename Body>
int in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  if (!await([&] { return ::waitpid(child, &status, WNOHANG) == child; })) {
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return -1;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

BOOST_AUTO_TEST_CASE(a_child_is_told_that_the_gateway_is_its_parents) {
  create("hello", "echo");
  BOOST_TEST(gateway.invoke({.function = "hello"}).ok());
  const int how = in_child([&] {
    try {
      gateway.invoke({.function = "hello"});
    } catch (const Error& error) {
      return error.code() == ErrorCode::GatewayClosed && error.message().find("fork") != std::string::npos
                 ? 7
                 : 1;
    }
    return 2;
  });
  BOOST_TEST(how == 7);
  BOOST_TEST(gateway.invoke({.function = "hello"}).ok());
}

BOOST_AUTO_TEST_CASE(a_child_can_close_and_destroy_its_copy_and_exit) {
  auto second = std::make_unique<Gateway>(options());
  second->create_function(function("hello", "echo"));
  BOOST_TEST(second->invoke({.function = "hello"}).ok());
  BOOST_TEST(in_child([&] {
               second->close();
               second.reset();
               return 7;
             }) == 7);
  BOOST_TEST(second->invoke({.function = "hello"}).ok());
}

#ifndef __SANITIZE_THREAD__  // a thread of the child may bear the number of one that it left behind, which TSan takes for an error
BOOST_AUTO_TEST_CASE(a_new_gateway_of_the_child_says_that_the_hosts_are_the_parents) {
  create("hello", "echo");
  BOOST_TEST(gateway.invoke({.function = "hello"}).ok());
  const int how = in_child([&] {
    auto* const own = new Gateway(options());
    own->create_function(function("hello", "echo"));
    try {
      own->invoke({.function = "hello"});
    } catch (const Error& error) {
      return error.code() == ErrorCode::HostUnavailable && error.message().find("fork") != std::string::npos
                 ? 7
                 : 1;
    }
    return 2;
  });
  BOOST_TEST(how == 7);
}
#endif

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
