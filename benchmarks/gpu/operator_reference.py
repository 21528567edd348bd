# Part of the diffattn project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The operator in float64, its peers, and inputs that are hard to get right."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from kernels import Attention, Parameter, Spec

TORCH_DTYPES = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32}
SENTINEL = 7.0
"""What guard bands hold."""


def visible_mask(attention: Attention, queries: int, keys: int, device) -> torch.Tensor | None:
    """Booleans (queries, keys), or None where all keys are seen."""
    if attention.mask_left is None and attention.mask_right is None:
        return None
    centre = torch.arange(queries, device=device)[:, None] + keys - queries
    key = torch.arange(keys, device=device)[None, :]
    visible = torch.ones(queries, keys, dtype=torch.bool, device=device)
    if attention.mask_left is not None:
        visible &= key >= centre - attention.mask_left
    if attention.mask_right is not None:
        visible &= key <= centre + attention.mask_right
    return visible


def scores(attention: Attention, query: torch.Tensor, key: torch.Tensor,
           visible: torch.Tensor | None) -> torch.Tensor:  # fmt: skip
    """Scores of one head, in the arguments' dtype; -inf where masked."""
    result = query @ key.T * attention.score_scale
    if attention.softcap:
        result = attention.softcap * torch.tanh(result / attention.softcap)
    return result if visible is None else result.masked_fill(~visible, -math.inf)


def reference(attention: Attention, query, key, value, lam=None):
    """From the definition, in float64: (output, lse, branches (B, Nq, H, dv))."""
    batch, queries = query.shape[:2]
    keys, device = key.shape[1], query.device
    shape = (batch, queries, attention.query_heads, attention.value_dim)
    branches = torch.zeros(shape, dtype=torch.float64, device=device)
    lse = torch.full((batch, attention.query_heads, queries), math.inf, dtype=torch.float64,
                     device=device)  # fmt: skip
    visible = visible_mask(attention, queries, keys, device)
    for b in range(batch if keys else 0):
        for head in range(attention.query_heads):
            group = head // attention.group
            s = scores(attention, query[b, :, head].double(), key[b, :, group].double(), visible)
            row_lse = torch.logsumexp(s, -1)
            sees = row_lse > -math.inf
            weights = torch.softmax(s, -1).masked_fill(~sees[:, None], 0.0)
            branches[b, :, head] = weights @ value[b, :, group].double()
            lse[b, head] = torch.where(sees, row_lse, math.inf)
    if not attention.differential:
        return branches, lse, branches
    gate = torch.sigmoid(lam.double())[..., None]
    output = branches[:, :, 0::2] - gate * branches[:, :, 1::2]
    # A row without keys is 0 whatever lambda is.
    sees = (lse[:, 0] != math.inf)[:, :, None, None]
    return torch.where(sees, output, 0.0), lse, branches


def combine(branches: torch.Tensor, lam: torch.Tensor) -> torch.Tensor:
    """The second kernel of the peer: rounded branches, subtracted in f32, as a
    compiled pointwise kernel does it."""
    gate = torch.sigmoid(lam.float())[..., None]
    return (branches[..., 0::2, :].float() - gate * branches[..., 1::2, :].float()).to(
        branches.dtype
    )


def can_flash(attention: Attention, queries: int, keys: int) -> bool:
    return not attention.softcap and queries > 0 and keys > 0 and attention.head_dim <= 256


def flash_branches(attention: Attention, query, key, value) -> torch.Tensor:
    """PyTorch's FlashAttention-2, called below scaled_dot_product_attention: it
    takes the layout, grouped heads and windows as they are, with no copies."""
    dim = max(attention.head_dim, attention.value_dim)
    if attention.head_dim != attention.value_dim:  # zeros change neither product
        query, key, value = (F.pad(t, (0, dim - t.shape[-1])) for t in (query, key, value))
    causal = attention.is_causal
    window = {}
    if not causal and attention.mask != "full":
        window = {
            "window_size_left": -1 if attention.mask_left is None else attention.mask_left,
            "window_size_right": -1 if attention.mask_right is None else attention.mask_right,
        }
    branches = torch.ops.aten._flash_attention_forward(
        query, key, value, None, None, query.shape[1], key.shape[1], 0.0, causal, False,
        scale=attention.score_scale, **window,
    )[0]  # fmt: skip
    return branches[..., : attention.value_dim]


