# SPDX-License-Identifier: MIT
"""Regions of generic ReLU networks by linear programs of SciPy's HiGHS: no geometry of our own.

Tolerances decide here, so it is for networks in general position only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import linear_regions as lr

# Cells thinner than this would be missed; signs of a point with less room are not believed.
ROOM = 1e-9

Point = np.ndarray


def patterns_by_programs(net: lr.Network, half: float | None) -> set[tuple[int, ...]]:
    """Return the patterns of affine layers with relu() between in [-half, half]^d, or in R^d.

    Units are fixed one after the other; a linear program asks for a point of each side that the
    last point found is not in.
    """
    return _Programs(net, half).found


class _Programs:
    def __init__(self, net: lr.Network, half: float | None) -> None:
        self.optimize = pytest.importorskip("scipy.optimize")
        self.half = half
        affine = [layer for layer in net.layers if isinstance(layer, lr.Affine)]
        self.hidden = affine[: sum(isinstance(layer, lr.Pointwise) for layer in net.layers)]
        self.d = net.input_size
        self.found: set[tuple[int, ...]] = set()
        self.layer(0, np.eye(self.d, self.d + 1), [], [], None)

    def room(self, rows: list[np.ndarray]) -> Point | None:
        """Return a point at which all rows are positive, None where there is none."""
        table = np.array(rows)
        norms = np.abs(table[:, :-1]).sum(axis=1)
        constant = norms == 0
        if (table[constant, -1] <= 0).any():
            return None
        if constant.all():
            return np.zeros(self.d)
        table, norms = table[~constant], norms[~constant]
        bound = (None if self.half is None else -self.half, self.half)
        answer: Any = self.optimize.linprog(
            [0.0] * self.d + [-1.0],
            A_ub=np.column_stack([-table[:, :-1] / norms[:, None], np.ones(len(table))]),
            b_ub=table[:, -1] / norms,
            bounds=[bound] * self.d + [(None, 1.0)],
            method="highs",
        )
        return answer.x[:-1] if answer.status == 0 and -answer.fun > ROOM else None

    def layer(
        self, k: int, inputs: np.ndarray, rows: list[np.ndarray], bits: list[int], at: Point | None
    ) -> None:
        if k == len(self.hidden):
            self.found.add(tuple(bits))
            return
        values = self.hidden[k].weight @ inputs
        values[:, -1] += self.hidden[k].bias
        self.unit(k, 0, values, rows, bits, at)

    def unit(
        self,
        k: int,
        i: int,
        values: np.ndarray,
        rows: list[np.ndarray],
        bits: list[int],
        at: Point | None,
    ) -> None:
        if i == len(values):
            on = np.array(bits[-len(values) :])[:, None]
            self.layer(k + 1, values * on, rows, bits, at)
            return
        for bit in (1, 0):
            row = values[i] if bit else -values[i]
            inside = at if at is not None and row[:-1] @ at + row[-1] > ROOM else None
            if inside is None:
                inside = self.room([*rows, row])
            if inside is not None:
                self.unit(k, i + 1, values, [*rows, row], [*bits, bit], inside)
