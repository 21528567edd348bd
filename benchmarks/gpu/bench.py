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
from typing import Callable

import torch
import torch.nn.functional as F

import operator_reference as ref
from kernels import Attention, ManifestError, Runtime, RuntimeFailure, Spec, find_specs

BURST_PAUSE, BURST_SECONDS = 0.06, 0.008
SAMPLE_EVERY = 64
"""Calls between two readings of clock and power."""


class Meter:
    """SM clock and power through NVML; silent where there is none."""

    POWER_INSTANT = 186  # NVML_FI_DEV_POWER_INSTANT

    def __init__(self) -> None:
        self.nvml = None
        try:
            import pynvml

            pynvml.nvmlInit()
            self.handle = pynvml.nvmlDeviceGetHandleByIndex(torch.cuda.current_device())
            self.nvml = pynvml
        except Exception as error:  # no package, no permission: times still count
            print(f"no clock and power: {error}")

    def read(self) -> tuple[float, float] | None:
        """(MHz, W) now."""
        if not self.nvml:
            return None
        clock = self.nvml.nvmlDeviceGetClockInfo(self.handle, self.nvml.NVML_CLOCK_SM)
        try:
            field = self.nvml.nvmlDeviceGetFieldValues(self.handle, [self.POWER_INSTANT])[0]
            watts = field.value.uiVal / 1e3
        except self.nvml.NVMLError:
            watts = self.nvml.nvmlDeviceGetPowerUsage(self.handle) / 1e3
        return float(clock), watts


def event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)


def seconds_of(call: Callable, count: int) -> float:
    start, end = event(), event()
    start.record()
    for _ in range(count):
        call()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3 / count


def sustained(call: Callable, count: int, meter: Meter) -> tuple[float, list]:
    """Seconds of one of `count` calls in a row, without the first 30%, in which
    the clock settles; and what the meter read meanwhile."""
    start, end, readings = event(), event(), []
    begin = int(0.3 * count)
    for i in range(count):
        if i == begin:
            start.record()
        call()
        if i >= begin and i % SAMPLE_EVERY == SAMPLE_EVERY - 1:
            readings.append(meter.read())
    end.record()
    while not end.query():
        if start.query():
            readings.append(meter.read())
        time.sleep(0.01)
    end.synchronize()
    return start.elapsed_time(end) / 1e3 / (count - begin), [r for r in readings if r]


def burst(call: Callable, estimate: float) -> float:
    torch.cuda.synchronize()
    time.sleep(BURST_PAUSE)
    return seconds_of(call, max(1, round(BURST_SECONDS / estimate)))


def lower_bound(values: list[float], confidence: float = 0.95) -> float:
    """The largest order statistic below the median with this confidence."""
    n, tail, best = len(values), 0.0, 0
    for k in range(n):
        tail += math.comb(n, k) / 2**n  # P(at most k values below the median)
        if tail > 1 - confidence:
            break
        best = k
    return sorted(values)[best]


# The sides. --------------------------------------------------------------------


def combine_tokens(branches: torch.Tensor, lam: torch.Tensor) -> torch.Tensor:
    return ref.combine(branches, lam)


compiled_combine = torch.compile(combine_tokens, dynamic=False)


def subtract(branches: torch.Tensor, lam: torch.Tensor) -> torch.Tensor:
    """On (tokens, heads, dim), so that few shapes are compiled."""
    tokens = branches.shape[0] * branches.shape[1]
    out = compiled_combine(branches.reshape(tokens, *branches.shape[2:]), lam.reshape(tokens, -1))
    return out.view(*branches.shape[:2], *out.shape[1:])


def flash_side(a: Attention, inputs: dict) -> Callable:
    query, key, value = (inputs[role] for role in ("query", "key", "value"))
    if not a.differential:
        return lambda: ref.flash_branches(a, query, key, value)
    return lambda: subtract(ref.flash_branches(a, query, key, value), inputs["lambda"])


