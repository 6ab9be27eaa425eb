// `lambed doctor`: what is there, what is missing and how to get it.
#pragma once

namespace lambed::cli {

// Prints the report to standard output. kExitOk when every language can run, else kExitFunctionError.
int run_doctor();

}  // namespace lambed::cli
