# SPDX-License-Identifier: MIT
"""Lists of the chambers of an arrangement: sign vectors, interior points, streams of both."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from os import PathLike

import numpy as np
import numpy.typing as npt

from ._arrangement_count import (
    IN_ONE_PIECE,
    check_equal,
    count_again,
    kept,
    names_of,
    sign_vectors_on_device,
    visited,
)  # fmt: skip
from ._chamber_folder import ChamberFolder
from ._chambers import Chambers, list_chambers, stream_chambers
from ._device.launch import is_cuda
from ._floating_point import in_default_floating_point
from ._geometry import integer
from ._hyperplanes import RowArray, place_of
from ._ledger import Ledger
from ._part_runs import ExecutorOrMaker
from ._run import Progress, Run, run_control
from ._value import FloatArray, Value
from .domain import Domain
from .errors import Interrupted, Unsupported
from .result import RegionCount

__all__ = ["ArrangementLists"]


class ArrangementLists(Value):
    """What an arrangement lists."""

    __slots__ = ()
    normals: RowArray
    offsets: RowArray

    @in_default_floating_point
    def chambers(
        self,
        domain: Domain | None = None,
        *,
        points: bool = False,
        method: str = "auto",
        arithmetic: str = "certified",
        verify: bool = False,
        threads: int | None = None,
        limit: int | None = None,
        time_limit: float | None = None,
        cancel: threading.Event | None = None,
        progress: Progress = False,
        executor: ExecutorOrMaker | None = None,
        checkpoint: str | PathLike[str] | None = None,
    ) -> Chambers:
        """List the chambers: sign vectors, and interior points where asked for.

        Parameters
        ----------
        domain : Box, Polytope, Space, Slice or Segment, optional
            List the chambers that meet its relative interior; default the whole space.
        points : bool, default False
            Give a proved interior point of every chamber, in coordinates of the domain.
        method : {"auto", "sweep", "rays", "tree"}, default "auto"
            ``"sweep"`` takes simple arrangements in the whole space, ``"rays"`` and ``"tree"`` as
            for `count`. "auto" sweeps up to 15 dimensions, and starts the better one of the two
            trees beyond, or when the sweep proves that the input is not simple.
        arithmetic : {"certified", "float"}, default "certified"
            ``"float"``: signs that rounding leaves open are not recomputed exactly.
        verify : bool, default False
            Count the chambers by another engine, and raise where the numbers differ.
        threads, limit, time_limit, cancel, progress
            As for `count` of a network. A limit gives exactly the first chambers of the order.
        executor : concurrent.futures.Executor or callable, optional
            As for `count`; without a limit. Chambers are sent back from the workers, so it pays
            where they cost more than that: points, witness trees, slow domains.
        checkpoint : str or path, optional
            Folder that takes the chambers as they are found. The same call goes on where the last
            one was ended, and gives the same list in the same order.

        Returns
        -------
        Chambers
            In the method's serial order, whatever the threads.

        Raises
        ------
        DegenerateInput
            If ``method="sweep"`` and the arrangement is not simple, or the domain is empty.
        Unsupported, InvalidInput, TypeError, CorruptFile, CheckpointError
            If the method cannot do this, or an argument is wrong; of a checkpoint, as in `count`.
        Interrupted
            On Ctrl-C, with the partial list in ``partial``.

        Examples
        --------
        >>> import linear_regions as lr
        >>> found = lr.Arrangement([[1, 0], [1, 0]], [0, -1]).chambers(lr.Box(-1, 1), points=True)
        >>> sorted(found.sign_vectors[:, 0].tolist()), found.method
        ([0, 1], 'rays')
        """
        run = run_control(
            arithmetic=arithmetic, threads=threads, limit=limit, time_limit=time_limit,
            cancel=cancel, progress=progress,
        )  # fmt: skip
        try:
            place = place_of(self.normals, self.offsets, domain)
            folder = None
            if checkpoint is not None:
                question = "sign vectors and points" if points else "sign vectors"
                folder = ChamberFolder(checkpoint, self._names(domain, method, run, question))
            ledger = None if folder is None else folder.ledger
            with nullcontext() if ledger is None else ledger.reading():
                found, interrupted = list_chambers(place, method, run, points, folder, executor)
            if verify and found.status == "complete" and not interrupted:
                other = count_again(place, found.method, run, ledger, executor)
                check_equal(len(found), found.method, other)
            if ledger is not None:
                ledger.close(complete=found.status == "complete" and not interrupted)
            if interrupted:
                raise Interrupted(partial=found)
            return found
        finally:
            run.close()

    @in_default_floating_point
    def sign_vectors(
        self,
        domain: Domain | None = None,
        *,
        method: str = "auto",
        arithmetic: str = "certified",
        device: str = "cpu",
        verify: bool = False,
        threads: int | None = None,
        limit: int | None = None,
        executor: ExecutorOrMaker | None = None,
        checkpoint: str | PathLike[str] | None = None,
    ) -> npt.NDArray[np.uint64]:
        """Return the sign vectors of all chambers, packed (see `chambers`).

        Parameters
        ----------
        domain, method, arithmetic, verify, threads, limit, executor, checkpoint
            As for `chambers`, which also takes a time limit and can be cancelled.
        device : str, default "cpu"
            ``"cuda"`` or ``"cuda:<number>"``: a GPU sweeps a simple arrangement in the whole space.

        Returns
        -------
        uint64 array, shape (n_chambers, words)
            A CuPy array where a GPU made it, with the same rows in the same order.

        Raises
        ------
        DegenerateInput, Unsupported, InvalidInput, TypeError, Interrupted, CorruptFile, \
        CheckpointError
            As for `chambers`.
        DeviceError
            If CuPy or the device is missing.

        Examples
        --------
        >>> import linear_regions as lr
        >>> sorted(lr.Arrangement([[1], [1]], [0, -1]).sign_vectors()[:, 0].tolist())
        [0, 1, 3]
        """
        if is_cuda(device):
            if checkpoint is not None or executor is not None:
                raise Unsupported(IN_ONE_PIECE)
            run = run_control(arithmetic=arithmetic, threads=threads, limit=limit)
            place = place_of(self.normals, self.offsets, domain)
            words: npt.NDArray[np.uint64]
            words = sign_vectors_on_device(place, method, run, device, verify=verify)
            return words
        found = self.chambers(
            domain,
            method=method,
            arithmetic=arithmetic,
            verify=verify,
            threads=threads,
            limit=limit,
            executor=executor,
            checkpoint=checkpoint,
        )
        return found.sign_vectors

    def interior_points(
        self, domain: Domain | None = None, *, method: str = "auto", threads: int | None = None
    ) -> FloatArray:
        """Return a proved interior point of every chamber, in the order of `sign_vectors`.

        Parameters
        ----------
        domain, method, threads
            As for `chambers`.

        Returns
        -------
        float64 array, shape (n_chambers, dim of the domain)
            NaN where no double lies inside; `chambers` has the exact point then.

        Raises
        ------
        DegenerateInput, Unsupported, InvalidInput, TypeError, Interrupted
            As for `chambers`.

        Examples
        --------
        >>> import linear_regions as lr
        >>> points = lr.Arrangement([[1], [1]], [0, -1]).interior_points()
        >>> sorted(((points > 0).sum(axis=1) + (points > 1).sum(axis=1)).tolist())
        [0, 1, 2]
        """
        found = self.chambers(domain, points=True, method=method, threads=threads)
        assert found.points is not None
        return found.points

    @in_default_floating_point
    def stream(
        self,
        sink: Callable[[Chambers], object],
        domain: Domain | None = None,
        *,
        block: int = 65_536,
        points: bool = False,
        method: str = "auto",
        arithmetic: str = "certified",
        threads: int | None = None,
        limit: int | None = None,
        time_limit: float | None = None,
        cancel: threading.Event | None = None,
        progress: Progress = False,
        checkpoint: str | PathLike[str] | None = None,
    ) -> RegionCount:
        """Hand the chambers to a function, block by block, in constant memory.

        Parameters
        ----------
        sink : callable
            Called on this thread with `Chambers` of `block` rows, the last of fewer; returning
            False stops the call.
        domain, points, method, arithmetic, threads, limit, time_limit, cancel, progress
            As for `chambers`. The sweep proves what it will hand out before it hands out anything,
            so that "auto" knows whether it has to start a tree; what takes more than 64 MiB is then
            swept again.
        block : int, default 65536
            Chambers in one block.
        checkpoint : str or path, optional
            File that records which chambers were handed out, every few seconds. The same call goes
            on after them; blocks handed out since the last state come again, and ``first`` of a
            block says which they are. Once all were handed out the call returns at once.

        Returns
        -------
        RegionCount
            The chambers handed out.

        Raises
        ------
        DegenerateInput, Unsupported, InvalidInput, TypeError, CorruptFile, CheckpointError
            As for `chambers`.
        Interrupted
            On Ctrl-C.

        Examples
        --------
        >>> import linear_regions as lr
        >>> sizes = []
        >>> lines = lr.Arrangement([[1, 0], [0, 1], [1, 1]], [0, 0, -1])
        >>> lines.stream(lambda part: sizes.append(len(part)), block=4).value, sum(sizes)
        (7, 7)
        """
        if not callable(sink):
            raise TypeError(f"sink must be a function of a block of chambers, got {sink!r}")
        run = run_control(
            arithmetic=arithmetic, threads=threads, limit=limit, time_limit=time_limit,
            cancel=cancel, progress=progress,
        )  # fmt: skip
        try:
            place = place_of(self.normals, self.offsets, domain)
            ledger = None
            if checkpoint is not None:
                question = "stream of chambers and points" if points else "stream of chambers"
                ledger = Ledger(checkpoint, self._names(domain, method, run, question))
            size = integer("block", block, 1)

            def answer() -> RegionCount:
                found = stream_chambers(place, method, run, points, size, sink, ledger)
                return visited(found, found["method"], run)

            return kept(ledger, run, answer)
        finally:
            run.close()

    def _names(self, domain: Domain | None, method: str, run: Run, question: str) -> dict[str, str]:
        return names_of((self.normals, self.offsets), domain, method, run, question)
