# SPDX-License-Identifier: MIT
"""Layers: shapes, windows and divisors against PyTorch, activations, messages, values."""

from __future__ import annotations

import copy
import pickle
import random
from collections import Counter
from fractions import Fraction
from itertools import pairwise, product
from math import prod

import numpy as np
import pytest

from linear_regions._pools import always_disjoint, window_sizes
from linear_regions.domain import Box
from linear_regions.errors import InvalidInput
from linear_regions.layers import (
    Add,
    Affine,
    AvgPool,
    Concat,
    Conv,
    Flatten,
    Maxout,
    MaxPool,
    Pad,
    Permute,
    Pointwise,
    Reshape,
    Scale,
    absolute,
    hard_tanh,
    leaky_relu,
    relu,
    relu6,
)
from linear_regions.network import Network

EVERY_LAYER = [
    Affine([[1.0, 2.0], [3.0, 4.0]], [0.5, -0.5]),
    Conv(np.arange(8.0).reshape(2, 1, 2, 2), stride=2, padding=((0, 1), (2, 0)), dilation=(1, 2)),
    Scale([1.0, 2.0], input=0),
    Pointwise([[0.0, 1.0], [2.0, 3.0]], [[0, 1, 0], [1, 2, 3]], [0.0, 1.0]),
    relu(),
    MaxPool(2, stride=1, padding=1, ceil_mode=True),
    AvgPool((2, 3), count_include_pad=False),
    Maxout(2),
    Flatten(),
    Reshape((2, -1)),
    Permute((1, 0, 2)),
    Pad(((1, 2),), value=-1.5),
    Add(3),
    Concat((0, 1), input=2),
]


def evaluate(layer: Pointwise, channel: int, z: Fraction) -> Fraction:
    """Evaluate the definition: integrate the slopes from zero, exactly."""
    cuts = [Fraction(float(b)) for b in layer.breakpoints[min(channel, layer.channels - 1)]]
    slopes = [Fraction(float(s)) for s in layer.slopes[min(channel, layer.channels - 1)]]
    value = Fraction(float(layer.value_at_zero[min(channel, layer.channels - 1)]))
    low, high = min(z, Fraction(0)), max(z, Fraction(0))
    ends = [None, *cuts, None]
    total = Fraction(0)
    for slope, start, end in zip(slopes, ends[:-1], ends[1:], strict=True):
        left = low if start is None else max(low, start)
        right = high if end is None else min(high, end)
        total += slope * max(right - left, Fraction(0))
    return value + (total if z >= 0 else -total)


@pytest.mark.parametrize(
    ("layer", "function"),
    [
        (relu(), lambda z: max(z, 0)),
        (leaky_relu(0.25), lambda z: z if z > 0 else z / 4),
        (hard_tanh(), lambda z: min(max(z, -1), 1)),
        (hard_tanh(1.0, 3.0), lambda z: min(max(z, 1), 3)),
        (hard_tanh(-3.0, -2.0), lambda z: min(max(z, -3), -2)),
        (relu6(), lambda z: min(max(z, 0), 6)),
        (absolute(), abs),
    ],
)
def test_named_activations_are_the_functions_they_are_named_after(layer, function):
    for z in (Fraction(n, 4) for n in range(-32, 33)):
        assert evaluate(layer, 0, z) == function(z)


def test_pieces_merge_equal_neighbouring_slopes_per_channel():
    layer = Pointwise([[0.0, 1.0], [0.0, 1.0]], [[0, 1, 1], [2, 2, 2]], [0.0, 5.0])
    cuts, slopes, zero = layer.pieces(0)
    assert (cuts.tolist(), slopes.tolist(), zero) == ([0.0], [0.0, 1.0], 0.0)
    cuts, slopes, zero = layer.pieces(1)
    assert (cuts.tolist(), slopes.tolist(), zero) == ([], [2.0], 5.0)
    assert layer.pattern_bits((2, 3)) == 3
    assert layer.n_units((2, 3)) == 6
    assert leaky_relu(1.0).pattern_bits((7,)) == leaky_relu(1.0).n_units((7,)) == 0


def test_one_row_serves_every_channel_and_rows_spread():
    assert relu().pieces(17)[0].tolist() == [0.0]
    prelu = Pointwise([0.0], [[0.1, 1.0], [0.2, 1.0]])
    assert prelu.channels == 2
    assert prelu.breakpoints.tolist() == [[0.0], [0.0]]
    assert prelu.value_at_zero.tolist() == [0.0, 0.0]
    assert Pointwise([], [3.0]).pieces(0)[1].tolist() == [3.0]


