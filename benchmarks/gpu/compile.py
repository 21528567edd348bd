#!/usr/bin/env python3
# Part of the diffattn project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles the kernels that the GPU benchmarks and numerics run.

compile.py --compiler build/bin/diffattn-compile --target sm_80 --out DIR [--set bench|prefill|numerics|smoke] [--emit ptx|cubin] [--match TEXT] [-- OPTIONS]

Each kernel gets a folder DIR/NAME with kernel.mlir, kernel.ptx or kernel.cubin,
and manifest.json; those whose numbers are looked at, another one for arguments that
are not aligned. OPTIONS are passed to the compiler.
"""

import argparse
import pathlib
import subprocess
import sys
import time


def attention(name, dtype="bf16", heads=32, kv_heads=8, d=128, dv=None,
              mask="none", softcap=None, lse=False, noise=False, plain=False,
              queries="?", keys="?"):
    """One kernel: its name and the text of its module. `heads` are query heads."""
    dv = dv or d
    pairs = heads if plain else heads // 2
    arguments = [("query", f"?x{queries}x{heads}x{d}x{dtype}"),
                 ("key", f"?x{keys}x{kv_heads}x{d}x{dtype}"),
                 ("value", f"?x{keys}x{kv_heads}x{dv}x{dtype}")]
    if not plain:
        arguments.append(("lambda", f"?x{queries}x{pairs}x{dtype}"))
    outputs = [("outs", f"?x{queries}x{pairs}x{dv}x{dtype}")]
    if lse:
        outputs.append(("lse", f"?x{heads}x{queries}xf32"))
    if noise:
        outputs.append(("noise", f"?x{queries}x{pairs}x{dv}x{dtype}"))
    operands = "\n".join(f"      {n}(%{n} : tensor<{t}>)" for n, t in arguments + outputs)
    parameters = ", ".join(f"%{n}: tensor<{t}>" for n, t in arguments + outputs)
    results = ", ".join(f"tensor<{t}>" for _, t in outputs)
    attributes = "" if mask == "none" else f" mask<{mask}>"
    if softcap:
        attributes += f" softcap({softcap:e})"
    values = "%r" if len(outputs) == 1 else ", ".join(f"%r#{i}" for i in range(len(outputs)))
    binding = "%r" if len(outputs) == 1 else f"%r:{len(outputs)}"
    return name, f"""func.func @{name}({parameters}) -> ({results}) {{
  {binding} = diffattn.attention
{operands}{attributes}
  return {values} : {results}
}}
"""


def bench_set():
    for d, heads, kv in [(128, 32, 8), (64, 32, 8), (256, 16, 4)]:
        for mask in ["causal", "none"]:
            yield attention(f"d{d}_{mask}", d=d, heads=heads, kv_heads=kv, mask=mask)
    yield attention("d128_window512", mask="window 511, 0", heads=48, kv_heads=4)
    yield attention("d64_window512", mask="window 511, 0", d=64)


def prefill_set():
    """Of the cases of prefill.py."""
    for d, heads, kv in [(128, 32, 8), (64, 64, 16), (256, 16, 4)]:
        for mask in ["none", "causal"]:
            yield attention(f"d{d}_{mask}", d=d, heads=heads, kv_heads=kv, mask=mask)
    yield attention("d128_cross", heads=96, kv_heads=4, mask="causal")
    yield attention("d128_window512", mask="window 511, 0", heads=48, kv_heads=4)


def numerics_set():
    for dtype in ["bf16", "f16"]:
        for d in [64, 96, 128, 192, 256]:
            yield attention(f"n_{dtype}_d{d}_causal", dtype=dtype, d=d, heads=8, kv_heads=2, mask="causal")
            yield attention(f"n_{dtype}_d{d}_full", dtype=dtype, d=d, heads=8, kv_heads=2)
    for d in [64, 128]:
        yield attention(f"n_window_d{d}", d=d, heads=8, kv_heads=2, mask="window 100, 0")
        yield attention(f"n_window2_d{d}", d=d, heads=8, kv_heads=2, mask="window 33, 17")
        yield attention(f"n_softcap_d{d}", d=d, heads=8, kv_heads=2, mask="causal", softcap=20.0)
        yield attention(f"n_extra_d{d}", d=d, heads=8, kv_heads=2, mask="causal", lse=True, noise=True)
        yield attention(f"n_plain_d{d}", d=d, heads=8, kv_heads=2, mask="causal", plain=True)
    yield attention("n_group12", heads=24, kv_heads=2, mask="causal")
    yield attention("n_group24", heads=48, kv_heads=2, mask="causal")
    yield attention("n_group2", heads=4, kv_heads=2, mask="causal")
    yield attention("n_decode", heads=32, kv_heads=4, queries="1", mask="causal")
    yield attention("n_d192_dv128", d=192, dv=128, heads=8, kv_heads=2, mask="causal")


def smoke_set():
    yield attention("d128_causal", mask="causal")
    yield attention("d64_none", d=64, heads=32, kv_heads=8)


SETS = {"bench": bench_set, "prefill": prefill_set, "numerics": numerics_set, "smoke": smoke_set}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--target", default="sm_80")
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--set", default="bench", choices=SETS)
    parser.add_argument("--match", default="")
    parser.add_argument("--emit", default="ptx", choices=["ptx", "cubin"])
    parser.add_argument("options", nargs="*")
    arguments = parser.parse_args()
    failures = 0
    for name, text in SETS[arguments.set]():
        if arguments.match not in name:
            continue
        folder = arguments.out / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "kernel.mlir").write_text(text)
        options = list(arguments.options)
        if arguments.set in ("bench", "prefill"):
            options.append("--no-fallback")
        start = time.perf_counter()
        result = subprocess.run(
            [arguments.compiler, folder / "kernel.mlir", f"--target={arguments.target}", f"--emit={arguments.emit}",
             f"--manifest={folder / 'manifest.json'}", "-o", folder / f"kernel.{arguments.emit}", *options],
            capture_output=True, text=True)
        seconds = time.perf_counter() - start
        print(f"{name:24s} {'ok' if result.returncode == 0 else 'FAILED'} {seconds:.2f} s", flush=True)
        if result.returncode:
            failures += 1
            print("   ", result.stderr.strip()[:400], flush=True)
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
