// What the API answers about functions, versions and aliases, field by field as AWS does. Pure functions.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "catalog/catalog.h"
#include "lambed/function.h"

namespace lambed::api {

// kList: without state and runtime version, as ListFunctions and ListVersionsByFunction answer.
enum class Detail { kWhole, kList };
nlohmann::json describe(const FunctionConfiguration& configuration, Detail detail, const std::string& region);

nlohmann::json describe(const AliasConfiguration& alias);

}  // namespace lambed::api