@pytest.mark.parametrize(
    ("layer", "flat", "at_zero", "breakpoints"),
    [
        (relu(), 1, True, 1),
        (leaky_relu(), 0, True, 1),
        (hard_tanh(), 2, False, 2),
        (relu6(), 2, True, 2),
        (absolute(), 0, True, 1),
        (Pointwise([0.0], [[0.0, 1.0], [0.5, 1.0]]), 0, True, 1),
        (leaky_relu(1.0), 0, False, 0),
    ],
)
def test_pointwise_spec_says_what_bounds_need(layer, flat, at_zero, breakpoints):
    spec = layer.spec
    assert (spec.flat, spec.at_zero, spec.breakpoints) == (flat, at_zero, breakpoints)


# ---- windows ----


def naive_windows(layer, shape):
    """Return the definition: loop over outputs and kernel places."""
    kernel, stride, padding, dilation = layer.geometry(len(shape) - 1)
    out = layer.output_shape(shape)
    rows = []
    for channel, *where in product(*map(range, out)):
        row = []
        for position, place in enumerate(product(*map(range, kernel))):
            at = [
                w * s - p[0] + k * d
                for w, s, p, k, d in zip(where, stride, padding, place, dilation, strict=True)
            ]
            if all(0 <= a < n for a, n in zip(at, shape[1:], strict=True)):
                row.append((int(np.ravel_multi_index((channel, *at), shape)), position))
        rows.append(row)
    return rows


def as_rows(windows):
    starts, entries, positions = windows
    assert starts.dtype == entries.dtype == positions.dtype == np.int64
    pairs = list(zip(entries.tolist(), positions.tolist(), strict=True))
    return [pairs[a:b] for a, b in pairwise(starts.tolist())]


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (MaxPool(2), (2, 5)),
        (MaxPool(3, stride=2, padding=1, dilation=2), (2, 7)),
        (MaxPool((2, 3), stride=(1, 2), padding=((1, 0), (0, 2))), (3, 4, 5)),
        (MaxPool(2, stride=2, ceil_mode=True), (1, 5, 3)),
        (MaxPool(2, stride=1, padding=1), (2, 2, 3, 2)),
        (AvgPool(3, stride=2, padding=1, ceil_mode=True), (2, 6, 7)),
    ],
)
def test_windows_agree_with_the_definition(layer, shape):
    assert as_rows(layer.windows(shape)) == naive_windows(layer, shape)


def test_maxout_groups_consecutive_channels():
    rows = as_rows(Maxout(2).windows((4, 3)))
    assert rows[0] == [(0, 0), (3, 1)]
    assert rows[-1] == [(8, 0), (11, 1)]
    x = np.random.default_rng(0).normal(size=(6, 2, 2))
    rows = as_rows(Maxout(3).windows(x.shape))
    got = [max(x.reshape(-1)[entry] for entry, _ in row) for row in rows]
    np.testing.assert_array_equal(got, x.reshape(2, 3, 2, 2).max(axis=1).reshape(-1))


def test_window_bits_are_the_logarithm_of_the_full_kernel():
    assert [Maxout(rank).pattern_bits((rank,)) for rank in (1, 2, 3, 4, 5)] == [0, 1, 2, 2, 3]
    # Windows at the border see fewer entries but have as many bits.
    assert MaxPool(3, padding=1).pattern_bits((1, 4, 4)) == 4 * 4


def torch_configurations(seed, max_pool):
    """Yield (layer, shape, arguments for PyTorch) that PyTorch accepts."""
    rng = np.random.default_rng(seed)
    for _ in range(150):
        axes = int(rng.integers(1, 4))
        shape = (int(rng.integers(1, 3)), *rng.integers(1, 9, axes).tolist())
        kernel = tuple(rng.integers(1, 4, axes).tolist())
        options = {
            "stride": tuple(rng.integers(1, 4, axes).tolist()),
            "padding": tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel),
            "ceil_mode": bool(rng.integers(2)),
        }
        if max_pool:
            options["dilation"] = tuple(rng.integers(1, 3, axes).tolist())
            yield MaxPool(kernel, **options), shape, (kernel, options)
        else:
            options["count_include_pad"] = bool(rng.integers(2))
            yield AvgPool(kernel, **options), shape, (kernel, options)


def sums(layer, x):
    rows = as_rows(layer.windows(x.shape))
    return np.array([sum(x.reshape(-1)[entry] for entry, _ in row) for row in rows])


