# SPDX-License-Identifier: MIT
"""Thresholds that turn 64 random bits into a binomial number, rounded down from exact ones."""

from __future__ import annotations

from math import comb

__all__ = ["binomial_thresholds"]

_BITS = 320  # of a mantissa
_LARGEST = 2**64 - 1


def binomial_thresholds(n: int, share: float) -> list[int]:
    """Return floor(2^64 P(X <= t)), 2^64 - 1 at most, for t < n and X ~ Binomial(n, share).

    The share is taken as the double that it is. A term is a mantissa and an exponent of two, and
    follows from the term before: n terms of a few words, where the exact ones have n words each.
    Every step rounds by less than 2^-(_BITS - 3) of the term; where the sum of these errors leaves
    a threshold open, all are computed exactly.

    Examples
    --------
    >>> [threshold / 2**64 for threshold in binomial_thresholds(2, 0.5)]
    [0.25, 0.75]
    """
    numerator, denominator = share.as_integer_ratio()
    rest = denominator - numerator
    if rest == 0:
        return [0] * n
    mantissa, exponent = _power(rest, 1 - denominator.bit_length(), n)
    # Fixed point with 64 + _BITS bits behind the point: below 2^-(_BITS + 64) a term is nothing.
    point = 64 + _BITS
    steps = 2 * n + 2 * n.bit_length()  # roundings behind any one term
    error = ((steps * (n + 1)) << 64 + 3) + n
    reached, thresholds = 0, []
    for t in range(n):
        shift = exponent + point
        reached += mantissa << shift if shift >= 0 else mantissa >> -shift
        low, high = (max(reached - error, 0) >> _BITS), (reached + error) >> _BITS
        if min(low, _LARGEST) != min(high, _LARGEST):
            return _exact(n, numerator, rest, denominator)
        thresholds.append(min(low, _LARGEST))
        mantissa = mantissa * ((n - t) * numerator) << _BITS
        mantissa //= (t + 1) * rest
        mantissa, exponent = _rounded(mantissa, exponent - _BITS)
    return thresholds


def _rounded(mantissa: int, exponent: int) -> tuple[int, int]:
    excess = mantissa.bit_length() - _BITS
    return (mantissa >> excess, exponent + excess) if excess > 0 else (mantissa, exponent)


def _power(base: int, exponent: int, n: int) -> tuple[int, int]:
    """Return (base 2^exponent)^n."""
    result, power = (1, 0), _rounded(base, exponent)
    while n:
        if n & 1:
            result = _rounded(result[0] * power[0], result[1] + power[1])
        power = _rounded(power[0] ** 2, 2 * power[1])
        n >>= 1
    return result


def _exact(n: int, numerator: int, rest: int, denominator: int) -> list[int]:
    total, reached, thresholds = denominator**n, 0, []
    for t in range(n):
        reached += comb(n, t) * numerator**t * rest ** (n - t)
        thresholds.append(min((reached << 64) // total, _LARGEST))
    return thresholds
