#!/usr/bin/env python3
# Part of the diffattn project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Launches compiled kernels under compute-sanitizer or ncu.

A small program without PyTorch, so that tools start fast and see our kernels
only. Every tensor is an allocation of its own and of its exact size: the memory
checker then knows its ends, which a framework's pool would hide. With --profile
it launches one larger problem; else small ones, whose results it checks.

    compute-sanitizer --tool memcheck benchmarks/gpu/tool_driver.py --lib LIB FOLDER...
"""

from __future__ import annotations

import argparse
import ctypes
import sys

import numpy as np

from kernels import ManifestError, Runtime, RuntimeFailure, Spec, find_specs

SMALL = [(1, 70, 133), (2, 1, 65), (1, 33, 20)]
"""Ragged in queries and keys, one query, rows without keys where causal."""
TOLERANCE = 2e-2


class Cuda:
    """The driver functions that this program needs."""

    def __init__(self, library: str):
        self.api = ctypes.CDLL(library)
        context, device = ctypes.c_void_p(), ctypes.c_int()
        self.check(self.api.cuInit(0))
        self.check(self.api.cuDeviceGet(ctypes.byref(device), 0))
        self.check(self.api.cuDevicePrimaryCtxRetain(ctypes.byref(context), device))
        self.check(self.api.cuCtxSetCurrent(context))

    def check(self, result: int) -> None:
        if result:
            text = ctypes.c_char_p()
            self.api.cuGetErrorString(result, ctypes.byref(text))
            raise RuntimeFailure(7, f"CUDA error {result}: {(text.value or b'').decode()}")

    def synchronize(self) -> None:
        self.check(self.api.cuStreamSynchronize(None))


class Array:
    """A dense array in an allocation of its own."""

    def __init__(self, cuda: Cuda, shape: tuple[int, ...], dtype: str):
        self.cuda, self.shape, self.dtype = cuda, shape, dtype
        self.storage = np.uint32 if dtype == "f32" else np.uint16
        self.bytes = int(np.prod(shape)) * np.dtype(self.storage).itemsize
        self.pointer = ctypes.c_uint64()
        cuda.check(cuda.api.cuMemAlloc_v2(ctypes.byref(self.pointer), ctypes.c_size_t(self.bytes)))

    def __del__(self):
        self.cuda.api.cuMemFree_v2(self.pointer)

    def data_ptr(self) -> int:
        return self.pointer.value

    def stride(self) -> tuple[int, ...]:
        return tuple(int(np.prod(self.shape[i + 1 :])) for i in range(len(self.shape)))

    def write(self, values: np.ndarray) -> np.ndarray:
        """Rounds, copies to the GPU and returns what was rounded."""
        raw = encode(values, self.dtype)
        host = raw.ctypes.data_as(ctypes.c_void_p)
        copy = self.cuda.api.cuMemcpyHtoDAsync_v2
        self.cuda.check(copy(self.pointer, host, ctypes.c_size_t(self.bytes), None))
        self.cuda.synchronize()
        return decode(raw, self.dtype)

    def read(self) -> np.ndarray:
        raw = np.empty(self.shape, self.storage)
        host = raw.ctypes.data_as(ctypes.c_void_p)
        copy = self.cuda.api.cuMemcpyDtoHAsync_v2
        self.cuda.check(copy(host, self.pointer, ctypes.c_size_t(self.bytes), None))
        self.cuda.synchronize()
        return decode(raw, self.dtype)


def encode(values: np.ndarray, dtype: str) -> np.ndarray:
    """Bits of an array in a dtype; bf16 by rounding half up, good enough here."""
    if dtype == "f16":
        return np.ascontiguousarray(values.astype(np.float16)).view(np.uint16)
    words = np.ascontiguousarray(values.astype(np.float32)).view(np.uint32)
    return words if dtype == "f32" else ((words + 0x8000) >> 16).astype(np.uint16)


def decode(raw: np.ndarray, dtype: str) -> np.ndarray:
    if dtype == "f16":
        return raw.view(np.float16).astype(np.float64)
    words = raw if dtype == "f32" else raw.astype(np.uint32) << 16
    return words.view(np.float32).astype(np.float64)


def expected(spec: Spec, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """The output in float64."""
    a = spec.attention
    query, key, value = (inputs[role].transpose(0, 2, 1, 3) for role in ("query", "key", "value"))
    key, value = (np.repeat(t, a.group, axis=1) for t in (key, value))
    s = query @ key.transpose(0, 1, 3, 2) * a.score_scale
    if a.softcap:
        s = a.softcap * np.tanh(s / a.softcap)
    queries, keys = s.shape[2:]
    distance = np.arange(keys)[None, :] - np.arange(queries)[:, None] - (keys - queries)
    visible = np.ones((queries, keys), bool)
    if a.mask_left is not None:
        visible &= distance >= -a.mask_left
    if a.mask_right is not None:
        visible &= distance <= a.mask_right
    # Hidden scores weigh nothing, in rows without a visible key too.
    s = np.where(visible, s, -np.inf)
    weights = np.exp(s - np.maximum(s.max(-1, keepdims=True), -1e30))
    total = weights.sum(-1, keepdims=True)
    branches = (weights @ value / np.where(total == 0, 1, total)).transpose(0, 2, 1, 3)
    if not a.differential:
        return branches
    gate = 1 / (1 + np.exp(-inputs["lambda"]))[..., None]
    return branches[:, :, 0::2] - gate * branches[:, :, 1::2]


def launch(spec: Spec, runtime: Runtime, cuda: Cuda, sizes: tuple[int, int, int], check: bool) -> str:
    """Launches once; returns what is wrong, or "". Outputs stay uninitialised:
    initcheck must not see a kernel read them."""
    generator = np.random.default_rng(1)
    arrays, inputs = {}, {}
    for role, shape in spec.shapes(*sizes).items():
        arrays[role] = Array(cuda, shape, spec.parameter(role).dtype)
        if role in ("query", "key", "value", "lambda"):
            values = generator.standard_normal(shape, np.float32)
            inputs[role] = arrays[role].write(values)
    order = sorted(spec.roles, key=spec.roles.get)
    runtime.load(spec.path).bind(*(arrays[role] for role in order))()
    cuda.synchronize()
    if not check:
        return ""
    worst = float(np.abs(arrays["output"].read() - expected(spec, inputs)).max())
    return "" if worst <= TOLERANCE else f"output off by {worst:.2e}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--lib", required=True, help="libdiffattn_runtime.so")
    parser.add_argument("--driver", help="another CUDA driver than libcuda.so.1")
    parser.add_argument("--match", default="", help="only kernels whose description has this")
    parser.add_argument("--profile", metavar="B,NQ,NK", help="launch this problem, unchecked")
    parser.add_argument("--no-check", dest="check", action="store_false")
    options = parser.parse_args()
    problems = [tuple(map(int, options.profile.split(",")))] if options.profile else SMALL
    failed = launched = 0
    try:
        cuda = Cuda(options.driver or "libcuda.so.1")
        runtime = Runtime(options.lib, options.driver)
        for spec in find_specs(options.folders):
            for sizes in problems if options.match in spec.name else []:
                if not spec.serves(*sizes):
                    continue
                wrong = launch(spec, runtime, cuda, sizes, options.check and not options.profile)
                launched += 1
                if wrong:
                    failed += 1
                    print(f"{spec.name} {sizes}: {wrong}")
    except (ManifestError, RuntimeFailure, OSError) as error:
        sys.exit(f"error: {error}")
    print(f"{launched} launches, {failed} wrong")
    return 1 if failed or not launched else 0


if __name__ == "__main__":
    sys.exit(main())
