# SPDX-License-Identifier: MIT
"""Runs cases: each must end in an object or in one of the package's own errors, soon."""

from __future__ import annotations

import hashlib
import signal
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import linear_regions as lr

from .targets import TARGETS, Target

CORPUS = Path(__file__).parent / "corpus"
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


def cases(target: Target, seed: int) -> Iterator[bytes]:
    """Yield the seeds, then mutations of them without end."""
    rng = Random(seed)
    pool = target.seeds()
    yield from pool
    while True:
        data = rng.choice(pool)
        for _ in range(rng.choice((1, 1, 1, 2))):
            try:
                data = target.mutate(rng, data)
            except (ValueError, IndexError, KeyError, RuntimeError, NotImplementedError):
                break  # what was damaged before cannot be taken apart again
            except Exception as error:
                if type(error).__name__ in ("BadZipFile", "DecodeError", "error"):
                    break
                raise
        yield data


def fuzz(name: str, seconds: float, seed: int, keep: Path) -> int:
    """Fuzz one target for so long; write what fails to a folder; return how many kinds failed."""
    target, seen = TARGETS[name], set()
    start = time.perf_counter()
    n = read = 0
    slowest = 0.0
    for data in cases(target, seed):
        began = time.perf_counter()
        if began - start > seconds:
            break
        n += 1
        try:
            read += check(target, data)
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
        f"{len(seen)} kinds of failure",
        flush=True,
    )
    return len(seen)
