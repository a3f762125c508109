# SPDX-License-Identifier: MIT
"""Counters of distinct patterns, against NumPy's packed bits and unique rows."""

from __future__ import annotations

import hashlib
import pickle
import struct
import sys
import threading
from collections import Counter

import numpy as np
import pytest

from helpers import packed
from linear_regions import PatternCounter, patterns
from linear_regions import _core as core
from linear_regions import _counter_bytes as counter_bytes
from linear_regions.errors import CorruptFile, DeviceError, InvalidInput, Unsupported
from linear_regions.layers import Affine, hard_tanh, relu
from linear_regions.network import Network
from linear_regions.reference import packing

SKETCHES = [
    {"sketch": "exact"},
    {"sketch": "hash", "hash_bits": 64},
    {"sketch": "hash", "hash_bits": 128},
    {"sketch": "hll", "precision": 10},
]


def truth(signs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows, times = np.unique(packed(signs), axis=0, return_counts=True)
    return rows, times


def few_rows(rng: np.random.Generator, n: int, units: int, distinct: int) -> np.ndarray:
    """Rows of normal numbers, many of them equal."""
    return rng.normal(size=(distinct, units))[rng.integers(0, distinct, size=n)]


# ---- counts ----


@pytest.mark.parametrize("case", range(100))
def test_counts_equal_unique_rows_of_packed_bits(case: int) -> None:
    rng = np.random.default_rng(case)
    units = [int(rng.integers(1, 150)) for _ in range(rng.integers(1, 4))]
    n, distinct = int(rng.integers(1, 400)), int(rng.integers(1, 300))
    dtype = (np.float32, np.float64, np.float16)[case % 3]
    layers = [few_rows(rng, n, k, distinct).astype(dtype) for k in units]
    rows, times = truth(np.concatenate(layers, axis=1) > 0)
    for options in SKETCHES:
        counter = PatternCounter(**options, counts=True, per_layer=True)
        counter.update(layers if len(layers) > 1 or case % 2 else layers[0])
        assert (counter.samples, counter.count()) == (n, len(rows))
        assert counter.layer_counts() == [len(truth(layer > 0)[0]) for layer in layers]
        assert counter.pattern_bits == sum(units)
        number = dict(Counter(times.tolist()))
        assert counter.frequency_counts() == number
        if options["sketch"] == "exact":
            assert np.array_equal(counter.patterns(), rows)
            assert np.array_equal(counter.frequencies(), times)


def test_patterns_are_those_of_the_network() -> None:
    rng = np.random.default_rng(1)
    net = Network(3, [Affine(rng.normal(size=(40, 3))), relu(), Affine(rng.normal(size=(70, 40)))])
    net = Network(3, [*net.layers, hard_tanh()])
    points = rng.normal(size=(500, 3))
    first = points @ net.layers[0].weight.T
    second = np.maximum(first, 0) @ net.layers[2].weight.T
    counter = PatternCounter(breakpoints=[0.0, (-1.0, 1.0)])
    counter.update([first, second])
    assert counter.layer_bits == tuple(bits for _, _, bits in net.pattern_layout)
    words = patterns(net, points)
    assert np.array_equal(counter.patterns(), np.unique(words, axis=0))
    counter.update_packed(words)
    assert counter.count() == len(np.unique(words, axis=0))
    assert counter.samples == 1000


def test_hashes_are_the_golden_ones() -> None:
    for case in packing.golden_cases():
        words = np.array([[int(word, 16) for word in case["words"]]], dtype=np.uint64)
        if not words.size:
            continue
        for sketch, expected in ((1, ["hash_low"]), (2, ["hash_low", "hash_high"])):
            tally = core.PatternTally(words.shape[1], sketch, False, 14)
            tally.insert(words)
            found = tally.contents()["keys"].tolist()
            assert found == [[int(case[name], 16) for name in expected]]


@pytest.mark.parametrize("units", [1, 31, 64, 65, 200])
@pytest.mark.parametrize("kind", ["float64", "float32", "float16", "bfloat16", "bool"])
def test_every_element_type_and_layout_packs_alike(kind: str, units: int) -> None:
    rng = np.random.default_rng(units)
    values = rng.normal(size=(50, units))
    values[rng.random(values.shape) < 0.2] = 0.0
    values[rng.random(values.shape) < 0.1] = -0.0
    values[0, 0], values[1, 0] = np.inf, -np.inf
    if kind == "bfloat16":
        values = values.astype(pytest.importorskip("ml_dtypes").bfloat16)
    else:
        values = values.astype(kind) if kind != "bool" else values > 0
    signs = values.astype(np.float64) > 0
    wide = np.zeros((100, 2 * units), dtype=values.dtype)
    wide[::2, ::2] = values
    backwards = np.ascontiguousarray(values[::-1, ::-1])[::-1, ::-1]
    layouts = [
        values,
        np.asfortranarray(values),
        wide[::2, ::2],
        backwards,
        values.reshape(50, units, 1),
    ]
    if kind not in ("bool", "bfloat16"):
        layouts.append(values.astype(values.dtype.newbyteorder("S")))
    for array in layouts:
        counter = PatternCounter(counts=True)
        counter.update(array)
        rows, times = truth(signs)
        assert np.array_equal(counter.patterns(), rows)
        assert np.array_equal(counter.frequencies(), times)


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16])
def test_comparisons_with_breakpoints_are_exact(kind: type) -> None:
    rng = np.random.default_rng(3)
    grid = rng.normal(size=300).astype(kind)
    near = np.concatenate([grid, np.nextafter(grid, kind(9)), np.nextafter(grid, kind(-9))])
    breakpoints = sorted({float(b) for b in grid[:5]} | {float(grid[5]) + 1e-12, 0.1, -1e-30})
    values = np.tile(near[:, None], (1, 70))
    counter = PatternCounter(breakpoints=[breakpoints])
    counter.update(values)
    signs = values.astype(np.float64)[:, :, None] > np.array(breakpoints)
    assert np.array_equal(counter.patterns(), truth(signs.reshape(len(near), -1))[0])


