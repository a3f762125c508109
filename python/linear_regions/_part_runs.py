# SPDX-License-Identifier: MIT
"""Running a search part by part: in this process, or on the workers of an executor.

Both keep the same books: what is found, what is left. `save` is called whenever it is worth while
to bring them to the disk.
"""

from __future__ import annotations

import os
import pickle
import queue
import select
import time
import warnings
from collections.abc import Callable
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
)
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

from ._divisible import Divisible, Outcome, Searchable, State
from ._run import Run, interrupts_put_off

__all__ = ["ExecutorOrMaker", "PartRun", "work_on"]

ExecutorOrMaker: TypeAlias = Executor | Callable[[], Executor]

SLICE_SECONDS = 3.0  # between two states on the disk, at least
TASK_SECONDS = 5.0  # of a worker's task
_SHARE_OF_SAVING = 1 / 200  # of the time, at most
_RESTARTS = 3
_TASKS_PER_WORKER = 2
_FIRST_PARTS_PER_WORKER = 8
_GRACE_SECONDS = 2.0
_PATIENCE_SECONDS = 1.0  # with a pool that does not say that a process of it has died


@dataclass
class PartRun:
    """One call that works a search off.

    Attributes
    ----------
    search : Searchable
    run : Run
        Checked options.
    state : State
        Where it begins, and later how far it has come.
    save : callable, optional
        Called with the state every few seconds and at the end.
    take : callable, optional
        Called with the blocks of a listing.
    rows : int, optional
        Regions of a listing between two states, at most.
    every : float, optional
        Seconds between two states.
    """

    search: Searchable
    run: Run
    state: State
    save: Callable[[State], None] | None = None
    take: Callable[[list[Any]], None] | None = None
    rows: int | None = None
    every: float | None = None
    status: str = "complete"
    interrupted: bool = False
    _start: float = field(default_factory=time.monotonic)
    _before: float = 0.0
    _saved: float = field(default_factory=time.monotonic)
    _saving: float = 0.0
    _rows: int = 0  # regions since the last state
    _news: bool = True  # since the last state

    def here(self) -> dict[str, Any]:
        """Work in this process, on the run's threads."""
        self._begin()
        try:
            self._work_here()
        except KeyboardInterrupt:  # between two calls of the core
            self.interrupted, self.status = True, "cancelled"
        return self._end()

    def _work_here(self) -> None:
        while self._goes_on():
            began = time.monotonic()
            outcome = self.search.run(
                self.state.rest,
                threads=self.run.threads,
                limit=self._regions_left(),
                time_limit=self._seconds_left(),
                pause_after=self._slice() if self.save else None,
                pause_at=self.rows,
                poll=self._poll(),
                wide=self.state.wide,
            )
            with interrupts_put_off():
                self.state.rest = outcome.rest
                self._enter(outcome)
            if outcome.status not in ("complete", "paused"):
                self.status = outcome.status
            # Setting a slice up and saving it is what a checkpoint costs.
            setup = time.monotonic() - began - outcome.seconds + outcome.setup_seconds
            self._save(setup, last=False)

    def on(self, executor: ExecutorOrMaker) -> dict[str, Any]:
        """Work on an executor's workers; what they lose is done again."""
        self._begin()
        if self._goes_on():
            _Desk(self, executor).work()
        return self._end()

    # --- the books -------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._before = self.state.seconds
        if len(self.state.rest):
            self.state.runs += 1

    def _goes_on(self) -> bool:
        if not len(self.state.rest) or self.interrupted or self.status != "complete":
            return False
        left, seconds = self._regions_left(), self._seconds_left()
        if left is not None and left <= 0:
            self.status = "limit"
        elif seconds is not None and seconds <= 0:
            self.status = "time_limit"
        return self.status == "complete"

    def _enter(self, outcome: Outcome) -> None:
        self._news = True
        self.state.found += outcome.regions
        self._rows += outcome.regions
        self.state.wide = self.state.wide or outcome.wide
        self.state.add_work(outcome.work)
        self.interrupted = self.interrupted or outcome.interrupted
        if self.take is not None and outcome.blocks:
            self.take(outcome.blocks)

    def _regions_left(self) -> int | None:
        return None if self.run.limit is None else self.run.limit - self.state.found

    def _seconds_left(self) -> float | None:
        if self.run.time_limit is None:
            return None
        return self.run.time_limit - (time.monotonic() - self._start)

    def _slice(self) -> float:
        every = SLICE_SECONDS if self.every is None else self.every
        return max(every, self._saving / _SHARE_OF_SAVING)

    def _poll(self) -> Callable[[int, float], bool] | None:
        poll = self.run.poll
        if poll is None:
            return None
        found, done = self.state.found, 1.0 - self.state.rest.weight
        return lambda more, fraction: poll(found + more, done + fraction)

    def _save(self, cost: float, last: bool) -> None:
        if self.save is None or not self._news:
            return
        now = time.monotonic()
        full = self.rows is not None and self._rows >= self.rows
        soon = now - self._saved < self._slice() / 2
        if not last and self._goes_on() and soon and not full:
            return
        with interrupts_put_off():
            self._rows = 0
            self.state.seconds = self._before + now - self._start
            self.save(self.state)
            self._news = False
            self._saved = time.monotonic()
        self._saving = self._saved - now + max(cost, 0.0)

    def _end(self) -> dict[str, Any]:
        self.state.seconds = self._before + time.monotonic() - self._start
        self._save(0.0, last=True)
        if self.run.limit is not None and self.state.found > self.run.limit:
            self.status = "limit"
        return self.answer(self.status)

    def answer(self, status: str) -> dict[str, Any]:
        """Return what the core's calls return, as far as the books go."""
        found = self.state.found
        return {
            "regions": found if self.run.limit is None else min(found, self.run.limit),
            "status": status,
            "seconds": self.state.seconds,
            "work": {**self.state.work, "runs": max(self.state.runs, 1)},
            "interrupted": self.interrupted,
        }


