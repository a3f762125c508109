# SPDX-License-Identifier: MIT
"""Counting the distinct patterns of a stream of pre-activations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ._counter_bytes import Header, Part, read_counter, write_counter
from ._counter_state import CounterState, Words
from ._preactivations import Breakpoints
from ._sample_count import summarize
from .errors import InvalidInput, Unsupported
from .result import SampleCount

__all__ = ["PatternCounter"]


class PatternCounter(CounterState):
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
    Cost: one pass over the values; memory of a pattern met is its bits, once to twice, and 27
    to 46 bytes with ``"exact"``, 11 to 64 with ``"hash"``; ``"hll"`` stays below 0.8 MB in all.

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
        super().__init__(sketch, counts, per_layer, breakpoints, hash_bits, precision, layer_bits)

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
        self._add(preactivations)

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

        Examples
        --------
        >>> import linear_regions as lr
        >>> net = lr.Network(2, [lr.Affine([[1.0, 0.0], [0.0, 1.0]]), lr.relu()])
        >>> counter = PatternCounter()
        >>> counter.update_packed(lr.patterns(net, [[1.0, 1.0], [1.0, -1.0], [2.0, 3.0]]))
        >>> counter.count()
        2
        """
        self._add_packed(words)

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
        """Return the number of distinct patterns of every layer (``per_layer=True``).

        Returns
        -------
        list of int

        Raises
        ------
        InvalidInput
            Layers are not counted.

        Examples
        --------
        >>> counter = PatternCounter(per_layer=True)
        >>> counter.update([[[1.0, -1.0], [1.0, 1.0]], [[2.0], [3.0]]])
        >>> counter.layer_counts()
        [2, 1]
        """
        self._check_per_layer()
        return [round(tally.distinct()) for tally in self._tallies[1:]]

    def relative_error(self, layer: int | None = None) -> float:
        """Return the relative standard error of `count`; 0.0 where that is no estimate.

        Parameters
        ----------
        layer : int, optional
            Of this layer alone (``per_layer=True``).

        Returns
        -------
        float

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

        Parameters
        ----------
        layer : int, optional
            Of this layer alone (``per_layer=True``).

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

        Parameters
        ----------
        layer : int, optional
            Of this layer alone (``per_layer=True``).

        Returns
        -------
        uint64 array, shape (count, words)

        Raises
        ------
        Unsupported
            Only ``sketch="exact"`` keeps them.

        Examples
        --------
        >>> counter = PatternCounter(per_layer=True)
        >>> counter.update([[[1.0, -1.0], [1.0, 1.0]], [[2.0], [3.0]]])
        >>> counter.patterns().tolist(), counter.patterns(layer=1).tolist()
        ([[5], [7]], [[1]])
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

        Parameters
        ----------
        layer : int, optional
            Of this layer alone (``per_layer=True``).

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

        Parameters
        ----------
        layer : int, optional
            Of this layer alone (``per_layer=True``).

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

        Parameters
        ----------
        layer : int, optional
            Of this layer alone (``per_layer=True``).

        Returns
        -------
        SampleCount
            Coverage, a lower estimate of the total, and `saturated`; for these the rows must be
            independent samples.

        Raises
        ------
        Unsupported
            The counter was made without ``counts=True``.

        Examples
        --------
        >>> counter = PatternCounter(counts=True)
        >>> counter.update([[[1.0], [2.0], [-1.0]]])
        >>> counter.summary()
        SampleCount(distinct=2, samples=3, coverage=0.667, ...)
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
