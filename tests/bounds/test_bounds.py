# SPDX-License-Identifier: MIT
"""`bounds`: the right theorems for the right networks, and never a wrong number."""

from __future__ import annotations

import time
from itertools import pairwise
from math import comb

import numpy as np
import pytest

from linear_regions._bounds import bounds
from linear_regions._bounds import one_layer as formulas
from linear_regions._bounds.activity import lower_binomials
from linear_regions._bounds.one_layer import formula_up_to
from linear_regions._bounds.tape import read_stages, slot_ranks
from linear_regions._one_layer import parts
from linear_regions._one_layer.windows import binomial_sum, one_layer
from linear_regions.architecture import AffineSpec, Architecture, ConvSpec, PointwiseSpec, ScaleSpec
from linear_regions.domain import Ball, Box, Polytope, Segment, Slice, Space
from linear_regions.errors import DegenerateInput, InvalidInput, Unsupported
from linear_regions.layers import (
    Add,
    Affine,
    AvgPool,
    Concat,
    Flatten,
    Maxout,
    MaxPool,
    Pointwise,
    absolute,
    hard_tanh,
    leaky_relu,
    relu,
)
from linear_regions.network import Network

cnn, mlp = Architecture.cnn, Architecture.mlp
RELU = PointwiseSpec(1, flat=1, at_zero=True)

THEOREM_2 = "Xiong 2020, Theorem 2"
LOWER_5, UPPER_5 = "Xiong 2020, Theorem 5 (lower)", "Xiong 2020, Theorem 5 (upper)"


# ---- Theorem 5 of Xiong et al. 2020: input, layers, lower, upper, Serra for the same units ----

DEEP = [
    ((1, 4), [(2, 2), (2, 3)], 320, 3135, 2424),
    ((1, 4), [(2, 2), (2, 2)], 120, 880, 817),
    ((1, 3), [(2, 2), (2, 2)], 16, 60, 56),
    ((1, 3), [(1, 2), (2, 2)], 120, 405, 630),
    ((2, 5), [(3, 4), (2, 4), (2, 4)], 16_384, 16_723_968, 13_847_332),
    # The published lower value, 131072, takes the formula 256 where the last layer has 255.
    ((1, 4, 4), [(2, 2), (2, 2)], 130_560, 67_102_976, 66_136_989),
]


@pytest.mark.parametrize("case", DEEP, ids=str)
def test_theorem_5(case):
    shape, layers, low, high, serra = case
    result = bounds(cnn(shape, [ConvSpec(filters, kernel) for kernel, filters in layers]))
    assert result[LOWER_5].value == low
    assert result[UPPER_5].value == high
    assert result["Serra 2018"].value == serra
    best = result["layer by layer"].value
    assert best <= min(high, serra)
    assert result.lower.value <= result.upper.value == best


def test_theorem_5_uses_the_true_last_layer():
    result = bounds(cnn((1, 4, 4), [ConvSpec(2, 2), ConvSpec(2, 2)]))
    assert result[LOWER_5].value == 2**9 * 255
    assert "generic draw" in result[LOWER_5].assumptions[1]


def test_theorem_5_takes_the_best_prefix():
    # The last layer has a single position and few filters: two layers are better than three.
    two = bounds(cnn((1, 6), [ConvSpec(4, 3), ConvSpec(4, 2)]))[LOWER_5]
    three = bounds(cnn((1, 6), [ConvSpec(4, 3), ConvSpec(4, 2), ConvSpec(1, 3)]))[LOWER_5]
    assert three.value >= two.value
    # Dense layers behind only cut more.
    behind = bounds(cnn((1, 6), [ConvSpec(4, 3), ConvSpec(4, 2)], dense=[5, 2]))
    assert behind[LOWER_5].value == two.value
    assert UPPER_5 not in behind


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ([ConvSpec(2, 2), ConvSpec(2, 2, padding=1)], "padding"),
        ([ConvSpec(2, 2, groups=2), ConvSpec(2, 2)], "groups"),
        ([ConvSpec(1, 2), ConvSpec(2, 2)], "d_l >= d_0"),
        ([ConvSpec(2, 2)], "two or more"),
    ],
)
def test_theorem_5_lower_says_why_not(layers, reason):
    result = bounds(cnn((2, 5), layers))
    assert LOWER_5 not in result
    (missing,) = [item for item in result.not_applicable if item.name == LOWER_5]
    assert reason in missing.reason