@pytest.mark.parametrize("max_pool", [True, False])
def test_pooling_equals_pytorch(max_pool):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    rng = np.random.default_rng(1)
    agreed = refused = 0
    for layer, shape, (kernel, options) in torch_configurations(7, max_pool):
        # Small integers: sums are exact in any order.
        x = rng.integers(-50, 50, shape).astype(np.float64)
        kind = f"{'max' if max_pool else 'avg'}_pool{len(shape) - 1}d"
        try:
            given = torch.from_numpy(x)[None]
            expected = getattr(torch.nn.functional, kind)(given, kernel, **options)[0].numpy()
        except RuntimeError as error:
            if "smaller than kernel size" in str(error):
                continue  # avg_pool3d alone compares the sizes before padding
            with pytest.raises(InvalidInput):
                layer.output_shape(shape)
            refused += 1
            continue
        if np.isinf(expected).any():  # a window that sees padding only
            with pytest.raises(InvalidInput, match="padding only"):
                layer.output_shape(shape)
            continue
        assert layer.output_shape(shape) == expected.shape
        if max_pool:
            rows = as_rows(layer.windows(shape))
            got = np.array([max(x.reshape(-1)[entry] for entry, _ in row) for row in rows])
        else:
            assert layer.divisors(shape).dtype == np.int64
            got = sums(layer, x) / layer.divisors(shape)
        np.testing.assert_array_equal(got.reshape(expected.shape), expected)
        agreed += 1
    assert agreed > 60
    assert refused > 2


def test_convolution_shapes_equal_pytorch():
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    rng = np.random.default_rng(2)
    for _ in range(100):
        axes = int(rng.integers(1, 4))
        groups = int(rng.integers(1, 3))
        weight = rng.normal(size=(2 * groups, 2, *rng.integers(1, 4, axes)))
        shape = (2 * groups, *rng.integers(1, 9, axes).tolist())
        options = {
            name: tuple(rng.integers(low, low + 3, axes).tolist())
            for name, low in (("stride", 1), ("padding", 0), ("dilation", 1))
        }
        layer = Conv(weight, groups=groups, **options)
        convolve = getattr(torch.nn.functional, f"conv{axes}d")
        x = torch.zeros((1, *shape), dtype=torch.float64)
        try:
            expected = convolve(x, torch.from_numpy(weight), groups=groups, **options)
        except RuntimeError:
            with pytest.raises(InvalidInput, match="does not fit"):
                layer.output_shape(shape)
            continue
        assert layer.output_shape(shape) == tuple(expected.shape[1:])
        assert layer.spec.output_shape(shape) == tuple(expected.shape[1:])


def test_ceil_mode_drops_a_window_that_starts_in_the_right_padding():
    assert MaxPool(2, stride=2, ceil_mode=True).output_shape((1, 5)) == (1, 3)
    assert MaxPool(1, stride=2, ceil_mode=True).output_shape((1, 4)) == (1, 2)
    assert AvgPool(2, stride=3, padding=1, ceil_mode=True).output_shape((1, 5)) == (1, 2)


def test_average_of_padding_alone_is_zero_where_padding_counts():
    layer = AvgPool(1, padding=1)
    assert layer.output_shape((1, 2)) == (1, 4)
    assert layer.divisors((1, 2)).tolist() == [1, 1, 1, 1]
    with pytest.raises(InvalidInput, match="padding only"):
        AvgPool(1, padding=1, count_include_pad=False).output_shape((1, 2))


# ---- wiring ----


def test_index_maps_copy_as_numpy_does():
    x = np.arange(24.0).reshape(2, 3, 4)
    flat = x.reshape(-1)
    np.testing.assert_array_equal(flat[Flatten().index_map(x.shape)], flat)
    np.testing.assert_array_equal(flat[Reshape((4, 6)).index_map(x.shape)], flat)
    order = (2, 0, 1)
    np.testing.assert_array_equal(
        flat[Permute(order).index_map(x.shape)], x.transpose(order).reshape(-1)
    )
    pad = Pad(((1, 0), (0, 2)), value=7.0)
    index = pad.index_map(x.shape)
    got = np.where(index < 0, pad.value, flat[index]).reshape(pad.output_shape(x.shape))
    np.testing.assert_array_equal(got, np.pad(x, ((0, 0), (1, 0), (0, 2)), constant_values=7.0))


def test_slots_default_to_the_previous_layer():
    assert relu().inputs(4) == (4,)
    assert relu(input=1).inputs(4) == (1,)
    assert Add(0).inputs(4) == (4, 0)
    assert Concat((0, 2), input=1).inputs(4) == (1, 0, 2)


