# SPDX-License-Identifier: MIT
"""Errors of the package.

Every error of the package is a `LinearRegionsError` and, beside it, the built-in error that Python
users expect in that situation, so that both ``except lr.LinearRegionsError`` and
``except ValueError`` work. A wrong *type* of argument is a plain `TypeError`, and running out of
memory a plain `MemoryError`.
"""

from __future__ import annotations

import threading
import typing
from collections import abc

__all__ = [
    "CheckpointError",
    "CorruptFile",
    "DegenerateInput",
    "DeviceError",
    "Interrupted",
    "InvalidInput",
    "LinearRegionsError",
    "LongRunWarning",
    "MissingExtra",
    "Unfinished",
    "Unsupported",
]


class LinearRegionsError(Exception):
    """Base class of the errors of this package.

    Examples
    --------
    >>> issubclass(InvalidInput, LinearRegionsError), issubclass(InvalidInput, ValueError)
    (True, True)
    """


class InvalidInput(LinearRegionsError, ValueError):
    """An argument has the right type but an impossible value.

    Raised for shapes that do not fit, numbers that are not finite, unknown method names and the
    like. The message names the argument, what was expected and what came.
    """


class DegenerateInput(LinearRegionsError, ValueError):
    """The input breaks a promise that the question needs.

    Raised for an empty domain, dependent directions of a slice, or a point that lies on a facet
    where a region was asked for.
    """


class Unsupported(LinearRegionsError, ValueError):
    """The method, importer or domain cannot do this; the message names what can."""


class MissingExtra(LinearRegionsError, ImportError):
    """An optional package is not installed.

    Parameters
    ----------
    feature : str
        What needs the package, as the start of a sentence, for example ``"Reading ONNX files"``.
    extra : str
        Name of the extra of this distribution that brings the package.

    Attributes
    ----------
    feature, extra : str
        The two arguments.

    Examples
    --------
    >>> str(MissingExtra("Reading ONNX files", "onnx"))
    'Reading ONNX files needs an optional package: pip install "linear-regions[onnx]"'
    """

    def __init__(self, feature: str, extra: str) -> None:
        self.feature = feature
        self.extra = extra
        super().__init__(
            f'{feature} needs an optional package: pip install "linear-regions[{extra}]"'
        )

    def __reduce__(self) -> tuple[type[MissingExtra], tuple[str, str]]:
        # The default rebuilds an exception from its message, which is not what __init__ takes.
        return type(self), (self.feature, self.extra)


class CorruptFile(LinearRegionsError, ValueError):
    """A file is damaged, truncated, of another format or of a newer version of ours."""


class CheckpointError(LinearRegionsError, OSError):
    """A checkpoint cannot be read or written: no folder, no room, no right.

    What was found until then is in the attribute ``partial`` where there is something; the last
    checkpoint that was written is untouched.
    """

    partial: object = None


class Unfinished(LinearRegionsError, RuntimeError):
    """A time limit or `cancel` ended a call whose answer cannot say that it is not whole.

    Calls that return a result with a ``status`` return it instead, with what they found.

    Parameters
    ----------
    message : str
    partial : object, optional
        What is known for certain so far; the call's documentation says what it is.

    Attributes
    ----------
    partial : object

    Examples
    --------
    >>> import threading
    >>> import linear_regions as lr
    >>> stop = threading.Event()
    >>> stop.set()
    >>> lines = lr.Arrangement([[1, 0], [0, 1], [1, 1], [1, -1]], [0, 0, 0, -1])
    >>> try:
    ...     lines.whitney_numbers(cancel=stop)
    ... except lr.Unfinished as end:
    ...     end.partial
    [1, 0, 0]
    """

    def __init__(self, message: str, partial: object = None) -> None:
        self.partial = partial
        super().__init__(message)

    def __reduce__(self) -> tuple[type[Unfinished], tuple[str, object]]:
        return type(self), (str(self), self.partial)


class LongRunWarning(UserWarning):
    """A count without limits is forecast to take more than an hour; see `predict_cost`."""


class DeviceError(LinearRegionsError, RuntimeError):
    """The device asked for is missing or failed; nothing moves to another device in silence."""


_making = threading.RLock()  # of partial results: once, whoever asks


class Interrupted(KeyboardInterrupt):
    """Ctrl-C stopped a long call; what was found until then is in ``partial``.

    It is a `KeyboardInterrupt`, not an `Exception`, so that ``except Exception`` does not
    swallow the wish to stop.

    Parameters
    ----------
    partial : object, optional
        The partial result, for example a `RegionCount` with status "cancelled"; None where
        nothing was found.

    Examples
    --------
    >>> try:
    ...     raise Interrupted(partial=42)
    ... except KeyboardInterrupt as stop:
    ...     stop.partial
    42
    """

    def __init__(self, partial: object = None) -> None:
        self._partial = partial
        self._make: abc.Callable[[], object] | None = None
        super().__init__("interrupted; the partial result is in the attribute 'partial'")

    @classmethod
    def later(cls, make: abc.Callable[[], object]) -> Interrupted:
        """Return one whose partial result is made when it is first asked for.

        A table of what a long list has found takes longer to make than Ctrl-C may take to be heard.

        Parameters
        ----------
        make : callable
            Called once, without arguments.

        Returns
        -------
        Interrupted

        Examples
        --------
        >>> Interrupted.later(lambda: 6 * 7).partial
        42
        """
        stop = cls()
        stop._make = make
        return stop

    @property
    def partial(self) -> typing.Any:
        """What was found; a table is made at the first access, and kept."""
        with _making:
            if self._make is not None:
                self._partial = self._make()
                self._make = None
            return self._partial

    @partial.setter
    def partial(self, value: object) -> None:
        with _making:
            self._partial, self._make = value, None

    def __reduce__(self) -> tuple[type[Interrupted], tuple[object]]:
        return type(self), (self.partial,)
