# SPDX-License-Identifier: MIT
"""Immutable values: checked arrays, and a base class that compares, hashes and pickles by value."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from typing import Any, ClassVar, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from .errors import InvalidInput

FloatArray: TypeAlias = npt.NDArray[np.float64]
Array = TypeVar("Array", bound=npt.NDArray[Any])


def host_points(x: Any) -> Any:
    """Return points as they are, but a PyTorch tensor as the array of its numbers."""
    if not hasattr(x, "detach"):
        return x
    tensor = x.detach().cpu()
    exact = tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor
    return exact.numpy()


def float_array(where: str, value: npt.ArrayLike, copy: bool = True) -> FloatArray:
    """Return a float64, C-contiguous copy of `value`, without changing any number.

    A conversion that would round (large int64, long double) is refused: the weights are the exact
    numbers that the whole package reasons about.
    """
    if hasattr(value, "mask") and np.ma.is_masked(value):
        raise InvalidInput(f"{where} has masked entries; fill them or leave them out first")
    given = np.asarray(host_points(value))
    if given.dtype != np.float64:
        if given.dtype.kind not in "fiub":
            raise TypeError(f"{where} must be an array of real numbers, got dtype {given.dtype}")
        converted = given.astype(np.float64, order="C")
        if given.dtype.itemsize >= 8 and not _same_numbers(given, converted):
            raise InvalidInput(
                f"{where} has {given.dtype} numbers that float64 cannot hold exactly; "
                "round them first, so that the rounding is yours"
            )
        return converted
    return np.array(given, order="C") if copy else given


def _same_numbers(given: npt.NDArray[Any], converted: FloatArray) -> bool:
    if given.dtype.kind in "iu":
        # Comparing int64 with float64 would convert to float64 first and see no difference.
        return all(int(a) == int(b) for a, b in zip(given.flat, converted.flat, strict=True))
    return bool(np.array_equal(given, converted.astype(given.dtype), equal_nan=True))


def finite_array(where: str, value: npt.ArrayLike) -> FloatArray:
    """Return a read-only float64 copy of `value`, which must be finite."""
    array = float_array(where, value)
    if not np.isfinite(array).all():
        bad = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InvalidInput(f"{where} must be finite, got {array[bad]} at index {bad}")
    array.setflags(write=False)
    return array


def read_only(array: Array) -> Array:
    """Return a view that cannot be written to; whoever made the array still can."""
    view = array.view()
    view.setflags(write=False)
    return view


class ReadOnlyFields:
    """A frozen dataclass whose arrays cannot be written to, also after a pickle or a copy."""

    __slots__ = ()

    def __post_init__(self) -> None:
        """Take views of the arrays."""
        for item in fields(self):  # type: ignore[arg-type]
            value = getattr(self, item.name)
            if isinstance(value, np.ndarray):
                object.__setattr__(self, item.name, read_only(value))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the fields: NumPy's arrays come back writeable."""
        return type(self), tuple(getattr(self, f.name) for f in fields(self))  # type: ignore[arg-type]


def same_fields(mine: Any, other: Any) -> bool:
    """Compare two dataclasses of one type by the fields that take part; arrays by their numbers."""

    def same(a: object, b: object) -> bool:
        if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
            return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        return a == b

    names = [item.name for item in fields(mine) if item.compare]
    return all(same(getattr(mine, name), getattr(other, name)) for name in names)


MOST_SHOWN = 8


def short_repr(value: object) -> str:
    """Return a value on one line; arrays of many numbers (images) by their shape and range.

    Examples
    --------
    >>> short_repr(np.arange(3.0)), short_repr(np.arange(12.0).reshape(3, 4))
    ('array([0., 1., 2.])', 'array(shape=(3, 4), min=0, max=11)')
    """
    if isinstance(value, np.ndarray) and value.size > MOST_SHOWN:
        return f"array(shape={value.shape}, min={value.min():.6g}, max={value.max():.6g})"
    shown = value.item() if isinstance(value, np.ndarray) and not value.ndim else value
    return " ".join(repr(shown).split())


def fields_repr(shown: Any) -> str:
    """Return a dataclass with arrays on one line."""
    values = (f"{item.name}={short_repr(getattr(shown, item.name))}" for item in fields(shown))
    return f"{type(shown).__name__}({', '.join(values)})"


class SameFields:
    """Equality by value for frozen dataclasses with arrays (``eq=False``)."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        """Compare by value; arrays by their numbers."""
        return same_fields(self, other) if type(self) is type(other) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # arrays inside


def digest_update(digest: Any, value: object) -> None:
    """Feed `value` (array, number, tuple, None) to a hash so that equal values feed alike."""
    if isinstance(value, np.ndarray):
        digest.update(repr((value.dtype.str, value.shape)).encode())
        # -0.0 == 0.0 must hash alike: adding zero removes the sign.
        digest.update(np.ascontiguousarray(value + 0.0).tobytes())
    else:
        digest.update(repr(value + 0.0 if isinstance(value, float) else value).encode())


def _same_value(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and np.array_equal(a, b)
    return a == b


class Value:
    """An immutable object made of the fields named in ``_fields``; equality is by value."""

    __slots__ = ()
    _fields: ClassVar[tuple[str, ...]] = ()

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _state(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self._fields)

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: the object is immutable."""
        raise AttributeError(f"{type(self).__name__} is immutable; make a new one instead")

    def __delattr__(self, name: str) -> None:
        """Refuse: the object is immutable."""
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __eq__(self, other: object) -> bool:
        """Compare by value; arrays by their numbers."""
        if self is other:
            return True
        if type(self) is not type(other):
            return NotImplemented
        assert isinstance(other, Value)
        return all(map(_same_value, self._state(), other._state()))

    def __hash__(self) -> int:
        """Hash by value."""
        digest = hashlib.blake2b(type(self).__name__.encode(), digest_size=8)
        for value in self._state():
            digest_update(digest, value)
        return int.from_bytes(digest.digest(), "little")

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the fields only; caches are made anew."""
        return restore, (type(self), self._state())

    def _restore_state(self, state: tuple[object, ...]) -> None:
        for name, value in zip(self._fields, state, strict=True):
            if isinstance(value, np.ndarray):
                value.setflags(write=False)  # a pickled array comes back writeable
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        """Show the fields."""
        return f"{type(self).__name__}({', '.join(self._arguments())})"

    def _arguments(self) -> list[str]:
        return [f"{name}={short_repr(getattr(self, name))}" for name in self._fields]


def restore(cls: type[Value], state: tuple[object, ...]) -> Value:
    value = cls.__new__(cls)
    value._restore_state(state)
    return value
