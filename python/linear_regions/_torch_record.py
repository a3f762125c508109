# SPDX-License-Identifier: MIT
"""Activation patterns of a running PyTorch module, read off the operators that it calls.

PyTorch shows every operator that runs in a forward pass to a dispatch mode, whether it was called
by a module, by a function or by a method of a tensor, in place or not. Operators with linear pieces
give bits by the rules of docs/design/sign-format.md, before they run. Operators that are known to
be smooth are refused: where they act, there are no linear regions.

Operators on tensors that do not depend on the module's input (weights on their way) are passed
over. What depends on it is told by memory: the result of an operator with such an argument is such
a tensor.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .errors import InvalidInput, MissingExtra, Unsupported

__all__ = ["Recording", "recorded", "torch_module", "undisturbed"]

_Cuts = list[tuple[Any, Any]]  # (value, threshold): the bit is value > threshold


def torch_module(source: object) -> Any | None:
    """Return PyTorch if `source` is one of its modules, else None; imports nothing heavy."""
    names = {(cls.__name__, cls.__module__.partition(".")[0]) for cls in type(source).__mro__}
    if ("Module", "torch") not in names:
        return None
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("Reading PyTorch models", "torch") from error
    return torch


# ---- operators with pieces: their arguments -> where they change piece ----


def _at_zero(z: Any, *_: Any, **__: Any) -> _Cuts:
    return [(z, 0.0)]


def _leaky(z: Any, negative_slope: float = 0.01) -> _Cuts:
    return [] if negative_slope == 1.0 else [(z, 0.0)]


def _threshold(z: Any, threshold: float, value: float) -> _Cuts:
    return [(z, threshold)]


def _between(z: Any, min: Any = None, max: Any = None) -> _Cuts:
    return [(z, end) for end in (min, max) if end is not None]


def _hard_tanh(z: Any, min_val: float = -1.0, max_val: float = 1.0) -> _Cuts:
    return [(z, min_val), (z, max_val)]


def _hard_sigmoid(z: Any) -> _Cuts:
    return [(z, -3.0), (z, 3.0)]


def _soft_shrink(z: Any, lambd: float = 0.5) -> _Cuts:
    return [(z, -lambd), (z, lambd)]


def _clamp_max(z: Any, max: Any) -> _Cuts:
    return [(z, max)]


def _clamp_min(z: Any, min: Any) -> _Cuts:
    return [(z, min)]


def _second_wins(a: Any, b: Any) -> _Cuts:
    return [(b, a)]


def _first_above(a: Any, b: Any) -> _Cuts:
    return [(a, b)]


_POINTWISE: dict[str, Callable[..., _Cuts]] = {
    "relu": _at_zero,
    "leaky_relu": _leaky,
    "threshold": _threshold,
    "hardtanh": _hard_tanh,
    "relu6": lambda z: [(z, 0.0), (z, 6.0)],
    "clamp": _between,
    "clamp_min": _clamp_min,
    "clamp_max": _clamp_max,
    "abs": _at_zero,
    "_prelu_kernel": _at_zero,
    "rrelu_with_noise": _at_zero,
    "hardsigmoid": _hard_sigmoid,
    "softshrink": _soft_shrink,
    "maximum": _second_wins,
    "minimum": _first_above,
}
# A comparison counts when its result chooses between values.
_COMPARISONS = ("gt", "ge", "lt", "le")
_CHOICES = ("where", "mul", "masked_fill")
_WINDOWS = ("max_pool2d_with_indices", "max_pool3d_with_indices")
_WINNERS = ("max", "min")  # along one axis, with indices
_NO_WINNERS = (
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "fractional_max_pool2d",
    "amax",
    "amin",
)
_SMOOTH = frozenset(
    (
        "elu",
        "celu",
        "selu",
        "gelu",
        "glu",
        "silu",
        "mish",
        "tanh",
        "softplus",
        "log_sigmoid_forward",
        "hardswish",
        "native_layer_norm",
        "native_group_norm",
        "exp",
        "log",
        "sqrt",
        "rsqrt",
        "sin",
        "cos",
        "erf",
        "_scaled_dot_product_flash_attention_for_cpu",
        "_scaled_dot_product_attention_math",
    )
)
# At the end of a classifier they change nothing about the patterns before them.
_OUTPUTS = frozenset(("_softmax", "_log_softmax", "sigmoid", "argmax"))


class Recording:
    """Bits of one forward pass, layer by layer in the order in which the layers ran.

    Attributes
    ----------
    layers : list of (str, int)
        Name of each operator with its shape, and the bits of one of its units: 1 for pointwise
        activations, whose breakpoints count one by one; ceil(log2 q) for windows of q entries.
    bits : list of bool tensors, shape (batch, bits of the layer)
    """

    def __init__(self, torch: Any, batch: int) -> None:
        self.torch, self.batch = torch, batch
        self.layers: list[tuple[str, int]] = []
        self.bits: list[Any] = []
        self._reached: set[int] = set()
        # Comparisons that chose nothing yet, by the memory of their results.
        self._masks: dict[int, tuple[str, Any, Any]] = {}
        self._output: str | None = None

    def reach(self, value: Any) -> None:
        """Mark what depends on the input."""
        for tensor in self._tensors(value):
            self._reached.add(self._place(tensor))

    def _tensors(self, value: Any) -> Iterator[Any]:
        if isinstance(value, self.torch.Tensor):
            if value.numel():
                yield value
        elif isinstance(value, (list, tuple)):
            for item in value:
                yield from self._tensors(item)
        elif isinstance(value, dict):
            yield from self._tensors(list(value.values()))

    def _depends(self, value: Any) -> bool:
        return any(self._place(t) in self._reached for t in self._tensors(value))

    def call(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Run an operator and note its bits."""
        if not self._depends((args, kwargs)):
            result = func(*args, **kwargs)
            # Freed memory may serve a tensor that does not depend on the input.
            for tensor in self._tensors(result):
                self._reached.discard(self._place(tensor))
                self._masks.pop(self._place(tensor), None)
            return result
        name = str(func._schema.name).rpartition("::")[2]
        name = name[:-1] if name.endswith("_") else name
        if name in _SMOOTH or name in _NO_WINNERS:
            raise Unsupported(
                f"{name} has no linear pieces that can be read off; see lr.load(module) for what "
                "is supported"
                if name in _NO_WINNERS
                else f"{name} is smooth: a network with it has no linear regions"
            )
        if name in _POINTWISE:
            self._pointwise(name, _POINTWISE[name](*args, **kwargs))
        if name in _CHOICES:
            self._choose(args)
        copied = self._masks.get(self._place(args[0])) if name == "_to_copy" else None
        result = func(*args, **kwargs)
        for tensor in self._tensors(result):
            self._masks.pop(self._place(tensor), None)
        if copied is not None:
            self._masks[self._place(result)] = copied
        elif name in _COMPARISONS and args[0].is_floating_point() and result.numel():
            self._masks[self._place(result)] = (name, args[0] > args[1], result.shape)
        if name in _WINDOWS:
            self._pool(name, func, args, kwargs, result[1])
        elif name in _WINNERS and isinstance(result, tuple) and len(result) == 2:
            dim = args[1] if len(args) > 1 else kwargs["dim"]
            self._codes(f"{name} over axis {dim}", result[1], args[0].shape[dim])
        elif name in _OUTPUTS:
            self._output = name
        self.reach(result)
        return result

    @staticmethod
    def _place(tensor: Any) -> int:
        place: int = tensor.untyped_storage().data_ptr()
        return place

    def _choose(self, args: Any) -> None:
        """Note the comparisons by which values are chosen, once each."""
        for tensor in list(self._tensors(args)):
            mask = self._masks.get(self._place(tensor))
            if mask is not None:
                name, bits, shape = mask
                self._add(name, self._rows(name, bits), shape, 1)
                self._masks = {place: m for place, m in self._masks.items() if m is not mask}

    def _add(self, name: str, bits: Any, shape: Any, width: int) -> None:
        if self._output is not None:
            raise Unsupported(f"{self._output} before {name}: such a network has no linear regions")
        self.layers.append((f"{name} {tuple(shape[1:])}", width))
        self.bits.append(bits)

    def _rows(self, name: str, value: Any) -> Any:
        if value.ndim == 0 or value.shape[0] % self.batch:
            raise Unsupported(
                f"{name} on a tensor of shape {tuple(value.shape)}: expected the batch axis "
                f"({self.batch}) first"
            )
        return value.reshape(self.batch, -1)

    def _pointwise(self, name: str, cuts: _Cuts) -> None:
        planes = []
        for value, threshold in cuts:
            tensor = value if isinstance(value, self.torch.Tensor) else threshold
            if not tensor.is_floating_point():
                return  # a mask or an index
            planes.append(value > threshold)
        if planes:
            shape = planes[0].shape
            both = planes[0] if len(planes) == 1 else self.torch.stack(planes, dim=-1)
            self._add(name, self._rows(name, both), shape, 1)

    def _codes(self, name: str, winners: Any, entries: int) -> None:
        """Note the winners' places among so many entries, in binary."""
        width = max(entries - 1, 0).bit_length()
        if not width:
            return
        powers = self.torch.arange(width, device=winners.device)
        bits = (winners.unsqueeze(-1) >> powers) & 1
        self._add(name, self._rows(name, bits.bool()), winners.shape, width)

    def _pool(self, name: str, func: Any, args: Any, kwargs: Any, winners: Any) -> None:
        """Note the winners of windows; PyTorch's indices count the entries of a whole plane."""
        names = [argument.name for argument in func._schema.arguments]
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        n = 2 if "2d" in name else 3
        sizes = given["self"].shape[-n:]

        def each(value: Any, default: int) -> list[int]:
            values = list(value) if isinstance(value, (list, tuple)) else [value]
            values = [default if v is None else int(v) for v in values] or [default]
            return values * n if len(values) == 1 else values

        kernel = each(given["kernel_size"], 1)
        stride = each(given.get("stride") or kernel, 1)
        padding, dilation = each(given.get("padding"), 0), each(given.get("dilation"), 1)
        code = self.torch.zeros_like(winners)
        rest, entries = winners, 1
        for axis in reversed(range(n)):
            at, rest = rest % sizes[axis], rest // sizes[axis]
            out = self.torch.arange(winners.shape[axis - n], device=winners.device)
            out = out.reshape(-1, *(1,) * (n - 1 - axis))
            first = out * stride[axis] - padding[axis]
            code = code + (at - first) // dilation[axis] * entries
            entries *= kernel[axis]
        self._codes(name.removesuffix("_with_indices"), code, entries)


