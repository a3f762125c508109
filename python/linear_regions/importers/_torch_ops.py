# SPDX-License-Identifier: MIT
"""PyTorch's operators: one function per operator, from its arguments to the tape.

The arguments have the names of PyTorch's own operator schemas. A value is a `Tensor` when it
depends on the input, a ``torch.Tensor`` when it is constant, else a Python number, list or None.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..layers import AvgPool, MaxPool
from . import _linear as lin
from . import _piecewise as pw
from ._tape import FloatArray, Tape, Tensor

Handler: TypeAlias = Callable[..., Any]


@dataclass(frozen=True)
class Condition:
    """The result of comparing a computed tensor with a number; only `where` takes it."""

    tensor: Tensor
    threshold: float
    above: bool


def constant(tape: Tape, value: Any, what: str) -> FloatArray:
    """Return a constant as a float64 array; no number changes."""
    if isinstance(value, (Tensor, Condition)):
        tape.refuse(f"{what} depends on the input; a layer needs a constant there")
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        # NumPy has no bfloat16; every float type of PyTorch fits into float64.
        value = (value.double() if value.is_floating_point() else value).numpy()
    return lin.exact_float(tape, value, what)


def optional(tape: Tape, value: Any, what: str) -> FloatArray | None:
    """Return a constant that may be None."""
    return None if value is None else constant(tape, value, what)


def computed(tape: Tape, value: Any) -> Tensor:
    """Return a value that must depend on the input."""
    if not isinstance(value, Tensor):
        tape.refuse(f"expected a tensor that depends on the input, got {type(value).__name__}")
    return value


def spread(value: Any, n_axes: int) -> list[int]:
    """Return one int per spatial axis from PyTorch's int, or list of one or all."""
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    return [int(v) for v in (values * n_axes if len(values) == 1 else values)]


def linear(tape: Tape, input: Any, weight: Any, bias: Any = None) -> Tensor:
    """Fully connected layer."""
    matrix = constant(tape, weight, "its weight")
    offset = optional(tape, bias, "its bias")
    tensor = computed(tape, input)
    return lin.linear(tape, tensor, matrix, np.zeros(1) if offset is None else offset)


def matmul(tape: Tape, self: Any, other: Any) -> Tensor:
    """Matrix product with a constant."""
    if isinstance(self, Tensor) and isinstance(other, Tensor):
        tape.refuse("the matrix product of two computed tensors is not piecewise linear")
    if isinstance(self, Tensor):
        return lin.matmul_right(tape, self, constant(tape, other, "its matrix"))
    return lin.matmul_left(tape, constant(tape, self, "its matrix"), computed(tape, other))