# ---- one layer ----


def test_one_convolution_along_one_axis_is_exact():
    result = bounds(cnn((1, 5), [ConvSpec(3, 3)]))
    assert (result[THEOREM_2].kind, result[THEOREM_2].value) == ("exact", 370)
    assert result[f"{THEOREM_2} (average)"].of == "average"
    assert result.lower.value == result.upper.value == 370
    assert bounds(cnn((1, 4), [ConvSpec(3, 2)], activation="hard_tanh"))[THEOREM_2].value == 2251


def test_one_convolution_in_the_plane_is_bracketed():
    result = bounds(cnn((1, 3, 3), [ConvSpec(3, 2)]))
    assert (result[THEOREM_2].kind, result[THEOREM_2].value) == ("upper", 4013)
    assert result["first layer, shared filters"].kind == "lower"
    assert (result.lower.value, result.upper.value) == (3998, 4013)


def test_one_dense_layer_is_exact():
    for dim, units, value in [(3, 4, 15), (4, 6, 57), (6, 8, 247)]:
        result = bounds(mlp([dim, units, 1]))
        assert result.lower.value == result.upper.value == value
        assert result["first layer, fully connected"].kind == "exact"
    assert bounds(mlp([2, 3, 1], "hard_tanh")).upper.value == 19
    maxout = bounds(Architecture(2, [AffineSpec(12), Maxout(3), AffineSpec(1)]))
    assert maxout.lower.value == maxout.upper.value == 33


def test_one_dimension_is_tight():
    # prod (n_l + 1) on a line.
    result = bounds(mlp([1, 3, 3, 1]))
    assert result.lower.value == result.upper.value == 16
    assert result["Telgarsky 2015"].value == 36


def test_residual_and_pooling_get_the_bounds_that_cover_them():
    tape = Architecture(
        (2, 4, 4),
        [
            ConvSpec(2, 3, padding=1),
            RELU,
            ConvSpec(2, 3, padding=1),
            Add(0),
            RELU,
            MaxPool(2),
            Flatten(),
            AffineSpec(3),
        ],
    )
    result = bounds(tape)
    assert {bound.name for bound in result} == {
        "not empty",
        "trivial",
        "Goujon 2024",
        "layer by layer",
        "first layer, shared filters",
    }
    assert result["trivial"].value == 2**64 * 4**8
    reasons = {item.name: item.reason for item in result.not_applicable}
    assert "residual" in reasons["Serra 2018"]
    assert "pooling" in reasons["Montufar 2017"]


def test_serra_needs_flat_units():
    assert "Serra 2018" in bounds(mlp([3, 4, 4, 1]))
    leaky = bounds(mlp([3, 4, 4, 4, 1], "leaky_relu"))
    assert "Serra 2018" not in leaky
    # Without flat sides the rank stays: 15 pieces per layer, as in Montufar 2017.
    assert leaky.upper.value == leaky["layer by layer"].value == 3375
    flat = bounds(mlp([3, 4, 4, 4, 1]))
    assert flat["Serra 2018"].value == 1631
    assert flat["layer by layer"].value == flat["Hinz 2021"].value == 1559


def test_lower_bounds_need_their_preconditions():
    result = bounds(mlp([4, 2, 6, 1]))
    assert "Serra 2018 (lower)" not in result
    # Narrow layers: only the first one counts.
    assert result["Montufar 2014"].value == result["Pascanu 2013"].value == 4
    assert bounds(mlp([2, 4, 4, 1]))["Montufar 2014"].value == 44
    assert "Serra 2018 (lower)" not in bounds(mlp([2, 4, 4, 1]))
    assert bounds(mlp([2, 6, 6, 1]))["Serra 2018 (lower)"].value == 352
    assert bounds(mlp([2, 6, 3, 1]))["Arora 2018"].value == 18
    # Folding takes the two coordinates that the narrow layer has room for: 1 + 6 + 15.
    assert result.lower.name == "folding"
    assert result.lower.value == 22


