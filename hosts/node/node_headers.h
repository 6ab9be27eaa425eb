// Node's and libuv's headers, in one place. They come from the node that the plugin is built for.
#ifndef LAMBED_HOSTS_NODE_NODE_HEADERS_H
#define LAMBED_HOSTS_NODE_NODE_HEADERS_H

#include <node.h>
#include <node_version.h>
#include <uv.h>

#endif