def test_torch_tensors_are_read_where_they_lie() -> None:
    torch = pytest.importorskip("torch")
    values = torch.randn(300, 8, 3, 3, requires_grad=True)
    expected = len(truth(values.detach().numpy().reshape(300, -1) > 0)[0])
    for tensor in (values, values.double(), values.to(memory_format=torch.channels_last)):
        counter = PatternCounter()
        counter.update(tensor)
        assert counter.count() == expected
    small = torch.randn(4000, 9).bfloat16()
    counter = PatternCounter()
    counter.update(small[::2, :])
    assert counter.count() == len(truth(small[::2].float().numpy() > 0)[0])
    counter.update_packed(torch.from_numpy(counter.patterns().view(np.int64)))
    assert counter.samples == 2000 + counter.count()
    with pytest.raises(TypeError, match="int32"):
        counter.update(torch.ones(2, 9, dtype=torch.int32))
    with pytest.raises(DeviceError, match="meta"):
        counter.update(torch.ones(2, 9, device="meta"))


class OnlyDlpack:
    def __init__(self, array: np.ndarray, device: int = 1) -> None:
        self.array, self.device = array, device

    def __dlpack__(self, **options: object) -> object:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (self.device, 0)


def test_dlpack_is_enough_and_other_devices_say_so() -> None:
    values = np.random.default_rng(0).normal(size=(40, 5))
    counter = PatternCounter()
    counter.update(OnlyDlpack(values))
    assert counter.count() == len(truth(values > 0)[0])
    with pytest.raises(DeviceError, match="neither the host nor a CUDA GPU"):
        counter.update(OnlyDlpack(values, device=10))


