# Part of the diffattn project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled kernels on tensors, through libdiffattn_runtime.so.

A manifest says what a kernel computes (its "attention" field), what it takes and
what it demands; this module reads that, derives shapes from it, and calls the
runtime's C interface. Tensors are anything with data_ptr(), shape, stride() and
dtype: PyTorch's, or sanitize.py's own. Needs the standard library only.
"""

from __future__ import annotations

import ctypes
import json
import pathlib
from dataclasses import dataclass, field

DTYPES = ("f16", "bf16", "f32", "f64", "i1", "i8", "i16", "i32", "i64")
"""In the order of DiffAttnDType."""
BYTES = {"f16": 2, "bf16": 2, "f32": 4, "f64": 8}
TORCH_NAMES = {"float16": "f16", "bfloat16": "bf16", "float32": "f32", "float64": "f64"}


def dtype_name(dtype: object) -> str:
    """"bf16" for "bf16" and for torch.bfloat16."""
    name = str(dtype).removeprefix("torch.")
    return TORCH_NAMES.get(name, name)


@dataclass(frozen=True)
class Parameter:
    name: str
    dtype: str
    shape: tuple[int | None, ...]
    access: str
    alignment: int = 1
    stride_multiple: int = 1

    @property
    def quantum(self) -> int:
        """Elements: offsets and strides that are multiples of it are allowed."""
        elements = -(-self.alignment // BYTES[self.dtype])
        while elements % self.stride_multiple:
            elements += 1
        return elements


@dataclass(frozen=True)
class Attention:
    """What a kernel computes; `query_heads` counts both of every pair."""

    query_heads: int
    kv_heads: int
    head_dim: int
    value_dim: int
    mask_left: int | None = None
    mask_right: int | None = None
    """Keys i + Nk - Nq - left .. i + Nk - Nq + right are seen; None: no limit."""
    softcap: float = 0.0
    scale: float | None = None
    """None: 1 / sqrt(head_dim)."""
    differential: bool = True

    @property
    def group(self) -> int:
        return self.query_heads // self.kv_heads

    @property
    def output_heads(self) -> int:
        return self.query_heads // 2 if self.differential else self.query_heads

    @property
    def score_scale(self) -> float:
        return self.head_dim**-0.5 if self.scale is None else self.scale

    @property
    def is_causal(self) -> bool:
        return self.mask_left is None and self.mask_right == 0

    @property
    def mask(self) -> str:
        if self.mask_left is None and self.mask_right is None:
            return "full"
        if self.is_causal:
            return "causal"
        ends = ("*" if end is None else str(end) for end in (self.mask_left, self.mask_right))
        return "window " + ",".join(ends)

    def visible(self, queries: int, keys: int) -> int:
        """(query, key) pairs that the mask leaves."""
        total = 0
        for row in range(queries):
            centre = row + keys - queries
            low = 0 if self.mask_left is None else max(0, centre - self.mask_left)
            high = keys - 1 if self.mask_right is None else min(keys - 1, centre + self.mask_right)
            total += max(0, high - low + 1)
        return total

    def flops(self, batch: int, queries: int, keys: int) -> float:
        """Of the two products, the usual count."""
        visible = self.visible(queries, keys)
        return 2.0 * batch * self.query_heads * visible * (self.head_dim + self.value_dim)


@dataclass
class Spec:
    """A manifest, and which argument plays which role in the attention."""

    path: pathlib.Path
    entry: str
    target: str
    kernels: list[dict]
    parameters: list[Parameter]
    ranges: list[dict]
    attention: Attention
    roles: dict[str, int] = field(default_factory=dict)
    """query, key, value, lambda, output, lse, noise: position of the argument."""

    @property
    def dtype(self) -> str:
        return self.parameter("query").dtype

    @property
    def name(self) -> str:
        a = self.attention
        dim = f"d{a.head_dim}" + (f"/{a.value_dim}" if a.value_dim != a.head_dim else "")
        parts = [self.dtype, dim, f"{a.query_heads}/{a.kv_heads}", a.mask]
        if a.softcap:
            parts.append(f"softcap {a.softcap:g}")
        if not a.differential:
            parts.append("plain")
        parts += [role for role in ("lse", "noise") if role in self.roles]
        return " ".join(parts)

    @property
    def symbols(self) -> list[str]:
        return [kernel["name"] for kernel in self.kernels]

    def parameter(self, role: str) -> Parameter:
        return self.parameters[self.roles[role]]

    def shapes(self, batch: int, queries: int, keys: int) -> dict[str, tuple[int, ...]]:
        a = self.attention
        shapes = {
            "query": (batch, queries, a.query_heads, a.head_dim),
            "key": (batch, keys, a.kv_heads, a.head_dim),
            "value": (batch, keys, a.kv_heads, a.value_dim),
            "lambda": (batch, queries, a.output_heads),
            "output": (batch, queries, a.output_heads, a.value_dim),
            "lse": (batch, a.query_heads, queries),
            "noise": (batch, queries, a.output_heads, a.value_dim),
        }
        return {role: shapes[role] for role in self.roles}

    def serves(self, batch: int, queries: int, keys: int) -> bool:
        """Do static sizes and preconditions allow these sizes?"""
        shapes = self.shapes(batch, queries, keys)
        by_position = {self.roles[role]: shape for role, shape in shapes.items()}
        for position, shape in by_position.items():
            for size, static in zip(shape, self.parameters[position].shape):
                if static is not None and size != static:
                    return False
        for entry in self.ranges:
            size = by_position[entry["argument"]][entry["dim"]]
            if not entry.get("min", 0) <= size <= entry.get("max", size):
                return False
            if size % entry.get("multiple", 1):
                return False
        return True


class ManifestError(Exception):
    """One sentence about a manifest."""


def assign_roles(parameters: list[Parameter], differential: bool) -> dict[str, int]:
    """Roles by order and rank: the compiler keeps the operator's order."""
    reads = [i for i, p in enumerate(parameters) if p.access == "read"]
    writes = [i for i, p in enumerate(parameters) if p.access != "read"]
    names = ["query", "key", "value"] + ["lambda"] * differential
    if len(reads) != len(names):
        raise ManifestError(f"it reads {len(reads)} arguments, expected {', '.join(names)}")
    roles = dict(zip(names, reads))
    for i in writes:
        if len(parameters[i].shape) == 3:
            role = "lse"
        else:
            role = "noise" if "output" in roles else "output"
        if role in roles:
            raise ManifestError("it writes more than an output, an lse and a noise branch")
        roles[role] = i
    if "output" not in roles:
        raise ManifestError("it writes no output")
    return roles


