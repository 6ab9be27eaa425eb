#include "cli/function_source.h"

#include <zip.h>

#include <boost/test/unit_test.hpp>
#include <map>
#include <string>

#include "cli/exit_codes.h"
#include "core/cli/temporary_folder.h"
#include "support/text.h"

using namespace lambed;
using namespace lambed::cli;
using lambed::testing::TemporaryFolder;

namespace {

void write_zip(const std::string& path, const std::map<std::string, std::string>& files) {
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  BOOST_REQUIRE(archive != nullptr);
  for (const auto& [name, content] : files) {
    zip_file_add(archive, name.c_str(), zip_source_buffer(archive, content.data(), content.size(), 0), 0);
  }
  BOOST_REQUIRE(zip_close(archive) == 0);
}

std::string problem_with(const std::string& path, std::string_view runtime = {},
                         const std::string& handler = {}) {
  try {
    return "found " + find_function(path, runtime, handler).handler;
  } catch (const CommandError& error) {
    return error.what();
  }
}

constexpr const char* kPython = "def lambda_handler(event, context):\n    return event\n";

}  // namespace

BOOST_FIXTURE_TEST_SUITE(function_source, TemporaryFolder)

BOOST_AUTO_TEST_CASE(a_folder_with_lambdas_own_file_names_needs_no_options) {
  struct Case {
    const char* file;
    const char* text;
    const char* language;
    const char* handler;
  };
  const Case cases[] = {
      {"lambda_function.py", kPython, "python", "lambda_function.lambda_handler"},
      {"lambda_function.py", "def handler(e, c): ...", "python", "lambda_function.handler"},
      {"index.js", "exports.handler = async () => 1", "nodejs", "index.handler"},
      {"index.mjs", "export const handler = async () => 1", "nodejs", "index.handler"},
      {"lambda_function.rb", "def lambda_handler(event:, context:)\nend", "ruby",
       "lambda_function.lambda_handler"},
      {"app.py", "def handler(event, context): ...", "python", "app.handler"},
      {"app.mjs", "export const lambdaHandler = async () => 1", "nodejs", "app.lambdaHandler"},
      {"app.rb", "def lambda_handler(event:, context:)\nend", "ruby", "app.lambda_handler"},
  };
  for (const Case& expected : cases) {
    const TemporaryFolder folder;
    folder.file(expected.file, expected.text);
    const FunctionSource source = find_function(folder.path(), {}, {});
    BOOST_TEST(source.language == expected.language, expected.file);
    BOOST_TEST(source.handler == expected.handler, expected.file);
    BOOST_TEST((source.code.kind() == Code::Kind::kDirectory));
  }
}

BOOST_AUTO_TEST_CASE(lambdas_own_file_without_a_handler_is_left_to_lambdas_own_error) {
  file("lambda_function.py", "def main(): ...");
  BOOST_TEST(find_function(path(), {}, {}).handler == "lambda_function.lambda_handler");
}

BOOST_AUTO_TEST_CASE(an_app_file_without_a_handler_is_an_error_that_says_what_was_tried) {
  file("app.py", "def main(): ...");
  const std::string problem = problem_with(path());
  BOOST_TEST(says(problem, "app.py defines none of the usual handlers (lambda_handler, handler)"), problem);
  BOOST_TEST(says(problem, "--handler app.FUNCTION"), problem);
}

BOOST_AUTO_TEST_CASE(a_folder_without_a_function_says_what_was_looked_for) {
  BOOST_TEST(says(problem_with(path()), "It is empty"));
  file("readme.txt", "x");
  const std::string problem = problem_with(path());
  BOOST_TEST(says(problem, "lambda_function.py, index.mjs, index.js"), problem);
  BOOST_TEST(says(problem, "--handler FILE.FUNCTION"), problem);
}

