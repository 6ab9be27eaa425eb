// A sink for those who want no log. LogStream recognises it and then formats nothing at all.
#pragma once

#include <memory>

#include "lambed/telemetry.h"

namespace lambed::telemetry {

class NullLogSink final : public LogSink {
 public:
  void write(const LogRecord&) override {}
};

std::shared_ptr<LogSink> make_null_sink();

}  // namespace lambed::telemetry
