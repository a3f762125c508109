# SPDX-License-Identifier: MIT
"""The public names, those of public modules and classes included, and parts of their docstrings."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from functools import cache
from types import FunctionType
from typing import Any

import linear_regions as lr


@cache
def public_names() -> dict[str, Any]:
    """Return every public name with its object, those of classes as "Class.member"."""
    found = {name: getattr(lr, name) for name in lr.__all__ if name != "__version__"}
    for info in pkgutil.iter_modules(lr.__path__):
        if not info.name.startswith("_"):
            module = importlib.import_module(f"linear_regions.{info.name}")
            for name in module.__all__:
                if not any(thing is getattr(module, name) for thing in found.values()):
                    found[f"{info.name}.{name}"] = getattr(module, name)
    classes = {thing for thing in found.values() if inspect.isclass(thing)}
    for name, thing in list(found.items()):
        if inspect.isclass(thing):
            bases = [base for base in thing.__mro__[1:] if base in classes]
            for member in dir(thing):
                here = is_described(thing, member) and not any(hasattr(b, member) for b in bases)
                if here and not member.startswith("_"):
                    found[f"{name}.{member}"] = inspect.getattr_static(thing, member)
    return found


def is_described(cls: type, member: str) -> bool:
    kinds = (FunctionType, property, classmethod, staticmethod)
    return isinstance(inspect.getattr_static(cls, member), kinds)


def sections(doc: str) -> dict[str, str]:
    parts = re.split(r"^(\w[\w ]*)\n-+$", doc, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def heads(section: str) -> list[str]:
    """Return the lines of a section that are not indented: its entries."""
    return [line for line in section.splitlines() if line and not line[0].isspace()]
