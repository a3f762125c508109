# SPDX-License-Identifier: MIT
"""Piecewise linear operators of models, written as layers; shared by the model readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..layers import Concat, Maxout, Permute, Pointwise, absolute, hard_tanh, relu
from ._linear import per_channel, scale
from ._tape import FloatArray, Tape, Tensor


def pointwise(
    tape: Tape,
    tensor: Tensor,
    breakpoints: Sequence[FloatArray | float],
    slopes: Sequence[FloatArray | float],
    value_at_zero: FloatArray | float = 0.0,
) -> Tensor:
    """Apply an activation; every parameter is a number or broadcasts to the tensor's shape."""
    params = [np.asarray(p, dtype=np.float64) for p in (*breakpoints, *slopes, value_at_zero)]
    for param in params:
        if not np.isfinite(param).all():
            tape.refuse("its activation has parameters that are not finite")
    try:
        shape = np.broadcast_shapes(tensor.shape, *(p.shape for p in params))
    except ValueError:
        tape.refuse(f"its constants do not broadcast with a tensor of shape {tensor.shape}")
    tensor = tape.broadcast(tensor, shape)
    k = len(breakpoints)
    slot, rows = per_channel(tape, tensor, *params)
    if all((row == row[0]).all() for row in rows):
        numbers = [float(row[0]) for row in rows]
        options: dict[str, Any] = {
            "breakpoints": numbers[:k],
            "slopes": numbers[k:-1],
            "value_at_zero": numbers[-1],
        }
    else:
        options = {
            "breakpoints": np.stack(rows[:k], axis=1),
            "slopes": np.stack(rows[k:-1], axis=1),
            "value_at_zero": rows[-1],
        }
    return Tensor(tape.push(Pointwise, (slot,), tape.shapes[slot], **options), tensor.shape)


def rectify(tape: Tape, tensor: Tensor) -> Tensor:
    """Apply max(x, 0)."""
    return Tensor(tape.push(relu, (tensor.slot,), tape.shapes[tensor.slot]), tensor.shape)


def absolute_value(tape: Tape, tensor: Tensor) -> Tensor:
    """Apply |x|."""
    return Tensor(tape.push(absolute, (tensor.slot,), tape.shapes[tensor.slot]), tensor.shape)


def leaky(tape: Tape, tensor: Tensor, slope: npt.ArrayLike) -> Tensor:
    """Apply x for x > 0, slope * x below; the slope may vary (PReLU)."""
    return pointwise(tape, tensor, [0.0], [np.asarray(slope, dtype=np.float64), 1.0])


def clip(tape: Tape, tensor: Tensor, low: float | None, high: float | None) -> Tensor:
    """Clip to [low, high]; a bound that is None or infinite is no bound."""
    low = -np.inf if low is None else float(low)
    high = np.inf if high is None else float(high)
    if np.isnan(low) or np.isnan(high) or low == np.inf or high == -np.inf:
        tape.refuse(f"cannot clip to [{low}, {high}]")
    if low >= high:
        # Both bounds are applied in this order by the frameworks: the upper one wins.
        return scale(tape, tensor, 0.0, high)
    if np.isfinite(low) and np.isfinite(high):
        shape = tape.shapes[tensor.slot]
        slot = tape.push(hard_tanh, (tensor.slot,), shape, min_value=low, max_value=high)
        return Tensor(slot, tensor.shape)
    if np.isfinite(low):
        return maximum_with(tape, tensor, np.asarray(low))
    if np.isfinite(high):
        return minimum_with(tape, tensor, np.asarray(high))
    return tensor


def maximum_with(tape: Tape, tensor: Tensor, constant: FloatArray) -> Tensor:
    """Apply max(x, constant)."""
    if constant.size == 1 and not constant.any():
        return rectify(tape, tensor)
    return pointwise(tape, tensor, [constant], [0.0, 1.0], np.maximum(constant, 0.0))


def minimum_with(tape: Tape, tensor: Tensor, constant: FloatArray) -> Tensor:
    """Apply min(x, constant)."""
    return pointwise(tape, tensor, [constant], [1.0, 0.0], np.minimum(constant, 0.0))


def maximum_of(tape: Tape, tensors: Sequence[Tensor]) -> Tensor:
    """Return the largest of several computed tensors, entry by entry: a maxout."""
    same = tape.together(*tensors)
    if len(same) == 1:
        return same[0]
    n = same[0].size
    rank = len(same)
    # Maxout takes neighbours, so the tensors are laid side by side and then interleaved.
    if n > 1:
        rows = [tape.view(t.slot, (1, n)) for t in same]
        stacked = tape.push(Concat, rows, (rank, n))
        stacked = tape.push(Permute, (stacked,), (n, rank), order=(1, 0))
    else:
        stacked = tape.push(Concat, [tape.flat(t) for t in same], (rank,))
    slot = tape.push(Maxout, (tape.view(stacked, (n * rank,)),), (n,), rank=rank)
    return Tensor(slot, same[0].shape)


def minimum_of(tape: Tape, tensors: Sequence[Tensor]) -> Tensor:
    """Return the smallest of several computed tensors: -max(-x, -y)."""
    if len(tensors) == 1:
        return tensors[0]
    largest = maximum_of(tape, [scale(tape, t, -1.0, 0.0) for t in tensors])
    return scale(tape, largest, -1.0, 0.0)
