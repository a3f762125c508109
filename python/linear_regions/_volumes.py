# SPDX-License-Identifier: MIT
"""Volumes of regions and sizes of facets, from their vertices and the facets that these lie on.

A polytope is the union of the pyramids from one of its vertices over the facets that do not contain
it, and these are polytopes of one dimension less. Faces are sets of vertices, so no coordinate
takes part in the combinatorics; the core measures every face once.
"""

from __future__ import annotations

import numpy as np

from . import _core
from ._region_columns import Columns, IntArray
from ._value import FloatArray

__all__ = ["facet_sizes", "volumes_of"]


def volumes_of(columns: Columns) -> FloatArray:
    """Return the volumes of the regions; infinite where unbounded.

    Notes
    -----
    Rounded: vertices are doubles, and so are the sums. Cost: proportional to the number of faces
    of all regions, times the squared number of facets of a region.
    """
    return np.asarray(_core.sizes(*_corners(columns), None))


def facet_sizes(columns: Columns, facets: IntArray) -> FloatArray:
    """Return the volumes of facets, one dimension down; infinite where unbounded, 1 for points."""
    return np.asarray(_core.sizes(*_corners(columns), facets))


def _corners(columns: Columns) -> tuple[FloatArray, IntArray, IntArray, IntArray, IntArray]:
    return (
        columns.vertices,
        columns.vertex_offsets,
        columns.facet_offsets,
        columns.corner_offsets,
        columns.corners,
    )
