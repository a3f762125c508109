# SPDX-License-Identifier: MIT
"""Generic draws modulo a large prime, and what they prove.

The rows of a layer are vectors over its input slots whose entries are independent unknowns (the
filter weights). A set of rows is independent for generic weights exactly if some minor is not the
zero polynomial. A draw of the unknowns modulo a prime p can only lose independence:

* a minor of rank r has degree at most r, so a uniform draw makes a non-zero minor vanish with
  probability at most r / p (Schwartz-Zippel);
* a minor that is not zero over the integers is not zero modulo p, because its coefficients are
  smaller than p: r rows with w unknowns each give at most min(r!, w**r) equal terms.

So a count of independent sets from a draw is never too large, and it is the true one except with
probability at most (number of sets) r / p. Two draws make that bound square.
"""

from __future__ import annotations

from math import factorial, nextafter

import numpy as np

PRIMES = tuple((1 << exponent) - 1 for exponent in (61, 127, 521))
"""Mersenne primes."""

ERROR_GOAL = 2.0**-60


class OutOfReach(Exception):
    """A search would pass its budget of nodes; the caller turns this into a message."""


def choose_prime(sets: int, rank: int, row_entries: int, draws: int) -> tuple[int, float]:
    """Return a prime and the chance that all draws modulo it lose an independent set.

    Parameters
    ----------
    sets : int
        Upper bound on the number of independent sets.
    rank : int
        Largest size of an independent set.
    row_entries : int
        Unknowns per row.
    draws : int
        Number of independent draws.

    Returns
    -------
    prime : int
    error_probability : float
    """
    for prime in PRIMES:
        chance = min(1.0, _ratio(sets * max(rank, 1), prime)) ** draws
        coefficients = min(factorial(min(rank, 400)), row_entries**rank)
        if chance < ERROR_GOAL and coefficients < prime:
            return prime, chance
    raise OutOfReach


def _ratio(numerator: int, denominator: int) -> float:
    # Rounded up, so that the bound stays one.
    return 1.0 if numerator >= denominator else nextafter(numerator / denominator, 1.0)


def draw_vector(rng: np.random.Generator, n: int, prime: int) -> list[int]:
    """Return `n` numbers, uniform modulo `prime`, drawn by rejection.

    Parameters
    ----------
    rng : numpy Generator
        Source of random bytes.
    n : int
        How many.
    prime : int
        The modulus.

    Returns
    -------
    list of int
    """
    bits = prime.bit_length()
    found: list[int] = []
    while len(found) < n:
        # As many random bits as the prime has are uniform once larger values are rejected.
        value = int.from_bytes(rng.bytes((bits + 7) // 8), "little") & ((1 << bits) - 1)
        if value < prime:
            found.append(value)
    return found
