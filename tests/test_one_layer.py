# SPDX-License-Identifier: MIT
"""The maximum of one convolutional layer against published formulas and independent counts."""

from __future__ import annotations

import time
from itertools import combinations, product
from math import comb, prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linear_regions._one_layer import one_layer_maximum
from linear_regions._one_layer.compiled import Control
from linear_regions._one_layer.draws import OutOfReach, choose_prime, draw_vector
from linear_regions._one_layer.exact import QUICK, true_count
from linear_regions._one_layer.matching import matching_sizes
from linear_regions._one_layer.multiset import shared_rows, sizes_from_table, tuple_table
from linear_regions._one_layer.parts import evaluate, hall_count
from linear_regions._one_layer.scan import scan, scan_sizes
from linear_regions._one_layer.windows import (
    Part,
    binomial_sum,
    log10_binomial_sum,
    one_layer,
)
from linear_regions.architecture import ConvSpec
from linear_regions.errors import InvalidInput, Unsupported
from linear_regions.layers import Conv

PRIME = 2**61 - 1


def maximum(shape, filters, kernel, **options):
    keys = ("stride", "padding", "dilation", "groups")
    geometry = {key: options.pop(key) for key in keys if key in options}
    return one_layer_maximum(shape, ConvSpec(filters, kernel, **geometry), rng=0, **options)


def formula(shape, filters, kernel, **options):
    return int(maximum(shape, filters, kernel, weights="free", **options))


def hall_by_subsets(part: Part, breakpoints: int = 1) -> int:
    """Theorem 2 word for word: Hall's condition for every set of positions."""
    windows = [{slot for slot, _ in entries} for entries in part.positions()]
    n = len(windows)
    subsets = [
        (chosen, len(set().union(*(windows[i] for i in chosen))) * part.channels)
        for size in range(1, n + 1)
        for chosen in combinations(range(n), size)
    ]
    total = 0
    for t in product(range(part.filters + 1), repeat=n):
        if all(sum(t[i] for i in chosen) <= room for chosen, room in subsets):
            total += prod(comb(part.filters, i) * breakpoints**i for i in t)
    return total


def independent_subsets(rows, prime):
    """Count independent subsets of rows one by one."""
    from linear_regions._one_layer.multiset import reduce_row

    def count(start, basis):
        total = 1
        for i in range(start, len(rows)):
            reduced = reduce_row(rows[i], basis, prime, len(rows[i]))
            if reduced[0] >= 0:
                total += count(i + 1, [*basis, reduced])
        return total

    return count(0, [])


# ---- Theorem 2 of Xiong et al. 2020, recomputed independently (table of n, k against d_1) ----

ONE_AXIS = {
    (3, 2): [4, 15, 40, 85, 156, 259],
    (4, 2): [8, 55, 217, 611, 1396, 2773],
    (5, 3): [8, 63, 370, 1463, 4376, 10813],
}


@pytest.mark.parametrize(("n", "kernel"), ONE_AXIS)
def test_one_axis_equals_theorem_2(n, kernel):
    for filters, value in enumerate(ONE_AXIS[n, kernel], start=1):
        count = maximum((1, n), filters, kernel)
        assert int(count) == value
        assert (count.method, count.arithmetic, count.error_probability) == ("scan", "certified", 0)
        assert count.related["published formula"].value == value


def test_three_inputs_two_wide_closed_form():
    # (1 + d)(1 + d**2) regions for every number of filters.
    for d in (1, 7, 64, 1000):
        assert int(maximum((1, 3), d, 2)) == (1 + d) * (1 + d * d)


def test_two_axes_formula_and_truth():
    # Formula of Theorem 2, and the true value: filters commute, which the formula does not see.
    formulas = [16, 256, 4013, 48957, 392096, 2202876]
    truths = [16, 255, 3998, 48903, 391966, 2202621]
    for filters, (published, truth) in enumerate(zip(formulas, truths, strict=True), start=1):
        count = maximum((1, 3, 3), filters, 2)
        assert int(count) == truth
        assert count.related["published formula"].value == published
        # Closed form of the gap, equal as polynomials in d.
        assert published - truth == filters * (filters - 1) * (4 * filters - 7) // 2
        assert int(maximum((1, 3, 3), filters, 2, weights="free")) == published


