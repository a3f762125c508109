# SPDX-License-Identifier: MIT
"""Listing regions part by part: on an executor, to a folder, or both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from typing import Any, Protocol

from ._divisible import State
from ._part_runs import ExecutorOrMaker, PartRun
from ._parts import Block, Part, Search
from ._region_chunks import ChunkWriter, RegionFolder, join_listed, sorted_blocks
from ._region_columns import Columns
from ._run import Run
from .errors import CheckpointError, InvalidInput, Unsupported
from .result import RegionCount

__all__ = ["Listing", "check_parts"]

# Regions of one chunk on disk, about: some hundred megabytes at most in ordinary dimensions.
CHUNK_ROWS = 1 << 18


class Engine(Protocol):
    """What a listing needs of `_regions`."""

    @property
    def columns(self) -> Callable[[dict[str, Any]], Columns]:
        """Turns what the core lists into columns."""
        ...

    def list_nothing(self) -> dict[str, Any]:
        """Return the core's list of no regions."""
        ...


def check_parts(
    what: str,
    run: Run,
    stream: bool,
    executor: ExecutorOrMaker | None,
    checkpoint: str | PathLike[str] | None,
    out: str | PathLike[str] | None,
) -> None:
    """Check the options of a listing in parts."""
    if stream:
        raise Unsupported(
            "stream=True hands regions over as they are found, on one thread: it goes with no "
            "executor, checkpoint or out. For a listing in constant memory that can be continued "
            "take out=folder and iterate over it"
        )
    if checkpoint is not None and out is not None:
        raise InvalidInput("out=folder is a checkpoint itself: give one of checkpoint and out")
    if out is not None and what != "activation":
        raise Unsupported(
            f"what={what!r} compares the maps of all regions, in memory: with out= it must be "
            "'activation'"
        )
    if run.limit is not None and executor is not None:
        raise Unsupported(
            "limit lists exactly the first regions, one after the other: leave executor out"
        )


class Listing:
    """A listing part by part: on an executor, to a folder, or both."""

    def __init__(
        self,
        search: Search,
        run: Run,
        engine: Engine,
        executor: ExecutorOrMaker | None,
        folder: str | PathLike[str] | None,
    ) -> None:
        self._engine = engine
        self._executor = executor
        self._blocks: list[Block] = []
        self._folder = None if folder is None else ChunkWriter(folder, search, engine.columns)
        if run.limit is not None:
            run = replace(run, threads=1)  # exactly the first regions
        if self._folder is None:
            self._parts = PartRun(search, run, State(Part.whole()), take=self._blocks.extend)
        else:
            writer = self._folder
            self._parts = PartRun(search, run, writer.state, writer.save, writer.take, CHUNK_ROWS)

    def work(self, result: Callable[[dict[str, Any]], RegionCount]) -> dict[str, Any]:
        """List what is left; return what the core's calls return."""
        try:
            if self._executor is None:
                return self._parts.here()
            return self._parts.on(self._executor)
        except CheckpointError as error:
            error.partial = result(self._parts.answer("cancelled"))
            raise

    def columns(self) -> Callable[[], Columns]:
        """Return what reads or joins all regions that are found now, in memory."""
        if self._folder is not None:
            on_disk = RegionFolder(self._folder.folder)  # knows which chunks count now
            return lambda: on_disk.read().columns
        return self._joined

    def _joined(self) -> Columns:
        if not self._blocks:  # stopped before the first region
            return self._engine.columns(self._engine.list_nothing())
        blocks = sorted_blocks(self._blocks)
        return self._engine.columns(join_listed([listed for _, listed in blocks]))
