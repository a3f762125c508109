# SPDX-License-Identifier: MIT
"""Counts where regions depend on fewer coordinates than the domain has."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import helpers
import linear_regions as lr
import strategies
from linear_regions import _core, reference
from linear_regions._essential import essential_part
from linear_regions._frame import domain_frame
from linear_regions._lower import frame_of, program
from linear_regions._modular_rank import PRIME


def low_rank(rng: np.random.Generator, d: int, rank: int, units: int) -> np.ndarray:
    """Return integer rows of at most this rank: with equal, opposite and zero ones among them."""
    weight = rng.integers(-2, 3, (units, rank)) @ rng.integers(-2, 3, (rank, d))
    for source, target, factor in ((0, 1, rng.integers(-1, 3)), (2, 3, 0)):
        if units > target + 1:
            weight[target] = factor * weight[source]
    return rng.permutation(weight).astype(float)


def deep(rng: np.random.Generator, d: int, rank: int, widths: tuple[int, ...]) -> lr.Network:
    layers: list[lr.Layer] = []
    for i, n in enumerate(widths):
        before = d if i == 0 else widths[i - 1]
        weight = low_rank(rng, d, rank, n) if i == 0 else rng.integers(-2, 3, (n, before))
        bias = rng.integers(-2, 3, n) * (rng.random() < 0.7)
        layers += [lr.Affine(weight, bias), lr.relu()]
    return lr.Network(d, layers)


def unreduced(net: lr.Network, domain: lr.Domain | None = None) -> int:
    """Return the count of the tree in all coordinates of the domain."""
    frame = frame_of(domain_frame(domain or lr.Space(), net.input_shape))
    answer = _core.count_tree(program(net), frame, True, 1, None, None, None)
    assert answer["status"] == "complete"
    return int(answer["regions"])


@pytest.mark.parametrize("seed", range(12))
def test_counts_in_space_are_those_of_the_reference(seed: int) -> None:
    rng = np.random.default_rng([1, seed])
    d = int(rng.integers(3, 5))
    net = deep(rng, d, 1 + seed % d, [(4, 3), (5, 2), (3, 2, 2)][seed % 3])
    truth = len(reference.regions(net, lr.Space(), geometry="programs"))
    for method in ("auto", "tree", "cones"):
        assert lr.count(net, method=method).value == truth


@pytest.mark.parametrize("d", [3, 5, 8])
@pytest.mark.parametrize("seed", range(8))
def test_counts_are_those_in_all_coordinates(d: int, seed: int) -> None:
    rng = np.random.default_rng([2, d, seed])
    rank = 1 + seed % d
    net = deep(rng, d, rank, [(5, 4), (4, 3, 3), (7,), (6, 2, 2)][seed % 4])
    truth = unreduced(net)
    part = essential_part(net, lr.Space())
    assert part.dim == np.linalg.matrix_rank(net.layers[0].weight) <= rank
    methods = ["auto", "tree", "cones", *(["polygons"] if part.dim <= 2 else [])]
    assert {lr.count(net, method=method).value for method in methods} == {truth}


@pytest.mark.parametrize("seed", range(6))
def test_counts_do_not_change_under_maps_of_the_inputs_and_orders_of_units(seed: int) -> None:
    rng = np.random.default_rng([3, seed])
    d = 6
    net = deep(rng, d, 1 + seed % 4, (5, 4))
    first, bend, second, end = net.layers
    steps = np.eye(d)
    for _ in range(6):
        i, j = rng.choice(d, 2, replace=False)
        steps[i] += rng.integers(-2, 3) * steps[j]  # of determinant one
    order = rng.permutation(5)
    other = lr.Network(
        d,
        [
            lr.Affine(first.weight[order] @ steps, first.bias[order]),
            bend,
            lr.Affine(second.weight[:, order], second.bias),
            end,
        ],
    )
    wide = lr.Network(d + 30, [lr.Affine(np.eye(d, d + 30, 7)), *net.layers])
    assert lr.count(net).value == lr.count(other).value == lr.count(wide).value


@pytest.mark.parametrize("family", sorted(strategies.FAMILIES))
@pytest.mark.parametrize("style", strategies.STYLES)
def test_all_kinds_of_layers_behind_a_map_of_low_rank(family: str, style: str) -> None:
    inner = strategies.network(family, style, 5)
    rng = np.random.default_rng(6)
    d, n = 5, inner.input_size
    first = lr.Affine(rng.integers(-2, 3, (n, 2)) @ rng.integers(-2, 3, (2, d)), np.arange(n) % 3)
    shape = [] if len(inner.input_shape) == 1 else [lr.Reshape(inner.input_shape)]
    net = lr.Network(d, [first, *shape, *shifted(inner, 1 + len(shape))])
    assert essential_part(net, lr.Space()).dim <= 2
    assert lr.count(net).value == unreduced(net)


def shifted(net: lr.Network, by: int) -> list[lr.Layer]:
    """Return a network's layers with the slots that they name so many later."""
    layers = []
    for layer in net.layers:
        fields = dict(zip(layer._fields, layer._state(), strict=True))
        for name in {"slots", "slot", "input"} & fields.keys():
            slots = fields[name]
            if slots is not None:
                fields[name] = slots + by if isinstance(slots, int) else [n + by for n in slots]
        again = type(layer).__new__(type(layer))
        again._restore_state(tuple(fields.values()))
        layers.append(again)
    return layers