def test_more_filters_than_rank():
    # All d_1 follow from one table: true values for 7, 8, 9 filters.
    for filters, truth in [(7, 9_492_820), (8, 33_533_453), (9, 101_673_148)]:
        assert int(maximum((1, 3, 3), filters, 2)) == truth
    assert formula((1, 3, 3), 64, 2) % PRIME == 6_821_536_324_666_177


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (((1, 12), 3, 3, {}), 98_570_529),
        (((1, 16), 4, 3, {"padding": 1}), 141_806_050_784_225),
        (((1, 28), 6, 5, {}), 94_302_387_643_051_272_808_515_993_261),
        (((1, 8), 4, 3, {}), 817_969),
    ],
)
def test_scan_of_longer_axes(arguments, value):
    shape, filters, kernel, options = arguments
    assert int(maximum(shape, filters, kernel, **options)) == value


# ---- several breakpoints: weight k per chosen neuron ----


def test_breakpoints():
    assert [int(maximum((1, 3), 2, 2, breakpoints=k)) for k in (1, 2, 3, 4)] == [15, 65, 175, 369]
    assert int(maximum((1, 4), 3, 2, breakpoints=2)) == 2251
    assert int(maximum((1, 5), 2, 3, padding=1, breakpoints=2)) == 11_913
    count = maximum((1, 3, 3), 2, 2, breakpoints=2)
    assert (int(count), count.related["published formula"].value) == (6305, 6561)
    assert formula((1, 4, 4), 2, 2, breakpoints=2) == 384_536_905
    assert formula((1, 4, 4), 3, 2, breakpoints=2) == 1_605_606_273_979


# ---- where the formula over-counts shared filters: formula -> truth ----

OVER_COUNTED = [
    ((1, 4, 3), 2, 2, {}, 4096, 4061),
    ((1, 4, 4), 2, 2, {}, 262_121, 257_108),
    ((1, 5, 3), 2, (3, 2), {}, 4096, 4095),
    ((1, 5, 5), 2, 2, {"dilation": 2, "stride": 2}, 256, 255),
    ((1, 2, 2), 1, 2, {"padding": 1}, 224, 223),
    ((1, 2, 2), 2, 2, {"padding": 1}, 2766, 2764),
    ((1, 2, 2), 3, 2, {"padding": 1}, 12_992, 12_989),
    ((2, 2, 2), 1, 2, {"padding": 1}, 511, 502),
    ((1, 3, 2), 1, 2, {"padding": 1}, 2089, 2083),
    ((1, 3, 3), 1, (3, 2), {"padding": 1}, 4017, 4012),
    ((1, 3, 2), 1, (3, 2), {"padding": 1, "stride": (2, 1)}, 64, 63),
]
OVER_COUNTED_SLOW = [
    ((1, 4, 3), 3, 2, {}, 245_034, 243_651),
    ((1, 5, 5), 2, 3, {}, 262_144, 262_143),
]


def check_over_counted(shape, filters, kernel, options, published, truth):
    count = maximum(shape, filters, kernel, **options)
    assert (int(count), count.related["published formula"].value) == (truth, published)
    assert count.arithmetic == "modular"
    assert count.error_probability is not None
    assert 0 < count.error_probability < 2.0**-60


@pytest.mark.parametrize("case", OVER_COUNTED, ids=str)
def test_formula_over_counts(case):
    check_over_counted(*case)


@pytest.mark.slow
@pytest.mark.parametrize("case", OVER_COUNTED_SLOW, ids=str)
def test_formula_over_counts_larger(case):
    check_over_counted(*case)


def test_sizes_of_shared_independent_sets():
    # f-vectors of the 3x3 input with 2x2 filters, two and three filters.
    ((part, _),) = one_layer((1, 3, 3), ConvSpec(3, 2)).parts
    table, _ = tuple_table(part, 3, PRIME, np.random.default_rng(1), 10**6)
    assert sizes_from_table(table, 2) == [1, 8, 28, 56, 70, 56, 28, 8, 0, 0]
    assert sizes_from_table(table, 3) == [1, 12, 66, 220, 495, 792, 924, 792, 492, 204]


