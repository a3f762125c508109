# SPDX-License-Identifier: MIT
"""Simple arrangements swept on a CUDA device: sign vectors that stay there, and counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import _core
from ._device.launch import Device, open_device
from ._device.sweep import MAX_HYPERPLANES, MAX_LEVEL, DeviceSweep, supports
from ._farkas import Row
from ._hyperplanes import Place, exact_rows, lower_hyperplanes
from ._run import Run
from ._sweep import _TRIES, NotSimple, Sweep
from .errors import DegenerateInput, InvalidInput, Unsupported

__all__ = ["count_on_device", "list_on_device"]


class CudaSweep(Sweep):
    """A sweep whose blocks of ranks are computed on a device, and whose `out` lies there.

    What rounding leaves open there is computed by the core, exactly: the sign vectors, their order
    and the proof that the arrangement is simple are those of `Sweep`.
    """

    def __init__(self, rows: Sequence[Row], d: int, device: Device) -> None:
        self._device = device
        super().__init__(rows, d)
        if not supports(len(self._affine), self._dim):
            raise Unsupported(
                f"on a device the sweep takes up to {MAX_HYPERPLANES} hyperplanes in up to "
                f"{MAX_LEVEL} dimensions (a central arrangement counts one less of each), got "
                f"{self.n} in {self.d}; use device='cpu'"
            )

    def _choose_coordinates(self, attempt: int) -> None:
        super()._choose_coordinates(attempt)
        value, exact = lower_hyperplanes(self._turned, self._dim)
        self._on_device = DeviceSweep(self._device, value, exact is None)

    def _swept(self, first: int, last: int, out: Any, run: Run) -> dict[str, Any]:
        def fallback(begin: int, end: int, words: Any) -> dict[str, Any]:
            return _core.sweep(self._core, begin, end, words, True, run.threads, None, run.poll)

        report: dict[str, Any] = {}
        for attempt in range(self._attempt, _TRIES):
            if attempt != self._attempt:
                self._choose_coordinates(attempt)
            report = self._on_device.run(first, last, out, run.time_limit, run.poll, fallback)
            if "not_simple" not in report:
                return report
            # What was given out before has other coordinates.
            if not report["coordinates"] or first > 0:
                break
        raise NotSimple(report["not_simple"])


def _sweep_of(place: Place, method: str, run: Run, device: str) -> CudaSweep:
    if method not in ("auto", "sweep"):
        raise InvalidInput(f"on a device method must be 'auto' or 'sweep', got {method!r}")
    if not run.certified:
        raise InvalidInput("on a device arithmetic must be 'certified'")
    if place.sides:
        raise Unsupported("on a device the sweep takes the whole space; use device='cpu'")
    rows = place.rows
    if isinstance(rows, np.ndarray):
        rows = exact_rows(rows[:, :-1], rows[:, -1])
    opened = open_device(device)
    try:
        return CudaSweep(rows, place.dim, opened)
    except NotSimple as refusal:
        raise _refused(refusal) from None


def _refused(refusal: NotSimple) -> DegenerateInput:
    return DegenerateInput(
        f"on a device the arrangement must be simple: {refusal}; use device='cpu', method='tree'"
    )


def list_on_device(place: Place, method: str, run: Run, device: str) -> tuple[Any, dict[str, Any]]:
    """Return sign vectors, on the device, and the report of the sweep.

    Raises
    ------
    DeviceError
        If there is no such device.
    DegenerateInput
        If the arrangement is proved not to be simple.
    Unsupported, InvalidInput
        If a device cannot do this.
    """
    sweep = _sweep_of(place, method, run, device)
    size = sweep.size if run.limit is None else min(sweep.size, run.limit)
    with sweep._device.use():
        words = sweep._device.xp.empty((size, sweep.words), dtype=np.uint64)
        try:
            report = sweep.fill(0, size, words, run)
        except NotSimple as refusal:
            raise _refused(refusal) from None
    return words[: report["chambers"]], report


def count_on_device(place: Place, method: str, run: Run, device: str) -> dict[str, Any]:
    """Count the chambers of an arrangement that is proved to be simple; raises as the list does."""
    if run.limit is not None:
        raise Unsupported("on a device chambers are counted without a limit")
    sweep = _sweep_of(place, method, run, device)
    try:
        return sweep.prove(run)
    except NotSimple as refusal:
        raise _refused(refusal) from None
