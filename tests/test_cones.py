# SPDX-License-Identifier: MIT
"""The cone engine against Zaslavsky's numbers, the polygons, linear programs and known networks."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from itertools import pairwise, product
from math import comb
from pathlib import Path

import numpy as np
import pytest

import helpers
import linear_regions as lr
import strategies
from linear_programs import patterns_by_programs
from linear_regions import _core, reference
from linear_regions._frame import domain_frame
from linear_regions._lower import frame_of, program

DATA = os.environ.get("LINEAR_REGIONS_DATA")
Rng = np.random.Generator


def he_normal(widths: list[int], seed: int) -> lr.Network:
    """Return a random MLP; ReLU after every layer but the last."""
    rng = np.random.default_rng(seed)
    layers: list[object] = []
    for n, m in pairwise(widths):
        layers += [lr.Affine(rng.normal(size=(m, n)) * np.sqrt(2 / n), rng.normal(size=m))]
        layers += [lr.relu()]
    return lr.Network(widths[0], layers[:-1])


def whole(widths: list[int], seed: int) -> lr.Network:
    """Return an MLP of small integers with what makes cuts coincide."""
    rng = np.random.default_rng(seed)
    layers: list[object] = []
    biased = seed % 3 > 0
    for n, m in pairwise(widths):
        weight = rng.integers(-2, 3, size=(m, n)).astype(float)
        bias = rng.integers(-1, 2, size=m).astype(float) * biased
        if m > 2:  # a copy, and a unit along the same hyperplane the other way round
            weight[1], bias[1] = weight[0], bias[0]
            weight[2], bias[2] = -2 * weight[0], -2 * bias[0]
        layers += [lr.Affine(weight, bias), lr.relu()]
    return lr.Network(widths[0], layers)


def listed(net: lr.Network, domain: lr.Domain, threads: int = 1) -> dict:
    frame = frame_of(domain_frame(domain, net.input_shape))
    answer = _core.list_cones(program(net), frame, True, threads, None, None, None)
    assert answer["status"] == "complete"
    columns = answer["columns"]()
    assert answer["regions"] == len(columns["patterns"])
    return columns


def count(net: lr.Network, domain: lr.Domain | None = None, **options: object) -> int:
    return int(lr.count(net, domain, method="cones", threads=1, **options))


def patterns(net: lr.Network, columns: dict) -> set[tuple[int, ...]]:
    found = helpers.unpack(columns["patterns"], net.pattern_bits)
    assert len(set(found)) == len(found), "a pattern was listed twice"
    return set(found)


# --- known numbers -------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "d"), [(9, 3), (70, 3), (9, 4), (12, 5), (8, 6), (5, 7), (3, 9)])
def test_hyperplanes_in_general_position_give_zaslavskys_number(n: int, d: int) -> None:
    net = he_normal([d, n, 1], 5)
    expected = sum(comb(n, k) for k in range(d + 1))
    assert count(net) == expected
    if expected < 5000:
        assert len(listed(net, lr.Space())["patterns"]) == expected


def test_central_hyperplanes_give_twice_the_number_of_one_dimension_less() -> None:
    rng = np.random.default_rng(0)
    net = lr.Network(4, [lr.Affine(rng.normal(size=(9, 4))), lr.relu()])
    assert count(net) == 2 * sum(comb(8, k) for k in range(4))
    assert count(net, lr.Box(-1, 1)) == 2 * sum(comb(8, k) for k in range(4))


def test_braid_and_boolean_arrangements() -> None:
    rows = [[(k == i) - (k == j) for k in range(5)] for i in range(5) for j in range(i)]
    assert count(lr.Network(5, [lr.Affine(np.array(rows, dtype=float)), lr.relu()])) == 120
    assert count(lr.Network(6, [lr.Affine(np.eye(6)), lr.relu()])) == 64


def test_a_network_that_sees_few_directions_is_counted_in_those() -> None:
    rng = np.random.default_rng(1)
    few, wide = rng.normal(size=(6, 2)), rng.normal(size=(2, 12))
    inner = [lr.relu(), lr.Affine(rng.normal(size=(4, 6)), rng.normal(size=4)), lr.relu()]
    bias = rng.normal(size=6)
    small = lr.Network(2, [lr.Affine(few, bias), *inner])
    large = lr.Network(12, [lr.Affine(wide), lr.Affine(few, bias), *inner])
    assert count(large) == int(lr.count(small))


# --- other engines -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "style", "dimension"), list(product(strategies.FAMILIES, strategies.STYLES, (1, 2)))
)
def test_cones_and_polygons_find_the_same_regions(family: str, style: str, dimension: int) -> None:
    for seed in range(3):
        net = strategies.network(family, style, seed)
        domain = strategies.domain(net, dimension, style, seed)
        place = lr.Space() if domain is None else domain
        polygons = lr.regions(net, domain, method="polygons", threads=1)
        expected = set(helpers.unpack(polygons.patterns, net.pattern_bits))
        assert patterns(net, listed(net, place)) == expected
        assert count(net, place) == len(expected)


@pytest.mark.parametrize(
    ("widths", "half"),
    [([3, 4, 3, 1], 1.0), ([3, 4, 3, 1], None), ([4, 4, 3, 1], 1.0), ([5, 3, 3, 1], None)],
)
def test_cones_and_linear_programs_find_the_same_regions(
    widths: list[int], half: float | None
) -> None:
    net = he_normal(widths, 3)
    domain = lr.Space() if half is None else lr.Box(-half, half)
    expected = patterns_by_programs(net, half)
    assert patterns(net, listed(net, domain)) == expected
    assert count(net, domain) == len(expected)


@pytest.mark.parametrize("widths", [[3, 6, 5], [3, 4, 4, 3], [4, 5, 4], [5, 5, 3]])
def test_sections_and_splitting_agree_on_degenerate_networks(widths: list[int]) -> None:
    for seed in range(8):
        net = whole(widths, seed)
        for domain in (lr.Space(), lr.Box(-1, 1), lr.Box(0, 2)):
            columns = listed(net, domain)
            found = patterns(net, columns)
            assert count(net, domain) == len(found)
            check_points(net, columns, 12)


@pytest.mark.parametrize("d", [3, 4])
@pytest.mark.parametrize("apart", [0.0, 1e-13, 1e-6])
def test_units_that_nearly_meet_in_one_place_are_counted_as_they_are_listed(
    d: int, apart: float
) -> None:
    for seed in range(2):
        rng = np.random.default_rng(seed)
        layers: list[object] = []
        for n, m in pairwise([d, 4, 5]):
            weight, bias = rng.normal(size=(m, n)), rng.normal(size=m)
            for k in range(3, m):  # three hyperplanes through one place, up to `apart`
                i, j = rng.choice(k, 2, replace=False)
                weight[k], bias[k] = weight[i] - weight[j], bias[i] - bias[j] + apart
            layers += [lr.Affine(weight, bias), lr.relu()]
        net = lr.Network(d, layers)
        for domain in (lr.Box(-1.0, 1.0), lr.Space()):
            found = count(net, domain)
            assert found == len(listed(net, domain)["patterns"])
            assert found == int(lr.count(net, domain, method="tree"))


def check_points(net: lr.Network, columns: dict, most: int) -> None:
    """Every interior point evaluates to its pattern in rational arithmetic."""
    exact = {n: [text_fraction(t) for t in point] for n, point in columns["exact_points"]}
    step = max(1, len(columns["patterns"]) // most)
    for i, bits in enumerate(helpers.unpack(columns["patterns"], net.pattern_bits)):
        if i % step:
            continue
        point = columns["points"][i]
        t = exact[i] if i in exact else [Fraction(v) for v in point.tolist()]
        assert reference.pattern(net, t) == bits


def text_fraction(text: str) -> Fraction:
    numerator, denominator = (int(part, 16) for part in text.split("/"))
    return Fraction(numerator, denominator)


@pytest.mark.parametrize(
    ("widths", "box"),
    [
        ([3, 16, 16, 1], True),
        ([3, 10, 10, 1], False),
        ([4, 10, 8, 1], True),
        ([5, 8, 6, 1], False),
        ([6, 7, 5, 1], True),
        ([8, 7, 5, 1], False),
    ],
)
def test_cones_and_the_tree_count_the_same(widths: list[int], box: bool) -> None:
    for seed in range(2):
        net = he_normal(widths, seed)
        domain = lr.Box(-1.0, 1.0) if box else lr.Space()
        assert count(net, domain) == int(lr.count(net, domain, method="tree", threads=1))


@pytest.mark.parametrize("pool", ["none", "max", "average", "residual", "pieces"])
@pytest.mark.parametrize("d", [3, 4])
def test_convolutional_networks_in_slices(pool: str, d: int) -> None:
    rng = np.random.default_rng(d)
    first = lr.Conv(rng.normal(size=(2, 1, 3, 3)), rng.normal(size=2), padding=1)
    second = lr.Conv(rng.normal(size=(2, 1, 2, 2)), rng.normal(size=2), stride=2, groups=2)
    middle: dict[str, list[object]] = {
        "none": [lr.relu(), second],
        "max": [lr.relu(), lr.MaxPool(2), lr.Flatten()],
        "average": [lr.relu(), lr.AvgPool(2), lr.Flatten()],
        "residual": [lr.relu(), lr.Add(1), lr.AvgPool(2)],
        "pieces": [lr.hard_tanh(), lr.AvgPool(2), lr.Flatten()],
    }
    net = lr.Network((1, 4, 4), [first, *middle[pool], lr.relu()])
    origin, directions = rng.normal(size=16), rng.normal(size=(d, 16))
    domain = lr.Slice(origin, directions, domain=lr.Box(-0.25, 0.25))
    expected = int(lr.count(net, domain, method="tree", threads=1))
    assert count(net, domain) == expected
    assert len(patterns(net, listed(net, domain))) == expected


def test_boxes_of_general_networks_need_no_exact_arithmetic() -> None:
    for widths in ([3, 9, 7, 1], [5, 8, 5, 1]):
        found = lr.count(he_normal(widths, 3), lr.Box(-1.0, 1.0), method="cones", threads=1)
        assert found.work["exact_signs"] == 0


def dying(seed: int, d: int) -> lr.Network:
    """Return a network with two operations between activations, behind layers that die."""
    rng = np.random.default_rng(seed)
    layers: list[object] = []
    for i, n_in in enumerate((d, 3, 3)):
        bias = rng.normal(0.2 if i else -0.5, 0.6, 3)
        layers.append(lr.Affine(rng.normal(size=(3, n_in)), bias))
        if i:
            layers.append(lr.Affine(rng.normal(size=(3, 3)), rng.normal(size=3)))
        layers.append(lr.relu())
    layers += [lr.Affine(rng.normal(size=(3, 3)), rng.normal(size=3)), lr.relu()]
    return lr.Network(d, layers)


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("box", [True, False])
def test_where_a_layer_is_off_the_constants_go_on(d: int, box: bool) -> None:
    """Units that are positive constants behind a layer that is off are on, not off."""
    domain = lr.Box(np.full(d, -2.0), np.full(d, 2.0)) if box else lr.Space(d)
    for seed in range(25):
        net = dying(seed, d)
        expected = int(lr.count(net, domain, method="tree"))
        assert count(net, domain) == expected
        if seed < 6:
            found = reference.regions(net, domain, geometry="programs")
            assert {region.pattern for region in found} == patterns(net, listed(net, domain))


def test_units_that_vanish_on_whole_cells_are_looked_at_once() -> None:
    # Means of saturated units cancel exactly on whole cells, each of which has 8 corners and more.
    weight = np.array([[1.0, 0.5, -0.25], [-0.5, 1.0, 0.75], [0.25, -1.0, 1.0], [1.0, 1.0, 0.5]])
    mean = np.array([[0.25, 0.25, 0.25, 0.25], [0.5, -0.5, 0.5, -0.5], [0.1, 0.3, -0.1, -0.3]])
    layers = [lr.Affine(4 * weight, [0.1, 0.2, -0.3, 0.4]), lr.hard_tanh()]
    net = lr.Network(3, [*layers, lr.Affine(mean, np.zeros(3)), lr.relu()])
    box = lr.Box(-1.0, 1.0)
    found = lr.count(net, box, method="cones", threads=1)
    assert found.value == int(lr.count(net, box, method="tree", threads=1))
    assert found.work["exact_signs"] < 3 * found.work["layer_cells"]


# --- what is listed ------------------------------------------------------------------------------


def test_points_lie_inside_and_vertices_on_their_facets() -> None:
    net = he_normal([3, 8, 6, 1], 2)
    for domain in (lr.Box(-1, 1), lr.Space()):
        columns = listed(net, domain)
        check_points(net, columns, 40)
        vertex = facet = corner = 0
        for i in range(len(columns["patterns"])):
            rays = columns["vertices"][vertex : vertex + columns["vertex_counts"][i]]
            vertex += len(rays)
            assert columns["bounded"][i] == (rays[:, -1] == 1).all()
            for _ in range(columns["facet_counts"][i]):
                row = columns["rows"][facet]
                inside = columns["corner_counts"][facet]
                on = columns["corners"][corner : corner + inside]
                values = rays @ row
                scale = np.abs(rays) @ np.abs(row)
                assert (np.abs(values[on]) <= 1e-7 * scale[on]).all()
                assert (values >= -1e-7 * scale).all()
                assert row[:-1] @ columns["points"][i] + row[-1] > 0
                corner += inside
                facet += 1


def test_cells_with_more_rays_than_a_set_holds_are_split_one_by_one() -> None:
    rng = np.random.default_rng(30)
    layer = [lr.Affine(rng.normal(size=(30, 5)), rng.normal(size=30)), lr.relu()]
    constant = [lr.Affine(np.zeros((1, 30)), [1.0]), lr.relu()]
    box = lr.Box(-4.0, 4.0)
    by_sections = lr.count(lr.Network(5, layer), box, method="cones").value
    by_splitting = lr.count(lr.Network(5, layer + constant), box, method="cones").value
    assert by_sections == by_splitting > 100_000


def test_many_facets_need_wider_masks() -> None:
    directions = np.random.default_rng(4).normal(size=(90, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    ball = lr.Polytope(directions, np.ones(90))
    net = he_normal([3, 6, 5, 1], 0)
    columns = listed(net, ball)
    assert columns["facet_counts"].max() > 20
    assert count(net, ball) == len(patterns(net, columns))


def test_threads_change_neither_regions_nor_their_order() -> None:
    net = he_normal([4, 9, 8, 1], 1)
    one = listed(net, lr.Space())
    for threads in (2, 7):
        other = listed(net, lr.Space(), threads)
        for name in ("patterns", "vertices", "points", "labels"):
            np.testing.assert_array_equal(other[name], one[name])
        assert int(lr.count(net, method="cones", threads=threads)) == len(one["patterns"])


def test_a_limit_and_a_time_limit_stop_the_search() -> None:
    net = he_normal([5, 40, 30, 1], 1)
    assert lr.count(net, lr.Box(-1, 1), limit=10_000, threads=1).status == "limit"
    result = lr.count(net, time_limit=0.1, threads=1)
    assert (result.status, result.kind) == ("time_limit", "lower")


def test_numbers_of_every_size_are_counted_exactly() -> None:
    net = he_normal([3, 5, 4, 1], 6)
    scaled = [
        lr.Affine(layer.weight * 2.0**-400, layer.bias * 2.0**-400)
        if i == 0 and isinstance(layer, lr.Affine)
        else layer
        for i, layer in enumerate(net.layers)
    ]
    # Scaling the first layer scales what it passes on: take the bias of the second one along.
    second = scaled[2]
    scaled[2] = lr.Affine(second.weight, second.bias * 2.0**-400)
    assert count(lr.Network(3, scaled)) == count(net)


# --- real networks -------------------------------------------------------------------------------


@pytest.mark.skipif(DATA is None, reason="LINEAR_REGIONS_DATA is not set")
def test_real_networks_have_the_known_numbers_of_regions() -> None:
    pytest.importorskip("onnx")
    folder = Path(str(DATA))
    checked = 0
    for case in json.loads((folder / "truth.json").read_text())["cases"]:
        domain = case["domain"]
        if domain["kind"] != "box" or not 3 <= domain["free_inputs"] <= 8:
            continue
        if case["regions"] > 100_000:
            continue
        net = lr.load(folder / case["network"])
        (box,) = lr.read_vnnlib(folder / domain["file"])
        assert count(net, box) == case["regions"], case["case"]
        checked += 1
    assert checked > 5


# --- cells with more cutting units than one word -------------------------------------------------


def side_by_side(one: lr.Network, other: lr.Network) -> lr.Network:
    """Return both networks over separate inputs: their numbers of regions multiply."""
    layers: list[object] = []
    for x, y in zip(one.layers, other.layers, strict=True):
        if not isinstance(x, lr.Affine) or not isinstance(y, lr.Affine):
            layers.append(lr.relu())
            continue
        (a, b), (c, d) = x.weight.shape, y.weight.shape
        weight = np.zeros((a + c, b + d))
        weight[:a, :b], weight[a:, b:] = x.weight, y.weight
        layers.append(lr.Affine(weight, np.hstack([x.bias, y.bias])))
    return lr.Network(one.input_size + other.input_size, layers)


@pytest.mark.parametrize(
    ("one", "other"),
    [([2, 3, 100, 1],) * 2, ([2, 3, 120, 1],) * 2, ([1, 2, 200, 1], [2, 2, 200, 1])],
    ids=str,
)
def test_wide_last_layers_over_separate_inputs_multiply(one: list[int], other: list[int]) -> None:
    # More than 64 units cut a cell: it is split, and a child with fewer is counted by sections.
    box = lr.Box(-1.0, 1.0)
    for seed in range(3):
        nets = he_normal(one, seed), he_normal(other, seed + 10)
        expected = int(lr.count(nets[0], box)) * int(lr.count(nets[1], box))
        assert count(side_by_side(*nets), box) == expected


@pytest.mark.parametrize(("widths", "half"), [([3, 110, 1], 1.0), ([3, 6, 160, 1], 1.0)])
def test_wide_last_layers_are_counted_as_they_are_listed(widths: list[int], half: float) -> None:
    for seed in range(3):
        net, box = he_normal(widths, seed), lr.Box(-half, half)
        number = count(net, box)
        assert number == int(lr.count(net, box, method="tree"))
        if number < 20_000:
            assert number == len(listed(net, box)["patterns"])


# --- deep networks: errors of rows along the path -------------------------------------------------


@pytest.mark.parametrize("widths", [[3, 7, 7, 7, 7, 7, 1], [2, *[6] * 9, 1], [4, 7, 7, 7, 7, 1]])
def test_deep_networks_are_counted_as_the_tree_counts_them(widths: list[int]) -> None:
    for seed in range(3):
        net = he_normal(widths, seed)
        for domain in (lr.Box(-1.0, 1.0), lr.Space()):
            found = lr.count(net, domain, method="cones", threads=1)
            assert found.value == int(lr.count(net, domain, method="tree", threads=1))
            assert found.value == len(patterns(net, listed(net, domain)))


def test_deep_networks_need_hardly_any_exact_arithmetic() -> None:
    # Bounds by norms alone leave a thousand signs open here.
    net = he_normal([3, *[24] * 9, 1], 0)
    found = lr.count(net, lr.Box(-1.0, 1.0), method="cones", threads=1)
    assert found.work["exact_signs"] <= 10
    assert found.value == int(lr.count(net, lr.Box(-1.0, 1.0), method="tree", threads=1))


def test_threads_that_take_over_many_parts_count_the_same() -> None:
    for widths in ([4, 20, 20, 12, 1], [6, 9, 8, 1]):
        net = he_normal(widths, 2)
        domain = lr.Box(-1.0, 1.0) if len(widths) > 4 else lr.Space()
        one = count(net, domain)
        for threads in (2, 3, 5):
            assert lr.count(net, domain, method="cones", threads=threads).value == one


def deep_in_a_small_box(seed: int) -> tuple[lr.Network, lr.Domain]:
    """Return a network of several layers where later ones seldom cut, of any two slopes."""
    rng = np.random.default_rng(seed)
    d, width, depth = int(rng.integers(2, 5)), int(rng.integers(4, 25)), int(rng.integers(3, 6))
    activation = [lr.relu(), lr.leaky_relu(0.2), lr.absolute(), lr.leaky_relu(-0.5)][seed % 4]
    layers: list[object] = []
    for n in [d] + [width] * (depth - 1):
        weight = rng.normal(size=(width, n)) * np.sqrt(2 / n)
        layers += [lr.Affine(weight, rng.normal(size=width)), activation]
    half = float(rng.choice([0.02, 0.1, 0.3]))
    centre = rng.normal(size=d)
    return lr.Network(d, layers), lr.Box(centre - half, centre + half)


@pytest.mark.parametrize("seed", range(60))
def test_what_cannot_cut_the_last_layer_changes_no_count(seed: int) -> None:
    net, box = deep_in_a_small_box(seed)
    found = lr.count(net, box, method="cones", threads=1)
    assert found.kind == "exact"
    assert int(found) == int(lr.count(net, box, method="tree", threads=1))


def test_a_layer_that_nothing_cuts_is_not_entered() -> None:
    plain = he_normal([3, 6, 6, 50, 1], 3)
    last = plain.layers[4]
    assert isinstance(last, lr.Affine)
    raised = lr.Affine(last.weight, last.bias + 100.0)  # all units are positive in the box
    net = lr.Network(3, [*plain.layers[:4], raised, *plain.layers[5:]])
    found = lr.count(net, lr.Box(-1, 1), method="cones", threads=1)
    two = lr.count(lr.Network(3, plain.layers[:4]), lr.Box(-1, 1), method="cones", threads=1)
    one = lr.count(lr.Network(3, plain.layers[:2]), lr.Box(-1, 1), method="cones", threads=1)
    assert int(found) == int(two)
    # The cells of the first layer, and those that the second does not cut once more.
    assert found.work["layer_cells"] <= 1 + 2 * int(one) < 1 + int(one) + int(two)