# --- executors -----------------------------------------------------------------------------------


class _Stop:
    """Says that a run has ended. A copy in another process never learns it."""

    def __init__(self) -> None:
        self.said = False

    def __reduce__(self) -> tuple[type[_Stop], tuple[()]]:
        return _Stop, ()


@lru_cache(maxsize=4)
def _unpacked(pickled: bytes) -> Searchable:
    search: Searchable = pickle.loads(pickled)
    return search


def work_on(
    pickled: bytes, part: Divisible, wide: bool, seconds: float, rows: int | None, stop: _Stop
) -> Outcome:
    """Search a part for some seconds; what a worker of an executor runs.

    A thread of the process that waits for it ends early where nobody waits any more.
    """

    def goes_on(found: int, fraction: float) -> bool:
        return not stop.said

    search = _unpacked(pickled)
    return search.run(part, pause_after=seconds, pause_at=rows, poll=goes_on, wide=wide)


class _Pool:
    """What a pool of processes of the standard library consists of; nothing for other executors."""

    def __init__(self, executor: Executor) -> None:
        pool = executor if isinstance(executor, ProcessPoolExecutor) else None
        self._processes = list((getattr(pool, "_processes", None) or {}).values())
        self._pipe = getattr(getattr(pool, "_result_queue", None), "_writer", None)
        self._thread = getattr(pool, "_executor_manager_thread", None)

    def works(self) -> bool:
        """Tell whether its thread goes on."""
        return self._thread is not None and self._thread.is_alive()

    def process_died(self) -> bool:
        """Tell whether a process was killed or failed."""
        return any(process.exitcode not in (None, 0) for process in self._processes)

    def end(self) -> None:
        """Let a pool of which a process died know that it is broken.

        It sees that by itself, unless the process died while it handed over a result: then the
        pool's thread waits for the rest of it, for ever and also when Python ends. It gets a rest
        here that is no pickle, and where that cannot be, the end of the file. Nor does it see that
        a process died after it was shut down, and the others may wait for a lock of that one.
        """
        for process in self._processes:
            process.kill()
        if self._pipe is None or self._pipe.closed:
            return
        if hasattr(select, "poll"):
            _fill(self._pipe.fileno(), lambda: not self.works())
        self._pipe.close()


