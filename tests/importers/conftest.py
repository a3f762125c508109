# SPDX-License-Identifier: MIT
"""Small ONNX models made by hand, and the comparison with ONNX's own evaluator."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from linear_regions.importers import load


def make_model(
    nodes: list[Any],
    dims: Any,
    constants: dict[str, Any] | None = None,
    *,
    opset: int = 17,
    outputs: tuple[str, ...] = ("y",),
    inputs: tuple[str, ...] = ("x",),
    elem_type: int = 1,
    domains: tuple[tuple[str, int], ...] = (),
) -> Any:
    """Return a model; `nodes` are (operator, inputs, outputs, attributes) or NodeProto."""
    import onnx
    from onnx import helper, numpy_helper

    protos = []
    for i, node in enumerate(nodes):
        if isinstance(node, onnx.NodeProto):
            protos.append(node)
            continue
        op, ins, outs, *rest = node
        attributes = rest[0] if rest else {}
        protos.append(
            helper.make_node(op, ins.split(), outs.split(), name=f"{op.lower()}_{i}", **attributes)
        )
    tensors = [
        array if isinstance(array, onnx.TensorProto) else numpy_helper.from_array(array, name)
        for name, array in (constants or {}).items()
    ]
    graph = helper.make_graph(
        protos,
        "test",
        [helper.make_tensor_value_info(name, elem_type, dims) for name in inputs],
        [helper.make_tensor_value_info(name, elem_type, None) for name in outputs],
        tensors,
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, v) for d, v in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def check(model: Any, rng: np.random.Generator, **options: Any) -> Any:
    """Load a model, compare it with ONNX's evaluator in single precision, return the network."""
    from onnx.reference import ReferenceEvaluator

    net = load(model, **options)
    evaluator = ReferenceEvaluator(model)
    known = {tensor.name for tensor in model.graph.initializer}
    (info,) = [i for i in model.graph.input if i.name not in known]
    batched = len(info.type.tensor_type.shape.dim) > len(net.input_shape)
    for size in (0.3, 1.0, 5.0):
        point = (size * rng.standard_normal(net.input_shape)).astype(np.float32)
        feed = point[None] if batched else point
        (expected,) = evaluator.run(None, {info.name: feed})
        got = net(point.astype(np.float64))
        assert expected.shape in (got.shape, (1, *got.shape), (*got.shape[1:],))
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(got.reshape(expected.shape), expected, atol=2e-5 * scale)
    return net


def layer_names(net: Any) -> list[str]:
    return [type(layer).__name__ for layer in net.layers]


@pytest.fixture
def onnx_tools() -> SimpleNamespace:
    pytest.importorskip("onnx")
    return SimpleNamespace(model=make_model, check=check, names=layer_names)