def test_empty_and_zero_width_batches() -> None:
    for options in SKETCHES:
        counter = PatternCounter(**options, counts=True, per_layer=True)
        assert (counter.count(), counter.samples, counter.frequency_counts()) == (0, 0, {})
        counter.update([np.zeros((0, 3)), np.zeros((0, 0))])
        assert (counter.count(), counter.samples, counter.layer_counts()) == (0, 0, [0, 0])
        counter.update([np.ones((4, 3)), np.zeros((4, 0))])
        assert (counter.count(), counter.samples, counter.layer_counts()) == (1, 4, [1, 1])
        assert counter.copy().to_bytes() == counter.to_bytes()
        nothing = PatternCounter(**options)
        nothing.update(np.zeros((5, 0)))
        assert (nothing.count(), nothing.pattern_bits) == (1, 0)
        assert nothing.copy().count() == 1


# ---- refused ----


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("place", [(0, 0), (700, 63), (1999, 69)])
def test_nan_is_refused_and_nothing_is_counted(kind: type, place: tuple[int, int]) -> None:
    values = np.ones((2000, 70), dtype=kind)
    values[place] = np.nan
    counter = PatternCounter()
    with pytest.raises(InvalidInput, match="layer 1 has NaN"):
        counter.update([np.ones((2000, 3)), values])
    assert (counter.samples, counter.count()) == (0, 0)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"sketch": "bloom"}, InvalidInput, "sketch"),
        ({"hash_bits": 32}, InvalidInput, "hash_bits"),
        ({"precision": 3}, InvalidInput, "precision"),
        ({"precision": 19}, InvalidInput, "precision"),
        ({"precision": 4.5}, TypeError, "precision"),
        ({"breakpoints": "0"}, TypeError, "breakpoints"),
        ({"breakpoints": [[0.0, 0.0]]}, InvalidInput, "increase"),
        ({"breakpoints": [[]]}, InvalidInput, "increase"),
        ({"breakpoints": np.nan}, InvalidInput, "finite"),
        ({"layer_bits": [-1]}, InvalidInput, "layer_bits"),
    ],
)
def test_options_are_checked(options, error, words) -> None:
    with pytest.raises(error, match=words):
        PatternCounter(**options)


@pytest.mark.parametrize(
    ("batch", "error", "words"),
    [
        (3, TypeError, "array"),
        (np.ones(3), InvalidInput, "shape"),
        ([[1.0, 2.0]], InvalidInput, "list is one array for each layer"),
        ([], InvalidInput, "one array"),
        (np.ones((2, 3), dtype=int), TypeError, "int64"),
        (np.ones((2, 3), dtype=complex), TypeError, "complex"),
        ([np.ones((2, 3)), np.ones((3, 3))], InvalidInput, "rows"),
    ],
)
def test_batches_are_checked(batch, error, words) -> None:
    with pytest.raises(error, match=words):
        PatternCounter().update(batch)


def test_a_batch_must_fit_the_ones_before() -> None:
    counter = PatternCounter()
    counter.update([np.ones((2, 3)), np.ones((2, 4))])
    with pytest.raises(InvalidInput, match=r"\[3, 4\] bits, got \[4, 3\]"):
        counter.update([np.ones((2, 4)), np.ones((2, 3))])
    with pytest.raises(InvalidInput, match="words"):
        counter.update_packed(np.zeros((2, 2), dtype=np.uint64))
    with pytest.raises(InvalidInput, match="clear"):
        counter.update_packed(np.full((2, 1), 128, dtype=np.uint64))
    with pytest.raises(TypeError, match="uint64"):
        counter.update_packed(np.zeros((2, 1)))
    with pytest.raises(InvalidInput, match="breakpoints"):
        PatternCounter(breakpoints=[0.0, 1.0]).update(np.ones((2, 2)))
    with pytest.raises(InvalidInput, match="bools are signs"):
        PatternCounter(breakpoints=1.0).update(np.ones((2, 2), dtype=bool))
    with pytest.raises(InvalidInput, match="layer_bits"):
        PatternCounter(per_layer=True).update_packed(np.zeros((2, 1), dtype=np.uint64))
    assert counter.samples == 2


