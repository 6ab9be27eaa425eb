// How callers name a function: a name, a partial ARN or a full ARN, each with or without a qualifier. Pure
// values.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace lambed::model {

// Where this gateway claims to be: the region and account that its ARNs carry.
struct Scope {
  std::string region = "us-east-1";
  std::string account = "123456789012";
};

struct FunctionReference {
  std::string account;
  std::string region;
  std::string name;
  std::string qualifier;  // "$LATEST", a version number or an alias; empty: none was given

  std::string arn() const;            // "arn:aws:lambda:REGION:ACCOUNT:function:NAME"
  std::string qualified_arn() const;  // the same with ":QUALIFIER" when there is one
};

// The same without a reference at hand.
std::string function_arn(const Scope& scope, std::string_view name, std::string_view qualifier = {});

// AWS checks the same parameter differently by operation: reading and invoking take 170 characters, deleting
// takes 140 and no dots, creating takes 140 for an ARN and 64 for a bare name.
enum class NameUse { kRead, kDelete, kCreate };

// Reads `text` (every form of a name) together with the separate Qualifier parameter ("" = not given).
// Errors, in AWS's wording:
//   ValidationException             malformed name or qualifier, or too long (all violations in one message)
//   InvalidParameterValueException  the qualifier inside the name and the separate one differ; a name to
//   create is longer
//                                   than 64
//   ResourceNotFoundException       an ARN of another region
//   AccessDeniedException           an ARN of another account
Result<FunctionReference> parse_function_reference(std::string_view text, std::string_view qualifier,
                                                   const Scope& scope, NameUse use = NameUse::kRead);

bool is_account(std::string_view text);              // 12 digits
bool is_version_number(std::string_view qualifier);  // digits only
inline bool is_latest(std::string_view qualifier) { return qualifier == "$LATEST"; }

}  // namespace lambed::model
