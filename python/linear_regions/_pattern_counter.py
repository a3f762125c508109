# SPDX-License-Identifier: MIT
"""Counting the distinct patterns of a stream of pre-activations."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from ._counter_bytes import Header, Part, read_counter, write_counter
from ._counter_device import (
    DeviceCounts,
    cuda_number,
    device_words,
    has_loose_bits,
    packed_on_device,
)
from ._device.launch import Device
from ._geometry import integer
from ._preactivations import Breakpoints, checked_breakpoints, layers_of, packed_words
from ._sample_count import summarize
from .errors import InvalidInput, Unsupported
from .result import SampleCount

__all__ = ["PatternCounter"]

Words = npt.NDArray[np.uint64]

_SKETCHES = ("exact", "hash", "hll")


class PatternCounter:
    """Counts the distinct activation patterns of pre-activations, as they come.

    Batches go in by `update` (arrays of NumPy, PyTorch, CuPy, or anything with DLPack or an array
    interface, on the host or on a GPU) or by `update_packed` (patterns of `patterns`, or of another
    counter). Counters are thread-safe, merge, pickle, and travel as bytes.

    Parameters
    ----------
    sketch : {"exact", "hash", "hll"}
        What is kept of a pattern. ``"exact"``: all its bits, so that the count is exact.
        ``"hash"``: a hash of `hash_bits` bits; two patterns with equal hashes count once, which
        `collision_probability` bounds. ``"hll"``: a HyperLogLog in constant memory; the count is
        an estimate beyond 16,384 patterns, with a relative standard error of `relative_error`.
    counts : bool, default False
        Keep how often each pattern was met, for `frequencies` and `summary`.
    per_layer : bool, default False
        Count the patterns of every layer, too, beside those of the whole network.
    breakpoints : float or sequence, default 0.0
        Where units change their piece: one number for all layers, or one item for each layer, a
        number or the increasing numbers of a unit with several. A value equal to a breakpoint
        belongs to the lower piece.
    hash_bits : {64, 128}
        Of ``sketch="hash"``.
    precision : int, default 14
        Of ``sketch="hll"``: 2**precision registers of one byte; 4 to 18.
    layer_bits : sequence of int, optional
        Bits of a pattern's layers, as in `Network.pattern_layout`, for packed patterns; found at
        the first `update` otherwise.

    Raises
    ------
    TypeError, InvalidInput
        An option has a wrong type or value.

    Notes
    -----
    A counter says what was met, not what there is: see `summary`, and `sample` for random points.
    Cost: one pass over the values; memory of a pattern met is its bits and some 24 bytes with
    ``"exact"``, 13 to 50 bytes with ``"hash"``; a ``"hll"`` counter stays below 0.8 MB.

    Examples
    --------
    >>> import numpy as np
    >>> counter = PatternCounter(counts=True)
    >>> counter.update(np.array([[0.5, -1.0], [2.0, -0.1], [1.0, 1.0]]))
    >>> counter.count(), counter.samples
    (2, 3)
    >>> counter.patterns()
    array([[1],
           [3]], dtype=uint64)
    >>> counter.frequencies()
    array([2, 1])
    """

    def __init__(
        self,
        *,
        sketch: str = "exact",
        counts: bool = False,
        per_layer: bool = False,
        breakpoints: Breakpoints = 0.0,
        hash_bits: int = 64,
        precision: int = 14,
        layer_bits: Sequence[int] | None = None,
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
            bits = tuple(integer("layer_bits", value, 0) for value in layer_bits)
            self._set_layout(sum(bits), bits)

    # ---- what comes in ----

    def update(self, preactivations: object) -> None:
        """Count the patterns of a batch.

        Parameters
        ----------
        preactivations : array, or list or tuple of arrays
            One array, or one for each layer in the network's order; shape (rows, units), or more
            axes behind the rows, which are taken in row-major order. Elements are float64, float32,
            float16, bfloat16, or bool for signs. Any strides; the values are read where they lie.

        Raises
        ------
        TypeError
            Something is no array of these types.
        InvalidInput
            A value is NaN, the rows differ, or the bits do not fit those of earlier batches.
            Nothing of the batch is counted then.
        DeviceError
            An array lies on a GPU and CuPy is not installed, or layers lie on different devices.

        Notes
        -----
        Any number of threads may call at once; the work is done without the GIL. What lies on a GPU
        is packed and collected there, and handed over when a number is asked for.
        """
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

    def update_packed(self, words: object) -> None:
        """Count packed patterns.

        Parameters
        ----------
        words : uint64 array, shape (rows, words)
            In the layout of `patterns`; int64 with the same bits will do.

        Raises
        ------
        TypeError
            It is no array of 64-bit integers.
        InvalidInput
            The number of words is another than before, or bits behind the last sign are set.
        """
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

    def merge(self, other: PatternCounter) -> PatternCounter:
        """Add everything that another counter has met; it stays as it is.

        Parameters
        ----------
        other : PatternCounter
            With the same options and pattern layout.

        Returns
        -------
        PatternCounter
            This counter.

        Raises
        ------
        TypeError, InvalidInput
            It is no such counter.

        Examples
        --------
        >>> a, b = PatternCounter(), PatternCounter()
        >>> a.update([[[1.0, -1.0]]])
        >>> b.update([[[1.0, -1.0], [-1.0, -1.0]]])
        >>> a.merge(b).count()
        2
        """
        if not isinstance(other, PatternCounter):
            raise TypeError(f"expected a PatternCounter, got {type(other).__name__}")
        for name in ("sketch", "counts", "per_layer", "hash_bits", "precision", "breakpoints"):
            ours, theirs = getattr(self, f"_{name}"), getattr(other, f"_{name}")
            if ours != theirs:
                raise InvalidInput(f"counters differ in {name}: {ours!r} and {theirs!r}")
        if other._total is None:
            return self
        self._set_layout(other._total, other._layer_bits)
        parts = [Part(**tally.contents()) for tally in other._tallies]
        for tally, part in zip(self._tallies, parts, strict=True):
            part.into(tally)
        return self

    # ---- what it knows ----

    @property
    def samples(self) -> int:
        """Number of rows met."""
        return self._tallies[0].rows if self._tallies else 0

    @property
    def sketch(self) -> str:
        """What is kept of a pattern."""
        return self._sketch

    @property
    def pattern_bits(self) -> int:
        """Bits of a pattern; 0 before the first batch."""
        return self._total or 0

    @property
    def layer_bits(self) -> tuple[int, ...] | None:
        """Bits of every layer; None while only packed patterns came."""
        return self._layer_bits

    def count(self, layer: int | None = None) -> int:
        """Return the number of distinct patterns met.

        Parameters
        ----------
        layer : int, optional
            Of this layer alone (``per_layer=True``).

        Returns
        -------
        int
            Exact, exact up to collisions of hashes, or an estimate: see `sketch`.

        Raises
        ------
        InvalidInput
            There is no such layer, or layers are not counted.
        """
        tally = self._tally(layer)
        return 0 if tally is None else round(tally.distinct())

    def layer_counts(self) -> list[int]:
        """Return the number of distinct patterns of every layer (``per_layer=True``)."""
        self._check_per_layer()
        return [round(tally.distinct()) for tally in self._tallies[1:]]

    def relative_error(self, layer: int | None = None) -> float:
        """Return the relative standard error of `count`; 0.0 where it is none of an estimate.

        Notes
        -----
        1.04 / sqrt(2**precision) of a HyperLogLog; up to 16,384 patterns it counts hashes.
        """
        tally = self._tally(layer)
        if tally is None or tally.exact_count():
            return 0.0
        return 1.04 / math.sqrt(2.0**self._precision)

    def collision_probability(self, layer: int | None = None) -> float:
        """Bound the probability that two of the patterns met have one hash.

        Returns
        -------
        float
            n (n - 1) / 2**(bits + 1) for n distinct patterns, at most 1; 0.0 with
            ``sketch="exact"``, and for patterns of at most 64 bits, whose hash is a bijection.

        Notes
        -----
        It takes the hash for random, as for data that nobody made to collide.
        """
        tally = self._tally(layer)
        if tally is None or self._sketch == "exact" or self._bits(layer) <= 64:
            return 0.0
        bits = self._hash_bits if self._sketch == "hash" else 64
        n = round(tally.distinct())
        return min(1.0, n * max(n - 1, 0) / 2.0 ** (bits + 1))

    def patterns(self, layer: int | None = None) -> Words:
        """Return the distinct patterns, packed, in the order of their words.

        Returns
        -------
        uint64 array, shape (count, words)

        Raises
        ------
        Unsupported
            Only ``sketch="exact"`` keeps them.
        """
        if self._sketch != "exact":
            raise Unsupported(f'sketch="{self._sketch}" keeps no patterns; use sketch="exact"')
        tally = self._tally(layer)
        if tally is None:
            return np.zeros((0, 0), dtype=np.uint64)
        keys: Words = tally.contents()["keys"]
        return keys

    def frequencies(self, layer: int | None = None) -> npt.NDArray[np.int64]:
        """Return how often each distinct pattern was met, in the order of `patterns`.

        Returns
        -------
        int64 array, shape (count,)

        Raises
        ------
        Unsupported
            The counter was made without ``counts=True``, or with ``sketch="hll"``.
        """
        self._check_counts()
        if self._sketch == "hll":
            raise Unsupported('sketch="hll" keeps no single patterns; frequency_counts estimates')
        tally = self._tally(layer)
        if tally is None:
            return np.zeros(0, dtype=np.int64)
        times: npt.NDArray[np.int64] = tally.contents()["times"].astype(np.int64)
        return times

    def frequency_counts(self, layer: int | None = None) -> dict[int, int]:
        """Return how many patterns were met once, twice, and so on.

        Returns
        -------
        dict
            Times to number of patterns, in increasing order; with ``sketch="hll"`` beyond 16,384
            patterns an estimate, from a sample of at most 16,384 of them.

        Raises
        ------
        Unsupported
            The counter was made without ``counts=True``.

        Examples
        --------
        >>> counter = PatternCounter(counts=True)
        >>> counter.update([[[1.0], [2.0], [-1.0]]])
        >>> counter.frequency_counts()
        {1: 1, 2: 1}
        """
        self._check_counts()
        tally = self._tally(layer)
        if tally is None:
            return {}
        times, number = tally.frequencies()
        return dict(zip(times.tolist(), number.tolist(), strict=True))

    def summary(self, layer: int | None = None) -> SampleCount:
        """Return the count with what it says about patterns that were not met.

        Returns
        -------
        SampleCount
            Coverage, a lower estimate of the total, and `saturated`; for these the rows must be
            independent samples.

        Raises
        ------
        Unsupported
            The counter was made without ``counts=True``.
        """
        frequencies = self.frequency_counts(layer)
        return summarize(
            frequencies,
            samples=self.samples,
            distinct=self.count(layer),
            pattern_bits=self._bits(layer),
            sketch=self._sketch,
            source="points",
            relative_error=self.relative_error(layer),
            dtype="",
        )

    @property
    def nbytes(self) -> int:
        """Memory of the counter in bytes."""
        return sum(tally.memory_bytes() for tally in self._tallies)

    # ---- bytes ----

    def to_bytes(self) -> bytes:
        """Return the counter as bytes, with a version and a checksum; equal ones have equal bytes.

        Examples
        --------
        >>> counter = PatternCounter(sketch="hll")
        >>> counter.update([[[1.0, -1.0]]])
        >>> PatternCounter.from_bytes(counter.to_bytes()).count()
        1
        """
        header = Header(
            sketch=self._sketch,
            counts=self._counts,
            per_layer=self._per_layer,
            hash_bits=self._hash_bits,
            precision=self._precision,
            breakpoints=self._breakpoints,
            layer_bits=self._layer_bits,
            pattern_bits=self._total,
        )
        return write_counter(header, [Part(**tally.contents()) for tally in self._tallies])

    @classmethod
    def from_bytes(cls, data: bytes) -> PatternCounter:
        """Return the counter that `to_bytes` wrote.

        Parameters
        ----------
        data : bytes

        Returns
        -------
        PatternCounter

        Raises
        ------
        CorruptFile
            The bytes are damaged, of another format, of a newer version, or contradict themselves.
        """
        header, parts = read_counter(data)
        made = cls(
            sketch=header.sketch,
            counts=header.counts,
            per_layer=header.per_layer,
            breakpoints=header.breakpoints,
            hash_bits=header.hash_bits,
            precision=header.precision,
        )
        if header.pattern_bits is not None:
            made._set_layout(header.pattern_bits, header.layer_bits)
            for tally, part in zip(made._tallies, parts, strict=True):
                part.into(tally)
        return made

    def copy(self) -> PatternCounter:
        """Return a counter with the same contents."""
        return PatternCounter.from_bytes(self.to_bytes())

    def __reduce__(self) -> tuple[Any, tuple[bytes]]:
        """Pickle as bytes of `to_bytes`."""
        return PatternCounter.from_bytes, (self.to_bytes(),)

    def __repr__(self) -> str:
        """One line."""
        return (
            f"PatternCounter({self.count():,} patterns of {self.pattern_bits} bits in "
            f"{self.samples:,} samples, sketch={self._sketch!r})"
        )

    # ---- inside ----

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
            raise InvalidInput("layers are counted with PatternCounter(per_layer=True)")

    def _check_counts(self) -> None:
        if not self._counts:
            raise Unsupported("frequencies are kept with PatternCounter(counts=True)")

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
