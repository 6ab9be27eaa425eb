// What attacks by network do with sockets. Results as attacks tell them: 0, or an errno.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <string>

#include "sandbox/internet.h"

namespace lambed::testing {

// A connection that is being made counts as made.
int connect_tcp(const std::string& address, int port, int flags = 0);
// Undoes a connection that was allowed, and makes another one by the same socket. EHOSTUNREACH: the first was not.
int connect_anew(const Internet& first, const Internet& second);

int datagram_socket(int family = AF_INET);
// The next datagram within 400 ms, or nothing and errno.
std::string answer_at(int fd);
// Whether there is one: 0, or ETIMEDOUT or what else happened.
int heard(int fd);
// Sends a datagram from a socket that is not connected, and waits for an answer.
int speak_to(const std::string& address, int port);
// One byte to `to`; refers to both.
msghdr message_to(const Internet& to, iovec& piece);

}  // namespace lambed::testing
