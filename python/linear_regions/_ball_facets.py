# SPDX-License-Identifier: MIT
"""Which regions touch inside a ball, certified.

Two regions are neighbours in a ball where their common facet meets the open ball, which it does
where its closure is nearer to the centre than the radius. A point in each of the two regions proves
it: both in the ball, on the two sides of the facet and within all other rows of one region, so that
the segment between them passes through the facet. Multipliers disprove it, as for regions; with the
row of the facet in both directions its multiplier has any sign. The rest is rational.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from ._ball_regions import BallTest
from ._cell_facets import oriented_rows
from ._region_columns import IntArray
from ._region_table import Regions
from ._regions import regions
from ._value import FloatArray
from .domain import Ball

__all__ = ["mates_in_ball"]


def mates_in_ball(table: Regions, look: Callable[[], object] | None = None) -> IntArray:
    """Return the mate of every facet of a complete list in a ball, -1 where they do not meet in it.

    The regions of the box around the ball are listed again, for those outside tell facets apart.
    `look` is called for every facet, and ends the work by raising.
    """
    assert isinstance(table.domain, Ball)
    test = BallTest(table.network, table.domain)
    whole = regions(table.network, test.box, method=table.count.method)
    numbers = {row.tobytes(): number for number, row in enumerate(whole.patterns)}
    own = np.array([numbers[row.tobytes()] for row in table.patterns], dtype=np.int64)
    sizes = np.diff(table.facet_offsets)
    facets = np.arange(int(table.facet_offsets[-1]))
    shift = whole.facet_offsets[own] - table.facet_offsets[:-1]
    in_whole = facets + np.repeat(shift, sizes)
    assert np.array_equal(whole.columns.facet_labels[in_whole], table.columns.facet_labels)
    back = np.full(len(whole.facet_rows), -1, dtype=np.int64)
    back[in_whole] = facets
    whole._find_mates(look)
    across = whole.facet_mates[in_whole]
    mates = np.where(across >= 0, back[across], -1)
    for facet in np.flatnonzero(mates > facets).tolist():
        if look is not None:
            look()
        if not _FacetInBall(test, table, facet, int(mates[facet])).meets():
            mates[mates[facet]] = mates[facet] = -1
    return mates


class _FacetInBall:
    """A facet of one region, with the rows of all of its facets that units make."""

    def __init__(self, test: BallTest, table: Regions, facet: int, mate: int) -> None:
        self.test, self.table, self.facet = test, table, facet
        offsets = table.facet_offsets
        self.region, other = (
            int(np.searchsorted(offsets, f, side="right")) - 1 for f in (facet, mate)
        )
        own = np.arange(offsets[self.region], offsets[self.region + 1])
        own = own[table.columns.facet_labels[own, 0] >= 0]
        self.labels = np.ascontiguousarray(table.columns.facet_labels[own])
        self.number = int(np.searchsorted(own, facet))
        self.inner, self.beyond = table.interior_points[[self.region, other]]

    def meets(self) -> bool:
        """Decide whether the facet meets the open ball."""
        self.test.distances += 1
        answer = self._by_doubles() if self.test.moderate else None
        return self._exactly() if answer is None else answer

    def _by_doubles(self) -> bool | None:
        pattern = self.table.patterns[self.region][None]
        rows, errors = self.test.rows_of(pattern, np.array([0, len(self.labels)]), self.labels)
        scaled = self.test.scale(rows, errors)
        if scaled is None:
            return None
        normals, offsets, doubt = scaled
        if self._parted(normals, offsets, doubt, self.inner, self.beyond):
            return True
        # The facet's row both ways: the nearest point of the region's closure on it.
        k = self.number
        both = (
            np.vstack([normals, -normals[k]]),
            np.append(offsets, -offsets[k]),
            np.append(doubt, doubt[k]),
        )
        step, disproved = self.test.bounded_away(*both)
        if disproved:
            return False
        if step is None or not np.isfinite(self.inner).all():
            return None
        nearest = self.test.center + step
        room = self.test.radius - float(np.linalg.norm(step))
        if room <= 0:
            return None
        # From there a little towards a point within the facet, then a little to both sides.
        middle = self._within(normals, offsets)
        away = float(np.linalg.norm(middle - nearest))
        share = min(1.0, 0.5 * room / away) if away > 0 else 1.0
        foot = nearest + share * (middle - nearest)
        for part in (0.25, 1e-3, 1e-6, 1e-9):
            leg = part * room * normals[k]
            if self._parted(normals, offsets, doubt, foot + leg, foot - leg):
                return True
        return None

    def _within(self, normals: FloatArray, offsets: FloatArray) -> FloatArray:
        """Return a point about on the facet.

        Where the segment between both inner points meets it, or, where that leaves the region, the
        mean of the facet's vertices.
        """
        table, k = self.table, self.number
        if np.isfinite(self.beyond).all():
            at = normals @ self.inner + offsets, normals @ self.beyond + offsets
            if at[0][k] > 0 > at[1][k]:
                share = at[0][k] / (at[0][k] - at[1][k])
                point = self.inner + share * (self.beyond - self.inner)
                others = np.delete(normals @ point + offsets, k)
                if (others > 0).all():
                    return np.asarray(point)
        columns = table.columns
        facet = self.facet
        corners = columns.corners[columns.corner_offsets[facet] : columns.corner_offsets[facet + 1]]
        return np.asarray(columns.vertices[corners, :-1].mean(axis=0))

    def _parted(
        self,
        normals: FloatArray,
        offsets: FloatArray,
        doubt: FloatArray,
        inside: FloatArray,
        outside: FloatArray,
    ) -> bool:
        """Tell whether two points prove that the facet between them meets the ball."""
        ends = np.stack([inside, outside])
        if not self.test.in_ball(ends).all():
            return False
        values = ends @ normals.T + offsets
        room = self.test.room(normals, offsets, doubt, ends)
        values[1, self.number] *= -1
        return bool((values > room).all())

    def _exactly(self) -> bool:
        self.test.exact += 1
        table = self.table
        width = table.dim + 1
        rows = oriented_rows(
            table.network, self.test.core, table.patterns[self.region], self.labels, width
        )
        rows.append(tuple(-v for v in rows[self.number]))
        step = self.test.nearest(rows)
        return sum((u * u for u in step), Fraction(0)) < Fraction(self.test.radius) ** 2
