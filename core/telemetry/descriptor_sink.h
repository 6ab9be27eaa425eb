// A sink that writes to a file descriptor, which stays the caller's. make_stderr_sink is this one on
// descriptor 2.
#pragma once

#include <memory>

#include "lambed/telemetry.h"

namespace lambed::telemetry {

std::shared_ptr<LogSink> make_descriptor_sink(int descriptor, bool platform);

}  // namespace lambed::telemetry
