// The table of operations.
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "api/api.h"
#include "api/operations.h"
#include "api/routes.h"
#include "core/http/serving.h"

using namespace lambed;
using namespace lambed::api;

namespace {

std::string name_of(std::string_view method, std::string_view path, std::string_view query = {}) {
  const auto found = match(method, path, query);
  return found ? std::string(found->operation->name) : "";
}

// A path of that operation: every parameter is "x".
std::string example(const Operation& operation) {
  std::string path;
  bool inside = false;
  for (const char c : operation.path) {
    if (c == '{') path += 'x';
    inside = c == '{' || (inside && c != '}');
    if (!inside && c != '}') path += c;
  }
  if (!operation.selector.empty()) path += "?" + std::string(operation.selector);
  return path;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(api_routes)

BOOST_AUTO_TEST_CASE(every_operation_is_found_by_its_own_path_with_and_without_a_slash) {
  const auto [table, size] = operations();
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < size; ++i) {
    names.insert(table[i].name);
    const std::string path = example(table[i]);
    const auto mark = path.find('?');
    const std::string query = mark == std::string::npos ? "" : path.substr(mark + 1);
    BOOST_TEST(name_of(table[i].method, path.substr(0, mark), query) == table[i].name);
    BOOST_TEST(name_of(table[i].method, path.substr(0, mark) + "/", query) == table[i].name);
  }
  BOOST_TEST(names.size() == 85u);
}

BOOST_AUTO_TEST_CASE(parameters_are_decoded) {
  const auto found = match("GET", "/2017-03-31/tags/arn%3Aaws%3Alambda%3Afunction%2Fx", "");
  BOOST_REQUIRE(found);
  BOOST_TEST(found->parameters.at("Resource") == "arn:aws:lambda:function/x");
}

BOOST_AUTO_TEST_CASE(what_is_no_operation_is_none) {
  BOOST_TEST(name_of("PATCH", "/2015-03-31/functions") == "");
  BOOST_TEST(name_of("GET", "/2015-03-31/functions//") == "");
  BOOST_TEST(name_of("GET", "/2015-03-31/functions//configuration") == "");
  BOOST_TEST(name_of("GET", "/2015-03-31/functions/a/b/c") == "");
  BOOST_TEST(name_of("GET", "/2015-03-31/functions/%zz") == "");
  BOOST_TEST(name_of("GET", "") == "");
}

BOOST_AUTO_TEST_CASE(what_is_not_supported_yet_says_so) {
  Api api({});
  http::Server server({}, api);
  const auto [table, size] = operations();
  int unsupported = 0;
  for (std::size_t i = 0; i < size; ++i) {
    if (find_operation(table[i].name) != nullptr || table[i].name == "Invoke" ||
        table[i].name == "InvokeAsync")
      continue;
    ++unsupported;
    http::Request request;
    request.method = table[i].method;
    request.target = example(table[i]);
    http::Client client("127.0.0.1", server.port(), std::chrono::seconds(20));
    const http::Response answer = client.send(request);
    BOOST_TEST(answer.status == 501, table[i].name);
    BOOST_TEST(lambed::testing::header_of(answer, "x-amzn-ErrorType") == "OperationNotSupportedException");
    const auto body = nlohmann::json::parse(answer.body);
    BOOST_TEST(body.at("message") ==
               std::string(table[i].name) + " is not supported by this version of lambed.");
  }
  BOOST_TEST(unsupported == 50);
}

BOOST_AUTO_TEST_SUITE_END()
