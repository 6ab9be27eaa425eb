#include "environments/process/spawn_message.h"

namespace lambed::process {

channel::Spawn spawn_message(const environments::EnvironmentSpec& spec, std::int64_t init_deadline) {
  channel::Spawn spawn;
  spawn.function_name = spec.function_name;
  spawn.function_version = spec.function_version;
  spawn.function_id = spec.function_id;
  spawn.code_id = spec.code_id;
  spawn.runtime = spec.runtime;
  spawn.handler = spec.handler;
  spawn.task_root = spec.task_root;
  spawn.layers = spec.layers;
  spawn.variables = spec.variables;
  spawn.memory_limit = spec.memory_limit;
  spawn.tmp_bytes = spec.tmp_bytes;
  spawn.cores = spec.cores;
  spawn.init_deadline = init_deadline;
  spawn.log_group = spec.log_group;
  spawn.log_stream = spec.log_stream;
  spawn.json_logs = spec.json_logs;
  return spawn;
}

}  // namespace lambed::process
