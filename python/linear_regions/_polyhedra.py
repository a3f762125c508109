# SPDX-License-Identifier: MIT
"""Domains of the input space itself: boxes, polytopes, the whole space; and the base class."""

from __future__ import annotations

from math import prod
from typing import Self

import numpy as np
import numpy.typing as npt

from ._farkas import integer_row
from ._geometry import Shape, integer, shape_of
from ._hull import Hull, affine_hull
from ._value import FloatArray, Value, finite_array, float_array
from .errors import DegenerateInput, InvalidInput


class Domain(Value):
    """Base class of all domains.

    Examples
    --------
    >>> [isinstance(domain, Domain) for domain in (Box(0.0, 1.0), Space(2))]
    [True, True]
    """

    __slots__ = ()

    @property
    def ambient_dim(self) -> int | None:
        """Number of inputs; None where the domain fits every network (scalar sides)."""
        raise NotImplementedError

    @property
    def dim(self) -> int | None:
        """Dimension of the domain: the number of its coordinates; None where not yet known."""
        raise NotImplementedError

    def resolve(self, input_shape: int | Shape) -> Self:
        """Return this domain with concrete, flat arrays for a network's input shape.

        Parameters
        ----------
        input_shape : int or tuple of int

        Returns
        -------
        Domain
            Of the same kind.

        Raises
        ------
        InvalidInput
            If the shapes do not fit.

        Examples
        --------
        >>> Box(0.0, 1.0).resolve(2)
        Box(low=array([0., 0.]), high=array([1., 1.]))
        """
        raise NotImplementedError

    def embed(self, t: npt.ArrayLike) -> FloatArray:
        """Map domain coordinates to input points, in float64.

        Parameters
        ----------
        t : array_like of float, shape (..., dim)

        Returns
        -------
        float64 array, shape (..., n)
            Flat inputs in row-major order.

        Raises
        ------
        InvalidInput
            If the last axis is not `dim`, or the domain must be resolved first.

        Examples
        --------
        >>> Box([0.0, 5.0], [1.0, 5.0]).embed([[0.25], [0.5]]).tolist()
        [[0.25, 5.0], [0.5, 5.0]]
        """
        raise NotImplementedError

    def _coordinates(self, t: npt.ArrayLike) -> FloatArray:
        dim = self.dim
        if dim is None:
            raise InvalidInput(
                f"{type(self).__name__}: the input size is not known yet; call "
                "resolve(input_shape) first"
            )
        array = float_array("t", t, copy=False)
        if array.ndim < 1 or array.shape[-1] != dim:
            raise InvalidInput(
                f"t must have shape (..., {dim}), one column per coordinate of the domain, "
                f"got {array.shape}"
            )
        return array


def no_domain(expected: str, value: object) -> TypeError:
    """Return the error that something else came than the domain that is expected."""
    found = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
    hint = "a box is Box(low, high)"
    if isinstance(value, list | tuple) and value and all(isinstance(v, Domain) for v in value):
        found += f" of {len(value)} domains"
        hint = "take one of them, as in `box, = read_vnnlib(path)`"
        if len(value) > 1:
            hint = "take one of them, or ask of each in turn"
    return TypeError(f"{expected}, got {found}; {hint}")


def flat_array(where: str, array: FloatArray, input_shape: Shape) -> FloatArray:
    """Return an array that has the input's shape or is flat as a read-only flat array."""
    n = prod(input_shape)
    if array.shape != (n,):
        if array.shape != input_shape:
            expected = f"({n},)" if input_shape == (n,) else f"{input_shape} or ({n},)"
            raise InvalidInput(f"{where} must have shape {expected}, got {array.shape}")
        array = array.reshape(n)
        array.setflags(write=False)
    return array