def test_one_draw_that_meets_the_formula_is_a_proof():
    # 4x4 input, 3x3 filters: the formula is exact for every number of filters.
    count = maximum((1, 4, 4), 2, 3)
    assert (int(count), count.error_probability, count.method) == (256, 0.0, "multiset")


# ---- where the formula is exact although filters are shared ----


def test_at_most_as_many_filters_as_channels_gives_all_patterns():
    count = maximum((2, 3, 3), 2, 2)
    assert (int(count), count.method) == (256, "all_patterns")
    # The same with "same" padding: the centre of the kernel always lies inside.
    assert int(maximum((2, 4, 5), 2, 3, padding=1)) == 2**40


@pytest.mark.parametrize(
    ("shape", "filters"), [((1, 2, 2), 1), ((1, 2, 2), 2), ((1, 2, 2), 4), ((1, 3, 2), 2)]
)
def test_small_images_with_same_padding_meet_the_formula(shape, filters):
    # Kernel 3, padding 1: one draw that reaches the formula proves equality.
    count = maximum(shape, filters, 3, padding=1)
    assert count.error_probability == 0.0
    assert int(count) == count.related["published formula"].value


def test_free_weights_meet_the_formula():
    assert int(maximum((1, 3, 3), 3, 2, weights="free")) == 4013
    assert int(maximum((1, 2, 2), 1, 2, weights="free", padding=1)) == 224


def test_windows_that_overlap_along_one_axis_are_scans():
    for shape, kernel, options in [
        ((1, 4, 6), (1, 3), {}),
        ((1, 2, 6), (2, 3), {}),
        ((1, 4, 7), (2, 3), {"stride": (2, 1)}),
        ((2, 3, 3, 5), (3, 3, 2), {}),
    ]:
        count = maximum(shape, 2, kernel, **options)
        assert count.method == "scan"
        assert count.error_probability == 0.0
    # Four independent rows of a one-axis layer.
    assert int(maximum((1, 4, 6), 2, (1, 3))) == int(maximum((1, 6), 2, 3)) ** 4


def test_groups_multiply():
    assert int(maximum((2, 5), 4, 3, groups=2)) == int(maximum((1, 5), 2, 3)) ** 2
    assert int(maximum((2, 3, 3), 4, 2, groups=2)) == 255**2


def test_disjoint_windows_multiply():
    # A 2x2 kernel with stride 2 on 4x4: four fully connected layers of 3 neurons, 4 inputs.
    assert int(maximum((1, 4, 4), 3, 2, stride=2)) == 8**4
    assert int(maximum((1, 4, 4), 6, 2, stride=2)) == 57**4


def test_windows_in_the_padding_are_no_hyperplanes():
    # Padding beyond the kernel: the outermost positions see nothing.
    assert int(maximum((1, 3), 2, 2, padding=2)) == int(maximum((1, 3), 2, 2, padding=1))


def test_dilation_splits_into_residue_classes():
    assert int(maximum((1, 6), 3, 2, dilation=2)) == int(maximum((1, 3), 3, 2)) ** 2


# ---- without biases ----


def test_no_bias():
    # T_M(2, 0) of the generic draw.
    assert [int(maximum((1, 3), d, 2, bias="none")) for d in (2, 3)] == [14, 28]
    assert int(maximum((1, 5), 3, 3, bias="none")) == 306
    # A fully connected layer without biases: 2 sum_{i<4} C(5, i) = 52 (6 neurons, 4 inputs).
    assert int(maximum((4, 1), 6, 1, bias="none")) == 52
    # A common breakpoint away from zero makes the hyperplanes miss the origin.
    assert int(maximum((1, 3), 2, 2, bias="none", breakpoint_at_zero=False)) == 15
    assert int(maximum((2, 3, 3), 2, 2, bias="none")) == 256


