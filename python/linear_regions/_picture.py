# SPDX-License-Identifier: MIT
"""What a picture of regions consists of, before anything is drawn: needs no Matplotlib."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from ._class_cells import boundary_segments, corner_classes, scores, split_by_class
from ._colors import PALETTES, Palette, class_colors, region_colors, shades
from .errors import InvalidInput, Unsupported

if TYPE_CHECKING:
    import linear_regions as lr

__all__ = ["LinePicture", "Picture", "clip_to_view", "default_view", "line_picture", "picture"]

FloatArray: TypeAlias = npt.NDArray[np.float64]
Limits: TypeAlias = tuple[tuple[float, float], ...]

# Regions whose output values are held at a time.
_REGIONS_AT_ONCE = 8192


@dataclass(frozen=True)
class Picture:
    """What a picture of a plane consists of, before anything is drawn.

    Attributes
    ----------
    polygons : list of float64 arrays, shape (k, 2)
        One per region; where the class is the colour, one per region and class.
    shade : float64 array, shape (P,)
        See `shades`.
    classes : int64 array, shape (P,), or None
        Where the class is the colour.
    numbers : float64 array, shape (P,), or None
        Where given numbers are the colours.
    segments : list of float64 arrays, shape (2, 2)
        The decision boundary.
    """

    polygons: list[FloatArray]
    shade: FloatArray
    classes: npt.NDArray[np.int64] | None
    numbers: FloatArray | None
    segments: list[FloatArray]

    def colors(self, palette: Palette) -> FloatArray:
        """Return red, green, blue of every polygon, shape (P, 3)."""
        if self.classes is None:
            return region_colors(self.shade, palette)
        return class_colors(self.shade, self.classes, palette)

    def legend(self, palette: Palette) -> list[tuple[int, FloatArray]]:
        """Return the classes that occur, each with its colour at medium lightness."""
        if self.classes is None:
            return []
        present = np.unique(self.classes)
        middle = class_colors(np.full(len(present), 0.4), present, palette)
        return list(zip(present.tolist(), middle, strict=True))


def picture(
    regions: lr.Regions,
    color_by: str | npt.ArrayLike = "region",
    *,
    decision_boundary: bool | lr.DecisionBoundary = False,
) -> Picture:
    """Return polygons, their classes and the decision boundary of bounded regions in a plane.

    Parameters
    ----------
    regions : Regions
        Of a bounded domain of dimension 2.
    color_by, decision_boundary
        As for `plot`.

    Returns
    -------
    Picture

    Raises
    ------
    InvalidInput
        If `color_by` is not known or has another length than `regions`.
    """
    numbers = given_numbers(color_by, len(regions))
    by_class = numbers is None and color_by == "class"
    corners, offsets = regions.vertices[:, :2], regions.vertex_offsets
    polygons = [corners[a:b] for a, b in pairwise(offsets.tolist())]
    owners, segments = list(range(len(polygons))), []
    classes: list[int] = []
    if not isinstance(decision_boundary, bool):
        segments = [np.vstack([piece.vertices, piece.directions]) for piece in decision_boundary]
        if any(len(piece.directions) for piece in decision_boundary):
            raise InvalidInput("an unbounded decision boundary is drawn in a bounded domain only")
        decision_boundary = False
    if by_class or decision_boundary:
        at_corner, mixed = _classes(regions)
        classes = at_corner.tolist()
        for i, rows in mixed.items():
            if decision_boundary:
                segments += boundary_segments(rows)
            # The first cell takes the place of the whole polygon, the others follow at the end.
            for number, (label, cell) in enumerate(split_by_class(rows) if by_class else ()):
                if number == 0:
                    classes[i], polygons[i] = label, cell
                else:
                    classes.append(label)
                    polygons.append(cell)
                    owners.append(i)
    return Picture(
        polygons,
        shades(regions)[owners],
        np.array(classes, dtype=np.int64) if by_class else None,
        numbers,
        segments,
    )


def given_numbers(color_by: object, n_regions: int) -> FloatArray | None:
    """Return the numbers that `color_by` holds, or None where it is a word."""
    if isinstance(color_by, str):
        if color_by not in ("region", "class"):
            raise InvalidInput(
                f'color_by must be "region", "class" or one number per region, got {color_by!r}'
            )
        return None
    numbers = np.asarray(color_by, dtype=np.float64)
    if numbers.shape != (n_regions,):
        raise InvalidInput(
            f"color_by must have one number per region, shape ({n_regions},), got {numbers.shape}"
        )
    return numbers


def _classes(regions: lr.Regions) -> tuple[npt.NDArray[np.int64], dict[int, FloatArray]]:
    """Return every region's class, and the rows (see `_class_cells`) of those with several."""
    offsets, corners = regions.vertex_offsets, regions.vertices
    maps = regions.affine_maps()
    classes = np.empty(len(regions), dtype=np.int64)
    mixed: dict[int, FloatArray] = {}
    for start in range(0, len(regions), _REGIONS_AT_ONCE):
        stop = min(start + _REGIONS_AT_ONCE, len(regions))
        part = offsets[start : stop + 1]
        region = np.repeat(np.arange(start, stop), np.diff(part))
        block = corners[part[0] : part[-1]]
        values = scores(np.einsum("kod,kd->ko", maps[region], block))
        classes[start:stop], several = corner_classes(values, part - part[0])
        for i in np.flatnonzero(several):
            own = slice(part[i] - part[0], part[i + 1] - part[0])
            mixed[start + int(i)] = np.hstack([block[own, :2], values[own]])
    return classes, mixed


