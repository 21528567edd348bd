#!/usr/bin/env python3
# Part of the diffattn project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prefill beside the fastest attention kernels, each with its subtraction.

All sides of a case run in one process, interleaved round by round (timing.py).
It says which side it is about to try; if it faults or hangs, that kernel is left
out, and a new process goes on from the same case. Compiled kernels come first,
before any peer has been compiled. Several kernels of one attention (folders of
one set compiled with several schedules, say) become several sides.

    benchmarks/gpu/prefill.py --lib libdiffattn_runtime.so FOLDER... [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import pathlib
import statistics
import sys
import time
from dataclasses import dataclass

import torch

import operator_reference as ref
import peers
from bench import TOLERANCE, our_side
from kernels import Attention, ManifestError, Runtime, Spec, find_specs
from timing import Meter, Side, compare, lower_bound, ratios

DEVICE = "cuda"
START_LIMIT, OUR_LIMIT, PEER_LIMIT = 120, 20, 180
"""Seconds of silence after which a process hangs: until it tries something;
while it tries a compiled kernel; while a peer compiles itself."""
OF_PROTOTYPE = 0.98
"""Of the hand-made kernel's rate, what a compiled one has to reach."""


@dataclass(frozen=True)
class Case:
    """`floor` and `aim` are wanted of the best peer's time over ours."""

    heads: int
    kv_heads: int
    dim: int
    mask: str
    batch: int
    length: int
    floor: float
    aim: float

    @property
    def name(self) -> str:
        return f"d{self.dim} {self.heads}/{self.kv_heads} {self.mask} {self.batch}x{self.length}"

    def is_of(self, spec: Spec) -> bool:
        a, lengths = spec.attention, (self.batch, self.length, self.length)
        facts = (a.query_heads, a.kv_heads, a.head_dim, a.value_dim, a.mask)
        return (
            facts == (self.heads, self.kv_heads, self.dim, self.dim, self.mask)
            and a.differential and not a.softcap and spec.dtype == "bf16" and spec.serves(*lengths)
        )  # fmt: skip


CASES = [
    Case(32, 8, 128, "full", 1, 16384, 1.04, 1.07),
    Case(32, 8, 128, "causal", 1, 16384, 1.07, 1.12),
    Case(32, 8, 128, "causal", 4, 4096, 1.14, 1.22),
    Case(32, 8, 128, "causal", 8, 2048, 1.20, 1.32),
    Case(96, 4, 128, "causal", 1, 8192, 1.06, 1.12),
    Case(48, 4, 128, "window 511,0", 1, 16384, 1.25, 1.50),
    Case(64, 16, 64, "full", 2, 8192, 1.02, 1.08),
    Case(64, 16, 64, "causal", 2, 8192, 1.05, 1.12),
    Case(16, 4, 256, "full", 2, 8192, 1.05, 1.10),
    Case(16, 4, 256, "causal", 2, 8192, 1.07, 1.12),
]


def label(specs: list[Spec]) -> dict[str, Spec]:
    """Our sides by name: "ours", and where there are several, in what their
    folders differ."""
    if len(specs) < 2:
        return {"ours": spec for spec in specs}
    paths = [spec.path.parent.parts for spec in specs]
    start = len(os.path.commonprefix(paths))
    end = len(os.path.commonprefix([path[start:][::-1] for path in paths]))
    return {"/".join(path[start : len(path) - end]) or ".": spec for path, spec in zip(paths, specs)}


def check_result(actual, expected: torch.Tensor) -> None:
    if not isinstance(actual, torch.Tensor):
        actual = torch.from_dlpack(actual)  # JAX's
    difference = ref.relative_error(actual, expected)
    if not difference <= TOLERANCE:
        raise ValueError(f"wrong: differs by {difference:.1e} from PyTorch's FlashAttention-2")


class Worker:
    """Measures cases; says beforehand what it tries.

    `left_out` has reasons by key, a kernel: its manifest, or a peer and what it
    computes."""

    def __init__(self, options, left_out: dict[str, str], pipe):
        self.options, self.left_out, self.pipe = options, left_out, pipe
        self.runtime = Runtime(options.lib)
        self.peers = {name: peers.PEERS[name] for name in options.sides}
        if options.prototype:
            self.peers["prototype"] = peers.prototype_in(options.prototype)

    def attempt(self, key: str, limit: float, action):
        """The action's result, or None where it is left out. What has spoilt the
        GPU's context ends the process."""
        if key in self.left_out:
            return None
        self.pipe.send(("trying", key, limit))
        try:
            result = action()
            torch.cuda.synchronize()
            return result
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        torch.cuda.synchronize()
        self.left_out[key] = reason
        self.pipe.send(("left out", key, reason))
        return None

    def inputs_of(self, case: Case, spec: Spec) -> tuple[dict, torch.Tensor]:
        inputs = ref.random_inputs(spec, case.batch, case.length, case.length, 1, DEVICE)
        query, key, value, lam = inputs.values()
        branches = ref.flash_branches(spec.attention, query, key, value)
        return inputs, ref.combine(branches, lam).double()

    def our_sides(self, case: Case, specs: dict[str, Spec], inputs, expected) -> dict[str, Side]:
        def prepare(spec: Spec) -> Side:
            side, output = our_side(spec, self.runtime, inputs, case.batch, case.length)
            side.finish(side.call())
            check_result(output, expected)
            return side

        sides = {name: self.attempt(str(spec.path), OUR_LIMIT, lambda: prepare(spec))
                 for name, spec in specs.items()}  # fmt: skip
        return {name: side for name, side in sides.items() if side}

    def peer_sides(self, a: Attention, keys: dict[str, str], inputs, expected) -> dict[str, Side]:
        def prepare(name: str) -> Side | None:
            side = self.peers[name](a, inputs)
            if side:
                result = side.call()
                side.finish(result)
                if name not in peers.OTHER_JOB:
                    check_result(result, expected)
            return side

        sides = {name: self.attempt(keys[name], PEER_LIMIT, lambda: prepare(name))
                 for name in self.peers}  # fmt: skip
        return {name: side for name, side in sides.items() if side}

    def check(self, case: Case, specs: dict[str, Spec]) -> None:
        self.our_sides(case, specs, *self.inputs_of(case, next(iter(specs.values()))))
        torch.cuda.empty_cache()

    def measure(self, case: Case, specs: dict[str, Spec], meter: Meter) -> dict | None:
        spec = next(iter(specs.values()))
        keys = {name: f"{name}, {spec.name}" for name in self.peers}
        keys |= {name: str(spec.path) for name, spec in specs.items()}
        data = self.inputs_of(case, spec)
        ours = self.our_sides(case, specs, *data)
        if not ours:
            return None
        sides = ours | self.peer_sides(spec.attention, keys, *data)
        limit = OUR_LIMIT + 10 * self.options.seconds
        announce = lambda name: self.pipe.send(("trying", keys[name], limit))
        result = compare(sides, self.options.rounds, self.options.seconds, meter, announce)
        work = spec.attention.flops(case.batch, case.length, case.length)
        report = {
            "case": case.name, "floor": case.floor, "aim": case.aim,
            "device": torch.cuda.get_device_name(), "torch": torch.__version__,
            "ours": {name: str(specs[name].path) for name in ours},
            "tflops": {name: work / statistics.median(side["seconds"]) / 1e12
                       for name, side in result.items()},
            "left_out": {name: self.left_out[key] for name, key in keys.items()
                         if key in self.left_out},
        }  # fmt: skip
        return {**report, **compared(result, ours), "sides": result}


def compared(result: dict[str, dict], ours) -> dict:
    """The best peer; [median, lower bound] of its time and the prototype's over
    the time of each of our sides."""
    rivals = [name for name in result if name not in ours and name not in peers.SHOWN_ONLY]
    best = min(rivals, key=lambda name: statistics.median(result[name]["seconds"]), default=None)

    def against(other: str | None) -> dict[str, list[float]]:
        if other not in result:
            return {}
        rounds = {name: ratios(result[other], result[name]) for name in ours}
        return {name: [statistics.median(r), lower_bound(r)] for name, r in rounds.items()}

    return {"best_peer": best, "ratio": against(best), "of_prototype": against("prototype")}


def print_report(report: dict) -> None:
    sides = report["sides"]
    rates = [f"{name} {rate:.1f} ({sides[name]['mhz']:.0f}, {sides[name]['watts']:.0f})"
             for name, rate in report["tflops"].items()]  # fmt: skip
    print(f"{report['case']}: {'  '.join(rates)}")
    for name in report["ours"]:
        row = f"    {name}:"
        if name in report["ratio"]:
            median, low = report["ratio"][name]
            row += f" {median:.3f} >={low:.3f} of {report['best_peer']}, floor {report['floor']:.2f} "
            row += f"{'ok' if low >= report['floor'] else 'MISS'}, aim {report['aim']:.2f} "
            row += "ok" if low >= report["aim"] else "MISS"
        if name in report["of_prototype"]:
            median, low = report["of_prototype"][name]
            row += f"; {median:.3f} >={low:.3f} of the prototype "
            row += "ok" if low >= OF_PROTOTYPE else "MISS"
        print(row)
    sys.stdout.flush()


def work(options, jobs: list, left_out: dict[str, str], pipe) -> None:
    """The process that measures: jobs are (case, specs by name, is measured)."""
    worker = Worker(options, left_out, pipe)
    torch.zeros(1, device=DEVICE)
    for case, specs, done in jobs:
        if not done:
            worker.check(case, specs)
    meter = Meter()
    for case, specs, done in jobs:
        if done:
            continue
        if time.time() > options.deadline:
            pipe.send(("out of time", case.name, None))
            break
        pipe.send(("report", case, worker.measure(case, specs, meter)))
        torch.cuda.empty_cache()
    pipe.send(("end", None, None))


def receive(process, pipe, limit: float) -> tuple:
    """The next message, or that there is none."""
    end = time.monotonic() + limit
    while not pipe.poll(0.2):
        # Its own children may hold the pipe's other end open.
        if not process.is_alive() and not pipe.poll():
            return "died", None, None
        if time.monotonic() > end:
            return "hung", None, None
    try:
        return pipe.recv()
    except EOFError:
        return "died", None, None


def listen(process, pipe, left_out: dict[str, str], on_report) -> bool:
    """Follows a process; is there nothing left to do?"""
    trying, limit = None, START_LIMIT
    while True:
        message, subject, content = receive(process, pipe, limit)
        if message == "end":
            return True
        if message == "trying":
            trying, limit = subject, content
        elif message == "left out":
            left_out[subject] = content
            print(f"without {subject}: {content}", flush=True)
        elif message == "report":
            on_report(subject, content)
            trying, limit = None, START_LIMIT
        elif message == "out of time":
            print(f"out of time before {subject}", flush=True)
            return True
        else:  # hung, died
            if message == "died":
                process.join(10)  # for its exit code
            process.kill()
            process.join()
            reason = f"the process {message}"
            reason += f" for {limit:.0f} s" if message == "hung" else f" ({process.exitcode})"
            if trying is None or trying in left_out:
                print(f"error: {reason} between two sides", flush=True)
                return True
            left_out[trying] = reason
            print(f"without {trying}: {reason}", flush=True)
            return False


def measure_all(options, jobs: dict[Case, dict[str, Spec]]) -> bool:
    """Did every kernel get through every case?"""
    measured: dict[Case, dict | None] = {}
    left_out: dict[str, str] = {}

    def on_report(case: Case, report: dict | None) -> None:
        measured[case] = report
        if report:
            print_report(report)
            if options.json:
                with open(options.json, "a") as file:
                    file.write(json.dumps(report) + "\n")

    context = multiprocessing.get_context(options.start)
    finished = False
    while not finished:
        ours, theirs = context.Pipe()
        todo = [(case, specs, case in measured) for case, specs in jobs.items()]
        process = context.Process(target=work, args=(options, todo, left_out, theirs))
        process.start()
        theirs.close()
        try:
            finished = listen(process, ours, left_out, on_report)
            process.join(10)
        finally:
            process.kill()
    kernels = {str(spec.path) for specs in jobs.values() for spec in specs.values()}
    return len(measured) == len(jobs) and not kernels & set(left_out)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--lib", required=True, help="libdiffattn_runtime.so")
    parser.add_argument("--match", default="", help="only cases whose name has one of these, by |")
    parser.add_argument("--sides", default="fa4,fa3,cudnn", help=f"of {','.join(peers.PEERS)}; or all, none")
    parser.add_argument("--prototype", type=pathlib.Path, help="folder of bin/prototype.cubin: another side")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5, help="of a side in a round")
    parser.add_argument("--limit", type=float, default=math.inf, help="seconds, no new case after")
    parser.add_argument("--json", help="a line for each case is appended")
    parser.add_argument("--start", default="spawn", help=argparse.SUPPRESS)
    options = parser.parse_args()
    names = {"all": list(peers.PEERS), "none": []}.get(options.sides, options.sides.split(","))
    if unknown := set(names) - set(peers.PEERS):
        parser.error(f"unknown side '{min(unknown)}'")
    options.sides, options.deadline = names, time.time() + options.limit
    try:
        specs = find_specs(options.folders)
        Runtime(options.lib)
    except (ManifestError, OSError) as error:
        sys.exit(f"error: {error}")
    wanted = [case for case in CASES if any(text in case.name for text in options.match.split("|"))]
    jobs = {case: label([spec for spec in specs if case.is_of(spec)]) for case in wanted}
    jobs = {case: found for case, found in jobs.items() if found}
    if not jobs:
        sys.exit("error: no kernel is of a case of the table")
    print("whole job, bf16, TFLOP/s (MHz, W); times of the best peer over ours, lower 95% bound")
    return 0 if measure_all(options, jobs) else 1


if __name__ == "__main__":
    sys.exit(main())
