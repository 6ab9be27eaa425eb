// The order for a worker, from what the server knows of the environment. A value; the launcher adds the number.
#pragma once

#include <cstdint>

#include "environments/channel/messages.h"
#include "environments/environment.h"

namespace lambed::process {

channel::Spawn spawn_message(const environments::EnvironmentSpec& spec, std::int64_t init_deadline);

}  // namespace lambed::process
