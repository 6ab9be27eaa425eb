# shellcheck shell=bash
# ./dev test and its parts. Each part adds to the tally; the last line is `N passed, N failed`.

passed=0
failed=0
failures=build/log/failures # which suites failed, and why; shown before the verdict

# part NAME COMMAND...: runs COMMAND and remembers how long it took, for the table before the verdict.
parts=()
part() {
  local name=$1 start=$SECONDS status=0
  shift
  "$@" || status=$?
  parts+=("$((SECONDS - start)) s  $name")
  return "$status"
}

# count NAME COMMAND...: one check, passed when COMMAND succeeds.
count() {
  local name=$1 start=$SECONDS
  shift
  if "$@"; then
    passed=$((passed + 1))
    printf 'ok      %s (%s s)\n' "$name" $((SECONDS - start))
  else
    failed=$((failed + 1))
    printf 'FAILED  %s (%s s)\n' "$name" $((SECONDS - start)) | tee -a "$failures"
  fi
}

suites_at_a_time() { echo $(($(nproc) * 2)); }

# run_suites PRESET [ARGUMENT OF ctest...]: adds each test case of each suite.
run_suites() {
  local preset=$1 tally start=$SECONDS
  shift
  rm -f "build/$preset/Testing/Temporary/LastTest.log"
  # A suite that fails has a second try, since machines that others use too are late at times; tally.py names those that
  # needed it, so that nobody overlooks them. Most suites wait most of their time: more of them at a time than there are cores.
  ctest --test-dir "build/$preset" --output-on-failure --no-tests=error --repeat until-pass:2 -j "$(suites_at_a_time)" "$@" || true
  tally=$(python3 -B tools/dev/tally.py "build/$preset/Testing/Temporary/LastTest.log" "$failures")
  echo "$preset: $tally ($((SECONDS - start)) s)"
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
    echo "FAILED  build of build/$preset" | tee -a "$failures"
    return 1
  fi
}

