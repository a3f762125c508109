# SPDX-License-Identifier: MIT
"""Sampling one part of a layer in the core: plans in, observed numbers out.

The only file of the estimates that calls the core.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from math import log, prod
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from .._digest import digest
from .._divisible import Poll, State
from .._items import Items, ItemSearch, Piece
from .._ledger import Ledger
from .._numbers import short_number
from .._part_runs import ExecutorOrMaker, PartRun
from .._run import Run
from ..errors import Unsupported
from .binomial import binomial_thresholds
from .windows import Part

Words = npt.NDArray[np.uint64]
Indices = npt.NDArray[np.uint32]

_NO_PLACES = np.zeros(0, dtype=np.uint32)
_LARGEST_WORD = 2**64 - 1
_MOST = 2**32  # the core numbers places, channels and filters in 32 bits


@dataclass
class Clock:
    """Threads, time and the wish to stop, over several calls of the core.

    Parameters
    ----------
    run : Run
        The options of the whole call.
    started : float
        `perf_counter` at its start.
    status : str
        How the last call ended.
    interrupted : bool
        Whether Ctrl-C stopped one.
    ledger : Ledger or None
        Keeps what the pieces of every call gave.
    executor : Executor, callable or None
        Whose workers run the pieces.
    """

    run: Run
    started: float
    status: str = "complete"
    interrupted: bool = False
    ledger: Ledger | None = None
    executor: ExecutorOrMaker | None = None

    @property
    def stopped(self) -> bool:
        """Whether a call was stopped: nothing more should be started."""
        return self.status != "complete"

    def options(self, share: tuple[float, float] = (0.0, 1.0)) -> dict[str, Any]:
        """Return the options of one call of the core; `share`: what is done, and its part."""
        left, poll = self.run.time_limit, self.run.poll
        if left is not None:
            left = max(0.0, left - (perf_counter() - self.started))
        if poll is not None and share != (0.0, 1.0):
            shown, (done, part) = poll, share

            def poll(found: int, fraction: float) -> bool:
                return shown(found, done + part * fraction)

        return {"threads": self.run.threads, "time_limit": left, "poll": poll}

    def in_pieces(
        self,
        key: tuple[Any, ...],
        n: int,
        call: Callable[..., dict[str, Any]],
        search: DrawSearch,
    ) -> dict[str, Any]:
        """Run `n` numbered pieces, from where the ledger says.

        Parameters
        ----------
        key : tuple
            Names what is run.
        n : int
            Pieces.
        call : callable
            Takes the number of the first piece, how many there are, and the options of a call of
            the core. Every piece draws from a stream of its own, so that the division changes
            nothing.
        search : DrawSearch
            The same for the workers of an executor.

        Returns
        -------
        dict
            As the core gives it: lists with an entry per piece, and counters.
        """
        ledger = self.ledger
        if self.executor is not None and n > 1:
            return self._spread(key, n, call, search, self.executor)
        if ledger is None:
            out = call(0, n, **self.options())
            self.note(out)
            return out
        name = digest(key)
        known = ledger.answer(name)
        if known is not None:
            return {**_taken_up(ledger, known, key), "status": "complete", "interrupted": False}
        begun = ledger.begun(name)
        out = {} if begun is None else _taken_up(ledger, begun[0]["out"], key)
        done = 0 if begun is None else int(begun[0]["done"])
        at_once, saved = 2 * self.run.threads, perf_counter()
        while done < n:
            pieces, begin = min(at_once, n - done), perf_counter()
            found = call(done, pieces, **self.options(share=(done / n, pieces / n)))
            self.note(found)
            if self.stopped:
                # Its counters include a piece that was broken off, and plans follow counters: the
                # pieces count for this answer, and are run again for the next one.
                ledger.keep(name, {"out": _encoded(out), "done": done}, {})
                return _added(out, found)
            out = _added(out, found)
            done += pieces
            if perf_counter() - begin < ledger.interval / 4:
                at_once *= 2
            if perf_counter() - saved > ledger.interval and done < n:
                ledger.keep(name, {"out": _encoded(out), "done": done}, {})
                saved = perf_counter()
        ledger.finish(name, _encoded(out))
        return out

    def _spread(
        self,
        key: tuple[Any, ...],
        n: int,
        call: Callable[..., dict[str, Any]],
        search: DrawSearch,
        executor: ExecutorOrMaker,
    ) -> dict[str, Any]:
        """Run pieces on an executor; those that were broken off do not count."""
        ledger, name = self.ledger, digest(("on an executor", key))
        known = None if ledger is None else ledger.answer(name)
        if ledger is not None and known is not None:
            return {**_taken_up(ledger, known, key), "status": "complete", "interrupted": False}
        done: list[tuple[int, dict[str, Any]]] = []
        state = State(Items.equal(n))
        begun = None if ledger is None else ledger.begun(name)
        if ledger is not None and begun is not None:
            try:
                state = State(Items.of_arrays(begun[1], n))
                done += [
                    (int(first), _taken_up(ledger, out, key)) for first, out in begun[0]["done"]
                ]
            except (KeyError, TypeError, ValueError) as error:
                raise ledger.damage(error) from error
        options = self.options()
        run = replace(self.run, limit=None, time_limit=options["time_limit"])
        parts = PartRun(search, run, state, take=done.extend)
        if ledger is not None:
            book = ledger  # not None from here on
            parts.every = ledger.interval
            parts.save = lambda now: book.keep(
                name, {"done": [(first, _encoded(out)) for first, out in done]}, now.rest.arrays
            )
        found = parts.on(executor)
        out = call(0, 0, **options)  # what nothing gives
        for _, piece in sorted(done, key=lambda entry: entry[0]):
            out = _added(out, piece)
        out |= {"status": found["status"], "interrupted": found["interrupted"]}
        self.note(out)
        if out["status"] == "complete" and ledger is not None:
            ledger.finish(name, _encoded(out))
        return out

    def note(self, out: dict[str, Any]) -> None:
        """Remember how a call ended."""
        self.status = out["status"]
        self.interrupted |= out["interrupted"]


def _added(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Join what two calls gave: lists follow one another, counters and times add up."""
    out = dict(other)
    for name, value in one.items():
        if isinstance(value, (list, int, float)) and not isinstance(value, bool):
            out[name] = value + other[name]
    return out


