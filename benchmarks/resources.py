#!/usr/bin/env python3
# Part of the diffattn project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Memory of a run and time of a compilation.

Memory: the peak resident size of a call at 16k tokens beyond what was resident
before it and its output, which must stay O(N) (scores alone would be 16 GiB).
Compilation: processor time of diffattn-compile from the operator to an object
file, for every example, on one core.

    benchmarks/resources.py
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tempfile

from harness import ROOT, Kernel, Problem, find_compiler, random_inputs

MEMORY_LIMIT_MB = 64
COMPILE_LIMIT_S = 1.0


def resident(field: str) -> int:
    """VmRSS or VmHWM of this process in bytes."""
    status = open("/proc/self/status").read()
    return int(re.search(rf"{field}:\s+(\d+) kB", status).group(1)) * 1024


def measure_memory(problem: Problem, length: int) -> float:
    """Peak megabytes of one call beyond inputs and outputs."""
    kernel = Kernel(problem)
    kernel.run(*random_inputs(problem, 1, 64, 64, seed=0))
    inputs = random_inputs(problem, 1, length, length, seed=1)
    output = length * problem.heads // 2 * problem.dv * inputs[0].element_size()
    before = resident("VmRSS")
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # resets the peak
    kernel.run(*inputs)
    return (resident("VmHWM") - before - output) / 2**20


def measure_compile(example: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(
            [find_compiler(), example, "--emit=object", "-o", f"{directory}/a.o"], check=True
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    failed = False
    for dtype in ("f32", "bf16"):
        for mask in ("causal", "window 511, 0"):
            problem = Problem(dtype=dtype, head_dim=128, mask=mask)
            extra = measure_memory(problem, 16384)
            failed |= extra > MEMORY_LIMIT_MB
            print(f"memory   {dtype:5} {mask:14} N=16384: {extra:6.1f} MB beyond inputs and outputs "
                  f"(limit {MEMORY_LIMIT_MB})", flush=True)  # fmt: skip
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    for example in sorted((ROOT / "examples").glob("*.mlir")):
        seconds = measure_compile(str(example))
        failed |= seconds > COMPILE_LIMIT_S
        print(f"compile  {example.name:28} {seconds:5.2f} s (limit {COMPILE_LIMIT_S})", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
