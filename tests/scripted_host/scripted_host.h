// The scripted host: a host plugin without an interpreter, whose handlers do what a script says.
//
// The core is tested against it, deterministically: every kind of good and bad behaviour that a real handler
// can show has a word here. Language "scripted", runtimes "scripted1.0" and the like.
//
// A script is a list of steps, `verb` or `verb=argument`, joined by ';'. The function's handler string is its
// script; an event that carries a member "do" (a plain string, within the event's first 256 bytes) replaces
// it for that invocation. Steps run in order; the last one that makes an answer decides it; without any the
// answer is the event itself.
//
//   answers     echo             the event
//               stamp            {"event":..,"tag":<variable
//               TAG>,"function_id":..,"version":..,"environment":serial number} identify         all that the
//               host was told, as one object (see `identity_document`) text=WORDS       a JSON string bytes=N
//               a JSON string, N bytes long with its quotes raw=WORDS        WORDS unquoted, with the BINARY
//               flag remaining        milliseconds to the deadline fail=TYPE        FUNCTION_ERROR with the
//               document {"errorMessage":"scripted failure","errorType":TYPE,..} exit=CODE        EXITED
//               signal=N   EXITED by a signal oom              OUT_OF_MEMORY refuse=WORDS  REFUSED
//   time        sleep=MS         stops when interrupted
//               stuck=MS         does not
//               spin             burns the CPU until interrupted
//               wait=GATE        until the gate is open; stops when interrupted
//               gate=GATE        the same, does not stop
//               deaf=GATE        the same, and `interrupt` says UNSUPPORTED meanwhile
//               late=GATE        the same, and `interrupt` says WAITING meanwhile
//   output      out=N err=N log=N   N lines "out 1\n", ... to stdout, stderr, log
//               print=WORDS      a line to stdout          write=WORDS   without the newline
//   completion  twice            answers a second time         stranger   first answers a token that was
//   never given
//               elsewhere        answers from another thread   discard    adds the DISCARD flag
//               tarry=GATE       has answered, and asks for more work when the gate is open
//   memory=MB   what the outcome and `usage` report
//
// Deeds, for worker processes only (deeds.cc):
//   real-exit=CODE, real-signal=N, real-abort end the process; exit-after=MS does so later, by a thread, with status 9
//   fd1=WORDS fd2=WORDS   a line to the descriptor itself; child=WORDS lets a child process print it
//   offspring=N           N processes that want to survive; touch=MB uses that much memory; scribble writes over all
//                         memory that is shared with the server
//   pid, cwd, environ=NAME   answer the process's own
//   tcp=ADDRESS:PORT, udp=ADDRESS:PORT   connect there, and answer errno or 0
//
// Steps that begin with "init-" run once, when the environment opens: init-sleep, init-stuck, init-spin,
// init-wait, init-gate, init-deaf, init-fail, init-exit, init-signal, init-oom, init-refuse, init-print,
// init-out, init-err, init-memory; init-closed=GATE,TYPE fails with TYPE as long as the gate is not open.
// `open-fail=WORDS` makes `open` itself fail.
//
// Options of `start`: {"refuse", WORDS} makes it fail.
#pragma once

// For tests, found by dlsym. Any thread.
extern "C" {
using scripted_gate_function = void (*)(const char* name);
using scripted_count_function = long (*)();
using scripted_gate_count_function = long (*)(const char* name);

void scripted_open_gate(const char* name);   // lets everybody through, now and later
void scripted_close_gate(const char* name);  // later ones wait again
long scripted_waiting_at(const char* name);  // how many invocations and inits stand before that gate
long scripted_environments();                // opened and not closed
long scripted_threads();                     // running threads of the host
long scripted_resting();                     // environments that have found no work and wait for some
long scripted_opened();                      // `open` calls that began something, in all
long scripted_invocations();                 // invocations taken, in all
long scripted_interrupts();                  // `interrupt` calls, in all
}