@dataclass(frozen=True)
class LinePicture:
    """What a picture of regions on a line consists of.

    Attributes
    ----------
    ends : float64 array, shape (R, 2)
        Both ends of every region, in order along the line.
    outputs : float64 array, shape (n_out, R, 2)
        Outputs at those ends.
    colors : float64 array, shape (R, 3), or None
    numbers : float64 array, shape (R,), or None
        Given instead of `colors` where a colour map is to be used.
    """

    ends: FloatArray
    outputs: FloatArray
    colors: FloatArray | None
    numbers: FloatArray | None


def line_picture(
    regions: lr.Regions,
    color_by: str | npt.ArrayLike = "region",
    palette: Palette = PALETTES["light"],
) -> LinePicture:
    """Return ends, outputs and colours of bounded regions on a line.

    Parameters
    ----------
    regions : Regions
        Of a bounded domain of dimension 1.
    color_by : "region", "class" or array_like of float, shape (R,)
        "class" takes the class in the middle of each region.
    palette : Palette

    Returns
    -------
    LinePicture
    """
    numbers = given_numbers(color_by, len(regions))
    ends = np.sort(regions.vertices[:, 0].reshape(-1, 2), axis=1)
    order = np.argsort(ends[:, 0], kind="stable")
    ends = ends[order]
    maps = regions.affine_maps()[order]
    outputs = maps[:, :, :1] * ends[:, None, :] + maps[:, :, 1:]
    if numbers is not None:
        return LinePicture(ends, outputs.transpose(1, 0, 2), None, numbers[order])
    shade = shades(regions)[order]
    if color_by == "class":
        classes = scores(outputs.mean(axis=2)).argmax(axis=1)
        colors = class_colors(shade, classes, palette)
    else:
        colors = region_colors(shade, palette)
    return LinePicture(ends, outputs.transpose(1, 0, 2), colors, None)


def default_view(vertices: FloatArray) -> Limits:
    """Return limits around the middle half of the corners, for unbounded domains.

    Parameters
    ----------
    vertices : float64 array, shape (total, d + 1)
        Homogeneous; rows that end in 0 are directions.

    Returns
    -------
    ((low, high), ...)
        One pair per coordinate.
    """
    corners = vertices[vertices[:, -1] != 0.0, :-1]
    if not len(corners):
        return ((-1.0, 1.0), (-1.0, 1.0))[: vertices.shape[1] - 1]
    quarter, middle, three_quarters = np.percentile(corners, [25.0, 50.0, 75.0], axis=0)
    half = 2.0 * np.maximum(three_quarters - middle, middle - quarter)
    half[half == 0.0] = 1.0
    ends = zip(middle - half, middle + half, strict=True)
    return tuple((float(low), float(high)) for low, high in ends)


def clip_to_view(domain: lr.Domain, input_shape: tuple[int, ...], view: Limits) -> lr.Domain:
    """Return the part of a domain within limits on its own coordinates.

    Parameters
    ----------
    domain : Domain
    input_shape : tuple of int
    view : ((low, high), ...)
        One pair per coordinate of the domain.

    Returns
    -------
    Domain

    Raises
    ------
    InvalidInput
        If there is not one pair of limits per coordinate.
    DegenerateInput
        If nothing of the domain is in view.
    Unsupported
        If the domain lies in a smaller affine hull that only exact arithmetic finds.
    """
    import linear_regions as lr

    where = domain.resolve(input_shape)
    table = np.asarray(view, dtype=np.float64)
    if table.shape != (where.dim, 2):
        raise InvalidInput(
            f"view must be one (low, high) per coordinate of the domain, shape ({where.dim}, 2), "
            f"got {table.shape}"
        )
    low, high = table.T
    if isinstance(where, lr.Space):
        return lr.Box(low, high)
    if isinstance(where, lr.Box):
        sides = where.low.copy(), where.high.copy()
        sides[0][where.free] = np.maximum(where.low[where.free], low)
        sides[1][where.free] = np.minimum(where.high[where.free], high)
        return lr.Box(*sides)
    if isinstance(where, lr.Segment):
        return lr.Slice(where.a, (where.b - where.a)[None], lr.Box(low, high))
    if isinstance(where, lr.Polytope) and where.dim == where.ambient_dim:
        return _cut(where, low, high)
    if isinstance(where, lr.Slice) and where.dim == len(where.directions):
        inner: lr.Box | lr.Polytope = lr.Box(low, high)
        if isinstance(where.domain, lr.Box):
            inner = lr.Box(np.maximum(where.domain.low, low), np.minimum(where.domain.high, high))
        elif isinstance(where.domain, lr.Polytope):
            inner = _cut(where.domain, low, high)
        return lr.Slice(where.origin, where.directions, inner, within=where.within)
    raise Unsupported(
        f"a view of {type(where).__name__} in a smaller affine hull; cut the domain itself"
    )


def _cut(domain: lr.Polytope, low: FloatArray, high: FloatArray) -> lr.Polytope:
    import linear_regions as lr

    unit = np.eye(len(low))
    return lr.Polytope(
        np.vstack([domain.A, unit, -unit]),
        np.concatenate([domain.b, high, -low]),
        domain.A_eq,
        domain.b_eq,
    )
