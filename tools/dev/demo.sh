# shellcheck shell=bash
# ./dev demo: from a bare machine to the examples' results.

dev_demo() {
  local start=$SECONDS status=0
  install_packages packages_to_build
  set_up_node
  say "Building the library, the program, the hosts and the examples"
  # A checkout that has been tested keeps its tests; a new one does without them and what they need.
  if [ -e build/release/CMakeCache.txt ]; then
    configure release || status=1
  else
    configure release -DLAMBED_BUILD_TESTS=OFF -DLAMBED_BUILD_BENCH=OFF || status=1
  fi
  if [ "$status" = 0 ]; then
    build_preset release --target product || status=1
  fi
  if [ "$status" = 0 ]; then
    say "Running the examples"
    run_examples || status=$?
  fi
  printf '\n'
  if [ "$status" = 0 ]; then
    echo "demo: all examples ran as they should ($((SECONDS - start)) s)"
  else
    echo "demo: FAILED, see above"
  fi
  return "$status"
}

run_examples() {
  if [ -x examples/run ]; then
    examples/run build/release
    return
  fi
  local example status=0 found=no
  for example in build/release/examples/example_*; do
    [ -x "$example" ] || continue
    found=yes
    note "$(basename "$example")"
    "$example" || status=1
  done
  if [ "$found" = no ]; then
    echo "there are no examples yet" >&2
    status=1
  fi
  return "$status"
}
