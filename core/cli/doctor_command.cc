#include "cli/doctor_command.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <uv.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cli/exit_codes.h"
#include "cli/function_source.h"
#include "cli/standard_streams.h"
#include "environments/process/node_program.h"
#include "environments/sandbox/enforcement.h"
#include "lambed/gateway.h"

namespace lambed::cli {
namespace {

constexpr std::string_view kLanguages[] = {"python", "nodejs", "ruby"};

std::string kernel() {
  utsname name{};
  return ::uname(&name) == 0 ? fmt::format("{} {} {}", name.sysname, name.release, name.machine)
                             : "unknown kernel";
}

void describe(std::string& text, const HostReport& host) {
  if (host.available) {
    text += fmt::format("  {:<8} ok       {} -> runtime {}\n", host.language, host.interpreter_version,
                        runtime_for(host.language, host.interpreter_version));
    if (!host.interpreter_path.empty())
      text += fmt::format("  {:<17} interpreter  {}\n", "", host.interpreter_path);
  } else {
    text += fmt::format("  {:<8} MISSING  {}\n", host.language, host.problem);
  }
  text += fmt::format("  {:<17} plugin       {}\n", "", host.plugin_path);
}

// Which node serves which runtime in worker processes.
void describe_nodes(std::string& text, const std::vector<HostReport>& hosts) {
  std::string library = "nothing: there is no libnode either";
  for (const HostReport& host : hosts) {
    if (host.language == "nodejs" && host.available)
      library = fmt::format("libnode {}", host.interpreter_version);
  }
  text += "\nNode.js in worker processes (isolation process)\n";
  for (const std::string_view runtime : {"nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x"}) {
    const std::string major = process::node_major_of(runtime);
    const auto node = process::find_node(major);
    if (node.ok()) {
      text += fmt::format("  {:<11} node {} ({})\n", runtime, node->version, node->path);
    } else if (library.starts_with("libnode " + major + ".")) {
      text += fmt::format("  {:<11} {}\n", runtime, library);
    } else {
      text += fmt::format("  {:<11} {}: {}\n", runtime, library, node.error().message());
    }
  }
}

}  // namespace

int run_doctor() {
  std::string text =
      fmt::format("lambed {} on {}, libuv {}\n", LAMBED_VERSION, kernel(), uv_version_string());
  // Before the interpreters start: it forks.
  const std::vector<sandbox::LayerReport> layers = sandbox::try_layers();

  std::vector<HostReport> hosts;
  {
    const ReservedOutput output;  // whatever an interpreter prints while it starts is no part of the report
    hosts = Gateway::hosts(true);
  }
  text += "\nLanguages\n";
  bool all_available = true;
  for (const std::string_view language : kLanguages) {
    bool available = false;
    bool has_plugin = false;
    for (const HostReport& host : hosts) {
      if (host.language != language) continue;
      describe(text, host);
      has_plugin = true;
      available = available || host.available;
    }
    if (!has_plugin) {
      text += fmt::format(
          "  {:<8} MISSING  no plugin liblambed_host_{}*.so beside the program (../lib/lambed) or in the "
          "folders of\n"
          "  {:<17} LAMBED_HOST_PATH; build it with `./dev build`, or install lambed with all its parts\n",
          language, language == "nodejs" ? "node" : language, "");
    }
    all_available = all_available && available;
  }
  for (const HostReport& host : hosts) {
    if (std::find(std::begin(kLanguages), std::end(kLanguages), host.language) == std::end(kLanguages))
      describe(text, host);
  }

  describe_nodes(text, hosts);
  text +=
      "\nSandbox layers of this machine for this user, best first (--isolation process takes the first that "
      "works)\n";
  for (const sandbox::LayerReport& layer : layers) {
    text += fmt::format("  {:<26} {}\n", sandbox::name_of(layer.layer),
                        !layer.available           ? "no: " + layer.reason
                        : layer.lets_datagrams_out ? "works"
                                                   : "works, without UDP: /dev/net/tun cannot be opened");
    if (!layer.why_no_image.empty())
      text += fmt::format("  {:<26} /tmp counts as memory of the function: {}\n", "", layer.why_no_image);
  }
  text += "\n" + sandbox::enforcement_as_text();
  text += all_available ? "\nEvery language can run.\n" : "\nSome languages cannot run; see MISSING above.\n";
  write_standard_output(text);
  return all_available ? kExitOk : kExitFunctionError;
}

}  // namespace lambed::cli
