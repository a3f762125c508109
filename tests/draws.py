# SPDX-License-Identifier: MIT
"""Random numbers of several styles, and random domains of dimension 1 and 2 for a network."""

from __future__ import annotations

import numpy as np

from linear_regions.domain import Box, Polytope, Segment, Slice, Space
from linear_regions.network import Network

Rng = np.random.Generator

# Styles: how weights and biases are drawn.
STYLES = ("whole", "generic", "quantised", "zero_bias", "degenerate")


def numbers(rng: Rng, shape: int | tuple[int, ...], style: str) -> np.ndarray:
    """Draw an array: normal floats, multiples of 1/4, or small integers with many zeros."""
    if style == "generic":
        return rng.normal(size=shape)
    if style == "quantised":
        return rng.integers(-6, 7, size=shape) / 4.0
    return rng.integers(-2, 3, size=shape).astype(float)


def _points(rng: Rng, net: Network, n: int, style: str, border: float) -> np.ndarray:
    """Draw input points. Whole numbers make cuts meet; half of the images have a flat border."""
    if style == "generic":
        return rng.normal(size=(n, net.input_size))
    points = rng.integers(-2, 3, size=(n, net.input_size)).astype(float)
    if len(net.input_shape) == 3 and rng.integers(2):
        images = points.reshape(n, *net.input_shape)
        images[:, :, [0, -1]] = border
        images[:, :, :, [0, -1]] = border
    return points


def origin_for(rng: Rng, net: Network, style: str) -> np.ndarray:
    return _points(rng, net, 1, style, float(rng.integers(0, 2)))[0]


def directions_for(rng: Rng, net: Network, n: int, style: str) -> np.ndarray:
    while True:
        found = _points(rng, net, n, style, 0.0)
        if np.linalg.matrix_rank(found) == n:
            return found


def one_dimensional(rng: Rng, net: Network, style: str) -> object:
    """Draw a domain of dimension 1: bounded, a ray or a line."""
    origin = origin_for(rng, net, style)
    direction = directions_for(rng, net, 1, style)
    if net.input_size <= 6 and rng.integers(6) == 0:
        return cut_by_equations(rng, net, 1, style)
    match rng.integers(6):
        case 0:
            return Slice(origin, direction)
        case 1:
            return Slice(origin, direction, Box(-1.5, 2.0))
        case 2:
            return Slice(origin, direction, Polytope([[-1.0]], [rng.integers(-1, 3)]))
        case 3:
            return Slice(origin, direction, within=Box(origin - 2.0, origin + 1.0))
        case 4:  # a box with one free input
            low, high = origin.copy(), origin.copy()
            free = rng.integers(net.input_size)
            low[free] -= 1.0
            high[free] += 3.0
            return Box(low, high)
        case _:
            return Segment(origin - direction[0], origin + 2.0 * direction[0])


def two_dimensional(rng: Rng, net: Network, style: str) -> object:
    """Draw a domain of dimension 2 for a network with at least two inputs."""
    if net.input_size == 2 and rng.integers(2):
        return planar(rng)
    if net.input_size <= 6 and rng.integers(5) == 0:
        return cut_by_equations(rng, net, 2, style)
    origin = origin_for(rng, net, style)
    directions = directions_for(rng, net, 2, style)
    match rng.integers(6):
        case 0:
            return Slice(origin, directions)
        case 1:
            return Slice(origin, directions, planar(rng))
        case 2:
            return Slice(origin, directions, Box(-1.0, [1.0, 2.0]))
        case 3:
            return Slice(origin, directions, within=Box(origin - 1.0, origin + 2.0))
        case 4:  # a plane in a three-dimensional slice: one coordinate is fixed by its box
            if net.input_size > 2:
                directions = directions_for(rng, net, 3, style)
                return Slice(origin, directions, Box([-1.0, 0.5, -2.0], [1.0, 0.5, np.inf]))
            return Slice(origin, directions, Box([-1.0, 0.0], [1.0, np.inf]))
        case _:  # a box with two free inputs
            low, high = origin.copy(), origin.copy()
            free = rng.permutation(net.input_size)[:2]
            low[free] -= 2.0
            high[free] += 1.0
            return Box(low, high)


def cut_by_equations(rng: Rng, net: Network, dimension: int, style: str) -> Polytope:
    """Draw a polytope around a point of an affine subspace that equations describe.

    With generic numbers neither the subspace nor its polygon can be written in doubles.
    """
    n = net.input_size
    while True:
        equations = numbers(rng, (n - dimension, n), style)
        if not len(equations) or np.linalg.matrix_rank(equations) == len(equations):
            break
    # The subspace passes through (or next to) the center, which is inside with room to spare.
    center = rng.integers(-2, 3, size=n) / 2.0
    weights = rng.integers(-2, 3, size=(3, n)).astype(float)
    room = rng.integers(1, 4, size=3)
    return Polytope(weights, weights @ center + room, equations, equations @ center)


def planar(rng: Rng) -> object:
    """Draw a domain of the plane itself: bounded or not."""
    options = [
        Space(),
        Space(2),
        Box(-1.0, 1.0),
        Box([-2.0, 0.0], [1.0, 0.5]),
        Polytope([[-1.0, 0.0], [0.0, -1.0], [1.0, 1.0]], [1.0, 1.0, 1.0]),  # triangle
        Polytope([[1.0, 2.0]], [1.0]),  # half-plane
        Polytope([[-1.0, 0.0], [1.0, -1.0]], [1.0, 0.0]),  # wedge
        Polytope([[1.0, 1.0], [-1.0, -1.0]], [2.0, 1.0]),  # strip
        Polytope([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [1.0, 2.0, 1.0]),  # a redundant row
    ]
    return options[rng.integers(len(options))]


def domain(net: Network, dimension: int, style: str, seed: int) -> object:
    """Return a domain of the given dimension (1, or 2 if the network has two inputs)."""
    rng = np.random.default_rng([seed, STYLES.index(style), dimension])
    if dimension == 1 or net.input_size == 1:
        if net.input_size == 1 and rng.integers(3) == 0:
            return [None, Space(), Box(-2.0, 3.0)][rng.integers(3)]
        return one_dimensional(rng, net, style)
    return two_dimensional(rng, net, style)
