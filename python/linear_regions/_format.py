# SPDX-License-Identifier: MIT
"""Numbers and data as text, for people and for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from ._numbers import decimal_string, short_number

__all__ = ["decimal_string", "grouped", "json_text", "safe", "share_text", "time_text"]


def json_text(data: object) -> str:
    """Return JSON in ASCII, one line per entry, without the numbers that JSON does not have.

    Parameters
    ----------
    data : object
        Dicts, lists, strings and numbers.

    Returns
    -------
    str

    Examples
    --------
    >>> print(json_text({"coverage": float("nan"), "value": "12853"}))
    {
      "coverage": null,
      "value": "12853"
    }
    """
    return json.dumps(safe(data), indent=2, allow_nan=False)


def safe(data: object) -> Any:
    """Return the same data with None for numbers that are not finite.

    Parameters
    ----------
    data : object

    Returns
    -------
    object
        JSON types only.
    """
    if isinstance(data, Mapping):
        return {str(key): safe(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [safe(value) for value in data]
    if isinstance(data, float) and not math.isfinite(data):
        return None
    if data is None or isinstance(data, (str, int, float)):
        return data
    item = getattr(data, "item", None)  # a NumPy number
    return safe(item()) if callable(item) else str(data)


def grouped(number: int) -> str:
    """Write a number for people: digits in threes, or the leading ones of a long number.

    Parameters
    ----------
    number : int

    Returns
    -------
    str

    Examples
    --------
    >>> grouped(12853), grouped(2**100)
    ('12,853', '1.268e+30')
    """
    text = short_number(number)
    return f"{number:,}" if text.lstrip("-").isdigit() else text


def share_text(share: float) -> str:
    """Write a share in percent; 100 % only where it is all.

    Parameters
    ----------
    share : float

    Returns
    -------
    str

    Examples
    --------
    >>> share_text(0.574), share_text(0.9996), share_text(1.0)
    ('57%', '99.9%', '100%')
    """
    if 0.99 <= share < 1.0:
        return f"{min(share, 0.999):.1%}"
    return f"{share:.0%}"


def time_text(seconds: float) -> str:
    """Write a time with two or three digits.

    Parameters
    ----------
    seconds : float

    Returns
    -------
    str

    Examples
    --------
    >>> time_text(0.0000042), time_text(0.0634), time_text(12.4), time_text(754.0)
    ('0.01 ms', '63 ms', '12.4 s', '12 min 34 s')
    """
    if seconds < 0.00995:
        return f"{max(seconds * 1e3, 0.01):.{1 if seconds >= 0.00095 else 2}f} ms"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 99.95:
        return f"{seconds:.{2 if seconds < 9.995 else 1}f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
