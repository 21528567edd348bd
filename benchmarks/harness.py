# Part of the diffattn project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compile an attention problem with diffattn-compile and call it on tensors.

The benchmarks measure whole jobs in one process: the compiled object is linked
into a shared library and called through its C interface, beside PyTorch.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass

# Idle OpenMP workers of one library must not spin while the other one runs.
os.environ.setdefault("KMP_BLOCKTIME", "0")

import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent
LLVM_BIN = pathlib.Path("/usr/lib/llvm-22/bin")
DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Problem:
    """One attention problem; `heads` counts query heads, both of every pair."""

    dtype: str = "f32"
    head_dim: int = 128
    heads: int = 16
    kv_heads: int = 4
    mask: str = "none"
    """none, causal, or "window L, R"."""
    batch: int | None = None
    """None: dynamic."""
    query_length: int | None = None
    lse: bool = False
    value_dim: int | None = None
    lambda_dtype: str | None = None
    softcap: float | None = None
    options: tuple[str, ...] = ()
    """More options for diffattn-compile."""

    @property
    def dv(self) -> int:
        return self.value_dim or self.head_dim

    def mlir(self) -> str:
        """The operator on q, k, v, lambda as a function `attention`."""

        def tensor(*shape: object, dtype: str = self.dtype) -> str:
            dims = ["?" if size is None else str(size) for size in shape]
            return f"tensor<{'x'.join(dims)}x{dtype}>"

        b, n, pairs = self.batch, self.query_length, self.heads // 2
        q = tensor(b, n, self.heads, self.head_dim)
        k = tensor(b, None, self.kv_heads, self.head_dim)
        v = tensor(b, None, self.kv_heads, self.dv)
        lam = tensor(b, n, pairs, dtype=self.lambda_dtype or self.dtype)
        out = tensor(b, n, pairs, self.dv)
        lse = tensor(b, self.heads, n, dtype="f32")
        sizes = ", ".join(name for name, size in (("%b", b), ("%n", n)) if size is None)
        attrs = f" mask<{self.mask}>"
        if self.softcap:
            attrs += f" softcap({self.softcap:e})"
        results = f"({out}, {lse})" if self.lse else out
        lines = [
            f"func.func @attention(%q: {q}, %k: {k}, %v: {v}, %lambda: {lam}) -> {results} {{",
            "  %c0 = arith.constant 0 : index",
            "  %c1 = arith.constant 1 : index",
            f"  %b = tensor.dim %q, %c0 : {q}",
            f"  %n = tensor.dim %q, %c1 : {q}",
            f"  %init = tensor.empty({sizes}) : {out}",
        ]
        if self.lse:
            lines.append(f"  %lse = tensor.empty({sizes}) : {lse}")
        results_ssa = "%out#0, %out#1" if self.lse else "%out"
        lines += [
            f"  {'%out:2' if self.lse else '%out'} = diffattn.attention query(%q : {q})"
            f" key(%k : {k}) value(%v : {v}) lambda(%lambda : {lam})"
            f" outs(%init : {out}){f' lse(%lse : {lse})' if self.lse else ''}{attrs}",
            f"  return {results_ssa} : {results.strip('()')}",
            "}",
        ]
        return "\n".join(lines) + "\n"

    def flops(self, batch: int, queries: int, keys: int) -> float:
        """4 * d per visible (head, query, key): the usual count."""
        rows = torch.arange(queries, dtype=torch.float64) + keys - queries
        low, high = torch.zeros_like(rows), torch.full_like(rows, keys - 1)
        if self.mask == "causal":
            high = torch.minimum(high, rows)
        elif self.mask.startswith("window"):
            left, right = (part.strip() for part in self.mask[len("window"):].split(","))
            if left != "*":
                low = torch.maximum(low, rows - int(left))
            if right != "*":
                high = torch.minimum(high, rows + int(right))
        visible = (high - low + 1).clamp(min=0).sum().item()
        return 2 * batch * self.heads * visible * (self.head_dim + self.dv)


def memref(rank: int) -> type:
    """ctypes mirror of MLIR's strided memref descriptor."""

    class MemRef(ctypes.Structure):
        _fields_ = [
            ("allocated", ctypes.c_void_p),
            ("aligned", ctypes.c_void_p),
            ("offset", ctypes.c_int64),
            ("sizes", ctypes.c_int64 * rank),
            ("strides", ctypes.c_int64 * rank),
        ]

    return MemRef


def describe(tensor: torch.Tensor) -> ctypes.Structure:
    """A descriptor of `tensor`; its last dimension must be contiguous."""
    if tensor.dim() and tensor.stride(-1) != 1 and tensor.size(-1) > 1:
        raise ValueError("expects a contiguous last dimension")
    rank = tensor.dim()
    array = ctypes.c_int64 * rank
    return memref(rank)(
        tensor.data_ptr(), tensor.data_ptr(), 0, array(*tensor.shape), array(*tensor.stride())
    )