# ---- the subject ----


def net_of(widths, seed=0):
    rng = np.random.default_rng(seed)
    layers = []
    for a, b in pairwise(widths):
        layers += [Affine(rng.normal(size=(b, a)), rng.normal(size=b)), relu()]
    return Network(widths[0], layers[:-1])


def test_a_network_is_bounded_from_below_by_one_only():
    result = bounds(net_of([2, 6, 6, 1]))
    assert result.subject == "network"
    assert (result.lower.of, result.lower.value) == ("network", 1)
    assert result.lower_of_maximum.value == 352
    assert result.upper.value == 484
    assert bounds(mlp([2, 6, 6, 1])).lower.value == 352


def test_units_without_breakpoints_forbid_lower_bounds():
    # Channel 1 is constant: its breakpoint is none.
    flat = Pointwise([[0.0], [0.0]], [[0.0, 1.0], [0.0, 0.0]])
    net = Network(2, [Affine(np.eye(2)), flat])
    result = bounds(net)
    assert result.lower_of_maximum.value == 1
    assert any("fewer breakpoints" in item.reason for item in result.not_applicable)


def test_without_activation_or_for_a_point_there_is_one_region():
    for result in (
        bounds(Architecture(2, [AffineSpec(3)])),
        bounds(Network(2, [Affine(np.eye(2))])),
        bounds(mlp([2, 5, 1]), Box([1.0, 2.0], [1.0, 2.0])),
    ):
        assert result.lower.value == result.upper.value == 1


def test_arguments_are_checked():
    with pytest.raises(TypeError, match="Architecture or a Network"):
        bounds([2, 3, 1])
    with pytest.raises(TypeError, match="domain"):
        bounds(mlp([2, 3, 1]), [0, 1])
    with pytest.raises(InvalidInput):
        bounds(mlp([2, 3, 1]), Box([0.0] * 3, [1.0] * 3))
    with pytest.raises(DegenerateInput):
        bounds(mlp([2, 3, 1]), Polytope([[1.0, 0.0], [-1.0, 0.0]], [0.0, -1.0]))


# ---- the domain ----


def test_the_dimension_of_the_domain_counts():
    arch = mlp([5, 8, 8, 1])
    line = bounds(arch, Segment(np.zeros(5), np.ones(5)))
    assert (line.dim, line.upper.value, line.lower.value) == (1, 81, 81)
    plane = bounds(arch, Slice(np.zeros(5), np.eye(5)[:2]))
    assert plane.dim == 2
    same = bounds(mlp([2, 8, 8, 1]))
    assert (plane.upper.value, plane.lower.value) == (same.upper.value, same.lower.value)
    fixed = Box([0.0, 0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0, 1.0])
    assert bounds(arch, fixed).dim == 3
    assert bounds(arch, Ball(np.zeros(5), 1.0)).upper == bounds(arch).upper
    assert bounds(arch, Space()).dim == 5


def test_a_convolution_cannot_be_shifted_into_every_domain():
    name = "first layer, shared filters"
    plain, padded = cnn((1, 5), [ConvSpec(2, 3)]), cnn((1, 5), [ConvSpec(2, 3, padding=1)])
    assert bounds(plain, Box(1.0, 2.0))[name].value == 63
    assert bounds(plain, Box(1.0, 2.0))[THEOREM_2].kind == "exact"
    assert name not in bounds(padded, Box(1.0, 2.0))
    assert bounds(padded, Box(1.0, 2.0))[THEOREM_2].kind == "upper"
    assert name in bounds(padded, Box(-1.0, 2.0))
    low = np.arange(5.0)
    assert name not in bounds(plain, Box(low, low + 0.5))
    assert name not in bounds(plain, Slice(np.zeros(5), np.eye(5)[:2]))
    assert f"{THEOREM_2} (average)" not in bounds(plain, Box(1.0, 2.0))
    # On a plane the formula is cut at two neurons: 1 + 6 + C(6, 2) sets.
    assert bounds(plain, Slice(np.zeros(5), np.eye(5)[:2])).upper.value == 22


