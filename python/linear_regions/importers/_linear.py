# SPDX-License-Identifier: MIT
"""Linear operators of models, written as layers: what the ONNX and PyTorch readers share.

Every function takes the tape and computed tensors with the model's shapes, batch axis included,
and NumPy constants in float64. Nothing here rounds, except where a note is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from ..architecture import ConvSpec
from ..layers import AvgPool, Conv, MaxPool, Pad, Scale
from ._fold import product_is_exact
from ._tape import FloatArray, Shape, Tape, Tensor

Pair = tuple[int, int]

# Entries of all windows along one axis: a table of them is made, so a damaged file must not decide.
_MAX_WINDOWS = 1 << 26


def exact_float(tape: Tape, value: npt.ArrayLike, what: str) -> FloatArray:
    """Return a constant of the model as a finite float64 array; no number changes."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        tape.refuse(f"{what} has numbers of type {array.dtype}, expected real numbers")
    # A signalling NaN of a damaged file warns when it is converted; it is refused below.
    with np.errstate(invalid="ignore"):
        result = array.astype(np.float64)
    if not np.isfinite(result).all():
        tape.refuse(f"{what} has entries that are not finite")
    return result


def per_channel(tape: Tape, tensor: Tensor, *params: FloatArray) -> tuple[int, list[FloatArray]]:
    """Return a slot whose axis 0 tells the parameters apart, and each parameter along that axis.

    The parameters broadcast to the tensor's shape. Row-major order lets a leading block of axes
    act as channels; parameters that vary further inside need one channel per entry.
    """
    rank = len(tensor.shape)
    reduced = []
    for param in params:
        for axis in range(param.ndim):
            first = param.take([0], axis=axis)
            if param.shape[axis] > 1 and (param == first).all():
                param = first
        reduced.append(param.reshape((1,) * (rank - param.ndim) + param.shape))
    varying = [axis for axis in range(rank) if any(p.shape[axis] > 1 for p in reduced)]
    if not varying:
        channels = tape.shapes[tensor.slot][0]
        return tensor.slot, [np.full(channels, p.reshape(-1)[0]) for p in reduced]
    lead = tensor.shape[: varying[-1] + 1]
    rest = tuple(n for n in tensor.shape[len(lead) :] if n > 1)
    channels = prod(lead)
    values = [
        np.broadcast_to(p.reshape(p.shape[: len(lead)]), lead).reshape(channels) for p in reduced
    ]
    slot = tensor.slot
    if tape.shapes[slot][0] != channels:
        slot = tape.view(slot, (channels, *rest))
    return slot, values


def _fit(tape: Tape, tensor: Tensor, *params: FloatArray) -> Tensor:
    """Broadcast `tensor` so that the parameters broadcast to its shape."""
    try:
        shape = np.broadcast_shapes(tensor.shape, *(p.shape for p in params))
    except ValueError:
        shapes = ", ".join(str(p.shape) for p in params)
        tape.refuse(f"a constant of shape {shapes} does not broadcast with {tensor.shape}")
    return tape.broadcast(tensor, shape)


def scale(
    tape: Tape, tensor: Tensor, weight: npt.ArrayLike, bias: npt.ArrayLike, rounding: str = ""
) -> Tensor:
    """Multiply by `weight` and add `bias`, both constants that broadcast with the tensor."""
    w, b = np.asarray(weight, dtype=np.float64), np.asarray(bias, dtype=np.float64)
    tensor = _fit(tape, tensor, w, b)
    if (w == 1.0).all() and (b == 0.0).all():
        return tensor
    slot, (w, b) = per_channel(tape, tensor, w, b)
    made = tape.push(Scale, (slot,), tape.shapes[slot], weight=w, bias=b)
    if rounding:
        tape.note_rounding(made, f"{tape.label}: {rounding}")
    return Tensor(made, tensor.shape)


