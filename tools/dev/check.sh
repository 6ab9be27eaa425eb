# shellcheck shell=bash
# Checks that need no build: format, layering, machine paths, shell scripts, Python, JavaScript; and clang-tidy, which needs a configured build.

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
  local wrong
  wrong=$(cxx_sources | xargs -r "$tool" --dry-run 2>&1 | sed -n 's/^\([^:]*:[0-9]*\):[0-9]*: .*-Wclang-format-violations.*/\1/p' |
    sort -t: -u -k1,1)
  [ -z "$wrong" ] || {
    printf '%s\n' "$wrong" | sed 's/$/: not in the house format (.\/dev format)/'
    return 1
  }
}

check_layering() { python3 tools/lint/layering.py; }
check_paths() { python3 tools/lint/machine_paths.py; }

check_shell() {
  command -v shellcheck >/dev/null || stop "shellcheck was not found (apt-get install shellcheck)"
  git ls-files -z | xargs -0 -r grep -lIE '^#!.*(bash|sh)$|^# shellcheck shell=' | xargs -r shellcheck -x
}

readonly ruff=ruff==0.17.6
readonly eslint=(eslint@9.9.1 @eslint/js@9.9.1 globals@15.9.0)

# The linters of Python and JavaScript are no Debian packages: they come from pip and npm, into .deps/, once for each version.
have_linter() { # FOLDER VERSIONS COMMAND...: runs COMMAND in a new FOLDER unless it holds these versions
  local folder=$1 versions=$2
  shift 2
  [ "$(cat "$folder/ready" 2>/dev/null)" != "$versions" ] || return 0
  rm -rf "$folder"
  mkdir -p "$folder"
  quietly "build/log/$(basename "$folder").log" "$@" || return
  echo "$versions" >"$folder/ready"
}

install_ruff() {
  python3 -m venv .deps/ruff && .deps/ruff/bin/python -m pip install -q --disable-pip-version-check --no-input "$ruff"
}

install_eslint() {
  echo '{ "private": true }' >.deps/eslint/package.json
  npm install --prefix .deps/eslint --no-audit --no-fund --loglevel=error "${eslint[@]}"
}

check_python() {
  have_linter .deps/ruff "$ruff" install_ruff || return
  git ls-files -z -- '*.py' '*.pyi' | xargs -0 -r .deps/ruff/bin/ruff check --quiet --no-cache --force-exclude --output-format concise
}

check_javascript() {
  have_linter .deps/eslint "${eslint[*]}" install_eslint || return
  git ls-files -z -- '*.js' '*.mjs' '*.cjs' |
    xargs -0 -r node .deps/eslint/node_modules/eslint/bin/eslint.js --config tools/lint/eslint.config.mjs
}

# Every translation unit of the core. Minutes, so not a part of `./dev test`.
check_tidy() {
  local tidy
  tidy=$(command -v clang-tidy-14 || command -v clang-tidy) || {
    note "clang-tidy is not installed: skipped"
    return 0
  }
  # A configuration of its own: clang reads neither g++'s precompiled headers nor some of its flags.
  quietly build/log/configure-tidy.log cmake -S . -B build/tidy -G Ninja --toolchain cmake/clang.toolchain.cmake \
    -DCMAKE_BUILD_TYPE=Debug -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON -DCMAKE_EXPORT_COMPILE_COMMANDS=ON \
    -DLAMBED_BUILD_TESTS=OFF -DLAMBED_BUILD_BENCH=OFF "-DLAMBED_WITHOUT_HOSTS=node;python;ruby" || return
  git ls-files -z -- 'core/*.cc' | xargs -0 -r -n 1 -P "$(jobs)" "$tidy" --quiet -p build/tidy 2>/dev/null
}

dev_lint() {
  local check status=0
  for check in format layering paths shell python javascript tidy; do
    say "lint: $check"
    if "check_$check"; then
      note "ok"
    else
      status=1
    fi
  done
  return "$status"
}