def test_what_a_counter_does_not_keep_it_does_not_give() -> None:
    sketch, plain = PatternCounter(sketch="hll", counts=True), PatternCounter()
    sketch.update(np.ones((2, 2)))
    for ask in (sketch.patterns, sketch.frequencies, plain.frequencies, plain.summary):
        with pytest.raises(Unsupported):
            ask()
    with pytest.raises(InvalidInput, match="per_layer"):
        plain.count(0)
    with pytest.raises(InvalidInput, match="layers"):
        sketch.layer_counts()
    layered = PatternCounter(per_layer=True, layer_bits=[3])
    with pytest.raises(InvalidInput, match="there are 1 layers"):
        layered.count(1)


# ---- merge, bytes ----


@pytest.mark.parametrize("options", SKETCHES)
@pytest.mark.parametrize("distinct", [50, 30_000])
def test_merging_is_the_union(options: dict[str, object], distinct: int) -> None:
    rng = np.random.default_rng(5)
    values = few_rows(rng, 40_000, 90, distinct)
    values[0] = values[-1]  # a pattern in both
    whole = PatternCounter(**options, counts=True, per_layer=True)
    parts = [PatternCounter(**options, counts=True, per_layer=True) for _ in range(2)]
    whole.update([values[:, :40], values[:, 40:]])
    for part, some in zip(parts, (values[:15_000], values[15_000:]), strict=True):
        part.update([some[:, :40], some[:, 40:]])
    merged = PatternCounter(**options, counts=True, per_layer=True)
    assert merged.merge(parts[1]).merge(parts[0]) is merged
    assert merged.to_bytes() == whole.to_bytes()
    assert merged.summary() == whole.summary()
    again = merged.copy().merge(merged)
    assert (again.count(), again.samples) == (whole.count(), 80_000)


def test_different_counters_do_not_merge() -> None:
    with pytest.raises(InvalidInput, match="sketch"):
        PatternCounter().merge(PatternCounter(sketch="hash"))
    with pytest.raises(TypeError, match="PatternCounter"):
        PatternCounter().merge(3)
    narrow, wide = PatternCounter(layer_bits=[3]), PatternCounter(layer_bits=[4])
    with pytest.raises(InvalidInput, match="bits"):
        narrow.merge(wide)


def example(options: dict[str, object]) -> PatternCounter:
    rng = np.random.default_rng(2)
    counter = PatternCounter(**options, breakpoints=[0.0, (0.0, 0.5)], per_layer=True)
    counter.update([rng.normal(size=(500, 5)), rng.normal(size=(500, 33))])
    return counter


@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize("options", SKETCHES)
def test_bytes_and_pickles_round_trip(options: dict[str, object], counts: bool) -> None:
    counter = example({**options, "counts": counts})
    for copy in (
        PatternCounter.from_bytes(counter.to_bytes()),
        pickle.loads(pickle.dumps(counter)),
    ):
        assert copy.to_bytes() == counter.to_bytes()
        assert (copy.count(), copy.samples) == (counter.count(), counter.samples)
        assert copy.layer_counts() == counter.layer_counts()
        assert copy.layer_bits == counter.layer_bits
    fresh = PatternCounter.from_bytes(PatternCounter(**options).to_bytes())
    assert (fresh.count(), fresh.samples) == (0, 0)


@pytest.mark.parametrize("options", SKETCHES)
def test_damaged_bytes_are_refused(options: dict[str, object]) -> None:
    data = example(options).to_bytes()
    rng = np.random.default_rng(0)
    for place in [*range(60), *rng.integers(0, len(data), 100).tolist()]:
        with pytest.raises(CorruptFile):
            PatternCounter.from_bytes(data[:place] + bytes([data[place] ^ 16]) + data[place + 1 :])
    for size in (0, 5, 30, 100, len(data) - 1):
        with pytest.raises(CorruptFile):
            PatternCounter.from_bytes(data[:size])
    with pytest.raises(CorruptFile):
        PatternCounter.from_bytes(data + b"\0")
    with pytest.raises(TypeError, match="bytes"):
        PatternCounter.from_bytes("text")


