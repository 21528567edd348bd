#!/usr/bin/env bash
# Fuzzes parser, verifier and pipelines, starting from the tests' IR.
#
#   utils/fuzz.sh MINUTES            stops at the first crash, hang or silent
#                                    failure, and says how to repeat it
#   utils/fuzz.sh MINUTES -jobs=2 …  more arguments go to libFuzzer
#
# What was found interesting is kept in build-fuzz/corpus and used again.
export DIFFATTN_PRESET=fuzz
source "$(dirname "$0")/common.sh"
cd "$root"

minutes=${1:-}
[[ $minutes =~ ^[0-9]+$ ]] || die "usage: utils/fuzz.sh MINUTES [libFuzzer arguments]"
shift

utils/setup.sh --with-fuzzer
utils/build.sh diffattn-fuzz

corpus=$build/corpus seeds=$build/seeds found=$build/found
mkdir -p "$corpus" "$seeds" "$found"
# One seed per case of a test, and the plainest generated op.
printf '\001' >"$seeds/generated"
git ls-files 'test/*.mlir' 'examples/*.mlir' 'docs/*.mlir' | while read -r file; do
  awk -v out="$seeds/$(tr / _ <<<"$file")" '
    /^\/\/ -----/ { case++; next }
    !/^ *\/\// { print > (out "." case + 0) }' "$file"
done

status=0
"$build/bin/diffattn-fuzz" "$corpus" "$seeds" -max_total_time=$((minutes * 60)) \
  -timeout=60 -rss_limit_mb=4096 -max_len=16384 -use_value_profile=0 \
  -artifact_prefix="$found/" -print_final_stats=1 "$@" || status=$?
if [ "$status" -ne 0 ]; then
  last=$(find "$found" -type f -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2-)
  die "found something; repeat it with: DIFFATTN_FUZZ_PRINT=1 $build/bin/diffattn-fuzz $last"
fi
say "nothing found in $minutes minutes"
