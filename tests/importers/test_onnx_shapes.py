# SPDX-License-Identifier: MIT
"""ONNX operators that only move numbers or tell shapes, in the forms that files have."""

from __future__ import annotations

import numpy as np
import pytest

from linear_regions import importers

pytest.importorskip("onnx")

RNG = np.random.default_rng(8)


def f32(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def i64(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


VECTOR, IMAGE = (1, 6), (1, 4, 5, 6)

# name: (nodes, input, constants, opset, expected layers or None)
CASES = {
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
    from linear_regions.importers._onnx_shapes import HANDLERS

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


def test_negative_padding_cuts_and_says_that_nothing_was_compared(onnx_tools):
    # ONNX's own evaluator cannot do it.
    constants = {"p": i64(0, -1, 0, 1, 0, 0, -2, 0)}
    net = importers.load(onnx_tools.model([("Pad", "x p", "y")], IMAGE, constants))
    x = f32(2, 4, 5, 6).astype(np.float64)
    np.testing.assert_array_equal(net(x), np.pad(x[:, 1:, :-2], ((0, 0), (0, 0), (0, 0), (1, 0))))
    assert any(note.startswith("not compared with the model") for note in net.notes)
