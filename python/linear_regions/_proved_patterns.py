# SPDX-License-Identifier: MIT
"""Patterns of points in exact arithmetic: a forward pass with error bounds, integers for the rest.

A point with a value that no bound parts from its breakpoint is decided exactly. Units that are
identically zero on a cell, and equal entries of windows, are decided once for each cell.
"""

from __future__ import annotations

from math import prod

import numpy as np

from . import _core
from ._forward import Points, Words, forward_pass
from ._frame import domain_frame
from ._lower import frame_of, program
from .domain import Box, Domain, Space
from .network import Network

__all__ = ["ProvedPatterns"]

_MOST_WORK = 2**24  # multiplications of a pass whose doubts integers can settle in time
_LOOSEST = 2.0**-10  # bounds that say so little would leave most points open
_PILOT, _STEP = 256, 16  # points
_MOST_SETTLED, _MOST_SETTLED_SMALL = 26, 128  # of them; of networks whose passes are short
_SMALL_WORK = 2**17
_MOST_NUMBERS = 2**24  # of a map of the whole domain


class ProvedPatterns:
    """Patterns of points as exact arithmetic gives them; any thread may use it.

    Parameters
    ----------
    net : Network
    domain : Domain, optional
        Where the points lie, if it is a box; otherwise the input space is taken for it.
    """

    def __init__(self, net: Network, domain: Domain | None) -> None:
        self._forward = forward_pass(net)
        place = domain if isinstance(domain, Box) else Space().resolve(net.input_shape)
        frame = None
        # What is found to vanish on a cell is remembered, where maps of the domain fit.
        if ((place.dim or 0) + 2) * sum(prod(shape) for shape in net.shapes) <= _MOST_NUMBERS:
            frame = frame_of(domain_frame(place, net.input_shape))
        self._exact = _core.ExactPatterns(program(net), frame)

    def patterns(self, points: Points) -> Words:
        """Return the packed patterns of points, shape (batch, n); errors as those of `Forward`."""
        rows = np.ascontiguousarray(points, dtype=np.float64)
        words, doubts, _ = self._forward.doubtful_patterns(rows)
        if len(doubts):
            self._exact.settle(rows, words, doubts)
        return words

    def pays(self, points: Points) -> bool:
        """Tell from the first points of a sample whether proofs cost little.

        They do not where rounding errors may grow as large as the values (deep networks), and where
        many points need exact arithmetic of their own.
        """
        work = self._forward.work
        if work > _MOST_WORK:
            return False
        left = _MOST_SETTLED_SMALL if work <= _SMALL_WORK else _MOST_SETTLED
        for start in range(0, min(len(points), _PILOT), _STEP):
            rows = np.ascontiguousarray(points[start : start + _STEP], dtype=np.float64)
            words, doubts, loosest = self._forward.doubtful_patterns(rows)
            if loosest > _LOOSEST:
                return False
            left -= self._exact.settle(rows, words, doubts)
            if left < 0:
                return False
        return True
