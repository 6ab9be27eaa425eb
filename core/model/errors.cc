#include "lambed/errors.h"

#include <array>
#include <cstddef>

namespace lambed {

namespace {

constexpr std::array kTable = {
#define LAMBED_ERROR_ROW(name, status, member, type) \
  ErrorTraits{ErrorCode::name, #name, status, member, type},
    LAMBED_ERRORS(LAMBED_ERROR_ROW)
#undef LAMBED_ERROR_ROW
};

}  // namespace

// The enum and the table come from one list, so a code is its row's index.
const ErrorTraits& traits_of(ErrorCode code) { return kTable[static_cast<std::size_t>(code)]; }

}  // namespace lambed
