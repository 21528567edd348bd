# Shared by the scripts of this directory; source it, do not run it.
# shellcheck shell=bash
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
preset=${DIFFATTN_PRESET:-release}
build=$root/build
[ "$preset" = release ] || build=$root/build-$preset
llvm_bin=/usr/lib/llvm-22/bin
# The repository's own environment where there is one (utils/setup.sh --with-torch).
python=$root/.venv/bin/python3
[ -x "$python" ] || python=python3

say() { printf '== %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# quietly LOG COMMAND...: runs a command with its output in LOG, and shows the
# end of the log only if the command fails.
quietly() {
  local log=$1 status=0
  shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 </dev/null || status=$?
  if [ "$status" -ne 0 ]; then
    tail -n 60 "$log" >&2
    printf 'error: "%s" failed with status %d; whole output in %s\n' \
      "$*" "$status" "$log" >&2
  fi
  return "$status"
}