def addmm(tape: Tape, self: Any, mat1: Any, mat2: Any, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """Return beta * self + alpha * mat1 @ mat2."""
    product = matmul(tape, mat1, mat2)
    if alpha != 1:
        product = lin.scale(tape, product, float(alpha), 0.0)
    return add(tape, product, self, beta)


def conv(
    tape: Tape,
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    transposed: bool = False,
    output_padding: Any = 0,
) -> Tensor:
    """Convolution in 1 to 3 axes."""
    if transposed:
        tape.refuse("transposed convolution cannot be expressed as layers")
    kernel = constant(tape, weight, "its weight")
    n_axes = kernel.ndim - 2
    steps, gaps = spread(stride, n_axes), spread(dilation, n_axes)
    if padding == "valid":
        padding = 0
    if padding == "same":
        # PyTorch puts the odd place behind.
        total = [d * (k - 1) for d, k in zip(gaps, kernel.shape[2:], strict=True)]
        pads = [(t // 2, t - t // 2) for t in total]
    else:
        pads = [(p, p) for p in spread(padding, n_axes)]
    return lin.conv(
        tape,
        computed(tape, input),
        kernel,
        optional(tape, bias, "its bias"),
        stride=steps,
        pads=pads,
        dilation=gaps,
        groups=int(groups),
    )


def batch_norm(
    tape: Tape,
    input: Any,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    cudnn_enabled: bool = False,
) -> Tensor:
    """Batch normalization by stored statistics."""
    if training or running_mean is None or running_var is None:
        tape.refuse("it normalises by the batch; only module.eval() with stored statistics is read")
    return lin.batch_norm(
        tape,
        computed(tape, input),
        optional(tape, weight, "its weight"),
        optional(tape, bias, "its bias"),
        constant(tape, running_mean, "its running mean"),
        constant(tape, running_var, "its running variance"),
        float(eps),
    )


def batch_norm_tuple(tape: Tape, **arguments: Any) -> tuple[Any, ...]:
    """Batch normalization of the decomposed operators, which returns statistics as well."""
    return batch_norm(tape, **arguments), None, None


def dropout(tape: Tape, input: Any, p: float = 0.5, train: bool = False) -> Tensor:
    """Nothing at inference."""
    if train and p:
        tape.refuse("it drops at random; call module.eval() before exporting")
    return computed(tape, input)


def relu(tape: Tape, self: Any) -> Tensor:
    """Return max(x, 0)."""
    return pw.rectify(tape, computed(tape, self))


def leaky_relu(tape: Tape, self: Any, negative_slope: Any = 0.01) -> Tensor:
    """Return x above zero, negative_slope * x below."""
    return pw.leaky(tape, computed(tape, self), float(negative_slope))


def rrelu(
    tape: Tape, self: Any, lower: Any = 1 / 8, upper: Any = 1 / 3, training: bool = False, **_: Any
) -> Tensor:
    """Leaky ReLU with the mean slope, at inference."""
    if training:
        tape.refuse("its slope is random; call module.eval() before exporting")
    return pw.leaky(tape, computed(tape, self), (float(lower) + float(upper)) / 2)


def prelu(tape: Tape, self: Any, weight: Any) -> Tensor:
    """Leaky ReLU with a learnt slope, one or one per channel (axis 1)."""
    tensor, slope = computed(tape, self), constant(tape, weight, "its slope")
    if slope.size > 1 and slope.ndim < 2:
        slope = slope.reshape(-1, *(1,) * (len(tensor.shape) - 2))
    return pw.leaky(tape, tensor, slope)


def hardtanh(tape: Tape, self: Any, min_val: Any = -1, max_val: Any = 1) -> Tensor:
    """Clip."""
    return pw.clip(tape, computed(tape, self), float(min_val), float(max_val))


def relu6(tape: Tape, self: Any) -> Tensor:
    """Clip to [0, 6]."""
    return pw.clip(tape, computed(tape, self), 0.0, 6.0)


def hardsigmoid(tape: Tape, self: Any) -> Tensor:
    """Return relu6(x + 3) / 6."""
    tape.notes.append(f"{tape.label}: slope 1/6 rounded to float64")
    return pw.pointwise(tape, computed(tape, self), [-3.0, 3.0], [0.0, 1.0 / 6.0, 0.0], 0.5)


def clamp(tape: Tape, self: Any, min: Any = None, max: Any = None) -> Tensor:
    """Clip to numbers, or to constant tensors."""
    tensor = computed(tape, self)
    low, high = optional(tape, min, "its minimum"), optional(tape, max, "its maximum")
    if all(bound is None or bound.size == 1 for bound in (low, high)):
        low_number = None if low is None else float(low.reshape(-1)[0])
        return pw.clip(tape, tensor, low_number, None if high is None else float(high.reshape(())))
    if low is not None:
        tensor = pw.maximum_with(tape, tensor, low)
    return tensor if high is None else pw.minimum_with(tape, tensor, high)


def absolute(tape: Tape, self: Any) -> Tensor:
    """Return |x|."""
    return pw.absolute_value(tape, computed(tape, self))


def threshold(tape: Tape, self: Any, threshold: Any, value: Any) -> Tensor:
    """Return x above the threshold, value below: continuous where they agree."""
    if threshold != value:
        tape.refuse(f"with threshold={threshold} and value={value} it is not continuous")
    return pw.clip(tape, computed(tape, self), float(threshold), None)


def softshrink(tape: Tape, self: Any, lambd: Any = 0.5) -> Tensor:
    """Shrink towards zero by lambd."""
    if lambd == 0:
        return computed(tape, self)
    cut = float(lambd)
    return pw.pointwise(tape, computed(tape, self), [-cut, cut], [1.0, 0.0, 1.0])


def mean(tape: Tape, self: Any, dim: Any = None, keepdim: bool = False, **_: Any) -> Tensor:
    """Mean over axes."""
    tensor = computed(tape, self)
    return lin.reduce_axes(tape, tensor, AvgPool, _dims(tensor, dim), bool(keepdim))


def total(tape: Tape, self: Any, dim: Any = None, keepdim: bool = False, **_: Any) -> Tensor:
    """Sum over axes."""
    tensor = computed(tape, self)
    return lin.reduce_sum(tape, tensor, _dims(tensor, dim), bool(keepdim))


def amax(tape: Tape, self: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Maximum over axes."""
    tensor = computed(tape, self)
    return lin.reduce_axes(tape, tensor, MaxPool, _dims(tensor, dim), bool(keepdim))


def amin(tape: Tape, self: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Minimum over axes."""
    minus = lin.scale(tape, computed(tape, self), -1.0, 0.0)
    return lin.scale(tape, amax(tape, minus, dim, keepdim), -1.0, 0.0)


def maximum(tape: Tape, self: Any, other: Any = None, dim: Any = None, keepdim: Any = False) -> Any:
    """Maximum of two tensors, over one axis (with the index), or over everything."""
    if other is None:
        result = amax(tape, self, dim, keepdim)
        return result if dim is None else (result, None)
    a, b = (self, other) if isinstance(self, Tensor) else (other, self)
    if isinstance(b, Tensor):
        return pw.maximum_of(tape, [computed(tape, a), b])
    return pw.maximum_with(tape, computed(tape, a), constant(tape, b, "a constant"))


def minimum(tape: Tape, self: Any, other: Any = None, dim: Any = None, keepdim: Any = False) -> Any:
    """Minimum of two tensors, over one axis (with the index), or over everything."""
    if other is None:
        result = amin(tape, self, dim, keepdim)
        return result if dim is None else (result, None)
    a, b = (self, other) if isinstance(self, Tensor) else (other, self)
    if isinstance(b, Tensor):
        return pw.minimum_of(tape, [computed(tape, a), b])
    return pw.minimum_with(tape, computed(tape, a), constant(tape, b, "a constant"))


def _dims(tensor: Tensor, dim: Any) -> list[int]:
    if dim is None or (isinstance(dim, (list, tuple)) and not dim):
        return list(range(len(tensor.shape)))
    return list(dim) if isinstance(dim, (list, tuple)) else [dim]


def add(tape: Tape, self: Any, other: Any, alpha: Any = 1) -> Tensor:
    """Return self + alpha * other."""
    if isinstance(self, Tensor) and isinstance(other, Tensor):
        return tape.add(self, lin.scale(tape, other, float(alpha), 0.0))
    if isinstance(self, Tensor):
        offset = constant(tape, other, "a constant")
        return lin.scale(tape, self, 1.0, _times(tape, offset, alpha))
    return lin.scale(tape, computed(tape, other), float(alpha), constant(tape, self, "a constant"))


def _times(tape: Tape, array: FloatArray, factor: Any) -> FloatArray:
    product, note = lin.times(array, float(factor), "a constant times alpha")
    if note:
        tape.notes.append(f"{tape.label}: {note}")
    return product


def sub(tape: Tape, self: Any, other: Any, alpha: Any = 1) -> Tensor:
    """Return self - alpha * other."""
    return add(tape, self, other, -alpha)


def rsub(tape: Tape, self: Any, other: Any, alpha: Any = 1) -> Tensor:
    """Return other - alpha * self."""
    return add(tape, other, self, -alpha)


def mul(tape: Tape, self: Any, other: Any) -> Tensor:
    """Product with a constant, or with a comparison: x * (x > 0)."""
    if isinstance(self, Condition):
        self, other = other, self
    if isinstance(other, Condition):
        return where(tape, other, self, 0.0)
    if isinstance(self, Tensor) and isinstance(other, Tensor):
        tape.refuse("the product of two computed tensors is not piecewise linear")
    tensor, factor = (self, other) if isinstance(self, Tensor) else (other, self)
    return lin.scale(tape, computed(tape, tensor), constant(tape, factor, "its factor"), 0.0)


def div(tape: Tape, self: Any, other: Any, rounding_mode: Any = None) -> Tensor:
    """Quotient with a constant."""
    if rounding_mode is not None:
        tape.refuse(f"rounding_mode={rounding_mode!r} is not continuous")
    if not isinstance(self, Tensor) or isinstance(other, Tensor):
        tape.refuse("dividing by a computed tensor is not piecewise linear")
    return lin.divide(tape, self, constant(tape, other, "its divisor"))


def neg(tape: Tape, self: Any) -> Tensor:
    """Return -x."""
    return lin.scale(tape, computed(tape, self), -1.0, 0.0)


def compare(above: bool) -> Handler:
    """Comparison with a number, for `where`."""

    def handler(tape: Tape, self: Any, other: Any) -> Condition:
        number = constant(tape, other, "the number compared with")
        if number.size != 1:
            tape.refuse("comparing with a tensor of several numbers is not read")
        return Condition(computed(tape, self), float(number.reshape(-1)[0]), above)

    return handler


def where(tape: Tape, condition: Any, self: Any, other: Any) -> Tensor:
    """Choose by a comparison of x between two multiples of x: an activation with one breakpoint."""
    if isinstance(condition, Tensor):
        tape.refuse("a choice is read only where it compares a computed tensor with a number")
    if not isinstance(condition, Condition):
        return _mask(tape, condition, self, other)
    x, cut = condition.tensor, condition.threshold
    (up, up_offset), (down, down_offset) = (_as_line(tape, value, x) for value in (self, other))
    if not condition.above:
        up, up_offset, down, down_offset = down, down_offset, up, up_offset
    if not np.array_equal(up * cut + up_offset, down * cut + down_offset):
        tape.refuse("the two branches differ where they meet, so it is not continuous")
    return pw.pointwise(tape, x, [cut], [down, up], up_offset if cut < 0 else down_offset)


def _mask(tape: Tape, condition: Any, self: Any, other: Any) -> Tensor:
    """Choose by a constant: products with ones and zeros, which are exact."""
    first = constant(tape, condition, "its condition")
    second = 1.0 - first
    if isinstance(self, Tensor) and isinstance(other, Tensor):
        parts = lin.scale(tape, self, first, 0.0), lin.scale(tape, other, second, 0.0)
        return tape.add(*parts)
    if isinstance(self, Tensor):
        return lin.scale(tape, self, first, second * constant(tape, other, "a branch"))
    tensor = computed(tape, other)
    return lin.scale(tape, tensor, second, first * constant(tape, self, "a branch"))


def masked_fill(tape: Tape, self: Any, mask: Any, value: Any) -> Tensor:
    """Put a number where a constant mask is true."""
    return where(tape, mask, value, self)


def _as_line(tape: Tape, value: Any, x: Tensor) -> tuple[FloatArray, FloatArray]:
    """Return slope and offset of a value that is an affine function of x, entry by entry."""
    if isinstance(value, Tensor):
        line = tape.line_of(value, x)
        if line is None:
            tape.refuse("a branch is no multiple of the tensor that is compared")
        return line
    offset = np.broadcast_to(constant(tape, value, "a branch"), x.shape)
    return np.zeros(x.shape), offset


def mm(tape: Tape, self: Any, mat2: Any) -> Tensor:
    """Matrix product under another argument name."""
    return matmul(tape, self, mat2)


def mv(tape: Tape, self: Any, vec: Any) -> Tensor:
    """Matrix times vector."""
    return matmul(tape, self, vec)


HANDLERS: dict[str, Handler] = {
    "conv1d": conv,
    "conv2d": conv,
    "conv3d": conv,
    "_native_batch_norm_legit_no_training": batch_norm_tuple,
    "_prelu_kernel": prelu,
    "abs": absolute,
    "add": add,
    "addmm": addmm,
    "alpha_dropout": dropout,
    "amax": amax,
    "amin": amin,
    "batch_norm": batch_norm,
    "bmm": mm,
    "clamp": clamp,
    "clamp_max": clamp,
    "clamp_min": clamp,
    "clip": clamp,
    "convolution": conv,
    "div": div,
    "dropout": dropout,
    "feature_alpha_dropout": dropout,
    "feature_dropout": dropout,
    "ge": compare(True),
    "gt": compare(True),
    "hardsigmoid": hardsigmoid,
    "hardtanh": hardtanh,
    "le": compare(False),
    "leaky_relu": leaky_relu,
    "linear": linear,
    "lt": compare(False),
    "masked_fill": masked_fill,
    "matmul": matmul,
    "max": maximum,
    "maximum": maximum,
    "mean": mean,
    "min": minimum,
    "minimum": minimum,
    "mm": mm,
    "mul": mul,
    "mv": mv,
    "neg": neg,
    "prelu": prelu,
    "relu": relu,
    "relu6": relu6,
    "rrelu": rrelu,
    "rsub": rsub,
    "softshrink": softshrink,
    "sub": sub,
    "sum": total,
    "threshold": threshold,
    "where": where,
}
