# SPDX-License-Identifier: MIT
"""Slow, obvious, exact answers: what every fast method has to agree with.

Plain Python with integers and fractions; no decision is rounded, and nothing is shared with the
compiled core or with the code that prepares its input. Speed is no goal: a hundred units in
two dimensions take seconds.

`forward` and `pattern` look at one point, `regions` and `count` at a domain, `sign_vectors` and
`chambers` at a hyperplane arrangement.
"""

from __future__ import annotations

from .points import forward, pattern
from .polynomial import characteristic_polynomial
from .signs import chambers, sign_vectors
from .walk import (
    Region,
    count,
    neighbours,
    regions,
    segment_patterns,
    slice_patterns,
)

__all__ = [
    "Region",
    "chambers",
    "characteristic_polynomial",
    "count",
    "forward",
    "neighbours",
    "pattern",
    "regions",
    "segment_patterns",
    "sign_vectors",
    "slice_patterns",
]
