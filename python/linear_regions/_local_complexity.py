# SPDX-License-Identifier: MIT
"""Local complexity: how many units change their piece close to given points."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from ._count import count
from ._geometry import generator, integer
from ._pattern_source import Packed, packed_patterns
from ._segments import count_segments
from ._torch_record import torch_module
from ._value import SameFields
from .domain import Box, Polytope, Slice
from .errors import Interrupted, InvalidInput, Unsupported
from .network import Network, check_network

__all__ = ["LocalComplexity", "local_complexity"]

Rng = int | np.random.SeedSequence | np.random.BitGenerator | np.random.Generator | None
FloatArray = npt.NDArray[np.float64]

_BATCH_NUMBERS = 1 << 22  # inputs of one forward pass: 32 MiB
_MOST_EXACT = 4  # directions; a cross-polytope has 2**directions facets


@dataclass(frozen=True, eq=False, repr=False)
class LocalComplexity(SameFields):
    """Local complexity of a batch of points; NumPy takes it as the array `values`.

    Attributes
    ----------
    values : int64 array, shape (points,)
        Of each point: units that change their piece among the corners (``method="corners"``), or
        activation regions that meet the neighbourhood (``method="regions"``).
    per_layer : int64 array, shape (points, layers), or None
        The same by activation layer; None for regions.
    layers : tuple of str
        Names of the columns of `per_layer`.
    method : str
    radius : float
    directions : int
        Number of directions; the neighbourhood has twice as many corners.
    key : int or None
        The 128-bit key of the random directions; None where they were given.

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = lr.Network(2, [lr.Affine([[1.0, 0.0], [0.0, 1.0]]), lr.relu()])
    >>> found = lr.local_complexity(net, [[0.0, 0.0], [5.0, 5.0]], radius=0.1, rng=0)
    >>> found.per_layer, found.mean
    (array([[2],
           [0]]), 1.0)
    """

    values: npt.NDArray[np.int64]
    per_layer: npt.NDArray[np.int64] | None
    layers: tuple[str, ...]
    method: str
    radius: float
    directions: int
    key: int | None

    @property
    def mean(self) -> float:
        """Mean over the points."""
        return float(self.values.mean()) if len(self.values) else float("nan")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Return `values`."""
        return np.array(self.values, dtype=dtype, copy=copy is not False)

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.values)

    def __repr__(self) -> str:
        """Return one line without the arrays."""
        return (
            f"LocalComplexity(mean={self.mean:.6g}, points={len(self)}, method={self.method!r}, "
            f"radius={self.radius:g}, directions={self.directions})"
        )


