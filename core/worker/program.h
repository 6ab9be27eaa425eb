// What lambed-worker does: a launcher, started by lambed for functions with isolation `process`, one for each language and
// interpreter. Not for people.
#pragma once

namespace lambed::worker {

// The whole program; the arguments and the result are main()'s.
int run_program(int count, char** words);

}  // namespace lambed::worker
