// The program as an executable of its own. Bindings run the same program inside their interpreter.
#include "lambed/program.h"

int main(int count, char** arguments) { return lambed::run_program(count, arguments); }
