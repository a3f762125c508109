# SPDX-License-Identifier: MIT
"""ONNX operators that only move numbers or tell shapes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from . import _linear as lin
from ._onnx_model import Array, Node
from ._onnx_ops import Graph, Handler, Value
from ._tape import Tensor


def _identity(graph: Graph, node: Node) -> Tensor:
    return graph.tensor(node)


def _dropout(graph: Graph, node: Node) -> Tensor:
    training = graph.array(node, 2, "training_mode") if graph.opset >= 12 else None
    if training is not None and training.any():
        graph.tape.refuse("it drops at random (training_mode); export the model for inference")
    return graph.tensor(node)


def _cast(graph: Graph, node: Node) -> Tensor:
    to = node.integer("to", 0)
    if to not in (1, 11):
        graph.tape.refuse("it converts to a type that rounds (only float and double are read)")
    graph.casts = True
    return graph.tensor(node)


def _flatten(graph: Graph, node: Node) -> Tensor:
    tensor = graph.tensor(node)
    axis = _axis(graph, tensor, node.integer("axis", 1), last=1)
    return graph.tape.reshape(tensor, (prod(tensor.shape[:axis]), prod(tensor.shape[axis:])))


def _axis(graph: Graph, tensor: Tensor, axis: int, last: int = 0) -> int:
    rank = len(tensor.shape)
    if not -rank <= axis < rank + last:
        graph.tape.refuse(f"axis {axis} does not exist in a tensor of shape {tensor.shape}")
    return axis + rank if axis < 0 else axis


def _integers(graph: Graph, node: Node, i: int, what: str) -> list[int] | None:
    array = graph.array(node, i, what)
    if array is None:
        return None
    if array.dtype.kind not in "iu":
        graph.tape.refuse(f"its {what} has numbers of type {array.dtype}, expected integers")
    return [int(v) for v in array.reshape(-1)]


def _axes(graph: Graph, node: Node, i: int, rank: int) -> list[int] | None:
    """Return axes from the attribute (old models) or from input `i`, made non-negative."""
    axes = node.integers("axes")
    if axes is None:
        axes = _integers(graph, node, i, "axes")
    if axes is None:
        return None
    if any(not -rank <= axis < rank for axis in axes):
        graph.tape.refuse(f"axes {axes} do not exist")
    return [axis % rank for axis in axes]


def _reshape(graph: Graph, node: Node) -> Tensor:
    tensor = graph.tensor(node)
    sizes = _integers(graph, node, 1, "shape") or []
    if not node.integer("allowzero", 0):
        sizes = [
            tensor.shape[i] if n == 0 and i < len(tensor.shape) else n for i, n in enumerate(sizes)
        ]
    known = prod(n for n in sizes if n != -1)
    if sizes.count(-1) > 1 or known < 1 or tensor.size % known:
        graph.tape.refuse(f"cannot reshape {tensor.shape} into {sizes}")
    return graph.tape.reshape(tensor, [tensor.size // known if n == -1 else n for n in sizes])


def _squeeze(graph: Graph, node: Node) -> Tensor:
    tensor = graph.tensor(node)
    axes = _axes(graph, node, 1, len(tensor.shape))
    if axes is None:
        axes = [axis for axis, n in enumerate(tensor.shape) if n == 1]
    return graph.tape.reshape(tensor, [n for a, n in enumerate(tensor.shape) if a not in axes])


def _unsqueeze(graph: Graph, node: Node) -> Tensor:
    tensor = graph.tensor(node)
    given = node.integers("axes")
    count = len(given) if given is not None else len(_integers(graph, node, 1, "axes") or [])
    axes = _axes(graph, node, 1, len(tensor.shape) + count) or []
    lengths = iter(tensor.shape)
    shape = [1 if a in axes else next(lengths) for a in range(len(tensor.shape) + len(set(axes)))]
    return graph.tape.reshape(tensor, shape)


def _transpose(graph: Graph, node: Node) -> Tensor:
    tensor = graph.tensor(node)
    order = node.integers("perm")
    if order is None:
        order = list(range(len(tensor.shape)))[::-1]
    if sorted(order) != list(range(len(tensor.shape))):
        graph.tape.refuse(f"perm {order} does not fit a tensor of shape {tensor.shape}")
    return graph.tape.permute(tensor, order)


def _concat(graph: Graph, node: Node) -> Tensor:
    values = [graph.value(node, i) for i in range(len(node.inputs))]
    some = next(v for v in values if isinstance(v, Tensor))
    tensors = [
        v
        if isinstance(v, Tensor)
        else graph.tape.constant(some, lin.exact_float(graph.tape, v, "a constant"))
        for v in values
    ]
    return graph.tape.concat(tensors, _axis(graph, some, node.integer("axis", 1)))


def _pad(graph: Graph, node: Node) -> Tensor:
    tensor = graph.tensor(node)
    rank = len(tensor.shape)
    if graph.opset < 11:
        pads, value = node.integers("pads") or [], node.number("value", 0.0)
    else:
        pads = _integers(graph, node, 1, "pads") or []
        constant = graph.array(node, 2, "constant_value")
        value = 0.0 if constant is None or not constant.size else float(constant.reshape(-1)[0])
    axes = _axes(graph, node, 3, rank) if graph.opset >= 18 else None
    axes = list(range(rank)) if axes is None else axes
    if len(pads) != 2 * len(axes):
        graph.tape.refuse(f"pads {pads} does not fit {len(axes)} axes")
    pairs = [(0, 0)] * rank
    for axis, before, after in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        pairs[axis] = (before, after)
    return lin.pad_mode(graph.tape, tensor, pairs, node.text("mode", "constant"), value)


def _slice(graph: Graph, node: Node) -> Tensor:
    tensor = graph.tensor(node)
    rank = len(tensor.shape)
    if graph.opset < 10:
        starts, ends = node.integers("starts") or [], node.integers("ends") or []
        axes, steps = node.integers("axes"), None
    else:
        starts = _integers(graph, node, 1, "starts") or []
        ends = _integers(graph, node, 2, "ends") or []
        axes = _integers(graph, node, 3, "axes")
        steps = _integers(graph, node, 4, "steps")
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        graph.tape.refuse("starts, ends, axes and steps do not fit each other")
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = _axis(graph, tensor, axis)
        tensor = graph.tape.select(tensor, axis, range(tensor.shape[axis])[start:end:step])
    assert len(tensor.shape) == rank
    return tensor


def _gather(graph: Graph, node: Node) -> Tensor:
    tensor = graph.tensor(node)
    axis = _axis(graph, tensor, node.integer("axis", 0))
    array = graph.array(node, 1, "indices")
    indexes = _integers(graph, node, 1, "indices")
    if array is None or indexes is None:
        graph.tape.refuse("its indices are missing")
    length = tensor.shape[axis]
    if any(not -length <= i < length for i in indexes):
        graph.tape.refuse(f"an index is outside of an axis of {length} entries")
    taken = graph.tape.select(tensor, axis, [i % length for i in indexes])
    shape = tensor.shape[:axis] + array.shape + tensor.shape[axis + 1 :]
    return graph.tape.reshape(taken, shape)


def _split(graph: Graph, node: Node) -> Sequence[Value]:
    tensor = graph.tensor(node)
    axis = _axis(graph, tensor, node.integer("axis", 0))
    length, parts = tensor.shape[axis], len(node.outputs)
    sizes: Any = node.integers("split")
    if sizes is None and graph.opset >= 13:
        sizes = _integers(graph, node, 1, "split")
    if sizes is None:
        size = -(-length // parts)
        sizes = [max(0, min(size, length - size * i)) for i in range(parts)]
    if sum(sizes) != length or len(sizes) != parts or min(sizes) < 1:
        graph.tape.refuse(f"cannot split an axis of {length} entries into {sizes}")
    first = 0
    results = []
    for size in sizes:
        results.append(graph.tape.select(tensor, axis, range(first, first + size)))
        first += size
    return results


def _expand(graph: Graph, node: Node) -> Tensor:
    tensor = graph.tensor(node)
    sizes = _integers(graph, node, 1, "shape") or []
    return graph.tape.broadcast(tensor, np.broadcast_shapes(tensor.shape, tuple(sizes)))


def _tile(graph: Graph, node: Node) -> Tensor:
    tensor = graph.tensor(node)
    repeats = _integers(graph, node, 1, "repeats") or []
    if len(repeats) != len(tensor.shape):
        graph.tape.refuse(f"repeats {repeats} does not fit a tensor of shape {tensor.shape}")
    for axis, times in enumerate(repeats):
        if times * tensor.shape[axis] > 1 << 24:
            graph.tape.refuse(f"repeats {repeats} makes a tensor that is too large")
        tensor = graph.tape.select(tensor, axis, list(range(tensor.shape[axis])) * times)
    return tensor


def _shape(graph: Graph, node: Node) -> Array:
    shape = graph.tensor(node).shape
    start, end = node.integer("start", 0), node.attributes.get("end")
    return np.asarray(shape[start:end], dtype=np.int64)


def _size(graph: Graph, node: Node) -> Array:
    return np.asarray(graph.tensor(node).size, dtype=np.int64)


HANDLERS: dict[str, Handler] = {
    "Cast": _cast,
    "Concat": _concat,
    "Dropout": _dropout,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Identity": _identity,
    "Pad": _pad,
    "Reshape": _reshape,
    "Shape": _shape,
    "Size": _size,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
