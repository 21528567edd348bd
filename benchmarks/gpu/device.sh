#!/usr/bin/env bash
# Part of the diffattn project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Everything that is measured on a GPU, in one call of less than nine minutes:
# numerics, compute-sanitizer, benchmarks, profile. Each stage has its own time
# limit; all output goes to files in $OUT, and short tables come last.
#
#   OUT=DIR benchmarks/gpu/device.sh --lib libdiffattn_runtime.so [options] FOLDER...
#
#   --stages LIST    of numerics, sanitize, bench, ncu (default: these), and
#                    prefill, which takes nine minutes by itself
#   --match TEXT     only kernels whose description has TEXT
#   --sanitize TEXT  the same, for compute-sanitizer alone
#   --profile TEXT   which kernel ncu looks at (default: d128)
#   --bench "ARGS"   more arguments for bench.py
#   --prefill "ARGS" more arguments for prefill.py, none with a space in it
#
# Needs python3 with PyTorch, numpy and (for clocks) pynvml; compute-sanitizer and
# ncu where their stages run; prefill leaves out peers that are not installed.
# FOLDERs hold manifests and their images.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${OUT:-.}
export PYTHONUNBUFFERED=1
# Some installations keep the tools out of PATH.
PATH=$PATH:/usr/local/cuda/bin:/opt/nvidia/nsight-compute

lib='' match='' sanitize='' profile=d128 bench=() prefill=() stages=numerics,sanitize,bench,ncu folders=()
while [ $# -gt 0 ]; do
  case $1 in
    --lib) lib=$2; shift ;;
    --stages) stages=$2; shift ;;
    --match) match=$2; shift ;;
    --sanitize) sanitize=$2; shift ;;
    --profile) profile=$2; shift ;;
    --bench) read -ra bench <<<"$2"; shift ;;
    --prefill) read -ra prefill <<<"$2"; shift ;;
    -*) echo "error: unknown option '$1'" >&2; exit 1 ;;
    *) folders+=("$1") ;;
  esac
  shift
done
if [ -z "$lib" ] || [ ${#folders[@]} -eq 0 ]; then
  echo "usage: OUT=DIR $0 --lib libdiffattn_runtime.so [options] FOLDER..." >&2
  exit 1
fi

summary=$out/summary.txt
rm -f "$out"/{numerics,sanitize,bench,prefill,ncu}.log "$summary"
failed=0

# stage NAME SECONDS LOG COMMAND...: runs it with its output in $OUT/LOG.log.
stage() {
  local name=$1 limit=$2 log=$out/$3.log status=0 start=$SECONDS
  shift 3
  echo "== $name" >>"$log"
  timeout --kill-after=5 "$limit" "$@" >>"$log" 2>&1 || status=$?
  [ "$status" -eq 124 ] && echo "(stopped after $limit s)" >>"$log"
  [ "$status" -eq 0 ] || failed=1
  echo "== $name: $([ "$status" -eq 0 ] && echo passed || echo "FAILED ($status)"), $((SECONDS - start)) s" >>"$summary"
}
wants() { [[ ,$stages, == *,$1,* ]]; }
show() { tail -n "$2" "$out/$1.log" | cut -c1-240 >>"$summary"; }

if wants numerics; then
  stage numerics 150 numerics python3 "$here/numerics.py" --lib "$lib" --match "$match" \
    --json "$out/numerics.json" "${folders[@]}"
  show numerics 45
fi

if wants sanitize; then
  # initcheck takes no notice of what tensor copies write: for it, the copy of a
  # result to the host would read memory that nobody has written.
  declare -A uses=([initcheck]=--no-check)
  for tool in memcheck racecheck initcheck; do
    stage "$tool" 45 sanitize compute-sanitizer --tool "$tool" --target-processes all \
      --error-exitcode 9 --print-limit 8 python3 "$here/tool_driver.py" --lib "$lib" \
      --match "${sanitize:-$match}" ${uses[$tool]:-} "${folders[@]}"
    show sanitize 4
  done
fi

if wants bench; then
  stage bench 195 bench python3 "$here/bench.py" --lib "$lib" --match "$match" --limit 175 \
    --json "$out/bench.json" "${bench[@]}" "${folders[@]}"
  show bench 45
fi

if wants prefill; then
  rm -f "$out/prefill.jsonl"
  stage prefill 540 prefill python3 "$here/prefill.py" --lib "$lib" --limit 480 \
    --json "$out/prefill.jsonl" "${prefill[@]}" "${folders[@]}"
  show prefill 60
fi

if wants ncu; then
  stall=smsp__average_warps_issue_stalled
  metrics=gpu__time_duration.sum,sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active
  metrics+=,sm__warps_active.avg.pct_of_peak_sustained_active,smsp__inst_executed_op_local.sum
  metrics+=,launch__registers_per_thread,launch__shared_mem_per_block_dynamic
  for op in ld ldgsts st; do
    metrics+=,l1tex__data_bank_conflicts_pipe_lsu_mem_shared_op_$op.sum
  done
  for why in barrier branch_resolve dispatch_stall drain lg_throttle long_scoreboard \
    math_pipe_throttle mio_throttle no_instruction not_selected selected short_scoreboard sleeping \
    wait gmma; do
    metrics+=,${stall}_${why}_per_issue_active.ratio
  done
  # The clocks stay as they are: the machine is shared.
  stage ncu 50 ncu ncu --clock-control none --target-processes all --csv --page raw \
    --metrics "$metrics" python3 "$here/tool_driver.py" --lib "$lib" --match "$profile" \
    --profile 1,8192,8192 "${folders[@]}"
  { python3 "$here/ncu_table.py" "$out/ncu.log" || tail -n 5 "$out/ncu.log"; } 2>&1 |
    cut -c1-200 | head -n 60 >>"$summary"
fi

cat "$summary"
exit "$failed"
