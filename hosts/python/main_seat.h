// The main interpreter takes one environment at a time. Who sits there, and waiting for it.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>

#include "environment_settings.h"
#include "interruption.h"

namespace lambed::python {

class MainSeat {
 public:
  // The one of this process. Never destroyed.
  static MainSeat& instance();

  // Waits while an environment of the same code sits there: invocations go to that one meanwhile. Returns an empty string
  // when the caller sits, else why it cannot; an empty reason with `interrupted` set when it was told to stop waiting.
  std::string take(const EnvironmentSettings& settings, const Interruption& interruption, bool& interrupted);
  void give_back();

 private:
  std::mutex mutex_;  // guards the members below
  std::condition_variable changed_;
  bool taken_ = false;
  std::string code_id_;
  std::string function_name_;
};

}  // namespace lambed::python
