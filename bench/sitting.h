// What all measurements of one run share, and the measurements themselves.
#pragma once

#include <lambed/gateway.h>

#include <memory>
#include <string>

#include "figures.h"
#include "floor.h"

namespace bench {

// A language under measurement. Its file has three handlers: `handler` returns its event; `hang` and `spin`
// do so when the event is "warm" and otherwise never end, waiting in short slices or burning the CPU.
struct Subject {
  std::string language;  // as the host names it
  std::string runtime;
  std::string file_name;
  std::string source;
  std::unique_ptr<Floor> (*make_floor)(bool start);
};

// Null when there is no floor for that language.
const Subject* subject_of(const std::string& language);

// How long and how often: the ordinary run, or the short one that only shows that everything works.
struct Scale {
  int repetitions = 9;
  std::chrono::milliseconds block{200};
  int paused_calls = 40;  // in a block of the pause measurement
  int cold_starts = 20;
  int kept_environments = 20;
  long invocations_for_growth = 1'000'000;
  int timeout_rounds = 13;  // of 8 at a time

  static Scale quick() { return {2, std::chrono::milliseconds(50), 10, 4, 4, 50'000, 2}; }
};

struct Sitting {
  const Subject& subject;
  std::string folder;  // with the subject's file
  lambed::Gateway& gateway;
  Floor& floor;
  Scale scale;
  Targets& targets;

  void create(const std::string& name, const std::string& handler = "app.handler", int timeout_s = 60) const;
};

void measure_back_to_back(Sitting& sitting);
void measure_in_flight(Sitting& sitting, int in_flight);
void measure_after_pause(Sitting& sitting);
void measure_cold_start(Sitting& sitting);
void measure_memory(Sitting& sitting);
void measure_growth(Sitting& sitting);
void measure_timeouts(Sitting& sitting);

// A JSON object of about `size` bytes, made of records as events have them.
std::string event_of(std::size_t size);

struct Payload {
  const char* name;
  std::size_t size;
};
inline constexpr Payload kPayloads[] = {{"100 B", 100}, {"10 kB", 10'000}, {"1 MB", 1'000'000}};

// Ends the program with a message when an invocation has failed: figures of failures are worth nothing.
void expect_ok(const lambed::InvokeResult& result);

}  // namespace bench
