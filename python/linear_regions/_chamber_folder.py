# SPDX-License-Identifier: MIT
"""A listing of chambers on disk: a folder of chunks that is a checkpoint.

The folder holds ``state``, a ledger, and ``chunk-000000.npz`` and so on: sign vectors, and points
where they are asked for. A chunk is brought to the disk before the state that names it. *Runs* are
rows of a chunk that follow one another in the order of the search; the state lists runs and the
sub-trees that are left, in that order.
"""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from ._chamber_parts import Key, laid_out
from ._ledger import Ledger
from ._npz import read_container, write_container
from ._records import sync_folder
from ._value import FloatArray
from .errors import CheckpointError, CorruptFile, InvalidInput

__all__ = ["ChamberFolder", "FolderBook", "Listed", "joined_blocks"]

Words = npt.NDArray[np.uint64]

_KIND, _VERSION = "chamber chunk", 1
_LEFT = -1  # in the order: a sub-tree that is left


@dataclass
class Listed:
    """Chambers as the engines give them.

    Attributes
    ----------
    words : uint64 array, shape (n, words)
    points : float64 array, shape (n, d), or None
    exact : dict of int to tuple of Fraction
    """

    words: Words
    points: FloatArray | None = None
    exact: dict[int, tuple[Fraction, ...]] = field(default_factory=dict)


