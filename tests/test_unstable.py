# SPDX-License-Identifier: MIT
"""`unstable`: interval bounds are proved, and exact answers are those of the regions."""

from __future__ import annotations

import numpy as np
import pytest

import linear_regions as lr
import strategies
from draws import STYLES
from linear_regions import reference


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("family", sorted(strategies.FAMILIES))
def test_units_that_are_called_stable_never_change(family, style, rng):
    net = strategies.network(family, style, 3)
    middle = rng.integers(-2, 3, net.input_size).astype(float)
    free = rng.permutation(net.input_size)[:2]
    low, high = middle.copy(), middle.copy()
    low[free] -= 0.5
    high[free] += 0.25
    box = lr.Box(low, high)
    bounds = lr.unstable(net, box)
    exact = lr.unstable(net, box, exact=True)
    patterns = [region.pattern for region in reference.regions(net, box)]
    assert len(bounds) == len(exact) == len(net.pattern_layout)
    for units, proved, (index, first, bits) in zip(bounds, exact, net.pattern_layout, strict=True):
        assert units.shape == proved.shape == net.shapes[index + 1]
        table = np.array([pattern[first : first + bits] for pattern in patterns])
        changing = (table != table[0]).any(axis=0)
        layer = net.layers[index]
        if getattr(layer, "channels", 1) == 1:  # as many bits for every unit, side by side
            per_unit = changing.reshape(units.size, -1).any(axis=1)
            np.testing.assert_array_equal(proved.reshape(-1), per_unit)
        assert changing.any() == proved.any()
        assert not (proved & ~units).any()


def test_values_beyond_the_range_of_doubles_are_not_called_stable():
    far = lr.Pointwise([1e308], [0.0, 2.0], value_at_zero=0.0)  # 2 x - 2e308 from 1e308 on
    net = lr.Network(1, [far, lr.Affine([[1.0]], [-1.0]), lr.relu()])
    box = lr.Box([0.5e308], [1.5e308])
    assert int(lr.count(net, box)) == 3
    assert [units.tolist() for units in lr.unstable(net, box)] == [[True], [True]]


def test_wrong_arguments_are_named():
    net = lr.Network(2, [lr.Affine(np.eye(2)), lr.relu()])
    with pytest.raises(lr.InvalidInput, match="finite"):
        lr.unstable(net, lr.Box([0.0, 0.0], [1.0, np.inf]))
    with pytest.raises(TypeError, match="Box"):
        lr.unstable(net, lr.Space())
    with pytest.raises(TypeError, match="Network"):
        lr.unstable([], lr.Box(0.0, 1.0))
