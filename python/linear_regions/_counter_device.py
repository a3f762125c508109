# SPDX-License-Identifier: MIT
"""Pre-activations that lie on a GPU: packed and collected there, handed over when asked for."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._device.launch import Device, open_device
from ._device.rows import extract_bits, pack_layer
from ._device.tally import DeviceTally
from ._preactivations import check_signs
from .errors import DeviceError, InvalidInput

__all__ = ["DeviceCounts", "cuda_number", "device_words", "has_loose_bits", "packed_on_device"]

_CUDA = (2, 13)  # of DLPack: a GPU's memory, and memory that it shares with the host
_ELEMENTS = ("float64", "float32", "float16", "bfloat16", "bool")


def cuda_number(value: object) -> int | None:
    """Return the number of the GPU where an array, or the first of some, lies; None for the host.

    Raises
    ------
    DeviceError
        If arrays lie in different places.
    """
    if isinstance(value, (list, tuple)):
        places = {cuda_number(item) if hasattr(item, "shape") else None for item in value}
        if len(places) > 1:
            raise DeviceError("the layers lie on different devices: bring them to one")
        return places.pop() if places else None
    if hasattr(value, "__dlpack_device__"):
        try:
            kind, number = value.__dlpack_device__()
        except (BufferError, RuntimeError, ValueError):  # a place without a number
            return None
        return int(number) if int(kind) in _CUDA else None
    return 0 if hasattr(value, "__cuda_array_interface__") else None


def _adopted(device: Device, value: Any) -> tuple[Any, str]:
    """Return the device's array over the same memory, and the name of its element type."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        tensor = value.detach().resolve_neg()
        name = str(tensor.dtype).removeprefix("torch.")
        if name == "bfloat16":
            tensor = tensor.view(torch.int16)
        elif name == "bool":
            tensor = tensor.view(torch.uint8)
        return device.xp.from_dlpack(tensor), name
    interfaces = ("__cuda_array_interface__", "__array_interface__")
    known = any(hasattr(value, name) for name in interfaces)
    array = device.xp.asarray(value) if known else device.xp.from_dlpack(value)
    return array, array.dtype.name


def packed_on_device(
    preactivations: Any, number: int, cuts: Sequence[Sequence[float]]
) -> tuple[Device, Any, tuple[int, ...]]:
    """Pack the layers of a batch where they lie.

    Returns
    -------
    device : Device
    words : uint64 array of the device, shape (rows, words)
    bits : tuple of int
        Of every layer.

    Raises
    ------
    TypeError, InvalidInput
        As for arrays of the host.
    DeviceError
        If CuPy is not there.
    """
    device = open_device(f"cuda:{number}")
    many = isinstance(preactivations, (list, tuple))
    with device.use():
        layers = [
            _layer(device, f"layer {i}" if many else "preactivations", value)
            for i, value in enumerate(preactivations if many else [preactivations])
        ]
        rows = {len(values) for values, _ in layers}
        if len(rows) > 1:
            raise InvalidInput(f"all layers need the same number of rows, got {sorted(rows)}")
        bits = tuple(
            int(values.shape[1]) * len(cut) for (values, _), cut in zip(layers, cuts, strict=True)
        )
        words = device.xp.zeros((rows.pop(), (sum(bits) + 63) // 64), dtype=np.uint64)
        nan = device.xp.zeros(len(layers), dtype=np.uint8)
        bit = 0
        for i, ((values, element), cut) in enumerate(zip(layers, cuts, strict=True)):
            if element == "bool":
                check_signs(True, cut)
                values, element = values.astype(np.float16), "float16"
            flag = nan[i : i + 1]
            table = np.array([cut], dtype=np.float64)
            bit = pack_layer(device, values, table, words, bit, element=element, nan=flag)
        wrong = np.flatnonzero(device.host(nan))
    if len(wrong):
        where = f"layer {wrong[0]}" if many and len(layers) > 1 else "the batch"
        raise InvalidInput(f"{where} has NaN, which has no sign; nothing was counted")
    return device, words, bits


def _layer(device: Device, where: str, value: Any) -> tuple[Any, str]:
    array, element = _adopted(device, value)
    if element not in _ELEMENTS:
        raise TypeError(
            f"{where} must be float64, float32, float16, bfloat16 or bool (signs), got {element}"
        )
    if array.ndim < 2:
        raise InvalidInput(
            f"{where} must have shape (rows, units) or (rows, channels, ...), got {array.shape}; "
            "a list is one array for each layer"
        )
    return array.reshape(len(array), math.prod(array.shape[1:])), element


def device_words(words: Any, number: int) -> tuple[Device, Any]:
    """Return packed patterns as the device's uint64 array, shape (rows, words)."""
    device = open_device(f"cuda:{number}")
    with device.use():
        array, name = _adopted(device, words)
        if name == "int64":
            array, name = array.view(np.uint64), "uint64"
        if name != "uint64":
            raise TypeError(f"packed patterns are uint64 (or int64 with the bits), got {name}")
        if array.ndim != 2:
            raise InvalidInput(f"packed patterns have shape (rows, words), got {array.shape}")
        return device, device.xp.ascontiguousarray(array)


def has_loose_bits(device: Device, words: Any, bits: int) -> bool:
    """Say whether a bit behind the last sign is set."""
    if not bits % 64 or not len(words):
        return False
    with device.use():
        return bool(device.host((words[:, -1] >> np.uint64(bits % 64)).any()))


class DeviceCounts:
    """The tallies of one counter on one device, until they are handed over."""

    def __init__(self, device: Device, sizes: Sequence[int], options: tuple[int, bool, int, int]):
        self.device, self.sizes, self.options = device, tuple(sizes), options
        self._lock = threading.Lock()
        self._tallies = self._new()

    def _new(self) -> list[DeviceTally]:
        return [DeviceTally(self.device, (bits + 63) // 64, *self.options) for bits in self.sizes]

    def insert(self, words: Any) -> None:
        """Count rows; the tallies behind the first one are those of the layers."""
        with self._lock, self.device.use():
            self._tallies[0].insert(words)
            first = 0
            for tally, bits in zip(self._tallies[1:], self.sizes[1:], strict=True):
                tally.insert(extract_bits(self.device, words, first, bits))
                first += bits

    def take(self) -> list[dict[str, Any]]:
        """Return the contents of all tallies, and begin anew."""
        with self._lock:
            if not self._tallies[0].rows:
                return []
            full, self._tallies = self._tallies, self._new()
        return [tally.contents() for tally in full]
