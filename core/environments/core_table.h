// The core as language hosts see it: lambed_core, each entry passed on to the Environment that `user` is.
#pragma once

#include <string>
#include <vector>

#include "lambed/host.h"

namespace lambed::environments {

const lambed_core& core_table();

// Notices without an environment come while a host starts. Moves those collected since the last call to `into`, or drops
// them when null.
void collect_start_notices(std::vector<std::string>* into);

}  // namespace lambed::environments
