# SPDX-License-Identifier: MIT
"""One SHA-256 of whatever a computation depends on: names of files, of calls and of searches."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from ._value import Value
from .network import Network

__all__ = ["digest"]


def digest(value: object) -> str:
    """Return a SHA-256 of networks, `Value` objects, tuples, lists, arrays, numbers and strings."""
    found = hashlib.sha256()
    for piece in _pieces(value):
        found.update(len(piece).to_bytes(8, "little"))
        found.update(piece)
    return found.hexdigest()


def _pieces(value: object) -> Iterable[bytes]:
    if isinstance(value, Network):
        # Notes say where a network came from, not what it is.
        yield b"Network"
        yield from _pieces(tuple(value.input_shape))
        yield from _pieces(tuple(value.layers))
    elif isinstance(value, Value):
        yield type(value).__name__.encode()
        yield from _pieces(value._state())
    elif isinstance(value, (tuple, list)):
        yield f"{len(value)}".encode()
        for item in value:
            yield from _pieces(item)
    elif isinstance(value, np.ndarray) and value.dtype == object:
        yield from _pieces(value.tolist())
    elif isinstance(value, np.ndarray):
        yield repr((value.dtype.str, value.shape)).encode()
        # -0.0 and 0.0 are one number: adding zero removes the sign.
        yield np.ascontiguousarray(value + 0 if value.dtype.kind == "f" else value).tobytes()
    else:
        yield repr(value).encode()
