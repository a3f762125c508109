# SPDX-License-Identifier: MIT
"""The tree's refutations hold in other cells than those they come from, and in no cell too many."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import helpers
import linear_regions as lr
from linear_regions import _core, reference
from linear_regions._frame import domain_frame
from linear_regions._lower import frame_of, program


def listed(net: lr.Network, where: lr.domain.Domain, threads: int = 1) -> list[tuple[int, ...]]:
    frame = frame_of(domain_frame(where, net.input_shape))
    answer = _core.list_tree(program(net), frame, True, threads, None, None, None)
    assert answer["status"] == "complete"
    return helpers.unpack(answer["columns"]()["patterns"], net.pattern_bits)


def draw(widths: list[int], style: str, seed: int) -> lr.Network:
    """Draw a ReLU network with what later layers stumble over: equal, opposite and dead units."""
    rng = np.random.default_rng([len(style), *widths, seed])
    layers: list[Any] = []
    for n_in, n_out in pairwise(widths):
        weight = rng.normal(size=(n_out, n_in)) * np.sqrt(2 / n_in)
        bias = rng.normal(size=n_out)
        if style == "whole":
            weight = rng.integers(-2, 3, (n_out, n_in)).astype(float)
            bias = rng.integers(-1, 2, n_out).astype(float)
        if style == "no bias":
            bias = np.zeros(n_out)
        if style == "twins" and n_out > 2:
            weight[1], bias[1] = weight[0], bias[0]
            weight[2], bias[2] = -2 * weight[0], -2 * bias[0]
        if style == "low rank":
            weight = np.outer(weight[:, 0], weight[0])
        if style == "dead":
            weight[0], bias[0] = 0, -(seed % 2)
        layers += [lr.Affine(weight, bias), lr.relu()]
    return lr.Network(widths[0], layers)


STYLES = ("generic", "whole", "no bias", "twins", "low rank", "dead")


@pytest.mark.parametrize("style", STYLES)
def test_patterns_are_those_of_the_reference(style: str) -> None:
    boxes = (lr.Box(-1.0, 1.0), lr.Box(-0.5, 3.0))
    for seed, widths in enumerate(([3, 4, 3], [2, 3, 3, 2])):
        net, box = draw(widths, style, seed), boxes[seed % 2]
        expected = {region.pattern for region in reference.regions(net, box, geometry="programs")}
        found = listed(net, box)
        assert len(set(found)) == len(found)
        assert set(found) == expected


@pytest.mark.parametrize("style", STYLES)
def test_patterns_are_those_of_the_cones_for_all_numbers_of_threads(style: str) -> None:
    for seed, widths in enumerate(([5, 6, 4, 3], [6, 7, 4], [3, 20, 5])):
        net = draw(widths, style, seed)
        box = lr.Box(-1.0, 1.0)
        cones = lr.regions(net, box, method="cones", threads=1)
        expected = set(helpers.unpack(cones.patterns, net.pattern_bits))
        one = listed(net, box)
        assert set(one) == expected
        assert len(one) == len(expected)
        for threads in (2, 3):
            assert listed(net, box, threads) == one
            assert int(lr.count(net, box, method="tree", threads=threads)) == len(one)


@pytest.mark.parametrize("style", STYLES)
def test_patterns_in_unbounded_domains_are_those_of_the_cones(style: str) -> None:
    for seed, widths in enumerate(([5, 6, 4, 3], [6, 5, 4], [4, 5, 5, 4])):
        net = draw(widths, style, seed)
        d = widths[0]
        half = lr.Polytope(np.ones((1, d)), np.ones(1))
        slab = lr.Polytope(np.outer([1.0, -1.0], np.eye(d)[0]), [1.0, 1.0])
        domain = (lr.Space(d), half, slab)[seed]
        cones = lr.regions(net, domain, method="cones", threads=1)
        found = listed(net, domain)
        assert len(set(found)) == len(found)
        assert set(found) == set(helpers.unpack(cones.patterns, net.pattern_bits))


def test_in_the_whole_space_dependent_rows_are_refuted_once_for_all_cells() -> None:
    net = draw([6, 8, 8], "generic", 0)
    work = lr.count(net, lr.Space(6), method="tree", threads=1).work
    assert work["circuits_reused"] > 0
    assert work["exact_lps"] < 0.25 * work["questions"]


def test_layers_of_more_units_than_a_word_has_bits_agree() -> None:
    net = draw([2, 70, 3, 40], "generic", 1)
    box = lr.Box(-0.3, 0.3)
    assert int(lr.count(net, box, method="tree")) == int(lr.count(net, box, method="polygons"))


def test_most_impossible_signs_of_a_deep_network_are_known_without_a_program() -> None:
    net = draw([6, 12, 8, 8], "generic", 0)
    work = lr.count(net, lr.Box(-1.0, 1.0), method="tree", threads=1).work
    impossible = work["questions"] - work["points_reused"] - work["circuits_reused"]
    assert work["circuits_reused"] > 0.3 * impossible


@pytest.mark.parametrize("kind", ["residual", "leaky", "pooled", "unbounded"])
def test_what_refutations_do_not_cover_is_counted_as_before(kind: str) -> None:
    net = draw([4, 6, 6], "generic", 3)
    domain: lr.domain.Domain = lr.Box(-1.0, 1.0)
    tail = draw([6, 5], "generic", 4).layers
    if kind == "residual":
        net = lr.Network(4, [*net.layers, lr.Add(2), *tail])
    if kind == "leaky":
        layers = [lr.leaky_relu(0.25) if i % 2 else layer for i, layer in enumerate(net.layers)]
        net = lr.Network(4, [*layers, *tail])
    if kind == "pooled":
        net = lr.Network(4, [*net.layers[:3], lr.Maxout(2), *draw([3, 4], "generic", 4).layers])
    if kind == "unbounded":
        domain = lr.Space(4)
    expected = int(lr.count(net, domain, method="cones"))
    assert int(lr.count(net, domain, method="tree")) == expected


@pytest.mark.parametrize("power", [-28, -34, -40, -46, -52, -57])
def test_sides_that_all_but_coincide_refute_nothing(power: int) -> None:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        slab, middle = rng.normal(size=3), 0.1 * rng.normal()
        sides = np.vstack([np.eye(3), -np.eye(3), slab, -slab])
        gap = 2.0**power
        domain = lr.Polytope(sides, np.r_[np.ones(6), middle + gap, gap - middle])
        net = draw([3, 5, 4], "generic", seed)
        expected = int(lr.count(net, domain, method="cones"))
        assert int(lr.count(net, domain, method="tree")) == expected, seed


@pytest.mark.parametrize("power", [-199, -201, -210, -1000, -1070])
def test_tiny_boxes_have_interior_points(power: int) -> None:
    for d in (1, 2, 3):
        net = lr.Network(d, [lr.Affine(np.eye(d)), lr.relu()])
        box = lr.Box([-(2.0**power)] * d, [2.0**power] * d)
        assert int(lr.count(net, box, method="tree")) == 2**d
