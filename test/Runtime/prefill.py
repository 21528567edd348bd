# benchmarks/gpu/prefill.py without a GPU: it goes on when a side dies, hangs,
# is wrong or not installed, and compares those that are left.
# REQUIRES: torch
# RUN: rm -f %t.jsonl
# RUN: not %python %s %benchmarks/gpu %S/Inputs %t.jsonl > %t.out
# RUN: FileCheck %s < %t.out
# RUN: FileCheck %s --check-prefix=JSON < %t.jsonl

import dataclasses
import os
import pathlib
import sys
import time

sys.path.insert(0, sys.argv[1])
import torch

import operator_reference as ref
import prefill
from timing import Side

torch.set_num_threads(1)
torch.cuda.synchronize = torch.cuda.empty_cache = lambda: None
torch.cuda.get_device_name = lambda: "none"
ref.flash_branches = ref.emulated_branches
prefill.DEVICE = "cpu"
prefill.Runtime = lambda library: None
prefill.PEER_LIMIT = 3


def answer(a, inputs):
    return ref.combine(ref.flash_branches(a, *list(inputs.values())[:3]), inputs["lambda"])


def our_side(spec, runtime, inputs, batch, length):
    if length == 40:
        os._exit(3)
    output = answer(spec.attention, inputs)
    return Side(lambda: time.sleep(0.001)), output


def peer(effect, seconds=0.01):
    def make(a, inputs):
        output = effect(answer(a, inputs))
        return Side(lambda: (time.sleep(seconds), output)[1])

    return make


def not_installed(a, inputs):
    import such_a_module  # noqa: F401


prefill.our_side = our_side
prefill.peers.PEERS = {
    "slow": peer(lambda out: out, 0.03),
    "absent": not_installed,
    "wrong": peer(lambda out: out * 1.1),
    "unwritten": peer(lambda out: out * torch.nan),
    "dying": peer(lambda out: os._exit(7)),
    "hanging": peer(lambda out: time.sleep(100)),
    "none": lambda a, inputs: None,
    "good": peer(lambda out: out),
    "mosaic": peer(lambda out: out[:1], 0.005),
}
prefill.CASES = [
    prefill.Case(4, 1, 64, "causal", 1, 32, 1.5, 99.0),
    prefill.Case(4, 1, 64, "causal", 2, 48, 1.5, 99.0),
    prefill.Case(4, 1, 64, "causal", 1, 40, 1.5, 99.0),
    prefill.Case(4, 1, 64, "full", 1, 32, 1.5, 99.0),
]
folder, log = sys.argv[2:]
sys.argv = ["prefill.py", "--lib=none", "--sides=all", "--start=fork", "--rounds=5",
            "--seconds=0.02", f"--json={log}", "--match=32|48", folder]  # fmt: skip

# CHECK: without absent, bf16 d64 4/1 causal lse noise: No module named
# CHECK-NEXT: without wrong, {{.*}}: wrong: differs by {{.*}}e-01
# CHECK-NEXT: without unwritten, {{.*}}: wrong: differs by nan
# CHECK-NEXT: without dying, {{.*}}: the process died (7)
# CHECK: without hanging, {{.*}}: the process hung for 3 s
# CHECK: d64 4/1 causal 1x32: ours {{.*}} slow {{.*}} good {{.*}} mosaic
# CHECK-NEXT: ours: {{.*}} of good, floor 1.50 ok, aim 99.00 MISS
# CHECK-NEXT: d64 4/1 causal 2x48: ours
# CHECK-NEXT: ours:
# CHECK: finished: 0
# JSON-COUNT-2: "best_peer": "good"
print("finished:", prefill.main(), flush=True)

# A kernel of ours that dies leaves nothing to compare.
sys.argv[-2] = "--match=40"
# CHECK: without {{.*}}attention.json: the process died (3)
# CHECK-NOT: d64 4/1 causal 1x40: ours
print("finished:", code := prefill.main(), flush=True)

# Names of several kernels of one attention.
(spec,) = prefill.find_specs([folder])
paths = ["k/a/d128/m.json", "k/b/d128/m.json"]
# CHECK: ['a', 'b']
print(list(prefill.label([dataclasses.replace(spec, path=pathlib.Path(p)) for p in paths])))
sys.exit(code)