def test_reshape_computes_one_free_size():
    assert Reshape((-1, 3)).output_shape((12,)) == (4, 3)
    with pytest.raises(InvalidInput, match="12 entries"):
        Reshape((-1, 5)).output_shape((12,))
    with pytest.raises(InvalidInput, match="12 entries"):
        Reshape((2, 5)).output_shape((12,))


# ---- construction ----


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Affine([1.0, 2.0]), "n_out, n_in"),
        (lambda: Affine([[np.nan]]), r"finite, got nan at index \(0, 0\)"),
        (lambda: Affine([[1.0]], [1.0, 2.0]), r"shape \(1,\)"),
        (lambda: Affine([[1.0], [2.0]], [1.0]), r"\(n_out, n_in\), got \(2, 1\).*transpose"),
        (lambda: Conv(np.ones((2, 1))), "kernel_size"),
        (lambda: Conv(np.ones((3, 1, 2)), groups=2), "groups must divide"),
        (lambda: Conv(np.ones((2, 1, 2)), stride=0), "stride must be at least 1"),
        (lambda: Conv(np.ones((2, 1, 2)), padding=(1, 2)), r"write \(\(1, 2\),\)"),
        (lambda: Conv(np.ones((2, 1, 2, 2)), padding=((1, 2, 3), 1)), "before, after"),
        (lambda: Conv(np.ones((2, 1, 2, 2)), dilation=(1, 1, 1)), "2 ints"),
        (lambda: Scale([[1.0]]), "channels"),
        (lambda: Pointwise([1.0, 1.0], [0, 1, 2]), "increase strictly"),
        (lambda: Pointwise([1.0], [0, 1, 2]), r"k \+ 1 slopes"),
        (lambda: Pointwise([[1.0], [2.0]], [[0, 1]] * 3), "rows must agree"),
        (lambda: hard_tanh(1.0, 1.0), "min_value < max_value"),
        (lambda: Maxout(0), "at least 1"),
        (lambda: MaxPool(2, padding=-1), "at least 0"),
        (lambda: Reshape((0, 2)), "positive sizes"),
        (lambda: Permute((0, 2)), "each of 0 to 1"),
        (lambda: Pad(1, value=np.inf), "finite"),
        (lambda: Concat(()), "at least one slot"),
        (lambda: relu(input=-1), "slot number"),
    ],
)
def test_impossible_layers_are_refused_with_a_reason(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Affine([["1.0"]]),
        lambda: Affine([[1j]]),
        lambda: Affine([[Fraction(1, 3)]]),
        lambda: Maxout(2.0),
        lambda: Maxout(True),
        lambda: Add("0"),
        lambda: Reshape("12"),
    ],
)
def test_wrong_types_are_type_errors(make):
    with pytest.raises(TypeError):
        make()


@pytest.mark.parametrize(
    ("layer", "shapes", "message"),
    [
        (Affine([[1.0, 2.0]]), [(3,)], r"expects an input \(2,\), got \(3,\)"),
        (Affine([[1.0, 2.0]]), [(1, 2)], r"put Flatten\(\) before it"),
        (Conv(np.ones((1, 2, 3))), [(1, 5)], r"\(2, n\), got \(1, 5\)"),
        (Conv(np.ones((1, 2, 3))), [(2, 2)], "does not fit"),
        (Scale([1.0]), [(2,)], "1 channels"),
        (Pointwise([0.0], [[0, 1], [0, 2]]), [(3,)], "2 channels"),
        (MaxPool(2), [(4,)], r"Reshape\(...\)"),
        (MaxPool((2, 2)), [(1, 4)], "1 ints"),
        (MaxPool(2, padding=2), [(1, 4)], "padding only"),
        (Maxout(2), [(3,)], "rank=2 must divide"),
        (Permute((1, 0)), [(3,)], "2 axes"),
        (Pad(1), [(3,)], r"\(channels, \*spatial\)"),
        (Add(0), [(3,), (4,)], "equal shapes"),
        (Concat(0), [(3, 2), (4, 3)], "after axis 0"),
    ],
)
def test_unfit_inputs_are_refused_naming_expected_and_got(layer, shapes, message):
    with pytest.raises(InvalidInput, match=message):
        layer.output_shape(*shapes)


