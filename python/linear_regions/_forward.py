# SPDX-License-Identifier: MIT
"""Values and patterns of points, by the compiled forward pass in double or single precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from ._lower import program
from ._value import host_points
from .errors import InvalidInput
from .network import Network

__all__ = ["DTYPES", "Forward", "checked_dtype", "forward_pass", "point_rows"]

DTYPES = ("float64", "float32")
Words = npt.NDArray[np.uint64]
Points = npt.NDArray[np.float64] | npt.NDArray[np.float32]


def checked_dtype(dtype: object) -> str:
    """Return "float64" or "float32", of a name or a NumPy type."""
    if str(dtype).startswith("torch."):
        dtype = str(dtype).removeprefix("torch.")
    try:
        name = np.dtype(dtype).name if dtype is not None else ""  # type: ignore[call-overload]
    except TypeError:
        name = ""
    if name not in DTYPES:
        raise InvalidInput(f'dtype must be "float64" or "float32", got {dtype!r}')
    return str(name)


def point_rows(net: Network, points: npt.ArrayLike) -> tuple[Points, bool]:
    """Do as `Network.as_points`, but leave floats in single precision as they are."""
    array = host_points(points)
    if isinstance(array, np.ndarray) and array.dtype == np.float32:
        return net._rows(np.ascontiguousarray(array))
    return net.as_points(array)


class Forward:
    """The forward pass of one network in one precision; any thread may use it.

    Parameters
    ----------
    net : Network
    dtype : {"float64", "float32"}
    """

    def __init__(self, net: Network, dtype: str) -> None:
        self.dtype = dtype
        made = _core.ForwardPass32 if dtype == "float32" else _core.ForwardPass64
        self._pass: Any = made(program(net))

    def values(self, points: Points) -> npt.NDArray[Any]:
        """Return the outputs, shape (batch, n_out), of points, shape (batch, n)."""
        return np.asarray(self._pass.values(points))

    def patterns(self, points: Points) -> Words:
        """Return the packed patterns of points.

        Raises
        ------
        InvalidInput
            A point is not finite.
        OverflowError
            A value whose sign is asked for is not.
        """
        words, finite = self._pass.patterns(points)
        self._check(finite, points)
        return np.asarray(words)

    def _check(self, finite: bool, points: Points) -> None:
        if not finite:
            if not np.isfinite(points).all():
                raise InvalidInput("points must be finite, got NaN or infinity")
            raise OverflowError(
                f"a value of the network is beyond the range of {self.dtype}, so its sign means "
                "nothing: use smaller points"
                + (' or dtype="float64"' if self.dtype == "float32" else "")
            )

    def doubtful_patterns(
        self, points: npt.NDArray[np.float64]
    ) -> tuple[Words, npt.NDArray[np.int32], float]:
        """Return patterns, what rounding leaves open in them, and the loosest bound.

        Doubts are rows (point, bit, place); place -1 for a unit, otherwise an entry of a window
        that may be the largest. The bound is relative to the values. Errors as of `patterns`.
        """
        words, finite, doubts, loosest = self._pass.doubtful_patterns(points)
        self._check(finite, points)
        return words, doubts, loosest

    @property
    def work(self) -> float:
        """Multiplications of the pass, in double precision, of one point."""
        return float(self._pass.work)

    def guess(self, points: Points) -> Words:
        """Return packed patterns of which some may be wrong: values may have overflowed."""
        return np.asarray(self._pass.patterns(points)[0])

    def affine_maps(self, patterns: Words, columns: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
        """Return the affine map of each pattern, shape (n, n_out, columns)."""
        return np.asarray(self._pass.affine_maps(patterns, columns))


def forward_pass(net: Network, dtype: str = "float64") -> Forward:
    """Return the forward pass of a network; made once and kept with it."""
    found = net._passes.get(dtype)
    if not isinstance(found, Forward):
        try:
            found = Forward(net, dtype)
        except ValueError as error:  # of the core: a number beyond the range of floats
            raise InvalidInput(f'dtype="{dtype}": {error}') from error
        net._passes[dtype] = found
    return found
