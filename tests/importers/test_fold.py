# SPDX-License-Identifier: MIT
"""Folding of scales: what it rounds, and what the notes say of it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from linear_regions.importers import load
from linear_regions.importers._fold import product_is_exact, significant_bits, sum_is_exact

NUMBERS = st.floats(-1e200, 1e200, allow_subnormal=False)
ARRAYS = hnp.arrays(np.float64, 4, elements=NUMBERS)


@given(ARRAYS)
def test_significant_bits_are_those_of_the_odd_part(values):
    for value, bits in zip(values, significant_bits(values), strict=True):
        numerator = abs(Fraction(value).numerator)
        while numerator and numerator % 2 == 0:
            numerator //= 2
        assert bits == numerator.bit_length()


@given(ARRAYS, st.one_of(ARRAYS, hnp.arrays(np.float64, 4, elements=st.integers(-99, 99))))
def test_a_product_called_exact_is_exact(a, b):
    if product_is_exact(a, b):
        for x, y, product in zip(a, b, a * b, strict=True):
            assert Fraction(x) * Fraction(y) == Fraction(product)


@given(hnp.arrays(np.float32, 4, elements=st.floats(-1e4, 1e4, width=32, allow_subnormal=False)))
def test_products_of_single_precision_are_exact(a):
    wide = a.astype(np.float64)
    assert product_is_exact(wide, wide[::-1])


def test_products_out_of_range_are_not_called_exact():
    for pair in ((1e300, 1e300), (1e-300, 1e-300), (5e-324, 0.5)):
        assert not product_is_exact(np.array(pair[0]), np.array(pair[1]))
    assert product_is_exact(np.array([0.0, 3.0]), np.array([1.1, 0.0]))


@given(ARRAYS, ARRAYS)
def test_a_sum_called_exact_is_exact(a, b):
    exact = all(
        Fraction(x) + Fraction(y) == Fraction(total)
        for x, y, total in zip(a, b, a + b, strict=True)
    )
    assert sum_is_exact(a, b) == exact


def f32(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


def test_bias_of_a_matrix_product_joins_it_without_a_note(onnx_tools, rng):
    w, b = f32(rng, 6, 3), f32(rng, 3)
    nodes = [("MatMul", "x w", "h"), ("Add", "h b", "y")]
    model = onnx_tools.model(nodes, (1, 6), {"w": w, "b": b})
    for fold in (True, False):
        net = load(model, fold=fold)
        assert onnx_tools.names(net) == ["Affine"]
        assert net.notes == ()
        np.testing.assert_array_equal(net.layers[0].weight, w.T.astype(np.float64))
        np.testing.assert_array_equal(net.layers[0].bias, b.astype(np.float64))


def test_exact_fold_leaves_no_note_and_inexact_fold_does(onnx_tools, rng):
    constants = {"w": f32(rng, 6, 3), "s": f32(rng, 3), "d": np.full(3, 1 / 3)}
    nodes = [("MatMul", "x w", "h"), ("Mul", "h s", "y")]
    net = load(onnx_tools.model(nodes, (1, 6), constants))
    assert onnx_tools.names(net) == ["Affine"]
    assert net.notes == ()
    constants["s"] = constants["d"]
    constants["w"] = rng.standard_normal((6, 3))
    model = onnx_tools.model(nodes, (1, 6), constants, elem_type=11)
    net = load(model)
    assert net.notes == ("Mul 'mul_1' folded into MatMul 'matmul_0', rounded to float64",)
    kept = load(model, fold=False)
    assert onnx_tools.names(kept) == ["Affine", "Scale"]
    assert kept.notes == ()


def batch_norm(rng, *, shared=False):
    nodes = [("Conv", "x k", "h"), ("BatchNormalization", "h g b m v", "n"), ("Relu", "n", "y")]
    if shared:
        nodes[2:] = [("Relu", "n", "r"), ("Add", "r h", "y")]
    constants = {name: f32(rng, 4) for name in "gbm"}
    return nodes, {**constants, "v": np.abs(f32(rng, 4)) + 1, "k": f32(rng, 4, 2, 3, 3)}


def test_batch_norm_folds_into_its_convolution_with_a_note(onnx_tools, rng):
    model = onnx_tools.model(*(lambda n, c: (n, (1, 2, 5, 5), c))(*batch_norm(rng)))
    folded, kept = load(model), load(model, fold=False)
    assert onnx_tools.names(folded) == ["Conv", "Pointwise"]
    assert folded.notes == (
        "BatchNormalization 'batchnormalization_1' folded into Conv 'conv_0', rounded to float64",
    )
    assert onnx_tools.names(kept) == ["Conv", "Scale", "Pointwise"]
    assert kept.notes == (
        "BatchNormalization 'batchnormalization_1': scale and offset rounded to float64",
    )
    x = rng.standard_normal((3, 2, 5, 5))
    np.testing.assert_allclose(folded(x), kept(x), rtol=1e-12, atol=1e-12)


def test_convolution_that_is_read_twice_is_not_changed(onnx_tools, rng):
    nodes, constants = batch_norm(rng, shared=True)
    net = onnx_tools.check(onnx_tools.model(nodes, (1, 2, 5, 5), constants), rng)
    assert onnx_tools.names(net) == ["Conv", "Scale", "Pointwise", "Add"]
    np.testing.assert_array_equal(net.layers[0].weight, constants["k"].astype(np.float64))


def test_batch_norm_that_is_the_output_folds(onnx_tools, rng):
    nodes, constants = batch_norm(rng)
    nodes = [nodes[0], ("BatchNormalization", "h g b m v", "y")]
    net = onnx_tools.check(onnx_tools.model(nodes, (1, 2, 5, 5), constants), rng)
    assert onnx_tools.names(net) == ["Conv"]


def test_several_scales_in_a_row_fold_one_after_the_other(onnx_tools, rng):
    nodes, constants = batch_norm(rng)
    nodes = [
        *nodes[:2],
        ("Mul", "n s", "p"),
        ("Add", "p t", "q"),
        ("Relu", "q", "r"),
        ("Div", "r s", "y"),
    ]
    constants |= {"s": np.abs(f32(rng, 4, 1, 1)) + 1, "t": f32(rng, 4, 1, 1)}
    net = onnx_tools.check(onnx_tools.model(nodes, (1, 2, 5, 5), constants), rng)
    assert onnx_tools.names(net) == ["Conv", "Pointwise", "Scale"]
    assert net.notes[-1].startswith("Div 'div_5': division by a constant")


@pytest.mark.parametrize(("divisor", "noted"), [(4.0, False), (3.0, True), (-0.5, False)])
def test_division_is_noted_unless_it_is_by_a_power_of_two(divisor, noted, onnx_tools, rng):
    model = onnx_tools.model([("Div", "x c", "y")], (1, 6), {"c": np.float32(divisor)})
    assert bool(load(model).notes) == noted


@pytest.mark.parametrize(("alpha", "noted"), [(0.3, False), (2.0, False)])
def test_factor_of_a_matrix_product_is_exact_in_single_precision(alpha, noted, onnx_tools, rng):
    model = onnx_tools.model(
        [("Gemm", "x w b", "y", {"alpha": alpha, "beta": alpha})],
        (1, 6),
        {"w": f32(rng, 6, 3), "b": f32(rng, 3)},
    )
    assert bool(load(model).notes) == noted


def test_neutral_constants_leave_no_layer(onnx_tools, rng):
    nodes = [("Sub", "x z", "h"), ("Mul", "h o", "g"), ("Relu", "g", "y")]
    constants = {"z": np.zeros((1, 6), np.float32), "o": np.ones(6, np.float32)}
    net = onnx_tools.check(onnx_tools.model(nodes, (1, 6), constants), rng)
    assert onnx_tools.names(net) == ["Pointwise"]
