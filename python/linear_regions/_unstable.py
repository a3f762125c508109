# SPDX-License-Identifier: MIT
"""Which units of a network bend inside a box."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from ._frame import domain_frame
from ._lower import frame_of, program
from ._polyhedra import no_domain
from .domain import Box
from .errors import Interrupted, InvalidInput
from .layers import Maxout, MaxPool, Pointwise
from .network import Network, check_network

__all__ = ["unstable"]

_ACTIVATIONS = (Pointwise, MaxPool, Maxout)


def unstable(net: Network, box: Box, *, exact: bool = False) -> tuple[npt.NDArray[np.bool_], ...]:
    """Tell which units may change their linear piece inside a box.

    Parameters
    ----------
    net : Network
    box : Box
        Bounded.
    exact : bool, default False
        False: True marks a unit whose piece interval bounds cannot fix; some of those may be fixed
        all the same. True: True marks exactly the units that are on different pieces in different
        regions of the box; all regions may have to be visited for that.

    Returns
    -------
    tuple of bool array
        One per activation layer, in the order and with the layer indexes of
        ``net.pattern_layout``; each has the shape of the layer's output. A unit of a max-pooling
        or maxout layer is a window, and its piece the entry that wins.

    Raises
    ------
    InvalidInput
        If the box is unbounded or does not fit the network.
    TypeError
        If `net` is no `Network` or `box` no `Box`.

    Notes
    -----
    Guarantee: bounds are rounded outwards, so that a False is proved; with ``exact=True`` a True is
    proved, too. Cost: about two forward passes, or up to a listing of all regions by the method
    ``"tree"`` that ends as soon as every open unit was seen on two pieces.

    References
    ----------
    R. E. Moore, R. B. Kearfott, M. J. Cloud, "Introduction to Interval Analysis", SIAM 2009.

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = lr.Network(2, [lr.Affine([[1.0, 1.0], [1.0, -1.0]], [-3.0, 0.0]), lr.relu()])
    >>> [layer.tolist() for layer in lr.unstable(net, lr.Box(0.0, 1.0))]
    [[False, True]]
    """
    check_network(net)
    if not isinstance(box, Box):
        raise no_domain("box must be a Box", box)
    place = box.resolve(net.input_shape)
    if not (np.isfinite(place.low).all() and np.isfinite(place.high).all()):
        raise InvalidInput("box must have finite sides, got an infinite one")
    tape = program(net)
    open_units = [
        np.asarray(units, dtype=np.bool_)
        for units in _core.unstable_units(tape, place.low, place.high)
    ]
    layers = [i for i, layer in enumerate(net.layers) if isinstance(layer, _ACTIVATIONS)]
    found = {
        i: units.reshape(net.shapes[i + 1]) for i, units in zip(layers, open_units, strict=True)
    }
    bounds = tuple(found[i] for i, _, _ in net.pattern_layout)
    if not exact or not any(units.any() for units in bounds):
        return bounds
    return _changing(net, place, bounds)


def _changing(
    net: Network, box: Box, bounds: tuple[npt.NDArray[np.bool_], ...]
) -> tuple[npt.NDArray[np.bool_], ...]:
    """Return the units whose bits differ between regions."""
    unit_of_bit = np.concatenate(_unit_of_bit(net, bounds))
    total = sum(units.size for units in bounds)
    candidates = np.concatenate([units.reshape(-1) for units in bounds])
    seen = np.zeros(total, dtype=np.bool_)
    first: npt.NDArray[np.uint8] | None = None

    def look(columns: dict[str, Any]) -> bool:
        nonlocal first
        words = np.ascontiguousarray(columns["patterns"]).astype("<u8")
        bits = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")
        bits = bits[:, : net.pattern_bits]
        if first is None:
            first = bits[0]
        seen[unit_of_bit[(bits != first).any(axis=0)]] = True
        return bool((candidates & ~seen).any())

    frame = frame_of(domain_frame(box, net.input_shape))
    interrupted = True
    try:
        answer = _core.stream_tree(program(net), frame, True, 256, None, None, None, look)
        interrupted = answer["interrupted"]
    except KeyboardInterrupt:  # that `look` was in the middle of
        pass
    result, start = [], 0
    for units in bounds:
        result.append(seen[start : start + units.size].reshape(units.shape))
        start += units.size
    if interrupted:
        raise Interrupted(partial=tuple(result))
    return tuple(result)


def _unit_of_bit(
    net: Network, bounds: tuple[npt.NDArray[np.bool_], ...]
) -> list[npt.NDArray[np.int64]]:
    """Return, layer by layer, the unit (numbered through all layers) that each bit belongs to."""
    found, start = [], 0
    for (index, _, n_bits), units in zip(net.pattern_layout, bounds, strict=True):
        layer = net.layers[index]
        if isinstance(layer, Pointwise):
            each = prod(net.shapes[index + 1][1:]) if layer.channels > 1 else units.size
            bits = [layer.pieces(channel)[0].size for channel in range(layer.channels)]
            per_unit = np.repeat(np.array(bits, dtype=np.int64), each)
        else:
            per_unit = np.full(units.size, n_bits // units.size, dtype=np.int64)
        found.append(start + np.repeat(np.arange(units.size), per_unit))
        start += units.size
    return found
