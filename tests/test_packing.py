# SPDX-License-Identifier: MIT
"""The packed sign format: the reference's own tests, and the golden values."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linear_regions.reference import packing

GOLDEN = Path(__file__).parent / "data" / "sign_hash.json"
LENGTHS = (0, 1, 63, 64, 65, 127, 128, 129, 1000)


def test_golden_file_is_what_the_reference_writes():
    table = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert table == {
        "format_version": str(packing.FORMAT_VERSION),
        "cases": packing.golden_cases(),
    }


def test_golden_file_has_every_length_and_kind():
    names = {case["name"] for case in packing.golden_cases()}
    kinds = ("zero", "one", "alternating", "random")
    assert names == {f"{kind}-{n}" for kind in kinds for n in LENGTHS}


@pytest.mark.parametrize("case", packing.golden_cases(), ids=lambda case: case["name"])
def test_words_are_numpy_packed_bits_little_endian(case):
    signs = np.array([sign == "1" for sign in case["signs"]], dtype=bool)
    padded = np.zeros(64 * packing.word_count(len(signs)), dtype=bool)
    padded[: len(signs)] = signs
    words = np.packbits(padded, bitorder="little").view("<u8")
    assert [int(word, 16) for word in case["words"]] == words.tolist()


@given(st.lists(st.booleans(), max_size=200))
def test_unpack_undoes_pack(signs):
    words = packing.pack(signs)
    assert packing.unpack(words, len(signs)) == tuple(signs)
    assert packing.count_positive(words) == sum(signs)


@given(st.lists(st.booleans(), min_size=65, max_size=140), st.data())
def test_one_sign_sets_one_bit(signs, data):
    i = data.draw(st.integers(0, len(signs) - 1))
    flipped = [sign != (j == i) for j, sign in enumerate(signs)]
    before, after = packing.pack(signs), packing.pack(flipped)
    changed = [a ^ b for a, b in zip(before, after, strict=True)]
    assert changed == [1 << i % 64 if word == i // 64 else 0 for word in range(len(before))]
    # A change of one word is never lost: each step of the hash is a bijection of its word.
    assert packing.hash_words(before) != packing.hash_words(after)


@pytest.mark.parametrize(
    ("words", "n_signs"),
    [((), 1), ((1, 0), 64), ((2,), 1), ((1 << 64,), 64)],
)
def test_unpack_refuses_words_that_pack_does_not_make(words, n_signs):
    with pytest.raises(ValueError, match="words"):
        packing.unpack(words, n_signs)


def test_mix_is_a_bijection_on_a_sample():
    sample = [i * 0x9E3779B97F4A7C15 % 2**64 for i in range(5000)]
    assert len({packing.mix(x) for x in sample}) == len(sample)


def test_hashes_of_prefixes_of_zero_words_differ():
    assert len({packing.hash_words((0,) * n) for n in range(100)}) == 100


def test_the_core_counts_distinct_rows_as_a_dictionary_does():
    core = pytest.importorskip("linear_regions._core")
    rng = np.random.default_rng(5)
    for width in (1, 2, 16):
        words = rng.integers(0, 3 if width > 1 else 40, size=(500, width), dtype=np.uint64)
        expected: dict[tuple[int, ...], int] = {}
        for row in words.tolist():
            expected[tuple(row)] = expected.get(tuple(row), 0) + 1
        n_distinct, counts = core.distinct_rows(words)
        assert n_distinct == len(expected)
        assert sorted(counts.tolist()) == sorted(expected.values())