def cudnn_side(a: Attention, inputs: dict) -> Callable | None:
    from torch.nn.attention import SDPBackend, sdpa_kernel

    if a.mask not in ("full", "causal") or a.softcap:
        return None
    query, key, value = (inputs[role].transpose(1, 2) for role in ("query", "key", "value"))

    def call():
        with sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
            branches = F.scaled_dot_product_attention(
                query, key, value, is_causal=a.is_causal, scale=a.score_scale, enable_gqa=True
            ).transpose(1, 2)
        return subtract(branches, inputs["lambda"]) if a.differential else branches

    return call


def our_side(spec: Spec, runtime: Runtime, inputs: dict, batch: int, length: int):
    """The call and the output that it fills."""
    tensors = dict(inputs)
    for role, shape in spec.shapes(batch, length, length).items():
        if role not in tensors:
            dtype = ref.TORCH_DTYPES[spec.parameter(role).dtype]
            tensors[role] = torch.full(shape, math.nan, dtype=dtype, device="cuda")
    order = sorted(spec.roles, key=spec.roles.get)
    launch = runtime.load(spec.path).bind(*(tensors[role] for role in order))
    stream = torch.cuda.current_stream().cuda_stream
    return (lambda: launch(stream)), tensors["output"]


def graph_of(call: Callable) -> Callable:
    """The call as a CUDA graph: no host time between kernels."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def host_microseconds(call: Callable, count: int = 200) -> float:
    """Host time of one call while the GPU is behind."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(count):
        call()
    elapsed = time.perf_counter() - start
    torch.cuda.synchronize()
    return elapsed / count * 1e6


# Measuring. --------------------------------------------------------------------


def goal(a: Attention, length: int) -> float | None:
    """Ratio to the FlashAttention-2 job that the project wants on an H200."""
    if not a.differential or a.softcap:
        return None
    if a.head_dim == 256:
        return 0.9
    if a.mask.startswith("window"):
        return 1.3
    return 1.05 if length <= 4096 else 1.0


def measure(sides: dict[str, Callable], options, meter: Meter) -> dict:
    """Rounds of all sides; by side: seconds, burst seconds, clock, watts."""
    counts, estimates = {}, {}
    for name, call in sides.items():
        call()
        estimates[name] = seconds_of(call, 3)
        counts[name] = max(4, math.ceil(options.seconds / 0.7 / estimates[name]))
    result = {name: {"seconds": [], "burst": [], "readings": []} for name in sides}
    names = list(sides)
    for i in range(options.rounds):
        order = names if i % 2 == 0 else names[::-1]
        for name in order:
            seconds, readings = sustained(sides[name], counts[name], meter)
            result[name]["seconds"].append(seconds)
            result[name]["readings"] += readings
        if options.burst:
            for name in order:
                result[name]["burst"].append(burst(sides[name], estimates[name]))
    for side in result.values():
        readings = side.pop("readings")
        side["mhz"], side["watts"] = (
            (statistics.mean(column) for column in zip(*readings)) if readings else (0.0, 0.0)
        )
    return result


def ratios(result: dict, field: str) -> list[float]:
    return [peer / ours for peer, ours in zip(result["fa2"][field], result["ours"][field])]


def bench(spec: Spec, runtime: Runtime, batch: int, length: int, options, meter: Meter) -> dict:
    a = spec.attention
    inputs = ref.random_inputs(spec, batch, length, length, seed=1, device="cuda")
    ours, output = our_side(spec, runtime, inputs, batch, length)
    sides = {"ours": ours, "fa2": flash_side(a, inputs)}
    if options.cudnn and (cudnn := cudnn_side(a, inputs)):
        try:
            cudnn()
            sides["cudnn"] = cudnn
        except RuntimeError as error:
            print(f"  no cuDNN: {str(error).splitlines()[0][:120]}")
    ours()
    difference = ref.relative_error(output, sides["fa2"]().double())
    host = host_microseconds(ours)
    if options.graph:
        sides = {name: graph_of(call) for name, call in sides.items()}
    result = measure(sides, options, meter)
    work = a.flops(batch, length, length)
    ratio = ratios(result, "seconds")
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
        fast = ratios(result, "burst")
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
    if report["difference"] > 2e-2:
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
                failed += reports[-1]["difference"] > 2e-2
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
