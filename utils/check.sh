#!/usr/bin/env bash
# Everything that must hold before a commit: installs what is missing, builds,
# runs all tests and the checks of generated files. The last line is
#
#   N passed, N failed, N skipped
#
# and the exit status is zero only if nothing failed.
source "$(dirname "$0")/common.sh"
cd "$root"

passed=0 failed=0 skipped=0
finish() {
  printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
  [ "$failed" -eq 0 ]
}

# step NAME COMMAND...: one check that counts as one test.
step() {
  local name=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
    say "passed: $name"
  else
    failed=$((failed + 1))
    say "FAILED: $name"
  fi
}

# Shows failing tests only, each with its output.
lit=("$llvm_bin/lit" --succinct --verbose --no-progress-bar)

# count_lit RESULTS: adds lit's results to the totals.
count_lit() {
  local counts
  counts=$(python3 - "$1" <<'PY'
import collections, json, sys
codes = collections.Counter(t["code"] for t in json.load(open(sys.argv[1]))["tests"])
passed = codes.pop("PASS", 0) + codes.pop("XFAIL", 0) + codes.pop("FLAKYPASS", 0)
skipped = codes.pop("UNSUPPORTED", 0) + codes.pop("SKIPPED", 0) + codes.pop("EXCLUDED", 0)
print(passed, sum(codes.values()), skipped)
PY
  )
  read -r p f s <<<"$counts"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

if ! { utils/setup.sh && utils/build.sh all diffattn-test-depends diffattn-docs; }; then
  failed=1
  finish
  exit 1
fi

results=$build/log/lit.json
rm -f "$results"
"${lit[@]}" --output "$results" "$build/test" "$build/unittests" || true
if [ -s "$results" ]; then count_lit "$results"; else failed=$((failed + 1)); fi

# Every input that diffattn-opt reads in a test must survive printing and
# parsing, in text and in bytecode. Tests of other tools gain nothing.
step "round trip of every test's input" env DIFFATTN_OPT_CHECK_ROUNDTRIP=1 \
  "${lit[@]}" --filter=':: (Dialect|Conversion|Pipelines)/' "$build/test"
step "docs/reference is up to date" utils/gen_docs.sh --check
step "docs/tutorial.md is up to date" "$python" utils/gen_tutorial.py --check --build "$build"
step "docs/images of layouts are up to date" "$python" utils/draw_tile_layouts.py --check
step "C++ is formatted" utils/format.sh --check

finish
