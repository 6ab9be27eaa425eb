// libuv's pool of threads, on which node reads and writes files. One per process; the application may use it as well.
#ifndef LAMBED_HOSTS_NODE_THREAD_POOL_H
#define LAMBED_HOSTS_NODE_THREAD_POOL_H

namespace lambed::node_host {

// Blocks SIGPIPE on the pool's threads, so that a function's write to a pipe that nobody reads is an error of the function and
// not the end of the application. The first user of the pool starts it, and its threads inherit that thread's mask: this starts
// it, or, when the application has done so, visits all of its threads. Takes 100 ms at most, when some of them are busy with
// work of the application; those keep their mask.
void block_sigpipe_on_thread_pool();

}  // namespace lambed::node_host
#endif