# Builds begin while suites run that leave cores idle: on those only, since SCHED_IDLE gives way to everything else. Nothing is
# judged here: whoever needs a build makes what is left of it, and sees why it fails. build/log/ahead.log is what was done.
ahead=''
ahead_of_asan=()
ahead_of_tsan=()
build_ahead() { # PRESET TARGET [PRESET TARGET...]
  mkdir -p build/log
  set -m # a group of processes of its own, which can be ended as one
  (
    chrt --idle --pid 0 "$BASHPID" || renice -n 19 -p "$BASHPID"
    while [ $# -gt 0 ]; do
      cmake --preset "$1" && cmake --build "build/$1" -j "$(jobs)" --target "$2" || exit
      shift 2
    done
  ) >build/log/ahead.log 2>&1 </dev/null &
  ahead=$!
  set +m
  trap end_building_ahead EXIT
}

end_building_ahead() {
  [ -n "$ahead" ] || return 0
  kill -TERM -- "-$ahead" 2>/dev/null || true
  wait "$ahead" 2>/dev/null || true
  # A ninja that ends removes what was half done: not while the next one works in the same folder.
  local tries
  for ((tries = 0; tries < 600; ++tries)); do
    kill -0 -- "-$ahead" 2>/dev/null || break
    sleep 0.1
  done
  ahead=''
}

verdict() {
  if [ "${#parts[@]}" -gt 0 ]; then
    say "Time, of $SECONDS s"
    printf '   %s\n' "${parts[@]}"
  fi
  if [ -s "$failures" ]; then
    say "Suites that failed"
    cat "$failures"
  fi
  printf '\n%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}

set_up_for_tests() {
  mkdir -p build/log
  rm -f "$failures"
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

sanitized_suites() { # PRESET [ARGUMENT OF ctest...]
  (sanitizer_environment && run_suites "$@" && echo "$passed $failed" >build/log/tally)
  read -r passed failed <build/log/tally
}

run_asan() { # TARGET [ARGUMENT OF ctest...]
  local target=$1
  shift
  say "AddressSanitizer and UndefinedBehaviorSanitizer"
  part "build of build/asan" build_for_test asan -- --target "$target" || return 0
  [ "${#ahead_of_asan[@]}" = 0 ] || build_ahead "${ahead_of_asan[@]}"
  part "suites of build/asan" sanitized_suites asan "$@"
  end_building_ahead
}

run_tsan() { # [ARGUMENT OF ctest...]
  say "ThreadSanitizer"
  # Interpreters are not built for ThreadSanitizer: the core runs with the scripted host.
  part "build of build/tsan" build_for_test tsan -- --target core_suites || return 0
  [ "${#ahead_of_tsan[@]}" = 0 ] || build_ahead "${ahead_of_tsan[@]}"
  part "suites of build/tsan" sanitized_suites tsan -L core "$@"
  end_building_ahead
}

run_fuzz() { # SECONDS
  say "Fuzz targets, $1 s each"
  part "build of build/fuzz" build_for_test fuzz -- --target fuzz_targets || return 0
  part "clang" count "clang takes the core" quietly build/log/clang.log python3 -B tools/dev/second_compiler.py build/fuzz
  part "fuzz targets" run_fuzz_targets "$1"
}

run_fuzz_targets() { # SECONDS
  local seconds=$1 target name corpus
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

check_sources() {
  local check
  for check in format layering paths shell python javascript; do
    count "$check" "check_$check"
  done
}

dev_test() {
  # Under AddressSanitizer without the suites that start a program for each case, and with one Python; ./dev asan runs all.
  local long=no seconds=5 built=no others='alone|long' asan=(suites_without_processes -LE processes -E host_python_)
  case "${1:-}" in
    "") ;;
    --long) long=yes seconds=60 others=alone asan=(suites) ;;
    *) stop "unknown argument '$1': ./dev test [--long]" ;;
  esac
  export LAMBED_TEST_LONG=$long
  set_up_for_tests
  parts+=("$SECONDS s  set-up")
  say "Checks of the sources"
  part "checks of the sources" check_sources
  ahead_of_tsan=(fuzz fuzz_targets)
  ahead_of_asan=(tsan core_suites "${ahead_of_tsan[@]}")
  say "Building everything"
  if part "build of build/release" build_for_test release -DLAMBED_BUILD_TESTS=ON -DLAMBED_BUILD_BENCH=ON; then
    say "Suites"
    rm -rf build/release/matrix
    build_ahead asan "${asan[0]}" "${ahead_of_asan[@]}"
    part "suites of build/release" run_suites release -LE "^($others)\$"
    say "Suites that run one at a time"
    part "suites that run one at a time" run_suites release -L '^alone$'
    end_building_ahead
    built=yes
  fi
  run_asan "${asan[@]}"
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
  run_asan suites ${1:+-R "$1"}
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
  local minutes=10 runs=1 isolation=in_process
  while [ $# -gt 0 ]; do
    case "$1" in
      --minutes) minutes=${2:?--minutes needs a number} ;;
      --runs) runs=${2:?--runs needs a number} ;;
      --isolation) isolation=${2:?--isolation needs in_process or process} ;;
      *) stop "unknown argument '$1': ./dev soak [--minutes N] [--runs R] [--isolation process]" ;;
    esac
    shift 2
  done
  set_up_for_tests
  build_for_test release -DLAMBED_BUILD_TESTS=ON || return 1
  [ -x build/release/tests/lambed_soak ] || stop "there is no soak program (tests/soak was not built)"
  if [ "$runs" = 1 ]; then
    run_soak $((minutes * 60)) "$isolation"
  else
    say "Soak, isolation $isolation, $runs runs of $minutes min"
    count "soak, $runs runs" python3 -B tools/dev/soak_series.py build/release/tests/lambed_soak "$runs" "$minutes" --isolation "$isolation"
  fi
  verdict
}
