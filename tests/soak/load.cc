#include "soak/load.h"

#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

namespace lambed::soak {
namespace {

using nlohmann::json;
using Steady = std::chrono::steady_clock;

// What misbehaves slowly holds an environment for a second and more: two at a time and four a second are plenty. What takes much
// memory keeps others from being measured.
constexpr int kMostSlow = 2;
constexpr int kMostHeavy = 1;
constexpr std::chrono::milliseconds kSlowPause{250};
constexpr std::chrono::milliseconds kHeavyPause{800};

constexpr std::chrono::milliseconds kAfterHeavy{100};

constexpr double kBig = 0.01;  // shares of the good calls
constexpr double kWait = 0.1;
constexpr double kCostly = 0.01;

}  // namespace

Load::Load(Gateway& gateway, const Functions& functions, LoadOptions options)
    : gateway_(gateway),
      functions_(functions),
      options_(options),
      random_(options.seed),
      allowances_(languages().size()) {
  for (int i = 0; i < options_.in_flight; ++i) {
    slots_.push_back(std::make_unique<Slot>());
    slots_.back()->language = static_cast<std::size_t>(i) % languages().size();
  }
}

void Load::start() {
  stopping_.store(false);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    in_flight_.fetch_add(1);
    call(i);
  }
}

bool Load::drain(std::chrono::seconds patience) {
  stopping_.store(true);
  const auto until = Steady::now() + patience;
  while (in_flight_.load() > 0 && Steady::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const std::lock_guard lock(mutex_);
  tally_.lost = in_flight_.load();
  return tally_.lost == 0;
}

LoadTally Load::tally() const {
  const std::lock_guard lock(mutex_);
  LoadTally tally = tally_;
  tally.twice = twice_.load();
  return tally;
}

bool Load::is_light() const {
  const Steady::duration since(Steady::now().time_since_epoch().count() - heavy_ended_.load());
  return heavy_.load() == 0 && since >= kAfterHeavy;
}

bool Load::take_allowance(const Slot& slot) {
  Allowance& allowance = allowances_[slot.language];
  const auto now = Steady::now();
  switch (slot.deed->cost) {
    case Cost::kUsual:
      return true;
    case Cost::kHeavy:
      if (allowance.heavy >= kMostHeavy || now < allowance.next_heavy) return false;
      ++allowance.heavy;
      ++heavy_;
      allowance.next_heavy = now + kHeavyPause;
      return true;
    case Cost::kSlow:
      if (allowance.slow >= kMostSlow || now < allowance.next_slow) return false;
      ++allowance.slow;
      allowance.next_slow = now + kSlowPause;
      return true;
  }
  return false;
}

void Load::give_allowance(const Slot& slot) {
  Allowance& allowance = allowances_[slot.language];
  if (slot.deed->cost == Cost::kHeavy) {
    --allowance.heavy;
    heavy_ended_.store(Steady::now().time_since_epoch().count());
    --heavy_;
  }
  if (slot.deed->cost == Cost::kSlow) --allowance.slow;
}

// With mutex_ held.
void Load::choose(Slot& slot) {
  const Language& language = languages()[slot.language];
  std::uniform_real_distribution<double> share;
  const double which = share(random_);
  slot.is_bad = share(random_) < options_.misbehaving;
  if (slot.is_bad) {
    std::uniform_int_distribution<std::size_t> any(0, language.bad.size() - 1);
    do {
      slot.deed = &language.bad[any(random_)];
    } while (!take_allowance(slot));
  } else {
    const std::size_t costly = which < kCostly / 2 ? 3 : 4;
    slot.deed = &language.good[which < kCostly                  ? costly
                               : which < kCostly + kBig         ? 1
                               : which < kCostly + kBig + kWait ? 2
                                                                : 0];
    if (!take_allowance(slot)) slot.deed = &language.good[0];
  }
  Kind kind = slot.deed->cost == Cost::kSlow ? Kind::kSlow
              : share(random_) < 0.6         ? Kind::kSteady
                                             : Kind::kPassing;
  // Every version of the broken function opens an environment anew, in which nothing else happens.
  if (!slot.is_bad && share(random_) < 0.01) kind = Kind::kBroken;
  slot.function = &functions_.get(slot.language, kind);
}

void Load::call(std::size_t index) {
  Slot& slot = *slots_[index];
  {
    const std::lock_guard lock(mutex_);
    choose(slot);
  }
  const std::uint64_t serial = slot.serial.load() + 1;
  slot.id = std::to_string(index) + "." + std::to_string(serial);
  slot.before = Functions::before(*slot.function);
  slot.begun = Steady::now();
  slot.serial.store(serial);
  const std::string payload = json{{"do", slot.deed->name}, {"id", slot.id}}.dump();
  gateway_.invoke({.function = slot.function->name, .payload = payload},
                  [this, index, serial](InvokeResult result) { answered(index, serial, std::move(result)); });
}

std::string Load::judge(const Slot& slot, const InvokeResult& result) {
  if (result.error && result.error->code() == ErrorCode::ResourceNotFoundException &&
      Functions::may_be_absent(*slot.function, slot.before)) {
    ++tally_.absent;
    return {};
  }
  // Starting a process takes more of the machine than an environment in this one.
  if (uses_workers() && !result.ok() && result.payload.find("in its init phase") != std::string::npos) {
    ++tally_.late;
    return {};
  }
  if (!slot.deed->error_type.empty() || !slot.deed->text.empty())
    return fault_of(*slot.deed, result, slot.id);
  std::string fault = Functions::fault_of_answer(*slot.function, slot.before, result, slot.id);
  if (fault.empty() && !result.ok()) ++tally_.broken;
  return fault;
}

void Load::answered(std::size_t index, std::uint64_t serial, InvokeResult result) {
  Slot& slot = *slots_[index];
  std::uint64_t expected = serial;
  if (!slot.serial.compare_exchange_strong(expected, serial + 1)) {
    ++twice_;
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    const std::string fault = judge(slot, result);
    DeedTally& deed =
        tally_.deeds[{std::string(languages()[slot.language].name), std::string(slot.deed->name)}];
    deed.is_good = !slot.is_bad;
    ++deed.calls;
    ++tally_.calls;
    if (!fault.empty()) {
      ++deed.wrong;
      ++tally_.wrong;
      if (deed.first_fault.empty()) deed.first_fault = slot.function->name + ": " + fault;
    }
    give_allowance(slot);
  }
  ++calls_;
  if (stopping_.load()) {
    --in_flight_;
  } else {
    call(index);
  }
}

}  // namespace lambed::soak