def _shut_down(executor: Executor, wait: bool) -> None:
    """Shut an executor down; of a pool of processes wait for those that can end."""
    pool = _Pool(executor)
    executor.shutdown(wait=wait and not pool.works(), cancel_futures=True)
    while wait and pool.works():
        time.sleep(0.01)
        if pool.process_died():
            pool.end()


def _fill(pipe: int, enough: Callable[[], bool]) -> None:
    """Write zeros until it is enough, and never wait for a reader that does not read.

    The end of the file alone is not enough: whoever has inherited the pipe (by a fork after the
    pool was made) holds it open. A pickle ends with a full stop, so no rest of zeros completes one.
    """
    end = time.monotonic() + _PATIENCE_SECONDS
    room = select.poll()
    room.register(pipe, select.POLLOUT)
    while not enough() and time.monotonic() < end:
        if room.poll(10):
            os.write(pipe, bytes(select.PIPE_BUF))


class _Desk:
    """Hands parts to workers, takes back what they found and what they left.

    What waits and what is given are together what is left, at every moment at which Ctrl-C may
    come: a part leaves them in one step with the entry of what was found in it.
    """

    def __init__(self, run: PartRun, executor: ExecutorOrMaker) -> None:
        self._run = run
        self._make = None if isinstance(executor, Executor) else executor
        self._executor = executor if isinstance(executor, Executor) else self._made()
        self._restarts = 0
        self._dead_since: float | None = None
        self._pickled = pickle.dumps(run.search)
        self._stop = _Stop()
        self._waiting: list[Divisible] = [run.state.rest]
        self._finishes_here = False  # what is left is in the run's state alone
        self._given: dict[Future[Outcome], Divisible] = {}
        self._back: queue.SimpleQueue[Future[Outcome]] = queue.SimpleQueue()

    def _made(self) -> Executor:
        made = self._make() if callable(self._make) else self._make
        if isinstance(made, Executor):
            return made
        raise TypeError(
            "executor must be a concurrent.futures.Executor, or a callable without arguments that "
            f"makes one, got {made!r}"
        )

    def work(self) -> None:
        """Work until nothing is left or the run stops."""
        run = self._run
        try:
            self._prepare()
            while run._goes_on():
                try:
                    self._give()
                    self._take_back()
                except BrokenExecutor as error:
                    self._lost(error)
                if run.run.poll is not None and not run.run.poll(
                    run.state.found, 1.0 - run.state.rest.weight
                ):
                    run.status = "cancelled"
                self._books()
            self._last_ones()
        except KeyboardInterrupt:
            run.interrupted, run.status = True, "cancelled"
            self._books()
        finally:
            self._stop.said = True
            if (pool := _Pool(self._executor)).process_died():
                pool.end()  # first: a pool that breaks cannot fail futures that were cancelled
            for future in self._given:
                future.cancel()
            if self._make is not None:
                _shut_down(self._executor, wait=run.status == "complete")

    def _prepare(self) -> None:
        run = self._run
        parts = _FIRST_PARTS_PER_WORKER * self._workers()
        rest = run.state.rest
        if len(rest) < parts:
            outcome = run.search.cut(rest, rest.weight / parts, run._poll())
            with interrupts_put_off():
                run.state.rest, self._waiting = outcome.rest, [outcome.rest]
                run._enter(outcome)
            if outcome.interrupted:
                raise KeyboardInterrupt
        self._waiting = run.state.rest.pieces(parts)

    def _workers(self) -> int:
        for name in ("num_workers", "_max_workers"):  # mpi4py; the pools of the standard library
            n = getattr(self._executor, name, None)
            if isinstance(n, int) and n > 0:
                return n
        client = getattr(self._executor, "_client", None)  # Dask
        if client is not None and hasattr(client, "nthreads"):
            return max(1, sum(int(n) for n in client.nthreads().values()))
        return os.cpu_count() or 1

    def _give(self) -> None:
        """Keep every worker busy: two tasks each, the largest parts first."""
        run, wanted = self._run, _TASKS_PER_WORKER * self._workers()
        if len(self._waiting) + len(self._given) < wanted and self._waiting:
            each = -(-wanted // len(self._waiting))
            self._waiting = [piece for part in self._waiting for piece in part.pieces(each)]
        self._waiting.sort(key=lambda part: part.weight)
        hungry = len(self._waiting) + len(self._given) < wanted
        seconds = TASK_SECONDS / 5 if hungry else TASK_SECONDS
        left = run._seconds_left()
        if left is not None:
            seconds = max(min(seconds, left), 0.0)
        while self._waiting and len(self._given) < wanted:
            future = self._executor.submit(
                work_on,
                self._pickled,
                self._waiting[-1],
                run.state.wide,
                seconds,
                run.rows,
                self._stop,
            )
            with interrupts_put_off():
                self._given[future] = self._waiting.pop()
            future.add_done_callback(self._back.put)

    def _take_back(self) -> None:
        try:
            done = [self._back.get(timeout=0.05)]
        except queue.Empty:
            self._look_after_pool()
            return
        while not self._back.empty():
            done.append(self._back.get())
        for future in done:
            if future not in self._given:  # of an executor that broke
                continue
            try:
                outcome = future.result()
            except (BrokenExecutor, CancelledError):
                raise BrokenExecutor("a worker was lost") from None
            except Exception as error:
                if type(error).__name__ == "KilledWorker":  # Dask gives a lost worker's task up
                    raise BrokenExecutor("a worker was lost") from error
                part = self._given[future]
                self._books()
                error.add_note(
                    "raised by a worker of the executor, while it searched "
                    f"{len(part)} pieces ({part.weight:.3g} of the search)"
                )
                raise
            work = self._run.state.work
            with interrupts_put_off():
                del self._given[future]
                if len(outcome.rest):
                    self._waiting.append(outcome.rest)
                work["tasks"] = work.get("tasks", 0) + 1
                self._run._enter(outcome)

    def _look_after_pool(self) -> None:
        now = time.monotonic()
        pool = _Pool(self._executor)
        if not pool.process_died():
            self._dead_since = None
        elif self._dead_since is None:
            self._dead_since = now
        elif now - self._dead_since > _PATIENCE_SECONDS:
            pool.end()  # its tasks come back as those of a broken executor

    def _last_ones(self) -> None:
        """Take what comes back when the time is over: the workers have the same limit."""
        end = time.monotonic() + _GRACE_SECONDS
        while self._run.status == "time_limit" and self._given and time.monotonic() < end:
            try:
                self._take_back()
            except BrokenExecutor:
                break
            self._books()

    def _lost(self, error: BrokenExecutor) -> None:
        """Take the parts of a broken executor back; make another one, or finish here."""
        run = self._run
        with interrupts_put_off():
            lost = list(self._given.values())
            self._waiting += lost
            self._given.clear()
        self._books()
        work = run.state.work
        work["lost_parts"] = work.get("lost_parts", 0) + len(lost)
        if self._make is not None and self._restarts < _RESTARTS:
            self._restarts += 1
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = self._made()
            return
        warnings.warn(
            f"the executor broke ({error}); {len(self._waiting)} parts of the search are finished "
            "in this process. An executor that may break is better given as a function that makes "
            "one",
            RuntimeWarning,
            stacklevel=2,
        )
        work["finished_here"] = len(self._waiting)
        run.state.rest = run.state.rest.ordered()
        self._finishes_here = True
        run._work_here()

    def _books(self) -> None:
        run = self._run
        if not self._finishes_here:
            run.state.rest = run.state.rest.join([*self._waiting, *self._given.values()])
        run._save(0.0, last=False)
