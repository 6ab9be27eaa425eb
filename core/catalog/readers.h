// How functions that run as other users get at the code that a server keeps in folders of its own: by a group that exists for
// nothing else. Only for a server that is root; others' functions are the server's own user. Functions; any thread.
#pragma once

#include <string>

namespace lambed::catalog {

// Lets the readers enter the folder, not list it. A folder stays closed where the group cannot be had, as in a container with few
// numbers of groups.
void open_to_readers(const std::string& folder);

// The calling process, being root, gives up all its groups for that of the readers. False where that cannot be had.
bool join_readers();

}  // namespace lambed::catalog
