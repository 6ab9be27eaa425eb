// stranger LANGUAGE...: runs one function of each language (python, nodejs, ruby), and meets an error of each kind.
#include <lambed/gateway.h>

#include <iostream>
#include <string>
#ifdef PLUGIN_DIR
#include <lambed/embedding.h>
#endif

namespace {

struct Example {
  const char* runtime;
  const char* source;
};

Example example_of(const std::string& language) {
  if (language == "python") {
    return {"python3.11",
            "def handler(event, context):\n    return {'greeting': 'Hello ' + event['name']}\n"};
  }
  if (language == "nodejs")
    return {"nodejs18.x", "exports.handler = async (event) => ({greeting: 'Hello ' + event.name});\n"};
  return {"ruby3.2", "def handler(event:, context:)\n  { greeting: 'Hello ' + event['name'] }\nend\n"};
}

int failures = 0;
void expect(bool condition, const std::string& what) {
  if (condition) return;
  std::cerr << "FAILED: " << what << '\n';
  ++failures;
}

}  // namespace

int main(int argc, char** argv) {
#ifdef PLUGIN_DIR
  lambed::search_hosts_in(PLUGIN_DIR);
#endif
  auto log = std::make_shared<lambed::MemoryLogSink>();
  lambed::GatewayOptions options;
  options.log_sink = log;
  lambed::Gateway gateway(options);
  for (int i = 1; i < argc; ++i) {
    const std::string language = argv[i];
    const Example example = example_of(language);
    gateway.create_function({.name = language,
                             .runtime = example.runtime,
                             .handler = "app.handler",
                             .code = lambed::Code::inline_source(example.source)});
    const lambed::InvokeResult good = gateway.invoke({.function = language, .payload = R"({"name":"Ada"})"});
    expect(good.ok() && good.payload.find("Hello Ada") != std::string::npos, language + ": " + good.payload);
    const lambed::InvokeResult bad = gateway.invoke({.function = language, .payload = R"({"name":7})"});
    expect(language == "nodejs" || bad.function_error == "Unhandled", language + " fails: " + bad.payload);
    std::cout << language << ": " << good.payload << '\n';
  }
  try {
    gateway.invoke({.function = "nowhere"});
    expect(false, "an unknown function was invoked");
  } catch (const lambed::Error& error) {
    expect(error.code() == lambed::ErrorCode::ResourceNotFoundException && error.http_status() == 404,
           error.what());
  }
  expect(argc == 1 || log->text().find("REPORT RequestId: ") != std::string::npos, "the log has no REPORT");
  return failures == 0 ? 0 : 1;
}
