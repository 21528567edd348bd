#!/usr/bin/env python3
# Part of the diffattn project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A short table of ncu's "--csv --page raw" output, one row a kernel.

    benchmarks/gpu/ncu_table.py FILE
"""

from __future__ import annotations

import csv
import sys

COLUMNS = {
    "us": ("gpu__time_duration.sum", 1),
    "tensor %": ("sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active", 0),
    "warps %": ("sm__warps_active.avg.pct_of_peak_sustained_active", 0),
    "regs": ("launch__registers_per_thread", 0),
    "smem KB": ("launch__shared_mem_per_block_dynamic", 1),
    "ld conflicts": ("l1tex__data_bank_conflicts_pipe_lsu_mem_shared_op_ld.sum", 0),
    "ldgsts conflicts": ("l1tex__data_bank_conflicts_pipe_lsu_mem_shared_op_ldgsts.sum", 0),
    "st conflicts": ("l1tex__data_bank_conflicts_pipe_lsu_mem_shared_op_st.sum", 0),
    "local": ("smsp__inst_executed_op_local.sum", 0),
}
STALL = "smsp__average_warps_issue_stalled_", "_per_issue_active.ratio"


def number(text: str) -> float:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return 0.0


def main() -> int:
    lines = [line for line in open(sys.argv[1], errors="replace") if line.startswith('"')]
    rows = list(csv.DictReader(lines))
    if len(rows) < 2:
        print("ncu measured nothing")
        return 1
    units, kernels = rows[0], rows[1:]
    for row in kernels:
        print(row.get("Kernel Name", "?"))
        for title, (metric, digits) in COLUMNS.items():
            if row.get(metric):
                print(f"  {title:17s} {number(row[metric]):.{digits}f} {units.get(metric) or ''}")
        stalls = {
            name[len(STALL[0]) : -len(STALL[1])]: number(value)
            for name, value in row.items()
            if name and name.startswith(STALL[0]) and name.endswith(STALL[1])
        }
        top = sorted(stalls.items(), key=lambda item: -item[1])[:5]
        if top:
            print("  stalls (warps)    " + ", ".join(f"{name} {value:.2f}" for name, value in top))
    return 0


if __name__ == "__main__":
    sys.exit(main())
