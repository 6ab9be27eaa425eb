# shellcheck shell=bash
# Configuring and building presets.

jobs() { nproc; }

# What one folder has compiled, ccache knows in another: the Python package's test builds the same sources twice more.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

# configure PRESET [-DVARIABLE=VALUE...]
configure() {
  local preset=$1
  shift
  quietly "build/log/configure-$preset.log" cmake --preset "$preset" "$@"
}

# build_preset PRESET [ARGUMENT OF cmake --build...]
build_preset() {
  local preset=$1
  shift
  if [ -t 1 ]; then
    cmake --build "build/$preset" -j "$(jobs)" "$@"
  else
    quietly "build/log/build-$preset.log" cmake --build "build/$preset" -j "$(jobs)" "$@"
  fi
}

dev_build() {
  local preset=${1:-release}
  [ $# -eq 0 ] || shift
  install_packages packages_to_test
  set_up_node
  say "Building build/$preset"
  configure "$preset" || return
  build_preset "$preset" "$@"
}

dev_bench() {
  install_packages packages_to_build
  set_up_node
  say "Building the benchmarks"
  configure release -DLAMBED_BUILD_BENCH=ON || return
  build_preset release || return
  if [ -x bench/run ]; then
    bench/run "$@"
    return
  fi
  local name=${1:-} bench status=0 found=no
  [ $# -eq 0 ] || shift
  for bench in build/release/bench/bench_*; do
    if [ ! -x "$bench" ] || { [ -n "$name" ] && [ "$bench" != "build/release/bench/bench_$name" ]; }; then
      continue
    fi
    found=yes
    say "$(basename "$bench")"
    "$bench" "$@" || status=1
  done
  [ "$found" = yes ] || stop "there is no benchmark '$name'"
  return "$status"
}
