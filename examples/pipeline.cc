// One process, three interpreters: a CloudWatch Logs payload goes through a Python, a Node.js and a Ruby
// function, and the answer of each is the event of the next.
//
//   example_pipeline examples/pipeline examples/events/cloudwatch-logs.json
#include <lambed/gateway.h>

#include <fstream>
#include <iostream>
#include <iterator>

int main(int count, char** arguments) {
  if (count != 3) {
    std::cerr << "usage: " << arguments[0] << " FOLDER_OF_THE_STAGES EVENT_FILE\n";
    return 2;
  }
  try {
    const std::string folder = arguments[1];
    lambed::Gateway gateway;
    gateway.create_function({.name = "decode",
                             .runtime = "python3.11",
                             .handler = "lambda_function.lambda_handler",
                             .code = lambed::Code::directory(folder + "/decode")});
    gateway.create_function({.name = "aggregate",
                             .runtime = "nodejs20.x",
                             .handler = "index.handler",
                             .code = lambed::Code::directory(folder + "/aggregate")});
    gateway.create_function({.name = "report",
                             .runtime = "ruby3.2",
                             .handler = "lambda_function.lambda_handler",
                             .code = lambed::Code::directory(folder + "/report")});

    std::ifstream file(arguments[2]);
    std::string event{std::istreambuf_iterator<char>(file), {}};
    for (const char* stage : {"decode", "aggregate", "report"}) {
      const lambed::InvokeResult result = gateway.invoke({.function = stage, .payload = event});
      if (!result.ok()) {
        std::cerr << stage << " failed: " << result.payload << '\n';
        return 1;
      }
      event = result.payload;
    }
    std::cout << event << '\n';
    return 0;
  } catch (const lambed::Error& error) {
    std::cerr << error.name() << ": " << error.what() << '\n';
    return 2;
  }
}
