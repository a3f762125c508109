# SPDX-License-Identifier: MIT
"""Architectures as short texts, for the command line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .errors import InvalidInput

if TYPE_CHECKING:
    import linear_regions as lr

__all__ = ["SYNTAX", "read_architecture"]

SYNTAX = (
    "widths of a dense network, as in 2,16,16,1; or INPUT:CONVOLUTIONS[:DENSE], as in "
    "1,28,28:6k5,16k5s2p1:120,10, with filters k kernel [s stride] [p padding] [g groups] or "
    "m kernel [s stride] for max pooling"
)
_LAYER = re.compile(r"(?P<filters>\d*)(?P<kind>[km])(?P<kernel>\d+)(?P<rest>(?:[spg]\d+)*)")


def read_architecture(text: str, activation: str = "relu") -> lr.Architecture:
    """Read an architecture from a short text.

    Parameters
    ----------
    text : str
        See `SYNTAX`.
    activation : str
        Name of the activation between the layers.

    Returns
    -------
    Architecture

    Raises
    ------
    InvalidInput
        If the text does not follow the syntax, or the shapes do not fit.

    Examples
    --------
    >>> read_architecture("2,16,1").n_units
    16
    >>> read_architecture("1,28,28:6k5,m2,16k5s2:10").shapes[1:5]
    ((6, 24, 24), (6, 24, 24), (6, 12, 12), (16, 4, 4))
    """
    import linear_regions as lr

    parts = text.strip().split(":")
    if len(parts) == 1:
        return lr.Architecture.mlp(_integers(parts[0], text), activation)
    if len(parts) > 3:
        raise _wrong(text)
    layers = [_layer(item.strip(), text) for item in parts[1].split(",")]
    dense = _integers(parts[2], text) if len(parts) == 3 else []
    return lr.Architecture.cnn(_integers(parts[0], text), layers, dense, activation)


def _layer(item: str, text: str) -> lr.ConvSpec | lr.MaxPool:
    import linear_regions as lr

    found = _LAYER.fullmatch(item)
    if not found or bool(found["filters"]) != (found["kind"] == "k"):
        raise _wrong(text)
    numbers = {key: int(value) for key, value in re.findall(r"([spg])(\d+)", found["rest"])}
    kernel = int(found["kernel"])
    if found["kind"] == "m":
        if "g" in numbers:
            raise _wrong(text)
        return lr.MaxPool(kernel, numbers.get("s"), numbers.get("p", 0))
    return lr.ConvSpec(
        int(found["filters"]),
        kernel,
        numbers.get("s", 1),
        numbers.get("p", 0),
        groups=numbers.get("g", 1),
    )


def _integers(part: str, text: str) -> list[int]:
    try:
        return [int(item) for item in part.split(",")]
    except ValueError:
        raise _wrong(text) from None


def _wrong(text: str) -> InvalidInput:
    return InvalidInput(f"expected an architecture ({SYNTAX}), got {text.strip()!r}")