class Box(Domain):
    """Axis-parallel box: low <= x <= high.

    Parameters
    ----------
    low, high : float or array_like of float
        Scalars, or of the input's shape, or flat in row-major order. Sides may be infinite. A side
        of width zero fixes that input.

    Raises
    ------
    InvalidInput
        If a number is NaN, a side has no finite point, or the shapes differ.
    DegenerateInput
        If low > high somewhere: the domain is empty.

    Examples
    --------
    >>> box = Box([-1.0, 0.5, 0.0], [1.0, 0.5, 2.0])
    >>> box.dim, box.ambient_dim
    (2, 3)
    >>> box.embed([0.25, 1.0])
    array([0.25, 0.5 , 1.  ])
    """

    __slots__ = ("high", "low")
    low: FloatArray
    high: FloatArray
    _fields = ("low", "high")

    def __init__(self, low: npt.ArrayLike, high: npt.ArrayLike) -> None:
        lower, upper = float_array("Box: low", low), float_array("Box: high", high)
        if lower.shape != upper.shape:
            if lower.ndim == 0 or upper.ndim == 0:
                shape = lower.shape or upper.shape
                lower, upper = (np.array(np.broadcast_to(a, shape)) for a in (lower, upper))
            elif lower.size == upper.size and 1 in (lower.ndim, upper.ndim):
                lower, upper = lower.reshape(-1), upper.reshape(-1)
            else:
                raise InvalidInput(
                    f"Box: low and high must have equal shapes, got {lower.shape} and {upper.shape}"
                )
        if not (lower <= upper).all():
            if np.isnan(lower).any() or np.isnan(upper).any():
                raise InvalidInput("Box: low and high must not be NaN")
            where = tuple(int(i) for i in np.argwhere(lower > upper)[0])
            raise DegenerateInput(
                f"empty domain: Box has low = {lower[where]} > high = {upper[where]}"
                + (f" at index {where}" if where else "")
            )
        if (lower == np.inf).any() or (upper == -np.inf).any():
            raise InvalidInput("Box: a side from inf to inf (or -inf to -inf) has no finite point")
        lower.setflags(write=False)
        upper.setflags(write=False)
        object.__setattr__(self, "low", lower)
        object.__setattr__(self, "high", upper)

    @property
    def ambient_dim(self) -> int | None:
        """Number of inputs; None for scalar sides."""
        return self.low.size if self.low.ndim else None

    @property
    def free(self) -> npt.NDArray[np.int64]:
        """Flat indexes of the inputs that are not fixed: the coordinates of the domain.

        Raises
        ------
        InvalidInput
            If the sides are scalars: the input size is not known yet.
        """
        if not self.low.ndim:
            raise InvalidInput("Box: scalar sides; call resolve(input_shape) first")
        return (self.low < self.high).nonzero()[0].astype(np.int64, copy=False)

    @property
    def dim(self) -> int | None:
        """Number of inputs that are not fixed; None for scalar sides."""
        return int(np.count_nonzero(self.low < self.high)) if self.low.ndim else None

    def resolve(self, input_shape: int | Shape) -> Box:
        """Return this box with flat sides (see `Domain.resolve`)."""
        shape = shape_of("input_shape", input_shape)
        if self.low.ndim == 1 and self.low.size == prod(shape):
            return self
        box = Box.__new__(Box)
        for name, side in (("low", self.low), ("high", self.high)):
            flat = side
            if not side.ndim:
                flat = np.full(prod(shape), float(side))
                flat.setflags(write=False)
            object.__setattr__(box, name, flat_array(f"Box: {name}", flat, shape))
        return box

    def embed(self, t: npt.ArrayLike) -> FloatArray:
        """Put the coordinates at the free inputs (see `Domain.embed`)."""
        array = self._coordinates(t)
        low = self.low.reshape(-1)
        out = np.empty((*array.shape[:-1], low.size))
        out[...] = low
        out[..., self.free] = array
        return out


