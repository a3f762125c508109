# SPDX-License-Identifier: MIT
"""Linear regions and affine pieces."""

from __future__ import annotations

import threading
import time
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import linear_regions as lr
import strategies
from linear_regions import _exact_facets, reference

CASES = list(product(strategies.FAMILIES, strategies.STYLES, (1, 2)))


def numbers(net: lr.Network, domain: lr.Domain | None = None) -> tuple[int, int, int]:
    whats = ("activation", "linear", "affine")
    results = [lr.count(net, domain, what=what) for what in whats]
    assert [result.what for result in results] == list(whats)
    activation, linear, affine = map(int, results)
    assert affine <= linear <= activation
    return activation, linear, affine


def relus(weight: object, bias: object, out: object) -> lr.Network:
    first = lr.Affine(weight, bias)
    return lr.Network(first.weight.shape[1], [first, lr.relu(), lr.Affine(out)])


def drawn(family: str, style: str, dimension: int, seed: int) -> tuple[lr.Network, object]:
    net = strategies.network(family, style, seed)
    return net, strategies.domain(net, dimension, style, seed)


def compare(net: lr.Network, domain: object) -> None:
    found = numbers(net, domain)
    if found[0] <= 25:
        assert found[1] == reference.count(net, domain, what="linear")
    if found[0] <= 100:
        assert found[2] == reference.count(net, domain, what="affine")


@pytest.mark.parametrize(("family", "style", "dimension"), CASES)
def test_numbers_equal_the_reference(family: str, style: str, dimension: int) -> None:
    compare(*drawn(family, style, dimension, 1))


@given(strategies.cases())
def test_numbers_of_random_networks(case: tuple[lr.Network, object]) -> None:
    compare(*case)


@given(strategies.rough_cases())
def test_maps_with_numbers_of_every_size(case: tuple[lr.Network, object]) -> None:
    compare(*case)


def test_units_that_cancel_make_one_linear_region() -> None:
    """relu(x) - relu(-x) = x, with weights that no double represents exactly."""
    for third in (1.0, 1.0 / 3.0):
        net = relus([[third], [-third]], [0.0, 0.0], [[1.0, -1.0]])
        assert numbers(net) == (2, 1, 1)
        plane = relus([[third, 0.1], [-third, -0.1]], [0.7, -0.7], [[1.0, -1.0]])
        assert numbers(plane) == (2, 1, 1)
    almost = relus([[1.0], [-1.0]], [0.0, 0.0], [[1.0, -np.nextafter(1.0, 2.0)]])
    assert numbers(almost) == (2, 2, 2)


def test_equal_maps_apart_are_one_piece_and_two_regions() -> None:
    hat = relus([[1.0], [1.0], [1.0]], [1.0, 0.0, -1.0], [[1.0, -2.0, 1.0]])
    assert numbers(hat) == (4, 4, 3)


def test_contact_in_a_corner_does_not_join() -> None:
    """relu(|x + y| - |x - y|) is zero where x y < 0: on two quadrants that share the origin."""
    apart = lr.Network(
        2,
        [
            lr.Affine([[1.0, 1.0], [1.0, -1.0]]),
            lr.absolute(),
            lr.Affine([[1.0, -1.0]]),
            lr.relu(),
        ],
    )
    _, linear, affine = numbers(apart)
    assert linear == affine + 1
    table = lr.regions(apart)
    zero = ~table.affine_maps().any(axis=(1, 2))
    assert len(set(table.affine_pieces()[zero])) == 1
    assert len(set(table.linear_regions()[zero])) == 2


def test_dead_output_weights_leave_one_map() -> None:
    rng = np.random.default_rng(0)
    net = strategies.mlp_of([2, 8, 8, 1], rng)
    dead = lr.Network(2, [*net.layers[:-1], lr.Affine(np.zeros((1, 8)), [3.0])])
    activation, linear, affine = numbers(dead, lr.Box(-2, 2))
    assert activation > 30
    assert (linear, affine) == (1, 1)
    assert lr.count(dead, lr.Box(-2, 2), what="affine").work["exact_maps"] == 0
    half = lr.Network(2, [*net.layers[:-1], lr.Affine(np.eye(1, 8))])
    assert lr.count(half, lr.Box(-2, 2), what="linear").work["exact_maps"] == 0


