# shellcheck shell=bash
# ./dev test and its parts. Each part adds to the tally; the last line is `N passed, N failed`.

passed=0
failed=0

# count NAME COMMAND...: one check, passed when COMMAND succeeds.
count() {
  local name=$1 start=$SECONDS
  shift
  if "$@"; then
    passed=$((passed + 1))
    printf 'ok      %s (%s s)\n' "$name" $((SECONDS - start))
  else
    failed=$((failed + 1))
    printf 'FAILED  %s (%s s)\n' "$name" $((SECONDS - start))
  fi
}

# run_suites PRESET [ARGUMENT OF ctest...]: adds each test case of each suite.
run_suites() {
  local preset=$1 tally
  shift
  rm -f "build/$preset/Testing/Temporary/LastTest.log"
  # A suite that fails has a second try, since machines that others use too are late at times; tally.py names those that
  # needed it, so that nobody overlooks them.
  ctest --test-dir "build/$preset" --output-on-failure --no-tests=error --repeat until-pass:2 -j "$(jobs)" "$@" || true
  tally=$(python3 tools/dev/tally.py "build/$preset/Testing/Temporary/LastTest.log")
  echo "$preset: $tally"
  passed=$((passed + ${tally%% *}))
  tally=${tally#*, }
  failed=$((failed + ${tally%% *}))
}

# A build that fails counts as one failure, and what would have run on it is not run.
build_for_test() { # PRESET [-DVARIABLE=VALUE...] [-- ARGUMENT OF cmake --build...]
  local preset=$1 options=() start=$SECONDS
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  [ $# -eq 0 ] || shift
  if configure "$preset" "${options[@]}" && build_preset "$preset" "$@"; then
    note "built in $((SECONDS - start)) s"
  else
    failed=$((failed + 1))
    echo "FAILED  build of build/$preset"
    return 1
  fi
}

verdict() {
  printf '\n%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}

set_up_for_tests() {
  install_packages packages_to_test
  set_up_node
}

# Leaks of an interpreter's own are suppressed by name in tests/sanitizers/; what is ours is not.
sanitizer_environment() {
  # use_sigaltstack=0: Ruby gives its threads alternate signal stacks of its own; AddressSanitizer would take them for the one
  # that it has made, and unmap them when the thread ends. With handle_segv=0 it needs none.
  # intercept_tls_get_addr=0: a block for thread-local variables that begins a page is taken for one of an older glibc, and what
  # stands before it for its bounds; the search for leaks then ends by a fault. Such blocks are found without it.
  local asan=detect_leaks=1:detect_stack_use_after_return=0:handle_segv=0:allocator_may_return_null=1
  export ASAN_OPTIONS=$asan:use_sigaltstack=0:intercept_tls_get_addr=0
  export LSAN_OPTIONS="suppressions=$PWD/tests/sanitizers/lsan.supp:print_suppressions=0"
  export UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1"
  # die_after_fork=0: tests fork, and their children start threads.
  export TSAN_OPTIONS="suppressions=$PWD/tests/sanitizers/tsan.supp:second_deadlock_stack=1:halt_on_error=0:die_after_fork=0"
}

run_asan() { # [ARGUMENT OF ctest...]
  say "AddressSanitizer and UndefinedBehaviorSanitizer"
  if build_for_test asan -- --target suites; then
    (sanitizer_environment && run_suites asan "$@" && echo "$passed $failed" >build/log/tally)
    read -r passed failed <build/log/tally
  fi
}

run_tsan() { # [ARGUMENT OF ctest...]
  say "ThreadSanitizer"
  # Interpreters are not built for ThreadSanitizer: the core runs with the scripted host.
  if build_for_test tsan -- --target core_suites; then
    (sanitizer_environment && run_suites tsan -L core "$@" && echo "$passed $failed" >build/log/tally)
    read -r passed failed <build/log/tally
  fi
}

run_fuzz() { # SECONDS
  local seconds=$1 target name corpus
  say "Fuzz targets, $seconds s each"
  build_for_test fuzz -- --target fuzz_targets || return 0
  for target in build/fuzz/fuzz/*_fuzz; do
    [ -x "$target" ] || continue
    name=$(basename "$target")
    corpus=build/fuzz/corpus/$name
    mkdir -p "$corpus" "build/fuzz/findings"
    local known=()
    [ ! -d "tests/fuzz/${name}_corpus" ] || known=("tests/fuzz/${name}_corpus")
    count "fuzz $name" quietly "build/log/$name.log" "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
      -artifact_prefix=build/fuzz/findings/ "$corpus" "${known[@]}"
  done
}

# The results that the suites have left in build/release/matrix, as one table.
show_matrix() {
  say "Languages in contexts"
  count "matrix" python3 -B tools/dev/matrix.py build/release/matrix
  count "docs/compatibility.md" python3 -B tools/dev/compatibility.py check build/release/matrix
}

# Half a minute of it, and some seconds in workers, are suites of `./dev test`.
run_soak() { # SECONDS ISOLATION
  local program=build/release/tests/lambed_soak
  [ -x "$program" ] || return 0
  say "Soak, isolation $2, $1 s"
  count "soak" "$program" --seconds "$1" --isolation "$2"
}

dev_test() {
  local long=no seconds=5 few=(-LE processes -E host_python_) short=(-LE long) built=no
  case "${1:-}" in
    "") ;;
    --long) long=yes seconds=60 few=() short=() ;;
    *) stop "unknown argument '$1': ./dev test [--long]" ;;
  esac
  export LAMBED_TEST_LONG=$long
  set_up_for_tests
  say "Checks of the sources"
  local check
  for check in format layering paths shell python javascript; do
    count "$check" "check_$check"
  done
  say "Building everything"
  if build_for_test release -DLAMBED_BUILD_TESTS=ON -DLAMBED_BUILD_BENCH=ON; then
    say "Suites"
    rm -rf build/release/matrix
    run_suites release "${short[@]}"
    built=yes
  fi
  # Under AddressSanitizer without the suites that start a program for each case, and with one Python; ./dev asan runs all.
  run_asan "${few[@]}"
  run_tsan
  run_fuzz "$seconds"
  if [ "$built" = yes ]; then
    show_matrix
    [ "$long" = no ] || run_machines_if_fast
  fi
  verdict
}

# Writes the page of what runs where from the results of the last `./dev test`, or of `ctest -L packages`.
dev_compatibility() { python3 -B tools/dev/compatibility.py write build/release/matrix; }

dev_asan() {
  set_up_for_tests
  run_asan ${1:+-R "$1"}
  verdict
}

dev_tsan() {
  set_up_for_tests
  run_tsan ${1:+-R "$1"}
  verdict
}

dev_fuzz() {
  local seconds=60
  if [ "${1:-}" = --seconds ]; then
    seconds=${2:?--seconds needs a number}
  fi
  set_up_for_tests
  run_fuzz "$seconds"
  verdict
}

dev_soak() {
  local minutes=10 isolation=in_process
  while [ $# -gt 0 ]; do
    case "$1" in
      --minutes) minutes=${2:?--minutes needs a number} ;;
      --isolation) isolation=${2:?--isolation needs in_process or process} ;;
      *) stop "unknown argument '$1': ./dev soak [--minutes N] [--isolation process]" ;;
    esac
    shift 2
  done
  set_up_for_tests
  build_for_test release -DLAMBED_BUILD_TESTS=ON || return 1
  [ -x build/release/tests/lambed_soak ] || stop "there is no soak program (tests/soak was not built)"
  run_soak $((minutes * 60)) "$isolation"
  verdict
}
