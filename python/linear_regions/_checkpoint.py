# SPDX-License-Identifier: MIT
"""Checkpoints: how far a long count has come, on disk.

A checkpoint holds the number of regions found so far and the part of the search that is left
(`_parts.Part`). Both change in one step, so at every moment what is counted and what is left make
up the whole: whenever the process dies, the next one repeats only what came after the last step.
"""

from __future__ import annotations

from itertools import pairwise
from math import inf
from os import PathLike
from typing import Any

import numpy as np

from ._checkpoint_file import KIND, VERSION, CheckpointFile, names_in
from ._digest import digest
from ._divisible import State
from ._domain_record import domain_fields
from ._parts import WITHOUT_FACES, Part, Search
from ._records import read_record
from ._version import __version__
from .errors import CorruptFile

__all__ = ["Checkpoint"]


class Checkpoint:
    """A file that holds the state of one search.

    Parameters
    ----------
    path : str or path
    search : Search
        What the file must belong to.
    names : dict of str to str, optional
        What else it must belong to.
    part : Part, optional
        What is to be searched; default the whole.

    Raises
    ------
    InvalidInput
        If the file belongs to another network, domain, question or version.
    CorruptFile
        If it is damaged.
    CheckpointError
        If it cannot be read.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        search: Search,
        names: dict[str, str] | None = None,
        part: Part | None = None,
    ) -> None:
        self._file = CheckpointFile(path, {**names_of(search), **(names or {})})
        self._part = Part.whole() if part is None else part
        self._domain = domain_fields(search.domain.resolve(search.network.input_shape))

    def read(self) -> State:
        """Return the state on disk; a new one where there is no file."""
        found = self._file.read()
        if found is None:
            return State(rest=self._part)
        return _state_in(self._file.path, *found)

    @staticmethod
    def open(path: str) -> tuple[dict[str, Any], State]:
        """Return the header and the state of a file, whatever it belongs to."""
        header, arrays = read_record(path, KIND, VERSION)
        names_in(path, header)
        return header, _state_in(path, header, arrays)

    def write(self, state: State) -> None:
        """Bring the state to the disk; the old one stays where that fails."""
        header = {
            "found": str(state.found),
            "wide": state.wide,
            "seconds": state.seconds,
            "work": state.work,
            "runs": state.runs,
            "chunk_rows": state.chunk_rows,
            "domain_fields": self._domain,
        }
        self._file.write(header, arrays_of(state.rest))


def _state_in(path: str, header: dict[str, Any], arrays: dict[str, Any]) -> State:
    try:
        rest = Part(arrays["lengths"], arrays["children"], arrays["weights"], arrays["names"])
        _check_part(rest)
        state = State(
            _disjoint(rest.ordered()),
            int(header["found"]),
            bool(header["wide"]),
            float(header["seconds"]),
            {str(k): int(v) for k, v in header["work"].items()},
            int(header["runs"]),
            [int(n) for n in header["chunk_rows"]],
        )
        if min(state.found, state.runs, 0, *state.work.values(), *state.chunk_rows) < 0:
            raise ValueError("a number is negative")
        if sum(state.chunk_rows) >= 1 << 62:
            raise ValueError("more rows than a disk holds")
        if not 0 <= state.seconds < inf:
            raise ValueError(f"{state.seconds} seconds")
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CorruptFile(f"{path}: not a checkpoint, or damaged: {error!r}") from error
    return state


def _check_part(part: Part) -> None:
    n = len(part.lengths)
    for array, dtype, size in (
        (part.lengths, np.uint32, n),
        (part.children, np.uint32, int(part.lengths.sum(dtype=np.uint64))),
        (part.weights, np.float64, n),
        (part.names, np.uint64, n),
    ):
        if array.dtype != dtype or array.shape != (size,):
            raise ValueError(f"a part has an array of shape {array.shape}, dtype {array.dtype}")
    if not ((part.weights >= 0) & (part.weights <= 1)).all():
        raise ValueError("a share of the search is not between 0 and 1")


def _disjoint(part: Part) -> Part:
    """Return a part in the order of the search whose sub-trees do not contain one another."""
    ends = np.cumsum(part.lengths, dtype=np.int64).tolist()
    numbers = part.children.tolist()
    paths = [numbers[a:b] for a, b in pairwise([0, *ends])]
    if any(second[: len(first)] == first for first, second in pairwise(paths)):
        raise ValueError("a sub-tree is inside another one")
    return part


def arrays_of(part: Part) -> dict[str, Any]:
    """Return a part's arrays by name."""
    return {
        "lengths": part.lengths,
        "children": part.children,
        "weights": part.weights,
        "names": part.names,
    }


def names_of(search: Search) -> dict[str, str]:
    """Name the search in pieces, so that a mismatch can say which one differs."""
    domain = search.domain.resolve(search.network.input_shape)
    listed = "regions" if search.faces else WITHOUT_FACES
    return {
        "network": digest(search.network),
        "domain": digest(domain),
        "method": search.method,
        "arithmetic": "certified" if search.certified else "float",
        "question": listed if search.lists else "count",
        "version": __version__,
    }
