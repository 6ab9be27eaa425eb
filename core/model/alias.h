// The rules of aliases and of the concurrency settings. Pure functions.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "lambed/function.h"
#include "lambed/quotas.h"

namespace lambed::model {

// The model layer of CreateAlias and UpdateAlias: names, lengths, weights. ValidationException with every
// violation. `creating`: the version must be given.
Result<void> check_alias_request(const AliasRequest& request, bool creating);

// The business layer, on the alias as it would be: at most one further version, none on $LATEST, not the main
// one.
Result<void> check_routing(std::string_view main_version, const std::map<std::string, double>& weights);

// The weights as AWS prints them: {2=0.1}
std::string printed(const std::map<std::string, double>& weights);

}  // namespace lambed::model
