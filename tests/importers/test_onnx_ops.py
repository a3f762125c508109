# SPDX-License-Identifier: MIT
"""Every ONNX operator that is read, in the forms that files have."""

from __future__ import annotations

import numpy as np
import pytest

from linear_regions import importers

pytest.importorskip("onnx")

RNG = np.random.default_rng(7)


def f32(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def i64(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def positive(*shape: int) -> np.ndarray:
    return RNG.uniform(0.5, 2.0, shape).astype(np.float32)


VECTOR, IMAGE = (1, 6), (1, 4, 5, 6)
SIGNAL, VOLUME = (1, 3, 9), (1, 2, 4, 4, 4)
BN = {"g": positive(4), "b": f32(4), "m": f32(4), "v": positive(4)}

# name: (nodes, input, constants, opset, expected layers or None)
CASES = {
    # ---- matrices ----
    "gemm": ([("Gemm", "x w b", "y")], VECTOR, {"w": f32(6, 3), "b": f32(3)}, 17, ["Affine"]),
    "gemm without bias": ([("Gemm", "x w", "y")], VECTOR, {"w": f32(6, 3)}, 17, ["Affine"]),
    "gemm transB": (
        [("Gemm", "x w b", "y", {"transB": 1})],
        VECTOR,
        {"w": f32(3, 6), "b": f32(3)},
        17,
        ["Affine"],
    ),
    "gemm all attributes": (
        [("Gemm", "x w b", "y", {"transA": 1, "transB": 1, "alpha": 0.5, "beta": -2.0})],
        (6, 1),
        {"w": f32(3, 6), "b": f32(1, 3)},
        17,
        ["Flatten", "Affine", "Reshape"],
    ),
    "gemm constant first": (
        [("Gemm", "w x b", "y", {"transB": 1, "transA": 1})],
        VECTOR,
        {"w": f32(6, 3), "b": f32(3, 1)},
        17,
        ["Affine", "Reshape"],
    ),
    "gemm of computed bias": (
        [("Gemm", "x w", "h"), ("Gemm", "x v h", "y", {"beta": 3.0})],
        VECTOR,
        {"w": f32(6, 3), "v": f32(6, 3)},
        17,
        None,
    ),
    "gemm over rows": (
        [("Gemm", "x w b", "y")],
        (2, 6),
        {"w": f32(6, 3), "b": f32(3)},
        17,
        None,
    ),
    "matmul and add": (
        [("MatMul", "x w", "h"), ("Add", "h b", "y")],
        VECTOR,
        {"w": f32(6, 3), "b": f32(3)},
        17,
        ["Affine"],
    ),
    "add in front": (
        [("MatMul", "x w", "h"), ("Add", "b h", "y")],
        VECTOR,
        {"w": f32(6, 3), "b": f32(3)},
        17,
        ["Affine"],
    ),
    "matmul from the left": (
        [("MatMul", "w x", "h"), ("Add", "h b", "y")],
        (6,),
        {"w": f32(3, 6), "b": f32(3)},
        17,
        ["Affine"],
    ),
    "matmul of a column": (
        [("MatMul", "w x", "h"), ("Add", "h b", "y")],
        (6, 1),
        {"w": f32(3, 6), "b": f32(3, 1)},
        17,
        None,
    ),
    "matmul of a vector": ([("MatMul", "x w", "y")], (6,), {"w": f32(6, 3)}, 17, ["Affine"]),
    "matmul with a vector": ([("MatMul", "x w", "y")], VECTOR, {"w": f32(6)}, 17, ["Affine"]),
    "vector matmul": ([("MatMul", "w x", "y")], (6, 1), {"w": f32(6)}, 17, None),
    "matmul over rows": (
        [("MatMul", "x w", "h"), ("Add", "h b", "y")],
        (1, 5, 6),
        {"w": f32(6, 3), "b": f32(3)},
        17,
        None,
    ),
    "matmul of rows from the left": (
        [("MatMul", "w x", "y")],
        (1, 5, 6),
        {"w": f32(4, 5)},
        17,
        ["Conv"],
    ),
    "matmul with a stack of one": (
        [("MatMul", "x w", "y")],
        (1, 1, 6),
        {"w": f32(1, 6, 3)},
        17,
        None,
    ),
    # ---- constants ----
    "add a number": ([("Add", "x c", "y")], VECTOR, {"c": f32()}, 17, ["Scale"]),
    "add per element": ([("Add", "x c", "y")], VECTOR, {"c": f32(6)}, 17, ["Scale"]),
    "add per channel": ([("Add", "x c", "y")], IMAGE, {"c": f32(4, 1, 1)}, 17, ["Scale"]),
    "add an image": (
        [("Add", "x c", "y")],
        IMAGE,
        {"c": f32(4, 5, 6)},
        17,
        ["Flatten", "Scale", "Reshape"],
    ),
    "add a row": (
        [("Add", "x c", "y")],
        IMAGE,
        {"c": f32(6)},
        17,
        ["Flatten", "Scale", "Reshape"],
    ),
    "add an expanded channel": (
        [("Add", "x c", "y")],
        IMAGE,
        {"c": np.ones((1, 4, 5, 6), np.float32) * f32(1, 4, 1, 1)},
        17,
        ["Scale"],
    ),
    "add makes larger": ([("Add", "x c", "y")], (1, 1), {"c": f32(1, 3)}, 17, ["Affine"]),
    "subtract": ([("Sub", "x c", "y")], VECTOR, {"c": f32(6)}, 17, ["Scale"]),
    "subtract from": ([("Sub", "c x", "y")], VECTOR, {"c": f32(6)}, 17, ["Scale"]),
    "multiply": ([("Mul", "x c", "y")], IMAGE, {"c": f32(1, 4, 1, 1)}, 17, ["Scale"]),
    "multiply by a number": ([("Mul", "c x", "y")], IMAGE, {"c": f32()}, 17, ["Scale"]),
    "divide": ([("Div", "x c", "y")], IMAGE, {"c": positive(1, 4, 1, 1)}, 17, ["Scale"]),
    "negate": ([("Neg", "x", "y")], IMAGE, {}, 17, ["Scale"]),
    "normalise": (
        [("Sub", "x m", "h"), ("Div", "h s", "y")],
        IMAGE,
        {"m": f32(4, 1, 1), "s": positive(4, 1, 1)},
        17,
        ["Scale", "Scale"],
    ),
    # ---- several computed tensors ----
    "residual": (
        [("Gemm", "x w", "h"), ("Relu", "h", "r"), ("Add", "r x", "y")],
        VECTOR,
        {"w": f32(6, 6)},
        17,
        ["Affine", "Pointwise", "Add"],
    ),
    "difference": (
        [("Relu", "x", "r"), ("Sub", "r x", "y")],
        IMAGE,
        {},
        17,
        ["Pointwise", "Scale", "Add"],
    ),
    "difference of other order": ([("Relu", "x", "r"), ("Sub", "x r", "y")], IMAGE, {}, 17, None),
    "twice": ([("Relu", "x", "r"), ("Add", "r r", "y")], IMAGE, {}, 17, ["Pointwise", "Add"]),
    "residual of other shapes": (
        [("Flatten", "x", "f"), ("Relu", "f", "r"), ("Reshape", "r s", "h"), ("Add", "h x", "y")],
        IMAGE,
        {"s": i64(1, 4, 5, 6)},
        17,
        None,
    ),
    "broadcast sum": (
        [("GlobalAveragePool", "x", "g"), ("Add", "x g", "y")],
        IMAGE,
        {},
        17,
        None,
    ),
    "sum of many": (
        [("Relu", "x", "r"), ("Abs", "x", "a"), ("Sum", "x r a c", "y")],
        IMAGE,
        {"c": f32(4, 1, 1)},
        17,
        None,
    ),
    "mean of many": ([("Relu", "x", "r"), ("Mean", "x r r", "y")], IMAGE, {}, 17, None),
    "maximum": (
        [("Gemm", "x w", "a"), ("Gemm", "x v", "b"), ("Max", "a b", "y")],
        VECTOR,
        {"w": f32(6, 3), "v": f32(6, 3)},
        17,
        None,
    ),
    "maximum of three and a number": (
        [("Neg", "x", "a"), ("Relu", "x", "b"), ("Max", "a b x c", "y")],
        IMAGE,
        {"c": np.float32(0.25)},
        17,
        None,
    ),
    "minimum": ([("Neg", "x", "a"), ("Min", "a x", "y")], IMAGE, {}, 17, None),
    "minimum with constants": (
        [("Min", "x c d", "y")],
        VECTOR,
        {"c": f32(6), "d": f32()},
        17,
        ["Pointwise"],
    ),
    "maximum of one": ([("Max", "x", "h"), ("Relu", "h", "y")], VECTOR, {}, 17, ["Pointwise"]),
    "maximum of single numbers": (
        [("Neg", "x", "a"), ("Max", "a x", "y")],
        (1, 1),
        {},
        17,
        ["Scale", "Concat", "Maxout"],
    ),
    # ---- convolutions ----
    "conv": ([("Conv", "x w b", "y")], IMAGE, {"w": f32(3, 4, 2, 3), "b": f32(3)}, 17, ["Conv"]),
    "conv attributes": (
        [
            (
                "Conv",
                "x w",
                "y",
                {
                    "strides": [2, 1],
                    "pads": [1, 0, 2, 1],
                    "dilations": [1, 2],
                    "group": 2,
                    "kernel_shape": [3, 2],
                },
            )
        ],
        IMAGE,
        {"w": f32(6, 2, 3, 2)},
        17,
        ["Conv"],
    ),
    "conv same upper": (
        [("Conv", "x w", "y", {"auto_pad": "SAME_UPPER", "strides": [2, 2]})],
        IMAGE,
        {"w": f32(3, 4, 3, 3)},
        17,
        ["Conv"],
    ),
    "conv same lower": (
        [("Conv", "x w", "y", {"auto_pad": "SAME_LOWER"})],
        IMAGE,
        {"w": f32(3, 4, 2, 2)},
        17,
        ["Conv"],
    ),
    "conv valid": (
        [("Conv", "x w", "y", {"auto_pad": "VALID"})],
        IMAGE,
        {"w": f32(3, 4, 2, 2)},
        17,
        ["Conv"],
    ),
    "conv 1d": ([("Conv", "x w", "y")], SIGNAL, {"w": f32(4, 3, 3)}, 17, ["Conv"]),
    "conv 3d": ([("Conv", "x w", "y")], VOLUME, {"w": f32(3, 2, 2, 3, 2)}, 17, ["Conv"]),
    "conv and add": (
        [("Conv", "x w", "h"), ("Add", "h b", "y")],
        IMAGE,
        {"w": f32(3, 4, 2, 2), "b": f32(1, 3, 1, 1)},
        17,
        ["Conv"],
    ),
    # ---- batch normalization ----
    "batch norm": (
        [("BatchNormalization", "x g b m v", "y", {"epsilon": 1e-3})],
        IMAGE,
        BN,
        17,
        ["Scale"],
    ),
    "conv and batch norm": (
        [("Conv", "x w", "h"), ("BatchNormalization", "h g b m v", "y")],
        IMAGE,
        {"w": f32(4, 4, 2, 2), **BN},
        17,
        ["Conv"],
    ),
    "gemm and batch norm": (
        [("Gemm", "x w c", "h"), ("BatchNormalization", "h g b m v", "y")],
        VECTOR,
        {"w": f32(6, 4), "c": f32(4), **BN},
        15,
        ["Affine"],
    ),
    # ---- activations ----
    "relu": ([("Relu", "x", "y")], VECTOR, {}, 17, ["Pointwise"]),
    "leaky relu": ([("LeakyRelu", "x", "y", {"alpha": 0.2})], VECTOR, {}, 17, ["Pointwise"]),
    "leaky relu default": ([("LeakyRelu", "x", "y")], VECTOR, {}, 17, ["Pointwise"]),
    "prelu of one": ([("PRelu", "x s", "y")], IMAGE, {"s": f32(1)}, 17, ["Pointwise"]),
    "prelu per channel": ([("PRelu", "x s", "y")], IMAGE, {"s": f32(4, 1, 1)}, 17, ["Pointwise"]),
    "prelu per feature": ([("PRelu", "x s", "y")], VECTOR, {"s": f32(6)}, 17, ["Pointwise"]),
    "prelu per element": ([("PRelu", "x s", "y")], IMAGE, {"s": f32(4, 5, 6)}, 17, None),
    "clip": (
        [("Clip", "x a b", "y")],
        VECTOR,
        {"a": np.float32(-0.5), "b": np.float32(1)},
        17,
        ["Pointwise"],
    ),
    "clip below": ([("Clip", "x a", "y")], VECTOR, {"a": np.float32(-0.5)}, 17, ["Pointwise"]),
    "clip above": (
        [("Clip", "x o b", "y")],
        VECTOR,
        {"o": np.float32(-np.inf), "b": np.float32(0.5)},
        17,
        ["Pointwise"],
    ),
    "clip at zero": ([("Clip", "x a", "y")], VECTOR, {"a": np.float32(0)}, 17, ["Pointwise"]),
    "clip by attributes": (
        [("Clip", "x", "y", {"min": 0.0, "max": 6.0})],
        VECTOR,
        {},
        10,
        ["Pointwise"],
    ),
    "clip by one attribute": ([("Clip", "x", "y", {"min": 0.5})], VECTOR, {}, 7, ["Pointwise"]),
    "clip to a point": (
        [("Clip", "x a a", "y")],
        VECTOR,
        {"a": np.float32(0.5)},
        17,
        ["Scale"],
    ),
    "absolute": ([("Abs", "x", "y")], VECTOR, {}, 17, ["Pointwise"]),
    "hard sigmoid": ([("HardSigmoid", "x", "y")], VECTOR, {}, 17, ["Scale", "Pointwise"]),
    "hard sigmoid alpha": (
        [("HardSigmoid", "x", "y", {"alpha": 0.5, "beta": 0.25})],
        VECTOR,
        {},
        17,
        ["Scale", "Pointwise"],
    ),
    "shrink": ([("Shrink", "x", "y", {"bias": 0.5, "lambd": 0.5})], VECTOR, {}, 17, ["Pointwise"]),
    # ---- pooling ----
    "max pool": ([("MaxPool", "x", "y", {"kernel_shape": [2, 2]})], IMAGE, {}, 17, ["MaxPool"]),
    "max pool attributes": (
        [
            (
                "MaxPool",
                "x",
                "y",
                {
                    "kernel_shape": [2, 3],
                    "strides": [2, 1],
                    "pads": [0, 1, 1, 1],
                    "dilations": [2, 1],
                },
            )
        ],
        IMAGE,
        {},
        17,
        ["MaxPool"],
    ),
    "max pool ceil": (
        [("MaxPool", "x", "y", {"kernel_shape": [2, 4], "strides": [2, 4], "ceil_mode": 1})],
        IMAGE,
        {},
        17,
        ["MaxPool"],
    ),
    "max pool 1d": ([("MaxPool", "x", "y", {"kernel_shape": [2]})], SIGNAL, {}, 17, ["MaxPool"]),
    "max pool 3d": (
        [("MaxPool", "x", "y", {"kernel_shape": [2, 2, 2], "strides": [2, 2, 2]})],
        VOLUME,
        {},
        17,
        ["MaxPool"],
    ),
    "average pool": (
        [("AveragePool", "x", "y", {"kernel_shape": [2, 3], "strides": [2, 2]})],
        IMAGE,
        {},
        17,
        ["AvgPool"],
    ),
    "average pool without padding": (
        [("AveragePool", "x", "y", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]})],
        IMAGE,
        {},
        17,
        ["AvgPool"],
    ),
    "average pool with padding": (
        [
            (
                "AveragePool",
                "x",
                "y",
                {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1},
            )
        ],
        IMAGE,
        {},
        17,
        ["AvgPool"],
    ),
    "average pool same": (
        [
            (
                "AveragePool",
                "x",
                "y",
                {"kernel_shape": [2, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
            )
        ],
        IMAGE,
        {},
        17,
        ["AvgPool"],
    ),
    "global average": ([("GlobalAveragePool", "x", "y")], IMAGE, {}, 17, ["AvgPool"]),
    "global maximum": ([("GlobalMaxPool", "x", "y")], IMAGE, {}, 17, ["MaxPool"]),
    "reduce mean": (
        [("ReduceMean", "x", "y", {"axes": [2, 3], "keepdims": 0})],
        IMAGE,
        {},
        13,
        None,
    ),
    "reduce mean of an input": (
        [("ReduceMean", "x a", "y")],
        IMAGE,
        {"a": i64(-1, 2)},
        18,
        None,
    ),
    "reduce channels": ([("ReduceMean", "x", "y", {"axes": [1]})], IMAGE, {}, 13, None),
    "reduce everything": ([("ReduceSum", "x", "y", {"keepdims": 0})], VECTOR, {}, 17, ["Affine"]),
    "reduce sum": ([("ReduceSum", "x a", "y")], IMAGE, {"a": i64(1)}, 17, None),
    "reduce maximum": ([("ReduceMax", "x", "y", {"axes": [2]})], IMAGE, {}, 13, None),
    "reduce nothing": (
        [("ReduceSum", "x", "h", {"noop_with_empty_axes": 1}), ("Relu", "h", "y")],
        IMAGE,
        {},
        17,
        ["Pointwise"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_operator_agrees_with_the_evaluator(name, onnx_tools, rng):
    nodes, dims, constants, opset, layers = CASES[name]
    model = onnx_tools.model(nodes, dims, constants, opset=opset)
    options = {} if dims[0] == 1 or len(dims) == 1 else {"input_shape": dims}
    net = onnx_tools.check(model, rng, **options)
    if layers is not None:
        assert onnx_tools.names(net) == layers


def test_every_operator_of_the_table_has_a_case():
    from linear_regions.importers._onnx_ops import HANDLERS

    met = {node[0] for nodes, *_ in CASES.values() for node in nodes}
    assert set(HANDLERS) <= met


def test_batch_norm_of_old_models_uses_the_stored_statistics(onnx_tools):
    constants = {"w": f32(6, 4), "c": f32(4), **BN}
    nodes = [("Gemm", "x w c", "h"), ("BatchNormalization", "h g b m v", "y", {"epsilon": 0.01})]
    net = importers.load(onnx_tools.model(nodes, VECTOR, constants, opset=9))
    assert not any("not compared" in note for note in net.notes)
    x = f32(5, 6).astype(np.float64)
    w, c, g, b, m, v = (constants[k].astype(np.float64) for k in "wcgbmv")
    expected = g * (x @ w + c - m) / np.sqrt(v + np.float64(np.float32(0.01))) + b
    np.testing.assert_allclose(net(x), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"kernel_shape": [1], "strides": [2], "auto_pad": "SAME_LOWER"}, [3, 4, 5]),
        ({"kernel_shape": [2], "strides": [2], "auto_pad": "SAME_LOWER"}, [3, 4, 5]),
        ({"kernel_shape": [3], "strides": [2], "auto_pad": "SAME_LOWER"}, [3, 4, 5]),
        ({"kernel_shape": [2], "auto_pad": "SAME_UPPER", "ceil_mode": 1}, [3, 4, 4, 5, 5]),
        ({"kernel_shape": [1], "strides": [3], "auto_pad": "SAME_UPPER", "ceil_mode": 1}, [3, 1]),
        ({"kernel_shape": [3], "pads": [0, 1]}, [4, 4, 5, 5]),
        ({"kernel_shape": [3], "pads": [1, 0], "dilations": [2]}, [1, 5]),
        ({"kernel_shape": [2], "pads": [1, 1], "ceil_mode": 1}, [3, 3, 4, 4, 5, 5]),
        ({"kernel_shape": [2], "strides": [2], "ceil_mode": 1}, [3, 4, 5]),
        ({"kernel_shape": [2], "strides": [3], "pads": [0, 1], "ceil_mode": 1}, [3, 5]),
    ],
)
def test_max_pooling_is_read_also_where_the_evaluator_is_wrong(attributes, expected, onnx_tools):
    net = importers.load(onnx_tools.model([("MaxPool", "x", "y", attributes)], (1, 1, 5)))
    assert not any("not compared" in note for note in net.notes)
    assert net(np.array([[3.0, 1.0, 4.0, 1.0, 5.0]])).tolist() == [expected]
    # The same along the second of two axes; pads come as all befores, then all afters.
    both = {
        name: [1, *value] if isinstance(value, list) else value
        for name, value in attributes.items()
    }
    if "pads" in attributes:
        before, after = attributes["pads"]
        both["pads"] = [0, before, 0, after]
    net = importers.load(onnx_tools.model([("MaxPool", "x", "y", both)], (1, 1, 2, 5)))
    rows = np.array([[[3.0, 1.0, 4.0, 1.0, 5.0], [0.0, 0.0, 0.0, 0.0, 0.0]]])
    assert net(rows).tolist() == [[expected, [0.0] * len(expected)]]


@pytest.mark.parametrize("shape", [SIGNAL, IMAGE, VOLUME])
def test_global_max_pooling_takes_all_spatial_axes(shape, onnx_tools):
    net = importers.load(onnx_tools.model([("GlobalMaxPool", "x", "y")], shape))
    x = f32(*shape[1:]).astype(np.float64)
    assert net(x).reshape(-1).tolist() == x.reshape(shape[1], -1).max(axis=1).tolist()


def test_indices_of_max_pooling_may_be_named(onnx_tools):
    nodes = [("MaxPool", "x", "y i", {"kernel_shape": [2]})]
    net = importers.load(onnx_tools.model(nodes, SIGNAL))
    assert not any("not compared" in note for note in net.notes)
