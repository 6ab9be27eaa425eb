// What a function of the soak can be asked to do, and what must come of it.
#pragma once

#include <lambed/gateway.h>

#include <string>
#include <string_view>
#include <vector>

namespace lambed::soak {

enum class Cost {
  kUsual,  // answered at once
  kHeavy,  // takes many megabytes or much time: one at a time in each language
  kSlow    // holds its environment until the limit of one second has passed: a few at a time
};

// Where a deed is asked for: what no isolation but a process contains is not tried in this one, and some end differently there.
enum class Where { kAnywhere, kInProcess, kInWorkers };

struct Deed {
  std::string_view name;
  // Empty: the function answers as if nothing had happened. Else the errorType of the document that must come.
  std::string_view error_type;
  // Part of the document, "{id}" being the id of the call.
  std::string_view text;
  Cost cost = Cost::kUsual;
  Where where = Where::kAnywhere;
  bool may_time_out = false;   // it may as well be ended by its limit
  bool may_be_killed = false;  // or by its memory's
};

struct Language {
  std::string_view name;
  std::string_view runtime;
  std::string_view file;         // of the handler, in tests/soak/functions/<name>/
  std::string_view code_line;    // the line that holds the number of the code, up to that number
  std::string_view syntax_type;  // errorType of a version that does not parse
  std::vector<Deed> good;
  std::vector<Deed> bad;
};

// Before the first use of languages(): the functions run in worker processes.
void use_workers();
bool uses_workers();

const std::vector<Language>& languages();

// Empty when `result` is what must come of `deed`, which is no good one; else why it is not.
std::string fault_of(const Deed& deed, const InvokeResult& result, const std::string& id);

}  // namespace lambed::soak
