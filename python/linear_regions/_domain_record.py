# SPDX-License-Identifier: MIT
"""Domains as what JSON can hold, exactly."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import domain as _domains
from ._value import FloatArray, Value
from .domain import Domain

__all__ = ["domain_fields", "domain_of_fields"]

_DOMAINS = ("Box", "Polytope", "Segment", "Slice", "Space")


def domain_fields(domain: Domain | None) -> object:
    """Return a domain as what JSON can hold; numbers as exact hexadecimal text."""
    if domain is None:
        return None
    assert isinstance(domain, Value)
    return {
        "kind": type(domain).__name__,
        **{
            name: _field(value) for name, value in zip(domain._fields, domain._state(), strict=True)
        },
    }


def _field(value: object) -> object:
    if isinstance(value, Domain):
        return domain_fields(value)
    if isinstance(value, np.ndarray):
        return {"shape": list(value.shape), "hex": [x.hex() for x in value.reshape(-1).tolist()]}
    return value


def domain_of_fields(found: Any) -> Domain:
    """Return the domain that `domain_fields` described.

    Raises
    ------
    KeyError, TypeError, ValueError
        If `found` is something else.
    """
    kind = found["kind"]
    if kind not in _DOMAINS:
        raise ValueError(f"there is no domain {kind!r}")
    values = [_value(value) for name, value in found.items() if name != "kind"]
    domain: Domain = getattr(_domains, kind)(*values)
    return domain


def _value(found: Any) -> FloatArray | Domain | int | None:
    if isinstance(found, dict):
        if "hex" not in found:
            return domain_of_fields(found)
        return np.array([float.fromhex(x) for x in found["hex"]]).reshape(found["shape"])
    if found is None or type(found) is int:
        return found
    raise TypeError(f"unexpected {found!r}")
