# SPDX-License-Identifier: MIT
"""ONNX models that are refused: the message has operator and node."""

from __future__ import annotations

import numpy as np
import pytest

from linear_regions.errors import CorruptFile, Unsupported
from linear_regions.importers import load

onnx = pytest.importorskip("onnx")

RNG = np.random.default_rng(12)


def f32(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


W = {"w": f32(6, 3), "b": f32(3)}

REFUSED = {
    "curved": ([("Tanh", "x", "y")], {}, "Tanh 'tanh_0'.*not piecewise linear"),
    "jump": ([("Floor", "x", "y")], {}, "Floor 'floor_0'.*not continuous"),
    "unknown": ([("CumSum", "x a", "y")], {"a": np.int64(1)}, "CumSum 'cumsum_0'"),
    "product": ([("Mul", "x x", "y")], {}, "Mul 'mul_0'.*two computed"),
    "matrix product": ([("MatMul", "x x", "y")], {}, "MatMul 'matmul_0'.*two computed"),
    "gemm": ([("Gemm", "x x", "y")], {}, "Gemm 'gemm_0'.*two computed"),
    "quotient": ([("Div", "b x", "y")], W, "Div 'div_0'.*dividing by a computed"),
    "division by zero": (
        [("Div", "x z", "y")],
        {"z": np.zeros(6, np.float32)},
        "Div 'div_0'.*divides by zero",
    ),
    "computed weight": ([("Conv", "x x", "y")], {}, "Conv 'conv_0'.*weight depends on the input"),
    "computed shape": (
        [("Cast", "x", "s", {"to": 7}), ("Reshape", "x s", "y")],
        {},
        "Cast 'cast_0'.*rounds",
    ),
    "training batch norm": (
        [("BatchNormalization", "x b b b b", "y r s", {"training_mode": 1})],
        W,
        "BatchNormalization 'batchnormalization_0'.*inference",
    ),
    "training dropout": (
        [("Dropout", "x p t", "y")],
        {"p": np.float32(0.5), "t": np.array(True)},
        "Dropout 'dropout_0'.*at random",
    ),
    "thresholds of the wrong kind": (
        [("Shrink", "x", "y", {"bias": 0.0, "lambd": 0.5})],
        {},
        "Shrink 'shrink_0'.*not continuous",
    ),
    "indices": (
        [("Unsqueeze", "x a", "u"), ("MaxPool", "u", "m i", {"kernel_shape": [2]}),
         ("Cast", "i", "f", {"to": 1}), ("Add", "f m", "y")],
        {"a": np.array([0], np.int64)},
        "Cast 'cast_2'.*second output",
    ),
    "not finite": (
        [("Add", "x n", "y")],
        {"n": np.full(6, np.nan, np.float32)},
        "Add 'add_0'.*not finite",
    ),
    "several shapes": (
        [("Add", "x n", "y")],
        {"n": np.ones(4, np.float32)},
        "Add 'add_0'.*does not broadcast",
    ),
    "sum of several shapes": (
        [("Gemm", "x w", "h"), ("Add", "h x", "y")],
        W,
        "Add 'add_1'.*do not broadcast",
    ),
    "join of several shapes": (
        [("Gemm", "x w", "h"), ("Concat", "h x", "y", {"axis": 0})],
        W,
        "Concat 'concat_1'.*cannot join",
    ),
    "matrix of another size": ([("MatMul", "x b", "y")], W, "MatMul 'matmul_0'.*expect 3 features"),
    "matrix from the left": ([("MatMul", "w x", "y")], W, "MatMul 'matmul_0'.*cannot multiply"),
    "stack of matrices": (
        [("MatMul", "x s", "y")],
        {"s": np.ones((2, 6, 3), np.float32)},
        "MatMul 'matmul_0'.*stack of matrices",
    ),
    "gemm of a vector": (
        [("Flatten", "x", "f"), ("Squeeze", "f", "h"), ("Gemm", "h w", "y")],
        W,
        "Gemm 'gemm_2'.*expected two matrices",
    ),
    "reshape": (
        [("Reshape", "x s", "y")],
        {"s": np.array([4, 2], np.int64)},
        "Reshape 'reshape_0'.*cannot reshape",
    ),
    "empty slice": (
        [("Slice", "x s s a", "y")],
        {"s": np.array([2], np.int64), "a": np.array([1], np.int64)},
        "Slice 'slice_0'.*empty",
    ),
    "axis": ([("Flatten", "x", "y", {"axis": 5})], {}, "Flatten 'flatten_0'.*axis 5"),
    "axes": (
        [("Unsqueeze", "x a", "y")],
        {"a": np.array([7], np.int64)},
        "Unsqueeze 'unsqueeze_0'.*do not exist",
    ),
    "perm": ([("Transpose", "x", "y", {"perm": [0, 0]})], {}, "Transpose 'transpose_0'.*perm"),
    "index": (
        [("Gather", "x i", "y", {"axis": 1})],
        {"i": np.array([6], np.int64)},
        "Gather 'gather_0'.*outside",
    ),
    "index of the wrong type": (
        [("Reshape", "x b", "y")],
        W,
        "Reshape 'reshape_0'.*expected integers",
    ),
    "split": (
        [("Split", "x s", "y z", {"axis": 1})],
        {"s": np.array([2, 2], np.int64)},
        "Split 'split_0'.*cannot split",
    ),
    "repeats": (
        [("Tile", "x s", "y")],
        {"s": np.array([1, 2, 3], np.int64)},
        "Tile 'tile_0'.*repeats",
    ),
    "padding mode": (
        [("Pad", "x p", "y", {"mode": "mirror"})],
        {"p": np.array([0, 1, 0, 1], np.int64)},
        "Pad 'pad_0'.*'mirror'",
    ),
    "pads": (
        [("Pad", "x p", "y")],
        {"p": np.array([0, 1, 0], np.int64)},
        "Pad 'pad_0'.*does not fit",
    ),
    "pool of a vector": (
        [("MaxPool", "x", "y", {"kernel_shape": [2]})],
        {},
        "MaxPool 'maxpool_0'.*does not fit an input",
    ),
    "dilated average": (
        [("Unsqueeze", "x a", "u"),
         ("AveragePool", "u", "y", {"kernel_shape": [2], "dilations": [2]})],
        {"a": np.array([1], np.int64)},
        "AveragePool 'averagepool_1'.*dilation",
    ),
    "conv of a vector": (
        [("Conv", "x k", "y")],
        {"k": np.ones((1, 1, 2), np.float32)},
        "Conv 'conv_0'.*does not fit",
    ),
    "kernel shape": (
        [("Unsqueeze", "x a", "u"), ("Conv", "u k", "y", {"kernel_shape": [3]})],
        {"a": np.array([1], np.int64), "k": np.ones((1, 1, 2), np.float32)},
        "Conv 'conv_1'.*kernel_shape",
    ),
    "channels": (
        [("Unsqueeze", "x a", "u"), ("Conv", "u k", "y")],
        {"a": np.array([1], np.int64), "k": np.ones((1, 2, 2), np.float32)},
        "Conv 'conv_1'.*channels",
    ),
    "auto_pad": (
        [("Unsqueeze", "x a", "u"),
         ("MaxPool", "u", "y", {"kernel_shape": [2], "auto_pad": "SOME"})],
        {"a": np.array([1], np.int64)},
        "MaxPool 'maxpool_1'.*auto_pad",
    ),
    "clip by tensors": (
        [("Clip", "x b", "y")],
        {"b": np.ones(6, np.float32)},
        "Clip 'clip_0'.*one number",
    ),
    "clip to nothing": (
        [("Clip", "x b", "y")],
        {"b": np.float32(np.nan)},
        "Clip 'clip_0'.*cannot clip",
    ),
    "slopes that are not finite": (
        [("PRelu", "x b", "y")],
        {"b": np.float32([np.inf])},
        "PRelu 'prelu_0'.*not finite",
    ),
    "slopes that do not fit": (
        [("PRelu", "x b", "y")],
        {"b": np.ones(5, np.float32)},
        "PRelu 'prelu_0'.*do not broadcast",
    ),
    "statistics": (
        [("BatchNormalization", "x b b b b", "y")],
        W,
        "BatchNormalization 'batchnormalization_0'.*3 channels",
    ),
    "variance": (
        [("Gemm", "x w", "h"), ("BatchNormalization", "h b b b v", "y")],
        {**W, "v": np.full(3, -1.0, np.float32)},
        "BatchNormalization 'batchnormalization_1'.*not positive",
    ),
    "loop": (
        [("Range", "s s s", "r"), ("Add", "x r", "y")],
        {"s": np.float32(1)},
        "Range 'range_0'",
    ),
    "random": (
        [("RandomNormal", "", "r", {"shape": [1, 6]}), ("Add", "x r", "y")],
        {},
        "RandomNormal",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refusal_names_operator_and_node(name, onnx_tools):
    nodes, constants, message = REFUSED[name]
    model = onnx_tools.model(nodes, (1, 6), constants, opset=19)
    with pytest.raises(Unsupported, match=message):
        load(model)


def test_operator_of_another_domain_is_refused_by_domain(onnx_tools):
    node = onnx.helper.make_node("FusedConv", ["x"], ["y"], name="f", domain="com.example")
    model = onnx_tools.model([node], (1, 6), domains=(("com.example", 1),))
    with pytest.raises(Unsupported, match="FusedConv 'f' is an operator of com.example"):
        load(model)


def test_old_and_future_opsets_are_refused(onnx_tools):
    relu = [("Relu", "x", "y")]
    with pytest.raises(Unsupported, match="opset 6 is too old"):
        load(onnx_tools.model(relu, (1, 6), opset=6))
    with pytest.raises(Unsupported, match="opset 999 is newer"):
        load(onnx_tools.model(relu, (1, 6), opset=999))


@pytest.mark.parametrize(
    ("op", "constants"),
    [("ConstantOfShape", {"s": [10**6, 10**6]}), ("Expand", {"s": [2**40, 1], "w": [1]})],
)
def test_huge_constants_are_refused_before_they_are_made(op, constants, onnx_tools):
    arrays = {k: np.array(v, np.int64 if k == "s" else np.float32) for k, v in constants.items()}
    inputs = " ".join(sorted(arrays, reverse=True))
    model = onnx_tools.model([(op, inputs, "c"), ("Add", "x c", "y")], (1, 6), arrays)
    with pytest.raises(CorruptFile, match="makes"):
        load(model)


def test_huge_padding_is_refused_before_it_is_made(onnx_tools):
    for node in (
        ("Conv", "x w", "y", {"pads": [2**40] * 2}),
        ("MaxPool", "x", "y", {"kernel_shape": [2**30], "pads": [2**30 - 1] * 2}),
    ):
        model = onnx_tools.model([node], (1, 1, 6), {"w": f32(1, 1, 3)})
        with pytest.raises(Unsupported, match="too large"):
            load(model)


def test_attribute_of_the_wrong_type_is_corrupt(onnx_tools):
    model = onnx_tools.model([("LeakyRelu", "x", "y", {"alpha": 0.5})], (1, 6))
    attribute = model.graph.node[0].attribute[0]
    attribute.CopyFrom(onnx.helper.make_attribute("alpha", "text"))
    with pytest.raises(CorruptFile):
        load(model)


def test_tensor_that_no_node_makes_is_corrupt(onnx_tools):
    model = onnx_tools.model([("Relu", "x", "h"), ("Add", "h b", "y")], (1, 6), W)
    del model.graph.initializer[1]
    with pytest.raises(CorruptFile):
        load(model)


def test_sparse_weights_are_refused(onnx_tools):
    model = onnx_tools.model([("MatMul", "x w", "y")], (1, 6), W)
    values = onnx.numpy_helper.from_array(np.float32([1.0]), "s")
    indexes = onnx.numpy_helper.from_array(np.array([0], np.int64))
    sparse = onnx.helper.make_sparse_tensor(values, indexes, [6])
    model.graph.sparse_initializer.append(sparse)
    with pytest.raises(Unsupported, match="sparse"):
        load(model)


def test_single_number_as_input_is_refused(onnx_tools):
    with pytest.raises(Unsupported, match="single number"):
        load(onnx_tools.model([("Relu", "x", "y")], ()))


def test_huge_input_is_corrupt(onnx_tools):
    with pytest.raises(CorruptFile, match="too large"):
        load(onnx_tools.model([("Relu", "x", "y")], (1, 2**20, 2**20)))
