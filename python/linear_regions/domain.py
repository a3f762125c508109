# SPDX-License-Identifier: MIT
"""Domains: the sets in which regions are counted.

Every domain means its relative interior: the interior within its affine hull. Regions are described
in the domain's own coordinates, `dim` of them, and `embed` maps those to points of the input space
(flat, row-major):

* `Box`: the inputs whose side is not a single point, in their order;
* `Polytope` and `Space`: the inputs; where a polytope lies in a smaller affine hull, the first
  inputs that determine the others;
* `Slice`: the coordinates t, or, where its constraints fix some of them, the first that determine
  the others;
* `Segment`: one number between 0 and 1.
"""

from __future__ import annotations

from ._polyhedra import Box, Domain, Polytope, Space, no_domain
from ._slice import Ball, Segment, Slice

__all__ = ["Ball", "Box", "Domain", "Polytope", "Segment", "Slice", "Space"]


def as_domain(domain: object) -> Domain:
    """Return the domain; None is the whole input space."""
    if domain is None:
        return Space()
    if not isinstance(domain, Domain):
        kinds = "a Box, Polytope, Space, Slice, Segment or Ball"
        raise no_domain(f"domain must be {kinds}", domain)
    return domain


def sides_of(place: Domain) -> str:
    """Return what sides a resolved domain has: "none", "box" (a coordinate each) or "any"."""
    if isinstance(place, Slice) and place.within is None:
        inner = place.domain
        return "none" if inner is None else "box" if isinstance(inner, Box) else "any"
    return "none" if isinstance(place, Space) else "box" if isinstance(place, Box) else "any"