SKIPS = [
    # What goes round the units to the output bends nothing; to another unit it does.
    ([lr.Affine([[1.0, 2.0, 0.0, 1.0]], [1.0]), lr.relu(), lr.Concat(0)], 1),
    ([lr.Affine([[1.0, 2.0, 0.0, 1.0]]), lr.relu(), lr.Concat(0), lr.Maxout(5)], 4),
    (
        [lr.Affine([[1.0, 2.0, 0.0, 1.0]]), lr.relu(), lr.Affine(np.ones((2, 4)), input=0),
         lr.relu()],
        2,
    ),
    (
        [lr.Affine(np.outer([1, -1, 2, 1], [1, 0, 1, 1])), lr.relu(), lr.Add(0),
         lr.Affine([[1.0, 1.0, 0.0, 0.0], [2.0, 2.0, 0.0, 0.0]]), lr.relu()],
        2,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "dim"), SKIPS)
def test_inputs_that_go_round_the_first_layer_are_kept(layers: list[lr.Layer], dim: int) -> None:
    net = lr.Network(4, layers)
    assert essential_part(net, lr.Space()).dim == dim
    assert lr.count(net).value == lr.count(net, method="tree").value == unreduced(net)
    truth = len(reference.regions(net, lr.Space(), geometry="programs"))
    assert lr.count(net).value == truth


def test_windows_count_as_their_number_not_as_pixels() -> None:
    rng = np.random.default_rng(7)
    filters = rng.normal(size=(1, 1, 8, 8))
    tail = [lr.relu(), lr.Flatten(), lr.Affine(rng.normal(size=(6, 9)), rng.normal(size=6))]
    tail += [lr.relu()]
    net = lr.Network((1, 24, 24), [lr.Conv(filters, [0.3], stride=8), *tail])
    small = lr.Network((1, 3, 3), [lr.Scale([1.0], [0.3]), *tail])
    assert essential_part(net, lr.Space()).dim == 9
    assert lr.count(net).value == lr.count(small).value
    beside = lr.Network((1, 24, 24), [lr.Conv(filters, [0.3], stride=4), *tail[:2]])
    assert essential_part(beside, lr.Space()) == lr.Space().resolve((1, 24, 24))


