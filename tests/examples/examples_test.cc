// The examples are promises to the reader: each one is run here and must do what its page says.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "support/child_process.h"

using lambed::testing::ChildEnd;
using lambed::testing::run_program;

namespace {

const std::string kPrograms = LAMBED_EXAMPLE_PROGRAMS;
const std::string kExamples = LAMBED_SOURCE_DIR "/examples";

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(examples)

BOOST_AUTO_TEST_CASE(the_embedding_program_is_short_and_prints_the_answer) {
  const std::string source = read_file(kExamples + "/embed.cc");
  BOOST_TEST(std::count(source.begin(), source.end(), '\n') < 40);
  const ChildEnd end = run_program({kPrograms + "/example_embed"});
  BOOST_TEST(end.exit_code == 0, end.err);
  const nlohmann::json answer = nlohmann::json::parse(end.out, nullptr, false);
  BOOST_TEST(answer ==
             nlohmann::json({{"greeting", "Hello, Ada!"}, {"by", "greet"}, {"language", "CPython"}}));
}

BOOST_AUTO_TEST_CASE(one_process_runs_a_pipeline_through_three_languages) {
  const ChildEnd end = run_program(
      {kPrograms + "/example_pipeline", kExamples + "/pipeline", kExamples + "/events/cloudwatch-logs.json"});
  BOOST_TEST(end.exit_code == 0, end.err);
  const nlohmann::json expected =
      nlohmann::json::parse(read_file(kExamples + "/pipeline/report/expected.json"));
  BOOST_TEST(nlohmann::json::parse(end.out, nullptr, false) == expected);
}

BOOST_AUTO_TEST_CASE(every_example_function_gives_the_expected_result) {
  const ChildEnd end = run_program({kPrograms + "/lambed_demo", "--require-all", kExamples});
  BOOST_TEST(end.exit_code == 0, end.out + end.err);
  const nlohmann::json listed = nlohmann::json::parse(read_file(kExamples + "/examples.json"))["examples"];
  for (const nlohmann::json& example : listed) {
    BOOST_TEST(end.out.find("\n" + example["name"].get<std::string>() + " ") != std::string::npos,
               example["name"]);
  }
  BOOST_TEST(end.out.find("FAILED") == std::string::npos);
  BOOST_TEST(end.out.find("skipped") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_wrong_result_fails_the_demo) {
  // The same functions with one expectation changed, in a folder of this test's own.
  char folder[] = "/tmp/lambed-examples-XXXXXX";
  BOOST_REQUIRE(mkdtemp(folder) != nullptr);
  const std::string copy = std::string(folder) + "/examples";
  BOOST_REQUIRE(run_program({"cp", "-r", kExamples, copy}).exit_code == 0);
  std::ofstream(copy + "/book-stock/expected.json") << R"({"batchItemFailures":[]})";
  const ChildEnd end = run_program({kPrograms + "/lambed_demo", copy});
  run_program({"rm", "-r", folder});
  BOOST_TEST(end.exit_code == 1);
  BOOST_TEST(end.out.find("book-stock: expected {\"batchItemFailures\":[]}") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_folder_without_examples_is_refused) {
  const ChildEnd end = run_program({kPrograms + "/lambed_demo", "/nonexistent"});
  BOOST_TEST(end.exit_code == 2);
  BOOST_TEST(end.err.find("/nonexistent/examples.json") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
