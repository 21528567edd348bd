# Part of the diffattn project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What compiled kernels are compared with: fast attention over 2h heads, then
the subtraction as a compiled kernel of its own.

A peer is a function of an attention and its inputs. It returns a Side, or None
where it does not apply, and raises where it is not installed.
"""

from __future__ import annotations

import importlib.util
import math
import os
import pathlib

import torch
import torch._dynamo
import torch.nn.functional as F

import operator_reference as ref
from kernels import Attention
from timing import Side

# JAX takes most of the GPU's memory otherwise.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
# More shapes than this are run uncompiled, without a word.
torch._dynamo.config.recompile_limit = 256


def combine_tokens(branches: torch.Tensor, lam: torch.Tensor) -> torch.Tensor:
    return ref.combine(branches, lam)


compiled_combine = torch.compile(combine_tokens, dynamic=False)


def subtract(branches: torch.Tensor, lam: torch.Tensor) -> torch.Tensor:
    """On (tokens, heads, dim), so that few shapes are compiled."""
    if not branches.is_contiguous():  # reshaping must not copy
        return compiled_combine(branches, lam)
    tokens = branches.shape[0] * branches.shape[1]
    out = compiled_combine(branches.reshape(tokens, *branches.shape[2:]), lam.reshape(tokens, -1))
    return out.view(*branches.shape[:2], *out.shape[1:])


def whole_job(a: Attention, attend, inputs: dict) -> Side:
    """`attend` computes the branches of (query, key, value)."""
    query, key, value = (inputs[role] for role in ("query", "key", "value"))
    if not a.differential:
        return Side(lambda: attend(query, key, value))
    return Side(lambda: subtract(attend(query, key, value), inputs["lambda"]))


def window_of(a: Attention, unlimited) -> tuple:
    """Keys to the left and right that FlashAttention's interfaces take."""
    if a.is_causal or a.mask == "full":
        return unlimited, unlimited
    return tuple(unlimited if end is None else end for end in (a.mask_left, a.mask_right))


def fa2(a: Attention, inputs: dict) -> Side | None:
    """PyTorch's FlashAttention-2."""
    if a.softcap:
        return None
    return whole_job(a, lambda *qkv: ref.flash_branches(a, *qkv), inputs)


def cudnn(a: Attention, inputs: dict) -> Side | None:
    from torch.nn.attention import SDPBackend, sdpa_kernel

    if a.mask not in ("full", "causal") or a.softcap:
        return None

    def attend(*qkv):
        with sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
            branches = F.scaled_dot_product_attention(
                *(t.transpose(1, 2) for t in qkv),
                is_causal=a.is_causal, scale=a.score_scale, enable_gqa=True,
            )  # fmt: skip
        return branches.transpose(1, 2)

    return whole_job(a, attend, inputs)


def fa4(a: Attention, inputs: dict) -> Side | None:
    """FlashAttention-4, written in the CuTe DSL, which compiles at the first call."""
    from flash_attn.cute import flash_attn_func

    if a.softcap:
        return None
    options = {
        "softmax_scale": a.score_scale,
        "causal": a.is_causal,
        "window_size": window_of(a, None),
    }

    def attend(*qkv):
        result = flash_attn_func(*qkv, **options)
        return result[0] if isinstance(result, tuple) else result

    return whole_job(a, attend, inputs)


def jax_side(function, *tensors) -> Side:
    """A JAX function of PyTorch's tensors. JAX has a stream of its own, and the
    results say when they are ready."""
    import jax

    arrays = [jax.numpy.from_dlpack(tensor) for tensor in tensors]
    compiled = jax.jit(function)
    return Side(lambda: compiled(*arrays), lambda result: result.block_until_ready())


def fa3(a: Attention, inputs: dict) -> Side | None:
    """FlashAttention-3, from JAX: it has no wheel for PyTorch."""
    import flash_attn3_jax
    import jax

    if a.softcap or a.head_dim != 128:  # the wheel has no other kernels
        return None
    options = {
        "softmax_scale": a.score_scale,
        "is_causal": a.is_causal,
        "window_size": window_of(a, -1),
    }

    def job(query, key, value, *lam):
        branches = flash_attn3_jax.flash_mha(query, key, value, **options)
        if not a.differential:
            return branches
        wide = branches.astype(jax.numpy.float32)
        gate = jax.nn.sigmoid(lam[0].astype(jax.numpy.float32))[..., None]
        return (wide[:, :, 0::2] - gate * wide[:, :, 1::2]).astype(branches.dtype)

    return jax_side(job, *inputs.values())


def flex(a: Attention, inputs: dict) -> Side | None:
    """PyTorch's FlexAttention, compiled for the mask."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    if a.softcap:
        return None
    queries, keys = inputs["query"].shape[1], inputs["key"].shape[1]

    def visible(batch, head, query, key):
        centre = query + (keys - queries)
        seen = key >= 0
        if a.mask_left is not None:
            seen = seen & (key >= centre - a.mask_left)
        if a.mask_right is not None:
            seen = seen & (key <= centre + a.mask_right)
        return seen

    blocks = None
    if a.mask != "full":
        blocks = create_block_mask(visible, None, None, queries, keys, device="cuda")
    compiled = torch.compile(flex_attention, dynamic=False)

    def attend(*qkv):
        heads = (t.transpose(1, 2) for t in qkv)
        branches = compiled(*heads, block_mask=blocks, scale=a.score_scale, enable_gqa=True)
        return branches.transpose(1, 2)

    return whole_job(a, attend, inputs)


def mosaic(a: Attention, inputs: dict) -> Side | None:
    """Mosaic GPU's attention as JAX ships it: f16, without the subtraction. It
    does less than the job, and is shown only."""
    from jax.experimental.pallas.ops.gpu import attention_mgpu

    if a.mask not in ("full", "causal") or a.softcap or a.head_dim not in (64, 128):
        return None
    config = attention_mgpu.TuningConfig(
        block_q=64, block_kv=128, max_concurrent_steps=2, use_schedule_barrier=True,
        causal=a.is_causal,
    )  # fmt: skip
    halves = (inputs[role].to(torch.float16) for role in ("query", "key", "value"))
    return jax_side(lambda *qkv: attention_mgpu.attention(*qkv, config), *halves)


def prototype_in(folder: pathlib.Path):
    """The hand-made kernel (d=128) in bin/prototype.cubin, as a peer;
    benchmarks/hopper knows how to launch it."""
    path = pathlib.Path(__file__).resolve().parents[1] / "hopper" / "bench.py"
    spec = importlib.util.spec_from_file_location("hopper_bench", path)
    hopper = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hopper)
    hopper.HERE = str(folder)

    def peer(a: Attention, inputs: dict) -> Side | None:
        if (a.head_dim, a.value_dim) != (128, 128) or a.mask not in ("full", "causal"):
            return None
        hopper.SMS = torch.cuda.get_device_properties(0).multi_processor_count
        output = torch.full_like(inputs["query"][:, :, 0::2], math.nan).contiguous()
        kernel = hopper.Prototype(hopper.Driver())
        launch = kernel.plan(*inputs.values(), output, a.is_causal)
        return Side(lambda: (launch(), output)[1])

    return peer


PEERS = {"fa4": fa4, "fa3": fa3, "cudnn": cudnn, "fa2": fa2, "flex": flex, "mosaic": mosaic}
OTHER_JOB = {"mosaic"}
SHOWN_ONLY = OTHER_JOB | {"prototype"}
"""Best peer is none of them."""
