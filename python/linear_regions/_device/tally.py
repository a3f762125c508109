# SPDX-License-Identifier: MIT
"""What a pattern counter keeps, collected on a device and handed over to the core's tally.

The contents are those that the core's tally of the same patterns would have
(cpp/include/linear_regions/pattern_tally.hpp), so it makes no difference where a batch was met.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .launch import Device
from .rows import RowSet, hashes

__all__ = ["DeviceTally"]

_WORDS, _HASH64, _HASH128, _HLL = range(4)


class DeviceTally:
    """Distinct patterns of rows on a device.

    Parameters
    ----------
    device : Device
    width : int
        Words of a pattern.
    sketch : int
        The core's number: 0 all words, 1 and 2 hashes of 64 and 128 bits, 3 a HyperLogLog.
    counted : bool
        Whether the number of times is kept; always for 0 and 3.
    precision : int
        Of a HyperLogLog: 2**precision registers.
    sample_size : int
        Most hashes that are kept beside a HyperLogLog.
    """

    def __init__(
        self,
        device: Device,
        width: int,
        sketch: int,
        counted: bool,
        precision: int,
        sample_size: int,
    ) -> None:
        self.device, self.width, self.sketch = device, width, sketch
        self.counted = counted or sketch in (_WORDS, _HLL)
        self.precision, self.sample_size = precision, sample_size
        self.rows, self.level = 0, 0
        self._keys = RowSet(device, {_WORDS: width, _HASH128: 2}.get(sketch, 1))
        registers = 1 << precision if sketch == _HLL else 0
        with device.use():
            self._registers = device.xp.zeros(registers, dtype=np.uint32)

    def insert(self, words: Any) -> None:
        """Insert rows, uint64 of shape (n, width) on the device."""
        with self.device.use():
            words = self.device.xp.ascontiguousarray(words)
            self.rows += len(words)
            if self.sketch == _WORDS:
                self._keys.insert(words)
            else:
                found = hashes(self.device, words, lanes=2 if self.sketch == _HASH128 else 1)
                if self.sketch == _HLL:
                    found = self._sketched(found)
                self._keys.insert(found)
                while self.sketch == _HLL and self._keys.size > self.sample_size:
                    self._rise()

    def contents(self) -> dict[str, Any]:
        """Return rows, keys in the order of their words, times, registers and level, as NumPy's."""
        with self.device.use():
            keys = self.device.host(self._keys.rows)
            times = self.device.host(self._keys.counts)
            registers = self.device.host(self._registers).astype(np.uint8)
        order = np.lexsort(keys.T[::-1]) if keys.shape[1] else np.arange(len(keys))
        return {
            "rows": self.rows,
            "keys": keys[order],
            "times": times[order] if self.counted else np.ones_like(times),
            "registers": registers,
            "level": self.level,
        }

    def _sketched(self, found: Any) -> Any:
        """Raise the registers; return the hashes that belong to the sample."""
        self.device.launch(
            "lr_raise_registers", len(found), found, len(found), self.precision, self._registers
        )
        return found[(found[:, 0] & np.uint64((1 << self.level) - 1)) == 0]

    def _rise(self) -> None:
        self.level += 1
        keys, times = self._keys.rows, self._keys.counts
        stays = (keys[:, 0] & np.uint64((1 << self.level) - 1)) == 0
        self._keys = RowSet(self.device, 1)
        self._keys.insert(keys[stays], times[stays])
