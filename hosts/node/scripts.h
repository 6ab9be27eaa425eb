// The bootstrap's JavaScript, embedded at build time from js/*.js. Each evaluates to one function.
#ifndef LAMBED_HOSTS_NODE_SCRIPTS_H
#define LAMBED_HOSTS_NODE_SCRIPTS_H

#include <span>
#include <string_view>

namespace lambed::node_host {

struct Script {
  const char* name;  // "driver": js/driver.js
  std::string_view source;
};

std::span<const Script> scripts();

}  // namespace lambed::node_host
#endif
