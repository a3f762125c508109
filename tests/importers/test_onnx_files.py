# SPDX-License-Identifier: MIT
"""ONNX files: shapes, outputs, opsets, damaged bytes, and random networks."""

from __future__ import annotations

import contextlib
import logging

import numpy as np
import pytest

from linear_regions.errors import CorruptFile, InvalidInput, MissingExtra, Unsupported
from linear_regions.importers import load
from linear_regions.importers.onnx import OnnxImporter

onnx = pytest.importorskip("onnx")

RNG = np.random.default_rng(11)


def f32(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


W = {"w": f32(6, 3), "b": f32(3)}
GEMM = [("Gemm", "x w b", "y")]


# ---- input shapes ----


@pytest.mark.parametrize("dims", [(1, 6), (None, 6), ("batch", 6)])
def test_first_axis_is_the_batch_when_it_is_one_or_open(dims, onnx_tools, rng):
    net = onnx_tools.check(onnx_tools.model(GEMM, dims, W), rng)
    assert net.input_shape == (6,)
    assert net.output_shape == (3,)


def test_axes_of_length_one_stay_in_the_input_shape(onnx_tools, rng):
    nodes = [("Flatten", "x", "h"), ("Gemm", "h w b", "y")]
    net = onnx_tools.check(onnx_tools.model(nodes, (1, 1, 1, 6), W), rng)
    assert net.input_shape == (1, 1, 6)


def test_fixed_first_axis_above_one_asks_what_it_is(onnx_tools, rng):
    model = onnx_tools.model(GEMM, (4, 6), W)
    with pytest.raises(Unsupported, match=r"input_shape=\(6,\); else give input_shape=\(4, 6\)"):
        load(model)
    assert load(model, input_shape=(6,)).output_shape == (3,)
    net = onnx_tools.check(model, rng, input_shape=(4, 6))
    assert net.output_shape == (4, 3)


def test_open_lengths_need_input_shape(onnx_tools):
    model = onnx_tools.model([("GlobalMaxPool", "x", "y")], (None, 2, None, None))
    with pytest.raises(Unsupported, match=r"\(\?, 2, \?, \?\); give input_shape="):
        load(model)
    assert load(model, input_shape=(2, 4, 5)).output_shape == (2, 1, 1)


def test_input_without_shape_needs_input_shape(onnx_tools):
    model = onnx_tools.model(GEMM, None, W)
    with pytest.raises(Unsupported, match="has no shape"):
        load(model)
    assert load(model, input_shape=6).input_shape == (6,)


@pytest.mark.parametrize("shape", [(5,), (6, 1), (2, 6)])
def test_input_shape_that_does_not_fit_is_refused(shape, onnx_tools):
    with pytest.raises(InvalidInput, match="does not fit input_shape="):
        load(onnx_tools.model(GEMM, (1, 6), W), input_shape=shape)


def test_given_input_shape_that_a_layer_refuses_is_invalid_input(onnx_tools):
    model = onnx_tools.model([("Conv", "x w", "y")], (None, 2, None, None), {"w": f32(3, 2, 4, 4)})
    with pytest.raises(InvalidInput, match="Conv 'conv_0'"):
        load(model, input_shape=(2, 3, 3))


def test_file_that_contradicts_itself_is_corrupt(onnx_tools):
    model = onnx_tools.model([("Conv", "x w", "y")], (1, 2, 3, 3), {"w": f32(3, 2, 4, 4)})
    with pytest.raises(CorruptFile, match="Conv 'conv_0'"):
        load(model)


def test_initializers_may_be_inputs_as_well(onnx_tools):
    from onnx import helper

    model = onnx_tools.model(GEMM, (1, 6), W)
    model.graph.input.append(helper.make_tensor_value_info("w", 1, (6, 3)))
    assert load(model).input_shape == (6,)


def test_scalar_output_becomes_one_entry(onnx_tools):
    nodes = [("Gemm", "x w", "h"), ("Squeeze", "h", "y")]
    assert load(onnx_tools.model(nodes, (1, 6), {"w": f32(6, 1)})).output_shape == (1,)


# ---- outputs ----


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax", "Sigmoid", "ArgMax"])
def test_last_operator_without_regions_is_cut_on_demand(op, onnx_tools):
    model = onnx_tools.model([("Gemm", "x w b", "h"), (op, "h", "y")], (1, 6), W)
    with pytest.raises(Unsupported, match=rf"{op} '{op.lower()}_1': .*drop_output=True"):
        load(model)
    net = load(model, drop_output=True)
    assert onnx_tools.names(net) == ["Affine"]
    assert net.notes == (f"cut at the end: {op} '{op.lower()}_1'",)


def test_several_last_operators_are_cut(onnx_tools):
    nodes = [
        ("Gemm", "x w b", "h"),
        ("Softmax", "h", "p"),
        ("ArgMax", "p", "i", {"axis": 1}),
        ("Identity", "i", "j"),
        ("Cast", "j", "y", {"to": 6}),
    ]
    net = load(onnx_tools.model(nodes, (1, 6), W), drop_output=True)
    assert onnx_tools.names(net) == ["Affine"]
    assert [note.split()[-2] for note in net.notes] == ["ArgMax", "Softmax"]


def test_drop_output_changes_nothing_where_nothing_is_to_drop(onnx_tools):
    net = load(onnx_tools.model(GEMM, (1, 6), W), drop_output=True)
    assert net.notes == ()


def test_softmax_inside_is_refused_in_any_case(onnx_tools):
    nodes = [("Softmax", "x", "h"), ("Relu", "h", "y")]
    for drop in (False, True):
        with pytest.raises(Unsupported, match="Softmax 'softmax_0'.*not piecewise linear"):
            load(onnx_tools.model(nodes, (1, 6)), drop_output=drop)


def test_two_outputs_are_refused_by_name(onnx_tools):
    nodes = [("Relu", "x", "y"), ("Abs", "x", "z")]
    with pytest.raises(Unsupported, match=r"one output, the model has \['y', 'z'\]"):
        load(onnx_tools.model(nodes, (1, 6), outputs=("y", "z")))


def test_two_inputs_are_refused_by_name(onnx_tools):
    model = onnx_tools.model([("Add", "x z", "y")], (1, 6), inputs=("x", "z"))
    with pytest.raises(Unsupported, match=r"one input, the model has \['x', 'z'\]"):
        load(model)


def test_integer_input_is_refused(onnx_tools):
    with pytest.raises(Unsupported, match="not a tensor of floating point"):
        load(onnx_tools.model([("Neg", "x", "y")], (1, 6), elem_type=7))


def test_model_that_computes_nothing_is_refused(onnx_tools):
    with pytest.raises(Unsupported, match="its output is its input"):
        load(onnx_tools.model([("Identity", "x", "y")], (1, 6)))


def test_output_that_ignores_the_input_is_corrupt(onnx_tools):
    model = onnx_tools.model([("Relu", "w", "y")], (1, 6), W)
    with pytest.raises(CorruptFile, match="does not depend on its input"):
        load(model)


def test_branches_that_the_output_does_not_need_are_not_read(onnx_tools):
    nodes = [("Exp", "x", "e"), ("Relu", "x", "y")]
    assert onnx_tools.names(load(onnx_tools.model(nodes, (1, 6)))) == ["Pointwise"]


# ---- weights and functions ----


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
    net = load(model)
    np.testing.assert_array_equal(net.layers[0].weight, values.T)


def test_weights_without_raw_data_are_read(onnx_tools, rng):
    from onnx import helper

    weight = helper.make_tensor("w", 1, (6, 2), f32(12).tolist())
    assert not weight.raw_data
    onnx_tools.check(onnx_tools.model([("MatMul", "x w", "y")], (1, 6), {"w": weight}), rng)


def test_local_functions_are_inlined(onnx_tools, rng):
    from onnx import helper

    model = onnx_tools.model(
        [helper.make_node("Shifted", ["x", "c"], ["y"], domain="own", name="call")],
        (1, 6),
        {"c": f32(6)},
        domains=(("own", 1),),
    )
    body = [helper.make_node("Add", ["a", "b"], ["s"]), helper.make_node("Relu", ["s"], ["r"])]
    function = helper.make_function(
        "own", "Shifted", ["a", "b"], ["r"], body, [helper.make_opsetid("", 17)]
    )
    model.functions.append(function)
    assert onnx_tools.names(load(model)) == ["Scale", "Pointwise"]


# ---- files ----


@pytest.fixture
def sample(onnx_tools, tmp_path):
    """Return a file with a small convolutional network, and its bytes."""
    nodes = [
        ("Conv", "x k c", "h", {"pads": [1, 1, 1, 1]}),
        ("Relu", "h", "r"),
        ("MaxPool", "r", "p", {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Flatten", "p", "f"),
        ("Gemm", "f w b", "y", {"transB": 1}),
    ]
    constants = {"k": f32(2, 1, 3, 3), "c": f32(2), "w": f32(3, 8), "b": f32(3)}
    path = tmp_path / "sample.onnx"
    path.write_bytes(onnx_tools.model(nodes, (1, 1, 4, 4), constants).SerializeToString())
    return path, path.read_bytes()


def test_file_loads_by_string_and_by_path(sample):
    path, _ = sample
    assert load(path) == load(str(path)) == load(onnx.load(path))


def test_file_cut_anywhere_is_one_clear_error(sample):
    path, data = sample
    whole = load(path)
    for end in range(len(data)):
        path.write_bytes(data[:end])
        message, net = str(path), whole
        try:
            net = load(path)
        except (CorruptFile, Unsupported) as error:
            message = str(error)
        assert str(path) in message
        # Only what follows the last needed field may be missing.
        assert net == whole


def test_flipped_bytes_never_end_in_another_kind_of_error(sample):
    path, data = sample
    rng = np.random.default_rng(3)
    for _ in range(600):
        broken = bytearray(data)
        for place in rng.integers(0, len(data), size=rng.integers(1, 4)):
            broken[place] = rng.integers(0, 256)
        path.write_bytes(bytes(broken))
        with contextlib.suppress(CorruptFile, Unsupported):
            load(path)


@pytest.mark.parametrize(
    "content", [b"", b"not a model", b"\x00" * 64, b"PK\x03\x04" + b"\x01" * 9]
)
def test_other_bytes_are_corrupt(content, tmp_path):
    path = tmp_path / "other.onnx"
    path.write_bytes(content)
    with pytest.raises(CorruptFile, match=r"other\.onnx"):
        load(path)


def test_missing_file_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.onnx")


def test_external_data_are_read_and_missed(onnx_tools, tmp_path):
    model = onnx_tools.model(GEMM, (1, 6), W)
    path = tmp_path / "external.onnx"
    expected = load(model)
    onnx.save_model(
        model, path, save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    weights = tmp_path / "weights.bin"
    assert load(path) == expected
    data = weights.read_bytes()
    weights.write_bytes(data[: len(data) // 2])
    with pytest.raises(CorruptFile):
        load(path)
    weights.unlink()
    with pytest.raises(CorruptFile, match="external data"):
        load(path)


def test_without_onnx_the_extra_is_named(monkeypatch, sample):
    path, _ = sample
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(MissingExtra, match=r"linear-regions\[onnx\]"):
        load(path)


# ---- the comparison ----


def test_largest_difference_goes_to_the_log(sample, caplog):
    path, _ = sample
    with caplog.at_level(logging.DEBUG, logger="linear_regions.importers"):
        load(path)
    assert any("largest difference" in record.message for record in caplog.records)


def test_misread_attribute_is_caught(onnx_tools, monkeypatch):
    from linear_regions.importers import _piecewise
    from linear_regions.importers.onnx import HANDLERS

    monkeypatch.setitem(
        HANDLERS,
        "LeakyRelu",
        lambda graph, node: _piecewise.leaky(graph.tape, graph.tensor(node), 0.0101),
    )
    with pytest.raises(Unsupported, match="differ by"):
        load(onnx_tools.model([("LeakyRelu", "x", "y")], (1, 6)))


def test_other_number_of_outputs_is_caught(onnx_tools, monkeypatch):
    from linear_regions.importers.onnx import HANDLERS

    monkeypatch.setitem(HANDLERS, "Relu", HANDLERS["GlobalMaxPool"])
    with pytest.raises(Unsupported, match="16 outputs for one sample, the imported network 1"):
        load(onnx_tools.model([("Relu", "x", "y")], (1, 1, 4, 4)))


def test_overflow_of_the_model_itself_is_no_difference(onnx_tools):
    huge = np.full((6, 3), 3e38, np.float32)
    nodes = [("Cast", "x", "h", {"to": 1}), ("MatMul", "h w", "y")]
    assert load(onnx_tools.model(nodes, (1, 6), {"w": huge})).output_shape == (3,)


def test_importer_accepts_only_its_own():
    importer = OnnxImporter()
    assert importer.accepts("a/b.ONNX")
    assert not importer.accepts("a/b.npz")
    assert not importer.accepts([1])


# ---- random networks ----


def random_model(onnx_tools, seed: int):
    """Return a random network of convolutions, pools, links and matrices."""
    rng = np.random.default_rng(seed)
    channels, side = int(rng.integers(1, 4)), int(rng.integers(6, 10))
    dims = (1, channels, side, side)
    nodes, constants, names = [], {}, iter(f"t{i}" for i in range(99))
    tensor, shape = "x", [channels, side, side]

    def constant(*shape: int) -> str:
        name = f"c{len(constants)}"
        constants[name] = (rng.standard_normal(shape) / np.sqrt(max(shape[-1], 1))).astype("f")
        return name

    def emit(op: str, inputs: str, **attributes: object) -> str:
        name = next(names)
        nodes.append((op, inputs, name, attributes))
        return name

    for _ in range(int(rng.integers(2, 5))):
        kind = rng.integers(0, 6)
        c, h, w = shape
        if kind <= 1 or (kind == 3 and min(h, w) < 3):
            filters = int(rng.integers(1, 5))
            tensor = emit(
                "Conv", f"{tensor} {constant(filters, c, 3, 3)} {constant(filters)}", pads=[1] * 4
            )
            shape = [filters, h, w]
        elif kind == 2:
            before = tensor
            tensor = emit("Conv", f"{tensor} {constant(c, c, 1, 1)}")
            tensor = emit("Relu", tensor)
            tensor = emit("Add", f"{tensor} {before}")
        elif kind == 3:
            op = "MaxPool" if rng.random() < 0.5 else "AveragePool"
            tensor = emit(op, tensor, kernel_shape=[2, 2], strides=[2, 2])
            shape = [c, h // 2, w // 2]
        elif kind == 4:
            other = emit("LeakyRelu", tensor, alpha=0.3)
            tensor = emit("Concat", f"{tensor} {other}", axis=1)
            shape = [2 * c, h, w]
        else:
            for i in "sbmv":
                name = constant(c)
                if i == "v":
                    constants[name] = np.abs(constants[name]) + np.float32(0.5)
            a, b, m, v = list(constants)[-4:]
            tensor = emit("BatchNormalization", f"{tensor} {a} {b} {m} {v}")
        tensor = emit(str(rng.choice(["Relu", "Abs", "HardSigmoid", "Identity"])), tensor)
    tensor = emit("Flatten", tensor)
    n = int(np.prod(shape))
    tensor = emit("Gemm", f"{tensor} {constant(n, 5)} {constant(5)}")
    tensor = emit("Relu", tensor)
    nodes.append(("MatMul", f"{tensor} {constant(5, 2)}", "y"))
    return onnx_tools.model(nodes, dims, constants)


@pytest.mark.parametrize("seed", range(40))
def test_random_network_agrees_with_the_evaluator(seed, onnx_tools, rng):
    model = random_model(onnx_tools, seed)
    folded = onnx_tools.check(model, rng)
    kept = onnx_tools.check(model, rng, fold=False)
    assert len(kept.layers) >= len(folded.layers)
    assert folded.n_units == kept.n_units


# ---- published networks ----


def test_every_published_network_loads(data_folder):
    paths = sorted(data_folder.glob("*/*.onnx"))
    assert paths
    for path in paths:
        net = load(path)
        assert net.notes == (), path


def test_published_networks_have_the_units_of_their_truth(data_folder):
    import json

    truth = json.loads((data_folder / "truth.json").read_text())
    for case in truth["cases"]:
        net = load(data_folder / case["network"])
        units = [
            layer.n_units(*net.input_shapes(i))
            for i, layer in enumerate(net.layers)
            if type(layer).__name__ == "Pointwise"
        ]
        assert units == case["relu_units"], case["case"]
