#include "environments/process/spawn_message.h"

#include <string>

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
  spawn.host_loopback = spec.host_loopback;
  if (spec.network) {
    spawn.address = spec.network->address + "/" + std::to_string(spec.network->prefix);
    for (const EgressRule& rule : spec.network->egress)
      spawn.egress.emplace_back(rule.text(), rule.to.text());
    for (const Cidr& range : spec.network->unreachable) spawn.unreachable.push_back(range.text());
  }
  return spawn;
}

}  // namespace lambed::process
