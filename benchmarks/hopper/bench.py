"""The forward kernel of test/Dialect/Tile/Hopper beside its hand-made model.

  bench.py check                numerics against float64, repeats, guard bands
  bench.py time [SHAPE...]      interleaved sustained rounds, whole job

bin/ holds forward-d128.cubin (from the tile dialect) and, to compare with,
prototype.cubin; FlashAttention 4 takes part if it can be imported. Needs a
GPU of class sm_90a, PyTorch and the CUDA driver.
"""

import ctypes
import json
import math
import os
import statistics
import sys
import time

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.environ.get("OUT", ".")
DEVICE = "cuda"
HEAD_DIM = 128
TILE = 96  # queries of a thread block
LOG2E = 1.4426950408889634

# name: batch, queries, keys, pairs of heads, key heads, causal
SHAPES = {
    "16k-full": (1, 16384, 16384, 16, 8, False),
    "4k-full": (4, 4096, 4096, 16, 8, False),
    "2k-full": (8, 2048, 2048, 16, 8, False),
    "16k-causal": (1, 16384, 16384, 16, 8, True),
    "4k-causal": (4, 4096, 4096, 16, 8, True),
}
CHECKS = [
    (2, 1024, 1024, 16, 8),
    (1, 1000, 1000, 16, 8),
    (1, 4097, 4097, 16, 8),
    (2, 1024, 1024, 12, 2),
    (1, 77, 77, 6, 1),
    (1, 200, 1111, 16, 8),
    (1, 13, 500, 12, 2),
    (1, 333, 1, 4, 2),
    (1, 96, 80, 4, 2),
]


class Driver:
    """The few driver calls that PyTorch does not offer."""

    def __init__(self):
        torch.zeros(1, device=DEVICE)
        self.lib = ctypes.CDLL("libcuda.so.1")

    def __getattr__(self, name):
        function = getattr(self.lib, name)

        def call(*args):
            status = function(*args)
            if status:
                text = ctypes.c_char_p()
                self.lib.cuGetErrorString(status, ctypes.byref(text))
                raise RuntimeError(f"{name}: {(text.value or b'?').decode()}")

        return call

    def function(self, path, entry, shared):
        module, function = ctypes.c_void_p(), ctypes.c_void_p()
        self.cuModuleLoadData(ctypes.byref(module), open(path, "rb").read())
        self.cuModuleGetFunction(ctypes.byref(function), module, entry.encode())
        self.cuFuncSetAttribute(function, 8, shared)  # dynamic shared memory
        return function


class TensorMap(ctypes.Structure):
    _fields_ = [("words", ctypes.c_uint64 * 16)]


def tensor_map(driver, tensor, box):
    """Of a (batch, token, head, channel) tensor, seen as channel, token, head, batch."""
    batch, tokens, heads, channels = tensor.shape
    strides = tensor.stride()
    space = ctypes.create_string_buffer(192)
    aligned = (ctypes.addressof(space) + 63) & ~63
    u64, u32 = ctypes.c_uint64, ctypes.c_uint32
    driver.cuTensorMapEncodeTiled(
        ctypes.c_void_p(aligned), 9, 4, ctypes.c_void_p(tensor.data_ptr()),
        (u64 * 4)(channels, tokens, heads, batch),
        (u64 * 3)(strides[1] * 2, strides[2] * 2, strides[0] * 2),
        (u32 * 4)(*box), (u32 * 4)(1, 1, 1, 1), 0, 3, 3, 0)
    result = TensorMap()
    ctypes.memmove(ctypes.addressof(result), aligned, 128)
    return result


def memref(tensor):
    """The exploded descriptor: two pointers, offset, sizes, strides."""
    pointer = tensor.data_ptr()
    return [ctypes.c_void_p(pointer), ctypes.c_void_p(pointer), ctypes.c_int64(0),
            *map(ctypes.c_int64, tensor.shape), *map(ctypes.c_int64, tensor.stride())]


class Kernel:
    def launcher(self, arguments, grid, keep):
        array = (ctypes.c_void_p * len(arguments))(
            *[ctypes.cast(ctypes.pointer(a), ctypes.c_void_p) for a in arguments])

        def launch(keep=(arguments, keep)):
            stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
            self.driver.cuLaunchKernel(self.function, grid, 1, 1, 512, 1, 1, self.shared,
                                       stream, array, None)

        return launch