def _encoded(out: dict[str, Any]) -> dict[str, Any]:
    """Return what JSON holds: logarithms may be infinite."""
    plain = {k: v for k, v in out.items() if k not in ("status", "interrupted", "log_values")}
    if "log_estimates" in plain:
        plain["log_estimates"] = [float(value).hex() for value in plain["log_estimates"]]
    return plain


def _decoded(plain: dict[str, Any]) -> dict[str, Any]:
    out = dict(plain)
    if "log_estimates" in out:
        out["log_estimates"] = [float.fromhex(value) for value in out["log_estimates"]]
    return out


def _taken_up(ledger: Ledger, plain: dict[str, Any], key: tuple[Any, ...]) -> dict[str, Any]:
    """Return what a file says that pieces gave: no piece counts more draws than it makes."""
    out = _decoded(plain)
    draws, ranks = key[-1][-2:]
    for name, most in (("successes", draws), ("ranks_tested", ranks), ("ranks_full", ranks)):
        if any(not isinstance(n, int) or not 0 <= n <= most for n in out.get(name, ())):
            raise ledger.damage(f"{name} of pieces of {draws} draws and {ranks} ranks")
    return out


class Sampler:
    """A part, its windows as the core wants them.

    The longest axis comes first, so that whatever sweeps over the windows keeps a short frontier.

    Parameters
    ----------
    part : Part
        A component of the layer.
    breakpoints : int
        Breakpoints of a neuron.
    key : tuple of int
        Two words that number the random streams.
    clock : Clock
        Run control.
    """

    def __init__(self, part: Part, breakpoints: int, key: tuple[int, int], clock: Clock) -> None:
        from .. import _core

        axes = sorted(part.axes, key=lambda block: -len(block.windows))
        sizes = [block.size for block in axes]
        starts, entries, places = [0], [], []
        reach = [max(p + b - a for a, b, p in block.windows) for block in axes]
        for windows in product(*(block.windows for block in axes)):
            seen = place = np.zeros(1, dtype=np.int64)
            for (start, end, first), size, wide in zip(windows, sizes, reach, strict=True):
                along = np.arange(start, end)
                seen = (seen[:, None] * size + along).reshape(-1)
                place = (place[:, None] * wide + (along - start + first)).reshape(-1)
            entries.append(seen)
            places.append(place)
            starts.append(starts[-1] + len(seen))
        self.part, self.breakpoints, self.key, self.clock = part, breakpoints, key, clock
        self._entries = np.concatenate(entries)
        self._sizes = sizes
        self.places = np.concatenate(places).astype(np.uint32)
        if max(part.channels, part.filters, prod(sizes)) >= _MOST:
            raise Unsupported(
                "an estimate takes fewer than 2^32 filters, channels and input places, got "
                f"{short_number(part.filters)} filters and {short_number(part.channels)} channels; "
                "bounds(...) gives lower and upper bounds"
            )
        self.graph = _core.WindowGraph(
            np.array(starts), self._entries, prod(sizes), part.channels, part.filters
        )
        self._core = _core
        self._laws: tuple[Words, Words] | None = None
        self._named = (repr(part), breakpoints, key)

    def rank_cost(self) -> float:
        """Return the multiplications of one test of a rank: rows times bandwidth squared."""
        part = self.part
        behind = prod(self._sizes[1:])
        long = max(part.axes, key=lambda block: len(block.windows))
        band = max(end - start for start, end, _ in long.windows) * behind * part.channels
        return float(part.rank_limit) * min(band, part.rank_limit) ** 2

    def _cover_order(self) -> Indices:
        """Return the entries, those that few windows see first, from the corners inwards."""
        n = prod(self._sizes)
        windows = np.bincount(self._entries, minlength=n)
        index = np.indices(self._sizes).reshape(len(self._sizes), -1)
        far = np.zeros(n, dtype=np.int64)
        for i, size in zip(index, self._sizes, strict=True):
            far += np.minimum(i, size - 1 - i)
        return np.lexsort((np.arange(n), far, windows)).astype(np.uint32)

    def _size_law(self) -> tuple[Words, Words]:
        """Return sizes and 64-bit thresholds of the law proportional to C(N, s) k**s, s <= rank.

        Weights are fixed-point integers of 128 bits and more; sizes whose weight is below 2**-70 of
        the largest are left out, which changes no probability by more than 2**-55.
        """
        if self._laws is None:
            n, k = self.part.n_neurons, self.breakpoints
            size = self.part.rank_limit
            sizes, weights, largest = [size], [1 << 128], 1 << 128
            while size > 0:
                weight = weights[-1] * size // ((n - size + 1) * k)
                size -= 1
                sizes.append(size)
                weights.append(weight)
                largest = max(largest, weight)
                if weight << 70 < largest and weight < weights[-2]:
                    break
            # From the likeliest size on, so that few thresholds are looked at.
            pairs = sorted(zip(weights, sizes, strict=True), reverse=True)
            total, reached, thresholds = sum(weights), 0, []
            for weight, _ in pairs:
                reached += weight
                thresholds.append(min((reached << 64) // total, _LARGEST_WORD))
            self._laws = (
                np.array([size for _, size in pairs], dtype=np.uint64),
                np.array(thresholds, dtype=np.uint64),
            )
        return self._laws

    def direct(
        self, by_entries: bool, first: int, chunks: int, size: int, ranks: int = 0
    ) -> dict[str, Any]:
        """Run `chunks` chunks of `size` direct trials, from trial number `first` on."""
        return self._in_pieces("direct", chunks, (by_entries, first, size, ranks))

    def particles(
        self, share: float, first: int, batches: int, particles: int, ranks: int = 0
    ) -> dict[str, Any]:
        """Run batches of particles; every neuron is there with probability `share`.

        The logarithms that come back are those of R itself, not only of the expectation.
        """
        out = self._in_pieces("particles", batches, (share, first, particles, ranks))
        penalty = self._penalty(share)
        base = -self.part.n_inputs * penalty - self.part.n_neurons * log(1.0 - share)
        out["log_values"] = [value + base for value in out["log_estimates"]]
        return out

    def _in_pieces(self, name: str, n: int, plan: tuple[Any, ...]) -> dict[str, Any]:
        pieces = self.pieces_of(name, plan)
        search = DrawSearch(self.part, self.breakpoints, self.key, name, plan)
        return self.clock.in_pieces((name, self._named, n, plan), n, pieces, search)

    def pieces_of(self, name: str, plan: tuple[Any, ...]) -> Callable[..., dict[str, Any]]:
        """Return the function that runs pieces: number of the first, how many, and options."""
        return self._direct_pieces(*plan) if name == "direct" else self._particle_pieces(*plan)

    def _direct_pieces(
        self, by_entries: bool, first: int, size: int, ranks: int
    ) -> Callable[..., dict[str, Any]]:
        sizes, thresholds = self._size_law()
        order = (
            self._cover_order() if by_entries else np.arange(self.part.n_positions, dtype=np.uint32)
        )
        return lambda number, pieces, **options: self._core.direct_trials(
            self.graph,
            sizes,
            thresholds,
            order,
            by_entries,
            self.key,
            first + number * size,
            pieces,
            size,
            ranks,
            self.places if ranks else _NO_PLACES,
            **options,
        )

    def _penalty(self, share: float) -> float:
        k = self.breakpoints
        if share * (1 + k) == k:
            return 0.0
        return min(0.0, log(share) - log(1.0 - share) - log(k))

    def _particle_pieces(
        self, share: float, first: int, particles: int, ranks: int
    ) -> Callable[..., dict[str, Any]]:
        part = self.part
        words = np.array(binomial_thresholds(part.filters, share), dtype=np.uint64)
        penalty = self._penalty(share)
        return lambda number, pieces, **options: self._core.particle_batches(
            self.graph,
            words,
            penalty,
            self.key,
            first + number,
            pieces,
            particles,
            ranks,
            self.places if ranks else _NO_PLACES,
            **options,
        )


class DrawSearch(ItemSearch):
    """Pieces of a plan of draws, numbered. Pickles.

    Parameters
    ----------
    part, breakpoints, key
        As of `Sampler`.
    name : {"direct", "particles"}
    plan : tuple
        What all pieces have in common.
    """

    most_at_once = 1

    def __init__(
        self, part: Part, breakpoints: int, key: tuple[int, int], name: str, plan: tuple[Any, ...]
    ) -> None:
        self._of = (part, breakpoints, key)
        self._name, self._plan = name, plan

    @cached_property
    def _call(self) -> Callable[..., dict[str, Any]]:
        # Its clock is never asked.
        sampler = Sampler(*self._of, Clock(Run(True, 1, None, None, None, _nothing), 0.0))
        return sampler.pieces_of(self._name, self._plan)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the core's objects out."""
        return {name: value for name, value in self.__dict__.items() if name != "_call"}

    def piece(
        self, first: int, last: int, begun: Any, threads: int, seconds: float | None, poll: Poll
    ) -> Piece:
        """Run one piece; half of one does not count."""
        out = self._call(first, 1, threads=threads, time_limit=seconds, poll=poll)
        status, interrupted = out.pop("status"), out.pop("interrupted")
        if status != "complete":
            return Piece(first, status=status, interrupted=interrupted)
        return Piece(first + 1, result=out)


def _nothing() -> None:
    pass
