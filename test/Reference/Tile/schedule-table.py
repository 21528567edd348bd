# Every schedule that the table in the source tree may choose computes what the
# operator says, whatever the order of warps and copies; and ptxas, where there is
# one, finds no fault with it.
# REQUIRES: python
# RUN: rm -rf %t && mkdir %t
# RUN: %python %s %benchmarks/.. %t diffattn-compile diffattn-eval

import json
import pathlib
import subprocess
import sys

root, folder = map(pathlib.Path, sys.argv[1:3])
compiler, evaluator = sys.argv[3:]
sys.path.insert(0, str(root / "benchmarks/gpu"))
import compile as kernel_sets

QUERIES, KEYS = 130, 250  # the last tiles of both are ragged


def run(*command):
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{result.stdout}{result.stderr}")


seen = set()
for number, row in enumerate(json.loads((root / "lib/Target/GPU/ScheduleTable.json").read_text())):
    plain = row["branches"] == 1
    mask = {"none": "none", "causal": "causal", "window": "window 70, 0"}[row["mask"]]
    dim, value_dim, pairs = row["head_dim"], row["value_dim"], row["schedule"]["pairs"]
    heads = pairs if plain else 2 * pairs
    options = [f"--{name.replace('_', '-')}={value}" for name, value in row["schedule"].items()]
    key = (plain, mask, dim, value_dim, row["target"], *options)
    if key in seen:
        continue
    seen.add(key)
    _, text = kernel_sets.attention("layer", heads=heads, kv_heads=1, d=dim, dv=value_dim, mask=mask, plain=plain)
    source, kernel = folder / f"{number}.mlir", folder / f"{number}.kernel.mlir"
    source.write_text(text)
    compile_it = (compiler, source, f"--target={row['target']}", *options)
    run(*compile_it, "--emit=ptx", f"-o={folder / 'kernel.ptx'}")
    run(*compile_it, "--compile-to=tile", f"-o={kernel}")
    shapes = [f"1x{QUERIES}x{heads}x{dim}", f"1x{KEYS}x1x{dim}", f"1x{KEYS}x1x{value_dim}"]
    shapes += [] if plain else [f"1x{QUERIES}x{pairs}"]
    run(evaluator, kernel, "--kernel", "--input=random:1", f"--compare={source}", "--tolerance=8e-3",
        *(f"--shape={i}:{shape}" for i, shape in enumerate(shapes)),
        f"--result-shape=0:1x{QUERIES}x{pairs}x{value_dim}", "--blocks=2", "--schedules=3")  # fmt: skip
    print(f"row {number + 1}: {' '.join(options)}")
