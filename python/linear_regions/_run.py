# SPDX-License-Identifier: MIT
"""Run control of the long calls: threads, limits, cancelling and progress, checked in one place."""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Real
from typing import Any, Generic, TypeVar

from ._geometry import integer
from .errors import InvalidInput, MissingExtra

__all__ = [
    "Aside",
    "Progress",
    "Run",
    "interrupts_put_off",
    "run_control",
    "usable_processors",
    "whole",
]

Progress = bool | Callable[[int, float], object]
_T = TypeVar("_T")
_FEW = 500  # rows with which a step takes less time than a signal may wait


@dataclass(frozen=True)
class Run:
    """Checked options, in the form that the core takes."""

    certified: bool
    threads: int
    limit: int | None
    time_limit: float | None
    poll: Callable[[int, float], bool] | None
    close: Callable[[], None]


def run_control(
    *,
    arithmetic: str = "certified",
    threads: int | None = None,
    limit: int | None = None,
    time_limit: float | None = None,
    cancel: threading.Event | None = None,
    progress: Progress = False,
) -> Run:
    """Check the options that all long calls share; what a call has not got keeps its default.

    Raises
    ------
    TypeError, InvalidInput
        If an option has a wrong type or value; the message names it.
    MissingExtra
        If ``progress=True`` and tqdm is not installed.
    """
    if arithmetic not in ("certified", "float"):
        raise InvalidInput(f"arithmetic must be 'certified' or 'float', got {arithmetic!r}")
    if threads is None:
        threads = usable_processors()
    threads = min(integer("threads", threads, 1), 1024)  # more would only wait for each other
    if limit is not None:
        # The core counts in 64 bits: no run reaches such a limit.
        limit = min(integer("limit", limit, 1), 2**64 - 1)
    if time_limit is not None:
        if isinstance(time_limit, bool) or not isinstance(time_limit, Real):
            raise TypeError(f"time_limit must be a number of seconds, got {time_limit!r}")
        time_limit = float(time_limit)
        if math.isnan(time_limit) or time_limit < 0:
            raise InvalidInput(f"time_limit must be a number of seconds >= 0, got {time_limit}")
        if math.isinf(time_limit):
            time_limit = None
    if cancel is not None and not callable(getattr(cancel, "is_set", None)):
        raise TypeError(f"cancel must be a threading.Event, got {cancel!r}")
    show, close = _shower(progress)
    poll: Callable[[int, float], bool] | None = None
    if cancel is not None or show is not None:

        def poll(found: int, fraction: float) -> bool:
            if show is not None:
                show(found, fraction)
            return cancel is None or not cancel.is_set()

    return Run(arithmetic == "certified", threads, limit, time_limit, poll, close)


def whole(answer: dict[str, Any]) -> dict[str, Any]:
    """Return a core's answer of which a part is of no use: Ctrl-C, which ended it, is raised."""
    if answer["interrupted"]:
        raise KeyboardInterrupt
    return answer


@contextmanager
def interrupts_put_off() -> Iterator[None]:
    """Let Ctrl-C wait until the block has ended: what it changes must change as a whole.

    Python raises it between any two steps of the main thread. Nothing happens in other threads, or
    where the signal is not handled by Python.
    """
    heard: list[Any] = []
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, lambda number, frame: heard.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if heard:
            handler(*heard[0])


class Aside(Generic[_T]):
    """A step in which no signal is looked at, on a thread of its own: who waits hears Ctrl-C.

    For single steps of seconds at most, in NumPy or at the end of a call of the core. A step whose
    caller was interrupted goes on to its end; whoever asks again gets what it gives.

    Parameters
    ----------
    step : callable
        Done once, when it is first asked for.
    rows : int
        Of a table or a matrix, that the step takes; where they are few, it is done in place.
    """

    def __init__(self, step: Callable[[], _T], rows: int) -> None:
        self._step: Callable[[], _T] | None = step
        self._long = rows > _FEW
        self._given: Future[_T] = Future()
        self._beginning = threading.Lock()

    def __call__(self) -> _T:
        """Return what the step gives; raise what it raised."""
        with self._beginning:
            step, self._step = self._step, None
        if step is not None:
            self._begin(step)
        return self._given.result()

    def _begin(self, step: Callable[[], _T]) -> None:
        def take() -> None:
            try:
                self._given.set_result(step())
            except BaseException as error:  # handed to those who ask
                self._given.set_exception(error)

        if self._long and threading.current_thread() is threading.main_thread():
            try:
                threading.Thread(target=take, daemon=True).start()
                return
            except RuntimeError:  # no memory for a thread
                pass
        take()


def usable_processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _shower(
    progress: Progress,
) -> tuple[Callable[[int, float], object] | None, Callable[[], None]]:
    if progress is False or progress is None:
        return None, _nothing
    if callable(progress):
        return progress, _nothing
    if progress is not True:
        raise TypeError(f"progress must be True, False or a callable, got {progress!r}")
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise MissingExtra("progress=True", "progress") from None
    bar: Any = tqdm(total=1.0, unit="", bar_format="{l_bar}{bar}| {postfix}")

    def show(found: int, fraction: float) -> None:
        bar.n = min(fraction, 1.0)
        bar.set_postfix_str(f"{found:,} regions")

    return show, bar.close


def _nothing() -> None:
    pass
