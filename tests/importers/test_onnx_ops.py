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
    # ---- batch normalisation ----
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
    # ---- moving ----
    "flatten": ([("Flatten", "x", "h"), ("Relu", "h", "y")], IMAGE, {}, 17, None),
    "flatten axis": (
        [("Flatten", "x", "h", {"axis": -1}), ("Gemm", "h w", "y")],
        (1, 1, 1, 6),
        {"w": f32(6, 2)},
        17,
        None,
    ),
    "reshape": ([("Reshape", "x s", "y")], IMAGE, {"s": i64(0, -1, 5)}, 17, ["Reshape"]),
    "transpose": ([("Transpose", "x", "y", {"perm": [0, 2, 3, 1]})], IMAGE, {}, 17, None),
    "transpose default": ([("Transpose", "x", "y")], (1, 4, 5), {}, 17, None),
    "transpose twice": (
        [
            ("Transpose", "x", "h", {"perm": [0, 2, 3, 1]}),
            ("Relu", "h", "r"),
            ("Transpose", "r", "y", {"perm": [0, 3, 1, 2]}),
        ],
        IMAGE,
        {},
        17,
        None,
    ),
    "transpose back": (
        [
            ("Transpose", "x", "h", {"perm": [0, 2, 3, 1]}),
            ("Transpose", "h", "r", {"perm": [0, 3, 1, 2]}),
            ("Relu", "r", "y"),
        ],
        IMAGE,
        {},
        17,
        ["Pointwise"],
    ),
    "squeeze": (
        [("Squeeze", "x a", "h"), ("Relu", "h", "y")],
        (1, 1, 6, 1),
        {"a": i64(1, -1)},
        13,
        None,
    ),
    "squeeze all": ([("Squeeze", "x", "h"), ("Relu", "h", "y")], (1, 1, 6), {}, 13, None),
    "squeeze attribute": (
        [("Squeeze", "x", "h", {"axes": [1]}), ("Relu", "h", "y")],
        (1, 1, 6),
        {},
        11,
        None,
    ),
    "unsqueeze": (
        [("Unsqueeze", "x a", "h"), ("Conv", "h w", "y")],
        (1, 6),
        {"a": i64(1), "w": f32(2, 1, 3)},
        13,
        ["Reshape", "Conv"],
    ),
    "unsqueeze attribute": (
        [("Unsqueeze", "x", "h", {"axes": [1, 3]}), ("Conv", "h w", "y")],
        (1, 6),
        {"w": f32(2, 1, 3, 1)},
        11,
        ["Reshape", "Conv"],
    ),
    "concat": (
        [("Relu", "x", "r"), ("Concat", "x r x", "y", {"axis": 1})],
        IMAGE,
        {},
        17,
        ["Pointwise", "Concat"],
    ),
    "concat of rows": (
        [("Relu", "x", "r"), ("Concat", "x r", "y", {"axis": -1})],
        IMAGE,
        {},
        17,
        None,
    ),
    "concat of features": (
        [("Abs", "x", "r"), ("Concat", "r x", "y", {"axis": 1})],
        VECTOR,
        {},
        17,
        ["Pointwise", "Concat"],
    ),
    "concat with a constant": (
        [("Concat", "c x", "y", {"axis": 1})],
        VECTOR,
        {"c": f32(1, 2)},
        17,
        ["Affine", "Concat"],
    ),
    "identity and dropout": (
        [("Identity", "x", "h"), ("Dropout", "h", "d"), ("Relu", "d", "y")],
        VECTOR,
        {},
        17,
        ["Pointwise"],
    ),
    "dropout by inputs": (
        [("Dropout", "x p t", "d"), ("Relu", "d", "y")],
        VECTOR,
        {"p": np.float32(0.5), "t": np.array(False)},
        17,
        ["Pointwise"],
    ),
    "pad": ([("Pad", "x p", "y")], IMAGE, {"p": i64(0, 0, 1, 2, 0, 0, 0, 3)}, 17, ["Pad"]),
    "pad by a value": (
        [("Pad", "x p c", "y")],
        IMAGE,
        {"p": i64(0, 0, 1, 2, 0, 0, 0, 3), "c": np.float32(-1.5)},
        17,
        ["Pad"],
    ),
    "pad axes": (
        [("Pad", "x p o a", "y")],
        IMAGE,
        {"p": i64(1, 2), "o": np.float32(0), "a": i64(-1)},
        18,
        ["Pad"],
    ),
    "pad attributes": (
        [("Pad", "x", "y", {"pads": [0, 0, 1, 1, 0, 0, 1, 1], "value": 0.5})],
        IMAGE,
        {},
        10,
        ["Pad"],
    ),
    "pad channels": ([("Pad", "x p", "y")], IMAGE, {"p": i64(0, 1, 0, 0, 0, 2, 1, 0)}, 17, None),
    "pad features": ([("Pad", "x p", "y")], VECTOR, {"p": i64(0, 1, 0, 2)}, 17, None),
    "pad edge": (
        [("Pad", "x p", "y", {"mode": "edge"})],
        IMAGE,
        {"p": i64(0, 0, 1, 0, 0, 0, 0, 2)},
        17,
        None,
    ),
    "pad reflect": (
        [("Pad", "x p", "y", {"mode": "reflect"})],
        IMAGE,
        {"p": i64(0, 0, 1, 2, 0, 0, 2, 0)},
        17,
        None,
    ),
    "slice": (
        [("Slice", "x s e a", "y")],
        IMAGE,
        {"s": i64(1, -3), "e": i64(3, 2**62), "a": i64(1, 3)},
        17,
        None,
    ),
    "slice backwards": (
        [("Slice", "x s e a t", "y")],
        VECTOR,
        {"s": i64(-1), "e": i64(-(2**62)), "a": i64(1), "t": i64(-2)},
        17,
        ["Affine"],
    ),
    "slice attributes": (
        [("Slice", "x", "y", {"starts": [1], "ends": [3], "axes": [1]})],
        IMAGE,
        {},
        9,
        ["Conv"],
    ),
    "gather": (
        [("Gather", "x i", "y", {"axis": 1})],
        IMAGE,
        {"i": i64(2, 0, -1, 2)},
        17,
        ["Conv"],
    ),
    "gather one": (
        [("Gather", "x i", "y", {"axis": 2})],
        IMAGE,
        {"i": np.array(3, np.int64)},
        17,
        None,
    ),
    "split": (
        [
            ("Split", "x s", "a b", {"axis": 1}),
            ("Relu", "b", "r"),
            ("Concat", "r a", "y", {"axis": 1}),
        ],
        IMAGE,
        {"s": i64(1, 3)},
        17,
        None,
    ),
    "split evenly": (
        [("Split", "x", "a b", {"axis": -1}), ("Max", "a b", "y")],
        VECTOR,
        {},
        11,
        None,
    ),
    "expand": ([("Expand", "x s", "y")], (1, 4, 1), {"s": i64(1, 1, 3)}, 17, None),
    "tile": ([("Tile", "x s", "y")], VECTOR, {"s": i64(1, 3)}, 17, ["Affine"]),
    "shape arithmetic": (
        [
            ("Shape", "x", "s"),
            ("Gather", "s z", "n", {"axis": 0}),
            ("Unsqueeze", "n z1", "n1"),
            ("Concat", "n1 m", "t", {"axis": 0}),
            ("Reshape", "x t", "h"),
            ("Gemm", "h w", "y"),
        ],
        IMAGE,
        {"z": np.array(0, np.int64), "z1": i64(0), "m": i64(-1), "w": f32(120, 2)},
        17,
        ["Flatten", "Affine"],
    ),
    "transposed weights": (
        [("Transpose", "w", "t", {"perm": [1, 0]}), ("MatMul", "x t", "y")],
        VECTOR,
        {"w": f32(3, 6)},
        17,
        ["Affine"],
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
    from linear_regions.importers.onnx import HANDLERS

    met = {node[0] for nodes, *_ in CASES.values() for node in nodes}
    assert set(HANDLERS) - met == {"Cast", "Size"}


def test_constant_nodes_of_every_kind_are_read(onnx_tools, rng):
    from onnx import helper, numpy_helper

    nodes = [
        helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(f32(6, 3))),
        helper.make_node("Constant", [], ["f"], value_float=0.5),
        helper.make_node("Constant", [], ["fs"], value_floats=[1.0, 2.0, 3.0]),
        helper.make_node("Constant", [], ["i"], value_ints=[1, 3, 1]),
        helper.make_node("Constant", [], ["one"], value_int=1),
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Mul", ["a", "f"], ["b"]),
        helper.make_node("Add", ["b", "fs"], ["c"]),
        helper.make_node("Gather", ["c", "one"], ["g"], axis=1),
        helper.make_node("Unsqueeze", ["g", "zero"], ["h"]),
        helper.make_node("Add", ["c", "h"], ["d"]),
        helper.make_node("Reshape", ["d", "i"], ["y"]),
    ]
    model = onnx_tools.model(nodes, VECTOR, {"zero": i64(0)})
    net = onnx_tools.check(model, rng)
    assert net.output_shape == (3, 1)