class ChamberFolder:
    """The chunks, and where their rows belong.

    Parameters
    ----------
    folder : str or path
        Made where it does not exist; otherwise it must be empty or hold the same listing.
    names : dict of str to str
        What it belongs to.

    Attributes
    ----------
    ledger : Ledger
    order : list of int
        Numbers of runs, and -1 for every sub-tree that is left.
    runs : list of (chunk, first, last)
    """

    def __init__(self, folder: str | PathLike[str], names: dict[str, str]) -> None:
        self.folder = os.fspath(folder)
        if not isinstance(self.folder, str):
            raise TypeError(f"checkpoint must be a path as text, got {folder!r}")
        try:
            os.makedirs(self.folder, exist_ok=True)
            there = os.listdir(self.folder)
        except OSError as error:
            raise CheckpointError(f"folder {self.folder} cannot be made: {error}") from error
        foreign = [n for n in there if not n.startswith("chunk-") and not n.endswith(".part")]
        if "state" not in there and foreign:
            raise InvalidInput(
                f"folder {self.folder} holds other files ({sorted(foreign)[0]}): give each listing "
                "its own folder"
            )
        self.ledger = Ledger(os.path.join(self.folder, "state"), names)
        self.begin()

    def begin(self) -> None:
        """Take up no listing: one sub-tree is left, the whole."""
        self.order, self.runs, self._chunks = [_LEFT], list[tuple[int, int, int]](), 0

    def take_up(self, state: Mapping[str, Any]) -> None:
        """Go on where a state says; unfinished files may go."""
        try:
            self.order = [int(i) for i in state["order"]]
            self.runs = [(int(c), int(a), int(b)) for c, a, b in state["runs"]]
            self._chunks = int(state["chunks"])
            numbers = [i for i in self.order if i != _LEFT]
            if sorted(numbers) != list(range(len(self.runs))):
                raise ValueError("runs are missing or double")
            if any(not 0 <= c < self._chunks or not 0 <= a <= b for c, a, b in self.runs):
                raise ValueError("a run is in no chunk")
            rows = sorted(self.runs)
            if any(one[0] == two[0] and two[1] < one[2] for one, two in pairwise(rows)):
                raise ValueError("a chamber is in two runs")
        except (KeyError, TypeError, ValueError) as error:
            raise self.ledger.damage(error) from error

    def clear(self) -> None:
        """Remove all that no state counts."""
        for name in os.listdir(self.folder):
            uncounted = name.startswith("chunk-") and name >= _chunk_name(self._chunks)
            if uncounted or name.endswith(".part"):
                os.unlink(os.path.join(self.folder, name))

    @property
    def left(self) -> int:
        """Number of sub-trees that are left."""
        return self.order.count(_LEFT)

    @property
    def first_rows(self) -> int:
        """Number of chambers before the first sub-tree that is left."""
        rows = 0
        for i in self.order:
            if i == _LEFT:
                break
            rows += self.runs[i][2] - self.runs[i][1]
        return rows

    def place(self) -> dict[str, Any]:
        """Return what a state must say of the rows."""
        return {"order": self.order, "runs": self.runs, "chunks": self._chunks}

    def enter(
        self,
        blocks: Sequence[Listed],
        places: Sequence[int],
        origins: Sequence[int],
        left: Sequence[int],
    ) -> None:
        """Write new blocks, and put them and what is left now where they belong.

        Parameters
        ----------
        blocks : sequence of Listed
        places : sequence of int
            Block i comes before number ``places[i]`` of the sub-trees that are left now.
        origins : sequence of int
            Of the blocks: the number of the sub-tree, as numbered before, that they are from.
        left : sequence of int
            The same of the sub-trees that are left now.
        """
        numbers = self._write(blocks)
        pieces = {
            origin: [_LEFT if is_left else numbers[i] for is_left, i in entries]
            for origin, entries in laid_out(places, origins, left).items()
        }
        order, seen = [], 0
        for item in self.order:
            if item == _LEFT:
                order += pieces.get(seen, [])
                seen += 1
            else:
                order.append(item)
        self.order = order
        self._join()

    def end(self) -> None:
        """Nothing is left."""
        self.order = [i for i in self.order if i != _LEFT]

    def _join(self) -> None:
        """Make one run of runs that follow one another in a chunk."""
        order: list[int] = []
        runs: list[tuple[int, int, int]] = []
        last: int = _LEFT
        for i in self.order:
            if i == _LEFT:
                order.append(_LEFT)
            else:
                chunk, first, end = self.runs[i]
                if last != _LEFT and runs[-1][0] == chunk and runs[-1][2] == first:
                    runs[-1] = (chunk, runs[-1][1], end)
                else:
                    order.append(len(runs))
                    runs.append((chunk, first, end))
            last = i
        self.order, self.runs = order, runs

    def _write(self, blocks: Sequence[Listed]) -> list[int]:
        if not blocks:
            return []
        arrays: dict[str, npt.NDArray[Any]] = {"sign_vectors": _joined([b.words for b in blocks])}
        points = [block.points for block in blocks if block.points is not None]
        if points:
            arrays["points"] = _joined(points)
        exact, start, numbers = {}, 0, []
        for block in blocks:
            exact.update(
                {str(start + i): [str(x) for x in point] for i, point in block.exact.items()}
            )
            numbers.append(len(self.runs))
            self.runs.append((self._chunks, start, start + len(block.words)))
            start += len(block.words)
        path = os.path.join(self.folder, _chunk_name(self._chunks))
        try:
            write_container(path, _KIND, _VERSION, {"exact_points": exact}, arrays)
            with open(path, "rb+") as file:
                os.fsync(file.fileno())
            sync_folder(self.folder)
        except OSError as error:
            raise CheckpointError(
                f"folder {self.folder} cannot be written ({error.strerror or error}); what was "
                "written before is whole, make room and call again"
            ) from error
        self._chunks += 1
        return numbers

    def _check_sizes(self, words: int) -> None:
        """Refuse chunks that are smaller than the rows that the state says are in them."""
        ends: dict[int, int] = {}
        for chunk, _, last in self.runs:
            ends[chunk] = max(last, ends.get(chunk, 0))
        for chunk, last in ends.items():
            path = os.path.join(self.folder, _chunk_name(chunk))
            if os.path.exists(path) and 8 * words * last > os.path.getsize(path):
                raise CorruptFile(f"{path}: it has fewer rows than the state says")

    def read(self, words: int, dim: int | None, limit: int | None) -> Listed:
        """Return the chambers on disk, in their order, the first `limit` ones at most."""
        rows = sum(b - a for _, a, b in self.runs)
        size = rows if limit is None else min(rows, limit)
        self._check_sizes(words)
        out = Listed(np.empty((size, words), np.uint64))
        if dim is not None:
            out.points = np.empty((size, dim))
        where: dict[int, list[tuple[int, int, int]]] = {}
        at = 0
        for i in self.order:
            if i == _LEFT or at >= size:
                continue
            chunk, first, last = self.runs[i]
            last = min(last, first + size - at)
            where.setdefault(chunk, []).append((at, first, last))
            at += last - first
        for chunk, parts in where.items():
            path = os.path.join(self.folder, _chunk_name(chunk))
            found = _read_chunk(path, words, dim)
            for at, first, last in parts:
                if last > len(found.words):
                    raise CorruptFile(f"{path}: it has fewer rows than the state says")
                rows_out = slice(at, at + last - first)
                out.words[rows_out] = found.words[first:last]
                if out.points is not None and found.points is not None:
                    out.points[rows_out] = found.points[first:last]
                for row, point in found.exact.items():
                    if first <= row < last:
                        out.exact[at + row - first] = point
        return out


