# SPDX-License-Identifier: MIT
"""Comparison of an imported network with the model that it came from.

An importer that misreads one attribute gives a network that looks right and counts something
else. So every import ends here: both are evaluated at random points, and they must agree up to the
rounding of the model's own arithmetic.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import Unsupported
from ..network import Network

FloatArray: TypeAlias = npt.NDArray[np.float64]

Forward: TypeAlias = Callable[[FloatArray], tuple[FloatArray, float]]
"""Takes one point of the network's input shape; returns the model's output and the largest
magnitude met on the way to it, which is what its rounding errors are proportional to."""


class CannotEvaluate(Exception):
    """The model's own forward pass cannot be computed here."""


logger = logging.getLogger("linear_regions.importers")

# What rounding may explain, relative to the largest magnitude. Errors add up over the terms of a
# sum and over the layers, so this is 2^22 and 2^12 roundings of the two formats; a wrong attribute
# is off by 0.1 % to 100 %.
FLOAT64 = 2.0**-31
FLOAT32 = 2.0**-12

# Input magnitudes: small ones see the pieces next to zero, large ones those of clipping.
_MAGNITUDES = (0.1, 1.0, 3.0, 10.0)


def sample_points(net: Network) -> FloatArray:
    """Return the points of the comparison, shape (4, *input_shape): always the same ones.

    Entries are multiples of 2^-10, so that a model in single precision gets the same points.
    """
    rng = np.random.default_rng(20240)
    points = rng.standard_normal((len(_MAGNITUDES), *net.input_shape))
    scaled = points * np.reshape(_MAGNITUDES, (-1, *(1,) * len(net.input_shape)))
    rounded: FloatArray = np.round(scaled * 1024) / 1024
    return rounded


def checked(net: Network, forward: Forward, tolerance: float, source: str) -> Network:
    """Compare as in `compare` and return the network.

    Where the model's own forward pass cannot be computed, the network comes back with a note.
    """
    try:
        compare(net, forward, tolerance, source)
    except CannotEvaluate as error:
        logger.warning("%s: not compared with the model: %s", source, error)
        notes = (*net.notes, f"not compared with the model: {error}")
        return Network(net.input_shape, net.layers, notes=notes)
    return net


def compare(net: Network, forward: Forward, tolerance: float, source: str) -> float:
    """Compare `net` with the model; return the largest difference.

    Parameters
    ----------
    net : Network
    forward : callable
        The model's own forward pass, see `Forward`.
    tolerance : float
        `FLOAT64` or `FLOAT32`, after the arithmetic that `forward` uses.
    source : str
        What was imported, for the messages.

    Returns
    -------
    float
        Largest absolute difference over all points and outputs.

    Raises
    ------
    Unsupported
        If a difference cannot come from rounding.
    CannotEvaluate
        If `forward` raises it.
    """
    largest = 0.0
    points = sample_points(net)
    ours = net(points)
    for point, mine in zip(points, ours, strict=True):
        theirs, magnitude = forward(point)
        theirs = np.asarray(theirs, dtype=np.float64).reshape(-1)
        mine = mine.reshape(-1)
        if theirs.shape != mine.shape:
            raise Unsupported(
                f"{source}: the model has {theirs.size} outputs for one sample, the imported "
                f"network {mine.size}; please report this model"
            )
        if not np.isfinite(theirs).all() or not np.isfinite(magnitude):
            # The model's own arithmetic overflows here, which says nothing about the import.
            logger.debug("%s: the model is not finite at a point; left out", source)
            continue
        scale = max(magnitude, float(np.abs(point).max(initial=0.0)), float(np.abs(mine).max()))
        allowed = tolerance * scale
        difference = float(np.abs(theirs - mine).max())
        largest = max(largest, difference)
        if not difference <= allowed:
            raise Unsupported(
                f"{source}: the imported network and the model differ by {difference:.3g} at a "
                f"random point, where rounding explains {allowed:.3g}; so some operator was "
                "misread, and the network is not returned. Please report this model"
            )
    logger.debug("%s: largest difference %.3g at %d points", source, largest, len(points))
    return largest
