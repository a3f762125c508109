# SPDX-License-Identifier: MIT
"""ONNX operators that compute: one function per operator, from node to tape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, TypeAlias

import numpy as np

from ..errors import CorruptFile
from ..layers import AvgPool, MaxPool
from . import _linear as lin
from . import _piecewise as pw
from ._onnx_model import Array, Model, Node
from ._tape import FloatArray, Tape, Tensor

Value: TypeAlias = "Tensor | Array"
Pair: TypeAlias = tuple[int, int]


class Graph:
    """What the operators see while the graph is walked: the tape, and the values so far.

    A value is a `Tensor` when it depends on the input, else a NumPy array.
    """

    def __init__(self, model: Model, tape: Tape) -> None:
        self.tape = tape
        self.opset = model.opset
        self.values: dict[str, Value | None] = dict(model.constants)
        # Whether the model itself converts between number types on the way.
        self.casts = False

    def optional(self, node: Node, i: int) -> Value | None:
        """Return input `i` of the node, None where it is left out."""
        if i >= len(node.inputs) or not node.inputs[i]:
            return None
        name = node.inputs[i]
        if name not in self.values:
            raise CorruptFile(f"{self.tape.source}: {node.label}: no node makes its input {name!r}")
        value = self.values[name]
        if value is None:
            self.tape.refuse(f"it reads {name!r}, a second output that layers do not have")
        return value

    def value(self, node: Node, i: int) -> Value:
        """Return input `i` of the node."""
        value = self.optional(node, i)
        if value is None:
            raise CorruptFile(f"{self.tape.source}: {node.label}: input {i} is missing")
        return value

    def tensor(self, node: Node, i: int = 0) -> Tensor:
        """Return input `i`, which must depend on the network's input."""
        value = self.value(node, i)
        if not isinstance(value, Tensor):
            self.tape.refuse(f"expected input {i} to depend on the network input, it is a constant")
        return value

    def array(self, node: Node, i: int, what: str) -> Array | None:
        """Return input `i`, which must be constant; None where it is left out."""
        value = self.optional(node, i)
        if isinstance(value, Tensor):
            self.tape.refuse(f"its {what} depends on the input; a layer needs a constant there")
        return value

    def weights(self, node: Node, i: int, what: str) -> FloatArray:
        """Return input `i` as a float64 constant."""
        array = self.array(node, i, what)
        if array is None:
            raise CorruptFile(f"{self.tape.source}: {node.label}: its {what} is missing")
        return lin.exact_float(self.tape, array, f"its {what}")

    def all_values(self, node: Node) -> tuple[list[Tensor], list[FloatArray]]:
        """Return the computed and the constant inputs of a node with any number of them."""
        values = [self.value(node, i) for i in range(len(node.inputs))]
        tensors = [v for v in values if isinstance(v, Tensor)]
        arrays = [
            lin.exact_float(self.tape, v, "a constant") for v in values if not isinstance(v, Tensor)
        ]
        return tensors, arrays


Handler: TypeAlias = Callable[[Graph, Node], "Value | Sequence[Value]"]


def _add(graph: Graph, node: Node) -> Tensor:
    a, b = graph.value(node, 0), graph.value(node, 1)
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return graph.tape.add(a, b)
    if isinstance(b, Tensor):
        a, b = b, a
    assert isinstance(a, Tensor)
    assert not isinstance(b, Tensor)
    return lin.scale(graph.tape, a, 1.0, lin.exact_float(graph.tape, b, "a constant"))


def _sub(graph: Graph, node: Node) -> Tensor:
    a, b = graph.value(node, 0), graph.value(node, 1)
    tape = graph.tape
    if isinstance(b, Tensor):
        minus_b = lin.scale(tape, b, -1.0, 0.0)
        if isinstance(a, Tensor):
            return tape.add(a, minus_b)
        return lin.scale(tape, b, -1.0, lin.exact_float(tape, a, "a constant"))
    assert isinstance(a, Tensor)
    return lin.scale(tape, a, 1.0, -lin.exact_float(tape, b, "a constant"))


