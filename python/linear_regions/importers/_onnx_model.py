# SPDX-License-Identifier: MIT
"""The ONNX file as plain values: bytes, nodes, arrays, and its own forward pass.

Nothing here knows layers. Whatever is wrong with a file ends in one `CorruptFile` or
`Unsupported`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CorruptFile, InvalidInput, MissingExtra, Unsupported
from ._check import FLOAT32, FLOAT64, CannotEvaluate, FloatArray, Forward
from ._onnx_evaluator import corrected_operators
from ._tape import Shape

Array = npt.NDArray[Any]

# Operators changed their meaning below this version (broadcasting by attribute, Reshape by
# attribute); such files are from before 2018.
_OLDEST_OPSET = 7

# Constant sub-graphs (shapes computed from shapes, transposed weights) may not grow beyond this.
_MAX_CONSTANT = 1 << 27
# Operators whose attributes can make a huge constant of a small one; no model needs them for that.
_GROWING = (
    *("Range", "Resize", "OneHot", "Loop", "Scan", "If"),
    *("Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool", "Pad"),
)

_BROKEN = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RuntimeError)


def onnx_package() -> Any:
    """Return the onnx package."""
    try:
        import onnx
        import onnx.reference
    except ImportError as error:
        raise MissingExtra("Reading ONNX files", "onnx") from error
    return onnx


@dataclass
class Node:
    """One operator of the graph, with its attributes as Python values."""

    op: str
    name: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]
    proto: Any
    source: str

    @property
    def label(self) -> str:
        """Operator and name, for messages."""
        return f"{self.op} {self.name!r}"

    def _get(self, name: str, default: Any, kinds: type | tuple[type, ...]) -> Any:
        value = self.attributes.get(name)
        if value is None:
            return default
        if not isinstance(value, kinds):
            raise CorruptFile(f"{self.source}: {self.label}: attribute {name!r} has the wrong type")
        return value

    def integer(self, name: str, default: int) -> int:
        """Return an int attribute."""
        return int(self._get(name, default, int))

    def number(self, name: str, default: float) -> float:
        """Return a float attribute; ONNX holds them, defaults too, in single precision."""
        return float(self._get(name, float(np.float32(default)), (int, float)))

    def text(self, name: str, default: str) -> str:
        """Return a string attribute."""
        value = self._get(name, default.encode(), (bytes, str))
        return value if isinstance(value, str) else bytes(value).decode("utf-8", "replace")

    def integers(self, name: str) -> list[int] | None:
        """Return a list attribute, None where it is missing."""
        value = self._get(name, None, (list, tuple))
        return None if value is None else [int(v) for v in value]


class Model:
    """A checked ONNX model.

    Parameters
    ----------
    proto : onnx.ModelProto
    source : str
        Path or kind of object, for messages.
    """

    def __init__(self, proto: Any, source: str) -> None:
        self.onnx = onnx_package()
        self.source = source
        self._check(proto)
        if proto.functions:
            from onnx import inliner

            proto = inliner.inline_local_functions(proto)
        self.proto = proto
        self.opset = self._opset()
        self.constants = self._initializers()
        # What was computed from constants alone, in the model's own arithmetic.
        self.folded: dict[str, Array] = {}
        self.nodes = [self._node(node) for node in proto.graph.node]
        self.input_name, self.input_dims = self._input()

    def _check(self, proto: Any) -> None:
        domains = {opset.domain: opset.version for opset in proto.opset_import}
        version = max(domains.get("", 0), domains.get("ai.onnx", 0))
        newest = self.onnx.defs.onnx_opset_version()
        if version > newest:
            raise Unsupported(
                f"{self.source}: opset {version} is newer than the installed onnx package knows "
                f"({newest}); update it: pip install -U onnx"
            )
        foreign = [n for n in proto.graph.node if n.domain not in ("", "ai.onnx")]
        own = {(f.domain, f.name) for f in proto.functions}
        for node in foreign:
            if (node.domain, node.op_type) not in own:
                raise Unsupported(
                    f"{self.source}: {node.op_type} {node.name!r} is an operator of {node.domain}; "
                    "only the standard operators of ONNX can be read"
                )
        try:
            self.onnx.checker.check_model(self._with_shapes(proto))
        except Exception as error:
            reason = str(error).strip().split("\n")[0]
            raise CorruptFile(f"{self.source}: not a valid ONNX model: {reason}") from error

    def _with_shapes(self, proto: Any) -> Any:
        """Return the model, or a copy in which no input or output lacks a shape.

        The checker insists on them, but nothing here needs them, and some exporters leave them out.
        """
        infos = (*proto.graph.input, *proto.graph.output)
        if all(info.type.tensor_type.HasField("shape") for info in infos):
            return proto
        copy = self.onnx.ModelProto()
        copy.CopyFrom(proto)
        for info in (*copy.graph.input, *copy.graph.output):
            info.type.tensor_type.shape.SetInParent()
        return copy

    def _opset(self) -> int:
        versions = [o.version for o in self.proto.opset_import if o.domain in ("", "ai.onnx")]
        if not versions:
            raise CorruptFile(f"{self.source}: the model names no operator set")
        version = int(versions[0])
        if version < _OLDEST_OPSET:
            raise Unsupported(
                f"{self.source}: opset {version} is too old, at least {_OLDEST_OPSET} is needed; "
                "convert it with onnx.version_converter.convert_version"
            )
        return version

    def array(self, tensor: Any) -> Array:
        """Return a tensor of the file as an array, without changing a number."""
        try:
            array: Array = self.onnx.numpy_helper.to_array(tensor)
        except Exception as error:
            reason = str(error).strip().split("\n")[0]
            raise CorruptFile(
                f"{self.source}: tensor {tensor.name!r} cannot be read: {reason}"
            ) from error
        if array.dtype.kind == "V" or array.dtype.name == "bfloat16":
            array = array.astype(np.float32)
        return array

    def _initializers(self) -> dict[str, Array]:
        graph = self.proto.graph
        if graph.sparse_initializer:
            raise Unsupported(f"{self.source}: sparse initializers are not read")
        return {tensor.name: self.array(tensor) for tensor in graph.initializer}

    def _node(self, node: Any) -> Node:
        attributes = {}
        for attribute in node.attribute:
            if attribute.type not in (
                self.onnx.AttributeProto.GRAPH,
                self.onnx.AttributeProto.GRAPHS,
            ):
                attributes[attribute.name] = self.onnx.helper.get_attribute_value(attribute)
        name = node.name or (node.output[0] if node.output else "")
        ends = list(node.input), list(node.output)
        return Node(node.op_type, name, *ends, attributes, node, self.source)

    def _input(self) -> tuple[str, list[int | None] | None]:
        inputs = [i for i in self.proto.graph.input if i.name not in self.constants]
        if len(inputs) != 1:
            raise Unsupported(
                f"{self.source}: expected one input, the model has {[i.name for i in inputs]}"
            )
        kind = inputs[0].type.tensor_type
        float_types = (
            self.onnx.TensorProto.FLOAT,
            self.onnx.TensorProto.DOUBLE,
            self.onnx.TensorProto.FLOAT16,
            self.onnx.TensorProto.BFLOAT16,
        )
        if kind.elem_type not in float_types:
            raise Unsupported(
                f"{self.source}: input {inputs[0].name!r} is not a tensor of floating point numbers"
            )
        if not kind.HasField("shape"):
            return inputs[0].name, None
        dims = [
            dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None
            for dim in kind.shape.dim
        ]
        return inputs[0].name, dims

    @property
    def output_names(self) -> list[str]:
        """Names of the model's outputs."""
        return [output.name for output in self.proto.graph.output]

    def evaluate(self, node: Node, inputs: list[Array | None]) -> list[Array]:
        """Compute one node whose inputs are all constants."""
        self._guard_size(node, inputs)
        helper = self.onnx.helper
        names = [
            name if value is not None else ""
            for name, value in zip(node.inputs, inputs, strict=True)
        ]
        function = helper.make_function(
            "constants",
            "one_node",
            sorted({name for name in names if name}),
            node.outputs,
            [node.proto],
            [helper.make_opsetid("", self.opset)],
        )
        feeds = {n: v for n, v in zip(names, inputs, strict=True) if v is not None}
        try:
            with np.errstate(all="ignore"):
                results = self.onnx.reference.ReferenceEvaluator(function).run(None, feeds, {})
        except NotImplementedError as error:
            raise Unsupported(f"{self.source}: {node.label}: cannot be computed here") from error
        except (MemoryError, *_BROKEN) as error:
            raise CorruptFile(f"{self.source}: {node.label}: {error}") from error
        arrays = [np.asarray(result) for result in results]
        self.folded.update(zip(node.outputs, arrays, strict=False))
        return arrays

    def _guard_size(self, node: Node, inputs: list[Array | None]) -> None:
        """Refuse the operators that make a huge constant out of a few numbers."""
        size = 0.0
        if node.op in ("ConstantOfShape", "Expand", "Tile") and inputs[-1] is not None:
            sizes = np.asarray(inputs[-1])
            if sizes.dtype.kind not in "iuf":
                raise CorruptFile(f"{self.source}: {node.label}: sizes of type {sizes.dtype}")
            size = float(prod(float(n) for n in sizes.reshape(-1)))
        elif node.op in _GROWING:
            raise Unsupported(f"{self.source}: {node.label}: cannot be read where it is a constant")
        if not size <= _MAX_CONSTANT:
            raise CorruptFile(f"{self.source}: {node.label} makes {size:.3g} numbers")

    def needed(self, output: str) -> list[Node]:
        """Return the nodes that `output` depends on, in the order of the file."""
        wanted = {output}
        nodes = []
        for node in reversed(self.nodes):
            if wanted.intersection(node.outputs):
                wanted.update(node.inputs)
                nodes.append(node)
        return nodes[::-1]

    def forward(self, shape: Shape, output: str, single: bool) -> tuple[Forward, float]:
        """Return the model's own forward pass for one sample, and the tolerance that fits it.

        It runs in double precision, so that the comparison is a sharp one: a weight in single
        precision is a double as well. With `single` (the model itself converts numbers on the
        way) it runs as it is. It raises `CannotEvaluate` where ONNX's reference evaluator does not
        know an operator.
        """
        onnx = self.onnx
        nodes = [n.proto for n in self.needed(output) if not set(n.outputs) <= set(self.folded)]
        with np.errstate(invalid="ignore"):
            proto = self._reduced(nodes, single)
        new_ops = corrected_operators(self.opset)
        info = next(i for i in proto.graph.input if i.name == self.input_name)
        dtype = onnx.helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
        names = [name for node in nodes for name in node.output if name]

        def run(point: FloatArray) -> tuple[FloatArray, float]:
            feeds = {self.input_name: point.reshape(shape).astype(dtype)}
            try:
                evaluator = onnx.reference.ReferenceEvaluator(proto, new_ops=new_ops)
                with np.errstate(all="ignore"):
                    values = evaluator.run([output, *names], feeds)
            except Exception as error:
                raise CannotEvaluate(f"ONNX's evaluator failed: {error}") from error
            magnitude = max(
                (float(np.abs(v).max(initial=0.0)) for v in values if _is_real(v)), default=0.0
            )
            return np.asarray(values[0], dtype=np.float64), magnitude

        return run, FLOAT32 if single else FLOAT64

    def _reduced(self, nodes: list[Any], single: bool) -> Any:
        """Return a copy with these nodes only, in double precision unless `single`.

        What was computed from constants alone comes in as constants: that arithmetic, in whatever
        precision, is part of the model.
        """
        onnx = self.onnx
        small = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
        copy = onnx.ModelProto()
        copy.CopyFrom(self.proto)
        for field in (copy.graph.node, copy.graph.initializer, copy.graph.value_info):
            del field[:]
        copy.graph.node.extend(nodes)
        used = {name for node in nodes for name in node.input}
        for name, array in {**self.constants, **self.folded}.items():
            if name in used:
                wide = array.dtype.kind == "f" and not single
                tensor = array.astype(np.float64) if wide else array
                copy.graph.initializer.append(onnx.numpy_helper.from_array(tensor, name))
        for info in (*copy.graph.input, *copy.graph.output):
            if not single and info.type.tensor_type.elem_type in small:
                info.type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
        return copy


