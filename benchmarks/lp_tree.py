# SPDX-License-Identifier: MIT
"""A plain tree of sign vectors with one linear program per question: what most programs do.

Hyperplanes are taken in their order; a sign vector of the first k is kept where a linear program of
SciPy (HiGHS) finds a point with these signs. A tolerance decides, so thin chambers are lost.
"""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

__all__ = ["rate"]

_INSIDE = 1e-9


def rate(rows: npt.NDArray[np.float64], chambers: int) -> float | None:
    """Return chambers per second, or None without SciPy.

    Parameters
    ----------
    rows : float64 array, shape (n, d + 1)
        Hyperplanes (a, b): a @ x + b = 0.
    chambers : int
        The number that must be found.

    Returns
    -------
    float or None

    Raises
    ------
    AssertionError
        If another number is found.
    """
    try:
        from scipy.optimize import linprog
    except ImportError:
        return None
    n, d = rows.shape[0], rows.shape[1] - 1
    objective = np.zeros(d + 1)
    objective[d] = -1.0  # the slack that all signs have, at most 1

    def feasible(cell: list[float]) -> bool:
        signed = np.array(cell)[:, None] * rows[: len(cell)]
        left = np.column_stack([-signed[:, :d], np.ones(len(cell))])
        bounds = [(None, None)] * d + [(None, 1.0)]
        found = linprog(objective, left, signed[:, d], bounds=bounds)
        return bool(found.status == 0 and -found.fun > _INSIDE)

    start = time.process_time()
    cells: list[list[float]] = [[]]
    for _ in range(n):
        cells = [[*c, s] for c in cells for s in (1.0, -1.0) if feasible([*c, s])]
    seconds = time.process_time() - start
    assert len(cells) == chambers, (len(cells), chambers)
    return chambers / seconds