class Polytope(Domain):
    """Intersection of half-spaces, {x : A x <= b, A_eq x = b_eq}; it may be unbounded.

    Parameters
    ----------
    A : array_like of float, shape (m, n)
    b : array_like of float, shape (m,)
    A_eq : array_like of float, shape (p, n), optional
    b_eq : array_like of float, shape (p,), optional

    Raises
    ------
    InvalidInput
        If a shape does not fit or a number is not finite.
    DegenerateInput
        If the domain is empty; found when `dim` is asked for, exactly.

    Examples
    --------
    The unit square's diagonal, as an equality that two inequalities imply:

    >>> Polytope([[1, -1], [-1, 1], [1, 0], [-1, 0]], [0, 0, 1, 0]).dim
    1
    """

    __slots__ = ("A", "A_eq", "_hull", "b", "b_eq")
    A: FloatArray
    b: FloatArray
    A_eq: FloatArray
    b_eq: FloatArray
    _hull: Hull | None
    _fields = ("A", "b", "A_eq", "b_eq")

    def __init__(
        self,
        A: npt.ArrayLike,
        b: npt.ArrayLike,
        A_eq: npt.ArrayLike | None = None,
        b_eq: npt.ArrayLike | None = None,
    ) -> None:
        matrix = _matrix("A", A)
        n = matrix.shape[1]
        if (A_eq is None) != (b_eq is None):
            raise InvalidInput("Polytope: A_eq and b_eq come together, got one of them")
        equal = _matrix("A_eq", np.empty((0, n)) if A_eq is None else A_eq)
        if equal.shape[1] != n:
            raise InvalidInput(
                f"Polytope: A_eq must have {n} columns as A has, got shape {equal.shape}"
            )
        self._set(
            A=matrix,
            b=_right_side("b", b, len(matrix)),
            A_eq=equal,
            b_eq=_right_side("b_eq", [] if b_eq is None else b_eq, len(equal)),
            _hull=None,
        )

    def _restore_state(self, state: tuple[object, ...]) -> None:
        super()._restore_state(state)
        self._set(_hull=None)

    @property
    def ambient_dim(self) -> int:
        """Number of inputs."""
        return int(self.A.shape[1])

    @property
    def dim(self) -> int:
        """Dimension of the affine hull, found exactly."""
        return self.hull().dim

    def hull(self) -> Hull:
        """Return the affine hull and the constraints within it, exactly; computed once.

        Raises
        ------
        DegenerateInput
            If the domain is empty.

        Examples
        --------
        >>> hull = Polytope([[1, 1], [-1, -1]], [1, -1]).hull()
        >>> hull.dim, hull.free, hull.matrix
        (1, (0,), [[Fraction(1, 1), Fraction(0, 1)], [Fraction(-1, 1), Fraction(1, 1)]])
        """
        if self._hull is None:
            n = self.ambient_dim
            equalities = [integer_row(row) for row in signed_rows(self.A_eq, self.b_eq)]
            inequalities = [integer_row(row) for row in signed_rows(self.A, self.b)]
            self._set(_hull=affine_hull(n, equalities, inequalities))
        assert self._hull is not None
        return self._hull

    def resolve(self, input_shape: int | Shape) -> Polytope:
        """Return this polytope; checks the number of inputs (see `Domain.resolve`)."""
        n = prod(shape_of("input_shape", input_shape))
        if n != self.ambient_dim:
            raise InvalidInput(
                f"Polytope: A has {self.ambient_dim} columns, but the network has {n} inputs"
            )
        return self

    def embed(self, t: npt.ArrayLike) -> FloatArray:
        """Return the inputs (see `Domain.embed`)."""
        return apply_hull(self.hull(), self._coordinates(t))


def _matrix(name: str, value: npt.ArrayLike) -> FloatArray:
    array = finite_array(f"Polytope: {name}", value)
    if array.ndim != 2 or not array.shape[1]:
        raise InvalidInput(f"Polytope: {name} must have shape (m, n), got {array.shape}")
    return array


def _right_side(name: str, value: npt.ArrayLike, m: int) -> FloatArray:
    array = finite_array(f"Polytope: {name}", value)
    if array.shape != (m,):
        raise InvalidInput(f"Polytope: {name} must have shape ({m},), got {array.shape}")
    return array


def signed_rows(matrix: FloatArray, right: FloatArray) -> list[list[float]]:
    """Return the rows (-a, b): a . x <= b as -a . x + b >= 0."""
    rows: list[list[float]] = np.column_stack((-matrix, right)).tolist()
    return rows


def apply_hull(hull: Hull, t: FloatArray) -> FloatArray:
    """Map coordinates of the hull to those around it, in float64."""
    if hull.matrix is None:
        return np.array(t)
    table = np.array([[float(v) for v in row] for row in hull.matrix])
    out: FloatArray = t @ table[:, :-1].T + table[:, -1]
    return out


class Space(Domain):
    """The whole input space, without a box around it.

    Parameters
    ----------
    dim : int, optional
        Number of inputs; default whatever the network has.

    Examples
    --------
    >>> Space().resolve((1, 2, 2)).dim
    4
    """

    __slots__ = ("_dim",)
    _dim: int | None
    _fields = ("_dim",)

    def __init__(self, dim: int | None = None) -> None:
        self._set(_dim=None if dim is None else integer("Space: dim", dim, 1))

    @property
    def ambient_dim(self) -> int | None:
        """Number of inputs."""
        return self._dim

    @property
    def dim(self) -> int | None:
        """Number of inputs."""
        return self._dim

    def resolve(self, input_shape: int | Shape) -> Space:
        """Return the space of this dimension (see `Domain.resolve`)."""
        n = prod(shape_of("input_shape", input_shape))
        if self._dim is None:
            return Space(n)
        if self._dim != n:
            raise InvalidInput(f"Space: dim is {self._dim}, but the network has {n} inputs")
        return self

    def embed(self, t: npt.ArrayLike) -> FloatArray:
        """Return a copy of the coordinates, which are the inputs (see `Domain.embed`)."""
        return np.array(self._coordinates(t))

    def _arguments(self) -> list[str]:
        return [] if self._dim is None else [str(self._dim)]
