# SPDX-License-Identifier: MIT
"""The classes of a classifier within polygons on which it is affine, and the lines between them.

Every output is affine on a region, so its values at the corners say all: a *row* is a corner's two
coordinates followed by the outputs there, and cutting interpolates whole rows. The boundary is
therefore that of the network itself, with no grid in between.
"""

from __future__ import annotations

from itertools import combinations
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["boundary_segments", "corner_classes", "split_by_class"]

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]


def scores(values: FloatArray) -> FloatArray:
    """Return one column per class; a single output is a score of class 1 against zero.

    Parameters
    ----------
    values : float64 array, shape (k, n_out)

    Returns
    -------
    float64 array, shape (k, classes)
    """
    if values.shape[1] > 1:
        return values
    return np.hstack([np.zeros_like(values), values])


def corner_classes(values: FloatArray, offsets: IntArray) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    """Return the class of every polygon, and which polygons hold more than one class.

    Parameters
    ----------
    values : float64 array, shape (corners, classes)
    offsets : int64 array, shape (R + 1,)
        Polygon i has the corners offsets[i] to offsets[i + 1].

    Returns
    -------
    classes : int64 array, shape (R,)
        The class at the first corner.
    mixed : bool array, shape (R,)
        False proves one class: an affine score that is largest at all corners is so inside.
    """
    best = values.argmax(axis=1)
    low = np.minimum.reduceat(best, offsets[:-1])
    high = np.maximum.reduceat(best, offsets[:-1])
    return best[offsets[:-1]], low != high


def split_by_class(rows: FloatArray) -> list[tuple[int, FloatArray]]:
    """Cut a convex polygon into one polygon per class.

    Parameters
    ----------
    rows : float64 array, shape (k, 2 + classes)

    Returns
    -------
    list of (class, float64 array of shape (corners, 2))
    """
    cells = []
    alive = _contenders(rows)
    for label in alive:
        cell = rows
        for other in alive:
            if other != label and len(cell):
                cell = _keep(cell, cell[:, 2 + label] - cell[:, 2 + other])
        if len(cell) > 2:
            cells.append((label, cell[:, :2]))
    return cells


def boundary_segments(rows: FloatArray) -> list[FloatArray]:
    """Return the segments in a convex polygon on which two classes tie for the largest score.

    Parameters
    ----------
    rows : float64 array, shape (k, 2 + classes)

    Returns
    -------
    list of float64 arrays of shape (2, 2)
    """
    segments = []
    alive = _contenders(rows)
    for first, second in combinations(alive, 2):
        segment = _crossing(rows, rows[:, 2 + first] - rows[:, 2 + second])
        for other in alive:
            if other not in (first, second) and len(segment):
                segment = _keep(segment, segment[:, 2 + first] - segment[:, 2 + other])
        if len(segment) == 2:
            segments.append(segment[:, :2])
    return segments


def _contenders(rows: FloatArray) -> list[int]:
    """Return the classes that are not below one and the same other class everywhere."""
    table = rows[:, 2:]
    winners = sorted(set(table.argmax(axis=1).tolist()))
    never_above = np.all(table[:, :, None] <= table[:, None, winners], axis=0)
    beaten: npt.NDArray[np.bool_] = np.any(never_above, axis=1)
    beaten[winners] = False
    return [int(label) for label in np.flatnonzero(~beaten)]


def _keep(rows: FloatArray, side: FloatArray) -> FloatArray:
    """Return the part of a polygon (or of a segment, two rows) where `side` >= 0."""
    if (side >= 0).all():
        return rows
    kept: list[FloatArray] = []
    signs = np.sign(side)  # a product of the values themselves might underflow
    n = len(rows)
    for i in range(n):
        j = (i + 1) % n
        if side[i] >= 0:
            kept.append(rows[i])
        if signs[i] * signs[j] < 0 and (n > 2 or i == 0):
            kept.append(_at_zero(rows[i], rows[j], side[i], side[j]))
    return np.array(kept).reshape(len(kept), rows.shape[1])


def _crossing(rows: FloatArray, side: FloatArray) -> FloatArray:
    """Return the two rows where the line `side` = 0 enters and leaves a polygon, or no rows."""
    n = len(rows)
    signs = np.sign(side)
    found = []
    if side.min() < 0 < side.max():
        for i in range(n):
            j = (i + 1) % n
            if side[i] == 0:
                found.append(rows[i])
            elif signs[i] * signs[j] < 0:
                found.append(_at_zero(rows[i], rows[j], side[i], side[j]))
    return np.array(found).reshape(len(found), rows.shape[1])


def _at_zero(
    start: FloatArray, end: FloatArray, at_start: np.float64, at_end: np.float64
) -> FloatArray:
    row: FloatArray = start + (at_start / (at_start - at_end)) * (end - start)
    return row
