# SPDX-License-Identifier: MIT
"""Simple arrangements by the lowest-vertex sweep: coordinates, central input, blocks of ranks.

The core sweeps affine arrangements in generic coordinates. Here an arrangement is brought into
that form, exactly: x = T z with random integers T, and for a central arrangement the chart in
which the last hyperplane is at infinity (its positive half; the other half is the mirror image).

Notation: rank, level and lowest vertex are those of cpp/include/linear_regions/sweep.hpp.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from math import comb
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from ._farkas import Row
from ._hyperplanes import lower_hyperplanes
from ._run import Run
from ._sweep_points import (
    Point,
    combinations_of,
    exact_point,
    exactly_inside,
    float_points,
    inside,
    nearest,
    products,
)
from ._value import FloatArray

__all__ = ["NotSimple", "Sweep"]

_Words = npt.NDArray[np.uint64]
_BITS = 48  # of the random coordinates: a chance of 2^-48 for each of the tests to fail needlessly
_TRIES = 3


class NotSimple(Exception):
    """The arrangement is not simple; the text names hyperplanes that show it."""


class Sweep:
    """A simple arrangement, ready to be swept.

    Parameters
    ----------
    rows : sequence of tuple of int
        Rows (a_1, ..., a_d, b), each up to a positive factor.
    d : int
    tries : int
        Random coordinates to try; 1: all that the object does is in the same ones.

    Attributes
    ----------
    size : int
        The number of chambers, should the arrangement be simple.
    words : int
        Words of one sign vector.
    central : bool
        All hyperplanes pass through the origin: only half of the ranks are computed.

    Raises
    ------
    NotSimple
        If a row is zero, which no simple arrangement has.
    OverflowError
        If there are more than 2^63 chambers.

    Notes
    -----
    Chambers are numbered by rank: any block of ranks can be computed alone, in any order, and is
    the same for every number of threads.
    """

    def __init__(self, rows: Sequence[Row], d: int, tries: int = _TRIES) -> None:
        self._tries = tries
        self.n, self.d = len(rows), d
        self.words = (self.n + 63) // 64
        for i, row in enumerate(rows):
            if not any(row[:-1]):
                raise NotSimple(f"hyperplane {i} has a zero normal")
        self.central = self.n > 0 and d > 0 and not any(row[-1] for row in rows)
        self.rows = list(rows)
        # The coordinates of the sweep: x = frame z + origin.
        self._frame: list[list[int]] = [[int(i == j) for j in range(d)] for i in range(d)]
        self._origin = [0] * d
        if self.central:
            rows = self._chart(rows)
        self._affine = [tuple(row) for row in rows]
        self._dim = d - self.central
        half = _core.sweep_size(len(self._affine), self._dim)
        self.size = 2 * half if self.central else half
        if self.size > 2**63:
            raise OverflowError("the arrangement has more than 2^63 chambers")
        # (level, first rank, number of chambers), in order.
        self._levels: list[tuple[int, int, int]] = []
        start, n = 0, len(self._affine)
        for level in range(min(n, self._dim), -1, -1):
            self._levels.append((level, start, comb(n, level)))
            start += comb(n, level)
        self._given = lower_hyperplanes(self.rows, d)[0]
        self._choose_coordinates(0)

    def _chart(self, rows: Sequence[Row]) -> list[Row]:
        """Return the rows but the last where the last is positive: its value is a constant there.

        With g = the last row and q its largest entry, x = sum z_i (g_q e_i - g_i e_q) + e_q, the
        sum over i != q, and e_q taken with the sign of g_q.
        """
        g = rows[-1]
        q = max(range(self.d), key=lambda i: abs(g[i]))
        sign = 1 if g[q] > 0 else -1
        others = [i for i in range(self.d) if i != q]
        self._frame = [[0] * len(others) for _ in range(self.d)]
        for k, i in enumerate(others):
            self._frame[i][k] = g[q]
            self._frame[q][k] = -g[i]
        self._origin = [sign * (i == q) for i in range(self.d)]
        chart = []
        for row in rows[:-1]:
            normal = tuple(g[q] * row[i] - g[i] * row[q] for i in others)
            chart.append((*normal, sign * row[q]))
        return chart

    def _choose_coordinates(self, attempt: int) -> None:
        generator = random.Random(1_000_003 * attempt + 1009 * self.n + self.d)
        limit = 1 << _BITS
        d = self._dim
        self._turn = [[generator.randrange(-limit, limit) for _ in range(d)] for _ in range(d)]
        turned = []
        for row in self._affine:
            normal = tuple(sum(row[i] * self._turn[i][j] for i in range(d)) for j in range(d))
            turned.append((*normal, row[-1]))
        self._turned = turned
        lowered = lower_hyperplanes(turned, d)
        self._value, self._core = lowered[0], _core.Hyperplanes(*lowered)
        self._attempt = attempt

    def _swept(self, first: int, last: int, out: _Words | None, run: Run) -> dict[str, Any]:
        for attempt in range(self._attempt, self._tries):
            if attempt != self._attempt:
                self._choose_coordinates(attempt)
            report = _core.sweep(
                self._core, first, last, out, run.certified, run.threads, run.time_limit, run.poll
            )
            if "not_simple" not in report:
                return report
            if not report["coordinates"]:
                break
            if first > 0:  # what was given out before has other coordinates
                break
        raise NotSimple(report["not_simple"])

    def fill(self, first: int, last: int, out: _Words, run: Run) -> dict[str, Any]:
        """Compute the sign vectors of the ranks [first, last).

        Parameters
        ----------
        first, last : int
            Ranks, 0 <= first <= last <= `size`.
        out : uint64 array, shape (last - first, words), C-contiguous
            Written in place.
        run : Run
            Threads, time limit and poll; a limit is the caller's business.

        Returns
        -------
        dict
            "chambers" (the first so many rows are valid), "status", "seconds", "work" and
            "interrupted".

        Raises
        ------
        NotSimple
            If the arrangement is proved not to be simple.
        """
        if not self.central:
            return self._swept(first, last, out, run)
        half = self.size // 2
        low, high = min(first, half), min(last, half)
        from_low, from_high = max(first, half) - half, max(last, half) - half
        if first == 0 and last == self.size:
            from_low = from_high = 0  # the mirror image needs no second sweep
        report = self._swept(low, high, out[: high - low], run)
        done = report["chambers"]
        self._last_sign(out[:done])
        if first == 0 and last == self.size and done == half:
            np.invert(out[:half], out=out[half:])
            self._trim(out[half:])
            report["chambers"] = self.size
        elif from_high > from_low and done == high - low:
            mirrored = out[high - low :]
            second = self._swept(from_low, from_high, mirrored, run)
            self._last_sign(mirrored)
            np.invert(mirrored, out=mirrored)
            self._trim(mirrored)
            second["chambers"] += done
            for key, value in report["work"].items():
                second["work"][key] += value
            second["seconds"] += report["seconds"]
            report = second
        return report

    @property
    def ranks(self) -> int:
        """Number of ranks that are computed: the others are mirror images."""
        return self.size // 2 if self.central else self.size

    def prove(self, run: Run, first: int = 0, last: int | None = None) -> dict[str, Any]:
        """Prove that the arrangement is simple, and store nothing; as `fill` otherwise.

        A range of `ranks` proves as much as it holds: all ranges together prove all of it.
        """
        report = self._swept(first, self.ranks if last is None else last, None, run)
        if self.central:
            report["chambers"] *= 2
        return report

    def points(
        self, first: int, last: int, sign_vectors: _Words
    ) -> tuple[FloatArray, dict[int, Point]]:
        """Return a proved interior point of every chamber of the ranks [first, last).

        Parameters
        ----------
        first, last : int
        sign_vectors : uint64 array, shape (last - first, words)
            As `fill` gave them.

        Returns
        -------
        points : float64 array, shape (last - first, d)
            NaN where no double was found inside.
        exact : dict of int to tuple of Fraction
            Exact points of those chambers, by row of `points`.

        Notes
        -----
        A chamber costs one system of d equations and 2 n d products in doubles; one without a sure
        double about d^3 rational operations.
        """
        out = np.empty((last - first, self.d))
        exact: dict[int, Point] = {}
        half = self.size // 2 if self.central else self.size
        for base, mirrored in ((0, False), (half, True))[: 1 + self.central]:
            for level, start, size in self._levels:
                low = max(first, base + start)
                high = min(last, base + start + size)
                step = max(1, 2**22 // max(1, self.n * self.d))
                for begin in range(low, high, step):
                    end = min(high, begin + step)
                    block = slice(begin - first, end - first)
                    ranks = np.arange(begin - base - start, end - base - start)
                    self._block_points(level, ranks, sign_vectors[block], mirrored, out[block])
        self._mend(first, sign_vectors, out, exact)
        return out, exact

    def _block_points(
        self,
        level: int,
        ranks: npt.NDArray[np.int64],
        words: _Words,
        mirrored: bool,
        out: FloatArray,
    ) -> None:
        signs = self._signs(words)
        turned = signs ^ mirrored
        chosen = combinations_of(len(self._affine), level, ranks)
        with np.errstate(all="ignore"):
            point = float_points(self._value, level, chosen, turned[:, : len(self._affine)])
            out[:] = products(point, self._embedding()) + np.array(self._origin, dtype=np.float64)
            if mirrored:
                np.negative(out, out=out)
            out[~inside(self._given, out, signs)] = np.nan

    def _mend(self, first: int, words: _Words, out: FloatArray, exact: dict[int, Point]) -> None:
        """Fill in what doubles left open, chamber by chamber."""
        half = self.size // 2 if self.central else self.size
        for row in np.flatnonzero(np.isnan(out).any(axis=1)).tolist():
            rank, mirrored = first + row, False
            if rank >= half:
                rank, mirrored = rank - half, True
            level, start, _ = next(entry for entry in self._levels if entry[1] + entry[2] > rank)
            n = len(self._affine)
            chosen = combinations_of(n, level, np.array([rank - start]))[0].tolist()
            signs = self._signs(words[row : row + 1])[0].tolist()
            turned = [sign != mirrored for sign in signs]
            point = self._embedded(exact_point(self._turned, self._dim, level, chosen, turned[:n]))
            if mirrored:
                point = tuple(-v for v in point)
            rounded = nearest(point)
            if exactly_inside(self.rows, rounded, signs):
                out[row] = rounded
            else:
                out[row] = np.nan
                exact[row] = point

    def _signs(self, words: _Words) -> npt.NDArray[np.bool_]:
        octets = words.astype("<u8").view(np.uint8)
        bits = np.unpackbits(octets, axis=1, count=self.n, bitorder="little")
        return np.asarray(bits.astype(np.bool_))

    def _combined(self) -> list[list[int]]:
        turn = self._turn
        return [
            [sum(row[k] * turn[k][j] for k in range(self._dim)) for j in range(self._dim)]
            for row in self._frame
        ]

    def _embedding(self) -> FloatArray:
        matrix = [nearest(tuple(map(Fraction, row))) for row in self._combined()]
        return np.array(matrix, dtype=np.float64).reshape(self.d, self._dim)

    def _embedded(self, point: Point) -> Point:
        return tuple(
            sum((a * z for a, z in zip(row, point, strict=True)), Fraction(start))
            for row, start in zip(self._combined(), self._origin, strict=True)
        )

    def _last_sign(self, out: _Words) -> None:
        """Set the sign of the last hyperplane, which is positive on the whole chart."""
        if self.n % 64 == 1:
            out[:, -1] = 0
        out[:, -1] |= np.uint64(1 << ((self.n - 1) % 64))

    def _trim(self, out: _Words) -> None:
        if self.n % 64:
            out[:, -1] &= np.uint64((1 << (self.n % 64)) - 1)