def _mul(graph: Graph, node: Node) -> Tensor:
    a, b = graph.value(node, 0), graph.value(node, 1)
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        graph.tape.refuse("the product of two computed tensors is not piecewise linear")
    if isinstance(b, Tensor):
        a, b = b, a
    assert isinstance(a, Tensor)
    assert not isinstance(b, Tensor)
    return lin.scale(graph.tape, a, lin.exact_float(graph.tape, b, "a constant"), 0.0)


def _div(graph: Graph, node: Node) -> Tensor:
    a, b = graph.value(node, 0), graph.value(node, 1)
    if isinstance(b, Tensor) or not isinstance(a, Tensor):
        graph.tape.refuse("dividing by a computed tensor is not piecewise linear")
    return lin.divide(graph.tape, a, lin.exact_float(graph.tape, b, "a constant"))


def _neg(graph: Graph, node: Node) -> Tensor:
    return lin.scale(graph.tape, graph.tensor(node), -1.0, 0.0)


def _sum(graph: Graph, node: Node) -> Tensor:
    tensors, arrays = graph.all_values(node)
    total = reduce(graph.tape.add, tensors)
    for array in arrays:
        total = lin.scale(graph.tape, total, 1.0, array)
    return total


def _mean(graph: Graph, node: Node) -> Tensor:
    return lin.divide(graph.tape, _sum(graph, node), np.asarray(float(len(node.inputs))))


def _matmul(graph: Graph, node: Node) -> Tensor:
    a, b = graph.value(node, 0), graph.value(node, 1)
    tape = graph.tape
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        tape.refuse("the matrix product of two computed tensors is not piecewise linear")
    if isinstance(a, Tensor):
        return lin.matmul_right(tape, a, graph.weights(node, 1, "matrix"))
    return lin.matmul_left(tape, graph.weights(node, 0, "matrix"), graph.tensor(node, 1))


def _gemm(graph: Graph, node: Node) -> Tensor:
    tape = graph.tape
    a, b, c = graph.value(node, 0), graph.value(node, 1), graph.optional(node, 2)
    alpha, beta = node.number("alpha", 1.0), node.number("beta", 1.0)
    flip_a, flip_b = node.integer("transA", 0), node.integer("transB", 0)
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        tape.refuse("the matrix product of two computed tensors is not piecewise linear")
    if isinstance(a, Tensor):
        matrix = graph.weights(node, 1, "matrix")
        if matrix.ndim != 2 or len(a.shape) != 2:
            tape.refuse(f"expected two matrices, got shapes {a.shape} and {matrix.shape}")
        a = tape.permute(a, (1, 0)) if flip_a else a
        weight, note = lin.times(matrix if flip_b else matrix.T, alpha, "weights times alpha")
        result = lin.linear(tape, a, weight, np.zeros(1))
    else:
        if not isinstance(b, Tensor):
            tape.refuse("neither of its matrices depends on the network input")
        matrix = graph.weights(node, 0, "matrix")
        if matrix.ndim != 2 or len(b.shape) != 2:
            tape.refuse(f"expected two matrices, got shapes {matrix.shape} and {b.shape}")
        b = tape.permute(b, (1, 0)) if flip_b else b
        weight, note = lin.times(matrix.T if flip_a else matrix, alpha, "weights times alpha")
        result = lin.matmul_left(tape, weight, b)
    if note:
        tape.notes.append(f"{node.label}: {note}")
    if c is None or beta == 0.0:
        return result
    if isinstance(c, Tensor):
        return tape.add(result, lin.scale(tape, c, beta, 0.0))
    bias, note = lin.times(lin.exact_float(tape, c, "its bias"), beta, "bias times beta")
    if note:
        tape.notes.append(f"{node.label}: {note}")
    return lin.scale(tape, result, 1.0, bias)


def _sizes(graph: Graph, node: Node, name: str, n_axes: int, default: int = 1) -> list[int]:
    values = node.integers(name)
    if values is None:
        return [default] * n_axes
    if len(values) != n_axes or min(values, default=1) < 1:
        graph.tape.refuse(f"{name} {values} does not fit {n_axes} spatial axes")
    return values