@contextmanager
def recorded(torch: Any, inputs: Any) -> Iterator[Recording]:
    """Record the operators that run inside, on the first tensor among `inputs` and what follows."""
    from torch.utils._python_dispatch import TorchDispatchMode

    recording = Recording(torch, 1)
    tensors = list(recording._tensors(inputs))
    if not tensors or tensors[0].ndim == 0:
        raise InvalidInput("expected a tensor with a batch axis as the module's input")
    recording.batch = tensors[0].shape[0]
    recording.reach(tensors)
    base: Any = TorchDispatchMode

    class Mode(base):  # type: ignore[misc]
        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            # PyTorch would load its compiler, for seconds, in order to keep it away from the method
            # below. Where it is not loaded, nothing is compiled.
            return "torch._dynamo" in sys.modules

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            return recording.call(func, args, kwargs or {})

    with Mode():
        yield recording


@contextmanager
def undisturbed(torch: Any, module: Any) -> Iterator[None]:
    """Put buffers (batch normalization's averages) and the random state back afterwards."""
    kept = (
        {name: buffer.clone() for name, buffer in module.named_buffers()}
        if (module.training or any(part.training for part in module.modules()))
        else {}
    )
    try:
        with torch.random.fork_rng(), torch.no_grad():
            yield
    finally:
        with torch.no_grad():
            for name, buffer in module.named_buffers():
                if name in kept:
                    buffer.copy_(kept[name])
