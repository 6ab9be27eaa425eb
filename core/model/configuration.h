// The rules of a function's configuration: AWS's two layers of checks and its defaults. Pure functions.
//
// The model layer finds every violation and reports them in one ValidationException; only what passes it
// reaches the business layer, whose first complaint is an InvalidParameterValueException.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "lambed/function.h"
#include "lambed/quotas.h"
#include "model/networks.h"
#include "model/reference.h"
#include "model/runtimes.h"

namespace lambed::model {

inline constexpr int kDefaultMemoryMb = 128;
inline constexpr int kDefaultEphemeralStorageMb = 512;
inline constexpr std::size_t kMaxTags = 50;

// Checks everything but the code and the name, and gives the configuration that such a function starts with:
// defaults filled in; ARN, version, code and revision members are left to the catalogue.
Result<FunctionConfiguration> configure(const CreateFunctionRequest& request, const Quotas& quotas,
                                        const OtherLanguages& others = {}, const Networks& networks = {});

// The configuration after the update. Members that are not set stay; what is set is checked as on creation.
Result<FunctionConfiguration> reconfigure(const FunctionConfiguration& present,
                                          const UpdateConfigurationRequest& request, const Quotas& quotas,
                                          const OtherLanguages& others = {}, const Networks& networks = {});

// Both layers' rules on a function's tags, as they will be: lengths, at most 50, no "aws:".
Result<void> check_tags(const std::map<std::string, std::string>& tags);
// The business layer's part alone.
Result<void> check_tag_rules(const std::map<std::string, std::string>& tags);

// Whether AWS takes it as the name of an environment variable: [a-zA-Z]([a-zA-Z0-9_])+
bool is_variable_name(std::string_view name);

// The business layer's rules on environment variables: reserved names, 4 KB of compact JSON.
Result<void> check_environment(const std::map<std::string, std::string>& variables, const Quotas& quotas);

// The compact JSON of the map as AWS measures it: {"A":"1","B":"2"}, not escaped beyond what JSON needs.
std::string compact_json(const std::map<std::string, std::string>& variables);

}  // namespace lambed::model
