#include "telemetry/null_sink.h"

namespace lambed::telemetry {

std::shared_ptr<LogSink> make_null_sink() { return std::make_shared<NullLogSink>(); }

}  // namespace lambed::telemetry