BOOST_AUTO_TEST_CASE(two_languages_in_one_folder_must_be_told_apart) {
  file("lambda_function.py", kPython);
  file("index.js", "exports.handler = 1");
  BOOST_TEST(says(problem_with(path()), "lambda_function.py and index.js are both there"));
  BOOST_TEST(find_function(path(), "nodejs20.x", {}).handler == "index.handler");
  BOOST_TEST(find_function(path(), {}, "index.handler").language == "nodejs");
}

BOOST_AUTO_TEST_CASE(a_handler_option_finds_its_file_and_language) {
  file("pkg/web.py", "def main(e, c): ...");
  file("lib/tool.rb", "module Tool\nend");
  BOOST_TEST(find_function(path(), {}, "pkg/web.main").language == "python");
  BOOST_TEST(find_function(path(), {}, "pkg.web.main").language == "python");
  BOOST_TEST(find_function(path(), {}, "lib/tool.Tool.run").language == "ruby");
  BOOST_TEST(says(problem_with(path(), {}, "absent.main"), "looked for absent.py, absent.mjs"));
  BOOST_TEST(says(problem_with(path(), {}, "nodot"), "file.function"));
  BOOST_TEST(says(problem_with(path(), {}, ".x"), "file.function"));
}

BOOST_AUTO_TEST_CASE(a_single_file_is_a_function_in_its_folder) {
  const std::string source_file = file("my greeter.py", "def handler(event, context): ...");
  const FunctionSource source = find_function(source_file, {}, {});
  BOOST_TEST(source.handler == "my greeter.handler");
  BOOST_TEST(source.name == "my-greeter");
  BOOST_TEST(source.code.value() == std::filesystem::canonical(path()).string());
  BOOST_TEST(says(problem_with(source_file, "ruby3.3"), "cannot run with --runtime ruby3.3"));
  BOOST_TEST(says(problem_with(file("x.py", "pass")), "x.FUNCTION"));
}

BOOST_AUTO_TEST_CASE(an_archive_is_looked_into) {
  const std::string archive = path() + "/function.zip";
  write_zip(archive, {{"lambda_function.py", kPython}, {"pkg/more.py", "x = 1"}});
  const FunctionSource source = find_function(archive, {}, {});
  BOOST_TEST(source.handler == "lambda_function.lambda_handler");
  BOOST_TEST(source.name == "function");
  BOOST_TEST((source.code.kind() == Code::Kind::kZip));

  write_zip(archive, {{"function/lambda_function.py", kPython}});
  BOOST_TEST(says(problem_with(archive), "All of it lies in the folder function/"));
  BOOST_TEST(
      says(problem_with(file("broken.zip", "PK no archive")), "broken.zip: not a usable .zip archive"));
  BOOST_TEST(says(problem_with(file("empty.zip", "")), "empty.zip"));
}

BOOST_AUTO_TEST_CASE(what_is_no_function_is_refused_with_words) {
  BOOST_TEST(says(problem_with(path() + "/absent"), "/absent: no such file or folder"));
  BOOST_TEST(says(problem_with(file("notes.txt", "x")), "give a folder, a .zip, or a source file"));
  file("lambda_function.py", kPython);
  BOOST_TEST(says(problem_with(path(), "cobol"), "not a runtime that lambed knows"));
  BOOST_TEST(says(problem_with(path(), "ruby3.3"), "looked for lambda_function.rb, app.rb"));
}

BOOST_AUTO_TEST_CASE(runtimes_follow_from_interpreter_versions) {
  BOOST_TEST(runtime_for("python", "3.11.2") == "python3.11");
  BOOST_TEST(runtime_for("python", "3.13.0rc1") == "python3.13");
  BOOST_TEST(runtime_for("nodejs", "20.20.2") == "nodejs20.x");
  BOOST_TEST(runtime_for("ruby", "3.1.2") == "ruby3.2");
  BOOST_TEST(runtime_for("ruby", "3.3.0") == "ruby3.3");
}

BOOST_AUTO_TEST_SUITE_END()
