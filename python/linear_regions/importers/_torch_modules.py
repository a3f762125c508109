# SPDX-License-Identifier: MIT
"""The second way into PyTorch: known modules of an ``nn.Sequential``, one by one."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ._check import FloatArray, Forward
from ._tape import Shape, Tape, Tensor
from ._torch_graph import HANDLERS, OUTPUTS, call_handler

_POOL = ("kernel_size", "stride", "padding", "ceil_mode")

# Module class -> (operator, attributes of the module that are its arguments under other names).
# Names ending in 1d, 2d, 3d are looked up with the digit replaced by N.
_MODULES: dict[str, tuple[str, dict[str, str]]] = {
    "Linear": ("linear", {"weight": "weight", "bias": "bias"}),
    "BatchNormNd": (
        "batch_norm",
        {n: n for n in ("weight", "bias", "running_mean", "running_var", "eps")},
    ),
    "ReLU": ("relu", {}),
    "ReLU6": ("relu6", {}),
    "LeakyReLU": ("leaky_relu", {"negative_slope": "negative_slope"}),
    "PReLU": ("prelu", {"weight": "weight"}),
    "RReLU": ("rrelu", {"lower": "lower", "upper": "upper"}),
    "Hardtanh": ("hardtanh", {"min_val": "min_val", "max_val": "max_val"}),
    "Hardsigmoid": ("hardsigmoid", {}),
    "Softshrink": ("softshrink", {"lambd": "lambd"}),
    "Threshold": ("threshold", {"threshold": "threshold", "value": "value"}),
    "MaxPoolNd": ("max_poolNd", {n: n for n in (*_POOL, "dilation")}),
    "AvgPoolNd": ("avg_poolNd", {n: n for n in (*_POOL, "count_include_pad")}),
    "AdaptiveAvgPoolNd": ("adaptive_avg_poolNd", {"output_size": "output_size"}),
    "AdaptiveMaxPoolNd": ("adaptive_max_poolNd", {"output_size": "output_size"}),
    "Flatten": ("flatten", {"start_dim": "start_dim", "end_dim": "end_dim"}),
    "Unflatten": ("unflatten", {"dim": "dim", "sizes": "unflattened_size"}),
    "ZeroPadNd": ("pad", {"pad": "padding"}),
    "ConstantPadNd": ("pad", {"pad": "padding", "value": "value"}),
    "ReflectionPadNd": ("reflection_padNd", {"padding": "padding"}),
    "ReplicationPadNd": ("replication_padNd", {"padding": "padding"}),
    "Dropout": ("dropout", {}),
    "DropoutNd": ("dropout", {}),
    "AlphaDropout": ("dropout", {}),
    "Identity": ("alias", {}),
}

_OUTPUTS = {"Softmax": "softmax", "LogSoftmax": "log_softmax", "Sigmoid": "sigmoid"}

_FIRST_ARGUMENT = {"linear": "input", "batch_norm": "input", "dropout": "input"}


def read_sequential(
    torch: Any, tape: Tape, module: Any, shape: Shape, drop: bool
) -> tuple[Tensor, list[Any]]:
    """Write the modules of `module` on the tape; return the result and the modules read."""
    parts = _flat(torch, module, "")
    while parts and type(parts[-1][1]).__name__ in _OUTPUTS:
        name, last = parts[-1]
        operator = _OUTPUTS[type(last).__name__]
        tape.label = f"{type(last).__name__} {name!r}"
        if not drop:
            tape.refuse(
                f"{OUTPUTS[operator]} has no linear regions; give drop_output=True (--drop-output) "
                "to cut it at the end"
            )
        tape.notes.append(f"cut at the end: {tape.label}")
        parts.pop()
    value = Tensor(0, (1, *shape))
    for name, part in parts:
        tape.label = f"{type(part).__name__} {name!r}"
        value = _read_module(torch, tape, part, value)
    return value, [part for _, part in parts]


def _flat(torch: Any, module: Any, prefix: str) -> list[tuple[str, Any]]:
    parts: list[tuple[str, Any]] = []
    # Not named_children(), which leaves out a module that was there before: one ReLU may stand
    # behind several layers.
    for name, child in module._modules.items():
        path = f"{prefix}{name}"
        if type(child) is torch.nn.Sequential:
            parts.extend(_flat(torch, child, f"{path}."))
        else:
            parts.append((path, child))
    return parts


def _read_module(torch: Any, tape: Tape, module: Any, value: Tensor) -> Tensor:
    kind = type(module).__name__
    # A subclass may compute something else, so the class itself must be PyTorch's own.
    own = type(module).__module__.startswith("torch.nn.modules.")
    axes = kind[-2] if kind.endswith(("1d", "2d", "3d")) else ""
    if own and kind in ("Conv1d", "Conv2d", "Conv3d"):
        return _read_conv(torch, tape, module, value)
    entry = _MODULES.get(f"{kind[:-2]}Nd" if axes else kind) if own else None
    if entry is None:
        tape.refuse("this module cannot be read one by one; torch.export failed before")
    operator, names = entry
    arguments = {argument: getattr(module, name) for argument, name in names.items()}
    if operator == "pad":
        arguments["pad"] = list(arguments["pad"])
    arguments[_FIRST_ARGUMENT.get(operator, "self")] = value
    result = call_handler(tape, HANDLERS[operator.replace("N", axes)], arguments)
    if isinstance(result, tuple):
        result = result[0]
    assert isinstance(result, Tensor)
    return result


def _read_conv(torch: Any, tape: Tape, module: Any, value: Tensor) -> Tensor:
    arguments = {
        name: getattr(module, name)
        for name in ("weight", "bias", "stride", "padding", "dilation", "groups")
    }
    if module.padding_mode != "zeros":
        n_axes = len(module.kernel_size)
        pads = module._reversed_padding_repeated_twice
        mode = {"pad": list(pads), "mode": module.padding_mode, "self": value}
        value = call_handler(tape, HANDLERS["pad"], mode)
        arguments["padding"] = [0] * n_axes
    result = call_handler(tape, HANDLERS["convolution"], {**arguments, "input": value})
    assert isinstance(result, Tensor)
    return result


def sequential_forward(torch: Any, modules: list[Any]) -> Forward:
    """Return the modules' own forward pass for one sample, on copies in double precision."""
    copies = [copy.deepcopy(module).cpu().double().eval() for module in modules]

    def run(point: FloatArray) -> tuple[FloatArray, float]:
        value = torch.as_tensor(point, dtype=torch.float64).unsqueeze(0)
        magnitude = 0.0
        with torch.no_grad():
            for module in copies:
                value = module(value)
                value = value[0] if isinstance(value, tuple) else value
                magnitude = max(magnitude, float(value.abs().max()))
        return np.asarray(value), magnitude

    return run
