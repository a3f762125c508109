# SPDX-License-Identifier: MIT
"""PyTorch's operators that only move numbers or tell shapes."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from . import _linear as lin
from ._tape import Tape, Tensor
from ._torch_ops import Condition, Handler, computed, constant


def same(argument: str) -> Handler:
    """Return a handler for operators that hand on their argument `argument`."""

    def handler(tape: Tape, **arguments: Any) -> Tensor:
        return computed(tape, arguments[argument])

    return handler


def convert(tape: Tape, self: Any, dtype: Any = None, **_: Any) -> Tensor | Condition:
    """Conversion to another number type: read where it keeps at least single precision."""
    if isinstance(self, Condition):
        return self
    if dtype is not None and str(dtype) not in ("torch.float32", "torch.float64"):
        tape.refuse(f"it converts to {dtype}, which rounds; only float32 and float64 are read")
    return computed(tape, self)


def view(tape: Tape, self: Any, size: Any = None, shape: Any = None) -> Tensor:
    """Reshape."""
    tensor = computed(tape, self)
    sizes = [int(n) for n in (shape if size is None else size)]
    known = prod(n for n in sizes if n != -1)
    if sizes.count(-1) > 1 or known < 1 or tensor.size % known:
        tape.refuse(
            f"cannot reshape {tensor.shape} (one sample) into {sizes}; a batch size other than 1 "
            "must not be written into the model"
        )
    return tape.reshape(tensor, [tensor.size // known if n == -1 else n for n in sizes])


def flatten(tape: Tape, self: Any, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Join axes."""
    tensor = computed(tape, self)
    rank = len(tensor.shape)
    first, last = start_dim % rank, end_dim % rank
    joined = prod(tensor.shape[first : last + 1])
    return tape.reshape(tensor, (*tensor.shape[:first], joined, *tensor.shape[last + 1 :]))


def unflatten(tape: Tape, self: Any, dim: int, sizes: Any) -> Tensor:
    """Split an axis."""
    tensor = computed(tape, self)
    axis = dim % len(tensor.shape)
    return view(tape, tensor, [*tensor.shape[:axis], *sizes, *tensor.shape[axis + 1 :]])


def squeeze(tape: Tape, self: Any, dim: Any = None) -> Tensor:
    """Drop axes of length 1."""
    tensor = computed(tape, self)
    rank = len(tensor.shape)
    dims = range(rank) if dim is None else dim if isinstance(dim, (list, tuple)) else [dim]
    gone = {d % rank for d in dims}
    return tape.reshape(tensor, [n for a, n in enumerate(tensor.shape) if a not in gone or n != 1])


def unsqueeze(tape: Tape, self: Any, dim: int) -> Tensor:
    """Put in an axis of length 1."""
    tensor = computed(tape, self)
    axis = dim % (len(tensor.shape) + 1)
    return tape.reshape(tensor, (*tensor.shape[:axis], 1, *tensor.shape[axis:]))


def permute(tape: Tape, self: Any, dims: Any) -> Tensor:
    """Reorder the axes."""
    return tape.permute(computed(tape, self), list(dims))


def transpose(tape: Tape, self: Any, dim0: int = 0, dim1: int = 1) -> Tensor:
    """Swap two axes."""
    tensor = computed(tape, self)
    order = list(range(len(tensor.shape)))
    if order:
        order[dim0], order[dim1] = order[dim1], order[dim0]
    return tape.permute(tensor, order)


def matrix_transpose(tape: Tape, self: Any) -> Tensor:
    """Swap the axes of a matrix."""
    tensor = computed(tape, self)
    return tape.permute(tensor, list(range(len(tensor.shape)))[::-1])


def _tensors(tape: Tape, values: Any) -> list[Tensor]:
    some = next(v for v in values if isinstance(v, Tensor))
    return [
        v if isinstance(v, Tensor) else tape.constant(some, constant(tape, v, "a constant"))
        for v in values
    ]


