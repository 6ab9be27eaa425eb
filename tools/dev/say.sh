# shellcheck shell=bash
# How ./dev talks: a heading for each step, and the reason when it stops.

say() { printf '\n== %s\n' "$*"; }
note() { printf '   %s\n' "$*"; }

stop() {
  printf 'dev: %s\n' "$*" >&2
  exit 2
}

# quietly LOG COMMAND...: runs COMMAND with its output in LOG; shows the end of it when COMMAND fails.
quietly() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  if ! "$@" >"$log" 2>&1; then
    printf 'dev: failed: %s\n' "$*" >&2
    tail -n 40 "$log" >&2
    printf 'dev: the whole output is in %s\n' "$log" >&2
    return 1
  fi
}
