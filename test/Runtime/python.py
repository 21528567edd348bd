# The C interface from Python, as benchmarks/gpu uses it, on a driver without a
# GPU.
# REQUIRES: python
# RUN: %python %s %benchmarks/gpu %runtime_library %fake_cuda_library %S/Inputs | FileCheck %s

import pathlib
import sys

sys.path.insert(0, sys.argv[1])
import kernels

library, driver, folder = sys.argv[2:]
(spec,) = kernels.find_specs([folder])
# CHECK: bf16 d64 4/1 causal lse noise on sm_80: ['attention_kernel']
print(spec.name, "on", spec.target + ":", spec.symbols)
# CHECK: {'query': 0, 'key': 1, 'value': 2, 'lambda': 3, 'output': 4, 'lse': 5, 'noise': 6}
print(spec.roles)
# CHECK: True False
print(spec.serves(2, 4096, 9999), spec.serves(2, 4097, 4097))
# 100 queries see keys 201 to 300 of 300: 30000 less a triangle of 4950.
# CHECK: 25050
print(spec.attention.visible(100, 300))
# CHECK: 8 1
print(spec.parameter("query").quantum, spec.parameter("lambda").quantum)


class Tensor:
    def __init__(self, shape, dtype):
        self.shape, self.dtype = shape, dtype

    def data_ptr(self):
        return 0x1000

    def stride(self):
        strides = [1]
        for size in self.shape[:0:-1]:
            strides.insert(0, strides[0] * size)
        return tuple(strides)


def launch(batch, queries, keys, dtype="torch.bfloat16"):
    shapes = spec.shapes(batch, queries, keys)
    tensors = [Tensor(shapes[role], "torch.float32" if role == "lse" else dtype) for role in shapes]
    try:
        program.bind(*tensors)(stream=0)
        print("launched")
    except kernels.RuntimeFailure as error:
        print("refused:", error)


program = kernels.Runtime(library, driver).load(spec.path)
# CHECK: launched
launch(2, 100, 300)
# CHECK: refused: 'attention' does not accept the arguments: query has dtype f16, expected bf16
launch(2, 100, 300, "torch.float16")
# CHECK: refused: 'attention' does not accept the arguments: dimension 1 of query has size 5000, expected at most 4096
launch(2, 5000, 300)

# CHECK: {{.*}}none.json': there is no such file
try:
    kernels.Runtime(library, driver).load(pathlib.Path("none.json"))
except kernels.RuntimeFailure as error:
    print(error)
# CHECK: there is no CUDA driver on this machine
try:
    kernels.Runtime(library, "libno-such-cuda.so.1")
except kernels.RuntimeFailure as error:
    print(error)