def test_no_bias_out_of_reach_is_an_upper_bound_with_its_reason():
    count = maximum((1, 28), 6, 5, bias="none")
    assert count.kind == "upper"
    assert count.value <= int(maximum((1, 28), 6, 5))
    assert "out of reach" in count.reference
    count = maximum((1, 3), 2, 2, bias="none", breakpoints=2)
    assert (count.kind, count.value) == ("upper", 65)
    assert "breakpoints" in count.reference


# ---- independent counts ----


@given(
    n=st.integers(1, 6),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    before=st.integers(0, 2),
    after=st.integers(0, 2),
    dilation=st.integers(1, 2),
    channels=st.integers(1, 2),
    filters=st.integers(1, 2),
)
def test_one_axis_scan_equals_hall_condition_by_subsets(
    n, kernel, stride, before, after, dilation, channels, filters
):
    spec = ConvSpec(filters, kernel, stride, ((before, after),), dilation)
    try:
        layer = one_layer((channels, n), spec)
    except InvalidInput:
        return
    for part, _ in layer.parts:
        windows, wide = part.scan_form
        if part.n_positions <= 5:
            for k in (1, 2):
                assert scan(windows, wide, filters, k) == hall_by_subsets(part, k)
        sizes = scan_sizes(windows, wide, filters)
        assert sum(sizes) == scan(windows, wide, filters)
        assert evaluate(sizes, 3) == scan(windows, wide, filters, 3)
        if part.n_positions <= 8:
            assert sizes == matching_sizes(part)[: len(sizes)]
        if part.n_neurons <= 10:
            # Shared filters along one axis: a generic draw has as many independent sets.
            rows = shared_rows(part, filters, PRIME, np.random.default_rng(3))
            flat = [row for block in rows for row in block]
            assert independent_subsets(flat, PRIME) == sum(sizes)


@given(
    height=st.integers(1, 4),
    width=st.integers(1, 4),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    padding=st.integers(0, 1),
    dilation=st.integers(1, 2),
    channels=st.integers(1, 2),
    filters=st.integers(1, 2),
)
def test_parts_cover_the_layer_and_truth_is_below_the_formula(
    height, width, kernel, stride, padding, dilation, channels, filters
):
    spec = ConvSpec(filters, kernel, stride, padding, dilation)
    try:
        layer = one_layer((channels, height, width), spec)
    except InvalidInput:
        return
    weight = np.random.default_rng(5).standard_normal((filters, channels, *kernel))
    shape = spec.output_shape((channels, height, width))
    # Neurons that see the image, by pushing a positive image through positive filters.
    image = np.pad(np.ones((height, width)), padding)
    seen = 0
    for i, j in np.ndindex(*shape[1:]):
        rows = slice(i * stride[0], i * stride[0] + dilation * (kernel[0] - 1) + 1, dilation)
        columns = slice(j * stride[1], j * stride[1] + dilation * (kernel[1] - 1) + 1, dilation)
        seen += bool(image[rows, columns].any())
    assert layer.n_neurons == seen * filters
    same = Conv(weight, None, stride, padding, dilation)
    assert one_layer((channels, height, width), same.spec) == layer
    for part, _ in layer.parts:
        if part.n_positions <= 4 and part.n_neurons <= 8:
            assert hall_count(part, 1, 20_000).value == hall_by_subsets(part)
        try:
            draws = np.random.default_rng(7)
            truth = true_count(part, 1, draws, "shared", Control(), QUICK).value
        except OutOfReach:
            continue
        assert truth <= hall_count(part, 1, 20_000).value
        if part.n_neurons <= 9:
            rows = shared_rows(part, filters, PRIME, np.random.default_rng(9))
            flat = [row for block in rows for row in block]
            assert independent_subsets(flat, PRIME) == truth