def emulated_branches(attention: Attention, query, key, value, rounded=True) -> torch.Tensor:
    """What such a kernel computes, where PyTorch's does not apply (softcap): f32
    scores, weights rounded to the dtype, f32 sums, one rounding (if `rounded`)."""
    dtype = query.dtype
    batch, queries, heads = query.shape[:3]
    branches = torch.zeros(batch, queries, heads, value.shape[-1], device=query.device)
    visible = visible_mask(attention, queries, key.shape[1], query.device)
    for b in range(batch if key.shape[1] else 0):
        for head in range(heads):
            group = head // attention.group
            s = scores(attention, query[b, :, head].float(), key[b, :, group].float(), visible)
            top = s.amax(-1, keepdim=True)
            weights = torch.exp(s - top.clamp(min=-3e38)).masked_fill(s == -math.inf, 0.0)
            total = weights.sum(-1, keepdim=True)
            product = weights.to(dtype).float() @ value[b, :, group].float()
            branches[b, :, head] = product / total.clamp(min=1e-30)
    return branches.to(dtype) if rounded else branches


# Inputs. -----------------------------------------------------------------------


def random_inputs(spec: Spec, batch: int, queries: int, keys: int, seed: int, device):
    """Standard normal arguments by role."""
    generator = torch.Generator(device=device).manual_seed(seed)
    shapes = spec.shapes(batch, queries, keys)
    return {
        role: torch.randn(shapes[role], generator=generator, device=device).to(
            TORCH_DTYPES[spec.parameter(role).dtype]
        )
        for role in ("query", "key", "value", "lambda")
        if role in spec.roles
    }


def make_large(inputs: dict, spec: Spec) -> None:
    """Scores up to several hundred: softmax is nearly one-hot."""
    for role in ("query", "key"):
        inputs[role] *= 8.0


def make_cancelling(inputs: dict, spec: Spec, mix: float = 0.988) -> None:
    """Branches that correlate at about 0.99, and sigmoid(lambda) >= 0.88."""
    query = inputs["query"].float()
    query[:, :, 1::2] = mix * query[:, :, 0::2] + math.sqrt(1 - mix**2) * query[:, :, 1::2]
    inputs["query"] = query.to(inputs["query"].dtype)
    inputs["lambda"] = inputs["lambda"].abs() + 2.0


def make_special_lambda(inputs: dict, spec: Spec) -> None:
    """Infinite, huge and NaN logits among ordinary ones."""
    flat = inputs["lambda"].view(-1)
    for i, value in enumerate((-math.inf, math.inf, math.nan, 1e4, -1e4)):
        flat[i::17] = value


# Placement. --------------------------------------------------------------------

LAYOUTS = ("packed", "cache", "fused", "transposed")
"""packed: dense. cache: a slice of longer sequences. fused: heads that are a
slice of a wider projection. transposed: heads before tokens in memory."""


class Placed:
    """A tensor as a view into memory that is otherwise full of a known value:
    inputs lie in NaN, so that what is read beside them shows; outputs in
    sentinels, so that what is written beside them shows. What may lie anywhere
    begins at an odd place, and so do its rows."""

    def __init__(self, parameter: Parameter, shape: tuple[int, ...], layout: str, device,
                 filler: float):  # fmt: skip
        quantum = parameter.quantum
        dtype = TORCH_DTYPES[parameter.dtype]
        round_up = lambda size: -(-size // quantum) * quantum
        # Sizes of the memory, in the order in which they lie there.
        order = list(range(len(shape)))
        sizes = list(shape)
        if layout == "cache":
            sizes[1] += 67
        elif layout == "fused":
            sizes[2] += 3 if len(shape) == 4 else quantum
        elif layout == "transposed" and len(shape) == 4:
            order[1], order[2] = order[2], order[1]
        strides = [0] * len(shape)
        stride = 1
        skew = 1 if quantum == 1 else 0
        for dim in reversed(order):
            strides[dim] = stride
            stride = round_up(stride * max(1, sizes[dim])) + skew
        guard = round_up(4096)
        self.storage = torch.full((guard + stride + guard,), filler, dtype=dtype, device=device)
        self.view = torch.as_strided(self.storage, shape, strides, guard + skew)
        self.before = None

    def fill(self, content: torch.Tensor | float) -> Placed:
        if isinstance(content, torch.Tensor):
            self.view.copy_(content)
        else:
            self.view.fill_(content)
        # Of the first time: a later one must not hide what was written since.
        if self.before is None:
            self.before = self.storage.clone()
        return self

    def bits(self) -> torch.Tensor:
        """The view's bits; NaN equals itself."""
        return bits(self.view.contiguous())

    def unchanged(self) -> bool:
        return torch.equal(bits(self.storage), bits(self.before))

    def unchanged_outside(self) -> bool:
        """Was everything but the view left alone?"""
        expected = self.before.clone()
        torch.as_strided(expected, self.view.shape, self.view.stride(),
                         self.view.storage_offset()).copy_(self.view)  # fmt: skip
        return torch.equal(bits(self.storage), bits(expected))


def bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.view(torch.int16 if tensor.dtype.itemsize == 2 else torch.int32)


def relative_error(actual: torch.Tensor, expected: torch.Tensor) -> float:
    norm = expected.norm()
    difference = (actual.double() - expected).norm()
    return float(difference / norm) if norm > 0 else float(difference)


def correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1])
