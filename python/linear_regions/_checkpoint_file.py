# SPDX-License-Identifier: MIT
"""The file of a checkpoint: a record that names what it belongs to."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from ._records import read_record, write_record
from .errors import CheckpointError, CorruptFile, InvalidInput

__all__ = ["CheckpointFile", "check_names"]

KIND, VERSION = "checkpoint", 1

Arrays = Mapping[str, npt.NDArray[Any]]


class CheckpointFile:
    """A record at a path, and what it must belong to.

    Parameters
    ----------
    path : str or path
        Its folder must exist.
    names : dict of str to str
        What the file belongs to, in pieces, so that a mismatch can say which one differs.

    Raises
    ------
    CheckpointError
        If there is no such folder.
    """

    def __init__(self, path: str | PathLike[str], names: dict[str, str]) -> None:
        self.path = os.fspath(path)
        if not isinstance(self.path, str):
            raise TypeError(f"checkpoint must be a path as text, got {path!r}")
        self._names = names
        folder = os.path.dirname(self.path) or "."
        if not os.path.isdir(folder):
            raise CheckpointError(f"checkpoint {self.path}: there is no folder {folder}")

    def read(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]] | None:
        """Return header and arrays; None where there is no file.

        Raises
        ------
        InvalidInput
            If the file belongs to something else.
        CorruptFile
            If it is damaged.
        CheckpointError
            If it cannot be read.
        """
        try:
            header, arrays = read_record(self.path, KIND, VERSION)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CheckpointError(f"checkpoint {self.path} cannot be read: {error}") from error
        check_names(f"checkpoint {self.path}", names_in(self.path, header), self._names)
        return header, arrays

    def write(self, header: Mapping[str, Any], arrays: Arrays) -> None:
        """Replace the file, on the disk; the old one stays where that fails."""
        try:
            write_record(self.path, KIND, VERSION, {"of": self._names, **header}, arrays)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            raise CheckpointError(
                f"checkpoint {self.path} cannot be written ({error.strerror or error}); the last "
                f"one that was written is untouched{', make room and call again' if full else ''}"
            ) from error


def names_in(path: str, header: Mapping[str, Any]) -> dict[str, str]:
    """Return what a file belongs to."""
    names = header.get("of")
    if isinstance(names, dict) and all(isinstance(value, str) for value in names.values()):
        return names
    raise CorruptFile(f"{path}: not a checkpoint, or damaged: it does not say what it belongs to")


_THINGS = ("network", "domain", "arrangement", "layer")


def check_names(where: str, found: dict[str, str], expected: dict[str, str]) -> None:
    """Raise where a file belongs to another search."""
    # What is asked says more than that the thing is another one.
    for name in sorted({**found, **expected}, key=lambda name: name != "question"):
        given, value = found.get(name, "none"), expected.get(name, "none")
        if given == value:
            continue
        if name in _THINGS:
            raise InvalidInput(f"{where} belongs to another {name}: give each search its own file")
        raise InvalidInput(
            f"{where} was made with {name} {given!r}, this call has {value!r}: give each search "
            "its own file"
        )


def as_array(arrays: Mapping[str, npt.NDArray[Any]], name: str, kind: type) -> npt.NDArray[Any]:
    """Return an array of a file; another dtype is damage."""
    array = arrays[name]
    if array.dtype != np.dtype(kind):
        raise TypeError(f"array {name!r} has the dtype {array.dtype}")
    return array
