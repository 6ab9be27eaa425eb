// Fixed-size messages, with descriptors, over a SOCK_SEQPACKET.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <vector>

#include "base/descriptor.h"

namespace lambed::sandbox {

// 0, or errno.
int send_message(int socket, const void* bytes, std::size_t size, const std::vector<int>& descriptors = {});
// Size; 0 at the end of the stream; -1 with errno.
ssize_t receive_message(int socket, void* bytes, std::size_t size,
                        std::vector<Descriptor>* descriptors = nullptr, bool wait = true);

}  // namespace lambed::sandbox