def divide(tape: Tape, tensor: Tensor, divisor: FloatArray) -> Tensor:
    """Divide by a constant: multiply by its inverse, which is exact for powers of two only."""
    if (divisor == 0.0).any():
        tape.refuse("it divides by zero")
    inverse = 1.0 / divisor
    exact = product_is_exact(divisor, inverse) and bool((divisor * inverse == 1.0).all())
    note = "" if exact else "division by a constant became a product with its rounded inverse"
    return scale(tape, tensor, inverse, 0.0, note)


def linear(tape: Tape, tensor: Tensor, weight: FloatArray, bias: FloatArray) -> Tensor:
    """Apply a fully connected layer, weight (n_out, n_in), along the last axis."""
    n_out, n_in = weight.shape
    if not tensor.shape or tensor.shape[-1] != n_in:
        tape.refuse(f"its weights expect {n_in} features, got a tensor of shape {tensor.shape}")
    if bias.size not in (1, n_out):
        tape.refuse(f"its bias has shape {bias.shape}, expected ({n_out},)")
    bias = np.broadcast_to(bias.reshape(-1), (n_out,))
    front, back = tape.to_front(tensor, len(tensor.shape) - 1)
    return back(tape.mix_rows(front, weight, bias))


def matmul_left(tape: Tape, weight: FloatArray, tensor: Tensor) -> Tensor:
    """Return weight @ tensor for a constant matrix or vector on the left."""
    as_vector, as_column = weight.ndim == 1, len(tensor.shape) == 1
    matrix = weight.reshape(1, -1) if as_vector else weight
    if matrix.ndim != 2 or not tensor.shape:
        tape.refuse(f"cannot multiply shapes {weight.shape} and {tensor.shape}")
    axis = 0 if as_column else len(tensor.shape) - 2
    if tensor.shape[axis] != matrix.shape[1]:
        tape.refuse(f"cannot multiply shapes {weight.shape} and {tensor.shape}")
    front, back = tape.to_front(tensor, axis)
    result = back(tape.mix_rows(front, matrix, np.zeros(len(matrix))))
    if as_vector:
        shape = tuple(n for a, n in enumerate(result.shape) if a != axis)
        result = tape.reshape(result, shape)
    return result


def matmul_right(tape: Tape, tensor: Tensor, weight: FloatArray) -> Tensor:
    """Return tensor @ weight for a constant matrix or vector on the right."""
    squeezed = weight.reshape(weight.shape[-2:]) if weight.size == prod(weight.shape[-2:]) else None
    if weight.ndim == 1:
        result = linear(tape, tensor, weight.reshape(1, -1), np.zeros(1))
        return tape.reshape(result, result.shape[:-1])
    if squeezed is None:
        tape.refuse(f"a stack of matrices, shape {weight.shape}, cannot be a layer")
    rank = max(weight.ndim, len(tensor.shape))
    if len(tensor.shape) > 1:
        tensor = tape.reshape(tensor, (1,) * (rank - len(tensor.shape)) + tensor.shape)
    return linear(tape, tensor, squeezed.T, np.zeros(1))


def _spatial(tape: Tape, tensor: Tensor, n_axes: int) -> tuple[int, Shape]:
    """Return (slot of shape (channels, *spatial), model axes before the channels)."""
    shape = tensor.shape
    if not 1 <= n_axes <= 3:
        tape.refuse(f"expected 1 to 3 spatial axes, got a tensor of shape {shape}")
    lead = shape[: -n_axes - 1]
    if len(shape) <= n_axes or len(lead) > 1 or prod(lead) != 1:
        tape.refuse(f"expected one sample of shape (1, channels, *spatial), got {shape}")
    return tape.view(tensor.slot, shape[len(lead) :]), lead


def simple_pads(pads: Sequence[Pair]) -> tuple[int, ...] | tuple[Pair, ...]:
    """Return one int per axis where before and after agree everywhere, else the pairs."""
    if all(before == after for before, after in pads):
        return tuple(before for before, _ in pads)
    return tuple((int(before), int(after)) for before, after in pads)


