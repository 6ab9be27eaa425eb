// Servers for sandboxed functions to speak to: each a process that ends with the one that started it.
#pragma once

namespace lambed::testing {

// Answers each datagram to `port`, at every address of the machine, with "<source address it saw> " and what was in it; from the
// address it was sent to. A datagram that begins with "stranger" is answered from another port.
bool start_echo(int port);
// Knows "name.test" as 198.51.100.77, by UDP and TCP, and nothing else; at port 53 of `address`.
bool start_name_server(const char* address);

}  // namespace lambed::testing
