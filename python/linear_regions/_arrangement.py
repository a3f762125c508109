# SPDX-License-Identifier: MIT
"""Hyperplane arrangements: the public class."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ._arrangement_lists import ArrangementLists
from ._arrangement_numbers import ArrangementNumbers
from ._flat_count import FlatCount
from ._hyperplanes import RowArray, checked_rows

__all__ = ["Arrangement"]


class Arrangement(ArrangementNumbers, ArrangementLists):
    """A finite set of hyperplanes {x : normals[i] @ x + offsets[i] = 0} in R^d.

    Parameters
    ----------
    normals : array_like, shape (n, d)
        Floats, integers of any size, or fractions; all are taken exactly. A row with fractions or
        with integers that float64 cannot hold is multiplied by a positive number that makes it
        integral.
    offsets : array_like, shape (n,)

    Attributes
    ----------
    normals, offsets : float64 or object array, shapes (n, d) and (n,)
        As given, read-only: float64 where it holds every number, else Python integers.

    Raises
    ------
    InvalidInput
        If a shape does not fit or a number is not finite.
    TypeError
        If the entries are not real numbers.

    Notes
    -----
    Zero, equal, opposite and parallel rows, and normals that do not span the space are ordinary
    input. A row with a zero normal cuts nothing; its sign is that of its offset, and a zero row
    counts as negative.

    References
    ----------
    T. Zaslavsky, "Facing up to arrangements", Memoirs of the AMS 154, 1975.
    R. P. Stanley, "An introduction to hyperplane arrangements", 2007.

    Examples
    --------
    Three lines through the origin, and a fourth line beside it:

    >>> import linear_regions as lr
    >>> lines = lr.Arrangement([[1, 0], [0, 1], [1, 1], [1, -1]], [0, 0, 0, -1])
    >>> int(lines.count()), lines.bounded_count()
    (10, 2)
    >>> lines.characteristic_polynomial()
    [5, -4, 1]
    >>> lines.sign_vectors().shape
    (10, 1)
    """

    __slots__ = ("_whitney", "normals", "offsets")
    normals: RowArray
    offsets: RowArray
    _whitney: FlatCount | None
    _fields = ("normals", "offsets")

    def __init__(self, normals: npt.ArrayLike, offsets: npt.ArrayLike) -> None:
        normal, offset = checked_rows(normals, offsets)
        self._set(normals=normal, offsets=offset, _whitney=None)

    def _restore_state(self, state: tuple[object, ...]) -> None:
        super()._restore_state(state)
        self._set(_whitney=None)

    def __hash__(self) -> int:
        """Hash by value; equal integers and floats alike."""
        table = np.column_stack((self.normals, self.offsets))
        return hash((table.shape, tuple(table.reshape(-1).tolist())))

    def __repr__(self) -> str:
        """Show the size."""
        return f"Arrangement(n={self.n}, dim={self.dim})"

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.normals)

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.normals)