def test_dependent_hyperplanes_that_share_a_point_are_found(monkeypatch):
    # With all biases zero every dependent set is central: the draw proves nothing.
    from linear_regions._one_layer import exact, multiset

    def without(part, filters, prime, rng, bias):
        rows = shared_rows(part, filters, prime, rng, bias)
        return [[[*row[:-1], 0] for row in block] for block in rows]

    monkeypatch.setattr(multiset, "shared_rows", without)
    monkeypatch.setattr(exact, "shared_rows", without)
    ((part, _),) = one_layer((1, 3, 3), ConvSpec(2, 2)).parts
    with pytest.raises(multiset.CentralCircuit):
        tuple_table(part, 2, PRIME, np.random.default_rng(0), 10**5)
    with pytest.raises(Unsupported):
        maximum((1, 3, 3), 2, 2, method="exact")


def test_the_answer_does_not_depend_on_the_draws():
    for seed in range(5):
        assert int(one_layer_maximum((1, 3, 3), ConvSpec(3, 2), rng=seed)) == 3998
    forced = maximum((1, 5), 2, 3, method="multiset")
    assert int(forced) == 63


# ---- speed, limits and messages ----


def test_scan_of_a_thousand_inputs_takes_about_a_second():
    started = time.process_time()  # whatever else the machine does
    count = maximum((1, 1000), 64, 11)
    assert time.process_time() - started < 30
    assert count.log10 > 1000
    assert len(repr(count)) < 200


def test_out_of_reach_names_the_fully_connected_bound():
    with pytest.raises(Unsupported, match=r"1\.048e\+802.*bounds\(\.\.\.\)"):
        maximum((1, 28, 28), 6, 5, method="exact")
    # N = 802,816 neurons on 150,528 inputs: the sum is estimated, the message comes at once.
    started = time.process_time()
    with pytest.raises(Unsupported, match=r"10\^16"):
        maximum((3, 224, 224), 64, 7, stride=2, padding=3, method="exact")
    assert time.process_time() - started < 30


def test_fully_connected_sums():
    # Theorem 1 of Xiong et al.: (inputs, neurons) -> regions; k parallel hyperplanes per neuron.
    assert [binomial_sum(n, d) for d, n in [(3, 4), (4, 6), (6, 8)]] == [15, 57, 247]
    # 24 neurons on 8 inputs: a convolution with a 14th of the parameters has 817,969.
    assert binomial_sum(24, 8) == 1_271_626
    assert binomial_sum(3, 2, 2) == 19
    assert binomial_sum(4, 3, 3) == 175
    assert binomial_sum(3, 7, 2) == 27
    for n, d, k in [(10, 3, 1), (40, 20, 2), (5, 9, 1)]:
        expected = np.log10(float(binomial_sum(n, d, k)))
        assert log10_binomial_sum(n, d, k) == pytest.approx(expected)
    # First layer of LeNet-5: 3456 neurons, 784 inputs.
    assert log10_binomial_sum(3456, 784) == pytest.approx(802.02, abs=0.005)


def test_arguments_are_checked():
    spec = ConvSpec(2, 2)
    with pytest.raises(TypeError, match="ConvSpec"):
        one_layer_maximum((1, 3), "conv")
    for name, options in [
        ("weights", {"weights": "tied"}),
        ("bias", {"bias": "yes"}),
        ("method", {"method": "magic"}),
        ("breakpoints", {"breakpoints": 0}),
    ]:
        with pytest.raises(InvalidInput, match=name):
            one_layer_maximum((1, 3), spec, **options)
    with pytest.raises(InvalidInput):
        one_layer_maximum((3,), spec)
    for options in (
        {"method": "matching"},
        {"method": "multiset", "weights": "free"},
        {"method": "restriction"},
        {"method": "scan", "bias": "none"},
    ):
        with pytest.raises(Unsupported, match="method"):
            one_layer_maximum((1, 3, 3), spec, **options)
    with pytest.raises(Unsupported, match="scan"):
        one_layer_maximum((1, 3, 3), spec, method="scan")


def test_a_prime_is_large_enough():
    prime, error = choose_prime(10**6, 16, 9, 2)
    assert prime == 2**61 - 1
    assert error < 2.0**-60
    prime, error = choose_prime(10**15, 40, 25, 2)
    assert prime > 2**61
    assert error < 2.0**-60
    values = draw_vector(np.random.default_rng(0), 100, prime)
    assert all(0 <= value < prime for value in values)
    assert len(set(values)) == 100