def test_small_integers_need_no_exact_stage() -> None:
    rng = np.random.default_rng(3)
    layers = []
    widths = [2, 10, 10, 1]
    for n_in, n_out in pairwise(widths):
        layers += [lr.Affine(rng.integers(-2, 3, (n_out, n_in)).astype(float)), lr.relu()]
    net = lr.Network(2, layers[:-1])
    result = lr.count(net, what="affine")
    assert result.work["exact_maps"] == 0
    assert int(result) == reference.count(net, what="affine")


def test_maps_are_compared_on_the_domain_only() -> None:
    """Two maps of the plane that agree on a line are one map there."""
    net = relus([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0], [[1.0, -1.0]])
    diagonal = lr.Segment([-1.0, -1.0], [1.0, 1.0])
    assert numbers(net, diagonal) == (2, 1, 1)


def test_a_table_says_which_rows_make_up_a_linear_region() -> None:
    net = relus([[1.0], [-1.0], [1.0]], [0.0, 0.0, -1.0], [[1.0, -1.0, 1.0]])
    table = lr.regions(net, what="linear")
    assert len(table) == 3
    assert (int(table.count), table.count.what) == (2, "linear")
    groups = table.linear_regions()
    assert sorted(np.bincount(groups).tolist()) == [1, 2]
    assert (lr.regions(net).linear_regions() == groups).all()


def test_a_stopped_run_gives_a_lower_bound() -> None:
    net = strategies.mlp_of([2, 16, 16, 1], np.random.default_rng(1))
    part = lr.count(net, what="linear", limit=10)
    assert (part.kind, part.status) == ("lower", "limit")
    assert part.value <= int(lr.count(net, what="linear"))
    assert part.work["activation_regions"] == 10
    with pytest.raises(lr.Unsupported, match="complete"):
        lr.regions(net, limit=10).linear_regions()


def test_what_cannot_be_exact_is_refused() -> None:
    net = strategies.mlp_of([2, 4, 1], np.random.default_rng(1))
    for options in ({"arithmetic": "float"}, {"stream": True}):
        with pytest.raises(lr.Unsupported, match="compares affine maps exactly"):
            lr.regions(net, what="affine", **options)


@pytest.mark.parametrize("what", ["linear", "affine"])
def test_after_a_stop_the_maps_of_the_first_regions_are_a_lower_bound(what: str) -> None:
    endless = strategies.mlp_of([4, 60, 60, 60, 1], np.random.default_rng(0))
    found = lr.count(endless, lr.Box(-1, 1), what=what, time_limit=1.0)
    assert (found.kind, found.status) == ("lower", "time_limit")
    assert 100 < found.value <= found.work["activation_regions"]


def windows_over_windows() -> lr.Network:
    """Return a network some of whose facets are matched by rational corners, which takes long."""
    rng = np.random.default_rng(784)
    first = lr.Affine(rng.integers(-2, 3, (4, 2)), rng.integers(-1, 2, 4))
    second = lr.Affine(rng.integers(-1, 2, (4, 2)))
    return lr.Network(2, [first, lr.Maxout(2), second, lr.Maxout(2)])


def test_a_time_limit_ends_the_search_for_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    net, box = windows_over_windows(), lr.Box(-2.0, 2.0)
    true, affine = (int(lr.count(net, box, what=what)) for what in ("linear", "affine"))
    corners = _exact_facets._corners

    def slowly(*where: Any) -> Any:
        time.sleep(0.1)
        return corners(*where)

    monkeypatch.setattr(_exact_facets, "_corners", slowly)
    found = lr.count(net, box, what="linear", time_limit=0.05)
    assert (found.kind, found.status) == ("lower", "time_limit")
    assert affine <= found.value <= true
    enough = threading.Event()
    enough.set()
    assert lr.count(net, box, what="linear", cancel=enough).status == "cancelled"


def test_ctrl_c_while_neighbours_are_sought_has_the_partial_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def heard(*where: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(_exact_facets, "_corners", heard)
    with pytest.raises(lr.Interrupted) as stop:
        lr.count(windows_over_windows(), lr.Box(-2.0, 2.0), what="linear")
    assert (stop.value.partial.kind, stop.value.partial.status) == ("lower", "cancelled")
    assert stop.value.partial.value > 1
