# SPDX-License-Identifier: MIT
"""Sums of binomials with hundreds of thousands of digits: rounded up, and still upper bounds.

An exact sum of that size takes seconds to minutes, and its last digits interest nobody. Above
`EXACT_BITS` bits the sum is replaced by a slightly larger integer of the form m * 2**e with a
short m, which is found from Robbins' bounds of the factorial in 60-digit decimal arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, Decimal, localcontext
from functools import lru_cache
from math import ceil, lgamma, log, log2

from .._one_layer.windows import binomial_sum

EXACT_BITS = 1 << 16
"""Sums up to this size are exact; they take a tenth of a second."""

MOST_BITS = 1 << 28
"""No bound is longer: 32 MiB each, and seconds for all of them."""

LONGEST_SUM = 1 << 20
"""Sums that cannot be rounded, because they are lower bounds, take a second up to this size."""

_MANTISSA = 96
_DIGITS = 60
_SLACK = Decimal("1e-40")
_PI = Decimal("3.141592653589793238462643383279502884197169399375105820974945")
_MODE = 0.999


class TooLong(Exception):
    """A bound has more bits than are computed; the message says how many."""


def log2_sum(n: int, top: int, breakpoints: int = 1) -> float:
    """Return log2 of `binomial_sum` about: of its largest term, or of the sum of all terms."""
    if top * (1 + breakpoints) >= (n + 1) * breakpoints:
        return n * log2(1 + breakpoints)
    return _log2_term(n, top, breakpoints)


def check_length(bits: float, most: int = MOST_BITS) -> None:
    """Raise `TooLong` for a number of more bits than `most`."""
    if bits > most:
        raise TooLong(f"an integer of {bits:.3g} bits, of which {most:,} are computed at most")


def _log2_term(n: int, top: int, breakpoints: int) -> float:
    """Return log2 of C(n, top) * breakpoints**top in floating point."""
    found = lgamma(n + 1) - lgamma(top + 1) - lgamma(n - top + 1) + top * log(breakpoints)
    return found / log(2)


def is_exact(n: int, top: int, breakpoints: int = 1) -> bool:
    """Tell whether `binomial_sum_up` returns the sum itself.

    Parameters
    ----------
    n, top, breakpoints : int
        As in `binomial_sum`.

    Returns
    -------
    bool
    """
    return top >= n or _log2_term(n, min(top, n - top), breakpoints) <= EXACT_BITS


@lru_cache(maxsize=2048)
def binomial_sum_up(n: int, top: int, breakpoints: int = 1) -> int:
    """Return sum_{j <= top} C(n, j) breakpoints**j, or a little more where that is very long.

    Parameters
    ----------
    n, top, breakpoints : int
        As in `binomial_sum`.

    Returns
    -------
    int
        Never below the sum. It does not decrease with `top`.

    Notes
    -----
    Terms grow up to the largest one. Before it, term j - 1 is at most rho times term j with
    rho = top / ((n - top + 1) k) < 1, so that the sum is at most the last term over 1 - rho; near
    it and beyond, (1 + k)**n, the sum of all terms, is at most about twice too large.

    Examples
    --------
    >>> binomial_sum_up(4, 3)
    15
    >>> (binomial_sum_up(10**6, 10**5).bit_length(), binomial_sum_up(10**7, 3).bit_length())
    (468987, 68)
    """
    if is_exact(n, top, breakpoints):
        return binomial_sum(n, top, breakpoints)
    below = (n - top + 1) * breakpoints
    if top > _MODE * below:
        return int((1 + breakpoints) ** n)
    mantissa, exponent = _term_up(n, top, breakpoints)
    mantissa = -(-mantissa * below // (below - top))
    value = mantissa << exponent if exponent >= 0 else -(-mantissa >> -exponent)
    # No more than all terms together, 2**n at least.
    return value if value.bit_length() <= n else min(value, int((1 + breakpoints) ** n))


def _term_up(n: int, top: int, breakpoints: int) -> tuple[int, int]:
    """Return (m, e) with m * 2**e at least C(n, top) * breakpoints**top, and hardly more.

    Robbins 1955: sqrt(2 pi n) (n / e)**n exp(1 / (12 n + 1)) < n! < the same with exp(1 / (12 n)).
    """
    with localcontext(Context(prec=_DIGITS)):

        def stirling(number: int, correction: Decimal) -> Decimal:
            x = Decimal(number)
            return (x + Decimal("0.5")) * x.ln() - x + (2 * _PI).ln() / 2 + correction

        rest = n - top
        power = (
            stirling(n, 1 / Decimal(12 * n))
            - stirling(top, 1 / Decimal(12 * top + 1))
            - stirling(rest, 1 / Decimal(12 * rest + 1))
            + top * Decimal(breakpoints).ln()
        )
        # About twenty roundings of numbers below 1e12 at 60 digits: an error far below the slack.
        binary = power / Decimal(2).ln() + _SLACK
        exponent = int(binary) - _MANTISSA
        mantissa = ceil(((binary - exponent) * Decimal(2).ln()).exp() + 1)
    return mantissa, exponent


def product(numbers: Iterable[int]) -> int:
    """Return the product, with the powers of two taken apart (rounded numbers have many).

    Parameters
    ----------
    numbers : iterable of int
        Factors, at least 0.

    Returns
    -------
    int
    """
    odd, shift = 1, 0
    for number in numbers:
        if not number:
            return 0
        zeros = (number & -number).bit_length() - 1
        odd, shift = odd * (number >> zeros), shift + zeros
    return odd << shift
