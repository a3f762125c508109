# SPDX-License-Identifier: MIT
"""Numbers of an arrangement: how many chambers, how many flats of every codimension."""

from __future__ import annotations

import threading
from os import PathLike

from ._arrangement_count import count_place, kept, names_of
from ._flat_count import FlatCount, whitney_numbers
from ._floating_point import in_default_floating_point
from ._hyperplanes import RowArray, exact_rows, place_of
from ._ledger import Ledger
from ._part_runs import ExecutorOrMaker
from ._run import Progress, run_control
from ._value import Value
from .domain import Domain
from .errors import Interrupted, Unfinished
from .result import RegionCount

__all__ = ["ArrangementNumbers"]

_ENDED = {"time_limit": "the time limit ended the count", "cancelled": "the count was cancelled"}


class ArrangementNumbers(Value):
    """What an arrangement counts."""

    __slots__ = ()
    normals: RowArray
    offsets: RowArray
    _whitney: FlatCount | None

    @property
    def dim(self) -> int:
        """Dimension d of the space."""
        return int(self.normals.shape[1])

    @in_default_floating_point
    def count(
        self,
        domain: Domain | None = None,
        *,
        method: str = "auto",
        arithmetic: str = "certified",
        device: str = "cpu",
        verify: bool = False,
        threads: int | None = None,
        limit: int | None = None,
        time_limit: float | None = None,
        cancel: threading.Event | None = None,
        progress: Progress = False,
        executor: ExecutorOrMaker | None = None,
        checkpoint: str | PathLike[str] | None = None,
    ) -> RegionCount:
        """Count the chambers, exactly.

        Parameters
        ----------
        domain : Box, Polytope, Space, Slice or Segment, optional
            Count the chambers that meet its relative interior; default the whole space.
        method : {"auto", "recursion", "rays", "tree", "sweep"}, default "auto"
            ``"recursion"`` counts without visiting chambers, in the whole space or a free slice;
            ``"rays"`` and ``"tree"`` visit every chamber and take every domain, the first up to 256
            hyperplanes and fastest where they are degenerate or of low dimension; ``"sweep"`` takes
            simple arrangements in the whole space. "auto" takes the recursion where it can, after
            a sweep if hyperplanes seem to be in general position; else the better one of the trees.
        arithmetic : {"certified", "float"}, default "certified"
            ``"float"`` is for the tree and the sweep, and gives an estimate.
        device : str, default "cpu"
            ``"cuda"`` or ``"cuda:<number>"`` sweeps on a GPU, certified as well.
        verify : bool, default False
            Count again by another engine, and raise where the numbers differ.
        threads, limit, time_limit, cancel, progress
            As for `count` of a network; a limit needs the tree.
        executor : concurrent.futures.Executor or callable, optional
            Count on its workers, in tasks of about five seconds, as `count` of a network does: sub-
            trees of a tree, ranges of the sweep, hyperplanes of the recursion. Not for a GPU, and
            not for ``arithmetic="float"`` with a tree.
        checkpoint : str or path, optional
            File that records how far the count has come, every few seconds. The same call goes on
            from there, whatever ended the last one; a finished checkpoint answers at once. Not
            for a GPU, and not for ``arithmetic="float"`` with a tree.

        Returns
        -------
        RegionCount
            what ``"chamber"``. For the recursion `arithmetic` is ``"modular"`` with a proved
            `error_probability` below 2^-60 where random primes took part, else ``"certified"``.

        Raises
        ------
        Unsupported, InvalidInput, DegenerateInput, DeviceError, TypeError
            If the method cannot do this, or an argument is wrong; or if the checkpoint belongs to
            another arrangement, domain or question.
        CorruptFile, CheckpointError
            If the checkpoint is damaged, or cannot be read or written.
        Interrupted
            On Ctrl-C, with the partial result in ``partial``.

        Notes
        -----
        The recursion costs one restriction per flat of codimension up to d - 2, the other two a
        fraction of a microsecond per chamber.

        References
        ----------
        T. Zaslavsky, "Facing up to arrangements", 1975, theorem A.

        Examples
        --------
        >>> import linear_regions as lr
        >>> lines = lr.Arrangement([[1, 0], [0, 1], [1, 1]], [0, 0, -1.5])
        >>> int(lines.count()), int(lines.count(lr.Box(0.0, 1.0)))
        (7, 2)
        """
        run = run_control(
            arithmetic=arithmetic, threads=threads, limit=limit, time_limit=time_limit,
            cancel=cancel, progress=progress,
        )  # fmt: skip
        try:
            place = place_of(self.normals, self.offsets, domain)
            ledger = None
            if checkpoint is not None:
                ledger = Ledger(
                    checkpoint,
                    names_of((self.normals, self.offsets), domain, method, run, "chambers"),
                )
            return kept(
                ledger,
                run,
                lambda: count_place(
                    place,
                    method,
                    run,
                    verify=verify,
                    device=device,
                    ledger=ledger,
                    executor=executor,
                ),
            )
        finally:
            run.close()

    @in_default_floating_point
    def whitney_numbers(
        self,
        *,
        threads: int | None = None,
        time_limit: float | None = None,
        cancel: threading.Event | None = None,
        progress: Progress = False,
        executor: ExecutorOrMaker | None = None,
    ) -> list[int]:
        """Return the absolute Whitney numbers of the first kind.

        Parameters
        ----------
        threads, time_limit, cancel, progress, executor
            As for `count`.

        Returns
        -------
        list of int, length d + 1
            Entry k belongs to the flats of codimension k: 1, the number of hyperplanes, ... They
            add up to the number of chambers. An arrangement keeps them: the second call is free.

        Raises
        ------
        Unfinished
            If the time limit or `cancel` ended the call. ``partial`` is a list of the same length
            with proved lower bounds of the numbers.
        Interrupted
            On Ctrl-C, with the same ``partial``.

        Examples
        --------
        >>> import linear_regions as lr
        >>> planes = lr.Arrangement([[1, 0], [0, 1], [1, 1]], [0, 0, 0])
        >>> planes.whitney_numbers()
        [1, 3, 2]
        """
        if self._whitney is None:
            run = run_control(
                threads=threads, time_limit=time_limit, cancel=cancel, progress=progress
            )
            try:
                rows = exact_rows(self.normals, self.offsets)
                found = whitney_numbers(rows, self.dim, run, executor=executor)
            finally:
                run.close()
            if found.interrupted:
                raise Interrupted(partial=found.whitney)
            if found.status != "complete":
                raise Unfinished(
                    f"{_ENDED[found.status]} after {found.work['flats']:,} flats; lower bounds of "
                    "the Whitney numbers are in the attribute 'partial'",
                    found.whitney,
                )
            self._set(_whitney=found)
        assert self._whitney is not None
        return list(self._whitney.whitney)

    def characteristic_polynomial(
        self,
        *,
        threads: int | None = None,
        time_limit: float | None = None,
        cancel: threading.Event | None = None,
        progress: Progress = False,
        executor: ExecutorOrMaker | None = None,
    ) -> list[int]:
        """Return the coefficients of the characteristic polynomial, constant term first.

        Parameters
        ----------
        threads, time_limit, cancel, progress, executor
            As for `count`.

        Returns
        -------
        list of int, length d + 1
            Entry k is the coefficient of t^k; the last one is 1.

        Raises
        ------
        Unfinished, Interrupted
            As for `whitney_numbers`, with lower bounds of those in ``partial``.

        Notes
        -----
        (-1)^d chi(-1) is the number of chambers (Zaslavsky 1975, theorem A).

        Examples
        --------
        Coordinate hyperplanes have (t - 1)^d:

        >>> import linear_regions as lr
        >>> lr.Arrangement([[1, 0], [0, 1]], [0, 0]).characteristic_polynomial()
        [1, -2, 1]
        """
        numbers = self.whitney_numbers(
            threads=threads, time_limit=time_limit, cancel=cancel, progress=progress,
            executor=executor,
        )  # fmt: skip
        return [-w if k % 2 else w for k, w in enumerate(numbers)][::-1]

    def bounded_count(
        self,
        *,
        threads: int | None = None,
        time_limit: float | None = None,
        cancel: threading.Event | None = None,
        progress: Progress = False,
        executor: ExecutorOrMaker | None = None,
    ) -> int:
        """Return the number of bounded chambers.

        Parameters
        ----------
        threads, time_limit, cancel, progress, executor
            As for `count`.

        Returns
        -------
        int
            |chi(1)| where the normals span the space (Zaslavsky 1975, theorem C), else 0.

        Raises
        ------
        Unfinished, Interrupted
            As for `whitney_numbers`, with lower bounds of those in ``partial``; they bound the
            number of bounded chambers from no side.

        Examples
        --------
        >>> import linear_regions as lr
        >>> lr.Arrangement([[1, 0], [0, 1], [1, 1]], [0, 0, -1]).bounded_count()
        1
        """
        numbers = self.whitney_numbers(
            threads=threads, time_limit=time_limit, cancel=cancel, progress=progress,
            executor=executor,
        )  # fmt: skip
        if not numbers[-1]:  # |w_d| > 0 exactly when some d hyperplanes meet in a point
            return 0
        return abs(sum(-w if k % 2 else w for k, w in enumerate(numbers)))
