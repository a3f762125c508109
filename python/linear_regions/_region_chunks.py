# SPDX-License-Identifier: MIT
"""Listings on disk: a folder of columns in chunks, written in constant memory.

The folder holds ``network.npz``, ``chunk-000000.npz`` and so on, and ``state``: which chunks count,
and the part of the search that is left. A chunk is brought to the disk before the state that names
it, so what a reader finds is whole at every moment, and the same call goes on from there.

A chunk holds the arrays of `Regions` (`patterns`, `interior_points`, `vertices`, ...) for its
regions, in runs: regions that follow one another in the order of the search. Every run has the path
of a sub-tree that it begins; sorting the runs of all chunks by path gives that order.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from ._checkpoint import Checkpoint
from ._divisible import State
from ._domain_record import domain_of_fields
from ._frame import domain_frame
from ._npy import DAMAGE
from ._npz import load as load_network
from ._npz import read_container, write_container
from ._npz import save as save_network
from ._parts import WITHOUT_FACES, Block, Search
from ._records import sync_folder
from ._region_columns import PLAIN, Columns, Faces, IntArray
from ._region_files import check_columns
from ._region_table import Regions
from .errors import CheckpointError, CorruptFile, InvalidInput, LinearRegionsError
from .network import Network
from .result import RegionCount

__all__ = ["ChunkWriter", "RegionFolder", "join_columns", "join_listed", "sorted_blocks"]

STATE, NETWORK = "state", "network.npz"
_KIND, _VERSION = "region chunk", 1
_KEPT_CHUNKS = 4  # in memory while a folder is read

Arrays = dict[str, npt.NDArray[Any]]


class ChunkWriter:
    """Writes what a search lists to a folder, and says how far it has come.

    Parameters
    ----------
    folder : str or path
        Made where it does not exist; otherwise it must be empty or hold the same search.
    search : Search
    columns : callable
        Turns what the core lists into `Columns`.
    """

    def __init__(
        self,
        folder: str | PathLike[str],
        search: Search,
        columns: Callable[[dict[str, Any]], Columns],
    ) -> None:
        self.folder = os.fspath(folder)
        self._columns = columns
        self._blocks: list[Block] = []
        try:
            os.makedirs(self.folder, exist_ok=True)
            there = os.listdir(self.folder)
        except FileExistsError as error:
            raise CheckpointError(
                f"checkpoint {self.folder} is a file: lists of regions, and counts of linear "
                "regions and affine pieces, are kept in a folder; give it another name"
            ) from error
        except OSError as error:
            raise CheckpointError(f"folder {self.folder} cannot be made: {error}") from error
        self._file = Checkpoint(os.path.join(self.folder, STATE), search)
        # What an interrupted call leaves before its first state may go; nothing else may.
        foreign = [
            n for n in there if n != NETWORK and not n.startswith("chunk-") and n[-5:] != ".part"
        ]
        if STATE not in there and foreign:
            raise InvalidInput(
                f"folder {self.folder} holds other files ({sorted(foreign)[0]}): give each listing "
                "its own folder"
            )
        self.state = self._file.read()
        for name in there:
            uncounted = name.startswith("chunk-") and name >= _chunk_name(
                len(self.state.chunk_rows)
            )
            if uncounted or name.endswith(".part"):
                os.unlink(os.path.join(self.folder, name))
        if STATE not in there:
            try:
                save_network(search.network, os.path.join(self.folder, NETWORK))
                self.save(self.state)
            except OSError as error:
                raise _full(self.folder, error) from error

    def take(self, blocks: list[Block]) -> None:
        """Keep blocks until the next state."""
        self._blocks += blocks

    def save(self, state: State) -> None:
        """Write what was taken as one chunk, then the state that counts it."""
        if self._blocks:
            path = os.path.join(self.folder, _chunk_name(len(state.chunk_rows)))
            blocks = sorted_blocks(self._blocks)
            try:
                rows = _write_chunk(path, blocks, self._columns)
            except OSError as error:
                raise _full(self.folder, error) from error
            state.chunk_rows.append(rows)
            self._blocks = []
        self._file.write(state)


def _full(folder: str, error: OSError) -> CheckpointError:
    return CheckpointError(
        f"folder {folder} cannot be written ({error.strerror or error}); what was written before "
        "is whole: read it with lr.load, or make room and call again"
    )


def _chunk_name(number: int) -> str:
    return f"chunk-{number:06d}.npz"


def _write_chunk(
    path: str, blocks: list[Block], columns: Callable[[dict[str, Any]], Columns]
) -> int:
    table = columns(join_listed([listed for _, listed in blocks]))
    arrays: Arrays = {
        "run_rows": np.array([len(listed["patterns"]) for _, listed in blocks], dtype=np.int64),
        "run_path_lengths": np.array([len(key) for key, _ in blocks], dtype=np.int64),
        "run_paths": np.concatenate([key for key, _ in blocks]).astype(np.uint32),
        **table.arrays(),
    }
    exact = {str(i): [str(x) for x in point] for i, point in table.exact_points.items()}
    write_container(path, _KIND, _VERSION, {"exact_points": exact}, arrays)
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
    sync_folder(os.path.dirname(path))
    return len(table.patterns)


def _read_chunk(path: str) -> tuple[Arrays, Columns]:
    header, arrays = read_container(path, _KIND, _VERSION)
    try:
        exact = {int(i): tuple(map(Fraction, point)) for i, point in header["exact_points"].items()}
        runs = {name: arrays[name] for name in ("run_rows", "run_path_lengths", "run_paths")}
        table = Columns.of(arrays, exact, "vertices" in arrays)
    except (KeyError, ValueError, AttributeError, TypeError, ZeroDivisionError) as error:
        raise CorruptFile(f"{path}: not a chunk of a listing, or damaged: {error!r}") from error
    n = len(table.patterns)
    for name, run in runs.items():
        if run.dtype != (np.uint32 if name == "run_paths" else np.int64) or run.ndim != 1:
            raise CorruptFile(f"{path}: {name} has shape {run.shape}, dtype {run.dtype}")
    rows, lengths = runs["run_rows"], runs["run_path_lengths"]
    fits = len(rows) == len(lengths) and min([0, *rows.tolist(), *lengths.tolist()]) == 0
    if not fits or sum(rows.tolist()) != n or sum(lengths.tolist()) != len(runs["run_paths"]):
        raise CorruptFile(f"{path}: its runs do not fit its columns")
    return runs, table


class RegionFolder:
    """A listing on disk, read chunk by chunk.

    Made by ``regions(..., out=folder)`` and by ``load(folder)``. Iterating gives `Regions` of
    consecutive regions in the order of the search; at most a few chunks are in memory. A folder
    whose listing was cut short, by whatever, is read as far as it goes.

    Parameters
    ----------
    folder : str or path

    Attributes
    ----------
    network : Network
    domain : Domain
    count : RegionCount
        How the listing ended, or how far it has come.

    Raises
    ------
    CorruptFile
        If the folder holds no listing, or a file of it is damaged.

    Examples
    --------
    >>> import linear_regions as lr, tempfile
    >>> net = lr.Network(2, [lr.Affine([[1.0, 0.0], [0.0, 1.0]]), lr.relu()])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     listing = lr.regions(net, lr.Box(-1, 1), out=folder)
    ...     len(listing), sum(len(table) for table in listing), len(lr.load(folder).read())
    (4, 4, 4)
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        from ._regions import counted, embedding_and_quotient

        self.folder = os.fspath(folder)
        path = os.path.join(self.folder, STATE)
        if not os.path.isfile(path):
            raise CorruptFile(f"{self.folder}: no listing of regions: it has no file {STATE!r}")
        header, self._state = Checkpoint.open(path)
        self.network: Network = load_network(os.path.join(self.folder, NETWORK))
        try:
            self.domain = domain_of_fields(header["domain_fields"])
            self.count: RegionCount = counted(self._state, header["of"])
            self._has_faces = header["of"]["question"] != WITHOUT_FACES
            if self.count.arithmetic not in ("certified", "float"):
                raise ValueError(f"there is no arithmetic {self.count.arithmetic!r}")
            place = embedding_and_quotient(self.network, self.domain, self.count.method)
            frame = domain_frame(self.domain, self.network.input_shape)
            self._dim, self._sides = frame.dim, len(frame.sides) + 4
        except (LinearRegionsError, *DAMAGE) as error:
            raise CorruptFile(f"{path}: not a listing, or damaged: {error!r}") from error
        self._embedding, self._quotient = place
        self._chunk = lru_cache(maxsize=_KEPT_CHUNKS)(self._read)
        self._runs: list[tuple[int, int, int]] | None = None

    def _read(self, number: int) -> tuple[Arrays, Columns]:
        path = os.path.join(self.folder, _chunk_name(number))
        try:
            runs, table = _read_chunk(path)
        except FileNotFoundError:
            raise CorruptFile(f"{path}: this chunk of the listing is missing") from None
        try:
            check_columns(table, self.network, self._dim, self._sides)
        except (CorruptFile, IndexError) as error:
            raise CorruptFile(f"{path}: not a chunk of a listing, or damaged: {error}") from error
        if (table.faces is not None) != self._has_faces:
            raise CorruptFile(f"{path}: its regions have faces, or have none, unlike the listing's")
        if len(table.patterns) != self._state.chunk_rows[number]:
            raise CorruptFile(f"{path}: it has other regions than the listing's state says")
        return runs, table

    def __len__(self) -> int:
        """Return the number of regions on disk."""
        return sum(self._state.chunk_rows)

    def __repr__(self) -> str:
        """One line: number and status."""
        return (
            f"RegionFolder({len(self)} regions in {len(self._state.chunk_rows)} chunks, "
            f"{self.count.status}, {self.folder!r})"
        )

    def _in_order(self) -> list[tuple[int, int, int]]:
        """Return chunk, first and last row of every run, in the order of the search."""
        if self._runs is None:
            keyed = []
            for number in range(len(self._state.chunk_rows)):
                runs = self._chunk(number)[0]
                ends = np.cumsum(runs["run_rows"]).tolist()
                stops = np.cumsum(runs["run_path_lengths"]).tolist()
                paths = runs["run_paths"].tolist()
                at = start = 0
                for end, stop in zip(ends, stops, strict=True):
                    keyed.append((paths[start:stop], (number, at, end)))
                    at, start = end, stop
            keyed.sort(key=lambda pair: pair[0])
            self._runs = [place for _, place in keyed]
        return self._runs

    def __iter__(self) -> Iterator[Regions]:
        """Iterate over tables of consecutive regions."""
        waiting: tuple[int, int, int] | None = None
        for chunk, first, last in self._in_order():
            # Runs that follow one another in one chunk make one table.
            if waiting is not None and waiting[0] == chunk and waiting[2] == first:
                waiting = (chunk, waiting[1], last)
                continue
            if waiting is not None:
                yield self._table([self._rows(*waiting)])
            waiting = (chunk, first, last)
        if waiting is not None:
            yield self._table([self._rows(*waiting)])

    def read(self) -> Regions:
        """Return all regions as one table in memory.

        Returns
        -------
        Regions
            As `regions` without ``out=`` gives them.

        Raises
        ------
        CorruptFile
            If a chunk is missing or damaged.

        Examples
        --------
        >>> import linear_regions as lr, tempfile
        >>> net = lr.Network(1, [lr.Affine([[1.0]]), lr.relu()])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     lr.regions(net, out=folder).read() == lr.regions(net)
        True
        """
        return self._table([self._rows(*run) for run in self._in_order()], whole=True)

    def _rows(self, chunk: int, first: int, last: int) -> Columns:
        table = self._chunk(chunk)[1]
        if (first, last) == (0, len(table.patterns)):
            return table
        return table.take(np.arange(first, last))

    def _nothing(self) -> Columns:
        words, d = (self.network.pattern_bits + 63) // 64, self._dim
        none, one = np.zeros(0, dtype=np.int64), np.zeros(1, dtype=np.int64)
        faces = Faces(
            vertices=np.zeros((0, d + 1)),
            vertex_offsets=one,
            facet_rows=np.zeros((0, d + 1)),
            facet_labels=np.zeros((0, 3), dtype=np.int32),
            facet_offsets=one,
            corner_offsets=one,
            corners=none,
        )
        return Columns(
            patterns=np.zeros((0, words), dtype=np.uint64),
            interior_points=np.zeros((0, d)),
            bounded=np.zeros(0, dtype=np.bool_),
            faces=faces if self._has_faces else None,
        )

    def _table(self, parts: list[Columns], whole: bool = False) -> Regions:
        from ._regions import part_count

        complete = whole and self.count.status == "complete"
        columns = join_columns(parts) if parts else self._nothing()
        count = self.count if whole else part_count(self.count, len(columns.patterns))
        return Regions(
            self.network,
            self.domain,
            count,
            columns,
            self._embedding,
            whole=complete,
            quotient=self._quotient,
        )


