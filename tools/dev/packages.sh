# shellcheck shell=bash
# What the system must provide, and why. `package|reason` a line; docs/dependencies.md has the longer reasons.

packages_to_build() {
  cat <<'LIST'
build-essential|the C++20 compiler and linker
cmake|the build system
ninja-build|runs the build
pkg-config|finds the libraries below
libuv1-dev|event loop, timers and wake-ups of the core
libsimdjson-dev|checks every payload's JSON
nlohmann-json3-dev|JSON of the control plane
libzip-dev|reads code packages
libsqlite3-dev|keeps functions on disk
libcurl4-openssl-dev|sends dead letters and invocation records to AWS's services
libseccomp-dev|filters the system calls of sandboxed functions
libcli11-dev|options of the lambed program
libfmt-dev|formats log lines and messages
libssl-dev|SHA-256 of code packages
libboost-dev|Beast, which reads HTTP
python3|runs Python functions
libpython3-dev|libpython and its headers, for the Python host
ruby|runs Ruby functions
LIST
}

packages_to_test() {
  packages_to_build
  local clang
  clang=$(clang_major)
  cat <<LIST
ccache|makes the second build short
libboost-test-dev|the test framework
e2fsprogs|makes the images that functions have as /tmp
python3-venv|a fresh environment for the test of the Python package
python3-numpy|an extension module that sub-interpreters do not support
clang-$clang|second compiler and fuzzer
libclang-rt-$clang-dev|run-time library of the fuzzer
clang-format-14|checks the format (other versions format differently)
shellcheck|checks the shell scripts
LIST
  # A nodejs of another vendor brings its own npm; the distribution's must not be installed over it.
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    cat <<'LIST'
nodejs|runs the tests of the npm package
npm|installs the npm package in its tests
LIST
  fi
}

packages_for_machine() {
  packages_to_test
  cat <<'LIST'
qemu-system-x86|virtual machines whose kernel has what this one does not
busybox-static|the first program in them
LIST
}

# The clang that this release of the system calls `clang`.
clang_major() {
  local major
  major=$(apt-cache depends clang 2>/dev/null | sed -n 's/^ *Depends: clang-\([0-9]*\)$/\1/p' | head -n 1)
  echo "${major:-14}"
}

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null)" = "ii " ]; }

# as_root COMMAND...: directly when root, else by sudo.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    sudo "$@"
  fi
}

require_root() { # WHAT FOR
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
    stop "$1 needs root: run this as root, or install sudo, or have an administrator do it"
}

apt_lists_are_fresh=no
refresh_apt() {
  [ "$apt_lists_are_fresh" = no ] || return 0
  quietly build/log/apt-update.log as_root apt-get update -q
  apt_lists_are_fresh=yes
}

apt_install() {
  refresh_apt
  quietly build/log/apt-install.log as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends --no-remove "$@"
}

# install_packages LISTER: installs those packages of LISTER's list that are missing.
install_packages() {
  command -v apt-get >/dev/null || stop "this set-up knows Debian 12 and Ubuntu 24.04 (apt-get was not found); docs/building.md lists what to install by hand"
  # An empty package list would make clang_major guess.
  if [ -z "$(apt-cache pkgnames libuv1-dev 2>/dev/null)" ]; then
    require_root "fetching the package lists"
    refresh_apt
  fi
  local missing=() package reason
  while IFS='|' read -r package reason; do
    if ! is_installed "$package"; then
      [ ${#missing[@]} -gt 0 ] || say "Installing what is missing"
      missing+=("$package")
      note "$(printf '%-22s %s' "$package" "$reason")"
    fi
  done < <("$1")
  if [ ${#missing[@]} -gt 0 ]; then
    require_root "installing ${missing[*]}"
    apt_install "${missing[@]}"
  fi
}
