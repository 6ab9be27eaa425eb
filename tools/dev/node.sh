# shellcheck shell=bash
# libnode and its headers. Debian and Ubuntu package them (libnode-dev), but apt cannot install that beside a nodejs from
# another vendor: node-acorn, which libnode needs, depends on the distribution's own nodejs. There the same packages are
# unpacked into .deps/node of this checkout instead.

readonly private_node=.deps/node

set_up_node() {
  if is_installed libnode-dev; then
    return 0
  fi
  if [ ! -e "$private_node/ready" ]; then
    require_root "installing libnode"
    refresh_apt
    if apt-get install --simulate -q -y --no-install-recommends --no-remove libnode-dev >/dev/null 2>&1; then
      say "Installing what is missing"
      note "$(printf '%-22s %s' libnode-dev "libnode and its headers, for the Node.js host")"
      apt_install libnode-dev
      return 0
    fi
    unpack_node
  fi
  place_node_builtins
}

# The part of libnode-dev's dependencies that is node's own, without nodejs itself.
node_packages() {
  local wanted=(libnode-dev) seen=" " package
  while [ ${#wanted[@]} -gt 0 ]; do
    package=${wanted[0]}
    wanted=("${wanted[@]:1}")
    case "$seen" in *" $package "*) continue ;; esac
    seen+="$package "
    echo "$package"
    mapfile -t -O "${#wanted[@]}" wanted < <(dependencies_of "$package" | grep -E '^(libnode[0-9]+|node-.*)$')
  done
}

dependencies_of() {
  apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "$1" |
    sed -n 's/^ *|\{0,1\}Depends: \([a-z0-9.+-]*\)$/\1/p' | sort -u
}

unpack_node() {
  local packages libraries=() package library
  mapfile -t packages < <(node_packages)
  say "Unpacking libnode into $private_node"
  note "apt cannot install libnode-dev beside this machine's nodejs, which comes from another vendor"
  note "packages: ${packages[*]}"
  # What libnode itself links to can be installed the usual way.
  for package in "${packages[@]}"; do
    while read -r library; do
      if ! is_installed "$library"; then
        libraries+=("$library")
      fi
    done < <(dependencies_of "$package" | grep -E '^(lib|zlib)' | grep -v '^libnode')
  done
  if [ ${#libraries[@]} -gt 0 ]; then
    note "installing what libnode links to: ${libraries[*]}"
    apt_install "${libraries[@]}"
  fi
  rm -rf "$private_node"
  mkdir -p "$private_node/debs"
  # The sandbox user of apt may not be allowed to write into this folder.
  (cd "$private_node/debs" && apt-get download -q -o APT::Sandbox::User="$(id -un)" "${packages[@]}" >/dev/null)
  for package in "$private_node"/debs/*.deb; do
    dpkg-deb -x "$package" "$private_node"
  done
  rm -rf "$private_node/debs"
  local unresolved
  unresolved=$(ldd "$private_node"/usr/lib/*/libnode.so | grep 'not found' || true)
  [ -z "$unresolved" ] || stop "libnode lacks libraries: $unresolved"
  touch "$private_node/ready"
}

# The distributions' libnode reads some of its own JavaScript from fixed places in /usr/share/nodejs when it makes a
# context, and aborts the whole process when a file is not there.
place_node_builtins() {
  local library folder
  library=$(echo "$private_node"/usr/lib/*/libnode.so)
  while read -r folder; do
    if [ ! -e "$folder" ]; then
      require_root "copying $folder"
      note "copying $folder: libnode reads it from there and nowhere else"
      as_root mkdir -p /usr/share/nodejs
      as_root cp -r "$private_node$folder" "$folder"
    fi
  done < <(grep -ao '/usr/share/nodejs/[a-z-]*' "$library" | sort -u)
}
