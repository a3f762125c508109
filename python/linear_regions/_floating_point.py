# SPDX-License-Identifier: MIT
"""The floating-point environment of the public calls."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from inspect import isclass, isfunction, ismodule
from types import ModuleType
from typing import Any, ParamSpec, TypeVar

from . import _core

__all__ = ["in_default_floating_point", "protect"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

# The methods of every class that may compare numbers.
_NUMBERS = ("__init__", "__call__", "__eq__", "__hash__")


def protect(package: ModuleType) -> None:
    """Let public functions, and what makes and compares values, compute as IEEE 754 says.

    Threads that other libraries told otherwise (``torch.set_flush_denormal``) round in another
    direction, or take subnormal numbers for zero, in comparisons, in ``Fraction(x)`` and in NumPy.
    The core protects itself; this protects what Python decides around it. Functions are replaced
    in every module that has them. Other methods that compute are protected one by one.
    """
    for name in package.__all__:
        item = getattr(package, name)
        if ismodule(item):
            protect(item)
        elif isfunction(item):
            protected = in_default_floating_point(item)
            setattr(package, name, protected)
            own = item.__name__
            for path, module in list(sys.modules.items()):
                if _is_ours(path) and vars(module).get(own) is item:
                    setattr(module, own, protected)
        elif isclass(item) and not issubclass(item, BaseException):
            for cls in item.__mro__:
                if _is_ours(cls.__module__):
                    _protect_class(cls)


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == __package__


def _protect_class(cls: type) -> None:
    for name in _NUMBERS:
        item = vars(cls).get(name)
        if isfunction(item):
            setattr(cls, name, in_default_floating_point(item))


def in_default_floating_point(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let a function round to nearest, and compute with subnormal numbers as they are."""
    if hasattr(function, "_protected"):
        return function

    @wraps(function)
    def protected(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if _core.default_floating_point():  # nearly always, and within another call
            return function(*args, **kwargs)
        with _core.DefaultFloatingPoint():
            return function(*args, **kwargs)

    marked: Any = protected
    marked._protected = True
    return protected
