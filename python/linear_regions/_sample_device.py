# SPDX-License-Identifier: MIT
"""Samples counted on a CUDA device: the same points, the same patterns, the same counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ._device.forward import DeviceForward
from ._device.launch import Device, open_device
from ._device.tally import DeviceTally
from ._forward import forward_pass
from .domain import Box
from .network import Network

__all__ = ["DeviceSample"]

FloatArray = npt.NDArray[np.float64]
Maker = Callable[[int, int], Any]


class DeviceSample:
    """Distinct patterns of points, collected on a device.

    Parameters
    ----------
    net : Network
    device : str
        ``"cuda"`` or ``"cuda:<number>"``.
    exact_signs : bool
        Whether points with a doubtful sign are computed again on the processor.
    """

    def __init__(self, net: Network, device: str, exact_signs: bool) -> None:
        self.device: Device = open_device(device)
        self.forward = DeviceForward(
            self.device, net, forward_pass(net).patterns, exact_signs=exact_signs
        )
        self.tally = DeviceTally(self.device, self.forward.words, 0, True, 14, 0)
        self.batch_rows = self.forward.batch_rows

    @property
    def samples(self) -> int:
        """Points so far."""
        return self.tally.rows

    def add(self, points: Any) -> None:
        """Count the patterns of points, shape (batch, n), of the device or of the processor."""
        with self.device.use():
            there = self.device.xp.asarray(points)
            self.tally.insert(self.forward.patterns(there))

    def frequencies(self) -> npt.NDArray[np.int64]:
        """Return how often each distinct pattern was met."""
        times: npt.NDArray[np.int64] = self.tally.contents()["times"].astype(np.int64)
        return times

    def box_maker(self, box: Box, key: int) -> Maker:
        """Return the function that makes uniform points of a bounded box on the device.

        Point i is that of the processor, bit for bit.
        """
        xp = self.device.xp
        free = np.asarray(box.free, dtype=np.uint64)
        low, high = box.low.reshape(-1), box.high.reshape(-1)
        with self.device.use():
            fixed = xp.asarray(low)
            sides = [xp.asarray(np.ascontiguousarray(side[box.free])) for side in (low, high)]
            columns = xp.asarray(free)

        def make(start: int, stop: int) -> Any:
            points = xp.empty((stop - start, low.size), dtype=np.float64)
            points[:] = fixed
            self.device.launch(
                "lr_uniform_points",
                (stop - start) * -(-len(free) // 4),
                key & (2**64 - 1),
                key >> 64,
                start,
                stop - start,
                len(free),
                *sides,
                columns,
                low.size,
                points,
            )
            return points

        return make