class FolderBook:
    """Blocks that come in any order, with keys that order them and what is left.

    Parameters
    ----------
    folder : ChamberFolder
    left : sequence of tuple of int
        Keys of what is left, ascending: as many as the folder's order leaves open. A block belongs
        to the last of them that is not behind it.
    """

    def __init__(self, folder: ChamberFolder, left: Sequence[Key]) -> None:
        self._folder, self._left = folder, list(left)
        self._new: list[tuple[Key, Listed]] = []
        if len(left) != folder.left:
            raise folder.ledger.damage("other parts are left than the order says")

    def take(self, blocks: Sequence[tuple[Key, Listed]]) -> None:
        """Hold blocks until the next state."""
        self._new += blocks

    def enter(self, left: Sequence[Key]) -> None:
        """Bring the blocks to the disk; `left`: what is left now, ascending."""
        blocks = sorted(self._new, key=lambda block: block[0])
        self._folder.enter(
            [listed for _, listed in blocks],
            [bisect_left(left, key) for key, _ in blocks],
            [bisect_right(self._left, key) - 1 for key, _ in blocks],
            [bisect_right(self._left, key) - 1 for key in left],
        )
        self._left, self._new = list(left), []


def joined_blocks(blocks: Sequence[tuple[Key, Listed]], words: int, dim: int | None) -> Listed:
    """Return the chambers of blocks in the order of their keys; `dim`: of the points, if any."""
    out = Listed(np.zeros((0, words), np.uint64), None if dim is None else np.zeros((0, dim)))
    if not blocks:
        return out
    listed = [block for _, block in sorted(blocks, key=lambda block: block[0])]
    out.words = _joined([block.words for block in listed])
    if dim is not None:
        out.points = _joined([block.points for block in listed if block.points is not None])
    start = 0
    for block in listed:
        out.exact |= {start + row: point for row, point in block.exact.items()}
        start += len(block.words)
    return out


def _joined(arrays: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _chunk_name(number: int) -> str:
    return f"chunk-{number:06d}.npz"


def _read_chunk(path: str, words: int, dim: int | None) -> Listed:
    try:
        header, arrays = read_container(path, _KIND, _VERSION)
        exact = {int(i): tuple(map(Fraction, point)) for i, point in header["exact_points"].items()}
        found = Listed(arrays["sign_vectors"], arrays.get("points"), exact)
        shape = (len(found.words), words)
        if found.words.dtype != np.uint64 or found.words.shape != shape:
            raise ValueError("the sign vectors have another shape")
        if dim is not None and (found.points is None or found.points.shape != (shape[0], dim)):
            raise ValueError("the points have another shape")
    except FileNotFoundError as error:
        raise CorruptFile(f"{path}: a chunk of the listing is missing") from error
    except (
        KeyError, ValueError, AttributeError, TypeError, ZeroDivisionError,
    ) as error:  # fmt: skip
        raise CorruptFile(f"{path}: not a chunk of a listing, or damaged: {error!r}") from error
    return found
