# SPDX-License-Identifier: MIT
"""An exported PyTorch program: read onto the tape, and evaluated in double precision.

A program is a flat list of calls of operators, with parameters as inputs. What does not depend on
the network's input is computed by PyTorch itself on the way.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..errors import InvalidInput, LinearRegionsError, Unsupported
from . import _torch_ops, _torch_pools, _torch_shapes
from ._check import CannotEvaluate, FloatArray, Forward
from ._tape import Shape, Tape, Tensor
from ._torch_ops import Condition, Handler

HANDLERS: dict[str, Handler] = {
    **_torch_ops.HANDLERS,
    **_torch_pools.HANDLERS,
    **_torch_shapes.HANDLERS,
}

# What stands at the end of a classifier and has no regions.
OUTPUTS = {
    "softmax": "Softmax",
    "_softmax": "Softmax",
    "log_softmax": "LogSoftmax",
    "_log_softmax": "LogSoftmax",
    "sigmoid": "Sigmoid",
    "argmax": "ArgMax",
}

_MOVES = frozenset(
    (
        "_to_copy",
        "_unsafe_view",
        "alias",
        "clone",
        "contiguous",
        "detach",
        "flatten",
        "reshape",
        "squeeze",
        "t",
        "to",
        "unsqueeze",
        "view",
    )
)
_CURVED = frozenset(
    (
        "elu",
        "celu",
        "selu",
        "gelu",
        "silu",
        "mish",
        "tanh",
        "softplus",
        "softsign",
        "exp",
        "log",
        "pow",
        "sqrt",
        "rsqrt",
        "sin",
        "cos",
        "erf",
        "hardswish",
        "layer_norm",
        "native_layer_norm",
        "group_norm",
        "native_group_norm",
        "instance_norm",
        "scaled_dot_product_attention",
        "reciprocal",
        "square",
    )
)
_JUMPS = frozenset(
    (
        "sign",
        "round",
        "floor",
        "ceil",
        "trunc",
        "heaviside",
        "hardshrink",
        "argmin",
    )
)


_KNOWN = _CURVED | _JUMPS | frozenset(OUTPUTS)

# Operators that take the shape of an argument, not its numbers.
_MADE_LIKE = frozenset(
    ("zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full")
)

# Operators whose result never shares memory with an argument.
_FRESH = frozenset(
    ("conv1d", "conv2d", "conv3d", "linear", "batch_norm", "add", "cat", "addmm", "mm")
)


def operator_name(target: Any) -> str:
    """Return the plain name of an operator: ``relu`` for aten.relu_.default."""
    schema = getattr(target, "_schema", None)
    if schema is None:
        return str(getattr(target, "__name__", target))
    name = str(schema.name).rpartition("::")[2]
    return name[:-1] if name.endswith("_") and not name.startswith("__") else name


def _label(node: Any) -> str:
    """Return operator and module, or node where a function was called outside of a module."""
    name = operator_name(node.target)
    name = "batch_norm" if "batch_norm" in name else name
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path, kind = (str(stack[-1][0]), str(stack[-1][1])) if stack else ("", "")
    path = path.removeprefix("L['self']").removeprefix(".")
    if path and "torch.nn.modules" in kind:
        return f"{name} {path!r}"
    return f"{name} {node.name!r}" + (f" in {path}" if path else "")


class UnknownOperator(Unsupported):
    """An operator that nothing is known of; rewritten to simpler ones it may be readable."""


class Program:
    """A ``torch.export.ExportedProgram`` with one input tensor and one output tensor.

    Parameters
    ----------
    program : ExportedProgram
    torch : module
    source : str
        For messages.
    """

    def __init__(self, program: Any, torch: Any, source: str) -> None:
        self.torch = torch
        self.source = source
        if not all(_is_pure(node) for node in program.graph.nodes):
            # In-place operators change values that other nodes read under their old name; PyTorch
            # rewrites them (which takes it up to a second).
            program = program.run_decompositions({})
        self._simple = False
        self._take(program)

    def _take(self, program: Any) -> None:
        self.program = program
        self.nodes = list(program.graph.nodes)
        self.constants, self.input_node = self._inputs()
        shape = self.input_node.meta["val"].shape
        self.model_shape = [int(n) if isinstance(n, int) else None for n in shape]
        self.output_node = self._output()
        self.casts = False
        # What the program computes from constants alone, in its own arithmetic.
        self.folded: dict[Any, Any] = {}
        # Largest magnitude that `forward` met on the way, by point.
        self.magnitudes: dict[bytes, float] = {}

    def simplify(self) -> bool:
        """Rewrite the program to PyTorch's few core operators; False if that was done before."""
        if self._simple:
            return False
        self._simple = True
        self._take(self.program.run_decompositions())
        return True

    def _inputs(self) -> tuple[dict[str, Any], Any]:
        signature = self.program.graph_signature
        kinds = {spec.arg.name: spec for spec in signature.input_specs if hasattr(spec.arg, "name")}
        constants: dict[str, Any] = {}
        inputs = []
        for node in self.nodes:
            if node.op != "placeholder":
                continue
            spec = kinds[node.name]
            if spec.kind.name == "USER_INPUT":
                inputs.append(node)
                continue
            tables = (self.program.state_dict, self.program.constants)
            table = next((t for t in tables if spec.target in t), None)
            if table is None:
                raise Unsupported(f"{self.source}: {spec.target!r} is no tensor of the program")
            constants[node.name] = table[spec.target]
        if len(inputs) != 1 or not hasattr(inputs[0].meta.get("val"), "shape"):
            raise Unsupported(
                f"{self.source}: expected one input tensor, got {[n.name for n in inputs]}"
            )
        return constants, inputs[0]

    def _output(self) -> Any:
        names = [
            spec.arg.name
            for spec in self.program.graph_signature.output_specs
            if spec.kind.name == "USER_OUTPUT" and hasattr(spec.arg, "name")
        ]
        if len(names) != 1:
            raise Unsupported(f"{self.source}: expected one output tensor, got {names}")
        return next(node for node in self.nodes if node.name == names[0])

    def cut(self, tape: Tape, drop: bool) -> Any:
        """Return the node that is the network's output, without a softmax or the like."""
        found = behind = self.output_node
        while behind.op == "call_function" and behind.all_input_nodes:
            name = operator_name(behind.target)
            if name in OUTPUTS:
                tape.label = _label(behind)
                if not drop:
                    tape.refuse(
                        f"{OUTPUTS[name]} has no linear regions; give drop_output=True "
                        "(--drop-output) to cut it at the end"
                    )
                tape.notes.append(f"cut at the end: {OUTPUTS[name]} {behind.name!r}")
                found = behind.all_input_nodes[0]
            elif name not in _MOVES:
                break
            behind = behind.all_input_nodes[0]
        return found

    def read(self, tape: Tape, model_shape: Shape, output: Any) -> Tensor:
        """Write the layers that `output` depends on."""
        values: dict[Any, Any] = {}
        needed = _needed(output)
        for node in self.nodes:
            if node not in needed:
                continue
            if node is self.input_node:
                values[node] = Tensor(0, model_shape)
            elif node.op == "placeholder":
                values[node] = self.constants[node.name]
            elif node.op == "call_function":
                tape.label = _label(node)
                values[node] = self._call(tape, node, values)
            else:
                raise UnknownOperator(f"{self.source}: {node.op} {node.name!r} cannot be read")
        result = values[output]
        if not isinstance(result, Tensor):
            raise Unsupported(f"{self.source}: the output does not depend on the input")
        return result

    def _call(self, tape: Tape, node: Any, values: dict[Any, Any]) -> Any:
        fx = self.torch.fx
        args, kwargs = fx.node.map_arg((node.args, dict(node.kwargs)), lambda n: values[n])
        leaves = _leaves((args, kwargs))
        if node.target is operator.getitem:
            result = args[0][args[1]]
            if result is None:
                tape.refuse("it reads a second output that layers do not have")
            return result
        if not any(isinstance(leaf, (Tensor, Condition)) for leaf in leaves):
            tags = getattr(node.target, "tags", ())
            if self.torch.Tag.nondeterministic_seeded in tags:
                tape.refuse("it makes random numbers, so there is no one network")
            with self.torch.no_grad():
                self.folded[node] = node.target(*args, **kwargs)
            return self.folded[node]
        name = operator_name(node.target)
        if name in ("_to_copy", "to", "float", "double", "type_as"):
            self.casts = True
        if name in _MADE_LIKE:
            return self._made_like(node, args, kwargs)
        handler = HANDLERS.get(name)
        if handler is None:
            kind = Unsupported if name in _KNOWN else UnknownOperator
            raise kind(f"{tape.source}: {tape.label}: {_reason(name)}")
        arguments = _arguments(node.target, args, kwargs)
        self._one_sample(name, node, arguments)
        return call_handler(tape, handler, arguments)

    def _made_like(self, node: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Make a constant in the shape of a computed tensor."""

        def plain(value: Any, given: Any) -> Any:
            if not isinstance(value, Tensor):
                return value
            return self.torch.zeros(value.shape, dtype=given.meta["val"].dtype)

        args = [plain(value, given) for value, given in zip(args, node.args, strict=True)]
        with self.torch.no_grad():
            return node.target(*args, **kwargs)

    def _one_sample(self, name: str, node: Any, arguments: dict[str, Any]) -> None:
        """Write 1 for the batch size in a reshape of a program that was exported for more."""
        batch = self.model_shape[0]
        key = "shape" if name == "reshape" else "size"
        if batch in (None, 1) or key not in arguments or name not in _MOVES | {"expand"}:
            return
        given = node.args[0].meta["val"].shape
        sizes = list(arguments[key])
        if len(self.model_shape) > 1 and sizes[:1] == [batch] and tuple(given[:1]) == (batch,):
            arguments[key] = [1, *sizes[1:]]

    def forward(self, output: Any) -> Forward:
        """Return the program's own forward pass for one sample: in double, unless it converts."""
        torch = self.torch
        casts = self.casts
        dtype = self.input_node.meta["val"].dtype if casts else torch.float64
        constants = {
            name: _on_cpu(value, None if casts else dtype) for name, value in self.constants.items()
        }
        batch = self.model_shape[0] if len(self.model_shape) > 1 else None
        rank = len(self.model_shape)
        lengths: list[float] = []
        folded = self.folded

        base: Any = torch.fx.Interpreter

        class Evaluate(base):  # type: ignore[misc]
            def run_node(self, n: Any) -> Any:
                if n in folded:
                    return _on_cpu(folded[n], None if casts else dtype)
                if operator_name(n.target).startswith("_assert"):
                    return None
                result = super().run_node(n)
                if isinstance(result, torch.Tensor) and result.is_floating_point():
                    lengths.append(float(result.abs().max()) if result.numel() else 0.0)
                return result

        interpreter = Evaluate(self.program.graph_module, garbage_collect_values=False)

        def run(point: FloatArray) -> tuple[FloatArray, float]:
            lengths.clear()
            sample = torch.as_tensor(point, dtype=dtype)
            if sample.ndim < rank:
                sample = sample.expand(batch or 1, *sample.shape)
            feeds = [
                sample if node is self.input_node else constants[node.name]
                for node in self.nodes
                if node.op == "placeholder"
            ]
            try:
                with torch.no_grad():
                    interpreter.run(*feeds, enable_io_processing=False)
            except Exception as error:
                reason = str(error).partition("\n")[0]
                raise CannotEvaluate(f"the program failed in double precision: {reason}") from error
            value = interpreter.env[output]
            first = value[:1] if (batch or 1) > 1 else value
            self.magnitudes[point.tobytes()] = max(lengths)
            return np.asarray(first.to(torch.float64).cpu()), max(lengths)

        return run


def call_handler(tape: Tape, handler: Handler, arguments: dict[str, Any]) -> Any:
    """Call a handler; whatever goes wrong names the operator."""
    try:
        return handler(tape, **arguments)
    except InvalidInput as error:
        raise InvalidInput(f"{tape.source}: {tape.label}: {error}") from error
    except LinearRegionsError:
        raise
    except (ValueError, TypeError, LookupError, ArithmeticError) as error:
        raise Unsupported(f"{tape.source}: {tape.label}: cannot be read: {error}") from error


def _on_cpu(value: Any, dtype: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_on_cpu(item, dtype) for item in value)
    if not hasattr(value, "detach"):
        return value
    value = value.detach().cpu()
    return value.to(dtype) if dtype is not None and value.is_floating_point() else value


def _is_pure(node: Any) -> bool:
    """Tell whether a node surely changes nothing that any other node reads.

    True for operators that are not in place, and for those whose argument is a fresh result that
    nobody else reads: an activation right after a convolution, the sum of a residual link.
    """
    schema = getattr(node.target, "_schema", None)
    if schema is None or not schema.is_mutable:
        return True
    target: Any = node.args[0] if node.args else None
    if getattr(target, "op", None) != "call_function" or len(target.users) > 1:
        return False
    if operator_name(target.target) in _FRESH:
        return True
    made_by = getattr(target.target, "_schema", None)
    return made_by is not None and bool(made_by.is_mutable) and _is_pure(target)


def _needed(output: Any) -> set[Any]:
    needed, queue = set(), [output]
    while queue:
        node = queue.pop()
        if node not in needed:
            needed.add(node)
            queue.extend(node.all_input_nodes)
    return needed


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


def _arguments(target: Any, args: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call by the names of the operator's schema."""
    schema = getattr(target, "_schema", None)
    if schema is None:
        raise Unsupported(f"the function {operator_name(target)} cannot be read")
    names = [argument.name for argument in schema.arguments]
    return {**dict(zip(names, args, strict=False)), **kwargs}


def _reason(name: str) -> str:
    if name in OUTPUTS:
        return f"{OUTPUTS[name]} inside a network is not piecewise linear"
    if name in _CURVED:
        return f"{name} is not piecewise linear"
    if name in _JUMPS:
        return f"{name} is not continuous"
    return f"operator {name} cannot be expressed as layers"
