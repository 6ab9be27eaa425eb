# Everything the core links to, from the system. Debian 12's versions are the floor; docs/dependencies.md says why each.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(fmt 9 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto)
find_package(Boost 1.74 REQUIRED)
if(LAMBED_NODE_ADDON_API)
  # Inside node everything uses node's own libuv, which its executable exports: its headers, and nothing to link to.
  include(LambedNodeHeaders)
else()
  pkg_check_modules(LIBUV REQUIRED IMPORTED_TARGET libuv>=1.44)
  add_library(lambed_libuv INTERFACE)
  target_link_libraries(lambed_libuv INTERFACE PkgConfig::LIBUV)
endif()
pkg_check_modules(SIMDJSON REQUIRED IMPORTED_TARGET simdjson>=3.0)
pkg_check_modules(LIBZIP REQUIRED IMPORTED_TARGET libzip>=1.7)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.40)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl>=7.88)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp>=2.5)

# Which room uses what is checked by review, not by the build: all rooms see all of these.
add_library(lambed_dependencies INTERFACE)
target_link_libraries(
  lambed_dependencies
  INTERFACE Threads::Threads
            nlohmann_json::nlohmann_json
            fmt::fmt
            CLI11::CLI11
            OpenSSL::Crypto
            Boost::headers
            lambed_libuv
            PkgConfig::SIMDJSON
            PkgConfig::LIBZIP
            PkgConfig::SQLITE
            PkgConfig::CURL
            PkgConfig::SECCOMP
            ${CMAKE_DL_LIBS})
