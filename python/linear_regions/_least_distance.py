# SPDX-License-Identifier: MIT
"""Small least-squares problems in doubles: candidates that are proved elsewhere.

References: C. L. Lawson, R. J. Hanson, "Solving Least Squares Problems", SIAM 1995, chapter 23.
"""

from __future__ import annotations

import numpy as np

from ._value import FloatArray

__all__ = ["least_distance"]


def least_distance(normals: FloatArray, bounds: FloatArray) -> tuple[FloatArray | None, FloatArray]:
    """Return the shortest u with normals @ u >= bounds and its multipliers, about.

    Non-negative least squares on (normals.T; bounds) y = (0; 1).
    """
    table = np.vstack([normals.T, bounds])
    target = np.zeros(len(table))
    target[-1] = 1.0
    m = table.shape[1]
    y = np.zeros(m)
    active = np.zeros(m, dtype=np.bool_)
    for _ in range(3 * m + 10):
        gradient = table.T @ (target - table @ y)
        gradient[active] = -np.inf
        entering = int(gradient.argmax()) if m else 0
        if not m or gradient[entering] <= 1e-13:
            break
        active[entering] = True
        for _ in range(m):
            trial = np.zeros(m)
            trial[active] = np.linalg.lstsq(table[:, active], target, rcond=None)[0]
            if (trial[active] > 0).all():
                break
            falling = active & (trial <= 0)
            share = np.min(y[falling] / np.maximum(y[falling] - trial[falling], 1e-300))
            y = y + share * (trial - y)
            active &= y > 1e-15
            y[~active] = 0.0
        y = np.where(active, trial, 0.0)
    y = np.maximum(y, 0.0)
    rest = table @ y - target
    if abs(rest[-1]) < 1e-300:
        return None, y
    return -rest[:-1] / rest[-1], y
