#!/usr/bin/env python3
# Part of the diffattn project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""CPU whole job against PyTorch: attention over 2h heads and the subtraction.

Both sides run in this process with the same threads and dtype, interleaved
round by round. The peer is scaled_dot_product_attention(enable_gqa=True) on its
own preferred layout, contiguous (B, H, N, d), followed by the subtraction under
torch.compile; for a window it is the same over chunks of queries, each with the
keys it can see. Rates count 4 d FLOP per visible (head, query, key).

    benchmarks/cpu_attention.py [--quick] [--json FILE] [--plot FILE.png]
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import random
import statistics
import time

from harness import Kernel, Problem, combine, random_inputs, visible_mask

import torch
import torch.nn.functional as F

compiled_combine = torch.compile(combine, dynamic=True)


def make_peer(problem: Problem, inputs: tuple[torch.Tensor, ...]):
    """The two-kernel job as a function without arguments."""
    query, key, value = (t.transpose(1, 2).contiguous() for t in inputs[:3])
    lam = inputs[3].transpose(1, 2).contiguous()
    causal = problem.mask == "causal"
    if not problem.mask.startswith("window"):

        def job() -> torch.Tensor:
            branches = F.scaled_dot_product_attention(
                query, key, value, is_causal=causal, enable_gqa=True
            )
            return compiled_combine(branches, lam)

        return job

    # One mask serves all chunks but the first, which sees fewer keys.
    left = int(problem.mask[len("window"):].split(",")[0])
    length, chunk = query.shape[2], 1024
    pieces = []
    for start in range(0, length, chunk):
        first = max(0, start - left)
        end = min(length, start + chunk)
        mask = visible_mask(problem.mask, length, length)[start:end, first:end] \
            if length <= 4096 else _chunk_mask(start, end, first, left)
        pieces.append((start, end, first, mask))

    def job() -> torch.Tensor:
        outputs = [
            F.scaled_dot_product_attention(
                query[:, :, start:end], key[:, :, first:end], value[:, :, first:end],
                attn_mask=mask, enable_gqa=True,
            )
            for start, end, first, mask in pieces
        ]  # fmt: skip
        return compiled_combine(torch.cat(outputs, dim=2), lam)

    return job


def _chunk_mask(start: int, end: int, first: int, left: int) -> torch.Tensor:
    row = torch.arange(start, end)[:, None]
    key = torch.arange(first, end)[None, :]
    return (key <= row) & (key >= row - left)


def time_round(job, seconds: float) -> float:
    """Mean seconds of a call over at least `seconds`."""
    calls, start = 0, time.perf_counter()
    while True:
        job()
        calls += 1
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            return elapsed / calls


def lower_bound(ratios: list[float]) -> float:
    """One-sided 95% bootstrap bound of the median."""
    generator = random.Random(0)
    medians = sorted(
        statistics.median(generator.choices(ratios, k=len(ratios))) for _ in range(2000)
    )
    return medians[int(0.05 * len(medians))]


def measure(problem: Problem, length: int, rounds: int, seconds: float) -> dict:
    inputs = random_inputs(problem, 1, length, length, seed=length)
    kernel = Kernel(problem)
    ours, peer = lambda: kernel.run(*inputs), make_peer(problem, inputs)
    expected, got = peer().transpose(1, 2).float(), kernel(*inputs)[0].float()
    error = ((got - expected).abs().max() / expected.abs().max()).item()
    if not error < 0.05:
        raise SystemExit(f"{problem} at N={length}: the sides differ by {error}")
    times = [(time_round(ours, seconds), time_round(peer, seconds)) for _ in range(rounds)]
    ratios = [theirs / mine for mine, theirs in times]
    flops = problem.flops(1, length, length)
    return {
        "dtype": problem.dtype, "head_dim": problem.head_dim, "mask": problem.mask,
        "heads": problem.heads, "kv_heads": problem.kv_heads, "length": length,
        "ours_gflops": flops / statistics.median(t[0] for t in times) / 1e9,
        "peer_gflops": flops / statistics.median(t[1] for t in times) / 1e9,
        "ratio": statistics.median(ratios), "ratio_low": lower_bound(ratios),
    }  # fmt: skip


def geometric_mean(values: list[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


def plot(rows: list[dict], path: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    groups = list(dict.fromkeys((r["dtype"], r["head_dim"]) for r in rows))
    figure, axes = plt.subplots(1, len(groups), figsize=(4 * len(groups), 3.6), squeeze=False)
    for axis, (dtype, head_dim) in zip(axes[0], groups):
        own = [r for r in rows if (r["dtype"], r["head_dim"]) == (dtype, head_dim)]
        labels = [f"{r['length']}\n{r['mask'].split(' ')[0]}" for r in own]
        places = range(len(own))
        axis.bar([p - 0.2 for p in places], [r["ours_gflops"] for r in own], 0.4, label="diffattn")
        axis.bar([p + 0.2 for p in places], [r["peer_gflops"] for r in own], 0.4,
                 label="PyTorch SDPA + compiled subtraction")  # fmt: skip
        axis.set_xticks(list(places), labels, fontsize=7)
        axis.set_title(f"{dtype}, d = {head_dim}")
        axis.set_ylabel("GFLOP/s")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="upper center", ncol=2)
    figure.tight_layout(rect=(0, 0, 1, 0.92))
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three short rounds")
    parser.add_argument("--json", help="write all rows to this file")
    parser.add_argument("--plot", help="draw the rates to this PNG")
    parser.add_argument("--dtypes", default="f32,bf16")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rounds, seconds = (3, 0.1) if args.quick else (7, 0.5)

    print(f"{platform.processor() or platform.machine()}, {args.threads} threads, "
          f"PyTorch {torch.__version__} ({torch.backends.cpu.get_cpu_capability()})")  # fmt: skip
    header = f"{'dtype':5} {'d':>3} {'mask':14} {'N':>6} {'ours':>8} {'peer':>8} {'ratio':>6} {'low':>6}"
    print(header + "   (GFLOP/s; ratio of the medians' rounds, lower 95% bound)")
    rows = []
    problems = [
        (Problem(dtype=dtype, head_dim=head_dim, mask=mask, batch=1), length)
        for dtype in args.dtypes.split(",")
        for head_dim in (64, 128)
        for mask in ("none", "causal")
        for length in (512, 2048, 4096)
    ]
    problems += [
        (Problem(dtype=dtype, head_dim=128, mask="window 511, 0", batch=1), 16384)
        for dtype in args.dtypes.split(",")
    ]
    for problem, length in problems:
        row = measure(problem, length, rounds, seconds)
        rows.append(row)
        print(f"{row['dtype']:5} {row['head_dim']:3} {row['mask']:14} {length:6} "
              f"{row['ours_gflops']:8.1f} {row['peer_gflops']:8.1f} "
              f"{row['ratio']:6.2f} {row['ratio_low']:6.2f}", flush=True)  # fmt: skip
    dense = [row for row in rows if not row["mask"].startswith("window")]
    for dtype in args.dtypes.split(","):
        own = [row["ratio"] for row in dense if row["dtype"] == dtype]
        print(f"geometric mean {dtype}: {geometric_mean(own):.2f}, lowest {min(own):.2f}")
    print(f"geometric mean of all: {geometric_mean([row['ratio'] for row in dense]):.2f}")
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"torch": torch.__version__, "threads": args.threads, "rows": rows}, file, indent=1)
    if args.plot:
        plot(rows, args.plot)


if __name__ == "__main__":
    main()
