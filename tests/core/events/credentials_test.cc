#include "events/credentials.h"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <map>

#include "core/cli/temporary_folder.h"

using namespace lambed::events;

namespace {

CredentialSource source(std::map<std::string, std::string> variables) {
  return CredentialSource([variables = std::move(variables)](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::string() : found->second;
  });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(credentials)

BOOST_AUTO_TEST_CASE(a_profile_is_found_among_others) {
  const std::string text =
      "# a comment\n[default]\naws_access_key_id=A\n aws_secret_access_key = B \n\n"
      "[ other ]\r\naws_access_key_id = C\r\naws_secret_access_key=D=E\r\naws_session_token=F\r\nregion = "
      "x\r\n"
      "[half]\naws_access_key_id = G\n";
  BOOST_TEST(credentials_in(text, "default")->access_key_id == "A");
  BOOST_TEST(credentials_in(text, "default")->secret_access_key == "B");
  BOOST_TEST(credentials_in(text, "default")->session_token == "");
  BOOST_TEST(credentials_in(text, "other")->access_key_id == "C");
  BOOST_TEST(credentials_in(text, "other")->secret_access_key == "D=E");
  BOOST_TEST(credentials_in(text, "other")->session_token == "F");
  BOOST_TEST(!credentials_in(text, "half").has_value());
  BOOST_TEST(!credentials_in(text, "none").has_value());
  BOOST_TEST(!credentials_in("", "default").has_value());
}

BOOST_AUTO_TEST_CASE(the_environment_comes_first) {
  auto given =
      source({{"AWS_ACCESS_KEY_ID", "A"}, {"AWS_SECRET_ACCESS_KEY", "B"}, {"AWS_SESSION_TOKEN", "C"}});
  BOOST_TEST(given.current()->access_key_id == "A");
  BOOST_TEST(given.current()->session_token == "C");
}

BOOST_AUTO_TEST_CASE(a_file_is_read_again_when_it_has_changed) {
  const lambed::testing::TemporaryFolder folder;
  const std::string path = folder.path() + "/credentials";
  auto file =
      source({{"AWS_SHARED_CREDENTIALS_FILE", path}, {"AWS_PROFILE", "p"}, {"AWS_ACCESS_KEY_ID", "half"}});
  std::string why;
  BOOST_TEST(!file.current(&why).has_value());
  BOOST_TEST(why.find("'p' in " + path) != std::string::npos);
  std::ofstream(path) << "[p]\naws_access_key_id=A\naws_secret_access_key=B\n";
  BOOST_TEST(file.current()->access_key_id == "A");
  std::ofstream(path) << "[p]\naws_access_key_id=longer\naws_secret_access_key=B\n";
  BOOST_TEST(file.current()->access_key_id == "longer");
  std::filesystem::remove(path);
  BOOST_TEST(!file.current().has_value());
}

BOOST_AUTO_TEST_SUITE_END()
