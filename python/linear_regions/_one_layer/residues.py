# SPDX-License-Identifier: MIT
"""Primes that fit a machine word, of 50 bits or of 61, and integers from their residues."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod

import numpy as np

# These bases decide primality for every number below 3.3e24 (Sorenson and Webster 2015).
_BASES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)


def is_prime(n: int) -> bool:
    """Tell whether a number below 3.3e24 is prime (Miller-Rabin with proved bases).

    Parameters
    ----------
    n : int
        The number.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_prime(2**61 - 1), is_prime(2**61 - 3)
    (True, False)
    """
    if n < 2:
        return False
    for base in _BASES:
        if n % base == 0:
            return n == base
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd //= 2
        twos += 1
    for base in _BASES:
        x = pow(base, odd, n)
        if x in (1, n - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


@lru_cache(maxsize=8)
def large_primes(n: int, bits: int = 61) -> tuple[int, ...]:
    """Return the `n` largest primes below 2**bits.

    Parameters
    ----------
    n : int
        How many.
    bits : int, default 61

    Returns
    -------
    tuple of int
    """
    found: list[int] = []
    candidate = 2**bits - 1
    while len(found) < n:
        if is_prime(candidate):
            found.append(candidate)
        candidate -= 2
    return tuple(found)


def random_prime(rng: np.random.Generator) -> int:
    """Return a prime between 2**60 and 2**61, every one with the same chance.

    Parameters
    ----------
    rng : numpy Generator
        Source of random bytes.

    Returns
    -------
    int
    """
    while True:
        candidate = int.from_bytes(rng.bytes(8), "little") >> 4 | 1 << 60 | 1
        if is_prime(candidate):
            return candidate


def from_residues(residues: Sequence[int], primes: Sequence[int], signed: bool = False) -> int:
    """Return the integer with given residues (Chinese remainder theorem).

    Parameters
    ----------
    residues, primes : sequence of int
        Residues modulo distinct primes.
    signed : bool, default False
        Between minus and plus half the product, rather than between 0 and the product.

    Returns
    -------
    int

    Examples
    --------
    >>> from_residues([2, 3], [5, 7]), from_residues([4, 6], [5, 7], signed=True)
    (17, -1)
    """
    value, modulus = 0, 1
    for residue, prime in zip(residues, primes, strict=True):
        value += modulus * ((residue - value) * pow(modulus, -1, prime) % prime)
        modulus *= prime
    return value - modulus if signed and 2 * value > modulus else value


def primes_for(bound: int) -> tuple[int, ...]:
    """Return primes below 2**50 whose product exceeds twice a bound, and one more as a check.

    Modulo such primes the core multiplies several residues at a time, in doubles.

    Parameters
    ----------
    bound : int
        Largest absolute value.

    Returns
    -------
    tuple of int
    """
    n = bound.bit_length() // 49 + 1
    while prod(large_primes(n, 50)) <= 2 * bound:
        n += 1
    return large_primes(n + 1, 50)