_free = ctypes.CDLL(None).free
_free.argtypes = [ctypes.c_void_p]


def find_compiler() -> pathlib.Path:
    path = ROOT / "build" / "bin" / "diffattn-compile"
    if not path.exists():
        sys.exit(f"{path} does not exist; run utils/build.sh first")
    return path


class Kernel:
    """A compiled problem, callable on (query, key, value, lambda)."""

    def __init__(self, problem: Problem):
        self.problem = problem
        directory = pathlib.Path(tempfile.gettempdir()) / f"diffattn-bench-{os.getuid()}"
        directory.mkdir(exist_ok=True)
        text = problem.mlir()
        compiler = find_compiler()
        identity = f"{text}{problem.options}{compiler.stat().st_mtime_ns}"
        stem = directory / hashlib.sha256(identity.encode()).hexdigest()[:16]
        library = stem.with_suffix(".so")
        if not library.exists():
            source = stem.with_suffix(".mlir")
            source.write_text(text)
            subprocess.run(
                [compiler, source, "--emit=object", "-o", stem.with_suffix(".o"), *problem.options],
                check=True,
            )
            subprocess.run(
                ["clang-22", "-shared", "-o", library, stem.with_suffix(".o"), "-lm",
                 f"-L{LLVM_BIN.parent / 'lib'}", "-lomp",
                 f"-Wl,-rpath,{LLVM_BIN.parent / 'lib'}"],
                check=True,
            )  # fmt: skip
        self._function = ctypes.CDLL(str(library))._mlir_ciface_attention
        self._function.restype = None

    def call(self, *tensors: torch.Tensor) -> ctypes.Structure:
        """Calls the kernel; the caller frees the result's buffers."""

        class Results(ctypes.Structure):
            _fields_ = [("out", memref(4))] + ([("lse", memref(3))] if self.problem.lse else [])

        results = Results()
        descriptors = [describe(tensor) for tensor in tensors]
        self._function(ctypes.byref(results), *map(ctypes.byref, descriptors))
        return results

    def run(self, *tensors: torch.Tensor) -> None:
        """Calls the kernel and drops the result."""
        results = self.call(*tensors)
        for name, _ in results._fields_:
            _free(getattr(results, name).allocated)

    def __call__(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Calls the kernel and copies its results to tensors."""
        results = self.call(*tensors)
        copies = []
        for name, _ in results._fields_:
            value = getattr(results, name)
            dtype = DTYPES[self.problem.dtype] if name == "out" else torch.float32
            shape = list(value.sizes)
            count = 1
            for size in shape:
                count *= size
            data = ctypes.string_at(value.aligned, count * dtype.itemsize)
            copies.append(torch.frombuffer(bytearray(data), dtype=dtype).reshape(shape).clone()
                          if count else torch.empty(shape, dtype=dtype))
            _free(value.allocated)
        return tuple(copies)


def random_inputs(
    problem: Problem, batch: int, queries: int, keys: int, seed: int
) -> tuple[torch.Tensor, ...]:
    """Standard normal query, key, value and lambda logits."""
    generator = torch.Generator().manual_seed(seed)
    dtype = DTYPES[problem.dtype]
    lambda_dtype = DTYPES[problem.lambda_dtype or problem.dtype]

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    return (
        normal(batch, queries, problem.heads, problem.head_dim).to(dtype),
        normal(batch, keys, problem.kv_heads, problem.head_dim).to(dtype),
        normal(batch, keys, problem.kv_heads, problem.dv).to(dtype),
        normal(batch, queries, problem.heads // 2).to(lambda_dtype),
    )


def visible_mask(mask: str, queries: int, keys: int) -> torch.Tensor | None:
    """The boolean (queries, keys) mask, or None where all keys are visible."""
    if mask == "none":
        return None
    position = torch.arange(queries)[:, None] + keys - queries
    key = torch.arange(keys)[None, :]
    if mask == "causal":
        return key <= position
    left, right = (part.strip() for part in mask[len("window"):].split(","))
    visible = torch.ones(queries, keys, dtype=torch.bool)
    if left != "*":
        visible &= key >= position - int(left)
    if right != "*":
        visible &= key <= position + int(right)
    return visible


def combine(branches: torch.Tensor, lam: torch.Tensor) -> torch.Tensor:
    """o1 - sigmoid(lambda) * o2 on heads-first branches (B, 2h, N, d)."""
    gate = torch.sigmoid(lam.float()).unsqueeze(-1)
    return (branches[:, 0::2].float() - gate * branches[:, 1::2].float()).to(branches.dtype)
