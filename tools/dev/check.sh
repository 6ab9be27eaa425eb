# shellcheck shell=bash
# Checks that need no build: format, layering, machine paths, shell scripts; and clang-tidy, which needs a configured build.

cxx_sources() { git ls-files -- '*.cc' '*.h' '*.c' ':!:tests/data/**'; }

clang_format() {
  local name
  for name in clang-format-14 clang-format; do
    if command -v "$name" >/dev/null && [[ "$("$name" --version)" == *"version 14."* ]]; then
      echo "$name"
      return
    fi
  done
  stop "clang-format 14 was not found (apt-get install clang-format-14); other versions format differently"
}

dev_format() {
  local tool
  tool=$(clang_format)
  cxx_sources | xargs -r "$tool" -i
}

check_format() {
  local tool
  tool=$(clang_format) || return
  cxx_sources | xargs -r "$tool" --dry-run -Werror 2>&1 | grep -E 'error:' | sed 's/: error:.*//' | sort -t: -u -k1,1 |
    sed 's/$/: not in the house format (.\/dev format)/' | {
    ! grep .
  }
}

check_layering() { python3 tools/lint/layering.py; }
check_paths() { python3 tools/lint/machine_paths.py; }

check_shell() {
  command -v shellcheck >/dev/null || stop "shellcheck was not found (apt-get install shellcheck)"
  git ls-files -z | xargs -0 -r grep -lIE '^#!.*(bash|sh)$|^# shellcheck shell=' | xargs -r shellcheck -x
}

# Every translation unit of ours in build/release. Minutes, so not a part of `./dev test`.
check_tidy() {
  local tidy
  tidy=$(command -v clang-tidy-14 || command -v clang-tidy) || {
    note "clang-tidy is not installed: skipped"
    return 0
  }
  configure release -DLAMBED_BUILD_TESTS=ON || return
  cmake --build build/release --target lambed_pch lambed_test_pch >/dev/null || return
  # g++'s precompiled headers and flags mean nothing to clang.
  git ls-files -z -- 'core/*.cc' |
    xargs -0 -r -n 1 -P "$(jobs)" "$tidy" --quiet -p build/release --extra-arg=-Wno-unknown-warning-option \
      --extra-arg=-Wno-ignored-optimization-argument --extra-arg=-Wno-unused-command-line-argument
}

dev_lint() {
  local check status=0
  for check in format layering paths shell tidy; do
    say "lint: $check"
    if "check_$check"; then
      note "ok"
    else
      status=1
    fi
  done
  return "$status"
}
