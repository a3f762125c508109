# SPDX-License-Identifier: MIT
"""Patterns on a device: layers packed into words, hashes, and the set of distinct rows.

All numbers, and the order of rows, are those of the core (docs/design/sign-format.md).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from .launch import Device

__all__ = ["RowSet", "extract_bits", "hashes", "lower_thresholds", "pack_codes", "pack_layer"]

_ELEMENTS = ("float16", "bfloat16", "float32", "float64")
_BATCH = 1 << 20  # rows that are inserted at once: what the table has to have room for
_SMALLEST = 1 << 10  # slots


def lower_thresholds(breakpoints: npt.NDArray[np.float64], element: str) -> npt.NDArray[Any]:
    """Return breakpoints in the type of the values, as bits, such that no comparison changes.

    A value z of that type is above b exactly where it is above the largest number of that type that
    is not above b.

    Parameters
    ----------
    breakpoints : float64 array
    element : {"float16", "bfloat16", "float32", "float64"}
    """
    if element == "float64":
        return breakpoints
    dtype: Any = np.float16 if element == "float16" else np.float32
    with np.errstate(over="ignore"):
        below: npt.NDArray[Any] = breakpoints.astype(dtype)
    high = below.astype(np.float64) > breakpoints
    below[high] = np.nextafter(below[high], dtype(-np.inf))
    if element == "float16":
        return below.view(np.uint16)
    bits = below.view(np.uint32)
    if element == "float32":
        return bits
    # The upper half of a float is the number nearest to it towards zero.
    upper = (bits >> 16).astype(np.uint16)
    lost = ((bits & 0xFFFF) != 0) & (bits >> 31 != 0)
    rounded: npt.NDArray[Any] = upper + lost.astype(np.uint16)
    return rounded


def pack_layer(
    device: Device,
    values: Any,
    breakpoints: npt.NDArray[np.float64],
    words: Any,
    first_bit: int,
    *,
    element: str | None = None,
    nan: Any = None,
    margin: Any = None,
    doubtful: Any = None,
) -> int:
    """Pack the bits of one layer of units into rows of words.

    Parameters
    ----------
    device : Device
    values : array of the device, shape (rows, units)
        float16, float32 or float64, or 16-bit numbers that are the bits of bfloat16.
    breakpoints : float64 array, shape (channels, k)
        In increasing order; consecutive units / channels units share a row.
    words : uint64 array of the device, shape (rows, words)
        Bits before `first_bit` stay, the layer's are written, those behind it in its last word are
        cleared.
    first_bit : int
    element : str, optional
        ``"bfloat16"`` where it is that.
    nan : uint8 array of the device, shape (1,), optional
        Gets a 1 where a value is NaN.
    margin : float64 array of the device, shape (units,), optional
        For float64 values: rows with a value no further than this from a breakpoint are marked,
    doubtful : uint8 array of the device, shape (rows,), optional
        here, with a 1.

    Returns
    -------
    int
        The bit behind the layer.
    """
    xp = device.xp
    element = element or values.dtype.name
    if element not in _ELEMENTS:
        raise InvalidInput(f"values must be {', '.join(_ELEMENTS)}, got {element}")
    rows, units = map(int, values.shape)
    channels, k = breakpoints.shape
    behind: int = first_bit + units * k
    if units % max(channels, 1) or behind > 64 * words.shape[1]:
        raise InvalidInput(
            f"{units} units with {channels} x {k} breakpoints do not fit bit {first_bit} of "
            f"{words.shape[1]} words"
        )
    if not rows or behind == first_bit:
        return behind
    lowered = lower_thresholds(breakpoints, element)
    values = xp.ascontiguousarray(values).view(lowered.dtype)
    extra: tuple[Any, ...]
    if margin is None:
        kernel = {"float16": "lr_pack_f16", "bfloat16": "lr_pack_bf16"}.get(element)
        kernel = kernel or f"lr_pack_f{element[-2:]}"
        extra = (xp.zeros(1, dtype=np.uint8) if nan is None else nan,)
    else:
        kernel, extra = "lr_pack_margins", (margin, doubtful)
    device.launch(
        kernel,
        rows * _words_touched(first_bit, behind),
        values,
        units,
        rows,
        units,
        units // channels,
        k,
        xp.asarray(lowered),
        first_bit,
        words.shape[1],
        words,
        *extra,
    )
    return behind


def pack_codes(device: Device, codes: Any, bits: int, words: Any, first_bit: int) -> int:
    """Pack the winners of one layer of windows, `bits` bits each; return the bit behind them.

    Parameters
    ----------
    device : Device
    codes : uint32 array of the device, shape (rows, windows)
    bits : int
    words, first_bit
        As for `pack_layer`.
    """
    rows, windows = map(int, codes.shape)
    behind = first_bit + windows * bits
    if rows and behind > first_bit:
        device.launch(
            "lr_pack_codes",
            rows * _words_touched(first_bit, behind),
            device.xp.ascontiguousarray(codes),
            rows,
            windows,
            bits,
            first_bit,
            words.shape[1],
            words,
        )
    return behind


def _words_touched(first_bit: int, behind: int) -> int:
    return (behind - 1) // 64 - first_bit // 64 + 1


def extract_bits(device: Device, words: Any, first: int, bits: int) -> Any:
    """Return bits first .. first + bits - 1 of rows of words as rows of their own."""
    rows, width = map(int, words.shape)
    out = device.xp.empty((rows, (bits + 63) // 64), dtype=np.uint64)
    device.launch("lr_extract_bits", rows * out.shape[1], words, rows, width, first, bits, out)
    return out


def hashes(device: Device, words: Any, *, lanes: int = 1) -> Any:
    """Return the hashes of rows of words: 64-bit, or two lanes of 128-bit.

    Parameters
    ----------
    device : Device
    words : uint64 array of the device, shape (rows, words), C-contiguous
    lanes : {1, 2}

    Returns
    -------
    uint64 array of the device, shape (rows, lanes)
    """
    rows, width = words.shape
    found = device.xp.empty((rows, lanes), dtype=np.uint64)
    device.launch(
        "lr_hash_rows" if lanes == 1 else "lr_hash_rows_128", rows, words, rows, width, found
    )
    return found


class RowSet:
    """The distinct rows of words among all that were inserted, and how often each was.

    Parameters
    ----------
    device : Device
    width : int
        Words of a row.

    Notes
    -----
    Rows stand in the order of their first insertion, as in the core's set. Memory on the device: 8
    (width + 1) bytes a distinct row, 16 to 32 bytes of table, and both twice while they grow.
    """

    def __init__(self, device: Device, width: int) -> None:
        self.device, self.width, self.size = device, width, 0
        xp = device.xp
        with device.use():
            self._store = xp.empty((0, width), dtype=np.uint64)
            self._counts = xp.zeros(0, dtype=np.uint64)
            self._slots = xp.zeros(_SMALLEST, dtype=np.uint64)

    def insert(self, rows: Any, times: Any = None) -> None:
        """Insert rows, shape (n, width), each `times` (n,) times; default once."""
        rows = self.device.xp.ascontiguousarray(rows)
        for start in range(0, len(rows), _BATCH):
            part = slice(start, start + _BATCH)
            self._insert(rows[part], None if times is None else times[part])

    @property
    def rows(self) -> Any:
        """The distinct rows, shape (size, width), on the device."""
        return self._store[: self.size]

    @property
    def counts(self) -> Any:
        """How often each was inserted, shape (size,), on the device."""
        return self._counts[: self.size]

    def _insert(self, batch: Any, times: Any) -> None:
        xp, launch, n = self.device.xp, self.device.launch, len(batch)
        # With every row of the batch taken for new, the table stays at most half full.
        self._grow_table(2 * (self.size + n))
        mask = len(self._slots) - 1
        slot_of, is_new = (xp.empty(n, dtype=np.uint64) for _ in range(2))
        launch(
            "lr_set_claim",
            n,
            batch,
            n,
            self.width,
            self._store,
            self.size,
            self._slots,
            mask,
            slot_of,
        )
        launch("lr_set_mark", n, self._slots, slot_of, n, self.size, is_new)
        new_before = xp.cumsum(is_new, dtype=np.uint64)
        after = self.size + int(new_before[-1])
        self._grow_store(after)
        launch(
            "lr_set_settle",
            n,
            batch,
            n,
            self.width,
            is_new,
            new_before,
            slot_of,
            self._slots,
            self._store,
            self.size,
        )
        self.size = after
        launch("lr_set_count", n, self._slots, slot_of, times, n, self._counts, None)

    def _grow_table(self, least: int) -> None:
        slots = len(self._slots)
        while slots < least:
            slots *= 2
        if slots == len(self._slots):
            return
        self._slots = None  # before the new one is made
        self._slots = self.device.xp.zeros(slots, dtype=np.uint64)
        self.device.launch(
            "lr_set_rebuild", self.size, self._store, self.size, self.width, self._slots, slots - 1
        )

    def _grow_store(self, least: int) -> None:
        capacity = len(self._store)
        if capacity >= least:
            return
        capacity = max(least, capacity + capacity // 2, _SMALLEST)
        xp = self.device.xp
        store = xp.empty((capacity, self.width), dtype=np.uint64)
        store[: self.size] = self._store[: self.size]
        counts = xp.zeros(capacity, dtype=np.uint64)
        counts[: self.size] = self._counts[: self.size]
        self._store, self._counts = store, counts
