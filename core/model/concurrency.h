// The rules of reserved and provisioned concurrency. Pure functions.
#pragma once

#include <optional>

#include "base/result.h"
#include "lambed/quotas.h"

namespace lambed::model {

// What the account's functions hold at this moment.
struct ConcurrencyUse {
  int reserved_by_others = 0;  // sum over all functions but this one
  int provisioned_unreserved_by_others =
      0;                        // environments of functions without a reservation, this one excepted
  std::optional<int> reserved;  // of this function
  int provisioned = 0;          // of this function, all versions and aliases, the one in question excepted
};

// PutFunctionConcurrency: at least quotas.unreserved_concurrency_min stay for all functions without a
// reservation.
Result<void> check_reserved(int wanted, const ConcurrencyUse& use, const Quotas& quotas);

// PutProvisionedConcurrencyConfig for one version or alias.
Result<void> check_provisioned(int wanted, const ConcurrencyUse& use, const Quotas& quotas);

}  // namespace lambed::model