@pytest.mark.parametrize("seed", range(6))
def test_domains_with_some_lines_lose_only_these(seed: int) -> None:
    rng = np.random.default_rng([8, seed])
    d = 5
    net = deep(rng, d, 2, (4, 3))
    low, high = np.full(d, -np.inf), np.full(d, np.inf)
    low[0], low[1], high[1] = -1.0, 0.5, (0.5 if seed % 2 else 3.0)
    directions = rng.integers(-2, 3, (4, d)) + 4 * np.eye(4, d)
    origin = rng.integers(-2, 3, d)
    sides = lr.Box([-np.inf, -np.inf, 0.0, -np.inf], [np.inf, np.inf, 2.0, np.inf])
    for domain in (
        lr.Box(low, high),
        lr.Slice(origin, directions),
        lr.Slice(origin, directions, domain=sides),
        lr.Polytope(np.eye(2, d), [1.0, 2.0]),
        lr.Slice(origin, directions, within=lr.Box(low, high)),
        lr.Box(-1.0, 1.0),
    ):
        truth = unreduced(net, domain)
        for method in ("auto", "tree", "cones"):
            assert lr.count(net, domain, method=method).value == truth
    assert essential_part(net, lr.Slice(origin, directions)).dim <= 2
    assert essential_part(net, lr.Box(low, high)).dim <= 4


def test_columns_that_vanish_modulo_the_prime_are_kept() -> None:
    rng = np.random.default_rng(11)
    weight = rng.integers(-2, 3, (3, 2)) @ rng.integers(-2, 3, (2, 6)) * float(PRIME)
    net = lr.Network(6, [lr.Affine(weight, [1.0, 2.0, 3.0]), lr.relu()])
    assert essential_part(net, lr.Space()).dim == np.linalg.matrix_rank(weight)
    assert lr.count(net, method="tree").value == unreduced(net)


def test_a_network_that_sees_nothing_has_one_region() -> None:
    units = [lr.Affine(np.zeros((3, 784)), [1.0, 0.0, -1.0]), lr.relu()]
    for layers in (units, [*units, lr.Affine(np.eye(3)), lr.relu()], units[:1]):
        assert lr.count(lr.Network(784, layers)).value == 1


def wide_network(d: int = 784, rank: int = 6) -> tuple[lr.Network, lr.Network]:
    """Return [d, rank, 8, 10] and the network of its first units, whose regions are as many."""
    rng = np.random.default_rng(9)
    bias = rng.normal(size=rank)
    rest: list[lr.Layer] = [lr.relu()]
    for before, n in ((rank, 8), (8, 10)):
        rest += [lr.Affine(rng.normal(size=(n, before)), rng.normal(size=n)), lr.relu()]
    first = lr.Affine(rng.normal(size=(rank, d)), bias)
    return lr.Network(d, [first, *rest]), lr.Network(rank, [lr.Affine(np.eye(rank), bias), *rest])


def test_images_behind_six_units_are_a_matter_of_six_dimensions(tmp_path: Path) -> None:
    net, small = wide_network()
    truth = unreduced(small)
    found = lr.count(net)
    assert (found.value, found.kind, found.status) == (truth, "exact", "complete")
    assert lr.count(net, method="tree").value == truth
    assert lr.count(net, checkpoint=tmp_path / "c").value == truth
    assert lr.count(net, checkpoint=tmp_path / "c").value == truth
    with ProcessPoolExecutor(1) as executor:
        assert lr.count(net, executor=executor).value == truth
    paths = [tmp_path / f"part{i}" for i in (1, 2)]
    for i in (1, 2):
        lr.count_shard(net, shard=(i, 2), out=paths[i - 1])
    assert lr.merge_counts(paths).value == truth
    forecast = lr.predict_cost(net, time_limit=60.0)
    assert forecast.exact
    assert forecast.regions == truth
    assert forecast.method == found.method
    stopped = lr.count(net, limit=100)
    assert (stopped.value, stopped.kind, stopped.status) == (100, "lower", "limit")


def test_more_than_twenty_dimensions_that_matter_are_refused(tmp_path: Path) -> None:
    net, _ = wide_network(rank=21)
    for ask in (
        lambda: lr.count(net),
        lambda: lr.count(net, checkpoint=tmp_path / "c"),
        lambda: lr.predict_cost(net),
        lambda: lr.count_shard(net, shard=(1, 2), out=tmp_path / "d"),
    ):
        with pytest.raises(lr.Unsupported, match="more than 20 dimensions"):
            ask()
    assert essential_part(net, lr.Space()) == lr.Space().resolve((784,))
    filters = np.random.default_rng(12).normal(size=(8, 3, 7, 7))
    layers = [lr.Conv(filters, stride=2), lr.relu(), lr.Conv(np.ones((8, 8, 3, 3))), lr.relu()]
    huge = lr.Network((3, 224, 224), layers)
    with pytest.raises(lr.Unsupported, match="more than 20 dimensions"):
        lr.count(huge)


