# SPDX-License-Identifier: MIT
"""The methods of exact counting, and which of them a call runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .errors import InvalidInput, Unsupported

__all__ = ["Method", "choose", "method_named", "methods"]


@dataclass(frozen=True)
class Method:
    """What a method of counting can do.

    Attributes
    ----------
    name : str
        For ``method=``.
    description : str
        How it works, in one sentence.
    dimensions : str
        Dimensions of the domain.
    domains, layers : str
        What it takes.
    lists : bool
        Whether `regions` can use it, too; the tree without faces.
    cost : str
        Time, in words.

    Examples
    --------
    >>> methods()[0].dimensions
    '0, 1, 2'
    """

    name: str
    description: str
    dimensions: str
    domains: str
    layers: str
    lists: bool
    cost: str


_METHODS = (
    Method(
        name="polygons",
        description=(
            "Depth-first over the layers: convex polygons (segments as thin ones) are cut by the "
            "units that change sign on them; signs are proved by error bounds, the rest is exact."
        ),
        dimensions="0, 1, 2",
        domains="Box, Polytope, Space, Slice, Segment; bounded or not",
        layers="all",
        lists=True,
        cost="proportional to the regions after each layer, times the width of the next one",
    ),
    Method(
        name="tree",
        description=(
            "Depth-first over layers and units with a witness point in every cell and small linear "
            "programs; points and infeasibility are proved by error bounds, the rest is exact."
        ),
        dimensions="any",
        domains="Box, Polytope, Space, Slice, Segment; bounded or not",
        layers="all",
        lists=True,
        cost="some small linear programs per region after each layer, whatever the dimension",
    ),
    Method(
        name="arrangement",
        description=(
            "The regions of one layer of units are the chambers of its hyperplanes: counted in the "
            "whole space by a sweep where they are in general position, by a recursion over flats "
            "where not, and by the certified sign tree elsewhere."
        ),
        dimensions="any",
        domains="Box, Polytope, Space, Slice, Segment; bounded or not",
        layers="one activation layer, a pointwise one, behind affine layers",
        lists=False,
        cost=(
            "whole space: 20 to 100 ns per region, or one restriction per flat; elsewhere: about "
            "two microseconds per region"
        ),
    ),
    Method(
        name="cones",
        description=(
            "Depth-first over the layers: cells are kept as cones with all their rays and cut by "
            "the units that change sign on them; the last layer is counted by sections, unbuilt."
        ),
        dimensions="any; made for 3 to 8 in boxes, to about 10 in the whole space",
        domains="Box, Polytope, Space, Slice, Segment; bounded or not",
        layers="all",
        lists=True,
        cost="as for polygons, times the square of the rays per cell: 2^d in a box, d in R^d",
    ),
)


# What method="auto" tries; a method that is named by the caller takes more.
MOST_DIMENSIONS = 20
# What lists have faces in unless told otherwise: a region of a box has 2^d vertices and more.
MOST_FACED = 8
_MOST_RAYS = 128  # of a mean cell: where cones and tree take about as long
# In boxes cones pay 4^d for a cell before the last layer and little for each region in it; the tree
# pays for regions. Units in the last layer above which cones are faster, by dimension; measured
# (docs/methods.md). Below these dimensions cones always are, above them the tree.
_LAST_UNITS = {7: 10, 8: 18, 9: 28, 10: 40}
_ONLY_UNITS = {10: 14, 11: 20}  # where there is one layer
# In all layers, as in most convolutional networks: cones are faster up to ten dimensions. Ties of
# max windows are decided one by one there, so not with these.
_MANY_UNITS = 256


def methods() -> tuple[Method, ...]:
    """Return the table of counting methods.

    Returns
    -------
    tuple of Method
        The order has no meaning.

    Examples
    --------
    >>> [method.name for method in methods()]
    ['polygons', 'tree', 'arrangement', 'cones']
    """
    return _METHODS


def choose(
    name: str,
    dim: int,
    *,
    sides: str,
    units: Sequence[int],
    windows: bool = False,
    faces: bool | None = None,
    chambers: bool = False,
    merged: bool = False,
) -> Method:
    """Return the method that ``method=name`` runs.

    The domain has dimension `dim`, the network so many `units` (bits) in each layer; some of them
    may be max `windows`. The `sides` of the domain are "none" (the whole space), "box" (a
    coordinate each) or "any". A list is with or without `faces`; None: a count. The regions of one
    layer may be the `chambers` of an arrangement; the recursion over its flats is taken where the
    count may be `merged` (certified, to its end and in one piece), and beyond `MOST_DIMENSIONS`
    whatever is asked: up to a few more units than dimensions it counts at once what nobody could
    visit, 2^n regions of n units that are independent.
    """
    if not isinstance(name, str):
        raise TypeError(f"method must be a string, got {name!r}")
    wanted = name
    if name == "auto":
        if chambers and sides == "none" and dim > (2 if merged else MOST_DIMENSIONS):
            wanted = "arrangement"
        elif dim > MOST_DIMENSIONS:
            raise Unsupported(
                f"the domain has dimension {dim}: counts of more than {MOST_DIMENSIONS} dimensions "
                "hardly ever end. Count on a plane with Slice(origin, directions) or "
                "Slice.through(points), on a line with Segment(a, b), in a Box with most inputs "
                "fixed, or ask for it with method='tree'"
            )
        elif dim <= 2:
            wanted = "polygons"
        else:
            many = not windows and sum(units) >= _MANY_UNITS
            wanted = "cones" if _cones_are_faster(dim, sides, units, many, faces) else "tree"
    return method_named(wanted)


def _cones_are_faster(
    dim: int, sides: str, units: Sequence[int], many: bool, faces: bool | None
) -> bool:
    # A box has 2^d vertices. A cell of the whole space has few rays where the first layer is
    # hardly wider than the space; there, later layers are degenerate (a cell's map has the rank of
    # its units that are on), which programs settle in integers only.
    if sides == "none":
        if faces is False:
            return _cones_list_faster(dim, units)
        if len(units) < 2:
            return dim <= 10
        # Sections of a last layer may double with every unit, and later layers give cells of many
        # rays: in high dimensions cones may take minutes and gigabytes for the first cell.
        low = faces or min(dim, units[0]) <= 12 or (len(units) == 2 and units[1] <= 8)
        return low and _mean_rays(units[0], dim) <= _MOST_RAYS
    if sides == "any" or faces or not units:
        return dim <= 8
    if many and dim <= max(_LAST_UNITS):
        return True
    least = _LAST_UNITS if len(units) > 1 else _ONLY_UNITS
    return dim < min(least) or units[-1] >= least.get(dim, math.inf)


def _cones_list_faster(dim: int, units: Sequence[int]) -> bool:
    # Lists build every region: the tree at some microseconds each, cones with all rays, many of
    # which layers after the first add. Measured in the whole space (docs/methods.md).
    if len(units) < 2:
        return dim <= 7
    return _mean_rays(units[0], dim) <= (40 if dim <= 12 else 5 if dim <= 14 else 0.5)


def _mean_rays(n: int, d: int) -> float:
    """Return the mean number of vertices of a chamber of n hyperplanes in general position."""
    return float(math.comb(n, d) * 2**d / sum(math.comb(n, k) for k in range(d + 1)))


def method_named(name: str) -> Method:
    """Return the method of that name."""
    for method in _METHODS:
        if name == method.name:
            return method
    known = ", ".join(repr(method.name) for method in _METHODS)
    raise InvalidInput(f"method must be 'auto' or one of {known}, got {name!r}")