def local_complexity(
    net: Any,
    points: Any,
    *,
    radius: float = 0.005,
    directions: int | npt.ArrayLike | None = None,
    method: str = "corners",
    rng: Rng = None,
    threads: int | None = None,
) -> LocalComplexity:
    """Return the local complexity around each of many points.

    The neighbourhood of a point x is the cross-polytope with the corners x + r v and x - r v, for
    P orthonormal random directions v.

    Parameters
    ----------
    net : Network or torch.nn.Module
        A module is run as it is, on its own device, and left as it was.
    points : array_like or tensor, shape (m, *input_shape) or, for a Network, (m, n)
        A single point is a batch of one.
    radius : float, default 0.005
        The radius r, in units of the input; the paper's default.
    directions : int or array_like, optional
        Number P of random directions (default 25, as in the paper, or the number of inputs where
        that is smaller; 2 for ``method="regions"``); or the directions themselves, shape (P, n) for
        all points or (m, P, n), used as they are.
    method : {"corners", "regions"}, default "corners"
        ``"corners"``: run the 2 P corners and count, layer by layer, the units that are not on one
        piece at all of them (a unit with k breakpoints counts for each breakpoint that is passed; a
        window of a max pooling counts once). ``"regions"``: count the activation regions that meet
        the cross-polytope exactly, as `count` does; for a Network and at most 4 directions.
    threads : int, optional
        For ``method="regions"``.
    rng : None, int, SeedSequence, BitGenerator or Generator
        Draws a 128-bit key; the directions of point i depend on the key and on i alone, so the same
        seed looks along the same directions at every epoch.

    Returns
    -------
    LocalComplexity
        ``values`` has one number per point.

    Raises
    ------
    InvalidInput
        If an argument does not fit.
    Unsupported
        If ``method="regions"`` is asked of a module or in more than four directions.
    TypeError
        If `net` is neither a Network nor a module.
    Interrupted
        On Ctrl-C, without a partial result.

    Notes
    -----
    ``"corners"`` is exact for the first layer: a hyperplane cuts the interior of the cross-polytope
    exactly if its corners lie strictly on both sides (a corner on the hyperplane counts as below).
    For deeper layers it is a lower bound of the number of units whose boundary meets the
    neighbourhood: the neighbourhood is connected, so a unit with both signs at corners changes in
    between; one may also change only in the interior. Time is that of 2 P m forward passes.

    References
    ----------
    A. I. Humayun, R. Balestriero, R. Baraniuk, "Deep Networks Always Grok and Here is Why", ICML
    2024, arXiv:2402.15555, section 2 (local complexity by cross-polytopes).

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = lr.Network(2, [lr.Affine([[1.0, 0.0], [0.0, 1.0]]), lr.relu()])
    >>> points = [[0.0, 0.0], [0.0, 3.0], [5.0, 5.0]]
    >>> lr.local_complexity(net, points, radius=0.1, rng=0).values
    array([2, 1, 0])
    >>> lr.local_complexity(net, points, radius=0.1, method="regions", rng=0).values
    array([4, 2, 1])
    """
    if method not in ("corners", "regions"):
        raise InvalidInput(f"method must be 'corners' or 'regions', got {method!r}")
    size = float(radius)
    if not (np.isfinite(size) and size > 0):
        raise InvalidInput(f"radius must be positive and finite, got {radius!r}")
    array, shape = _points(net, points)
    m, n = array.shape
    frames, key = _frames(directions, m, n, 2 if method == "regions" else 25, rng)
    if method == "regions":
        values = _regions(net, array, size, frames, threads)
        return LocalComplexity(values, None, (), method, size, frames.shape[1], key)
    found = []
    names: tuple[str, ...] = ()
    n_directions = frames.shape[1]
    rows = max(1, _BATCH_NUMBERS // max(1, 2 * n_directions * n))
    for start in range(0, max(m, 1), rows):
        stop = min(m, start + rows)
        middle = array[start:stop, None, :]
        step = size * frames(start, stop)
        corners = np.concatenate([middle + step, middle - step], axis=1)
        packed = packed_patterns(net, corners.reshape(-1, *shape))
        found.append(_changing(packed, stop - start, 2 * n_directions))
        names = tuple(name for name, _, _, _ in packed.layers)
    per_layer = np.concatenate(found)
    return LocalComplexity(per_layer.sum(axis=1), per_layer, names, method, size, n_directions, key)


class _Frames:
    """Directions of every point, made when they are asked for."""

    def __init__(self, shape: tuple[int, int, int], given: FloatArray | None, key: int) -> None:
        self.shape, self._given, self._key = shape, given, key

    def __call__(self, start: int, stop: int) -> FloatArray:
        if self._given is not None:
            return self._given if self._given.ndim == 2 else self._given[start:stop]
        _, p, n = self.shape
        draws = np.empty((stop - start, n, p))
        for i in range(start, stop):
            stream = np.random.Generator(np.random.Philox(key=self._key, counter=i << 64))
            draws[i - start] = stream.standard_normal((n, p))
        # Signs of the triangular factor's diagonal make the law uniform (Mezzadri 2007).
        q, r = np.linalg.qr(draws)
        signs = np.where(np.diagonal(r, axis1=1, axis2=2) < 0, -1.0, 1.0)
        frames: FloatArray = np.swapaxes(q * signs[:, None, :], 1, 2)
        return frames


def _points(net: Any, points: Any) -> tuple[FloatArray, tuple[int, ...]]:
    if isinstance(net, Network):
        array, _ = net.as_points(points)
        shape = net.input_shape
    elif torch_module(net) is not None:
        given = points.detach().cpu().double().numpy() if hasattr(points, "detach") else points
        array = np.asarray(given, dtype=np.float64)
        if array.ndim < 2:
            raise InvalidInput(
                f"points of a module have shape (m, *input_shape), got {array.shape}"
            )
        shape = array.shape[1:]
        array = array.reshape(len(array), prod(shape))
    else:
        check_network(net, " or a torch.nn.Module")
    if not np.isfinite(array).all():
        raise InvalidInput("points must be finite, got NaN or infinity")
    return array, shape


def _frames(directions: Any, m: int, n: int, default: int, rng: Rng) -> tuple[_Frames, int | None]:
    if directions is None or isinstance(directions, (int, np.integer)):
        p = min(default, n) if directions is None else integer("directions", directions, 1)
        if p > n:
            raise InvalidInput(f"there are no {p} orthogonal directions among {n} inputs")
        key = int.from_bytes(generator(rng).bytes(16), "little")
        return _Frames((m, p, n), None, key), key
    given = np.asarray(directions, dtype=np.float64)
    if given.ndim not in (2, 3) or given.shape[-1] != n or given.shape[-2] < 1:
        raise InvalidInput(
            f"directions must have shape (P, {n}) or ({m}, P, {n}), got {given.shape}"
        )
    if given.ndim == 3 and len(given) != m:
        raise InvalidInput(f"directions are for {len(given)} points, there are {m}")
    if not np.isfinite(given).all():
        raise InvalidInput("directions must be finite, got NaN or infinity")
    return _Frames((m, given.shape[-2], n), given, 0), None


def _changing(packed: Packed, m: int, corners: int) -> npt.NDArray[np.int64]:
    """Return how many units of each layer are not the same at all corners of each point."""
    words = packed.words.reshape(m, corners, packed.words.shape[1])
    some, every = np.bitwise_or.reduce(words, axis=1), np.bitwise_and.reduce(words, axis=1)
    octets = np.ascontiguousarray((some & ~every).astype("<u8")).view(np.uint8)
    bits = np.unpackbits(octets, axis=1, bitorder="little")
    columns = [
        bits[:, first : first + n_bits].reshape(m, n_bits // width, width).any(axis=2).sum(axis=1)
        for _, first, n_bits, width in packed.layers
    ]
    return np.array(columns, dtype=np.int64).reshape(len(columns), m).T.copy()


def _regions(
    net: Any, points: FloatArray, radius: float, frames: _Frames, threads: int | None
) -> npt.NDArray[np.int64]:
    m, p, _ = frames.shape
    if not isinstance(net, Network):
        raise Unsupported("method='regions' counts in a Network; see lr.load(module, input_shape=)")
    if p > _MOST_EXACT:
        raise Unsupported(
            f"method='regions' takes at most {_MOST_EXACT} directions, got {p}; use "
            "method='corners'"
        )
    values = np.ones(m, dtype=np.int64)
    if p == 1:
        step = radius * frames(0, m).reshape(-1, points.shape[1])
        try:
            return count_segments(net, points + step, points - step, threads=threads)
        except Interrupted:
            raise Interrupted from None
    # The cross-polytope in the coordinates of the directions; a square in two.
    sides = np.array(np.meshgrid(*[[-1.0, 1.0]] * p, indexing="ij")).reshape(p, -1).T
    for i in range(m):
        (frame,) = np.broadcast_to(frames(i, i + 1), (1, *frames.shape[1:]))
        if p == 2:
            half = 0.5 * radius * np.array([frame[0] + frame[1], frame[0] - frame[1]])
            domain = Slice(points[i], half, Box([-1.0, -1.0], [1.0, 1.0]))
        else:
            domain = Slice(points[i], radius * frame, Polytope(sides, np.ones(len(sides))))
        try:
            values[i] = int(count(net, domain, threads=threads))
        except Interrupted:  # of one point among many
            raise Interrupted from None
    return values
