// Functions, versions and aliases as the caller sees them. Plain values named after the members of AWS's Lambda API.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace [[gnu::visibility("default")]] lambed {

// Where a function's code comes from. A value; cheap to move.
class Code {
 public:
  enum class Kind { kNone, kDirectory, kZip, kInline };

  Code() = default;
  // A folder that is read where it lies: edit it, and new environments run the edited code. A published version takes a
  // copy. The folder must exist when the function is created.
  static Code directory(std::string path) { return {Kind::kDirectory, std::move(path)}; }
  // The bytes of a .zip, as Lambda takes them (at most Quotas::zip_upload). Copied into a private temporary folder.
  static Code zip(std::string bytes) { return {Kind::kZip, std::move(bytes)}; }
  // The text of one source file; its name follows from the handler ("app.handler" -> app.py, app.mjs, app.rb).
  static Code inline_source(std::string text) { return {Kind::kInline, std::move(text)}; }

  Kind kind() const { return kind_; }
  const std::string& value() const { return value_; }

 private:
  Code(Kind kind, std::string value) : kind_(kind), value_(std::move(value)) {}
  Kind kind_ = Kind::kNone;
  std::string value_;
};

// Settings of Lambda that lambed keeps and answers, and that change nothing about how a function runs here.
struct RecordedSettings {
  std::string architecture = "x86_64";
  std::string tracing_mode = "PassThrough";
  std::string snap_start = "None";
  std::string kms_key_arn = {};  // empty: none
};

// Into which network a function is put (lambed/networks.h). Without subnets and groups: into none.
struct VpcConfig {
  std::vector<std::string> subnet_ids = {};
  std::vector<std::string> security_group_ids = {};
  bool ipv6_allowed_for_dual_stack = false;  // kept and answered
  std::string vpc_id = {};                   // of answers only
};

enum class LogFormat { kText, kJson };
// kInProcess: an interpreter on a thread of this process. kProcess: the same in a sandboxed worker process of its own, with hard
// limits (docs/isolation.md); it needs the program lambed-worker, without which calls get HostUnavailable.
enum class Isolation { kInProcess, kProcess };

// What CreateFunction takes. Unset optionals take Lambda's defaults.
struct CreateFunctionRequest {
  std::string name;     // 1-64 of [a-zA-Z0-9-_], or an ARN
  std::string runtime;  // "python3.11", "nodejs20.x", "ruby3.2"
  std::string handler;  // "app.handler"
  Code code;
  std::string description = {};
  std::optional<int> timeout_s = {};  // default 3
  std::optional<int> memory_mb = {};  // default 128
  std::optional<std::map<std::string, std::string>> environment = {};
  std::vector<std::string> layers = {};  // folders with the content of /opt; a later one wins
  std::map<std::string, std::string> tags = {};
  std::string role = {};  // only its shape is checked
  LogFormat log_format = LogFormat::kText;
  std::optional<int> ephemeral_storage_mb = {};  // default 512
  bool publish = false;
  Isolation isolation = Isolation::kInProcess;
  std::string log_group = {};              // default /aws/lambda/NAME
  std::string application_log_level = {};  // with JSON logs only; default INFO
  std::string system_log_level = {};       // the same
  RecordedSettings recorded = {};
  // Where events go that no attempt could handle: the ARN of an SQS queue or an SNS topic, or "lambed:local". Empty: nowhere.
  std::string dead_letter_target_arn = {};
  std::optional<VpcConfig> vpc_config = {};  // with isolation kProcess only
};

