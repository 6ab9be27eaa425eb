// Whether an internet address is one of this machine. Functions without state.
#pragma once

#include <sys/socket.h>

#include "model/egress.h"

namespace lambed::sandbox {

// 127.0.0.0/8, ::1, the unspecified addresses (which mean the same), and the first two written as IPv6.
bool is_loopback(const sockaddr_storage& address);
// 169.254.0.0/16 and fe80::/10: where clouds keep a machine's credentials.
bool is_link_local(const sockaddr_storage& address);
// Any address that this machine itself answers at, by its routes. Sends nothing.
bool is_own_address(const sockaddr_storage& address);
// Multicast, and the broadcast to all: no one's address.
bool is_for_many(const sockaddr_storage& address);
// Zeros for families other than the internet's.
AddressBytes bytes_of(const sockaddr_storage& address);
sockaddr_storage socket_address(const AddressBytes& bytes, int port);
// 0 for families without ports.
int port_of(const sockaddr_storage& address);

}  // namespace lambed::sandbox
