# SPDX-License-Identifier: MIT
"""Arrays of other libraries as rows that the core packs: without copies where that is possible."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import DeviceError, InvalidInput

__all__ = ["Breakpoints", "Rows", "check_signs", "checked_breakpoints", "layers_of", "packed_words"]

Breakpoints = float | Sequence[float | Sequence[float]]

# A two-dimensional array and the core's number of its element type.
Rows = tuple[npt.NDArray[Any], int]

# The core's Element: halves travel as their bits.
_ELEMENTS = {"float64": 0, "float32": 1, "float16": 2, "bfloat16": 3, "bool": 4}
_HOST_DEVICES = (1, 3)  # of DLPack: the processor's memory, and pinned memory of the host


def layers_of(preactivations: object) -> list[Rows]:
    """Return the arrays of a call's layers, shape (rows, units) each.

    Raises
    ------
    TypeError
        If something is no array, or of an element type without an order of signs.
    InvalidInput
        If an array has no axis of units, or the layers have different numbers of rows.
    DeviceError
        If an array lives on another device.
    """
    if isinstance(preactivations, (list, tuple)):
        layers = [_rows(f"layer {i}", value) for i, value in enumerate(preactivations)]
        if not layers:
            raise InvalidInput("expected an array, or a list of one array for each layer, got []")
    else:
        layers = [_rows("preactivations", preactivations)]
    rows = {len(array) for array, _ in layers}
    if len(rows) > 1:
        raise InvalidInput(f"all layers need the same number of rows, got {sorted(rows)}")
    return layers


def check_signs(is_bool: bool, cut: Sequence[float]) -> None:
    """Raise where bools, which are signs, are to be compared with other breakpoints than 0."""
    if is_bool and tuple(cut) != (0.0,):
        raise InvalidInput(
            f"bools are signs: they have the breakpoint 0, got breakpoints {list(cut)}; pass the "
            "pre-activations themselves"
        )


def packed_words(words: object) -> npt.NDArray[np.uint64]:
    """Return packed patterns as a uint64 array of shape (rows, words)."""
    array, _ = _host_array("words", words)
    if array.dtype == np.int64:  # PyTorch's integers: the same bits
        array = array.view(np.uint64)
    if array.dtype != np.uint64:
        raise TypeError(f"packed patterns are uint64 (or int64 with the bits), got {array.dtype}")
    if array.ndim != 2:
        raise InvalidInput(f"packed patterns have shape (rows, words), got {array.shape}")
    return np.ascontiguousarray(array)


def _rows(where: str, value: object) -> Rows:
    array, name = _host_array(where, value)
    if name not in _ELEMENTS:
        raise TypeError(
            f"{where} must be float64, float32, float16, bfloat16 or bool (signs), got {name}"
        )
    if array.ndim < 2:
        raise InvalidInput(
            f"{where} must have shape (rows, units) or (rows, channels, ...), got {array.shape}; "
            "a list is one array for each layer"
        )
    if array.ndim > 2:  # a view where the strides allow one
        array = array.reshape(len(array), math.prod(array.shape[1:]))
    if not array.flags.aligned:
        array = array.copy()
    return array, _ELEMENTS[name]


def _host_array(where: str, value: object) -> tuple[npt.NDArray[Any], str]:
    """Return the array and the name of its element type; bfloat16 comes as its bits."""
    if _is_torch(value):
        return _from_torch(where, value)
    if hasattr(value, "__cuda_array_interface__"):
        raise _elsewhere(where, type(value).__name__)
    if isinstance(value, np.ndarray) or hasattr(value, "__array_interface__"):
        array = np.asarray(value)
    elif hasattr(value, "__dlpack__"):
        device = value.__dlpack_device__()[0] if hasattr(value, "__dlpack_device__") else 1
        if device not in _HOST_DEVICES:
            raise _elsewhere(where, type(value).__name__)
        try:
            array = np.from_dlpack(value)
        except (BufferError, RuntimeError) as error:
            raise TypeError(f"{where}: DLPack gave no array that NumPy can read: {error}") from None
    elif isinstance(value, Sequence) or hasattr(value, "__array__"):
        array = np.asarray(value)
    else:
        raise TypeError(f"{where} must be an array, got {type(value).__name__}")
    name = array.dtype.name
    if name == "bfloat16":
        array = array.view(np.uint16)
    elif not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array, name


def _is_torch(value: object) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _from_torch(where: str, value: Any) -> tuple[npt.NDArray[Any], str]:
    if value.device.type != "cpu":
        raise _elsewhere(where, f"a tensor on {value.device}")
    tensor = value.detach().resolve_neg()
    name = str(tensor.dtype).removeprefix("torch.")
    if name == "bfloat16":
        return tensor.view(sys.modules["torch"].int16).numpy().view(np.uint16), name
    if name not in _ELEMENTS and name not in ("int64", "uint64"):
        raise TypeError(f"{where} must be a tensor of floats or bools, got {tensor.dtype}")
    return tensor.numpy(), name


def _elsewhere(where: str, what: str) -> DeviceError:
    return DeviceError(
        f"{where} lives on a device that is neither the host nor a CUDA GPU ({what}): bring it "
        "to the host, with .cpu() or .get()"
    )


def checked_breakpoints(value: Breakpoints) -> float | tuple[tuple[float, ...], ...]:
    """Return one number for all layers, or a tuple of numbers for each."""
    if isinstance(value, str):
        raise TypeError(f"breakpoints must be numbers, got {value!r}")
    if not isinstance(value, (Sequence, np.ndarray)):
        return _numbers("breakpoints", [value])[0]
    layers: list[tuple[float, ...]] = []
    for item in value:
        many = isinstance(item, (Sequence, np.ndarray)) and not isinstance(item, str)
        row = _numbers(f"breakpoints of layer {len(layers)}", item if many else [item])
        if not row or any(b <= a for a, b in pairwise(row)):
            raise InvalidInput(f"breakpoints of layer {len(layers)} must increase, got {row}")
        layers.append(row)
    return tuple(layers)


def _numbers(where: str, values: Any) -> tuple[float, ...]:
    array = np.asarray(values if len(values) else [0.0])
    if array.ndim != 1 or array.dtype.kind not in "fiu":
        raise TypeError(f"{where} must be numbers, got {values!r}")
    if not np.isfinite(array).all():
        raise InvalidInput(f"{where} must be finite, got {values!r}")
    return tuple(float(number) for number in array[: len(values)])
