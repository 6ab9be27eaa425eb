// "127.0.0.1:9001", "[::1]:9001", "localhost:9001", "9001". Pure functions.
#pragma once

#include <cstdint>
#include <string>

namespace lambed::cli {

struct ListenAddress {
  std::string host;  // an IP address
  std::uint16_t port = 0;
  std::string shown_host() const { return host.find(':') == std::string::npos ? host : "[" + host + "]"; }
};

// Throws CommandError for anything that is no address of this machine itself: as long as signatures are not verified, who
// reaches the port can upload code.
ListenAddress loopback_address(const std::string& text);

}  // namespace lambed::cli
