// What all measurements of one run share, and the measurements themselves.
#pragma once

#include <lambed/gateway.h>

#include <memory>
#include <string>
#include <vector>

#include "figures.h"
#include "floor.h"

namespace bench {

// What is asked of a host. 0: nothing.
struct Wanted {
  double back_to_back_ratio = 0;        // 100 B, against the floor
  double back_to_back_large_ratio = 0;  // 1 MB
  double over_floor_us =
      0;  // one in flight, also after a pause; else that must cost a parked hand-off at most
  double cold_start_ratio = 0;
  double cold_start_ms = 0;
};

// A language under measurement. Its file has four handlers: `handler` returns its event; `hang` and `spin`
// do so when the event is "warm" and otherwise never end, waiting in short slices or burning the CPU; `compute`
// does `rounds` rounds of arithmetic.
struct Subject {
  std::string language;  // as the host names it
  std::string runtime;
  std::string file_name;
  std::string source;
  // The body of a further file: how the floor's module comes into the interpreter; empty when it needs nothing.
  std::string entrance;
  std::unique_ptr<Floor> (*make_floor)(bool start);
  Wanted wanted;
  // How many handlers burn the CPU at a time when timeouts are measured. The limit begins with the handler; where a
  // busy one passes the interpreter's lock on only every 100 ms, eight of them would measure their wait for it.
  int spinners = 8;
};

std::vector<const Subject*> all_subjects();
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

// Logs are written somewhere in earnest; here they only must not pile up.
class DroppingSink final : public lambed::LogSink {
 public:
  void write(const lambed::LogRecord&) override {}
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
// Only where each environment has a lock of its own.
void measure_two_threads(Sitting& sitting);
void measure_after_pause(Sitting& sitting);
void measure_cold_start(Sitting& sitting);
void measure_memory(Sitting& sitting);
void measure_growth(Sitting& sitting);
void measure_timeouts(Sitting& sitting);
// All languages at once; `folders` has a subject's folder for each of all_subjects().
void measure_mixed(const std::vector<std::string>& folders, const Scale& scale, Targets& targets);

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
