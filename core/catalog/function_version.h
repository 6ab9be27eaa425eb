// What an invocation sees of a function: immutable snapshots, made by catalog::Directory.
//
// Threads: snapshots never change after they were made; any thread may read them and keep them as long as it
// likes. An invocation that was admitted finishes on its snapshot even when the function is updated or
// deleted meanwhile.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "catalog/code_package.h"
#include "lambed/function.h"

namespace lambed::catalog {

// One version of a function ($LATEST or a number), ready to be run.
struct FunctionVersion {
  // Equal for two snapshots exactly when environments opened for the one may serve the other: it changes with
  // code and configuration, and not with concurrency settings, aliases or the publishing of a version. Never
  // used twice in a process.
  std::uint64_t snapshot_id = 0;

  std::string function_name;
  std::string function_id;  // tells apart two functions of one name, one deleted before the other was made
  std::string version;      // "$LATEST" or "1", "2", ...
  std::string arn;          // of the function, without a qualifier
  FunctionConfiguration configuration;
  std::shared_ptr<CodePackage> code;  // keeps the code on disk while anyone holds this snapshot

  std::optional<int> reserved_concurrency;  // of the function; 0: every invocation is throttled
  int provisioned_concurrency =
      0;  // environments of this version to keep open, aliases that point here included
};

// One alias: a name for one version, or for two with a share each.
struct AliasTarget {
  std::string version;
  std::string other_version;  // empty: none
  double other_weight = 0.0;  // share of `other_version`, 0.0-1.0
};

// What was configured for the events of a function, version or alias. Unset: Lambda's defaults.
struct EventInvokeSettings {
  std::optional<int> maximum_retry_attempts;
  std::optional<int> maximum_event_age_s;
  std::string on_success;  // destinations; empty: none
  std::string on_failure;
  std::int64_t last_modified_ms = 0;  // since 1970
};

// A function with all its versions at one moment.
struct FunctionSnapshot {
  std::string name;
  std::string id;
  std::string arn;
  std::optional<int> reserved_concurrency;
  std::shared_ptr<const FunctionVersion> latest;
  std::map<std::string, std::shared_ptr<const FunctionVersion>, std::less<>>
      versions;  // by number, "1", "2", ...
  std::map<std::string, AliasTarget, std::less<>> aliases;
  // By the qualifier that was configured, "$LATEST" where none was named. An invocation by an alias has the alias's only.
  std::map<std::string, EventInvokeSettings, std::less<>> event_invoke;
};

}  // namespace lambed::catalog