def test_one_layer_in_many_dimensions_is_the_arrangement_whatever_is_asked(tmp_path: Path) -> None:
    rng = np.random.default_rng(10)
    net = lr.Network(60, [lr.Affine(rng.normal(size=(30, 60)), rng.normal(size=30)), lr.relu()])
    assert lr.count(net).value == 2**30
    assert lr.count(net).method == lr.count(net, limit=10).method == "arrangement"
    with pytest.raises(lr.Unsupported, match="recursion over flats"):
        lr.predict_cost(net)
    with pytest.raises(lr.Unsupported, match="merges equal flats.*first_layer_arrangement"):
        lr.count(net, checkpoint=tmp_path / "c")
    with pytest.raises(lr.Unsupported, match="merges equal flats"):
        lr.count_shard(net, shard=(1, 2), out=tmp_path / "d")
    planes = net.first_layer_arrangement()
    assert planes.count(checkpoint=tmp_path / "e").value == 2**30


# --- lists ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["cones", "tree"])
@pytest.mark.parametrize("seed", range(6))
def test_lists_of_both_methods_name_the_same_lines(method: str, seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng([13, seed])
    d = 4
    net = deep(rng, d, 1 + seed % d, (5, 3))
    truth = reference.regions(net, lr.Space(), geometry="programs")
    table = lr.regions(net, method=method, faces=False)
    assert set(helpers.unpack(table.patterns, net.pattern_bits)) == {r.pattern for r in truth}
    assert len(table) == len(truth)
    assert np.array_equal(lr.patterns(net, table.interior_points), table.patterns)
    rank = np.linalg.matrix_rank(net.layers[0].weight)
    assert table.lineality.shape == (d - rank, d)
    if rank < d:
        assert not (net.layers[0].weight @ np.array(table._quotient.basis).T).any()
    assert rank == d or not table.bounded.any()
    table.save(tmp_path / "t.npz")
    again = lr.Regions.load(tmp_path / "t.npz")
    assert np.array_equal(again.lineality, table.lineality)
    folder = lr.regions(net, method=method, faces=False, out=tmp_path / "out")
    assert folder.count.value == len(truth)
    assert np.array_equal(folder.read().lineality, table.lineality)
    assert np.array_equal(folder.read().sorted().patterns, table.sorted().patterns)
    assert np.array_equal(folder.read().sorted().interior_points, table.sorted().interior_points)
    rows = np.vstack([facet.normal for facet in table[0].facets])
    assert len(rows) >= rank
    assert abs(rows @ table.lineality.T).max(initial=0.0) < 1e-9


def test_images_behind_six_units_are_listed() -> None:
    net, small = wide_network(rank=4)
    table = lr.regions(net)
    assert table.count.method == "cones"
    assert table.lineality.shape == (780, 784)
    wanted = {row.tobytes() for row in lr.regions(small).patterns}
    assert {row.tobytes() for row in table.patterns} == wanted
    assert np.array_equal(lr.patterns(net, table.interior_points), table.patterns)
    assert not table.bounded.any()
    other, _ = wide_network(rank=21)
    with pytest.raises(lr.Unsupported, match="more than 20 dimensions"):
        lr.regions(other)


@pytest.mark.parametrize("what", ["linear", "affine"])
@pytest.mark.parametrize("seed", range(4))
def test_pieces_are_those_in_few_dimensions(what: str, seed: int) -> None:
    net = deep(np.random.default_rng([14, seed]), 4, 1 + seed % 3, (4, 3))
    wide = lr.Network(25, [lr.Affine(np.eye(4, 25, 3)), *net.layers])
    assert lr.count(wide, what=what).value == lr.count(net, what=what, method="cones").value