class TileKernel(Kernel):
    """forward-d128.mlir (full) or causal-d128.mlir."""

    def __init__(self, driver, causal=False):
        self.driver, self.shared, self.causal = driver, 223424, causal
        name = "causal-d128" if causal else "forward-d128"
        self.function = driver.function(f"{HERE}/bin/{name}.cubin", "forward", self.shared)
        self.counters = torch.zeros(2, dtype=torch.int32, device=DEVICE)

    def plan(self, q, k, v, lam, out, causal):
        assert causal == self.causal
        pairs = q.shape[2] // 2
        tiles = -(-q.shape[1] // TILE) * pairs * q.shape[0]
        arguments = [
            tensor_map(self.driver, q, (64, 8, 2, 1)),
            tensor_map(self.driver, k, (64, 80, 1, 1)),
            tensor_map(self.driver, v, (64, 80, 1, 1)),
            *memref(lam), *memref(out)]
        if causal:
            arguments += memref(self.counters)
        arguments += [ctypes.c_int32(k.shape[1]), ctypes.c_int32(pairs // k.shape[2]),
                      ctypes.c_float(LOG2E / math.sqrt(HEAD_DIM))]
        if causal:
            arguments.append(ctypes.c_int32(section(q.shape[0], pairs, k)))
        return self.launcher(arguments, min(SMS, tiles), (q, k, v, lam, out))


def section(batch, pairs, k):
    """Pairs of heads that run side by side: their keys and values fit in the L2 cache."""
    size = max(1, int(24 * 2**20 / (k.shape[1] * 4 * HEAD_DIM) * (pairs // k.shape[2])))
    while batch * pairs % size:
        size -= 1
    return size


class PrototypeParameters(ctypes.Structure):
    _fields_ = ([(n, ctypes.c_void_p) for n in ("out", "lam", "counters")]
                + [(n, ctypes.c_int) for n in ("queries", "keys", "pairs", "group", "tiles", "pad",
                                               "diagonal", "causal", "section", "total", "dynamic")]
                + [("scale", ctypes.c_float), ("profile", ctypes.c_void_p)])


class Prototype(Kernel):
    def __init__(self, driver):
        self.driver, self.shared = driver, 223232
        self.function = driver.function(f"{HERE}/bin/prototype.cubin", "diffattn", self.shared)
        self.counters = torch.zeros(2, dtype=torch.int32, device=DEVICE)

    def plan(self, q, k, v, lam, out, causal):
        (batch, queries, heads, _), (keys, key_heads) = q.shape, k.shape[1:3]
        pairs = heads // 2
        tiles = -(-queries // TILE)
        parameters = PrototypeParameters(
            out.data_ptr(), lam.data_ptr(), self.counters.data_ptr(), queries, keys, pairs,
            pairs // key_heads, tiles, tiles * TILE - queries if causal else 0, keys - queries,
            int(causal), section(batch, pairs, k) if causal else 1, tiles * pairs * batch,
            int(causal), LOG2E / math.sqrt(HEAD_DIM), None)
        arguments = [tensor_map(self.driver, q, (64, 8, 2, 1)),
                     tensor_map(self.driver, k, (64, 80, 1, 1)),
                     tensor_map(self.driver, v, (64, 80, 1, 1)), parameters]
        return self.launcher(arguments, min(SMS, parameters.total), (q, k, v, lam, out))


def inputs(batch, queries, keys, pairs, key_heads, seed=0):
    generator = torch.Generator(device=DEVICE)
    generator.manual_seed(seed)

    def random(*shape):
        return torch.randn(*shape, device=DEVICE, generator=generator).bfloat16()

    return (random(batch, queries, 2 * pairs, HEAD_DIM), random(batch, keys, key_heads, HEAD_DIM),
            random(batch, keys, key_heads, HEAD_DIM), random(batch, queries, pairs))


def subtract(heads, lam):
    return heads[:, :, 0::2] - torch.sigmoid(lam)[..., None] * heads[:, :, 1::2]


def reference(q, k, v, lam, causal):
    """In float64, one head at a time."""
    queries, keys, group = q.shape[1], k.shape[1], q.shape[2] // k.shape[2]
    heads = torch.empty(q.shape, device=DEVICE, dtype=torch.float64)
    visible = torch.ones(queries, keys, device=DEVICE, dtype=torch.bool)
    if causal:
        visible = visible.tril(keys - queries)
    for b in range(q.shape[0]):
        for i in range(q.shape[2]):
            scores = q[b, :, i].double() @ k[b, :, i // group].double().T / math.sqrt(HEAD_DIM)
            scores.masked_fill_(~visible, -math.inf)
            heads[b, :, i] = torch.softmax(scores, -1).nan_to_num(0) @ v[b, :, i // group].double()
    return subtract(heads, lam.double())


def check(driver):
    failures, guard = 0, 4096
    variants = [(False, "tile", TileKernel(driver)), (False, "prototype", Prototype(driver))]
    if os.path.exists(f"{HERE}/bin/causal-d128.cubin"):
        variants += [(True, "tile", TileKernel(driver, True)), (True, "prototype", Prototype(driver))]
    for shape in CHECKS:
        data = inputs(*shape, seed=shape[1])
        for causal in (False, True):
            expected = None
            for mask, name, kernel in variants:
                if mask != causal:
                    continue
                if expected is None:
                    expected = reference(*data, causal)
                # Poison around and in the output; sixteen runs must agree bit for bit.
                space = torch.full((expected.numel() + 2 * guard,), math.nan, device=DEVICE,
                                   dtype=torch.bfloat16)
                space[:guard] = space[-guard:] = 7
                out = space[guard:-guard].view(expected.shape)
                launch = kernel.plan(*data, out, causal)
                launch()
                torch.cuda.synchronize()
                first = out.clone()
                same = True
                for _ in range(15):
                    out.fill_(math.nan)
                    launch()
                    torch.cuda.synchronize()
                    same &= torch.equal(first, out)
                error = float((first.double() - expected).norm() / expected.norm())
                intact = bool((space[:guard] == 7).all() and (space[-guard:] == 7).all())
                good = error < 6e-3 and same and intact
                failures += not good
                print(f"{shape} {'causal' if causal else 'full'} {name}: error {error:.2e} "
                      f"{'ok' if good else f'FAILED same={same} guards={intact}'}", flush=True)
    print("check", "FAILED" if failures else "ok", flush=True)
    return failures


def sustained(call, seconds):
    """Seconds a call, over the last 70% of a stretch that heats the chip."""
    def event():
        return torch.cuda.Event(enable_timing=True)

    a, b = event(), event()
    call()
    a.record()
    call()
    call()
    b.record()
    torch.cuda.synchronize()
    count = max(4, int(seconds / (a.elapsed_time(b) / 2e3)))
    skip = int(count * 0.3)
    a, b = event(), event()
    for i in range(count):
        if i == skip:
            a.record()
        call()
    b.record()
    torch.cuda.synchronize()
    return a.elapsed_time(b) / 1e3 / (count - skip)


def time_shapes(driver, names, rounds=7, seconds=0.5):
    try:
        from flash_attn.cute import flash_attn_func
    except Exception as error:  # an import may fail in many ways
        flash_attn_func = None
        print("no FlashAttention 4:", repr(error)[:120], flush=True)
    compiled = torch.compile(subtract, dynamic=False) if flash_attn_func else None
    for name in names:
        batch, queries, keys, pairs, key_heads, causal = SHAPES[name]
        if causal and not os.path.exists(f"{HERE}/bin/causal-d128.cubin"):
            continue
        data = inputs(batch, queries, keys, pairs, key_heads)
        q, k, v, lam = data
        outputs = [torch.empty(batch, queries, pairs, HEAD_DIM, device=DEVICE, dtype=torch.bfloat16)
                   for _ in range(2)]
        calls = {"tile": TileKernel(driver, causal).plan(*data, outputs[0], causal),
                 "prototype": Prototype(driver).plan(*data, outputs[1], causal)}
        for call in calls.values():
            call()
        torch.cuda.synchronize()
        difference = (outputs[0].double() - outputs[1].double()).norm() / outputs[1].double().norm()
        if flash_attn_func:
            def flash():
                heads = flash_attn_func(q, k, v, causal=causal)
                return compiled(heads[0] if isinstance(heads, tuple) else heads, lam)
            try:
                flash()
                calls["fa4"] = flash
            except Exception as error:
                print("FlashAttention 4 failed:", repr(error)[:120], flush=True)
        times = {n: [] for n in calls}
        sustained(calls["prototype"], seconds)
        for _ in range(rounds):
            for n, call in calls.items():
                times[n].append(sustained(call, seconds))
        flops = 4.0 * batch * 2 * pairs * queries * keys * HEAD_DIM / (2 if causal else 1)
        rates = {n: [flops / t / 1e12 for t in ts] for n, ts in times.items()}
        medians = {n: statistics.median(r) for n, r in rates.items()}
        line = " | ".join(f"{n} {medians[n]:.1f} [{min(r):.0f}-{max(r):.0f}]"
                          for n, r in rates.items())
        ratios = " ".join(f"x {n} {medians['tile'] / medians[n]:.3f}" for n in medians if n != "tile")
        print(f"{name}: {line} TFLOP/s || tile {ratios} || difference {difference:.1e}", flush=True)
        with open(f"{OUT}/hopper.jsonl", "a") as file:
            file.write(json.dumps({"shape": name, "tflops": rates}) + "\n")


if __name__ == "__main__":
    DRIVER = Driver()
    SMS = torch.cuda.get_device_properties(0).multi_processor_count
    if sys.argv[1:2] == ["time"]:
        time_shapes(DRIVER, sys.argv[2:] or list(SHAPES))
    else:
        sys.exit(1 if check(DRIVER) else 0)
