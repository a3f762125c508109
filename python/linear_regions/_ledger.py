# SPDX-License-Identifier: MIT
"""Ledgers: the answers of a computation's long calls, and how far the one under way has come.

A ledger is a checkpoint of a computation that is made of calls of the core, each of which takes
long. The computation is run again from its beginning; a call that was finished is answered by the
ledger, the one that was under way begins where its state says. What is drawn at random is drawn
once. So the same call of a user gives the same answer, however often it was interrupted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import inf
from os import PathLike
from pathlib import Path
from traceback import walk_tb
from typing import Any

import numpy.typing as npt

from ._checkpoint_file import CheckpointFile
from .errors import CorruptFile, LinearRegionsError

__all__ = ["SAVE_SECONDS", "Ledger"]

_PACKAGE = Path(__file__).parent
SAVE_SECONDS = 3.0  # between two states on the disk, at least
_SHARE_OF_SAVING = 1 / 200  # of the time, at most

Arrays = Mapping[str, npt.NDArray[Any]]
State = tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]


def _raised_here(error: BaseException) -> bool:
    frames = list(walk_tb(error.__traceback__))
    return Path(frames[-1][0].f_code.co_filename).is_relative_to(_PACKAGE)


class Ledger:
    """A file that holds finished answers and the state of one call.

    Parameters
    ----------
    path : str or path
    names : dict of str to str
        What it must belong to.

    Attributes
    ----------
    resumed : bool
        Whether there was a file. Its contents fit their checksum; more is not known of them.
    runs : int
        Processes that worked on it.
    state : dict
        Of the last state kept: what a partial answer is made of.

    Raises
    ------
    InvalidInput
        If the file belongs to something else.
    CorruptFile
        If it is damaged.
    CheckpointError
        If it cannot be read.
    """

    def __init__(self, path: str | PathLike[str], names: dict[str, str]) -> None:
        self._file = CheckpointFile(path, names)
        self._answers: dict[str, Any] = {}
        self._notes: dict[str, Any] = {}
        self._key = ""
        self._arrays: dict[str, npt.NDArray[Any]] = {}
        self.state: dict[str, Any] = {}
        self.runs = 0
        self._before = 0.0
        found = self._file.read()
        self.resumed = found is not None
        if found is not None:
            self._take(*found)
        if not self.finished:
            self.runs += 1
        self._start = self._saved = time.monotonic()
        self._cost = 0.0
        self._news = found is None

    def _take(self, header: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> None:
        try:
            self._answers = dict(header["answers"])
            self._notes = dict(header["notes"])
            self._key, self.state = str(header["key"]), dict(header["state"])
            self._before, self.runs = float(header["seconds"]), int(header["runs"])
            if not 0 <= self._before < inf:
                raise ValueError(f"{self._before} seconds")
            self._arrays = arrays
        except (KeyError, TypeError, ValueError) as error:
            raise self.damage(error) from error

    def damage(self, error: object) -> CorruptFile:
        """Return the error that says that the file does not fit together."""
        return CorruptFile(f"{self._file.path}: not a checkpoint, or damaged: {error!r}")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Name the file where its contents are not what the package's code expects of them.

        What a caller's own code raises on the way (progress, a sink) goes through as it is.
        """
        try:
            yield
        except LinearRegionsError:
            raise
        except (AttributeError, LookupError, ArithmeticError, TypeError, ValueError) as error:
            if self.resumed and _raised_here(error):
                raise self.damage(error) from error
            raise

    @property
    def finished(self) -> bool:
        """Whether all calls were answered."""
        return bool(self._notes.get("finished"))

    @property
    def seconds(self) -> float:
        """Time spent, over all processes."""
        if self.finished:
            return self._before
        return self._before + time.monotonic() - self._start

    @property
    def interval(self) -> float:
        """Seconds between two states, so that they cost little."""
        return max(SAVE_SECONDS, self._cost / _SHARE_OF_SAVING)

    # --- what is drawn once ----------------------------------------------------------------------

    def note(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what was noted under this name; the first time, note what `make` gives."""
        if name not in self._notes:
            self._notes[name] = make()
            self._news = True
        return self._notes[name]

    def noted(self, name: str) -> Any:
        """Return what was noted under this name, if anything."""
        return self._notes.get(name)

    def forget(self) -> None:
        """Drop the state of the call under way."""
        self._key, self.state, self._arrays = "", {}, {}
        self._news = True

    # --- calls -----------------------------------------------------------------------------------

    def answer(self, key: str) -> dict[str, Any] | None:
        """Return the answer of a finished call."""
        found = self._answers.get(key)
        if found is not None and not isinstance(found, dict):
            raise self.damage("an answer is not a mapping")
        return found

    def begun(self, key: str) -> State | None:
        """Return where the call under way stands, if it is this one."""
        return (self.state, self._arrays) if self._key == key else None

    def keep(self, key: str, state: Mapping[str, Any], arrays: Arrays) -> None:
        """Bring a state of the call under way to the disk."""
        self._key, self.state, self._arrays = key, dict(state), dict(arrays)
        self.write()

    def finish(self, key: str, answer: Mapping[str, Any]) -> None:
        """Enter the answer of a call."""
        self._answers[key] = dict(answer)
        self.forget()
        if time.monotonic() - self._saved > self.interval:
            self.write()

    def close(self, complete: bool) -> None:
        """Bring what is new to the disk: the computation has ended."""
        if self.finished:
            return
        self._before = self.seconds
        self._start = time.monotonic()
        if complete:
            self._notes["finished"] = True
            self._news = True
        if self._news:
            self.write()

    def write(self) -> None:
        """Bring everything to the disk."""
        begin = time.monotonic()
        header = {
            "answers": self._answers,
            "notes": self._notes,
            "key": self._key,
            "state": self.state,
            "seconds": self.seconds,
            "runs": self.runs,
        }
        self._file.write(header, self._arrays)
        self._saved = time.monotonic()
        self._cost = self._saved - begin
        self._news = False
