# SPDX-License-Identifier: MIT
"""Exact helpers around the cells of the reference, packed patterns as bits, and single layers."""

from __future__ import annotations

import multiprocessing.queues
import os
import signal
from collections.abc import Sequence
from fractions import Fraction
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

import linear_regions as lr
from linear_regions._forward import forward_pass
from linear_regions._one_layer.windows import Part, one_layer
from linear_regions.network import Network
from linear_regions.reference.cells import Cell, Vertex
from linear_regions.reference.domains import Frame
from linear_regions.reference.rational import Number, evaluate

# Stands for the symbol M: far beyond every corner of the small networks of the tests.
FAR = 10**15


def die_while_handing_over(ready: Any) -> None:
    """Let a worker of a process pool be killed when half of its next result is written."""
    ready.release()

    def half(pipe: Connection, message: Any) -> None:
        os.write(pipe.fileno(), bytes(message)[: len(message) // 2])
        os.kill(os.getpid(), signal.SIGKILL)

    Connection._send = half  # type: ignore[attr-defined]


def die_at_the_end() -> None:
    """Let a worker of a process pool be killed at its end; it keeps what the others wait for."""
    get = multiprocessing.queues.Queue.get

    def last(queue: Any, *args: Any, **options: Any) -> Any:
        item = get(queue, *args, **options)
        if item is None:  # the pool is shut down
            queue._rlock.acquire()
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    multiprocessing.queues.Queue.get = last  # type: ignore[method-assign]


def inner_point(cell: Cell, weights: Sequence[int] | None = None) -> tuple[Number, ...]:
    """Return a point inside a cell: a mean of its corners with positive weights."""
    corners = [place(vertex) for vertex in cell.vertices]
    weights = [1] * len(corners) if weights is None else weights[: len(corners)]
    total = sum(weights)
    return tuple(
        sum(Fraction(w * c) for w, c in zip(weights, coordinate, strict=True)) / total
        for coordinate in zip(*corners, strict=True)
    )


def place(vertex: Vertex) -> tuple[Number, ...]:
    """Return a corner with a big number for M."""
    return tuple(p + FAR * q for p, q in zip(vertex.point, vertex.direction, strict=True))


def embed(frame: Frame, point: Sequence[Number]) -> list[Number]:
    """Return the input of the network at a point of the domain."""
    return [evaluate(row, point) for row in frame.embedding]


def size(vertices: Sequence[Vertex]) -> Number:
    """Return the length or area of a bounded cell with these corners."""
    points = [vertex.point for vertex in vertices]
    if len(points[0]) == 1:
        return points[1][0] - points[0][0]
    twice = sum(
        points[i - 1][0] * points[i][1] - points[i][0] * points[i - 1][1]
        for i in range(len(points))
    )
    return Fraction(twice) / 2


def bounded(cell: Cell) -> bool:
    """Say whether all corners of a cell are points."""
    return all(vertex.bounded for vertex in cell.vertices)


def unpack(words: np.ndarray, n: int) -> list[tuple[int, ...]]:
    """Return packed patterns as tuples: bit i is bit i % 64 of word i // 64."""
    rows = words.tolist()
    for row in rows:
        assert len(row) == -(-n // 64)
        assert n % 64 == 0 or row[-1] >> n % 64 == 0, "unused bits must be zero"
    return [tuple(row[i // 64] >> i % 64 & 1 for i in range(n)) for row in rows]


def packed(signs: np.ndarray) -> np.ndarray:
    """Return rows of bools as words, by NumPy alone."""
    n, bits = signs.shape
    padded = np.zeros((n, -(-bits // 64) * 64), dtype=bool)
    padded[:, :bits] = signs
    return np.packbits(padded, axis=1, bitorder="little").view("<u8").astype(np.uint64)


def point_patterns(net: Network, points: np.ndarray) -> np.ndarray:
    """Return the packed patterns of points, as the compiled forward pass sees them."""
    rows, _ = net.as_points(points)
    return forward_pass(net).patterns(rows)


def layer_maximum(shape: Any, filters: int, kernel: Any, **options: Any) -> lr.RegionCount:
    """Return the maximum of one convolutional layer, by one seed."""
    keys = ("stride", "padding", "dilation", "groups")
    geometry = {key: options.pop(key) for key in keys if key in options}
    spec = lr.ConvSpec(filters, kernel, **geometry)
    return lr.one_layer_maximum(shape, spec, rng=0, **options)


def layer_part(shape: Any, filters: int, kernel: Any, **geometry: Any) -> Part:
    """Return the only part of a convolutional layer."""
    ((part, _),) = one_layer(shape, lr.ConvSpec(filters, kernel, **geometry)).parts
    return part