def test_size_and_casts_of_shapes_are_constants(onnx_tools, rng):
    nodes = [
        ("Size", "x", "n"),
        ("Cast", "n", "m", {"to": 7}),
        ("Reshape", "m one", "k"),
        ("Concat", "one k", "s", {"axis": 0}),
        ("Reshape", "x s", "h"),
        ("Relu", "h", "y"),
    ]
    net = onnx_tools.check(onnx_tools.model(nodes, IMAGE, {"one": i64(1)}), rng)
    assert net.output_shape == (120,)


def test_cast_to_single_precision_is_read_and_lowers_the_check(onnx_tools, rng):
    nodes = [("Cast", "x", "h", {"to": 1}), ("MatMul", "h w", "y")]
    model = onnx_tools.model(nodes, VECTOR, {"w": f32(6, 3)})
    assert onnx_tools.names(onnx_tools.check(model, rng)) == ["Affine"]


@pytest.mark.parametrize("dtype", ["float16", "float64", "bfloat16"])
def test_weights_of_other_types_convert_exactly(dtype, onnx_tools):
    import onnx
    from onnx import helper, numpy_helper

    values = np.array([[1.5, -0.25], [2.0, 0.125], [-3.0, 1.0]])
    code = {
        "float16": onnx.TensorProto.FLOAT16,
        "float64": onnx.TensorProto.DOUBLE,
        "bfloat16": onnx.TensorProto.BFLOAT16,
    }[dtype]
    if dtype == "bfloat16":
        weight = helper.make_tensor("w", code, (3, 2), values.reshape(-1))
    else:
        weight = numpy_helper.from_array(values.astype(dtype), "w")
    model = onnx_tools.model([("MatMul", "x w", "y")], (1, 3), {"w": weight}, elem_type=code)
    net = importers.load(model)
    np.testing.assert_array_equal(net.layers[0].weight, values.T)


