# SPDX-License-Identifier: MIT
"""Runs cases: each must end in an object or in one of the package's own errors, soon."""

from __future__ import annotations

import hashlib
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import CodeType, FrameType
from typing import Any

import linear_regions as lr

from .mutations import mutate_bytes
from .targets import TARGETS, Target, files_of

CORPUS = Path(__file__).parent / "corpus"
PACKAGE = str(Path(lr.__file__).parent)
ALLOWED = (lr.LinearRegionsError, FileNotFoundError, IsADirectoryError)
MOST_SECONDS = 10.0


class Hang(BaseException):
    """A case took too long; no `Exception`, so that nothing swallows it."""


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Hang(f"not done after {seconds:g} s")

    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def check(target: Target, data: bytes) -> bool:
    """Read one case, and say whether it was read; whatever is not allowed is raised."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, target.name)
        path.write_bytes(data)
        with warnings.catch_warnings(), _deadline(MOST_SECONDS):
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", lr.LongRunWarning)
            try:
                target.read(path)
            except ALLOWED as error:
                if not str(error):
                    raise AssertionError("an error without a message") from error
                return False
    return True


class Steps:
    """Steps from line to line of the package's Python code, recorded while it is entered."""

    def __init__(self) -> None:
        self.seen: set[tuple[CodeType, int, int]] = set()

    def __enter__(self) -> Steps:
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _call(self, frame: FrameType, _event: str, _value: object) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(PACKAGE):
            return None
        before, add = 0, self.seen.add

        def step(frame: FrameType, event: str, _value: object) -> Any:
            nonlocal before
            if event == "line":
                add((code, before, frame.f_lineno))
                before = frame.f_lineno
            return step

        return step


def cases(target: Target, seed: int, interesting: list[bytes] | None = None) -> Iterator[bytes]:
    """Yield the seeds, then without end mutations of them and of what is in `interesting`."""
    rng = Random(seed)
    seeds, found = target.seeds(), [] if interesting is None else interesting
    yield from seeds
    while True:
        # Half of the cases go on from the seeds; of the rest, half from the last finds.
        pool = rng.choice((seeds, seeds, found, found[-20:])) or seeds
        data = rng.choice(pool)
        for _ in range(rng.choice((1, 1, 1, 2))):
            try:
                data = target.mutate(rng, data)
            except Exception:  # what was damaged before may not come apart again
                data = mutate_bytes(rng, data)
        yield data


def fuzz(name: str, seconds: float, seed: int, keep: Path) -> int:
    """Fuzz one target for so long; write what fails to a folder; return how many kinds failed.

    Cases that make the package take steps from line to line that no case took before are mutated
    further.
    """
    target, seen = TARGETS[name], set()
    interesting = [data for _, data in files_of(CORPUS, name)]
    steps = Steps()
    start = time.perf_counter()
    n = read = 0
    slowest = 0.0
    for data in cases(target, seed, interesting):
        began = time.perf_counter()
        if began - start > seconds:
            break
        n += 1
        before = len(steps.seen)
        try:
            with steps:
                read += check(target, data)
            if len(steps.seen) > before:
                interesting.append(data)
        except (Exception, Hang) as error:
            frames = traceback.extract_tb(error.__traceback__)
            last = next((f for f in reversed(frames) if "linear_regions" in f.filename), frames[-1])
            kind = (type(error).__name__, last.filename, last.lineno)
            if kind not in seen:
                seen.add(kind)
                path = keep / name / hashlib.sha256(data).hexdigest()[:12]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                where = f"{Path(last.filename).name}:{last.lineno}"
                print(f"{name}: {type(error).__name__} in {where}: {str(error)[:150]}  {path}")
        slowest = max(slowest, time.perf_counter() - began)
    spent = time.perf_counter() - start
    print(
        f"{name}: {n} cases in {spent:.1f} s, {read} of them read, slowest {slowest:.2f} s, "
        f"{len(interesting)} of them kept, {len(steps.seen)} steps, {len(seen)} kinds of failure",
        flush=True,
    )
    return len(seen)
