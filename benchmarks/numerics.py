#!/usr/bin/env python3
# Part of the diffattn project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Errors against float64, beside the two-kernel peer of the same dtype.

Every case compiles its own kernel, runs it on fresh random inputs and compares
it with a dense float64 computation. The peer is PyTorch's
scaled_dot_product_attention over 2h heads, whose branches are rounded to the
dtype, and the subtraction. A case passes where our RMS error is at most the
peer's (f32: 1.1 times the peer's, or below 1e-7 of the output), and for nearly
cancelling pairs in 16 bits at most a fifth of it.

    benchmarks/numerics.py [--quick] [--seed N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from dataclasses import asdict, dataclass, replace

from harness import DTYPES, Kernel, Problem, combine, random_inputs, visible_mask

import torch
import torch.nn.functional as F


def reference(problem: Problem, inputs: tuple[torch.Tensor, ...]):
    """The operator in float64, from its definition: (out, lse, o1, o2)."""
    query, key, value, lam = (t.double() for t in inputs)
    group = problem.heads // problem.kv_heads
    query = query.transpose(1, 2)
    key = key.transpose(1, 2).repeat_interleave(group, dim=1)
    value = value.transpose(1, 2).repeat_interleave(group, dim=1)
    scores = query @ key.transpose(2, 3) / math.sqrt(problem.head_dim)
    if problem.softcap:
        scores = problem.softcap * torch.tanh(scores / problem.softcap)
    visible = visible_mask(problem.mask, query.shape[2], key.shape[2])
    if visible is None:
        visible = torch.ones(scores.shape[-2:], dtype=torch.bool)
    scores = scores.masked_fill(~visible, -math.inf)
    sees = visible.any(-1)[:, None]
    lse = torch.logsumexp(scores, -1).masked_fill(~sees[:, 0], math.inf)
    weights = torch.softmax(scores, -1).masked_fill(~sees, 0.0)
    branches = weights @ value
    gate = torch.sigmoid(lam).transpose(1, 2).unsqueeze(-1)
    out = branches[:, 0::2] - gate * branches[:, 1::2]
    out = torch.where(sees, out, torch.zeros_like(out))
    return out.transpose(1, 2), lse, branches[:, 0::2], branches[:, 1::2]


def peer(problem: Problem, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
    query, key, value = (t.transpose(1, 2).contiguous() for t in inputs[:3])
    visible = visible_mask(problem.mask, query.shape[2], key.shape[2])
    square_causal = problem.mask == "causal" and query.shape[2] == key.shape[2]
    branches = F.scaled_dot_product_attention(
        query, key, value, attn_mask=None if square_causal else visible,
        is_causal=square_causal, enable_gqa=True,
    )  # fmt: skip
    return combine(branches, inputs[3].transpose(1, 2)).transpose(1, 2)


@dataclass
class Case:
    name: str
    problem: Problem
    batch: int = 2
    queries: int = 61
    keys: int = 77
    prepare: object = None
    """Changes the inputs: prepare(problem, inputs) -> inputs."""
    factor: float | None = None
    """Largest ratio of our error to the peer's; None: by dtype."""


def large_logits(problem, inputs):
    """Scores up to about 1e4."""
    query, key, value, lam = inputs
    scale = math.sqrt(1e4 / math.sqrt(problem.head_dim) / 4)
    limit = 6e4 if problem.dtype == "f16" else math.inf
    stretch = lambda t: (t.float() * scale).clamp(-limit, limit).to(t.dtype)
    return stretch(query), stretch(key), value, lam


def near_cancelling(problem, inputs):
    """Branches that correlate at about 0.99, and sigmoid(lambda) >= 0.88."""
    query, key, value, lam = inputs
    query = query.float()
    mix = 0.995
    query[:, :, 1::2] = mix * query[:, :, 0::2] + math.sqrt(1 - mix**2) * query[:, :, 1::2]
    return query.to(inputs[0].dtype), key, value, lam.float().abs().add(2.0).to(lam.dtype)


def strided(problem, inputs):
    """Slices of fused projections: gaps between heads, tokens and logits."""
    def slice_of_wider(tensor):
        wide = torch.full((*tensor.shape[:-2], tensor.shape[-2] + 3, tensor.shape[-1] + 8),
                          math.nan).to(tensor.dtype)  # fmt: skip
        view = wide[..., 1 : 1 + tensor.shape[-2], 8 : 8 + tensor.shape[-1]]
        view.copy_(tensor)
        return view
    return tuple(slice_of_wider(tensor) for tensor in inputs)


def special_lambda(problem, inputs):
    """-inf, +inf, NaN and huge logits among ordinary ones."""
    lam = inputs[3].clone()
    flat = lam.view(-1)
    for i, value in enumerate((-math.inf, math.inf, math.nan, 1e4, -1e4)):
        flat[i::17] = value
    return (*inputs[:3], lam)


def cases(quick: bool) -> list[Case]:
    result = []
    dims = (64, 128) if quick else (64, 96, 128, 192, 256)
    for dtype in DTYPES:
        for dim in dims:
            for mask in ("none", "causal", "window 20, 0"):
                for group in (4,) if quick else (2, 4, 12, 24):
                    problem = Problem(dtype=dtype, head_dim=dim, heads=2 * group,
                                      kv_heads=2, mask=mask)  # fmt: skip
                    result.append(Case(f"group {group}", problem))
        base = Problem(dtype=dtype, head_dim=64, heads=8, kv_heads=2, mask="causal", lse=True)
        full = Problem(dtype=dtype, head_dim=64, heads=8, kv_heads=2)
        result += [
            Case("one query", base, queries=1, keys=300),
            Case("one query, static", Problem(**{**asdict(full), "query_length": 1}), queries=1, keys=300),
            Case("rows with no key", base, queries=90, keys=33),
            Case("one key", full, queries=17, keys=1),
            Case("long", full, batch=1, queries=130, keys=4100),
            Case("window both sides", Problem(**{**asdict(full), "mask": "window 9, 5"}), queries=100, keys=100),
            Case("large logits", full, prepare=large_logits),
            Case("large logits, causal", base, queries=77, prepare=large_logits),
            Case("near cancelling", full, queries=64, keys=256, prepare=near_cancelling,
                 factor=None if dtype == "f32" else 0.2),
            Case("strided operands", full, prepare=strided),
            Case("special lambda", base, prepare=special_lambda),
            Case("softcap", Problem(**{**asdict(full), "softcap": 20.0})),
            Case("lambda in f32", Problem(**{**asdict(full), "lambda_dtype": "f32"})),
            Case("value dim 128", Problem(**{**asdict(full), "value_dim": 128})),
            Case("head dim 40", Problem(**{**asdict(full), "head_dim": 40})),
        ]  # fmt: skip
    return result


def rms(error: torch.Tensor, scale: torch.Tensor) -> float:
    if not error.numel():
        return 0.0
    return (error.double().square().mean().sqrt() / scale.double().square().mean().sqrt()).item()


def run(case: Case, seed: int) -> dict:
    problem = case.problem
    inputs = random_inputs(problem, case.batch, case.queries, case.keys, seed)
    if case.prepare:
        inputs = case.prepare(problem, inputs)
    expected, lse, first, second = reference(problem, inputs)
    results = Kernel(problem)(*inputs)
    got = results[0].double()
    failures = []
    if not torch.equal(got.isnan(), expected.isnan()):
        failures.append("NaN in other places than the reference")
    if problem.lse:
        finite = torch.isfinite(lse)
        if not torch.equal(torch.isfinite(results[1]), finite):
            failures.append("lse infinite in other places")
        gap = (results[1].double() - lse)[finite].abs().max().item() if finite.any() else 0.0
        bound = 2e-6 * max(1.0, lse[finite].abs().max().item() if finite.any() else 1.0)
        if gap > (bound if problem.dtype == "f32" else 4 * bound):
            failures.append(f"lse off by {gap:.1e}")
    ours_error, peer_error = math.nan, math.nan
    keep = torch.isfinite(expected)
    ours_error = rms((got - expected)[keep], expected[keep])
    if problem.softcap is None:
        other = peer(problem, inputs).double()
        both = keep & torch.isfinite(other)
        peer_error = rms((other - expected)[both], expected[both])
    # 16 bits: at most the peer's. Where both have just the one rounding of the
    # output (one key), they differ in the third digit either way.
    factor = case.factor or (1.1 if problem.dtype == "f32" else 1.01)
    floor = {"f32": 1e-7, "f16": 0.0, "bf16": 0.0}[problem.dtype]
    bound = max(floor, factor * peer_error) if not math.isnan(peer_error) else \
        {"f32": 2e-6, "f16": 1e-3, "bf16": 5e-3}[problem.dtype]  # fmt: skip
    if not ours_error <= bound:
        failures.append(f"error {ours_error:.2e} above {bound:.2e}")
    correlation = torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1].item()
    return {"name": case.name, "dtype": problem.dtype, "head_dim": problem.head_dim,
            "mask": problem.mask, "ours": ours_error, "peer": peer_error,
            "correlation": correlation, "failures": failures}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer dimensions and groups")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--target", default="cpu", help="target to compile for")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--json", help="write all rows to this file")
    args = parser.parse_args()
    print(f"seed {args.seed}")
    rows, failed = [], 0
    for case in cases(args.quick):
        if args.only not in case.name:
            continue
        case.problem = replace(case.problem, options=(f"--target={args.target}",))
        row = run(case, args.seed)
        rows.append(row)
        failed += bool(row["failures"])
        print(f"{row['dtype']:5} {row['head_dim']:3} {row['mask']:13} {row['name']:20} "
              f"ours {row['ours']:.2e} peer {row['peer']:.2e} "
              f"{'FAILED: ' + '; '.join(row['failures']) if row['failures'] else ''}",
              flush=True)  # fmt: skip
    print(f"{len(rows) - failed} passed, {failed} failed")
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"seed": args.seed, "rows": rows}, file, indent=1)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
