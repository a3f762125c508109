# SPDX-License-Identifier: MIT
"""Integers of any size: checked, as text and as logarithms.

Python refuses to convert more than 4,300 digits in one piece, so that text is made of parts.
"""

from __future__ import annotations

import decimal
import math
import operator
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import SupportsIndex

from .errors import InvalidInput

__all__ = [
    "checked_int",
    "decimal_string",
    "json_log10",
    "log10",
    "package_version",
    "short_number",
]

# Stays below the smallest limit of digits that Python can be told to use (640).
_PLAIN_BITS = 2_000
_PLAIN_DIGITS = 20


def checked_int(name: str, value: object) -> int:
    """Return a non-negative integer argument as a Python integer.

    Parameters
    ----------
    name : str
        Name of the argument, for the message.
    value : object
        What came.

    Returns
    -------
    int
        The number.

    Raises
    ------
    TypeError
        The value is not an integer; a bool is none.
    InvalidInput
        The number is negative.
    """
    if type(value) is int:  # the test below takes a microsecond, and a result has six of these
        number = value
    elif isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise TypeError(f"{name} must be an integer, got {type(value).__name__}")
    else:
        number = operator.index(value)
    if number < 0:
        raise InvalidInput(f"{name} must not be negative, got {number}")
    return number


def decimal_string(number: int) -> str:
    """Write an integer of any size in decimal.

    Parameters
    ----------
    number : int
        The integer.

    Returns
    -------
    str
        The same text as ``str(number)``, also where Python refuses the conversion.

    Examples
    --------
    >>> decimal_string(2**64)
    '18446744073709551616'
    >>> len(decimal_string(10**5000))
    5001
    """
    if number < 0:
        return "-" + decimal_string(-number)
    bits = number.bit_length()
    if bits <= _PLAIN_BITS:
        return str(number)
    # Decimal numbers multiply in almost linear time, where dividing integers takes quadratic time:
    # halve the bits and join high * 2**width + low. Nothing is rounded, or Inexact is raised.
    powers: dict[int, decimal.Decimal] = {}

    def power(width: int) -> decimal.Decimal:
        if width not in powers:
            if width <= _PLAIN_BITS:
                powers[width] = decimal.Decimal(2) ** width
            elif width - 1 in powers:
                powers[width] = powers[width - 1] * 2
            else:
                powers[width] = power(width // 2) * power(width - width // 2)
        return powers[width]

    def joined(value: int, width: int) -> decimal.Decimal:
        if width <= _PLAIN_BITS:
            return decimal.Decimal(value)
        half = width // 2
        high = value >> half
        return joined(value - (high << half), half) + joined(high, width - half) * power(half)

    context = decimal.Context(
        prec=decimal.MAX_PREC, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[decimal.Inexact]
    )
    with decimal.localcontext(context):
        return format(joined(number, bits), "f")


def short_number(number: int) -> str:
    """Write an integer in at most 20 digits, or as ``d.ddde+N`` when it has more.

    Parameters
    ----------
    number : int
        The integer.

    Returns
    -------
    str
        Digits, or the four leading digits (rounded half up) and the power of ten.

    Examples
    --------
    >>> short_number(12345)
    '12345'
    >>> short_number(2**100)
    '1.268e+30'
    """
    if number < 0:
        return "-" + short_number(-number)
    if number < 10**_PLAIN_DIGITS:
        return str(number)
    exponent = int(math.log10(number))
    # The logarithm is a rounded double: the exponent may be one off in either direction.
    scale = 10 ** (exponent - 3)
    while number >= 10_000 * scale:
        exponent, scale = exponent + 1, scale * 10
    while number < 1_000 * scale:
        exponent, scale = exponent - 1, scale // 10
    leading = (2 * number + scale) // (2 * scale)
    if leading == 10_000:
        exponent, leading = exponent + 1, 1_000
    return f"{leading // 1000}.{leading % 1000:03d}e+{exponent}"


def log10(number: int) -> float:
    """Return the decimal logarithm, minus infinity for zero.

    Parameters
    ----------
    number : int
        A non-negative integer, also beyond the range of a double.

    Returns
    -------
    float
        The logarithm.
    """
    return math.log10(number) if number > 0 else -math.inf


def json_log10(number: int) -> float | None:
    return log10(number) if number > 0 else None  # JSON has no infinity


@lru_cache(maxsize=1)
def package_version() -> str:
    """Return the version of the installed package, or an empty string where it is not installed.

    Returns
    -------
    str
    """
    try:
        return version("linear-regions")
    except PackageNotFoundError:
        return ""