@pytest.mark.parametrize("activation", ["relu", "absolute"])
def test_nothing_is_cut_behind_a_layer_without_units(activation):
    layers = [AffineSpec(0), relu(), AffineSpec(3), mlp([1, 1, 1], activation).layers[1]]
    found = bounds(Architecture(2, layers))
    assert (found.lower.value, found.upper.value) == (1, 1)
    assert "folding" not in found


def test_formula_cut_at_a_rank_counts_small_sets():
    spec = ConvSpec(3, 2)
    ((part, _),) = one_layer((1, 3, 3), spec).parts
    assert part.n_neurons == 12
    # Formula sizes of the 3x3 input, 2x2 filters: all sets up to size 4, then Hall's condition.
    assert [formula_up_to((1, 3, 3), spec, 1, rank) for rank in range(5)] == [1, 13, 79, 299, 794]
    assert formula_up_to((1, 3, 3), spec, 1, 9) == 4013
    two = ConvSpec(2, (1, 2))
    # Two independent rows of a one-axis layer: sizes 1, 4, 6, 4 each.
    assert [formula_up_to((1, 2, 3), two, 1, rank) for rank in (1, 2, 6)] == [9, 37, 225]
    assert formula_up_to((1, 2, 3), two, 2, 2) == 1 + 2 * 8 + 4 * 28


