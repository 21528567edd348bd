#!/usr/bin/env python3
# Part of the diffattn project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Draws what prefill.py measured.

plot_prefill.py RESULTS.jsonl IMAGE.png
"""

import json
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

SIDES = {"ours": "diffattn", "fa4": "FlashAttention 4", "fa3": "FlashAttention 3", "cudnn": "cuDNN"}


def main() -> None:
    with open(sys.argv[1]) as file:
        rows = [json.loads(line) for line in file]
    figure, axis = plt.subplots(figsize=(11, 4))
    width = 0.8 / len(SIDES)
    for i, (side, label) in enumerate(SIDES.items()):
        places = [n + (i - len(SIDES) / 2 + 0.5) * width for n, r in enumerate(rows) if side in r["tflops"]]
        axis.bar(places, [r["tflops"][side] for r in rows if side in r["tflops"]], width, label=label)
    axis.set_xticks(range(len(rows)), [r["case"].replace(" ", "\n") for r in rows], fontsize=7)
    axis.set_ylabel("TFLOP/s, attention and subtraction")
    axis.set_title(f"DIFF V2 forward, bf16, {rows[0]['device']}, sustained at the power limit")
    axis.legend(ncol=len(SIDES), fontsize=8, loc="upper right")
    axis.set_ylim(top=1.15 * axis.get_ylim()[1])
    figure.tight_layout()
    figure.savefig(sys.argv[2], dpi=130)


if __name__ == "__main__":
    main()
