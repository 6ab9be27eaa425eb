// What the catalogue keeps in its store, and how it is written there. Values; functions from any thread.
//
// A function is one entity, "function/NAME": with it everything that must change in one step. The bodies of its published
// versions are entities of their own, "version/FUNCTION-ID/REVISION": they never change, are written before the function
// names them, and are nothing to anyone until it does.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "catalog/code_package.h"
#include "catalog/function_version.h"
#include "lambed/function.h"
#include "lambed/quotas.h"

namespace lambed::catalog {

struct VersionRecord {
  FunctionConfiguration configuration;  // function_arn without a qualifier
  CodeReference code;
  std::uint64_t generation = 0;  // counts the changes of code and configuration
};

struct AliasRecord {
  std::string version;
  std::string description;
  std::string revision_id;
  std::map<std::string, double> weights;
};

struct FunctionRecord {
  std::string id;
  std::string commit;  // of the last write; tells an uncertain writer whether it was his
  VersionRecord latest;
  std::uint64_t last_version = 0;               // numbers are never given twice
  std::map<std::string, std::string> versions;  // number -> last part of the body's key
  std::string published_fingerprint;            // of $LATEST when last_version was published
  std::map<std::string, AliasRecord> aliases;
  std::map<std::string, int> provisioned;             // by version number or alias
  std::map<std::string, std::string> provisioned_at;  // when that was set
  std::optional<int> reserved;
  std::map<std::string, EventInvokeSettings> event_invoke;  // by "$LATEST", version number or alias
  std::map<std::string, std::string> tags;
};

// The lives of a function: kPending -> kActive; of its last update: kInProgress -> kSuccessful.
enum class State { kPending, kActive };
enum class UpdateStatus { kNone, kInProgress, kSuccessful };
State state_of(const FunctionConfiguration& configuration);
UpdateStatus update_status_of(const FunctionConfiguration& configuration);
// The only places where the two change; they assert that the move is legal.
void begin_life(FunctionConfiguration& configuration);
void begin_update(FunctionConfiguration& configuration);
void end_change(FunctionConfiguration& configuration);

inline constexpr char kFunctionPrefix[] = "function/";
inline constexpr char kVersionPrefix[] = "version/";
std::string function_key(std::string_view name);
std::string version_key(std::string_view function_id, std::string_view body);

std::string to_bytes(const FunctionRecord& record);
std::string to_bytes(const VersionRecord& record);
// ServiceException when the bytes are not what to_bytes writes.
Result<FunctionRecord> function_from_bytes(const std::string& bytes);
Result<VersionRecord> version_from_bytes(const std::string& bytes);

// Equal for two states of $LATEST that publish the same version: code and configuration, without revision, time and state.
std::string fingerprint(const VersionRecord& record);

}  // namespace lambed::catalog
