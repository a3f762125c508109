# SPDX-License-Identifier: MIT
"""Lowering: from a Network and a domain to what the compiled core takes.

The only module, with `_sample` for packed patterns, that knows the core's calls. Layers become
operations on flat arrays; nothing is folded, rounded or reordered here, so what the core computes
exactly is what the `Network` says.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from . import _core
from ._frame import DomainFrame
from ._geometry import Shape
from ._planar import PlanarFrame
from .layers import (
    Add,
    Affine,
    AvgPool,
    Concat,
    Conv,
    Flatten,
    Layer,
    Maxout,
    MaxPool,
    Pad,
    Permute,
    Pointwise,
    Reshape,
    Scale,
)
from .network import Network

__all__ = ["frame_of", "planar_domain", "program"]


def program(net: Network) -> _core.Tape:
    """Return the core's form of a network; made once and kept with it."""
    tape = net._program
    if not isinstance(tape, _core.Tape):
        tape = _build(net)
        net._set(_program=tape)
    return tape


def _build(net: Network) -> _core.Tape:
    tape = _core.Tape(net.input_size)
    slots = [0]  # our slot number -> the core's; reshaping makes no operation
    for position, layer in enumerate(net.layers):
        sources = [slots[slot] for slot in layer.inputs(position)]
        shapes = net.input_shapes(position)
        emit = _EMIT.get(type(layer))
        if emit is None:  # what a subclass does differently nobody knows
            raise TypeError(
                f"layer {position}: {type(layer).__name__} is no layer of this package, and "
                "networks of others are not evaluated: take the layer that it is made of"
            )
        slots.append(emit(tape, layer, sources, shapes))
    if slots[-1] != max(slots):  # the tape's output is its last slot
        tape.gather(slots[-1], np.arange(prod(net.output_shape)), 0.0)
    tape.finish()
    return tape


def _affine(tape: _core.Tape, layer: Affine, sources: list[int], shapes: tuple[Shape, ...]) -> int:
    return tape.dense(sources[0], layer.weight, layer.bias)


def _triple(values: tuple[int, ...], fill: int) -> tuple[int, int, int]:
    a, b, c = (fill,) * (3 - len(values)) + tuple(values)
    return a, b, c


def _conv(tape: _core.Tape, layer: Conv, sources: list[int], shapes: tuple[Shape, ...]) -> int:
    return tape.conv(
        sources[0],
        _triple(shapes[0][1:], 1),
        _triple(layer.output_shape(*shapes)[1:], 1),
        _triple(layer.kernel_size, 1),
        _triple(layer.stride, 1),
        _triple(tuple(before for before, _ in layer.padding), 0),
        _triple(layer.dilation, 1),
        shapes[0][0],
        layer.weight.shape[0],
        layer.groups,
        layer.weight,
        layer.bias,
    )


def _scale(tape: _core.Tape, layer: Scale, sources: list[int], shapes: tuple[Shape, ...]) -> int:
    each = prod(shapes[0][1:])
    return tape.scale(sources[0], np.repeat(layer.weight, each), np.repeat(layer.bias, each))


def _pointwise(
    tape: _core.Tape, layer: Pointwise, sources: list[int], shapes: tuple[Shape, ...]
) -> int:
    tables = []
    for channel in range(layer.channels):
        breakpoints, slopes, zero = layer.pieces(channel)
        tables.append((breakpoints.tolist(), slopes.tolist(), zero))
    n = prod(shapes[0])
    if layer.channels == 1:
        table_of = np.zeros(n, dtype=np.int64)
    else:
        table_of = np.repeat(np.arange(layer.channels), prod(shapes[0][1:]))
    return tape.pointwise(sources[0], tables, table_of)


def _max(
    tape: _core.Tape, layer: MaxPool | Maxout, sources: list[int], shapes: tuple[Shape, ...]
) -> int:
    start, entries, positions = layer.windows(shapes[0])
    windows = len(start) - 1
    bits = layer.pattern_bits(*shapes) // windows if windows else 0
    return tape.max(sources[0], start, entries, positions, bits)


def _average(
    tape: _core.Tape, layer: AvgPool, sources: list[int], shapes: tuple[Shape, ...]
) -> int:
    start, entries, _ = layer.windows(shapes[0])
    return tape.average(sources[0], start, entries, layer.divisors(shapes[0]))


def _gather(
    tape: _core.Tape, layer: Permute | Pad, sources: list[int], shapes: tuple[Shape, ...]
) -> int:
    fill = layer.value if isinstance(layer, Pad) else 0.0
    return tape.gather(sources[0], layer.index_map(shapes[0]), fill)


def _same(tape: _core.Tape, layer: Layer, sources: list[int], shapes: tuple[Shape, ...]) -> int:
    return sources[0]


def _add(tape: _core.Tape, layer: Add, sources: list[int], shapes: tuple[Shape, ...]) -> int:
    return tape.add(sources)


def _concat(tape: _core.Tape, layer: Concat, sources: list[int], shapes: tuple[Shape, ...]) -> int:
    return tape.concat(sources)


_Emit = Callable[[_core.Tape, Layer, list[int], tuple[Shape, ...]], int]
_EMIT: dict[type[Layer], _Emit] = {
    Affine: _affine,  # type: ignore[dict-item]  # each takes the layer type of its key
    Conv: _conv,  # type: ignore[dict-item]
    Scale: _scale,  # type: ignore[dict-item]
    Pointwise: _pointwise,  # type: ignore[dict-item]
    MaxPool: _max,  # type: ignore[dict-item]
    Maxout: _max,  # type: ignore[dict-item]
    AvgPool: _average,  # type: ignore[dict-item]
    Permute: _gather,  # type: ignore[dict-item]
    Pad: _gather,  # type: ignore[dict-item]
    Flatten: _same,
    Reshape: _same,
    Add: _add,  # type: ignore[dict-item]
    Concat: _concat,  # type: ignore[dict-item]
}


def planar_domain(frame: PlanarFrame) -> _core.PlanarDomain:
    """Return the core's form of a planar frame."""
    if frame.exact_columns is None and frame.exact_edges is None:
        return _core.PlanarDomain(frame.columns, frame.edges, frame.at_infinity)
    columns: list[str] = []
    denominator = "1"
    if frame.exact_columns is not None:
        numerators, common = frame.exact_columns
        columns = [f"{value:x}" for row in numerators for value in row]
        denominator = f"{common:x}"
    edges = [f"{value:x}" for triple in frame.exact_edges or () for value in triple]
    return _core.PlanarDomain(
        frame.columns, frame.edges, frame.at_infinity, columns, denominator, edges
    )


def frame_of(frame: DomainFrame) -> _core.DomainFrame:
    """Return the core's form of a frame of any dimension."""
    columns: list[str] = []
    denominator = "1"
    if frame.exact_columns is not None:
        numerators, common = frame.exact_columns
        columns = [f"{value:x}" for row in numerators for value in row]
        denominator = f"{common:x}"
    sides = [f"{value:x}" for row in frame.exact_sides or () for value in row]
    return _core.DomainFrame(frame.columns, frame.sides, columns, denominator, sides)