def cat(tape: Tape, tensors: Any, dim: int = 0) -> Tensor:
    """Join along an axis."""
    return tape.concat(_tensors(tape, tensors), dim)


def stack(tape: Tape, tensors: Any, dim: int = 0) -> Tensor:
    """Join along a new axis."""
    return tape.concat([unsqueeze(tape, t, dim) for t in _tensors(tape, tensors)], dim)


def slice_(
    tape: Tape, self: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Tensor:
    """Take a range of an axis."""
    tensor = computed(tape, self)
    axis = dim % len(tensor.shape)
    return tape.select(tensor, axis, range(tensor.shape[axis])[start:end:step])


def select(tape: Tape, self: Any, dim: int, index: int) -> Tensor:
    """Take one entry of an axis, which goes away."""
    tensor = computed(tape, self)
    axis = dim % len(tensor.shape)
    taken = tape.select(tensor, axis, [index % tensor.shape[axis]])
    return tape.reshape(taken, (*tensor.shape[:axis], *tensor.shape[axis + 1 :]))


def narrow(tape: Tape, self: Any, dim: int, start: int, length: int) -> Tensor:
    """Take a range of an axis, by its length."""
    return slice_(tape, self, dim, start, start + length)


def index_select(tape: Tape, self: Any, dim: int, index: Any) -> Tensor:
    """Take entries of an axis by their numbers."""
    tensor = computed(tape, self)
    axis = dim % len(tensor.shape)
    indexes = constant(tape, index, "its index").reshape(-1)
    return tape.select(tensor, axis, [int(i) % tensor.shape[axis] for i in indexes])


def index(tape: Tape, self: Any, indices: Any) -> Tensor:
    """Take entries by one list of numbers or of truth values."""
    given = [(axis, value) for axis, value in enumerate(indices) if value is not None]
    if len(given) != 1 or given[0][1].ndim != 1:
        tape.refuse("only indexing by one list along one axis is read")
    axis, value = given[0]
    if str(value.dtype) == "torch.bool":
        value = value.nonzero()
    return index_select(tape, self, axis, value)


def flip(tape: Tape, self: Any, dims: Any) -> Tensor:
    """Turn axes round."""
    tensor = computed(tape, self)
    for dim in dims:
        axis = dim % len(tensor.shape)
        tensor = tape.select(tensor, axis, range(tensor.shape[axis])[::-1])
    return tensor


def split_with_sizes(tape: Tape, self: Any, split_sizes: Any, dim: int = 0) -> list[Tensor]:
    """Cut an axis into parts of given lengths."""
    parts, first = [], 0
    for size in split_sizes:
        parts.append(slice_(tape, self, dim, first, first + size))
        first += size
    return parts


def split(
    tape: Tape, self: Any, split_size: Any = None, dim: int = 0, split_sizes: Any = None
) -> list[Tensor]:
    """Cut an axis into parts of one length, or of given lengths."""
    given = split_size if split_sizes is None else split_sizes
    if isinstance(given, (list, tuple)):
        return split_with_sizes(tape, self, given, dim)
    tensor = computed(tape, self)
    length = tensor.shape[dim % len(tensor.shape)]
    sizes = [min(given, length - first) for first in range(0, length, given)]
    return split_with_sizes(tape, self, sizes, dim)


def chunk(tape: Tape, self: Any, chunks: int, dim: int = 0) -> list[Tensor]:
    """Cut an axis into a number of parts."""
    tensor = computed(tape, self)
    return split(tape, tensor, -(-tensor.shape[dim % len(tensor.shape)] // chunks), dim)


def expand(tape: Tape, self: Any, size: Any, **_: Any) -> Tensor:
    """Repeat along axes of length 1."""
    tensor = computed(tape, self)
    lengths = (1,) * (len(size) - len(tensor.shape)) + tensor.shape
    shape = tuple(n if s == -1 else int(s) for s, n in zip(size, lengths, strict=True))
    return tape.broadcast(tensor, shape)


def repeat(tape: Tape, self: Any, repeats: Any) -> Tensor:
    """Lay copies side by side."""
    tensor = computed(tape, self)
    tensor = tape.reshape(tensor, (1,) * (len(repeats) - len(tensor.shape)) + tensor.shape)
    for axis, times in enumerate(repeats):
        tensor = tape.select(tensor, axis, list(range(tensor.shape[axis])) * int(times))
    return tensor


def pad(tape: Tape, self: Any, pad: Any, mode: str = "constant", value: Any = None) -> Tensor:
    """Pad the last axes; PyTorch names the last one first."""
    tensor = computed(tape, self)
    pairs = [(0, 0)] * len(tensor.shape)
    for i in range(len(pad) // 2):
        pairs[-1 - i] = (int(pad[2 * i]), int(pad[2 * i + 1]))
    names = {"replicate": "edge", "circular": "wrap"}
    return lin.pad_mode(tape, tensor, pairs, names.get(mode, mode), float(value or 0.0))


def pad_by(mode: str) -> Handler:
    """Return a handler for the padding operators that have the mode in their name."""

    def handler(tape: Tape, self: Any, padding: Any) -> Tensor:
        return pad(tape, self, padding, mode)

    return handler


def size(tape: Tape, self: Any, dim: Any = None) -> Any:
    """Return a length, or all."""
    shape = computed(tape, self).shape
    return list(shape) if dim is None else shape[dim]


def numel(tape: Tape, self: Any) -> int:
    """Return the number of entries of one sample."""
    return computed(tape, self).size


def pixel_shuffle(tape: Tape, self: Any, upscale_factor: int) -> Tensor:
    """Move channels into space."""
    tensor = computed(tape, self)
    r = int(upscale_factor)
    n, channels, height, width = tensor.shape
    parts = tape.reshape(tensor, (n, channels // (r * r), r, r, height, width))
    moved = tape.permute(parts, (0, 1, 4, 2, 5, 3))
    return tape.reshape(moved, (n, channels // (r * r), height * r, width * r))


def channel_shuffle(tape: Tape, self: Any, groups: int) -> Tensor:
    """Interleave the channels of groups."""
    tensor = computed(tape, self)
    n, channels = tensor.shape[:2]
    inner = int(np.prod(tensor.shape[2:], dtype=np.int64))
    parts = tape.reshape(tensor, (n, groups, channels // groups, inner))
    return tape.reshape(tape.permute(parts, (0, 2, 1, 3)), tensor.shape)


HANDLERS: dict[str, Handler] = {
    "_to_copy": convert,
    "_unsafe_view": view,
    "alias": same("self"),
    "cat": cat,
    "channel_shuffle": channel_shuffle,
    "chunk": chunk,
    "clone": same("self"),
    "concat": cat,
    "concatenate": cat,
    "constant_pad_nd": pad,
    "contiguous": same("self"),
    "detach": same("self"),
    "expand": expand,
    "flatten": flatten,
    "flip": flip,
    "float": same("self"),
    "index": index,
    "index_select": index_select,
    "lift_fresh_copy": same("self"),
    "narrow": narrow,
    "numel": numel,
    "pad": pad,
    "permute": permute,
    "pixel_shuffle": pixel_shuffle,
    "reflection_pad1d": pad_by("reflect"),
    "reflection_pad2d": pad_by("reflect"),
    "reflection_pad3d": pad_by("reflect"),
    "repeat": repeat,
    "replication_pad1d": pad_by("replicate"),
    "replication_pad2d": pad_by("replicate"),
    "replication_pad3d": pad_by("replicate"),
    "reshape": view,
    "select": select,
    "slice": slice_,
    "split": split,
    "split_with_sizes": split_with_sizes,
    "squeeze": squeeze,
    "stack": stack,
    "sym_numel": numel,
    "sym_size": size,
    "t": matrix_transpose,
    "to": convert,
    "transpose": transpose,
    "type_as": same("self"),
    "unflatten": unflatten,
    "unsafe_chunk": chunk,
    "unsafe_split": split,
    "unsqueeze": unsqueeze,
    "view": view,
}
