// A C++ program with a Lambda function inside: no server, no container, no file.
#include <lambed/gateway.h>

#include <iostream>

int main() {
  try {
    lambed::Gateway gateway;
    gateway.create_function({.name = "greet",
                             .runtime = "python3.11",
                             .handler = "app.handler",
                             .code = lambed::Code::inline_source(R"(
import platform

def handler(event, context):
    print("greeting", event["name"])
    return {"greeting": f"Hello, {event['name']}!", "by": context.function_name, "language": platform.python_implementation()}
)")});

    const lambed::InvokeResult result = gateway.invoke({.function = "greet", .payload = R"({"name":"Ada"})"});
    std::cout << result.payload << '\n';
    return result.ok() ? 0 : 1;
  } catch (const lambed::Error& error) {
    std::cerr << error.name() << ": " << error.what() << '\n';
    return 2;
  }
}
