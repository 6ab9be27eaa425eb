#include "model/runtimes.h"

#include <boost/test/unit_test.hpp>

using namespace lambed;
using namespace lambed::model;

BOOST_AUTO_TEST_SUITE(runtimes)

BOOST_AUTO_TEST_CASE(known_runtimes_name_their_language) {
  for (const char* runtime :
       {"python3.8", "python3.9", "python3.10", "python3.11", "python3.12", "python3.13", "python3.14"}) {
    BOOST_TEST(check_runtime(runtime).ok());
    BOOST_TEST(language_of(runtime) == "python");
  }
  for (const char* runtime : {"nodejs16.x", "nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x"}) {
    BOOST_TEST(check_runtime(runtime).ok());
    BOOST_TEST(language_of(runtime) == "nodejs");
  }
  for (const char* runtime : {"ruby2.7", "ruby3.2", "ruby3.3", "ruby3.4"}) {
    BOOST_TEST(check_runtime(runtime).ok());
    BOOST_TEST(language_of(runtime) == "ruby");
  }
}

BOOST_AUTO_TEST_CASE(a_plugin_does_not_bring_retired_runtimes_back) {
  BOOST_TEST(!check_runtime("python2.7", {"python", "cobol"}).ok());
  BOOST_TEST(!check_runtime("nodejs99.x", {"nodejs"}).ok());
  BOOST_TEST(check_runtime("cobol85", {"python", "cobol"}).ok());
}

BOOST_AUTO_TEST_CASE(retired_runtimes_are_refused_with_advice) {
  for (const char* runtime :
       {"python2.7", "python3.6", "python3.7", "nodejs", "nodejs12.x", "nodejs14.x", "ruby2.5"}) {
    const auto result = check_runtime(runtime);
    BOOST_REQUIRE(!result.ok());
    BOOST_TEST((result.error().code() == ErrorCode::InvalidParameterValueException));
    BOOST_TEST(result.error().message() == "The runtime parameter of " + std::string(runtime) +
                                               " is no longer supported for creating or updating AWS Lambda "
                                               "functions. We recommend you use a supported "
                                               "runtime while creating or updating functions.");
    BOOST_TEST(language_of(runtime) == "");
  }
}

BOOST_AUTO_TEST_CASE(unknown_runtimes_are_refused_with_the_list) {
  for (const char* runtime : {"", "python", "python3", "python3.11 ", "Python3.11", "node20", "java21",
                              "provided.al2023", "cobol"}) {
    const auto result = check_runtime(runtime);
    BOOST_REQUIRE(!result.ok());
    BOOST_TEST((result.error().code() == ErrorCode::InvalidParameterValueException));
    BOOST_TEST(result.error().message().starts_with(
        "Value " + std::string(runtime) +
        " at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: ["));
    BOOST_TEST(result.error().message().ends_with("ruby3.4] or be a valid ARN"));
  }
}

BOOST_AUTO_TEST_CASE(inline_source_lies_where_the_handler_is_looked_up) {
  const auto path = [](const char* runtime, const char* handler, const char* text = "") {
    return inline_source_path(runtime, handler, text).value();
  };
  BOOST_TEST(path("python3.11", "app.handler") == "app.py");
  BOOST_TEST(path("python3.11", "a.b.f") == "a/b.py");
  BOOST_TEST(path("python3.11", "pkg/app.handler") == "pkg/app.py");
  BOOST_TEST(path("ruby3.2", "app.handler") == "app.rb");
  BOOST_TEST(path("ruby3.2", "app.Class.method") == "app.rb");
  BOOST_TEST(path("nodejs20.x", "index.handler", "exports.handler = async () => 1;") == "index.js");
  BOOST_TEST(path("nodejs20.x", "src/index.a.b", "module.exports = {};") == "src/index.js");
  BOOST_TEST(path("nodejs20.x", "index.handler", "// x\nexport const handler = async () => 1;") ==
             "index.mjs");
  BOOST_TEST(path("nodejs20.x", "index.handler", "import fs from 'fs';\n") == "index.mjs");
  BOOST_TEST(path("nodejs20.x", "index.handler", "importantThing();\nexporter = 1;") == "index.js");
}

BOOST_AUTO_TEST_CASE(inline_source_stays_inside_the_task_root) {
  for (const char* runtime : {"python3.11", "nodejs20.x", "ruby3.2"}) {
    for (const char* handler : {"", "app", "app.", ".handler", "/app.handler", "../app.handler",
                                "a/../../app.handler", "a//app.handler", "./app.handler", "..handler"}) {
      BOOST_TEST(!inline_source_path(runtime, handler, "").ok(), runtime << " " << handler);
    }
    BOOST_TEST(!inline_source_path(runtime, std::string_view("a\0b.f", 5), "").ok());
  }
}

BOOST_AUTO_TEST_CASE(a_language_that_a_plugin_serves_brings_its_runtimes) {
  BOOST_TEST(!check_runtime("java21").ok());
  BOOST_TEST(check_runtime("java21", {"java"}).ok());
  BOOST_TEST(!check_runtime("python3.99", {"java"}).ok());
  BOOST_TEST(inline_source_path("java21", "App.handle", "class App {}").value() == "App.java");
}

BOOST_AUTO_TEST_SUITE_END()
