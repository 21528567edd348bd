#!/usr/bin/env python3
# Part of the diffattn project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Errors of compiled GPU kernels against float64, beside the two-kernel peer.

Every kernel runs every case that its manifest allows. Inputs lie in memory full
of NaN, outputs are poisoned and lie between sentinels; three runs must give the
same bits, leave inputs and sentinels alone, and leave no poison. The peer is
PyTorch's FlashAttention-2 over 2h heads (an emulation where it does not apply),
its branches rounded to the dtype, then subtracted in f32 and rounded.

A case passes where the error of a differential output is at most the peer's; for
nearly cancelling branches (correlation 0.99) it must be 1.25 times smaller. Outputs
of one branch (plain attention, noise) have the peer's roundings and one more: the
running maximum may lag by up to 2^8, so that the largest weight is no longer exactly
1 and is rounded as well. Their error may be 1.2 times the peer's (measured: 1.00 to
1.06, with large logits, where one weight dominates, up to 1.15).

    benchmarks/gpu/numerics.py --lib libdiffattn_runtime.so FOLDER... [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from dataclasses import dataclass
from typing import Callable

import torch

import operator_reference as ref
from kernels import ManifestError, Runtime, RuntimeFailure, Spec, find_specs

CANCELLING_GAIN = 1.25
ONE_BRANCH_SLACK = 1.2
LSE_TOLERANCE = 5e-4
REPEATS = 3


@dataclass(frozen=True)
class Case:
    name: str
    batch: int
    queries: int
    keys: int
    layout: str = "cache"
    prepare: Callable | None = None


def all_cases() -> list[Case]:
    shapes = [
        ("square", 2, 256, 256), ("ragged", 1, 1000, 1000), ("one tile or less", 1, 77, 77),
        ("more keys", 2, 200, 1111), ("few queries", 1, 13, 500), ("rows without keys", 1, 300, 100),
        ("one query", 3, 1, 513), ("one query, one key", 2, 1, 1), ("one key", 1, 5, 1),
        ("long", 1, 2049, 2049), ("no keys", 1, 128, 0), ("no queries", 1, 0, 64), ("no batch", 0, 64, 64),
    ]  # fmt: skip
    cases = [Case(*shape) for shape in shapes]
    cases += [Case(layout, 2, 190, 333, layout) for layout in ref.LAYOUTS if layout != "cache"]
    cases += [
        Case("large logits", 1, 500, 777, prepare=ref.make_large),
        Case("cancelling", 2, 512, 512, prepare=ref.make_cancelling),
        Case("special lambda", 1, 100, 200, prepare=ref.make_special_lambda),
    ]
    return cases


def fit(spec: Spec, case: Case) -> Case | None:
    """The case with the sizes that a manifest fixes, if it allows the others."""
    if not spec.attention.differential and case.name in ("cancelling", "special lambda"):
        return None
    query, key = spec.parameter("query").shape, spec.parameter("key").shape
    sizes = [
        case.batch if query[0] is None else query[0],
        case.queries if query[1] is None else query[1],
        case.keys if key[1] is None else key[1],
    ]
    return Case(case.name, *sizes, case.layout, case.prepare) if spec.serves(*sizes) else None


def cases_of(spec: Spec, quick: bool = False) -> list[Case]:
    """Without those that fixed sizes make equal, and without large ones if `quick`."""
    seen, result = set(), []
    for case in all_cases():
        fitted = fit(spec, case)
        identity = fitted and (*vars(fitted).values(),)[1:]
        large = fitted and quick and fitted.queries * fitted.keys > 70_000
        if fitted and not large and identity not in seen:
            seen.add(identity)
            result.append(fitted)
    return result


def simulate(spec: Spec, placed: dict) -> None:
    """Stands in for a kernel where there is no GPU, to test this program."""
    a = spec.attention
    inputs = {role: placed[role].view for role in placed}
    arguments = inputs["query"], inputs["key"], inputs["value"]
    branches = ref.emulated_branches(a, *arguments, rounded=False)
    lse = ref.reference(a, *arguments, inputs.get("lambda"))[1]
    output = ref.combine(branches, inputs["lambda"]) if a.differential else branches
    sees = (lse[:, 0] != math.inf)[:, :, None, None]
    inputs["output"].copy_(torch.where(sees, output, 0.0))
    if "lse" in inputs:
        inputs["lse"].copy_(lse)
    if "noise" in inputs:
        inputs["noise"].copy_(branches[:, :, 1::2])


def place(spec: Spec, case: Case, inputs: dict, device) -> dict[str, ref.Placed]:
    placed = {}
    for role, shape in spec.shapes(case.batch, case.queries, case.keys).items():
        filler = math.nan if role in inputs else ref.SENTINEL
        placed[role] = ref.Placed(spec.parameter(role), shape, case.layout, device, filler)
        placed[role].fill(inputs.get(role, math.nan))
    return placed


def run_repeatedly(launch: Callable, placed: dict, outputs: list[str], problems: list[str]) -> None:
    """Runs on poison each time; appends what is wrong with the memory."""
    first = {}
    for _ in range(REPEATS):
        for role in outputs:
            placed[role].fill(math.nan)
        launch()
        for role in outputs:
            now = placed[role].bits()
            if role in first and not torch.equal(first[role], now):
                problems.append(f"{role} differs from run to run")
            first.setdefault(role, now)
    for role, memory in placed.items():
        if role in outputs and not memory.unchanged_outside():
            problems.append(f"wrote beside {role}")
        if role not in outputs and not memory.unchanged():
            problems.append(f"wrote to {role}")


def peer_of(spec: Spec, case: Case, inputs: dict) -> tuple[torch.Tensor, str]:
    """The peer's branches, and which peer."""
    arguments = spec.attention, inputs["query"], inputs["key"], inputs["value"]
    if inputs["query"].is_cuda and ref.can_flash(spec.attention, case.queries, case.keys):
        return ref.flash_branches(*arguments), "flash"
    return ref.emulated_branches(*arguments), "emulated"


def check(spec: Spec, case: Case, make_launch: Callable, device, seed: int) -> dict:
    a = spec.attention
    inputs = ref.random_inputs(spec, case.batch, case.queries, case.keys, seed, device)
    if case.prepare:
        case.prepare(inputs, spec)
    placed = place(spec, case, inputs, device)
    outputs = [role for role in placed if role not in inputs]
    problems: list[str] = []
    run_repeatedly(make_launch(placed), placed, outputs, problems)

    exact, lse, exact_branches = ref.reference(
        a, inputs["query"], inputs["key"], inputs["value"], inputs.get("lambda")
    )
    peer_branches, peer_name = peer_of(spec, case, inputs)
    peer = ref.combine(peer_branches, inputs["lambda"]) if a.differential else peer_branches
    ours = placed["output"].view

    # NaN logits give NaN; nothing else may.
    expects_nan = exact.isnan()
    if not torch.equal(ours.isnan(), expects_nan):
        problems.append("NaN where a number should be, or the reverse")
    unseen = (lse[:, 0] == math.inf)[:, :, None, None].expand_as(exact)
    if bool((ours[unseen] != 0).any()):
        problems.append("rows without keys are not 0")
    number = lambda t: torch.where(expects_nan, 0.0, t.double())
    ours_error = ref.relative_error(number(ours), number(exact))
    peer_error = ref.relative_error(number(peer), number(exact))

    # Few elements: their sum of squares scatters.
    slack = 1 + 3 / math.sqrt(max(1, exact.numel()))
    if case.name == "cancelling":
        limit = peer_error / CANCELLING_GAIN
    else:
        limit = peer_error * slack * (1 if a.differential else ONE_BRANCH_SLACK)
    if not ours_error <= limit:
        problems.append(f"error {ours_error:.2e} above {limit:.2e}")
    result = {
        "case": case.name, "batch": case.batch, "queries": case.queries, "keys": case.keys,
        "layout": case.layout, "error": ours_error, "peer_error": peer_error, "peer": peer_name,
    }  # fmt: skip
    if case.name == "cancelling":
        result["correlation"] = ref.correlation(exact_branches[:, :, 0::2], exact_branches[:, :, 1::2])
    if "lse" in placed:
        got, seen = placed["lse"].view.double(), lse != math.inf
        worst = float((got - lse)[seen].abs().max()) if bool(seen.any()) else 0.0
        result["lse_error"] = worst
        if not worst <= LSE_TOLERANCE or not torch.equal(got == math.inf, ~seen):
            problems.append(f"lse off by {worst:.2e}, or not +inf for rows without keys")
    if "noise" in placed:
        noise = ref.relative_error(placed["noise"].view, exact_branches[:, :, 1::2])
        noise_peer = ref.relative_error(peer_branches[:, :, 1::2], exact_branches[:, :, 1::2])
        result.update(noise_error=noise, noise_peer_error=noise_peer)
        if not noise <= noise_peer * slack * ONE_BRANCH_SLACK:
            problems.append(f"noise error {noise:.2e} above the peer's {noise_peer:.2e}")
    return {**result, "problems": problems}


def check_kernel(spec: Spec, runtime: Runtime | None, device, seed: int, quick=False) -> dict:
    order = sorted(spec.roles, key=spec.roles.get)
    program = runtime.load(spec.path) if runtime else None

    def make_launch(placed):
        if not program:
            return lambda: simulate(spec, placed)
        launch = program.bind(*(placed[role].view for role in order))

        def run():
            launch(torch.cuda.current_stream().cuda_stream)
            torch.cuda.synchronize()

        return run

    results = []
    for i, case in enumerate(cases_of(spec, quick)):
        try:
            results.append(check(spec, case, make_launch, device, seed + i))
        except RuntimeFailure as error:
            results.append({"case": case.name, "problems": [str(error)]})
    return {"kernel": spec.name, "path": str(spec.path), "target": spec.target, "cases": results}


def summarise(report: dict) -> str:
    cases = report["cases"]
    failed = [case for case in cases if case["problems"]]
    measured = [case for case in cases if case.get("peer_error")]
    plain = [case for case in measured if case["case"] != "cancelling"]
    worst = max((case["error"] / case["peer_error"] for case in plain), default=math.nan)
    error = next((case["error"] for case in plain), math.nan)
    gains = [f"{case['peer_error'] / max(case['error'], 1e-30):.2f}x" for case in measured
             if case["case"] == "cancelling"]  # fmt: skip
    row = f"{report['kernel']:34s} {len(cases) - len(failed):3d}/{len(cases):<3d} {error:9.2e} "
    row += f"{worst:8.2f} {gains[0] if gains else '-':>7s}"
    for case in failed[:3]:
        row += f"\n    FAILED {case['case']}: {'; '.join(dict.fromkeys(case['problems']))}"
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--lib", help="libdiffattn_runtime.so")
    parser.add_argument("--simulate", action="store_true", help="no GPU: tests this program")
    parser.add_argument("--quick", action="store_true", help="small cases only")
    parser.add_argument("--match", default="", help="only kernels whose description has this")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json")
    options = parser.parse_args()
    if not options.simulate and not options.lib:
        parser.error("--lib is needed")
    try:
        specs = [spec for spec in find_specs(options.folders) if options.match in spec.name]
        runtime = None if options.simulate else Runtime(options.lib)
    except (ManifestError, OSError) as error:
        sys.exit(f"error: {error}")
    device = "cpu" if options.simulate else "cuda"
    if device == "cuda":
        torch.zeros(1, device=device)  # makes the primary context current

    reports, started = [], time.perf_counter()
    print(f"{'kernel':34s} {'passed':>7s} {'error':>9s} {'of peer':>8s} {'at 0.99':>7s}")
    for spec in specs:
        try:
            reports.append(check_kernel(spec, runtime, device, options.seed, options.quick))
        except RuntimeFailure as error:
            reports.append({"kernel": spec.name, "path": str(spec.path),
                            "cases": [{"case": "load", "problems": [str(error)]}]})  # fmt: skip
        print(summarise(reports[-1]), flush=True)
        if options.json:  # kept up to date: the time limit may come at any moment
            with open(options.json, "w") as file:
                json.dump(reports, file, indent=1)
    total = [case for report in reports for case in report["cases"]]
    failed = sum(bool(case["problems"]) for case in total)
    print(f"numerics: {len(total) - failed} passed, {failed} failed, "
          f"{time.perf_counter() - started:.0f} s")  # fmt: skip
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