def _pads(
    graph: Graph,
    node: Node,
    spatial: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> list[Pair]:
    """Return (before, after) per spatial axis, from `pads` or from `auto_pad`."""
    mode = node.text("auto_pad", "NOTSET")
    if mode == "NOTSET":
        pads = node.integers("pads")
        if pads is None:
            return [(0, 0)] * len(kernel)
        if len(pads) != 2 * len(kernel) or min(pads) < 0:
            graph.tape.refuse(f"pads {pads} does not fit {len(kernel)} spatial axes")
        return list(zip(pads[: len(kernel)], pads[len(kernel) :], strict=True))
    if mode == "VALID":
        return [(0, 0)] * len(kernel)
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        graph.tape.refuse(f"auto_pad={mode} is unknown")
    pairs = []
    for n, k, s, d in zip(spatial, kernel, stride, dilation, strict=True):
        total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
        small, large = total // 2, total - total // 2
        pairs.append((small, large) if mode == "SAME_UPPER" else (large, small))
    return pairs


def _conv(graph: Graph, node: Node) -> Tensor:
    tensor = graph.tensor(node)
    weight = graph.weights(node, 1, "weight")
    bias = None if graph.optional(node, 2) is None else graph.weights(node, 2, "bias")
    n_axes = weight.ndim - 2
    kernel = weight.shape[2:]
    if n_axes < 1 or len(tensor.shape) != weight.ndim:
        graph.tape.refuse(f"weight {weight.shape} does not fit an input {tensor.shape}")
    given = node.integers("kernel_shape")
    if given is not None and tuple(given) != kernel:
        graph.tape.refuse(f"kernel_shape {given} does not fit its weight {weight.shape}")
    stride = _sizes(graph, node, "strides", n_axes)
    dilation = _sizes(graph, node, "dilations", n_axes)
    pads = _pads(graph, node, tensor.shape[2:], kernel, stride, dilation)
    return lin.conv(
        graph.tape,
        tensor,
        weight,
        bias,
        stride=stride,
        pads=pads,
        dilation=dilation,
        groups=node.integer("group", 1),
    )


def _batch_norm(graph: Graph, node: Node) -> Tensor:
    if node.integer("training_mode", 0) or not node.integer("spatial", 1):
        graph.tape.refuse("only batch normalization at inference, per channel, is affine")
    gamma, beta, mean, variance = (
        graph.weights(node, i, what) for i, what in enumerate(("scale", "B", "mean", "var"), 1)
    )
    return lin.batch_norm(
        graph.tape, graph.tensor(node), gamma, beta, mean, variance, node.number("epsilon", 1e-5)
    )


def _window(graph: Graph, node: Node) -> tuple[Tensor, list[int]]:
    """Return the input of a pooling and its kernel, which must fit each other."""
    tensor, kernel = graph.tensor(node), node.integers("kernel_shape") or []
    if len(tensor.shape) != len(kernel) + 2 or min(kernel, default=0) < 1:
        graph.tape.refuse(f"kernel_shape {kernel} does not fit an input {tensor.shape}")
    return tensor, kernel


def _max_pool(graph: Graph, node: Node) -> Tensor:
    tensor, kernel = _window(graph, node)
    stride = _sizes(graph, node, "strides", len(kernel))
    dilation = _sizes(graph, node, "dilations", len(kernel))
    pads = _pads(graph, node, tensor.shape[2:], kernel, stride, dilation)
    return lin.pool(
        graph.tape,
        tensor,
        MaxPool,
        kernel,
        pads=pads,
        stride=tuple(stride),
        dilation=tuple(dilation),
        ceil_mode=bool(node.integer("ceil_mode", 0)),
    )


def _average_pool(graph: Graph, node: Node) -> Tensor:
    tensor, kernel = _window(graph, node)
    stride = _sizes(graph, node, "strides", len(kernel))
    if max(_sizes(graph, node, "dilations", len(kernel)), default=1) > 1:
        graph.tape.refuse("average pooling with dilation is not a layer here")
    pads = _pads(graph, node, tensor.shape[2:], kernel, stride, [1] * len(kernel))
    return lin.pool(
        graph.tape,
        tensor,
        AvgPool,
        kernel,
        pads=pads,
        stride=tuple(stride),
        ceil_mode=bool(node.integer("ceil_mode", 0)),
        count_include_pad=bool(node.integer("count_include_pad", 0)),
    )


def _reduction(kind: type[MaxPool] | type[AvgPool] | None) -> Handler:
    def handler(graph: Graph, node: Node) -> Tensor:
        tensor = graph.tensor(node)
        axes: Any = node.integers("axes")
        if axes is None:
            axes = graph.array(node, 1, "axes")
        if axes is None or not len(axes):
            if node.integer("noop_with_empty_axes", 0):
                return tensor
            axes = range(len(tensor.shape))
        keep = bool(node.integer("keepdims", 1))
        if kind is None:
            return lin.reduce_sum(graph.tape, tensor, list(axes), keep)
        return lin.reduce_axes(graph.tape, tensor, kind, list(axes), keep)

    return handler


def _relu(graph: Graph, node: Node) -> Tensor:
    return pw.rectify(graph.tape, graph.tensor(node))


def _leaky_relu(graph: Graph, node: Node) -> Tensor:
    return pw.leaky(graph.tape, graph.tensor(node), node.number("alpha", 0.01))


def _prelu(graph: Graph, node: Node) -> Tensor:
    tensor, slope = graph.tensor(node), graph.weights(node, 1, "slope")
    return pw.leaky(graph.tape, tensor, slope)


def _clip(graph: Graph, node: Node) -> Tensor:
    tensor = graph.tensor(node)
    widest = float(np.finfo(np.float32).max)
    bounds: list[float | None] = []
    for i, name in enumerate(("min", "max"), 1):
        if graph.opset < 11:
            bound: float | None = node.number(name, -widest if name == "min" else widest)
        else:
            array = graph.array(node, i, name)
            if array is not None and array.size != 1:
                graph.tape.refuse(f"its {name} must be one number, got shape {array.shape}")
            bound = None if array is None else float(array.reshape(-1)[0])
        # The largest float32 numbers are how old models write "no bound".
        bounds.append(None if bound is None or abs(bound) >= widest else bound)
    return pw.clip(graph.tape, tensor, bounds[0], bounds[1])


def _hard_sigmoid(graph: Graph, node: Node) -> Tensor:
    # As scale and clip the breakpoints stay where the model has them, without rounding.
    alpha, beta = node.number("alpha", 0.2), node.number("beta", 0.5)
    return pw.clip(graph.tape, lin.scale(graph.tape, graph.tensor(node), alpha, beta), 0.0, 1.0)


def _abs(graph: Graph, node: Node) -> Tensor:
    return pw.absolute_value(graph.tape, graph.tensor(node))


def _shrink(graph: Graph, node: Node) -> Tensor:
    bias, lambd = node.number("bias", 0.0), node.number("lambd", 0.5)
    if bias != lambd or lambd <= 0.0:
        graph.tape.refuse(f"with bias={bias} and lambd={lambd} it is not continuous")
    return pw.pointwise(graph.tape, graph.tensor(node), [-lambd, lambd], [1.0, 0.0, 1.0])


def _max(graph: Graph, node: Node) -> Tensor:
    tensors, arrays = graph.all_values(node)
    result = pw.maximum_of(graph.tape, tensors)
    if arrays:
        result = pw.maximum_with(graph.tape, result, reduce(np.maximum, arrays))
    return result


def _min(graph: Graph, node: Node) -> Tensor:
    tensors, arrays = graph.all_values(node)
    result = pw.minimum_of(graph.tape, tensors)
    if arrays:
        result = pw.minimum_with(graph.tape, result, reduce(np.minimum, arrays))
    return result


HANDLERS: dict[str, Handler] = {
    "Abs": _abs,
    "Add": _add,
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "Conv": _conv,
    "Div": _div,
    "Gemm": _gemm,
    "GlobalAveragePool": lambda g, n: lin.global_pool(g.tape, g.tensor(n), AvgPool),
    "GlobalMaxPool": lambda g, n: lin.global_pool(g.tape, g.tensor(n), MaxPool),
    "HardSigmoid": _hard_sigmoid,
    "LeakyRelu": _leaky_relu,
    "MatMul": _matmul,
    "Max": _max,
    "MaxPool": _max_pool,
    "Mean": _mean,
    "Min": _min,
    "Mul": _mul,
    "Neg": _neg,
    "PRelu": _prelu,
    "ReduceMax": _reduction(MaxPool),
    "ReduceMean": _reduction(AvgPool),
    "ReduceSum": _reduction(None),
    "Relu": _relu,
    "Shrink": _shrink,
    "Sub": _sub,
    "Sum": _sum,
}
