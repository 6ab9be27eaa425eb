// The program as a user meets it: words in, standard output, standard error, exit status.
#include <zip.h>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/cli/temporary_folder.h"
#include "support/child_process.h"
#include "support/text.h"

using lambed::testing::ChildEnd;
using lambed::testing::ChildOptions;
using lambed::testing::TemporaryFolder;
using nlohmann::json;

namespace {

ChildEnd lambed_with(std::vector<std::string> words, ChildOptions options = {}) {
  words.insert(words.begin(), LAMBED_PROGRAM);
  return lambed::testing::run_program(words, std::move(options));
}

struct Function : TemporaryFolder {
  ChildEnd invoke(const std::string& source, std::vector<std::string> options = {},
                  ChildOptions child = {}) const {
    file("lambda_function.py", source);
    options.insert(options.begin(), {"invoke", path()});
    return lambed_with(options, std::move(child));
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(program_invoke, Function)

BOOST_AUTO_TEST_CASE(only_the_payload_goes_to_standard_output) {
  const ChildEnd end = invoke(
      "import os, subprocess, sys\n"
      "def lambda_handler(event, context):\n"
      "    print('printed')\n"
      "    print('to stderr', file=sys.stderr)\n"
      "    os.write(1, b'straight to descriptor 1\\n')\n"
      "    subprocess.run(['echo', 'from a child'])\n"
      "    return {'hello': event['name']}\n",
      {"--event", R"({"name":"Ada"})"});
  BOOST_TEST(end.exit_code == 0, end.err);
  BOOST_TEST(end.out == "{\"hello\": \"Ada\"}\n");
  for (const char* line : {"printed\n", "to stderr\n", "straight to descriptor 1\n", "from a child\n",
                           "START RequestId: ", "END RequestId: ", "REPORT RequestId: ", "Init Duration: "}) {
    BOOST_TEST(says(end.err, line), line);
  }
}

BOOST_AUTO_TEST_CASE(the_event_comes_from_an_option_a_file_or_standard_input) {
  const std::string echo = "def lambda_handler(event, context):\n    return event\n";
  BOOST_TEST(invoke(echo).out == "{}\n");
  BOOST_TEST(invoke(echo, {"--event", "[1]"}).out == "[1]\n");
  BOOST_TEST(invoke(echo, {"--event-file", file("event.json", "{\"a\":2}")}).out == "{\"a\": 2}\n");
  BOOST_TEST(invoke(echo, {"-"}, {.input = "{\"a\":3}"}).out == "{\"a\": 3}\n");
  const std::string large = "\"" + std::string(1 << 20, 'x') + "\"";
  BOOST_TEST((invoke(echo, {"-"}, {.input = large}).out == large + "\n"));
}

BOOST_AUTO_TEST_CASE(a_handler_that_reads_standard_input_finds_it_empty) {
  const ChildEnd end =
      invoke("import sys\ndef lambda_handler(event, context):\n    return sys.stdin.read()\n", {},
             {.input = "not for the handler"});
  BOOST_TEST(end.out == "\"\"\n");
}

BOOST_AUTO_TEST_CASE(a_function_error_is_printed_and_ends_with_1) {
  const ChildEnd end = invoke("def lambda_handler(event, context):\n    raise ValueError('no good')\n");
  BOOST_TEST(end.exit_code == 1);
  const json document = json::parse(end.out, nullptr, false);
  BOOST_TEST(document["errorType"] == "ValueError");
  BOOST_TEST(document["errorMessage"] == "no good");
  BOOST_TEST(says(end.err, "[ERROR] ValueError: no good"));
}

BOOST_AUTO_TEST_CASE(errors_of_loading_are_lambdas_own_documents) {
  struct Case {
    const char* source;
    const char* type;
  };
  for (const Case& expected : {Case{"import absent_module\n", "Runtime.ImportModuleError"},
                               Case{"def main(): ...\n", "Runtime.HandlerNotFound"},
                               Case{"def lambda_handler(event, context\n", "Runtime.UserCodeSyntaxError"}}) {
    const ChildEnd end = invoke(expected.source);
    BOOST_TEST(end.exit_code == 1, expected.type);
    BOOST_TEST(json::parse(end.out, nullptr, false)["errorType"] == expected.type);
  }
}

BOOST_AUTO_TEST_CASE(a_binary_result_is_written_raw) {
  const ChildEnd end = invoke("def lambda_handler(event, context):\n    return b'\\x00\\xff\\n'\n");
  BOOST_TEST(end.exit_code == 0, end.err);
  BOOST_TEST(end.out == std::string("\x00\xff\n", 3));
}

BOOST_AUTO_TEST_CASE(options_reach_the_function) {
  const ChildEnd end = invoke(
      "import os\n"
      "def lambda_handler(event, context):\n"
      "    return [os.environ['GREETING'], os.environ['EMPTY'], context.memory_limit_in_mb,\n"
      "            context.get_remaining_time_in_millis() > 8000, context.function_name]\n",
      {"--env", "GREETING=a=b c", "--env", "EMPTY=", "--memory", "256", "--timeout", "10"});
  BOOST_TEST(end.exit_code == 0, end.err);
  const json result = json::parse(end.out, nullptr, false);
  BOOST_REQUIRE(result.is_array());
  BOOST_TEST(result[0] == "a=b c");
  BOOST_TEST(result[1] == "");
  BOOST_TEST(result[2] == "256");
  BOOST_TEST(result[3] == true);
}

BOOST_AUTO_TEST_CASE(current_quotas_allow_what_classic_ones_refuse) {
  const std::string source = "def lambda_handler(event, context):\n    return 1\n";
  const ChildEnd classic = invoke(source, {"--memory", "130"});
  BOOST_TEST(classic.exit_code == 2);
  BOOST_TEST(classic.out.empty());
  const ChildEnd current = invoke(source, {"--memory", "130", "--quotas", "current"});
  BOOST_TEST(current.exit_code == 0, current.err);
}

BOOST_AUTO_TEST_CASE(a_single_file_and_an_archive_are_functions_too) {
  const std::string source = "import neighbour\ndef handler(event, context):\n    return neighbour.VALUE\n";
  file("neighbour.py", "VALUE = 42\n");
  const ChildEnd single = lambed_with({"invoke", file("greet.py", source)});
  BOOST_TEST(single.out == "42\n", single.err);

  const std::string archive_path = path() + "/function.zip";
  zip_t* archive = zip_open(archive_path.c_str(), ZIP_CREATE, nullptr);
  BOOST_REQUIRE(archive != nullptr);
  const std::string value = "VALUE = 43\n";
  zip_file_add(archive, "app.py", zip_source_buffer(archive, source.data(), source.size(), 0), 0);
  zip_file_add(archive, "neighbour.py", zip_source_buffer(archive, value.data(), value.size(), 0), 0);
  BOOST_REQUIRE(zip_close(archive) == 0);
  const ChildEnd zipped = lambed_with({"invoke", archive_path});
  BOOST_TEST(zipped.out == "43\n", zipped.err);
}

BOOST_AUTO_TEST_CASE(bad_input_ends_with_2_and_prints_nothing_to_standard_output) {
  const std::string source = "def lambda_handler(event, context):\n    return 1\n";
  file("lambda_function.py", source);
  struct Case {
    std::vector<std::string> words;
    std::string says;
  };
  const Case cases[] = {
      {{}, "lambed --help"},
      {{"unknown"}, "unknown"},
      {{"invoke"}, "PATH is required"},
      {{"invoke", path() + "/absent"}, "no such file or folder"},
      {{"invoke", path(), "--event", "{no json"}, "--event: Could not parse request body into json"},
      {{"invoke", path(), "--event-file", file("bad.json", "\x99")},
       "bad.json: Could not parse request body into json"},
      {{"invoke", path(), "--event-file", path() + "/absent.json"}, "absent.json: No such file or directory"},
      {{"invoke", path(), "--event-file", path()}, "is a folder, not a file"},
      {{"invoke", path(), "--event", "{}", "-"}, "give the event once"},
      {{"invoke", path(), "more"}, "one PATH is enough"},
      {{"invoke", path(), "--env", "NOVALUE"}, "--env NOVALUE: write it as KEY=VALUE"},
      {{"invoke", path(), "--env", "1BAD=x"}, "1BAD"},
      {{"invoke", path(), "--timeout", "901"}, "900"},
      {{"invoke", path(), "--timeout", "0"}, "1"},
      {{"invoke", path(), "--timeout", "soon"}, "--timeout"},
      {{"invoke", path(), "--memory", "100"}, "128"},
      {{"invoke", path(), "--runtime", "python2.7"}, "python2.7"},
      {{"invoke", path(), "--runtime", "cobol"}, "not a runtime"},
      {{"invoke", path(), "--isolation", "box"}, "--isolation"},
      {{"invoke", path(), "--quotas", "future"}, "--quotas"},
      {{"invoke", path(), "--unknown"}, "--unknown"},
      {{"invoke", file("broken.zip", "no archive")}, "broken.zip: not a usable .zip archive"},
  };
  for (const Case& bad : cases) {
    const ChildEnd end = lambed_with(bad.words);
    BOOST_TEST_CONTEXT((bad.words.empty() ? "" : bad.words.back())) {
      BOOST_TEST(end.exit_code == 2);
      BOOST_TEST(end.out.empty());
      BOOST_TEST(end.err.starts_with("lambed: "), end.err);
      BOOST_TEST(says(end.err, bad.says), end.err);
    }
  }
}

// Virtual environments and distributions do it: threading is there before the first line of a function.
BOOST_AUTO_TEST_CASE(an_installation_that_imports_threading_at_its_start_ends_in_silence) {
  const ChildEnd made =
      lambed::testing::run_program({"python3", "-m", "venv", "--without-pip", path() + "/venv"});
  BOOST_REQUIRE(made.exit_code == 0);
  const ChildEnd where = lambed::testing::run_program(
      {path() + "/venv/bin/python3", "-c", "import sysconfig; print(sysconfig.get_path('purelib'), end='')"});
  std::ofstream(where.out + "/early.pth") << "import threading\n";
  file("lambda_function.py", "import threading\ndef lambda_handler(event, context):\n    return 1\n");
  const ChildEnd end =
      lambed::testing::run_program({"sh", "-c", R"(PATH="$2:$PATH" exec "$0" invoke "$1")", LAMBED_PROGRAM,
                                    path() + "/lambda_function.py", path() + "/venv/bin"});
  BOOST_TEST(end.exit_code == 0, end.err);
  BOOST_TEST(end.out == "1\n");
  BOOST_TEST(!says(end.err, "Exception"), end.err);
  BOOST_TEST(!says(end.err, "Error"), end.err);
}

BOOST_AUTO_TEST_CASE(a_result_that_cannot_be_written_is_an_error) {
  file("lambda_function.py", "def lambda_handler(event, context):\n    return 1\n");
  const ChildEnd end = lambed::testing::run_program(
      {"sh", "-c", R"(exec "$0" invoke "$1" > /dev/full)", LAMBED_PROGRAM, path()});
  BOOST_TEST(end.exit_code == 2);
  BOOST_TEST(says(end.err, "could not be written to standard output"), end.err);
}

BOOST_AUTO_TEST_CASE(help_and_version_are_answers) {
  const ChildEnd help = lambed_with({"--help"});
  BOOST_TEST(help.exit_code == 0);
  BOOST_TEST(says(help.out, "doctor"));
  const ChildEnd invoke_help = lambed_with({"invoke", "--help"});
  BOOST_TEST(invoke_help.exit_code == 0);
  for (const char* word : {"--event-file", "--handler", "--env", "Exit status", "Examples"}) {
    BOOST_TEST(says(invoke_help.out, word), word);
  }
  const ChildEnd version = lambed_with({"--version"});
  BOOST_TEST(version.exit_code == 0);
  BOOST_TEST(version.out == "lambed " LAMBED_VERSION "\n");
}

BOOST_AUTO_TEST_CASE(other_languages_are_guessed_and_run) {
  const TemporaryFolder node;
  node.file("index.mjs",
            "export const handler = async (event) => { console.log('hi'); return { n: event.n + 1 }; };");
  const ChildEnd from_node = lambed_with({"invoke", node.path(), "--event", R"({"n":1})"});
  BOOST_TEST(from_node.exit_code == 0, from_node.err);
  BOOST_TEST(from_node.out == "{\"n\":2}\n");

  const TemporaryFolder ruby;
  ruby.file("lambda_function.rb",
            "def lambda_handler(event:, context:)\n  puts 'hi'\n  { n: event['n'] + 1 }\nend\n");
  const ChildEnd from_ruby = lambed_with({"invoke", ruby.path(), "--event", R"({"n":1})"});
  BOOST_TEST(from_ruby.exit_code == 0, from_ruby.err);
  BOOST_TEST(from_ruby.out == "{\"n\":2}\n");
}

BOOST_AUTO_TEST_SUITE_END()
