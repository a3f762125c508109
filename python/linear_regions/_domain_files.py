# SPDX-License-Identifier: MIT
"""Where to look: slices and segments from files, and what is known of the points that span them.

A slice file is one of

* ``.npz`` with ``origin`` (n,) and ``directions`` (k, n), or ``origin``, ``u`` and ``v``: the
  points origin + t @ directions. ``low`` and ``high`` (k,) bound t; they are -1 and 1 when absent;
* ``.npz`` with ``points`` (k + 1, n): the slice through them, 0.25 beyond them on every side
  (another ``margin`` may be in the file);
* ``.npy``, or text with commas or blanks: such points, one per row.

Files of the first kind may have ``points`` too, which are then marked; ``labels`` name them. A
segment file has ``p`` and ``q``, or ``a`` and ``b``, or two ``points``. Points may have the
input's shape instead of n entries.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from ._npy import read_arrays
from ._value import FloatArray, float_array
from .errors import CorruptFile, InvalidInput

if TYPE_CHECKING:
    import linear_regions as lr

__all__ = ["Place", "random_place", "read_segment", "read_slice"]

Shape: TypeAlias = tuple[int, ...]
Arrays: TypeAlias = dict[str, npt.NDArray[np.generic]]

_MARGIN = 0.25


@dataclass(frozen=True, eq=False)
class Place:
    """A domain with what a reader wants to know of it.

    Attributes
    ----------
    domain : Domain or None
        None is the whole input space.
    text : str
        What it is, in words.
    points : float64 array, shape (k, *input_shape), or None
        Inputs to mark.
    labels : tuple of str
        One per point.
    """

    domain: lr.Domain | None
    text: str
    points: FloatArray | None = None
    labels: tuple[str, ...] = ()

    def described(self, text: str, labels: list[str]) -> Place:
        """Return the same place in other words."""
        return replace(self, text=text, labels=tuple(labels))

    def segment(self) -> Place | None:
        """Return the segment between the first two points, where there are two."""
        import linear_regions as lr

        if self.points is None or len(self.points) < 2:
            return None
        ends, names = self.points[:2], self.labels[:2]
        domain = lr.Segment(ends[0], ends[1])
        return Place(domain, f"segment from {names[0]} to {names[1]}", ends, names)


def read_slice(path: str | os.PathLike[str], input_shape: Shape) -> Place:
    """Read a slice file (see the module's description).

    Parameters
    ----------
    path : str or path
    input_shape : tuple of int
        Of the network.

    Returns
    -------
    Place

    Raises
    ------
    CorruptFile
        If the file is damaged or has other contents.
    InvalidInput, DegenerateInput
        If its arrays do not fit each other or the network.
    FileNotFoundError
        If there is no such file.
    """
    import linear_regions as lr

    name = os.fspath(path)
    arrays = _read(name)
    points = _points(name, arrays, input_shape)
    if "origin" in arrays:
        if "directions" in arrays:
            directions = _floats(name, arrays["directions"])
        elif "u" in arrays and "v" in arrays:
            u, v = (_floats(name, arrays[key]) for key in ("u", "v"))
            if u.shape != v.shape:
                raise InvalidInput(f"{name}: shapes of u and v differ: {u.shape} and {v.shape}")
            directions = np.stack([u, v])
        else:
            raise CorruptFile(f"{name}: beside origin expected directions, or u and v")
        if directions.ndim < 2:
            raise InvalidInput(
                f"{name}: directions must have one row each, got shape {directions.shape}"
            )
        low, high = (
            _numbers(name, arrays, key, default, len(directions))
            for key, default in (("low", -1.0), ("high", 1.0))
        )
        domain = lr.Slice(_floats(name, arrays["origin"]), directions, lr.Box(low, high))
    elif points is not None:
        (margin,) = _numbers(name, arrays, "margin", _MARGIN, 1)
        domain = lr.Slice.through(points, float(margin))
    else:
        raise CorruptFile(
            f"{name}: expected arrays origin and directions, or origin, u and v, or points; "
            f"found {', '.join(sorted(arrays)) or 'none'}"
        )
    resolved = domain.resolve(input_shape)
    labels = _labels(arrays, points)
    return Place(resolved, f"slice of {os.path.basename(name)}", points, labels)


def read_segment(path: str | os.PathLike[str], input_shape: Shape) -> Place:
    """Read a segment file (see the module's description).

    Parameters
    ----------
    path : str or path
    input_shape : tuple of int
        Of the network.

    Returns
    -------
    Place

    Raises
    ------
    CorruptFile, InvalidInput, DegenerateInput, FileNotFoundError
        As in `read_slice`.
    """
    import linear_regions as lr

    name = os.fspath(path)
    arrays = _read(name)
    points = _points(name, arrays, input_shape)
    for first, second in (("p", "q"), ("a", "b")):
        if first in arrays and second in arrays:
            ends = _floats(name, arrays[first]), _floats(name, arrays[second])
            segment = lr.Segment(*ends).resolve(input_shape)
            return Place(segment, f"segment of {os.path.basename(name)}")
    if points is None or len(points) < 2:
        raise CorruptFile(
            f"{name}: expected arrays p and q, or a and b, or two points; found "
            f"{', '.join(sorted(arrays)) or 'none'}"
        )
    segment = lr.Segment(points[0], points[1]).resolve(input_shape)
    return Place(
        segment, f"segment of {os.path.basename(name)}", points[:2], _labels(arrays, points)
    )


def random_place(input_shape: Shape) -> Place:
    """Return a plane that stands in where none is given, the same for every network of a shape.

    Parameters
    ----------
    input_shape : tuple of int

    Returns
    -------
    Place
        The square [-1, 1]^2 for two inputs, the interval for one, else the plane through three
        random points of the cube [-1, 1]^n.
    """
    import linear_regions as lr

    size = int(np.prod(input_shape))
    if size <= 2:
        return Place(lr.Box(-1.0, 1.0).resolve(input_shape), f"the box [-1, 1]^{size}")
    points = np.random.default_rng(0).uniform(-1.0, 1.0, (3, *input_shape))
    text = f"plane through three random points of [-1, 1]^{size} (seed 0)"
    plane = lr.Slice.through(points, _MARGIN).resolve(input_shape)
    return Place(plane, text, points, ("point 1", "point 2", "point 3"))


def _read(name: str) -> Arrays:
    if name.endswith((".npz", ".npy")):
        return read_arrays(name)
    try:
        with open(name, encoding="utf-8") as file:
            rows = [line.replace(",", " ").split() for line in file if line.strip()]
        if len(sizes := {len(row) for row in rows}) > 1:
            raise ValueError(f"rows of {min(sizes)} and of {max(sizes)} numbers")
        return {"points": np.array(rows, dtype=np.float64)}
    except ValueError as error:
        raise CorruptFile(
            f"{name}: expected an .npz or .npy file, or text with one point per row: {error}"
        ) from error


def _floats(name: str, array: npt.NDArray[np.generic]) -> FloatArray:
    if array.dtype.kind not in "fiub":
        raise CorruptFile(f"{name}: expected arrays of numbers, got {array.dtype}")
    return float_array(name, array)


def _numbers(name: str, arrays: Arrays, key: str, default: float, n: int) -> FloatArray:
    """Return `n` numbers, of which a file may give one for all, or none."""
    given = _floats(name, arrays.get(key, np.array(default)))
    if given.shape not in ((), (1,), (n,)):
        expected = "one number" if n == 1 else f"one number or {n}"
        raise InvalidInput(f"{name}: {key} must be {expected}, got shape {given.shape}")
    return np.broadcast_to(given, (n,))


def _points(name: str, arrays: Arrays, input_shape: Shape) -> FloatArray | None:
    if "points" not in arrays:
        return None
    points = _floats(name, arrays["points"])
    if points.ndim < 2 or not len(points) or points[0].size != np.prod(input_shape):
        raise InvalidInput(
            f"{name}: points must have shape (k, {', '.join(map(str, input_shape))}) or "
            f"(k, {np.prod(input_shape)}), got {points.shape}"
        )
    return points.reshape(len(points), *input_shape)


def _labels(arrays: Arrays, points: FloatArray | None) -> tuple[str, ...]:
    count = 0 if points is None else len(points)
    if "labels" in arrays and arrays["labels"].shape == (count,):
        return tuple(str(label) for label in arrays["labels"])
    return tuple(f"point {i + 1}" for i in range(count))
