// lambed-worker as a program of its own.
#include "worker/program.h"

int main(int count, char** words) { return lambed::worker::run_program(count, words); }
