# SPDX-License-Identifier: MIT
"""Positive numbers of any size, rounded to 64 bits in a chosen direction.

A bound on a number with half a million digits need not be carried in full: its leading 64 bits
and an exponent are enough, as long as every operation rounds away from the truth. Floating point
is used only for sums and products of positive numbers, whose relative error is bounded by the
number of operations times 2**-53 (here 2**-52, to be on the safe side).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import frexp, log2

import numpy as np
import numpy.typing as npt

_BITS = 64
_ROUNDING = 2.0**-52
"""More than the relative error of one operation in double precision."""

# A sum of more terms than this is not taken term by term in big integers.
_EXACT_TERMS = 2_000


@dataclass(frozen=True)
class Rounded:
    """mantissa * 2**exponent: a lower bound, or an upper one, of a positive number.

    Parameters
    ----------
    mantissa : int
        Non-negative, at most 64 bits.
    exponent : int
        Power of two.
    up : bool
        Whether it is an upper bound.
    """

    mantissa: int
    exponent: int
    up: bool

    def __mul__(self, other: Rounded) -> Rounded:
        """Return a bound on the product in the same direction."""
        return rounded(self.mantissa * other.mantissa, self.exponent + other.exponent, self.up)

    def __pow__(self, times: int) -> Rounded:
        """Return a bound on a power in the same direction."""
        result, base = Rounded(1, 0, self.up), self
        while times:
            if times & 1:
                result *= base
            times >>= 1
            if times:
                base *= base
        return result

    @property
    def log2(self) -> float:
        """Binary logarithm in floating point: to compare, not to prove."""
        return log2(self.mantissa) + self.exponent if self.mantissa else float("-inf")

    def __int__(self) -> int:
        """Return the integer bound: an integer above x is at least its ceiling."""
        if self.exponent >= 0:
            return self.mantissa << self.exponent
        if self.up:
            return self.mantissa >> -self.exponent
        return -((-self.mantissa) >> -self.exponent)


def rounded(mantissa: int, exponent: int, up: bool) -> Rounded:
    """Return a bound on mantissa * 2**exponent with at most 64 bits.

    Parameters
    ----------
    mantissa : int
        Non-negative.
    exponent : int
        Power of two.
    up : bool
        Direction.

    Returns
    -------
    Rounded
    """
    extra = mantissa.bit_length() - _BITS
    if extra <= 0:
        return Rounded(mantissa, exponent, up)
    kept = -((-mantissa) >> extra) if up else mantissa >> extra
    return Rounded(kept, exponent + extra, up)


def from_float(value: float, exponent: int, operations: int, up: bool) -> Rounded:
    """Return a bound on a number that was computed by positive sums and products.

    Parameters
    ----------
    value : float
        What came out, positive and normal.
    exponent : int
        Power of two that belongs to it.
    operations : int
        Upper bound on the roundings on the way to any term.
    up : bool
        Direction.

    Returns
    -------
    Rounded
    """
    mantissa, shift = frexp(value)
    whole = int(mantissa * 2.0**53)
    # (1 + u)**n <= 1 + 2 n u and (1 - u)**n >= 1 - 2 n u while n u is small.
    slack = int(whole * (2 * operations * _ROUNDING)) + 2
    return rounded(max(whole + (slack if up else -slack), 0), exponent + shift - 53, up)


def exactly(number: int, up: bool) -> Rounded:
    """Return a bound on an integer.

    Parameters
    ----------
    number : int
        Non-negative.
    up : bool
        Direction.

    Returns
    -------
    Rounded
    """
    return rounded(number, 0, up)


def fraction(value: float, up: bool) -> Rounded:
    """Return a double as it is.

    Parameters
    ----------
    value : float
        Non-negative.
    up : bool
        Direction of what it is a bound in.

    Returns
    -------
    Rounded
    """
    numerator, denominator = value.as_integer_ratio()
    return rounded(numerator, 1 - denominator.bit_length(), up)


def product(factors: npt.NDArray[np.float64], roundings: int, up: bool) -> Rounded:
    """Return a bound on a product of many positive doubles.

    Parameters
    ----------
    factors : ndarray of float, shape (n,)
        Each of them with a relative error of at most `roundings` roundings.
    roundings : int
        See `factors`.
    up : bool
        Direction.

    Returns
    -------
    Rounded
    """
    exponent, operations = 0, max(len(factors), 1) * (roundings + 1)
    while len(factors) > 1 or exponent == 0:
        # Mantissas lie in [1/2, 1): products of 512 of them cannot underflow.
        mantissas, exponents = np.frexp(factors)
        exponent += int(exponents.sum())
        padded = np.ones(-(-len(mantissas) // 512) * 512)
        padded[: len(mantissas)] = mantissas
        factors = padded.reshape(-1, 512).prod(axis=1)
        if len(factors) <= 1:
            break
    return from_float(float(factors[0]) if len(factors) else 1.0, exponent, operations, up)


@lru_cache(maxsize=256)
def binomial_sum_bounds(n: int, top: int, breakpoints: int) -> tuple[Rounded, Rounded]:
    """Return bounds on the sum of C(n, j) * breakpoints**j over j <= top.

    Parameters
    ----------
    n, top, breakpoints : int
        As in `binomial_sum`.

    Returns
    -------
    low, high : Rounded
        They differ by less than a millionth.

    Notes
    -----
    The largest term times the sum of the ratios of the others to it, which are products of
    ratios of neighbours. Terms that underflow are smaller than 2**-1000 of the largest.
    """
    top = min(top, n)
    mode = min(top, (n + 1) * breakpoints // (1 + breakpoints))
    steps = np.arange(1, mode + 1, dtype=np.float64)
    term = (n - mode + steps) / steps * float(breakpoints)
    j = np.arange(mode, 0, -1, dtype=np.float64)
    down = np.cumprod(j / ((n - j + 1) * float(breakpoints)))
    j = np.arange(mode, top, dtype=np.float64)
    up = np.cumprod((n - j) * float(breakpoints) / (j + 1))
    total = 1.0 + float(down.sum()) + float(up.sum())
    operations = 5 * (top + 2)
    return (
        product(term, 3, False) * from_float(total, 0, operations, False),
        product(term, 3, True) * from_float(total + 2.0**-900, 0, operations, True),
    )
