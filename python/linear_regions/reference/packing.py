# SPDX-License-Identifier: MIT
"""Packed sign vectors and their hash, in plain Python integers.

The format is stated in ``docs/design/sign-format.md``: sign ``i`` is bit ``i % 64`` of word
``i // 64``, least significant bit first; a set bit means positive; bits behind the last sign are
zero. The compiled core and the CUDA kernels must reproduce every value of this module; the table
of `golden_cases` is written to ``tests/data/sign_hash.json``, which all of them read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = [
    "FORMAT_VERSION",
    "count_positive",
    "golden_cases",
    "hash_words",
    "hash_words_128",
    "mix",
    "pack",
    "unpack",
    "word_count",
    "write_golden",
]

FORMAT_VERSION = 1

_WORD_BITS = 64
_MASK = (1 << _WORD_BITS) - 1
_STEP = 0x9E3779B97F4A7C15
_SEED_LOW = 0x243F6A8885A308D3
_SEED_HIGH = 0x13198A2E03707344
_GOLDEN_LENGTHS = (0, 1, 63, 64, 65, 127, 128, 129, 1000)
_GOLDEN_SEED = 20240521


def word_count(n_signs: int) -> int:
    """Return the number of 64-bit words that hold `n_signs` signs.

    Parameters
    ----------
    n_signs : int
        Number of signs, not negative.

    Returns
    -------
    int
        ``ceil(n_signs / 64)``.

    Examples
    --------
    >>> [word_count(n) for n in (0, 1, 64, 65)]
    [0, 1, 1, 2]
    """
    return (n_signs + _WORD_BITS - 1) // _WORD_BITS


def pack(signs: Iterable[bool]) -> tuple[int, ...]:
    """Pack signs into words.

    Parameters
    ----------
    signs : iterable of bool
        True where the sign is positive.

    Returns
    -------
    tuple of int
        ``word_count(number of signs)`` integers in [0, 2**64).

    Examples
    --------
    >>> pack([True, False, True])
    (5,)
    >>> pack([False] * 64 + [True])
    (0, 1)
    """
    bits = [bool(sign) for sign in signs]
    words = [0] * word_count(len(bits))
    for i, bit in enumerate(bits):
        words[i // _WORD_BITS] |= bit << (i % _WORD_BITS)
    return tuple(words)


def unpack(words: Sequence[int], n_signs: int) -> tuple[bool, ...]:
    """Return the signs that `pack` packed.

    Parameters
    ----------
    words : sequence of int
        Packed signs.
    n_signs : int
        Number of signs; ``len(words)`` must be ``word_count(n_signs)``.

    Returns
    -------
    tuple of bool
        True where the sign is positive.

    Raises
    ------
    ValueError
        If the number of words does not fit, or a bit behind the last sign is set.

    Examples
    --------
    >>> unpack((5,), 3)
    (True, False, True)
    """
    if len(words) != word_count(n_signs):
        raise ValueError(f"{n_signs} signs need {word_count(n_signs)} words, got {len(words)}")
    bits = tuple(bool(words[i // _WORD_BITS] >> (i % _WORD_BITS) & 1) for i in range(n_signs))
    if pack(bits) != tuple(words):
        raise ValueError("words have bits behind the last sign, or are not 64-bit words")
    return bits


def count_positive(words: Iterable[int]) -> int:
    """Return the number of positive signs.

    Parameters
    ----------
    words : iterable of int
        Packed signs.

    Returns
    -------
    int
        Number of set bits.

    Examples
    --------
    >>> count_positive((5, 1))
    3
    """
    return sum(word.bit_count() for word in words)


def mix(x: int) -> int:
    """Return the image of a 64-bit word under the hash's bijection.

    Parameters
    ----------
    x : int
        A word in [0, 2**64).

    Returns
    -------
    int
        A word in [0, 2**64).

    References
    ----------
    Steele, Lea, Flood: Fast splittable pseudorandom number generators (OOPSLA 2014), the function
    mix64 of SplitMix64 with the constants of Stafford's variant 13.

    Examples
    --------
    The first output of SplitMix64 with state 0:

    >>> hex(mix(0x9E3779B97F4A7C15))
    '0xe220a8397b1dcdaf'
    """
    x ^= x >> 30
    x = x * 0xBF58476D1CE4E5B9 & _MASK
    x ^= x >> 27
    x = x * 0x94D049BB133111EB & _MASK
    return x ^ x >> 31


def hash_words(words: Sequence[int], seed: int = _SEED_LOW) -> int:
    """Return the 64-bit hash of packed signs.

    Parameters
    ----------
    words : sequence of int
        Packed signs.
    seed : int, optional
        Seed of the lane; the default is the one of all look-ups.

    Returns
    -------
    int
        A word in [0, 2**64). Equal hashes do not prove that sign vectors are equal.

    Examples
    --------
    >>> hash_words(()) != hash_words((0,))
    True
    """
    state = mix(seed + _STEP * len(words) & _MASK)
    for word in words:
        state = mix((state ^ word) + _STEP & _MASK)
    return state


def hash_words_128(words: Sequence[int]) -> tuple[int, int]:
    """Return the 128-bit hash of packed signs, as two lanes.

    Parameters
    ----------
    words : sequence of int
        Packed signs.

    Returns
    -------
    (low, high) : tuple of int
        Two words in [0, 2**64); `low` is ``hash_words(words)``.

    Examples
    --------
    >>> hash_words_128((5,))[0] == hash_words((5,))
    True
    """
    return hash_words(words), hash_words(words, _SEED_HIGH)


def golden_cases() -> list[dict[str, object]]:
    """Return the table of values that every implementation must reproduce.

    Returns
    -------
    list of dict
        For each length and kind of sign vector: `name`, `signs` (a string of 0 and 1, first sign
        first), `words`, `hash_low` and `hash_high` (hexadecimal strings).

    Examples
    --------
    >>> golden_cases()[5]["name"], golden_cases()[5]["words"]
    ('one-1', ['0x0000000000000001'])
    """
    cases: list[dict[str, object]] = []
    for length in _GOLDEN_LENGTHS:
        # The top bit of a counter-based stream: the same in every language and version.
        random = [mix(_GOLDEN_SEED + _STEP * (i + length) & _MASK) >> 63 for i in range(length)]
        kinds = {
            "zero": [0] * length,
            "one": [1] * length,
            "alternating": [(i + 1) % 2 for i in range(length)],
            "random": random,
        }
        for kind, bits in kinds.items():
            words = pack(map(bool, bits))
            low, high = hash_words_128(words)
            cases.append(
                {
                    "name": f"{kind}-{length}",
                    "signs": "".join(map(str, bits)),
                    "words": [_hex(word) for word in words],
                    "hash_low": _hex(low),
                    "hash_high": _hex(high),
                }
            )
    return cases


def write_golden(path: str | Path) -> None:
    """Write the table of `golden_cases` as JSON.

    Parameters
    ----------
    path : str or pathlib.Path
        File to write; ``tests/data/sign_hash.json`` in a source tree.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_golden(Path(folder) / "sign_hash.json")
    ...     json.loads((Path(folder) / "sign_hash.json").read_text())["format_version"]
    '1'
    """
    table = {"format_version": str(FORMAT_VERSION), "cases": golden_cases()}
    Path(path).write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def _hex(word: int) -> str:
    return f"0x{word:016x}"
