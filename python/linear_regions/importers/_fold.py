# SPDX-License-Identifier: MIT
"""Folding of per-channel scales into the linear layer before them, and what it rounds.

The network is certified as it stands, so a fold that rounds makes another network than the model
and must be said. A fold is exact more often than one would think: weights and factors that were
float32 have 24 significant bits, and a product of two of them fits the 53 bits of float64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..layers import Affine, Conv, Scale

if TYPE_CHECKING:
    from ._tape import Op

FloatArray = npt.NDArray[np.float64]


def significant_bits(values: FloatArray) -> npt.NDArray[np.int64]:
    """Return, entry by entry, how many bits the odd part of each number has (0 for zero).

    Examples
    --------
    >>> significant_bits(np.array([0.0, 4.0, 0.75, 0.1]))
    array([ 0,  1,  2, 52])
    """
    mantissa, _ = np.frexp(values)
    whole = np.abs(np.ldexp(mantissa, 53)).astype(np.int64)
    lowest = whole & -whole
    bits = np.zeros(whole.shape, dtype=np.int64)
    some = whole > 0
    bits[some] = 54 - np.frexp(lowest[some].astype(np.float64))[1]
    return bits


def product_is_exact(a: FloatArray, b: FloatArray) -> bool:
    """Tell whether a * b (broadcast) is surely exact; may say no where it happens to be."""
    with np.errstate(over="ignore", under="ignore"):
        product = a * b
    # Below 2^-900 the last bits of the product might fall off the end of the exponent range.
    normal = (product == 0.0) == ((a == 0.0) | (b == 0.0))
    normal &= np.isfinite(product) & ((product == 0.0) | (np.abs(product) > 2.0**-900))
    fits = significant_bits(a) + significant_bits(b) <= 53
    return bool(normal.all() and fits.all())


def sum_is_exact(a: FloatArray, b: FloatArray) -> bool:
    """Tell whether a + b (broadcast) is exact: the error term of the addition is zero."""
    total = a + b
    part = total - a
    return bool((((a - (total - part)) + (b - part)) == 0.0).all())


def fold_scales(ops: list[Op], output: int, fold: bool) -> int:
    """Fold each Scale into the Affine or Conv before it, in place; return the new output slot.

    Only where nobody else reads the layer before it. The folded scale stays in the list, unread;
    the caller drops it. A plain offset behind a layer without bias is part of that layer in every
    model format (matrix product, then add), so that it is joined always; anything else only with
    `fold`.
    """
    readers = [0] * (len(ops) + 1)
    for op in ops:
        for slot in op.inputs:
            readers[slot] += 1
    readers[output] += 1
    moved: dict[int, int] = {}
    for position, op in enumerate(ops):
        op.inputs = tuple(moved.get(slot, slot) for slot in op.inputs)
        if op.make is not Scale or not op.inputs[0]:
            continue
        before = ops[op.inputs[0] - 1]
        if before.make not in (Affine, Conv) or readers[op.inputs[0]] != 1:
            continue
        if not (fold or _is_plain_bias(before.options, op.options)):
            continue
        _fold_one(before, op)
        # The slot of the scale now is the slot of the layer before it, with the same readers.
        moved[position + 1] = op.inputs[0]
        readers[op.inputs[0]] = readers[position + 1]
    return moved.get(output, output)


def _is_plain_bias(before: dict[str, Any], scale: dict[str, Any]) -> bool:
    return bool((scale["weight"] == 1.0).all() and (before["bias"] == 0.0).all())


def _fold_one(before: Op, scale: Op) -> None:
    factor: FloatArray = scale.options["weight"]
    offset: FloatArray = scale.options["bias"]
    weight: FloatArray = before.options["weight"]
    bias: FloatArray = before.options["bias"]
    per_row = factor.reshape(-1, *(1,) * (weight.ndim - 1))
    exact = product_is_exact(weight, per_row) and product_is_exact(bias, factor)
    before.options["weight"] = weight * per_row
    scaled_bias = bias * factor
    exact = exact and sum_is_exact(scaled_bias, offset)
    before.options["bias"] = scaled_bias + offset
    if exact:
        before.rounding.extend(scale.rounding)
    else:
        before.rounding.append(f"{scale.label} folded into {before.label}, rounded to float64")