def test_weights_without_raw_data_are_read(onnx_tools, rng):
    from onnx import helper

    weight = helper.make_tensor("w", 1, (6, 2), f32(12).tolist())
    assert not weight.raw_data
    onnx_tools.check(onnx_tools.model([("MatMul", "x w", "y")], VECTOR, {"w": weight}), rng)


def test_local_functions_are_inlined(onnx_tools, rng):
    from onnx import helper

    model = onnx_tools.model(
        [helper.make_node("Shifted", ["x", "c"], ["y"], domain="own", name="call")],
        VECTOR,
        {"c": f32(6)},
        domains=(("own", 1),),
    )
    body = [helper.make_node("Add", ["a", "b"], ["s"]), helper.make_node("Relu", ["s"], ["r"])]
    function = helper.make_function(
        "own", "Shifted", ["a", "b"], ["r"], body, [helper.make_opsetid("", 17)]
    )
    model.functions.append(function)
    assert onnx_tools.names(importers.load(model)) == ["Scale", "Pointwise"]


def test_batch_norm_of_old_models_uses_the_stored_statistics(onnx_tools):
    constants = {"w": f32(6, 4), "c": f32(4), **BN}
    nodes = [("Gemm", "x w c", "h"), ("BatchNormalization", "h g b m v", "y", {"epsilon": 0.01})]
    net = importers.load(onnx_tools.model(nodes, VECTOR, constants, opset=9))
    assert not any("not compared" in note for note in net.notes)
    x = f32(5, 6).astype(np.float64)
    w, c, g, b, m, v = (constants[k].astype(np.float64) for k in "wcgbmv")
    expected = g * (x @ w + c - m) / np.sqrt(v + np.float64(np.float32(0.01))) + b
    np.testing.assert_allclose(net(x), expected, rtol=1e-12)


def test_negative_padding_cuts_and_says_that_nothing_was_compared(onnx_tools):
    # ONNX's own evaluator cannot do it.
    constants = {"p": i64(0, -1, 0, 1, 0, 0, -2, 0)}
    net = importers.load(onnx_tools.model([("Pad", "x p", "y")], IMAGE, constants))
    x = f32(2, 4, 5, 6).astype(np.float64)
    np.testing.assert_array_equal(net(x), np.pad(x[:, 1:, :-2], ((0, 0), (0, 0), (0, 0), (1, 0))))
    assert any(note.startswith("not compared with the model") for note in net.notes)