def conv(
    tape: Tape,
    tensor: Tensor,
    weight: FloatArray,
    bias: FloatArray | None,
    *,
    stride: Sequence[int],
    pads: Sequence[Pair],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """Convolve; weight (filters, channels // groups, *kernel)."""
    n_axes = weight.ndim - 2
    slot, lead = _spatial(tape, tensor, n_axes)
    if bias is None:
        bias = np.zeros(len(weight))
    options: dict[str, Any] = {
        "stride": tuple(stride),
        "padding": simple_pads(pads),
        "dilation": tuple(dilation),
        "groups": groups,
    }
    channels = tape.shapes[slot][0]
    if channels != weight.shape[1] * groups:
        tape.refuse(f"weight {weight.shape} with {groups} groups does not fit {channels} channels")
    spec = ConvSpec(len(weight), weight.shape[2:], **options)
    shape = spec.output_shape(tape.shapes[slot])
    made = tape.push(Conv, (slot,), shape, weight=weight, bias=bias.reshape(-1), **options)
    return Tensor(made, (*lead, *shape))


def batch_norm(
    tape: Tape,
    tensor: Tensor,
    gamma: FloatArray | None,
    beta: FloatArray | None,
    mean: FloatArray,
    variance: FloatArray,
    epsilon: float,
) -> Tensor:
    """Normalise by stored statistics, channels on axis 1: one scale and offset per channel."""
    channels = mean.size
    if len(tensor.shape) < 2 or tensor.shape[1] != channels:
        tape.refuse(f"its statistics are for {channels} channels, got a tensor {tensor.shape}")
    if (variance + epsilon <= 0.0).any():
        tape.refuse("a variance plus epsilon is not positive")
    weight = (1.0 if gamma is None else gamma) / np.sqrt(variance + epsilon)
    shift = mean * weight
    bias = (0.0 if beta is None else beta) - shift
    column = (channels,) + (1,) * (len(tensor.shape) - 2)
    return scale(
        tape,
        tensor,
        np.broadcast_to(weight, (channels,)).reshape(column),
        np.broadcast_to(bias, (channels,)).reshape(column),
        "scale and offset rounded to float64",
    )


def pool(
    tape: Tape,
    tensor: Tensor,
    kind: type[MaxPool] | type[AvgPool],
    kernel: Sequence[int],
    *,
    pads: Sequence[Pair],
    **options: Any,
) -> Tensor:
    """Pool; `options` are those of the layer (stride, dilation, ceil_mode, ...)."""
    slot, lead = _spatial(tape, tensor, len(kernel))
    for length, k, (before, after) in zip(tape.shapes[slot][1:], kernel, pads, strict=True):
        if k * (length + before + after) > _MAX_WINDOWS:
            tape.refuse(f"windows of {k} entries with padding {before, after} are too large")
    options = {"kernel_size": tuple(kernel), "padding": simple_pads(pads), **options}
    shape = kind(**options).output_shape(tape.shapes[slot])
    return Tensor(tape.push(kind, (slot,), shape, **options), (*lead, *shape))


def global_pool(tape: Tape, tensor: Tensor, kind: type[MaxPool] | type[AvgPool]) -> Tensor:
    """Pool all spatial axes to length 1."""
    kernel = tensor.shape[2:]
    return pool(tape, tensor, kind, kernel, pads=[(0, 0)] * len(kernel))


def reduce_axes(
    tape: Tape,
    tensor: Tensor,
    kind: type[MaxPool] | type[AvgPool],
    axes: Sequence[int],
    keep: bool,
) -> Tensor:
    """Take the mean or the maximum over `axes`; the other axes are the channels of a pooling."""
    rank = len(tensor.shape)
    wanted = sorted({int(axis) % rank for axis in axes})
    others = [axis for axis in range(rank) if axis not in wanted]
    moved = tape.permute(tensor, [*others, *wanted])
    count = prod(tensor.shape[axis] for axis in wanted)
    if count > 1:
        matrix = tape.reshape(moved, (1, tensor.size // count, count))
        moved = pool(tape, matrix, kind, (count,), pads=[(0, 0)])
    shape = [
        1 if axis in wanted else length
        for axis, length in enumerate(tensor.shape)
        if keep or axis not in wanted
    ]
    return tape.reshape(moved, shape)


def reduce_sum(tape: Tape, tensor: Tensor, axes: Sequence[int], keep: bool) -> Tensor:
    """Add over `axes`: a row of ones, which is exact."""
    rank = len(tensor.shape)
    wanted = sorted({int(axis) % rank for axis in axes})
    others = [axis for axis in range(rank) if axis not in wanted]
    count = prod(tensor.shape[axis] for axis in wanted)
    moved = tape.permute(tensor, [*wanted, *others])
    matrix = tape.reshape(moved, (count, tensor.size // count))
    total = tape.mix_rows(matrix, np.ones((1, count)), np.zeros(1)) if count > 1 else matrix
    shape = [
        1 if axis in wanted else length
        for axis, length in enumerate(tensor.shape)
        if keep or axis not in wanted
    ]
    return tape.reshape(total, shape)


def pad_mode(
    tape: Tape, tensor: Tensor, pads: Sequence[Pair], mode: str, value: float = 0.0
) -> Tensor:
    """Pad by a constant, or by entries of the tensor itself (reflect, edge, wrap)."""
    if mode == "constant":
        return pad(tape, tensor, pads, value)
    if mode not in ("reflect", "edge", "wrap"):
        tape.refuse(f"padding mode {mode!r} cannot be read")
    for axis, (before, after) in enumerate(pads):
        if before < 0 or after < 0:
            tape.refuse(f"negative padding {pads} in mode {mode!r} cannot be read")
        indexes = np.pad(np.arange(tensor.shape[axis]), (before, after), mode=mode)  # type: ignore[call-overload]
        tensor = tape.select(tensor, axis, indexes)
    return tensor


def pad(tape: Tape, tensor: Tensor, pads: Sequence[Pair], value: float) -> Tensor:
    """Pad (or, where negative, cut) every axis of the model's tensor."""
    for axis, (before, after) in enumerate(pads):
        if before < 0 or after < 0:
            first, last = max(0, -before), tensor.shape[axis] + min(0, after)
            tensor = tape.select(tensor, axis, range(first, last))
    pads = [(max(0, before), max(0, after)) for before, after in pads]
    if not any(before or after for before, after in pads):
        return tensor
    shape = tuple(n + b + a for n, (b, a) in zip(tensor.shape, pads, strict=True))
    # Leading axes of length 1 that are not padded fall away; the next axis is the channel axis,
    # or a channel axis of length 1 is put before it when it is itself padded.
    first = 0
    while first < len(pads) - 1 and tensor.shape[first] == 1 and pads[first] == (0, 0):
        first += 1
    inner, inner_pads = list(tensor.shape[first:]), list(pads[first:])
    if inner_pads[0] != (0, 0):
        inner, inner_pads = [1, *inner], [(0, 0), *inner_pads]
    if len(inner) > 4:
        tape.refuse(f"cannot pad a tensor of shape {tensor.shape} on axes {pads}")
    padded = (inner[0], *(n + b + a for n, (b, a) in zip(inner[1:], inner_pads[1:], strict=True)))
    slot = tape.view(tensor.slot, tuple(inner))
    made = tape.push(
        Pad, (slot,), padded, padding=tuple(inner_pads[1:]), value=exact_value(tape, value)
    )
    return Tensor(made, shape)


def exact_value(tape: Tape, value: float) -> float:
    """Return a finite float."""
    number = float(value)
    if not np.isfinite(number):
        tape.refuse(f"the constant {number} is not finite")
    return number


def times(array: FloatArray, factor: float, what: str) -> tuple[FloatArray, str]:
    """Return array * factor and a note, empty where the product is exact."""
    if factor == 1.0:
        return array, ""
    exact = product_is_exact(array, np.asarray(factor))
    return array * factor, "" if exact else f"{what} rounded to float64"