// What UpdateFunctionConfiguration takes: unset members stay as they are.
struct UpdateConfigurationRequest {
  std::string name;
  std::optional<std::string> runtime = {};
  std::optional<std::string> handler = {};
  std::optional<std::string> description = {};
  std::optional<int> timeout_s = {};
  std::optional<int> memory_mb = {};
  std::optional<std::map<std::string, std::string>> environment = {};
  std::optional<std::vector<std::string>> layers = {};
  std::optional<std::string> role = {};
  std::optional<LogFormat> log_format = {};
  std::optional<int> ephemeral_storage_mb = {};
  std::optional<std::string> revision_id = {};  // 412 when it is not the present one
  std::optional<std::string> log_group = {};
  std::optional<std::string> application_log_level = {};
  std::optional<std::string> system_log_level = {};
  std::optional<RecordedSettings> recorded = {};
  std::optional<std::string> dead_letter_target_arn = {};  // set but empty: none any more
  std::optional<VpcConfig> vpc_config = {};                // set but empty: in no network any more
};

struct UpdateCodeRequest {
  std::string name;
  Code code;
  bool publish = false;
  bool dry_run = false;  // check everything, change nothing
  std::optional<std::string> revision_id = {};
  std::optional<std::string> architecture = {};
};

// What the API answers about one version of a function.
struct FunctionConfiguration {
  std::string function_name;
  std::string function_arn;  // with ":qualifier" only where AWS adds it
  std::string version;       // "$LATEST" or "1", "2", ...
  std::string runtime;
  std::string handler;
  std::string description;
  std::string role;
  int timeout_s = 3;
  int memory_mb = 128;
  int ephemeral_storage_mb = 512;
  std::optional<std::map<std::string, std::string>> environment;  // absent unless it was ever set
  std::vector<std::string> layers;
  LogFormat log_format = LogFormat::kText;
  std::string log_group;
  std::string application_log_level;  // empty unless the logs are JSON
  std::string system_log_level;
  RecordedSettings recorded;
  std::string dead_letter_target_arn;   // empty: none
  std::optional<VpcConfig> vpc_config;  // absent unless it was ever set
  Isolation isolation = Isolation::kInProcess;
  std::string code_sha256;  // base64; empty until asked for where the code is a live folder
  std::uint64_t code_size = 0;
  std::string revision_id;
  std::string last_modified;  // "2025-11-25T10:00:00.000+0000"
  std::string state = "Active";
  std::string last_update_status = "Successful";
};

struct PublishVersionRequest {
  std::string name;
  std::string description = {};
  std::optional<std::string> code_sha256 = {};
  std::optional<std::string> revision_id = {};
};

struct AliasRequest {
  std::string function;
  std::string alias;
  std::optional<std::string> version = {};  // required on create
  std::optional<std::string> description = {};
  // At most one other version and its share, 0.0-1.0. Set but empty: remove the routing.
  std::optional<std::map<std::string, double>> weights = {};
  std::optional<std::string> revision_id = {};
};

struct AliasConfiguration {
  std::string alias_arn;
  std::string name;
  std::string function_version;
  std::string description;
  std::string revision_id;
  std::map<std::string, double> weights;
};

// What PutFunctionEventInvokeConfig and UpdateFunctionEventInvokeConfig take: what becomes of events (InvocationType::kEvent)
// that are sent to a function, or to that version or alias of it. Putting replaces what was there, updating leaves unset
// members as they are.
// A destination is the ARN of an SQS queue, an SNS topic, a Lambda function of this gateway, an EventBridge bus or (on_failure
// only) an S3 bucket; or "lambed:local", the table that Gateway::list_dead_letters reads. Set but empty: none.
struct EventInvokeRequest {
  std::string function;
  std::string qualifier = {};                      // a version number or an alias; empty: $LATEST
  std::optional<int> maximum_retry_attempts = {};  // 0-2
  std::optional<int> maximum_event_age_s = {};     // 60-21600
  std::optional<std::string> on_success = {};
  std::optional<std::string> on_failure = {};
};

struct EventInvokeConfiguration {
  std::string function_arn;                   // with the qualifier, ":$LATEST" too
  std::optional<int> maximum_retry_attempts;  // unset: Lambda's default, 2
  std::optional<int> maximum_event_age_s;     // unset: Lambda's default, 21600
  std::string on_success;                     // empty: none
  std::string on_failure;
  std::int64_t last_modified_ms = 0;  // since 1970 (UTC)
};

}  // namespace lambed
