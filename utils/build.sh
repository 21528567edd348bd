#!/usr/bin/env bash
# Configures (once) and builds; incremental, and quiet unless something fails.
#
#   utils/build.sh [TARGET...]            into build/
#   DIFFATTN_PRESET=dev utils/build.sh    another preset of CMakePresets.json
source "$(dirname "$0")/common.sh"
cd "$root"

if [ ! -f "$build/build.ninja" ]; then
  say "configuring $(basename "$build") (preset $preset)"
  quietly "$build/log/configure.log" cmake --preset "$preset"
fi
start=$SECONDS
targets=("$@")
quietly "$build/log/build.log" cmake --build --preset "$preset" ${targets:+--target "${targets[@]}"}
# The compiler's own complaints are the part of a good build that matters.
grep -E 'warning:|CMake Warning' "$build/log/build.log" || true
say "built in $((SECONDS - start)) s"
