# SPDX-License-Identifier: MIT
"""The first layer of units as an arrangement, composed exactly through the affine layers before it.

Notation: an affine function of the inputs is a dictionary {input: coefficient} of fractions; the
constant has the key -1. Layers before the first units are convolutions, average pools and the like,
so most coefficients are zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from ._arrangement import Arrangement
from ._arrangement_count import count_place
from ._geometry import Shape, axis_table, gather_windows
from ._hyperplanes import place_of
from ._run import Run
from ._value import FloatArray
from .domain import Domain
from .errors import Interrupted, Unsupported
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
from .result import RegionCount

if TYPE_CHECKING:
    from .network import Network

__all__ = [
    "check_one_layer",
    "count_by_arrangement",
    "first_layer_arrangement",
    "is_one_layer",
]

Function = dict[int, Fraction]
_CONSTANT = -1


def is_one_layer(net: Network) -> bool:
    """Tell whether regions are chambers: there is one layer of units, a pointwise one."""
    units = _units(net)
    return len(units) == 1 and isinstance(units[0], Pointwise)


def check_one_layer(net: Network) -> None:
    """Raise where regions are no chambers."""
    if not is_one_layer(net):
        units = _units(net)
        raise Unsupported(
            "method 'arrangement' counts networks with one activation layer, a pointwise one; "
            f"this one has {len(units)}: {', '.join(type(u).__name__ for u in units)}"
        )


def _units(net: Network) -> list[Layer]:
    """Return the layers of units."""
    return [net.layers[position] for position, _, _ in net.pattern_layout]


def count_by_arrangement(net: Network, domain: Domain, run: Run) -> RegionCount:
    """Count the regions of a network with one activation layer: chambers of its hyperplanes."""
    planes = first_layer_arrangement(net)
    place = place_of(planes.normals, planes.offsets, domain.resolve(net.input_shape))
    try:
        return _as_regions(count_place(place, "auto", run))
    except Interrupted as stop:
        if isinstance(stop.partial, RegionCount):
            raise Interrupted(partial=_as_regions(stop.partial)) from None
        raise


def _as_regions(chambers: RegionCount) -> RegionCount:
    # Neighbouring pieces of a unit have different slopes, so patterns and chambers are the same.
    work = {**chambers.work, "engine": chambers.method}
    return replace(chambers, what="activation", method="arrangement", work=work)


def first_layer_arrangement(net: Network) -> Arrangement:
    """Return the hyperplanes on which units of the first activation layer change their piece."""
    if not net.pattern_layout:
        return Arrangement(np.zeros((0, net.input_size)), np.zeros(0))
    position = net.pattern_layout[0][0]
    units = net.layers[position]
    if not isinstance(units, Pointwise):
        raise Unsupported(
            f"the first activation layer is {type(units).__name__}: its pieces are not cut out by "
            "hyperplanes one by one; only pointwise activations give an arrangement"
        )
    (source,) = units.inputs(position)
    shape = net.input_shapes(position)[0]
    if source == 0:
        normals, offsets = np.eye(net.input_size), np.zeros(net.input_size)
        return _with_breakpoints(units, shape, normals, offsets)
    layer = net.layers[source - 1]
    if isinstance(layer, Affine) and layer.inputs(source - 1) == (0,):
        return _with_breakpoints(units, shape, layer.weight, layer.bias)
    normals, offsets = _table(_composed(net, source), net.input_size)
    return _with_breakpoints(units, shape, normals, offsets)


def _with_breakpoints(
    units: Pointwise, shape: Shape, normals: FloatArray, offsets: FloatArray
) -> Arrangement:
    """Return one row per breakpoint of every unit, in the order of the pattern's bits."""
    each = prod(shape) // units.channels
    owners: list[int] = []
    cuts: list[float] = []
    for unit in range(prod(shape)):
        breakpoints, _, _ = units.pieces(unit // each if units.channels > 1 else 0)
        owners += [unit] * len(breakpoints)
        cuts += breakpoints.tolist()
    chosen = normals[owners]
    if not any(cuts):
        return Arrangement(chosen, offsets[owners])
    shifted = [Fraction(v) - Fraction(b) for v, b in zip(offsets[owners], cuts, strict=True)]
    return Arrangement(chosen, np.array(shifted, dtype=object))


def _table(functions: list[Function], n: int) -> tuple[FloatArray, FloatArray]:
    normals = np.full((len(functions), n), Fraction(0), dtype=object)
    for row, function in zip(normals, functions, strict=True):
        for index, coefficient in function.items():
            if index != _CONSTANT:
                row[index] = coefficient
    offsets = np.array([f.get(_CONSTANT, Fraction(0)) for f in functions], dtype=object)
    return normals, offsets


def _composed(net: Network, last: int) -> list[Function]:
    """Return slot `last` as functions of the inputs."""
    slots: list[list[Function] | None] = [[{i: Fraction(1)} for i in range(net.input_size)]]
    for position, layer in enumerate(net.layers[:last]):
        sources = [slots[slot] for slot in layer.inputs(position)]
        given = [source for source in sources if source is not None]
        shapes = net.input_shapes(position)
        if len(given) < len(sources) or layer.pattern_bits(*shapes):
            slots.append(None)  # behind units: not before the first activation layer
            continue
        slots.append(_apply(layer, given, shapes))
    found = slots[last]
    if found is None:
        raise Unsupported("the first activation layer sees other units")
    return found


def _apply(layer: Layer, given: list[list[Function]], shapes: Sequence[Shape]) -> list[Function]:
    source, shape = given[0], shapes[0]
    if isinstance(layer, (Flatten, Reshape)):
        return source
    if isinstance(layer, Concat):
        return [function for part in given for function in part]
    if isinstance(layer, Add):
        ones = [Fraction(1)] * len(given)
        return [_sum(zip(ones, parts, strict=True)) for parts in zip(*given, strict=True)]
    if isinstance(layer, Affine):
        return [
            _sum(zip(map(Fraction, row), source, strict=True), Fraction(bias))
            for row, bias in zip(layer.weight.tolist(), layer.bias.tolist(), strict=True)
        ]
    if isinstance(layer, Scale):
        each = prod(shape[1:])
        weight = np.repeat(layer.weight, each).tolist()
        bias = np.repeat(layer.bias, each).tolist()
        return [
            _sum([(Fraction(w), function)], Fraction(b))
            for w, b, function in zip(weight, bias, source, strict=True)
        ]
    if isinstance(layer, Pointwise):
        return _straight(layer, source, shape)
    if isinstance(layer, (MaxPool, Maxout)):  # of single entries
        return [source[e] for e in layer.windows(shape)[1].tolist()]
    if isinstance(layer, Conv):
        return _conv(layer, source, shape)
    if isinstance(layer, AvgPool):
        starts, entries, _ = layer.windows(shape)
        divisors = layer.divisors(shape).tolist()
        return [
            _sum((Fraction(1, divisors[w]), source[e]) for e in entries[a:b].tolist())
            for w, (a, b) in enumerate(pairwise(starts.tolist()))
        ]
    assert isinstance(layer, (Pad, Permute))
    fill = layer.value if isinstance(layer, Pad) else 0.0
    constant = {_CONSTANT: Fraction(fill)} if fill else {}
    return [source[i] if i >= 0 else constant for i in layer.index_map(shape).tolist()]


def _straight(layer: Pointwise, source: list[Function], shape: Shape) -> list[Function]:
    """Return the values of an activation without breakpoints, such as a leaky ReLU of slope one."""
    each = prod(shape) // layer.channels
    out = []
    for unit, function in enumerate(source):
        _, slopes, zero = layer.pieces(unit // each)
        out.append(_sum([(Fraction(slopes[0]), function)], Fraction(zero)))
    return out


def _conv(layer: Conv, source: list[Function], shape: Shape) -> list[Function]:
    spatial = layer.output_shape(shape)[1:]
    tables = [
        axis_table(
            shape[1 + i],
            n,
            layer.kernel_size[i],
            layer.stride[i],
            layer.padding[i],
            layer.dilation[i],
        )
        for i, n in enumerate(spatial)
    ]
    starts, entries, places = gather_windows((1, *shape[1:]), tables)
    filters, channels = layer.weight.shape[:2]
    weight = layer.weight.reshape(filters, channels, -1).tolist()
    each = prod(shape[1:])
    out = []
    for f, bias in enumerate(layer.bias.tolist()):
        first = f // (filters // layer.groups) * channels
        for a, b in pairwise(starts.tolist()):
            window = list(zip(entries[a:b].tolist(), places[a:b].tolist(), strict=True))
            terms = (
                (Fraction(weight[f][c][place]), source[(first + c) * each + entry])
                for c in range(channels)
                for entry, place in window
            )
            out.append(_sum(terms, Fraction(bias)))
    return out


def _sum(terms: Iterable[tuple[Fraction, Function]], constant: Fraction | None = None) -> Function:
    total: Function = {_CONSTANT: constant} if constant else {}
    for factor, function in terms:
        if not factor:
            continue
        for index, coefficient in function.items():
            total[index] = total.get(index, Fraction(0)) + factor * coefficient
    return total