def test_all_ranks_of_a_chain_share_one_count_of_sets(monkeypatch):
    asked = []

    def hall_sizes(part, *rest):
        asked.append(rest[1])
        return parts.hall_sizes(part, *rest)

    monkeypatch.setattr(formulas, "hall_sizes", hall_sizes)
    spec = ConvSpec(5, (2, 1))
    values = [formula_up_to((1, 9, 2), spec, 1, rank) for rank in range(17, -1, -1)]
    # Five neurons per window: all sets of one, and all of two (each window sees two inputs).
    assert values[-3:] == [1 + 80 + 80 * 79 // 2, 81, 1]
    assert values == sorted(values, reverse=True)
    assert asked == [17]


def test_ranks():
    tape = Architecture(
        8,
        [
            AffineSpec(3),  # slot 1
            RELU,
            AffineSpec(8),  # slot 3
            RELU,
            AffineSpec(8),  # slot 5
            Add(4),  # slot 6: all paths pass slot 1
            Concat(0),  # slot 7: the input comes back
            RELU,
        ],
    )
    assert slot_ranks(tape, 8) == [8, 3, 3, 3, 3, 3, 3, 8, 8]
    assert [stage.rank for stage in read_stages(tape, 8)] == [3, 3, 8]
    assert [stage.rank for stage in read_stages(tape, 2)] == [2, 2, 2]


# ---- what everyday architectures get, and how fast ----


def test_lenet_and_larger():
    lenet = cnn(
        (1, 28, 28), [ConvSpec(6, 5), MaxPool(2), ConvSpec(16, 5), MaxPool(2)], dense=[120, 84, 10]
    )
    started = time.perf_counter()
    result = bounds(lenet)
    assert time.perf_counter() - started < 10
    assert 600 < result.lower.log10 < 772.8
    assert result.upper.log10 < result["trivial"].log10
    # On a slice the numbers are small enough to be useful.
    plane = bounds(lenet, Slice(np.zeros(784), np.eye(784)[:2], domain=Box(0.0, 1.0)))
    assert plane.upper.log10 < 40


def test_batch_norm_average_pooling_and_three_axes():
    arch = Architecture(
        (1, 4, 4, 4), [ConvSpec(2, 2), ScaleSpec(), RELU, AvgPool(3), Flatten(), AffineSpec(2)]
    )
    result = bounds(arch)
    assert result.upper.value == 2**54
    assert 1 < result.lower.value <= result.upper.value


def test_activations_are_read_off_networks():
    for layer, k in [(leaky_relu(), 1), (absolute(), 1), (hard_tanh(), 2)]:
        net = Network(2, [Affine(np.ones((3, 2))), layer])
        assert bounds(net).upper.value == 1 + 3 * k + 3 * k * k


def test_everything_is_an_integer_with_a_source():
    for arch in (mlp([2, 6, 6, 1]), cnn((1, 5), [ConvSpec(3, 3)]), mlp([1, 4, 1], "hard_tanh")):
        for bound in bounds(arch):
            assert type(bound.value) is int
            assert bound.reference
        for missing in bounds(arch).not_applicable:
            assert missing.reason


# ---- numbers too long to be computed ----


def test_bounds_that_are_short_are_given_for_any_number_of_units():
    found = bounds(mlp([2, 4 * 10**12, 1]))
    assert found.upper is not None
    assert found.upper.value == found.lower.value == 1 + 4 * 10**12 + comb(4 * 10**12, 2)
    assert "4e+12 bits" in {b.name: b.reason for b in found.not_applicable}["trivial"]
    one = bounds(Architecture((3,), [AffineSpec(3 * 10**12), Maxout(3)]))
    assert one.upper is not None
    assert one.upper.value == one.lower.value


@pytest.mark.parametrize(
    "architecture",
    [
        mlp([10**9, 10**9, 1]),
        mlp([10**8, 10**8, 10**8, 10**8, 1]),
        cnn((1, 10**12), [ConvSpec(4, 3)]),
    ],
)
def test_bounds_that_nobody_can_store_are_refused_at_once(architecture):
    with pytest.raises(Unsupported, match="bits"):
        bounds(architecture)


def test_a_million_units_behind_as_many_inputs_take_no_tables():
    """Those of sums of binomials took a gigabyte for 100,000 units, and grow with the square."""
    found = bounds(mlp([10**6, 10**6, 1]))
    assert found.upper is not None
    assert found.upper.value == found.lower.value == 2**10**6


def test_long_sums_of_inactive_units_are_rounded_up_a_little():
    for top in (0, 1, 70, 20_000, 34_990, 70_000):
        exact, above = binomial_sum(70_000, top), lower_binomials(70_000, top)
        assert (above // exact) <= 2  # near the largest term, about twice too large
        assert above >= exact


def test_lower_bounds_that_would_take_hours_say_so():
    found = bounds(mlp([10**6, 4 * 10**12, 1]))
    assert found.upper is not None
    reasons = {bound.name: bound.reason for bound in found.not_applicable}
    assert "bits" in reasons["Montufar 2014"]
    assert "bits" in reasons["first dense layer"]


def test_a_million_positions_in_a_row_are_answered_without_looking_at_each():
    """They took half of a minute; a row of 30,000 positions still counts window by window."""
    found = bounds(cnn((1, 10**6), [ConvSpec(2, 3)]))
    reasons = {bound.name: bound.reason for bound in found.not_applicable}
    assert "999,998 windows along an axis" in reasons["theorem 2"]
    assert found.upper.value < 4 ** (10**6)
    few = bounds(cnn((1, 2_000), [ConvSpec(2, 3)]))
    assert few.upper.value == few.lower.value


def test_pools_of_a_hundred_million_windows_are_answered_by_their_sizes():
    """Tables of all their windows took gigabytes."""
    assert bounds(Architecture((1, 10**4, 10**4), [MaxPool(1)])).upper.value == 1
    disjoint = bounds(Architecture((1, 2 * 10**6), [MaxPool(2, padding=1)]))
    assert disjoint.upper.value == 2 ** (10**6 - 1)  # the windows at both ends have one entry
    overlapping = bounds(Architecture((1, 10**6), [MaxPool(2, 1)]))
    reasons = {bound.name: bound.reason for bound in overlapping.not_applicable}
    assert "overlap" in reasons["pooling winners"]
    assert overlapping.upper.value == 2 ** (10**6 - 1)
