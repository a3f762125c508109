# SPDX-License-Identifier: MIT
"""The floating-point environment of the public calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from . import _core

__all__ = ["in_default_floating_point"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


def in_default_floating_point(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let a function round to nearest, and compute with subnormal numbers as they are.

    Threads that other libraries told otherwise (``torch.set_flush_denormal``) take subnormal
    numbers for zero, in comparisons, in ``Fraction(x)`` and in NumPy. The core protects itself;
    this protects what Python decides around it.
    """

    @wraps(function)
    def protected(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with _core.DefaultFloatingPoint():
            return function(*args, **kwargs)

    return protected
