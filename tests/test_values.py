# SPDX-License-Identifier: MIT
"""Values: results that compare and pickle by value, and the arguments that calls take."""

from __future__ import annotations

import copy
import pickle
from itertools import pairwise

import numpy as np
import pytest

import linear_regions as lr


@pytest.fixture(scope="module")
def net():
    rng = np.random.default_rng(0)
    widths = (2, 6, 2)
    return lr.load(
        [
            (rng.standard_normal((n_out, n_in)), rng.standard_normal(n_out))
            for n_in, n_out in pairwise(widths)
        ]
    )


BOX = lr.Box(-9.0, 9.0)
RESULTS = {
    "regions": lambda net: lr.regions(net, BOX),
    "region": lambda net: lr.regions(net, BOX)[1],
    "facet": lambda net: lr.regions(net, BOX)[1].facets[0],
    "located region": lambda net: lr.region_at(net, [0.1, 0.2], BOX),
    "decision boundary": lambda net: lr.decision_boundary(net, BOX),
    "boundary piece": lambda net: lr.decision_boundary(net, BOX)[0],
    "chambers": lambda net: net.first_layer_arrangement().chambers(points=True),
    "local complexity": lambda net: lr.local_complexity(net, np.ones((2, 2)), rng=0),
    "score": lambda net: lr.nas.naswot(net, np.eye(2)),
    "cost": lambda net: lr.predict_cost(net, BOX),
}


@pytest.mark.parametrize("name", RESULTS)
def test_results_are_equal_to_their_copies_and_to_nothing_else(net, name):
    found = RESULTS[name](net)
    assert pickle.loads(pickle.dumps(found)) == found
    assert copy.deepcopy(found) == found
    assert found != 3
    assert found != RESULTS["region" if name != "region" else "facet"](net)
    assert repr(found).count("\n") == 0 or name in ("facet", "boundary piece")


@pytest.mark.parametrize("name", sorted(set(RESULTS) - {"cost"}))
def test_equal_calls_have_equal_results(net, name):
    assert RESULTS[name](net) == RESULTS[name](net)


def test_a_region_is_the_same_set_however_it_was_found(net):
    table = lr.regions(net, BOX)
    found = [lr.region_at(net, point, BOX) for point in table.interior_points]
    assert found == list(table)
    assert len({*found, *table}) == len(table)
    assert table[0] not in list(table)[1:]
    assert lr.region_at(net, table.interior_points[0]) != table[0]  # of another domain


def test_a_pickled_region_of_a_point_finds_its_facets_anew(net):
    region = lr.region_at(net, [0.1, 0.2], BOX)
    again = pickle.loads(pickle.dumps(region))
    assert again.facets == region.facets
    assert again.volume == region.volume
    assert again.interior_point.tolist() == [0.1, 0.2]


def test_rows_of_lists_are_named_by_integers(net):
    table = lr.regions(net, BOX)
    assert table[np.int64(-1)] == table[len(table) - 1]
    for rows in (table, lr.decision_boundary(net, BOX)):
        with pytest.raises(IndexError, match=f"no row 999: there are {len(rows)}"):
            rows[999]
        with pytest.raises(TypeError, match="int or a slice, got ndarray"):
            rows[np.array([0, 1])]


def test_numpy_scalars_are_limits(net):
    limits = {"threads": np.int32(1), "limit": np.int64(3), "time_limit": np.float32(60.0)}
    assert lr.count(net, BOX, **limits).value == 3
    with pytest.raises(TypeError, match="number of seconds"):
        lr.count(net, BOX, time_limit="60")
    with pytest.raises(TypeError, match="number of seconds"):
        lr.count(net, BOX, time_limit=np.bool_(True))


def test_what_is_no_network_is_named_by_its_type_and_load_is_named(net):
    calls = (
        lambda x: lr.count(x, BOX),
        lambda x: lr.unstable(x, BOX),
        lambda x: lr.region_at(x, [0.0, 0.0]),
        lambda x: lr.count_segments(x, [0.0, 0.0], [1.0, 1.0]),
        lambda x: lr.decision_boundary(x, BOX),
    )
    for call in calls:
        with pytest.raises(TypeError, match=r"must be a Network, got list; lr.load\(\.\.\.\)"):
            call([(np.eye(2), np.zeros(2))])


def test_points_that_are_not_finite_have_no_value(net):
    for bad in (np.nan, np.inf):
        with pytest.raises(lr.InvalidInput, match="points must be finite"):
            net([[0.0, bad]])
        with pytest.raises(lr.InvalidInput, match="x must be finite"):
            lr.region_at(net, [0.0, bad])


def test_random_ways_of_a_forecast_take_what_other_calls_take_for_rng(net):
    for rng in (None, 1, np.random.default_rng(2), np.random.SeedSequence(3)):
        assert lr.predict_cost(net, BOX, rng=rng).regions > 1


def test_tensors_with_gradients_are_arrays_of_numbers():
    torch = pytest.importorskip("torch")
    weight, bias = torch.randn(4, 2, requires_grad=True), torch.randn(4, requires_grad=True)
    net = lr.Network(2, [lr.Affine(weight, bias), lr.relu()])
    assert net.layers[0] == lr.Affine(weight.detach().numpy(), bias.detach().numpy())
    a, b = torch.tensor([-1.0, -1.0], requires_grad=True), torch.ones(2, dtype=torch.bfloat16)
    assert lr.Box(a, b) == lr.Box([-1.0, -1.0], [1.0, 1.0])
    assert lr.Segment(a, b) == lr.Segment([-1.0, -1.0], [1.0, 1.0])
    points = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], requires_grad=True)
    assert lr.Slice.through(points) == lr.Slice.through(points.detach().numpy())
    assert lr.region_at(net, points[1]) == lr.region_at(net, [1.0, 0.0])
