// Whether the tests are built with a sanitizer: these need more memory and time, and make exits of some crashes.
#pragma once

namespace lambed::testing {

#ifdef LAMBED_SANITIZED
inline constexpr bool kIsSanitized = true;
#else
inline constexpr bool kIsSanitized = false;
#endif

}  // namespace lambed::testing