def read_manifest(path: pathlib.Path) -> Spec:
    """Reads what the harness needs; the runtime checks the rest."""
    data = json.loads(path.read_text())
    facts = data.get("attention")
    if not isinstance(facts, dict):
        raise ManifestError(f"{path}: it has no object 'attention' that says what it computes")
    known = {key: facts[key] for key in Attention.__dataclass_fields__ if key in facts}
    known["softcap"] = known.get("softcap") or 0.0
    fields = Parameter.__dataclass_fields__
    parameters = [
        Parameter(**{key: tuple(value) if key == "shape" else value
                     for key, value in entry.items() if key in fields})
        for entry in data["parameters"]
    ]  # fmt: skip
    try:
        attention = Attention(**known)
        roles = assign_roles(parameters, attention.differential)
    except (TypeError, ManifestError) as error:
        raise ManifestError(f"{path}: {error}") from error
    ranges = [entry for entry in data.get("preconditions", []) if "argument" in entry]
    return Spec(path, data["entry"], data["target"], data["kernels"], parameters, ranges,
                attention, roles)  # fmt: skip


def find_specs(folders: list[str]) -> list[Spec]:
    """All manifests of kernels under the folders (or files), sorted by path."""
    paths: set[pathlib.Path] = set()
    for folder in map(pathlib.Path, folders):
        paths |= {folder} if folder.is_file() else set(folder.rglob("*.json"))
    specs = []
    for path in sorted(paths):
        data = json.loads(path.read_text())
        if isinstance(data, dict) and "kernels" in data and "parameters" in data:
            specs.append(read_manifest(path))
    if not specs:
        raise ManifestError(f"there is no manifest in {' '.join(map(str, folders))}")
    return specs


class TensorStruct(ctypes.Structure):
    """DiffAttnTensor of Runtime.h."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("sizes", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("rank", ctypes.c_uint32),
        ("dtype", ctypes.c_uint32),
    ]


class RuntimeFailure(Exception):
    """A sentence of the runtime, and its DiffAttnStatus."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class Runtime:
    """libdiffattn_runtime.so; `driver` names another CUDA driver."""

    def __init__(self, library: str, driver: str | None = None):
        self.api = api = ctypes.CDLL(str(library))
        api.diffattnGetLastError.restype = ctypes.c_char_p
        pointer, size = ctypes.c_void_p, ctypes.c_size_t
        api.diffattnDriverLoad.argtypes = [ctypes.c_char_p, ctypes.POINTER(pointer)]
        api.diffattnProgramLoad.argtypes = [
            pointer, ctypes.POINTER(ctypes.c_char_p), size, ctypes.POINTER(pointer)
        ]  # fmt: skip
        api.diffattnProgramLaunch.argtypes = [pointer, ctypes.POINTER(TensorStruct), size, pointer]
        api.diffattnProgramRelease.argtypes = [pointer]
        api.diffattnProgramRelease.restype = None
        self.driver = pointer()
        if driver:
            self.check(api.diffattnDriverLoad(str(driver).encode(), ctypes.byref(self.driver)))

    def check(self, status: int) -> None:
        if status:
            raise RuntimeFailure(status, self.api.diffattnGetLastError().decode())

    def load(self, *paths: pathlib.Path) -> Program:
        return Program(self, paths)


class Program:
    """A loaded program: variants of one entry."""

    def __init__(self, runtime: Runtime, paths: tuple[pathlib.Path, ...]):
        self.runtime = runtime
        self.handle = ctypes.c_void_p()
        names = (ctypes.c_char_p * len(paths))(*(str(path).encode() for path in paths))
        api = runtime.api
        runtime.check(
            api.diffattnProgramLoad(runtime.driver, names, len(paths), ctypes.byref(self.handle))
        )

    def __del__(self):
        if self.handle:
            self.runtime.api.diffattnProgramRelease(self.handle)

    def bind(self, *tensors: object) -> Launch:
        return Launch(self, tensors)


class Launch:
    """A program with its arguments; calling it launches on a stream."""

    def __init__(self, program: Program, tensors: tuple):
        self.program, self.tensors = program, tensors
        self.structs = (TensorStruct * len(tensors))()
        self.arrays = []
        for struct, tensor in zip(self.structs, tensors):
            rank = len(tensor.shape)
            array = ctypes.c_int64 * rank
            sizes, strides = array(*tensor.shape), array(*tensor.stride())
            self.arrays.append((sizes, strides))
            struct.data = tensor.data_ptr()
            struct.sizes, struct.strides = sizes, strides
            struct.rank, struct.dtype = rank, DTYPES.index(dtype_name(tensor.dtype))
        self.function = program.runtime.api.diffattnProgramLaunch

    def __call__(self, stream: int = 0) -> None:
        status = self.function(self.program.handle, self.structs, len(self.tensors), stream)
        if status:
            self.program.runtime.check(status)