def test_arrays_are_copied_exact_and_read_only():
    given = np.ones((2, 2))
    layer = Affine(given)
    given[0, 0] = 5.0
    assert layer.weight[0, 0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        layer.weight[0, 0] = 2.0
    with pytest.raises(ValueError, match="read-only"):
        layer.bias[0] = 2.0
    fortran = Affine(np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    assert fortran.weight.flags.c_contiguous
    assert Affine(np.array([[0.1]], dtype=np.float32)).weight[0, 0] == float(np.float32(0.1))
    assert Affine(np.array([[1.5]], dtype=">f8")).weight.dtype == np.float64


def test_numbers_that_double_precision_cannot_hold_are_refused():
    assert Affine([[2**53]]).weight[0, 0] == 2.0**53
    with pytest.raises(InvalidInput, match="cannot hold exactly"):
        Affine([[2**53 + 1]])
    if np.finfo(np.longdouble).nmant > 52:
        with pytest.raises(InvalidInput, match="cannot hold exactly"):
            Affine(np.array([[1]], dtype=np.longdouble) / 3)


def test_entries_that_are_masked_out_are_refused():
    numbers = np.array([[1.0, 2.0]])
    whole = np.ma.MaskedArray(numbers, mask=[[False, False]])
    assert (Affine(whole).weight == numbers).all()
    for name, call in (
        ("Affine: weight", Affine),
        ("Box: low", lambda given: Box(given, 3.0)),
        ("points", Network(2, [Affine([[1.0, 1.0]])])),
    ):
        with pytest.raises(InvalidInput, match=f"^{name} has masked entries"):
            call(np.ma.MaskedArray(numbers, mask=[[False, True]]))


@pytest.mark.parametrize("layer", EVERY_LAYER, ids=lambda layer: type(layer).__name__)
def test_layers_are_immutable_values(layer):
    with pytest.raises(AttributeError, match="immutable"):
        layer.input = 3
    with pytest.raises(AttributeError, match="immutable"):
        del layer.input
    for twin in (pickle.loads(pickle.dumps(layer)), copy.copy(layer), copy.deepcopy(layer)):
        assert twin == layer
        assert hash(twin) == hash(layer)
        assert repr(twin) == repr(layer)
        assert twin.spec == layer.spec
        for name in ("weight", "bias", "breakpoints", "slopes"):
            if hasattr(twin, name):
                assert not getattr(twin, name).flags.writeable
    assert layer != "a layer"
    assert sum(layer == other for other in EVERY_LAYER) == 1


def test_negative_zero_is_zero():
    assert Affine([[-0.0]]) == Affine([[0.0]])
    assert hash(Affine([[-0.0]])) == hash(Affine([[0.0]]))
    assert hash(Pad(1, -0.0)) == hash(Pad(1, 0.0))


def test_layers_of_width_zero_are_layers():
    layer = Affine(np.empty((0, 3)))
    assert layer.output_shape((3,)) == (0,)
    assert Affine(np.empty((2, 0))).output_shape((0,)) == (2,)
    assert prod(relu().output_shape((0,))) == 0


def test_short_names_show_what_is_not_default():
    assert repr(Conv(np.ones((6, 1, 5, 5)), stride=2)) == "Conv(filters=6, kernel_size=5, stride=2)"
    assert repr(MaxPool(2)) == "MaxPool(kernel_size=2)"
    assert repr(relu(input=0)) == "Pointwise([0.0], [0.0, 1.0], input=0)"
    assert repr(Reshape((1, 1))) == "Reshape(shape=(1, 1))"


def random_pool(rng, axes):
    def numbers(low, high):
        return tuple(rng.randint(low, high) for _ in range(axes))

    padding = tuple((rng.randint(0, 3), rng.randint(0, 3)) for _ in range(axes))
    kernel, stride, ceil_mode = numbers(1, 4), numbers(1, 6), rng.random() < 0.5
    if rng.random() < 0.3:
        return AvgPool(kernel, stride, padding, ceil_mode)
    return MaxPool(kernel, stride, padding, numbers(1, 4), ceil_mode)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_sizes_of_pooling_windows_are_those_of_the_windows_themselves(axes):
    rng, checked, apart = random.Random(axes), 0, 0
    while checked < 300:
        shape = (1, *(rng.randint(1, 9) for _ in range(axes)))
        pool = random_pool(rng, axes)
        try:
            starts, entries, _ = pool.windows(shape)
        except InvalidInput:
            continue
        checked += 1
        assert +window_sizes(pool, shape) == Counter(np.diff(starts).tolist()), (pool, shape)
        if always_disjoint(pool, shape):
            apart += 1
            assert len(set(entries.tolist())) == len(entries), (pool, shape)
    assert apart > 30
