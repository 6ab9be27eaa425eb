// Answering: from a claimed invocation to its caller. Everything that happens to every answer happens here: the result is
// filled in, metered, its place in the concurrency given back, the caller woken.
//
// Threads: whoever has claimed the invocation. After each of these the caller's side of the record is gone.
#pragma once

#include <string>

#include "environments/environment.h"
#include "invocation/invocation.h"
#include "invocation/outcomes.h"
#include "invocation/services.h"

namespace lambed::invocation {

// The handler (or its runtime) has answered. `environment`: where it ran, whose log is ended here.
void answer_with(Services& services, Invocation& invocation, environments::Environment& environment,
                 Answer answer, Nanos finished);
// The function's limit has passed. `environment` is null when it never got one.
void answer_timeout(Services& services, Invocation& invocation, environments::Environment* environment,
                    Nanos now);
// Its environment has been in its init for longer than Quotas::init_timeout.
void answer_init_timeout(Services& services, Invocation& invocation, Nanos now);
// The call never reached a handler.
void answer_error(Services& services, Invocation& invocation, Error error);

}  // namespace lambed::invocation
