# benchmarks/gpu/tune.py without a GPU: it measures what works, goes on after what
# dies, writes the fastest to the table, and measures nothing twice.
# REQUIRES: torch
# RUN: rm -rf %t && mkdir %t
# RUN: %python %s %benchmarks/gpu %S/Inputs %t > %t/out
# RUN: FileCheck %s < %t/out
# RUN: FileCheck %s --check-prefix=TABLE < %t/table.json

import json
import os
import pathlib
import shutil
import sys
import time

sys.path.insert(0, sys.argv[1])
import torch

import operator_reference as ref
import prefill
import tune
from timing import Side

torch.set_num_threads(1)
torch.cuda.synchronize = torch.cuda.empty_cache = lambda: None
torch.cuda.get_device_name = lambda: "Test Chip"
ref.flash_branches = ref.emulated_branches
prefill.DEVICE = "cpu"
prefill.Runtime = lambda library: None
prefill.CASES = [
    prefill.Case(4, 1, 64, "causal", 1, 32, 1.0, 1.0),
    prefill.Case(4, 1, 64, "causal", 2, 48, 1.0, 1.0),
]
inputs, folder = map(pathlib.Path, sys.argv[2:])
sys.modules["rich.progress"] = None  # plain lines

MILLISECONDS = {"present": 8, "fast": 2, "fair": 4, "wrong": 1, "dying": 1}


def our_side(spec, runtime, inputs, batch, length):
    kind = spec.path.parent.name
    if kind == "dying":
        os._exit(3)
    query, key, value, lam = inputs.values()
    output = ref.combine(ref.flash_branches(spec.attention, query, key, value), lam)
    if kind == "wrong":
        output = output * 1.1
    return Side(lambda: time.sleep(MILLISECONDS[kind] / 1000)), output


prefill.our_side = our_side

schedules = [{"name": kind} for kind in [*MILLISECONDS, "refused", "same"]]
shape = {"branches": 2, "head_dim": 64, "value_dim": 64, "mask": "causal"}
(folder / "k").mkdir()
(folder / "k/schedules.json").write_text(
    json.dumps({"target": "sm_90a", "shape": shape, "schedules": schedules}))
for kind in [*MILLISECONDS, "same"]:
    (folder / "k" / kind).mkdir()
    shutil.copy(inputs / "attention.json", folder / "k" / kind / "manifest.json")
    (folder / "k" / kind / "kernel.cubin").write_text("fair" if kind == "same" else kind)


def run(*arguments):
    sys.argv = ["tune.py", *map(str, arguments)]
    print("finished:", tune.main(), flush=True)


measure = ["measure", folder, "--lib=none", "--start=fork", "--budget=2"]

# CHECK: out of time before d64 4/1 causal 1x32
# CHECK: 0 of 1 classes of shapes are done
# CHECK: finished: 1
run(*measure, "--limit=0")

# CHECK: without {{.*}}wrong{{.*}}: differs by
# CHECK: without {{.*}}dying{{.*}}: the process died (3)
# CHECK: measuring 1/4: d64 4/1 causal 1x32, 3 schedules: fast {{.*}} TFLOP/s
# CHECK: measuring 4/4: d64 4/1 causal 2x48, 3 schedules: fast {{.*}} TFLOP/s
# CHECK: 1 of 1 classes of shapes are done
# CHECK: finished: 0
run(*measure)
lines = (folder / "measurements.jsonl").read_text()

# CHECK-NOT: without
# CHECK: 1 of 1 classes of shapes are done
# CHECK: finished: 0
run(*measure)
assert (folder / "measurements.jsonl").read_text() == lines

# CHECK: 1 rows measured on Test Chip, 1 in
run("write", folder, f"--table={folder / 'table.json'}")

# TABLE: "target": "sm_90a", "branches": 2, "head_dim": 64, "value_dim": 64, "mask": "causal",
# TABLE-NEXT: "schedule": {"name": "fast"},
# TABLE-NEXT: "measured": {"device": "Test Chip", "date": "{{.*}}", "tflops": {{.*}}, "mhz": 0, "watts": 0,
# TABLE-NEXT: "runner_up": {"tflops": {{.*}}, "schedule": {"name": "fair"}},
# TABLE-NEXT: "cases": {"d64 4/1 causal 1x32": {{.*}}, "d64 4/1 causal 2x48": {{.*}}}}}
