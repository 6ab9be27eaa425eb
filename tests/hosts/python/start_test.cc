// Finding and starting an interpreter.
#include <csignal>
#include <filesystem>
#include <stdexcept>

#include "hosts/python/python_fixture.h"

using namespace lambed::testing;

namespace {

std::string start_failure(const std::string& interpreter) {
  try {
    HostHarness harness(HostHarness::plugin("liblambed_host_python.so"), {{"interpreter", interpreter}});
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(python_start)

BOOST_AUTO_TEST_CASE(an_interpreter_that_does_not_do_is_named_with_the_reason) {
  TemporaryFolder folder;
  BOOST_TEST(start_failure("/absent/python3").find("/absent/python3 is not an executable") !=
             std::string::npos);
  BOOST_TEST(start_failure("/bin/true").find("did not answer like a Python interpreter") !=
             std::string::npos);
  const std::string old = folder.write(
      "python3", "#!/bin/sh\nprintf 'lambed\\n3\\n8\\n/usr/bin/python3.8\\n/usr\\n/lib\\nlib\\nx\\n'\n");
  const std::string unshared =
      folder.write("static", "#!/bin/sh\nprintf 'lambed\\n3\\n12\\n\\n/absent\\n/absent\\nlib\\nx\\n'\n");
  std::filesystem::permissions(old, std::filesystem::perms::owner_all);
  std::filesystem::permissions(unshared, std::filesystem::perms::owner_all);
  BOOST_TEST(start_failure(old).find("is Python 3.8, 3.11 or newer is needed") != std::string::npos);
  const std::string remedy = start_failure(unshared);
  BOOST_TEST(remedy.find("libpython3.12.so.1.0") != std::string::npos);
  BOOST_TEST(remedy.find("apt install libpython3.12") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(starting_changes_no_signal) {
  struct sigaction before[65];
  for (int i = 1; i < 65; ++i) sigaction(i, nullptr, &before[i]);
  python_host();
  for (int i = 1; i < 65; ++i) {
    struct sigaction now {};
    if (sigaction(i, nullptr, &now) != 0) continue;
    BOOST_TEST(now.sa_handler == before[i].sa_handler, "signal " << i);
  }
}

BOOST_AUTO_TEST_CASE(the_description_fits_the_interpreter) {
  const lambed_host_description description = python_host().describe();
  BOOST_TEST(std::string(description.language.data, description.language.size) == "python");
  BOOST_TEST(((description.traits & LAMBED_HOST_SHARED_LOCK) != 0) == !python_at_least(13));
  BOOST_TEST((description.traits & LAMBED_HOST_CONTAINS_EXIT) != 0u);
  BOOST_TEST(description.memory_scope == LAMBED_MEMORY_PER_ENVIRONMENT);
  BOOST_TEST(
      std::string(description.interpreter_path.data, description.interpreter_path.size).find("libpython") !=
      std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_second_start_is_refused) {
  python_host();
  BOOST_TEST(start_failure("").find("once in a process") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_interpreters_own_folders_are_importable) {
  PythonFunction function(R"(
import sys, sysconfig, json
def handler(event, context):
    return {'executable': sys.executable, 'site': any(path.endswith('-packages') for path in sys.path),
            'version': '%d.%d' % sys.version_info[:2], 'standard': json.__file__.startswith(sysconfig.get_path('stdlib'))}
)");
  const nlohmann::json found = json_of(function.open().invoke("{}"));
  BOOST_TEST(found["version"] == python_version());
  BOOST_TEST(found["site"] == true);
  BOOST_TEST(found["standard"] == true);
  BOOST_TEST(found["executable"].get<std::string>().find("python") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
