# SPDX-License-Identifier: MIT
"""What the numbers of counters of patterns say: collisions, sketches and their errors."""

from __future__ import annotations

import numpy as np
import pytest

from linear_regions import PatternCounter
from linear_regions import _core as core


def test_collision_probability_is_the_birthday_bound() -> None:
    counter = PatternCounter(sketch="hash", hash_bits=64)
    counter.update(np.random.default_rng(0).normal(size=(3000, 100)))
    assert counter.count() == 3000
    assert counter.collision_probability() == 3000 * 2999 / 2**65
    narrow = PatternCounter(sketch="hash")
    narrow.update(np.random.default_rng(0).normal(size=(3000, 64)))
    assert narrow.collision_probability() == 0.0  # the hash of one word is a bijection
    assert PatternCounter().collision_probability() == 0.0


def test_a_sketch_is_exact_while_it_is_small() -> None:
    words = np.arange(core.sample_size, dtype=np.uint64)[:, None]
    counter = PatternCounter(sketch="hll", precision=8, counts=True)
    counter.update_packed(words)
    assert (counter.count(), counter.relative_error()) == (core.sample_size, 0.0)
    counter.update_packed(words + np.uint64(core.sample_size))
    assert counter.relative_error() == 1.04 / 16
    assert counter.count() == pytest.approx(2 * core.sample_size, rel=4 * 1.04 / 16)


def test_a_sketch_tells_how_many_patterns_were_met_once() -> None:
    # 200,000 patterns, a fifth of them met twice and the others once.
    words = np.arange(200_000, dtype=np.uint64)[:, None]
    counter = PatternCounter(sketch="hll", counts=True)
    counter.update_packed(words)
    counter.update_packed(words[::5])
    found = counter.frequency_counts()
    assert set(found) == {1, 2}
    assert found[1] == pytest.approx(160_000, rel=0.05)
    assert found[2] == pytest.approx(40_000, rel=0.08)
    result = counter.summary()
    assert result.coverage == pytest.approx(1 - 160_000 / 240_000, abs=0.04)
    assert result.sketch == "hll"


def hll_of(words: np.ndarray, precision: int) -> float:
    tally = core.PatternTally(1, 3, False, precision)
    tally.insert(words[:, None])
    return tally.hll_estimate()


@pytest.mark.parametrize("n", [0, 1, 10, 300, 1024, 3000, 20_000])
def test_the_sketch_keeps_its_error_over_a_thousand_seeds(n: int) -> None:
    # The standard error of the root mean square over 1000 seeds is 2.2 %; 10 % is over four of it.
    rng = np.random.default_rng(n)
    errors = []
    for _ in range(1000):
        words = rng.integers(0, 2**64, size=n, dtype=np.uint64)
        errors.append(hll_of(words, 10) - n)
    relative = np.array(errors) / max(n, 1)
    stated = 1.04 / 32
    assert np.sqrt(np.mean(relative**2)) < 1.1 * stated
    assert abs(np.mean(relative)) < 0.15 * stated
    assert np.abs(relative).max() < 5 * stated