def _is_real(value: object) -> bool:
    return isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind == "f"


def read_model(source: Any) -> Model:
    """Read a file, bytes or an `onnx.ModelProto`.

    Raises
    ------
    CorruptFile
        If it is no ONNX model or damaged, or its external data are missing.
    FileNotFoundError
        If the file does not exist.
    """
    onnx = onnx_package()
    if not isinstance(source, (str, os.PathLike)):
        return Model(source, "the ONNX model")
    path = os.fspath(source)
    with open(path, "rb") as file:
        data = file.read()
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except Exception as error:
        raise CorruptFile(f"{path}: not an ONNX file, or damaged: {error}") from error
    if not proto.HasField("graph"):
        raise CorruptFile(f"{path}: not an ONNX file: it has no graph")
    try:
        onnx.load_external_data_for_model(proto, os.path.dirname(os.path.abspath(path)))
    except Exception as error:
        raise CorruptFile(f"{path}: its external data cannot be read: {error}") from error
    return Model(proto, path)


def model_shapes(model: Model, input_shape: Shape | None) -> tuple[Shape, Shape]:
    """Return the network's input shape and the model's, with a batch of one sample.

    The first axis is the batch if it has length 1 or no fixed length; a model with one axis has no
    batch. `input_shape` decides otherwise, and fills in lengths that the file leaves open.
    """
    dims = model.input_dims
    if prod(n or 1 for n in dims or ()) > _MAX_CONSTANT:
        raise CorruptFile(f"{model.source}: its input of shape {dims} is too large")
    name = f"{model.source}: input {model.input_name!r}"
    if dims is None:
        if input_shape is None:
            raise Unsupported(f"{name} has no shape; give input_shape= (without the batch axis)")
        return input_shape, (1, *input_shape)
    shown = "(" + ", ".join("?" if n is None else str(n) for n in dims) + ")"
    if input_shape is not None:
        if _matches(dims[1:], input_shape):
            return input_shape, (1, *input_shape)
        if _matches(dims, input_shape):
            return input_shape, input_shape
        raise InvalidInput(
            f"{name} has shape {shown}, batch axis first, which does not fit "
            f"input_shape={input_shape}"
        )
    if not dims:
        raise Unsupported(f"{name} is a single number without axes")
    rest = dims if len(dims) == 1 else dims[1:]
    fixed = tuple(n for n in rest if n is not None)
    if len(fixed) < len(rest):
        raise Unsupported(f"{name} has shape {shown}; give input_shape= (without the batch axis)")
    if len(dims) == 1:
        return fixed, fixed
    if dims[0] not in (None, 1):
        raise Unsupported(
            f"{name} has shape {shown}: is the first axis a batch of {dims[0]}? Then give "
            f"input_shape={fixed}; else give input_shape={(dims[0], *fixed)}"
        )
    return fixed, (1, *fixed)


def _matches(dims: list[int | None], shape: Shape) -> bool:
    return len(dims) == len(shape) and all(
        d is None or d == n for d, n in zip(dims, shape, strict=True)
    )
