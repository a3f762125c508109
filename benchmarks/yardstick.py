# SPDX-License-Identifier: MIT
"""A plain polygon cutter in NumPy: the obvious program, which the package is measured against.

It takes sequential ReLU networks on planes and segments. Signs are those of float64 values, with
no error bound: on networks in general position that gives the right number, on others it may not.
It uses of the package only the forward pass.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import linear_regions as lr
from linear_regions.domain import Domain

__all__ = ["count"]

_Array = npt.NDArray[np.float64]
_FAR = 1e6  # half the side of the square that stands for the whole plane


def count(net: lr.Network, domain: Domain) -> int:
    """Count activation regions by cutting polygons, layer after layer.

    Parameters
    ----------
    net : Network
        Affine and convolutional layers, each but the last followed by ReLU.
    domain : Box, Space, Slice or Segment
        Of dimension two, or a segment.

    Returns
    -------
    int
    """
    layers = dense_layers(net)
    square, plane = start(net, domain)
    regions = 0
    stack = [(square, plane, 0)]
    while stack:
        polygon, post, depth = stack.pop()
        weight, bias = layers[depth]
        rows = weight @ post  # a unit's pre-activation at a vertex (x, y, 1) is row @ vertex
        rows[:, 2] += bias
        cells = split(polygon, rows)
        if depth + 1 == len(layers):
            regions += len(cells)
            continue
        for cell in cells:
            active = rows @ cell.mean(axis=0) > 0.0
            stack.append((cell, rows * active[:, None], depth + 1))
    return regions


def split(polygon: _Array, rows: _Array) -> list[_Array]:
    """Cut a convex polygon, one vertex (x, y, 1) per row, by the zero lines of all rows."""
    values = polygon @ rows.T
    cutting = rows[(values > 0.0).any(axis=0) & (values < 0.0).any(axis=0)]
    if len(cutting) == 0:
        return [polygon]
    positive, negative = cut(polygon, cutting[0])
    return split(positive, cutting[1:]) + split(negative, cutting[1:])


def cut(polygon: _Array, row: _Array) -> tuple[_Array, _Array]:
    """Return the parts of a convex polygon on the positive and on the negative side of a line."""
    positive, negative = [], []
    values = (polygon @ row).tolist()
    for i, value in enumerate(values):
        if value >= 0.0:
            positive.append(polygon[i])
        if value <= 0.0:
            negative.append(polygon[i])
        after = values[i + 1 - len(values)]
        if value * after < 0.0:
            share = value / (value - after)
            crossing = polygon[i] + share * (polygon[i + 1 - len(values)] - polygon[i])
            positive.append(crossing)
            negative.append(crossing)
    return np.array(positive), np.array(negative)


def dense_layers(net: lr.Network) -> list[tuple[_Array, _Array]]:
    """Return weight and bias of what lies before each ReLU, from the images of unit vectors."""
    dense = []
    first = 0
    for i, layer in enumerate(net.layers):
        if not isinstance(layer, lr.Pointwise):
            continue
        if layer != lr.relu():
            raise ValueError(f"expected ReLU layers only, got {layer!r}")
        part = lr.Network(net.shapes[first], net.layers[first:i])
        bias = part(np.zeros((1, part.input_size))).reshape(-1)
        images = part(np.eye(part.input_size)).reshape(part.input_size, -1)
        dense.append(((images - bias).T, bias))
        first = i + 1
    return dense


def start(net: lr.Network, domain: Domain) -> tuple[_Array, _Array]:
    """Return a polygon in the plane (x, y), and the columns (x, y, 1) -> input."""
    low, high = np.full(2, -1.0), np.full(2, 1.0)
    columns = np.eye(net.input_size, 3)
    place = domain.resolve(net.input_shape)
    if isinstance(place, lr.Segment):  # a strip of the plane in which y has no effect
        columns = np.stack([(place.b - place.a) / 2, 0 * place.a, (place.b + place.a) / 2], axis=1)
    elif isinstance(place, lr.Slice) and isinstance(place.domain, lr.Box):
        columns = np.column_stack([*place.directions, place.origin])
        low, high = place.domain.low, place.domain.high
    elif isinstance(place, lr.Box):
        low, high = place.low, place.high
    elif isinstance(place, lr.Space):
        low, high = _FAR * low, _FAR * high
    else:
        raise ValueError(f"expected a box, a plane or a segment, got {domain!r}")
    (left, bottom), (right, top) = low, high
    corners = [[left, bottom], [right, bottom], [right, top], [left, top]]
    return np.column_stack([corners, np.ones(4)]), columns
