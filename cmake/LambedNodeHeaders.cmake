# For the npm package: libuv's headers as the node of LAMBED_NODE_EXECUTABLE_HEADERS brings them, apart from the other headers
# in that folder, since node's OpenSSL and zlib headers must not stand before the system's.
if(NOT EXISTS "${LAMBED_NODE_EXECUTABLE_HEADERS}/node_api.h")
  message(FATAL_ERROR "LAMBED_NODE_EXECUTABLE_HEADERS must name the include/node folder of the node that the addon is for")
endif()
add_library(lambed_libuv INTERFACE)
if(EXISTS "${LAMBED_NODE_EXECUTABLE_HEADERS}/uv.h")
  set(folder "${CMAKE_BINARY_DIR}/node-libuv")
  file(COPY "${LAMBED_NODE_EXECUTABLE_HEADERS}/uv.h" "${LAMBED_NODE_EXECUTABLE_HEADERS}/uv" DESTINATION "${folder}")
  target_include_directories(lambed_libuv SYSTEM BEFORE INTERFACE "${folder}")
else()
  # A distribution's node is linked to the distribution's libuv, whose headers lie elsewhere.
  find_path(LAMBED_UV_INCLUDE_DIR uv.h REQUIRED)
  target_include_directories(lambed_libuv SYSTEM INTERFACE "${LAMBED_UV_INCLUDE_DIR}")
endif()