def sealed(body: bytes) -> bytes:
    """Add the checksum that a forger would add, too."""
    return body + hashlib.blake2b(body, digest_size=16).digest()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"rows":500', b'"rows":499'),
        (b'"rows":500', b'"rows":-50'),
        (b'"keys":', b'"keyz":'),
        (b'"precision":14', b'"precision":63'),
        (b'"precision":14', b'"precision":1e'),
        (b'"sketch":"exact"', b'"sketch":"exalt"'),
        (b'"pattern_bits":71', b'"pattern_bits":72'),
        (b'"layer_bits":[5,66]', b'"layer_bits":[6,66]'),
        (b'"level":0', b'"level":1'),
        (b'"counts":true', b'"counts":1   '),
        (b"[0.0,0.5]", b"[0.5,0.0]"),
        (b"[0.0,0.5]", b"[NaN,0.5]"),
    ],
)
def test_forged_headers_are_refused(old: bytes, new: bytes) -> None:
    body = example({"sketch": "exact", "counts": True}).to_bytes()[:-16]
    assert old in body
    with pytest.raises(CorruptFile):
        PatternCounter.from_bytes(sealed(body.replace(old, new)))


def test_forged_arrays_and_sizes_are_refused() -> None:
    counter = PatternCounter(sketch="exact", counts=True)
    counter.update(np.array([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0]]))
    body = counter.to_bytes()[:-16]
    arrays = body[-48:]
    keys = struct.pack("<3Q", 1, 2, 3)
    assert arrays[:24] == keys
    for bad in (
        struct.pack("<3Q", 1, 1, 3),  # a pattern twice
        struct.pack("<3Q", 2, 1, 3),  # out of order
        struct.pack("<3Q", 1, 2, 7),  # a bit behind the last sign
    ):
        with pytest.raises(CorruptFile):
            PatternCounter.from_bytes(sealed(body[:-48] + bad + arrays[24:]))
    with pytest.raises(CorruptFile, match="frequencies"):
        PatternCounter.from_bytes(sealed(body[:-48] + keys + struct.pack("<3Q", 1, 1, 2)))
    with pytest.raises(CorruptFile):
        PatternCounter.from_bytes(sealed(body.replace(b'"keys":3', b'"keys":%d' % 2**62)))
    newer = body[:8] + struct.pack("<H", counter_bytes.VERSION + 1) + body[10:]
    with pytest.raises(CorruptFile, match="newer"):
        PatternCounter.from_bytes(sealed(newer))
    start = struct.pack("<8sHI", b"LRCOUNT\0", 1, 20_000)
    with pytest.raises(CorruptFile, match="header"):
        PatternCounter.from_bytes(sealed(start + b"[" * 20_000))


# ---- threads ----


@pytest.mark.parametrize("options", SKETCHES)
def test_threads_may_update_one_counter_at_once(options: dict[str, object]) -> None:
    rng = np.random.default_rng(9)
    batches = [few_rows(rng, 1500, 70, 200 + 300 * i) for i in range(12)]
    alone = PatternCounter(**options, counts=True, per_layer=True)
    for batch in batches:
        alone.update([batch[:, :30], batch[:, 30:]])
    together = PatternCounter(**options, counts=True, per_layer=True)
    errors: list[BaseException] = []

    def work(mine: list[np.ndarray]) -> None:
        try:
            for batch in mine:
                together.update([batch[:, :30], batch[:, 30:]])
                assert together.count() <= together.samples
        except BaseException as error:
            errors.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(batches[i::4],)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert not errors
    assert together.to_bytes() == alone.to_bytes()


def test_layer_bits_must_be_a_sequence():
    for wrong in (3, "34"):
        with pytest.raises(TypeError, match="sequence of int"):
            PatternCounter(layer_bits=wrong)
