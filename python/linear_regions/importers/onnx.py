# SPDX-License-Identifier: MIT
"""Networks from ONNX files, read with the ``onnx`` package alone.

The graph is walked once in its order, for a batch of one sample. What does not depend on the input
(shapes, transposed weights) is computed on the way; the rest is written on a tape of layers. In
the end the network is compared with ONNX's own reference evaluator.
"""

from __future__ import annotations

import os
from typing import Any

from .._layer import Layer
from ..architecture import as_input_shape
from ..errors import CorruptFile, InvalidInput, LinearRegionsError
from ..network import Network
from . import _check, _onnx_ops, _onnx_shapes
from ._onnx_model import Model, Node, model_shapes, read_model
from ._onnx_ops import Graph, Handler
from ._tape import Shape, Tape, Tensor

HANDLERS: dict[str, Handler] = {**_onnx_ops.HANDLERS, **_onnx_shapes.HANDLERS}

# What stands at the end of a classifier and has no regions.
OUTPUTS = ("Softmax", "LogSoftmax", "Sigmoid", "ArgMax")

_MOVES = ("Identity", "Cast", "Squeeze", "Unsqueeze", "Flatten", "Reshape")

_CURVED = frozenset(
    (
        "Acos",
        "Asin",
        "Atan",
        "Celu",
        "Cos",
        "Cosh",
        "Elu",
        "Erf",
        "Exp",
        "Gelu",
        "HardSwish",
        "InstanceNormalization",
        "LayerNormalization",
        "LRN",
        "Log",
        "LpNormalization",
        "LpPool",
        "Mish",
        "Pow",
        "Reciprocal",
        "ReduceL2",
        "RMSNormalization",
        "Selu",
        "Sin",
        "Sinh",
        "Softplus",
        "Softsign",
        "Sqrt",
        "Swish",
        "Tan",
        "Tanh",
    )
)
_JUMPS = frozenset(
    (
        "ArgMin",
        "Ceil",
        "Equal",
        "Floor",
        "Greater",
        "GreaterOrEqual",
        "Hardmax",
        "Less",
        "LessOrEqual",
        "Mod",
        "OneHot",
        "QuantizeLinear",
        "Round",
        "Sign",
        "ThresholdedRelu",
        "Where",
    )
)


class OnnxImporter:
    """Reads ONNX: a path to a file, or an ``onnx.ModelProto``.

    Examples
    --------
    >>> OnnxImporter().accepts("model.onnx"), OnnxImporter().accepts("model.npz")
    (True, False)
    """

    name = "onnx"

    def accepts(self, source: object) -> bool:
        """Tell whether `source` is a path ending in .onnx, or a model in memory."""
        if isinstance(source, (str, os.PathLike)):
            return str(os.fspath(source)).lower().endswith(".onnx")
        kind = type(source)
        return kind.__name__ == "ModelProto" and kind.__module__.startswith("onnx")

    def load(
        self,
        source: Any,
        *,
        input_shape: int | tuple[int, ...] | None = None,
        activation: str | Layer = "relu",
        fold: bool = True,
        drop_output: bool = False,
    ) -> Network:
        """Read the model.

        Parameters
        ----------
        source : str, path or onnx.ModelProto
        input_shape : int or tuple of int, optional
            Shape of one sample, without batch axis; needed where the model leaves it open.
        activation : str
            Not used: the model has its own.
        fold : bool, default True
            Whether scales (batch normalization, products with constants) are folded into the
            convolution or matrix before them where that rounds. Each such fold is in the notes.
        drop_output : bool, default False
            Whether a Softmax, LogSoftmax, Sigmoid or ArgMax at the end is cut.

        Returns
        -------
        Network

        Raises
        ------
        MissingExtra
            If the ``onnx`` package is not installed.
        CorruptFile
            If the file is damaged or no valid model.
        Unsupported
            If an operator cannot be expressed; the message has its type and name.
        InvalidInput
            If `input_shape` does not fit.
        """
        wanted = None if input_shape is None else as_input_shape(input_shape)
        model = read_model(source)
        shape, model_shape = model_shapes(model, wanted)
        tape = Tape(shape, fold=fold, source=model.source)
        output = _cut_output(model, tape, drop_output)
        graph = Graph(model, tape)
        graph.values[model.input_name] = Tensor(0, model_shape)
        _walk(model, graph, output, wanted is not None)
        result = graph.values.get(output)
        if not isinstance(result, Tensor):
            raise CorruptFile(f"{model.source}: its output {output!r} does not depend on its input")
        net = tape.finish(result, _without_batch(result.shape, len(model_shape) > len(shape)))
        forward, tolerance = model.forward(model_shape, output, graph.casts)
        return _check.checked(net, forward, tolerance, model.source)


def _without_batch(shape: Shape, batched: bool) -> Shape:
    if batched and len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
    return shape or (1,)


def _cut_output(model: Model, tape: Tape, drop: bool) -> str:
    """Return the name of the tensor that is the network's output.

    A last operator that is no layer of a piecewise linear network is looked for behind operators
    that only move numbers, and there may be several (Softmax, then ArgMax).
    """
    names = model.output_names
    if len(names) != 1:
        tape.label = "output"
        tape.refuse(f"expected one output, the model has {names}")
    makers = {name: node for node in model.nodes for name in node.outputs if name}
    name, behind = names[0], names[0]
    for _ in range(len(model.nodes)):
        node = makers.get(behind)
        if node is None or not node.inputs:
            break
        if node.op in OUTPUTS:
            if not drop:
                tape.label = node.label
                tape.refuse(
                    "it has no linear regions; give drop_output=True (--drop-output) to cut it at "
                    "the end"
                )
            tape.notes.append(f"cut at the end: {node.label}")
            name = node.inputs[0]
        elif node.op not in _MOVES:
            break
        behind = node.inputs[0]
    return name


def _walk(model: Model, graph: Graph, output: str, shape_given: bool) -> None:
    for node in model.needed(output):
        graph.tape.label = node.label
        try:
            results = _results(model, graph, node)
        except InvalidInput as error:
            # A layer refuses its input: with a shape from the file, the file contradicts itself.
            kind = InvalidInput if shape_given else CorruptFile
            raise kind(f"{model.source}: {node.label}: {error}") from error
        except LinearRegionsError:
            raise
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
            raise CorruptFile(f"{model.source}: {node.label} cannot be read: {error}") from error
        for i, name in enumerate(node.outputs):
            if name:
                graph.values[name] = results[i] if i < len(results) else None


def _results(model: Model, graph: Graph, node: Node) -> list[Any]:
    inputs = [graph.optional(node, i) for i in range(len(node.inputs))]
    if node.op == "Constant" or (inputs and not any(isinstance(v, Tensor) for v in inputs)):
        return model.evaluate(node, [None if isinstance(v, Tensor) else v for v in inputs])
    handler = HANDLERS.get(node.op)
    if handler is None:
        graph.tape.refuse(_reason(node.op))
    result = handler(graph, node)
    return result if isinstance(result, list) else [result]


def _reason(op: str) -> str:
    if op in OUTPUTS:
        return f"{op} inside a network is not piecewise linear"
    if op in _CURVED:
        return f"{op} is not piecewise linear"
    if op in _JUMPS:
        return f"{op} is not continuous"
    return f"operator {op} cannot be expressed as layers"
