# SPDX-License-Identifier: MIT
"""What a `PatternCounter` holds: options, layout and tallies, on the host and on GPUs."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from ._counter_bytes import Part
from ._counter_device import (
    DeviceCounts,
    cuda_number,
    device_words,
    has_loose_bits,
    packed_on_device,
)
from ._device.launch import Device
from ._geometry import integer
from ._preactivations import Breakpoints, check_signs, checked_breakpoints, layers_of, packed_words
from .errors import InvalidInput, Unsupported

__all__ = ["CounterState", "Words"]

Words = npt.NDArray[np.uint64]

_SKETCHES = ("exact", "hash", "hll")


class CounterState:
    """Options, layout and tallies of a counter; see `PatternCounter` for the arguments."""

    def __init__(
        self,
        sketch: str,
        counts: bool,
        per_layer: bool,
        breakpoints: Breakpoints,
        hash_bits: int,
        precision: int,
        layer_bits: Sequence[int] | None,
    ) -> None:
        if sketch not in _SKETCHES:
            raise InvalidInput(f'sketch must be "exact", "hash" or "hll", got {sketch!r}')
        if hash_bits not in (64, 128):
            raise InvalidInput(f"hash_bits must be 64 or 128, got {hash_bits!r}")
        precision = integer("precision", precision, 4)
        if precision > 18:
            raise InvalidInput(f"precision must be 4 to 18, got {precision}")
        self._sketch, self._counts, self._per_layer = sketch, bool(counts), bool(per_layer)
        self._hash_bits, self._precision = int(hash_bits), precision
        self._breakpoints = checked_breakpoints(breakpoints)
        self._lock = threading.Lock()  # of the layout; the tallies have their own
        self._layer_bits: tuple[int, ...] | None = None
        self._total: int | None = None
        self._host_tallies: list[_core.PatternTally] = []
        self._on_devices: dict[str, DeviceCounts] = {}
        if layer_bits is not None:
            if isinstance(layer_bits, (int, str)):
                raise TypeError(f"layer_bits must be a sequence of int, got {layer_bits!r}")
            bits = tuple(integer("layer_bits", value, 0) for value in layer_bits)
            self._set_layout(sum(bits), bits)

    @property
    def pattern_bits(self) -> int:
        """Bits of a pattern; 0 before the first batch."""
        return self._total or 0

    # ---- what comes in ----

    def _add(self, preactivations: Any) -> None:
        number = cuda_number(preactivations)
        if number is not None:
            many = len(preactivations) if isinstance(preactivations, (list, tuple)) else 1
            found = packed_on_device(preactivations, number, self._cuts(many))
            device, there, sizes = found
            self._set_layout(sum(sizes), sizes)
            self._counts_on(device).insert(there)
            return
        layers = layers_of(preactivations)
        cuts = self._cuts(len(layers))
        for (array, _), cut in zip(layers, cuts, strict=True):
            check_signs(array.dtype == np.bool_, cut)
        words, nan = _core.pack_layers(
            [(array, kind, cut) for (array, kind), cut in zip(layers, cuts, strict=True)]
        )
        if nan >= 0:
            where = f"layer {nan}" if len(layers) > 1 else "the batch"
            raise InvalidInput(f"{where} has NaN, which has no sign; nothing was counted")
        bits = tuple(
            array.shape[1] * len(cut) for (array, _), cut in zip(layers, cuts, strict=True)
        )
        self._set_layout(sum(bits), bits)
        self._insert(words)

    def _add_packed(self, words: Any) -> None:
        number = cuda_number(words)
        device = None
        rows: Any
        if number is None:
            rows = packed_words(words)
        else:
            device, rows = device_words(words, number)
        if self._total is None:
            self._set_layout(64 * rows.shape[1], None)
        total = self.pattern_bits
        if rows.shape[1] != (total + 63) // 64:
            raise InvalidInput(
                f"patterns of {total} bits have {(total + 63) // 64} words, got {rows.shape[1]}"
            )
        if device is None:
            loose = _core.has_loose_bits(rows, total)
        else:
            loose = has_loose_bits(device, rows, total)
        if loose:
            raise InvalidInput(f"bits behind the last of {total} signs must be clear")
        if device is None:
            self._insert(rows)
        else:
            self._counts_on(device).insert(rows)

    # ---- layout and tallies ----

    def _cuts(self, n_layers: int) -> list[tuple[float, ...]]:
        if isinstance(self._breakpoints, float):
            return [(self._breakpoints,)] * n_layers
        if len(self._breakpoints) != n_layers:
            raise InvalidInput(
                f"breakpoints are given for {len(self._breakpoints)} layers, got {n_layers}"
            )
        return list(self._breakpoints)

    def _set_layout(self, total: int, bits: tuple[int, ...] | None) -> None:
        """Fix the layout at the first batch; later ones must fit it."""
        with self._lock:
            if self._total is None:
                if self._per_layer and bits is None:
                    raise InvalidInput("per_layer=True needs layer_bits=... for packed patterns")
                sizes = [total, *(bits or ())] if self._per_layer else [total]
                self._host_tallies = [self._new_tally(size) for size in sizes]
                self._total, self._layer_bits = total, bits
                return
            if self._layer_bits is None and total == self._total:
                self._layer_bits = bits
            if total != self._total or (bits is not None and bits != self._layer_bits):
                was = self._total if self._layer_bits is None else list(self._layer_bits)
                raise InvalidInput(
                    f"this counter has patterns of {was} bits, got {list(bits) if bits else total}"
                )

    @property
    def _kind(self) -> int:
        return {"exact": 0, "hash": 1 if self._hash_bits == 64 else 2, "hll": 3}[self._sketch]

    def _new_tally(self, bits: int) -> _core.PatternTally:
        return _core.PatternTally((bits + 63) // 64, self._kind, self._counts, self._precision)

    @property
    def _tallies(self) -> list[_core.PatternTally]:
        """The tallies, with all that was met on GPUs."""
        with self._lock:
            parts = list(self._on_devices.values())
        for part in parts:
            for tally, contents in zip(self._host_tallies, part.take(), strict=False):
                Part(**contents).into(tally)
        return self._host_tallies

    def _counts_on(self, device: Device) -> DeviceCounts:
        with self._lock:
            if device.name not in self._on_devices:
                bits = (self._layer_bits or ()) if self._per_layer else ()
                options = (self._kind, self._counts, self._precision, _core.sample_size)
                sizes = [self._total or 0, *bits]
                self._on_devices[device.name] = DeviceCounts(device, sizes, options)
            return self._on_devices[device.name]

    def _insert(self, words: Words) -> None:
        self._host_tallies[0].insert(words)
        first = 0
        for tally, bits in zip(self._host_tallies[1:], self._layer_bits or (), strict=False):
            tally.insert(_core.extract_bits(words, first, bits))
            first += bits

    def _check_per_layer(self) -> None:
        if not self._per_layer:
            raise InvalidInput("layers are counted with per_layer=True of PatternCounter and watch")

    def _check_counts(self) -> None:
        if not self._counts:
            raise Unsupported("frequencies are kept with counts=True of PatternCounter and watch")

    def _bits(self, layer: int | None) -> int:
        if layer is None or self._layer_bits is None:
            return self.pattern_bits
        return self._layer_bits[layer]

    def _tally(self, layer: int | None) -> _core.PatternTally | None:
        if layer is not None:
            self._check_per_layer()
            layer = integer("layer", layer, 0)
            if self._layer_bits is not None and layer >= len(self._layer_bits):
                raise InvalidInput(f"there are {len(self._layer_bits)} layers, got layer={layer}")
        if not self._tallies:
            return None
        return self._tallies[0 if layer is None else 1 + layer]
