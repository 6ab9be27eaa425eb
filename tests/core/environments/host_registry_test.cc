#include "environments/host_registry.h"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

using namespace lambed::environments;
namespace fs = std::filesystem;

namespace {

// A folder of plugins of its own in LAMBED_HOST_PATH, for as long as it lives.
class PluginFolder {
 public:
  PluginFolder() {
    std::string name = (fs::temp_directory_path() / "lambed-plugins-XXXXXX").string();
    BOOST_REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
    if (const char* before = std::getenv("LAMBED_HOST_PATH")) before_ = before;
    setenv("LAMBED_HOST_PATH", path_.c_str(), 1);
  }
  ~PluginFolder() {
    setenv("LAMBED_HOST_PATH", before_.c_str(), 1);
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  void put(const std::string& file, const std::string& content) const {
    std::ofstream(path_ / file) << content;
  }

 private:
  fs::path path_;
  std::string before_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(host_registry)

BOOST_AUTO_TEST_CASE(the_language_of_a_runtime_is_what_stands_before_its_version) {
  BOOST_TEST(language_of_runtime("python3.11") == "python");
  BOOST_TEST(language_of_runtime("nodejs20.x") == "nodejs");
  BOOST_TEST(language_of_runtime("ruby3.2") == "ruby");
}

BOOST_AUTO_TEST_CASE(a_language_without_plugin_is_unavailable_and_the_message_says_where_it_was_looked_for) {
  const auto host = HostRegistry::instance().host_for("cobol", {});
  BOOST_REQUIRE(!host.ok());
  BOOST_TEST((host.error().code() == lambed::ErrorCode::HostUnavailable));
  BOOST_TEST(host.error().message().find("LAMBED_HOST_PATH") != std::string::npos);
  BOOST_TEST(host.error().message().find("liblambed_host_cobol*.so") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_no_library_is_named_with_its_problem) {
  const PluginFolder folder;
  folder.put("liblambed_host_broken.so", "this is no library");
  const auto host = HostRegistry::instance().host_for("broken", {});
  BOOST_REQUIRE(!host.ok());
  BOOST_TEST(host.error().message().find("liblambed_host_broken.so cannot be loaded") != std::string::npos);
  bool reported = false;
  for (const auto& report : HostRegistry::instance().report(true)) {
    if (report.language != "broken") continue;
    reported = true;
    BOOST_TEST(!report.available);
    BOOST_TEST(report.problem.find("cannot be loaded") != std::string::npos);
  }
  BOOST_TEST(reported);
}

BOOST_AUTO_TEST_CASE(plugins_are_known_by_their_file_names) {
  const PluginFolder folder;
  folder.put("liblambed_host_tcl-86.so", "");
  folder.put("readme.txt", "");
  const auto languages = HostRegistry::instance().languages();
  BOOST_TEST((std::find(languages.begin(), languages.end(), "tcl") != languages.end()));
  BOOST_TEST((std::find(languages.begin(), languages.end(), "readme") == languages.end()));
}

BOOST_AUTO_TEST_SUITE_END()