# --- joining -------------------------------------------------------------------------------------


def sorted_blocks(blocks: list[Block]) -> list[Block]:
    """Return blocks in the order of the search."""
    return sorted(blocks, key=lambda block: block[0].tolist())


def join_listed(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Join what the core listed: its numbers count within a region."""
    joined: dict[str, Any] = {}
    for name in parts[0]:
        if name == "exact_points":
            continue
        arrays = [part[name] for part in parts]
        joined[name] = arrays[0] if len(parts) == 1 else np.concatenate(arrays)
    start, exact = 0, []
    for part in parts:
        exact += [(start + i, *rest) for i, *rest in part["exact_points"]]
        start += len(part["patterns"])
    joined["exact_points"] = exact
    return joined


def join_columns(parts: Sequence[Columns]) -> Columns:
    """Return the regions of several tables, one table after the other."""
    if len(parts) == 1:
        return parts[0]

    regions = np.cumsum([0, *(len(part.patterns) for part in parts)])
    exact_points = {
        int(start) + i: point
        for part, start in zip(parts, regions[:-1], strict=True)
        for i, point in part.exact_points.items()
    }
    plain = {name: np.concatenate([getattr(part, name) for part in parts]) for name in PLAIN}
    faces = [part.faces for part in parts if part.faces is not None]
    return Columns(**plain, faces=_join_faces(faces) if faces else None, exact_points=exact_points)


def _join_faces(parts: Sequence[Faces]) -> Faces:
    def rows(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    def offsets(name: str) -> IntArray:
        sizes = np.concatenate([np.diff(getattr(part, name)) for part in parts])
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    vertices = np.cumsum([0, *(len(part.vertices) for part in parts)])
    corners = [part.corners + start for part, start in zip(parts, vertices[:-1], strict=True)]
    return Faces(
        vertices=rows("vertices"),
        vertex_offsets=offsets("vertex_offsets"),
        facet_rows=rows("facet_rows"),
        facet_labels=rows("facet_labels"),
        facet_offsets=offsets("facet_offsets"),
        corner_offsets=offsets("corner_offsets"),
        corners=np.concatenate(corners),
    )
