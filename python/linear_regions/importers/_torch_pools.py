# SPDX-License-Identifier: MIT
"""PyTorch's pooling operators."""

from __future__ import annotations

from typing import Any

from ..layers import AvgPool, MaxPool
from . import _linear as lin
from ._tape import Tape, Tensor
from ._torch_ops import Handler, computed, spread


def max_pool(n_axes: int, with_indices: bool = False) -> Handler:
    """Max pooling over `n_axes` spatial axes."""

    def handler(
        tape: Tape,
        self: Any,
        kernel_size: Any,
        stride: Any = (),
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> Any:
        result = lin.pool(
            tape,
            computed(tape, self),
            MaxPool,
            spread(kernel_size, n_axes),
            pads=[(p, p) for p in spread(padding, n_axes)],
            stride=tuple(spread(stride or kernel_size, n_axes)),
            dilation=tuple(spread(dilation, n_axes)),
            ceil_mode=bool(ceil_mode),
        )
        return (result, None) if with_indices else result

    return handler


def avg_pool(n_axes: int) -> Handler:
    """Average pooling over `n_axes` spatial axes."""

    def handler(
        tape: Tape,
        self: Any,
        kernel_size: Any,
        stride: Any = (),
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: Any = None,
    ) -> Tensor:
        if divisor_override is not None:
            tape.refuse("divisor_override cannot be expressed as a layer")
        return lin.pool(
            tape,
            computed(tape, self),
            AvgPool,
            spread(kernel_size, n_axes),
            pads=[(p, p) for p in spread(padding, n_axes)],
            stride=tuple(spread(stride or kernel_size, n_axes)),
            ceil_mode=bool(ceil_mode),
            count_include_pad=bool(count_include_pad),
        )

    return handler


def adaptive_pool(
    kind: type[MaxPool] | type[AvgPool], n_axes: int, with_indices: bool = False
) -> Handler:
    """Pooling to a given size, where that divides the input evenly."""

    def handler(tape: Tape, self: Any, output_size: Any) -> Any:
        tensor = computed(tape, self)
        lengths = tensor.shape[-n_axes:]
        given = output_size if isinstance(output_size, (list, tuple)) else [output_size]
        wanted = [*given] * n_axes if len(given) == 1 else [*given]
        sizes = [n if w is None else int(w) for n, w in zip(lengths, wanted, strict=True)]
        if any(w < 1 or n % w for n, w in zip(lengths, sizes, strict=True)):
            tape.refuse(f"{lengths} is not a multiple of {tuple(sizes)}, so its windows differ")
        kernel = [n // w for n, w in zip(lengths, sizes, strict=True)]
        result = tensor
        if max(kernel) > 1:
            result = lin.pool(tape, tensor, kind, kernel, pads=[(0, 0)] * n_axes)
        return (result, None) if with_indices else result

    return handler


def _table() -> dict[str, Handler]:
    table: dict[str, Handler] = {}
    for n in (1, 2, 3):
        table[f"max_pool{n}d"] = max_pool(n)
        table[f"max_pool{n}d_with_indices"] = max_pool(n, with_indices=True)
        table[f"avg_pool{n}d"] = avg_pool(n)
        table[f"adaptive_avg_pool{n}d"] = adaptive_pool(AvgPool, n)
        table[f"_adaptive_avg_pool{n}d"] = adaptive_pool(AvgPool, n)
        table[f"adaptive_max_pool{n}d"] = adaptive_pool(MaxPool, n, with_indices=True)
    return table


HANDLERS: dict[str, Handler] = _table()
