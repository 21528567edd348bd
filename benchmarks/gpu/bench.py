#!/usr/bin/env python3
# Part of the diffattn project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whole jobs against PyTorch's FlashAttention-2 and a compiled subtraction.

The sides run in one process, interleaved round by round and in alternating
order, each for at least --seconds a round. Reported are medians, the lower 95%
bound of the ratio of times (the largest order statistic of the rounds' ratios
that is below the median with that confidence), and the SM clock and power while
each side ran. "Burst" is the same after a pause, before power limits the clock.

    benchmarks/gpu/bench.py --lib libdiffattn_runtime.so FOLDER... [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time

import torch

import operator_reference as ref
import peers
from kernels import Attention, ManifestError, Runtime, RuntimeFailure, Spec, find_specs
from timing import Meter, Side, compare, estimate, graph_of, lower_bound, ratios, seconds_of

BURST_PAUSE, BURST_SECONDS = 0.06, 0.008
TOLERANCE = 2e-2
"""Relative difference of two bf16 results; NaN is above it."""


def our_side(spec: Spec, runtime: Runtime, inputs: dict, batch: int, length: int):
    """The side and the output that it fills."""
    tensors = dict(inputs)
    for role, shape in spec.shapes(batch, length, length).items():
        if role not in tensors:
            dtype = ref.TORCH_DTYPES[spec.parameter(role).dtype]
            tensors[role] = torch.full(shape, math.nan, dtype=dtype, device="cuda")
    order = sorted(spec.roles, key=spec.roles.get)
    launch = runtime.load(spec.path).bind(*(tensors[role] for role in order))
    return Side(lambda: launch(torch.cuda.current_stream().cuda_stream)), tensors["output"]


def burst(side: Side, count: int) -> float:
    torch.cuda.synchronize()
    time.sleep(BURST_PAUSE)
    return seconds_of(side, count)


def add_bursts(result: dict, sides: dict[str, Side], rounds: int) -> None:
    counts = {name: max(1, round(BURST_SECONDS / estimate(side))) for name, side in sides.items()}
    for _ in range(rounds):
        for name, side in sides.items():
            result[name].setdefault("burst", []).append(burst(side, counts[name]))


def host_microseconds(side: Side, count: int = 200) -> float:
    """Host time of one call while the GPU is behind."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(count):
        side.call()
    elapsed = time.perf_counter() - start
    torch.cuda.synchronize()
    return elapsed / count * 1e6


def goal(a: Attention, length: int) -> float | None:
    """Ratio to the FlashAttention-2 job that the project wants on an H200."""
    if not a.differential or a.softcap:
        return None
    if a.head_dim == 256:
        return 0.9
    if a.mask.startswith("window"):
        return 1.3
    return 1.05 if length <= 4096 else 1.0


def bench(spec: Spec, runtime: Runtime, batch: int, length: int, options, meter: Meter) -> dict:
    a = spec.attention
    inputs = ref.random_inputs(spec, batch, length, length, seed=1, device="cuda")
    ours, output = our_side(spec, runtime, inputs, batch, length)
    sides = {"ours": ours, "fa2": peers.fa2(a, inputs)}
    if options.cudnn and (cudnn := peers.cudnn(a, inputs)):
        try:
            cudnn.call()
            sides["cudnn"] = cudnn
        except RuntimeError as error:
            print(f"  no cuDNN: {str(error).splitlines()[0][:120]}")
    ours.call()
    difference = ref.relative_error(output, sides["fa2"].call().double())
    host = host_microseconds(ours)
    if options.graph:
        sides = {name: graph_of(side) for name, side in sides.items()}
    result = compare(sides, options.rounds, options.seconds, meter)
    if options.burst:
        add_bursts(result, sides, options.rounds)
    work = a.flops(batch, length, length)
    ratio = ratios(result["fa2"], result["ours"])
    report = {
        "kernel": spec.name, "path": str(spec.path), "target": spec.target,
        "device": torch.cuda.get_device_name(), "batch": batch, "length": length,
        "graph": options.graph, "difference": difference, "host_us": host,
        "tflops": {name: work / statistics.median(side["seconds"]) / 1e12
                   for name, side in result.items()},
        "ratio": statistics.median(ratio), "ratio_low": lower_bound(ratio),
        "goal": goal(a, length), "sides": result,
    }  # fmt: skip
    if options.burst:
        fast = ratios(result["fa2"], result["ours"], "burst")
        report["burst_ratio"], report["burst_low"] = statistics.median(fast), lower_bound(fast)
    return report


def print_row(report: dict) -> None:
    sides = report["sides"]
    row = f"{report['kernel']:26s} {report['batch']:3d}x{report['length']:<6d}"
    for name in ("ours", "fa2", "cudnn"):
        if name in sides:
            row += f" {report['tflops'][name]:6.1f} ({sides[name]['mhz']:4.0f}, {sides[name]['watts']:3.0f})"
    row += f"  {report['ratio']:5.3f} >={report['ratio_low']:5.3f}"
    if "burst_ratio" in report:
        row += f"  burst {report['burst_ratio']:5.3f}"
    if report["goal"]:
        row += f"  {'ok  ' if report['ratio_low'] >= report['goal'] else 'MISS'} {report['goal']:g}"
    if not report["difference"] <= TOLERANCE:
        row += f"  WRONG: differs by {report['difference']:.1e}"
    print(row, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--lib", required=True, help="libdiffattn_runtime.so")
    parser.add_argument("--match", default="", help="only kernels whose description has this")
    parser.add_argument("--tokens", type=int, default=16384, help="batch times length")
    parser.add_argument("--lengths", default="1024,2048,4096,8192,16384")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5, help="of a side in a round")
    parser.add_argument("--cudnn", action="store_true", help="another column")
    parser.add_argument("--graph", action="store_true", help="all sides as CUDA graphs")
    parser.add_argument("--no-burst", dest="burst", action="store_false")
    parser.add_argument("--limit", type=float, default=math.inf, help="seconds, no new case after")
    parser.add_argument("--json")
    options = parser.parse_args()
    try:
        specs = [spec for spec in find_specs(options.folders) if options.match in spec.name]
        runtime = Runtime(options.lib)
    except (ManifestError, OSError) as error:
        sys.exit(f"error: {error}")
    torch.zeros(1, device="cuda")
    meter, reports, started, failed = Meter(), [], time.perf_counter(), 0
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, whole job, TFLOP/s (MHz, W): "
          f"ours, fa2{', cudnn' if options.cudnn else ''}; times fa2/ours, lower 95% bound")  # fmt: skip
    for length in map(int, options.lengths.split(",")):
        for spec in specs:
            batch = max(1, options.tokens // length)
            softcap = spec.attention.softcap  # PyTorch's kernel has none: nothing to compare with
            if softcap or not spec.serves(batch, length, length):
                continue
            if time.perf_counter() - started > options.limit:
                print("out of time: the other cases were not run")
                return 1
            try:
                reports.append(bench(spec, runtime, batch, length, options, meter))
                print_row(reports[-1])
                failed += not reports[-1]["difference"] <= TOLERANCE
            except (RuntimeFailure, RuntimeError) as error:
                failed += 1
                print(f"{spec.name} {batch}x{length}: FAILED {str(error).splitlines()[0][:200]}", flush=True)
            if options.json:
                with open(options.json, "w") as file:
                    json.dump(reports, file, indent=1)
            torch.cuda.empty_cache()
    if reports:
        print(f"host time of a launch from Python: {min(r['host_us'] for r in reports):.1f} us")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
