# SPDX-License-Identifier: MIT
"""Operators that ONNX's reference evaluator gets wrong, written after their specification.

A model is compared with its own forward pass, so an evaluator that is wrong would refuse models
that were read right. Nothing here is shared with the layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def corrected_operators(opset: int) -> list[type[Any]]:
    """Return operators that take the place of the evaluator's own (its `new_ops`)."""
    pools = [_global_max_pool(), _max_pool()]
    return [*pools, _batch_norm_at_inference()] if opset < 14 else pools


def _operator() -> Any:
    from onnx.reference.op_run import OpRun

    return OpRun


def _batch_norm_at_inference() -> type[Any]:
    """Return BatchNormalization for models older than opset 14.

    ONNX's own one then takes the statistics of the sample, although a node with one output means
    inference.
    """

    class BatchNormalization(_operator()):  # type: ignore[misc]
        op_domain = ""

        def _run(
            self, x: Array, s: Array, b: Array, m: Array, v: Array, epsilon: float = 1e-5, **_: Any
        ) -> tuple[Array]:
            shape = (-1, *(1,) * (x.ndim - 2))
            s, b, m, v = (array.reshape(shape) for array in (s, b, m, v))
            return (s * (x - m) / np.sqrt(v + epsilon) + b,)

    return BatchNormalization


def _global_max_pool() -> type[Any]:
    """Return GlobalMaxPool; ONNX's own one is right with two spatial axes only."""

    class GlobalMaxPool(_operator()):  # type: ignore[misc]
        op_domain = ""

        def _run(self, x: Array, **_: Any) -> tuple[Array]:
            return (x.max(axis=tuple(range(2, x.ndim)), keepdims=True),)

    return GlobalMaxPool


def _max_pool() -> type[Any]:
    """Return MaxPool; ONNX's own one is wrong for some uneven padding, SAME_LOWER and ceil_mode."""

    class MaxPool(_operator()):  # type: ignore[misc]
        op_domain = ""

        def _run(
            self,
            x: Array,
            kernel_shape: Sequence[int] = (),
            strides: Sequence[int] | None = None,
            pads: Sequence[int] | None = None,
            dilations: Sequence[int] | None = None,
            auto_pad: str | None = None,
            ceil_mode: int = 0,
            **_: Any,
        ) -> tuple[Array, ...]:
            n = len(kernel_shape)
            before, after = (pads or [0] * 2 * n)[:n], (pads or [0] * 2 * n)[n:]
            for i, (kernel, stride, dilation) in enumerate(
                zip(kernel_shape, strides or [1] * n, dilations or [1] * n, strict=True)
            ):
                seen = range(0, kernel * dilation, dilation)
                mode = auto_pad or "NOTSET"
                starts = _starts(
                    x.shape[2 + i], seen[-1] + 1, stride, (before[i], after[i]), mode, ceil_mode
                )
                x = _largest(x, 2 + i, starts, seen)
            # The numbers of the winners, where the model names them; no layer reads them.
            winners = np.zeros(x.shape, dtype=np.int64)
            return (x, winners)[: len(self.onnx_node.output)]

    return MaxPool


def _starts(
    length: int, reach: int, stride: int, pads: tuple[int, int], mode: str, ceil_mode: int
) -> range:
    """Return where the windows begin along one axis; negative in the padding."""
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        count = -(-length // stride)
        total = max(0, (count - 1) * stride + reach - length)
        first = -(total // 2 if mode == "SAME_UPPER" else total - total // 2)
    else:
        before, after = pads if mode == "NOTSET" else (0, 0)
        room, first = length + before + after - reach, -before
        count = room // stride + 1
        # One more sticks out behind, unless it would begin in the padding behind the input.
        if mode == "NOTSET" and ceil_mode and room % stride and first + count * stride < length:
            count += 1
    return range(first, first + count * stride, stride)


def _largest(x: Array, axis: int, starts: range, seen: range) -> Array:
    """Return the largest entries of windows along one axis; a window is the product of these."""
    length = x.shape[axis]
    windows = [[start + j for j in seen if 0 <= start + j < length] for start in starts]
    return np.stack([x.take(entries, axis).max(axis, initial=-np.inf) for entries in windows], axis)
