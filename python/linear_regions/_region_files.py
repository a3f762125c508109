# SPDX-License-Identifier: MIT
"""Tables of regions in files, with their network and their domain."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from ._frame import domain_frame
from ._lineality import Quotient, quotient_of
from ._lower import frame_of, program
from ._npy import DAMAGE
from ._npz import corrupt, network_of, parts_of, read_container, write_container
from ._region_columns import PLAIN, Columns, ExactPoints, Faces
from ._region_table import Regions
from .domain import Ball, Box, Domain, Polytope, Segment, Slice, Space
from .errors import CorruptFile, LinearRegionsError
from .network import Network
from .result import RegionCount

__all__ = ["REGIONS_VERSION", "check_columns", "load_regions", "save_regions"]

REGIONS_VERSION = 2  # of files without faces; the others are still of version 1

Arrays = dict[str, npt.NDArray[Any]]
# Fields of a count that are plain; work and related bounds stay behind.
_COUNT = (
    *("value", "what", "kind", "status", "method", "arithmetic", "error_probability"),
    *("seconds", "reference", "version"),
)
_KINDS: dict[str, type[Domain]] = {
    kind.__name__: kind for kind in (Ball, Box, Polytope, Segment, Slice, Space)
}
_TYPES = {
    "patterns": np.uint64,
    "interior_points": np.float64,
    "bounded": np.bool_,
    "vertices": np.float64,
    "vertex_offsets": np.int64,
    "facet_rows": np.float64,
    "facet_labels": np.int32,
    "facet_offsets": np.int64,
    "corner_offsets": np.int64,
    "corners": np.int64,
}


def save_regions(table: Regions, path: str | PathLike[str]) -> None:
    """Write a table of regions; an existing file is replaced in one step (see `Regions.save`)."""
    arrays: Arrays = {}
    network, weights = parts_of(table.network)
    arrays.update({f"network.{name}": array for name, array in weights.items()})
    header = {
        "network": network,
        "domain": _domain_parts(table.domain, "domain", arrays),
        "place": _domain_parts(table.place, "place", arrays),
        "whole": table._whole,
        "faces": table.columns.faces is not None,
        "count": {name: getattr(table.count, name) for name in _COUNT},
        "exact_points": {
            str(i): [f"{v.numerator:x}/{v.denominator:x}" for v in point]
            for i, point in table.columns.exact_points.items()
        },
    }
    arrays["embedding"] = table.embedding
    arrays.update({f"column.{name}": array for name, array in table.columns.arrays().items()})
    version = 1 if table.columns.faces is not None else REGIONS_VERSION
    write_container(path, "regions", version, header, arrays)


def load_regions(path: str | PathLike[str]) -> Regions:
    """Read a table that `save_regions` wrote (see `Regions.load`)."""
    header, arrays = read_container(path, "regions", REGIONS_VERSION)
    try:
        return _table(header, arrays)
    except (LinearRegionsError, *DAMAGE) as error:
        raise corrupt(path, error) from error


def _table(header: Mapping[str, Any], arrays: Arrays) -> Regions:
    prefix = "network."
    weights = {n.removeprefix(prefix): arrays.pop(n) for n in list(arrays) if n.startswith(prefix)}
    net = network_of(header["network"], weights)
    domain = _domain(header["domain"], "domain", arrays).resolve(net.input_shape)
    place = _domain(header["place"], "place", arrays).resolve(net.input_shape)
    has_faces = header.get("faces", True)  # older files do not say
    if type(has_faces) is not bool:
        raise CorruptFile("it does not say whether its regions have faces")
    named = {name: arrays.pop(f"column.{name}") for name in (_TYPES if has_faces else PLAIN)}
    columns = Columns.of(named, _exact_points(header["exact_points"]), has_faces)
    embedding = arrays.pop("embedding")
    if arrays:
        raise CorruptFile(f"arrays that belong to nothing: {', '.join(sorted(arrays))}")
    frame = domain_frame(place, net.input_shape)
    check_columns(columns, net, frame.dim, len(frame.sides) + 4)
    if not np.array_equal(embedding, frame.columns):
        raise CorruptFile("the embedding is not that of the domain")
    count = header["count"]
    if set(count) != set(_COUNT) or type(header["whole"]) is not bool:
        raise CorruptFile("the count has other fields")
    quotient: Quotient | None = None
    if frame.dim > 2:
        quotient = quotient_of(program(net), frame, frame_of(frame))
    return Regions(
        net,
        domain,
        RegionCount(**count),
        columns,
        embedding,
        whole=header["whole"],
        quotient=quotient,
        place=place,
    )


def _domain_parts(domain: Domain, name: str, arrays: Arrays) -> dict[str, Any]:
    kind = type(domain).__name__
    parts: dict[str, Any] = {"kind": kind}
    for field, value in zip(domain._fields, domain._state(), strict=True):
        if isinstance(value, Domain):
            parts[field] = _domain_parts(value, f"{name}.{field}", arrays)
        elif isinstance(value, np.ndarray):
            arrays[f"{name}.{field}"] = value
            parts[field] = "array"
        else:
            parts[field.lstrip("_")] = value
    return parts


def _domain(parts: Mapping[str, Any], name: str, arrays: Arrays) -> Domain:
    kind = _KINDS[parts["kind"]]
    names = [field.lstrip("_") for field in kind._fields]  # of the constructor's arguments
    if set(parts) != {"kind", *names}:
        raise CorruptFile(f"a {parts['kind']} has the fields {sorted(parts)}")
    values = {}
    for field in names:
        value = parts[field]
        if isinstance(value, dict):
            value = _domain(value, f"{name}.{field}", arrays)
        elif value == "array":
            value = arrays.pop(f"{name}.{field}")
        values[field] = value
    return kind(**values)  # the constructors check


def _exact_points(given: Mapping[str, list[str]]) -> ExactPoints:
    found = {}
    for number, point in given.items():
        pairs = [text.split("/") for text in point]
        found[int(number)] = tuple(Fraction(int(a, 16), int(b, 16)) for a, b in pairs)
    return found


def check_columns(columns: Columns, net: Network, d: int, most_sides: int) -> None:
    """Check everything that other code relies on: shapes, types, and that offsets lead somewhere.

    Raises
    ------
    CorruptFile
        If something does not hold.
    """
    n = len(columns.bounded)
    words = (net.pattern_bits + 63) // 64
    _check_shapes(columns, {"patterns": (n, words), "interior_points": (n, d), "bounded": (n,)})
    spare = 64 * words - net.pattern_bits
    if n and spare and (columns.patterns[:, -1] >> np.uint64(64 - spare)).any():
        raise CorruptFile("a pattern has more bits than the network")
    if any(not 0 <= i < n or len(p) != d for i, p in columns.exact_points.items()):
        raise CorruptFile("an exact point belongs to no region")
    if columns.faces is not None:
        _check_faces(columns.faces, n, d, net, most_sides)


def _check_shapes(columns: Columns | Faces, shapes: dict[str, tuple[int, ...]]) -> None:
    for name, shape in shapes.items():
        array = getattr(columns, name)
        if array.dtype != _TYPES[name] or array.shape != shape:
            raise CorruptFile(f"column {name} has shape {array.shape}, dtype {array.dtype}")


def _check_faces(faces: Faces, n: int, d: int, net: Network, most_sides: int) -> None:
    shapes: dict[str, tuple[int, ...]] = {
        "vertices": (len(faces.vertices), d + 1),
        "vertex_offsets": (n + 1,),
        "facet_rows": (len(faces.facet_labels), d + 1),
        "facet_labels": (len(faces.facet_labels), 3),
        "facet_offsets": (n + 1,),
        "corner_offsets": (len(faces.facet_labels) + 1,),
        "corners": (len(faces.corners),),
    }
    _check_shapes(faces, shapes)
    ends = {
        "vertex_offsets": len(faces.vertices),
        "facet_offsets": len(faces.facet_labels),
        "corner_offsets": len(faces.corners),
    }
    for name, end in ends.items():
        offsets = getattr(faces, name)
        if offsets[0] != 0 or offsets[-1] != end or (np.diff(offsets) < 0).any():
            raise CorruptFile(f"column {name} does not ascend from 0 to {end}")
    bits, ranges = faces.facet_labels[:, 0], faces.facet_labels[:, 1:]
    if len(bits) and (bits.max() >= max(net.pattern_bits, 1) or bits.min() < -most_sides):
        raise CorruptFile("a facet names no unit and no side")
    if len(ranges) and (ranges.min() < -1 or ranges.max() >= 1 << 24):
        raise CorruptFile("a facet names no entry of a window")
    owners = np.repeat(np.arange(n), np.diff(faces.facet_offsets))
    owners = np.repeat(owners, np.diff(faces.corner_offsets))
    low, high = faces.vertex_offsets[:-1][owners], faces.vertex_offsets[1:][owners]
    if ((faces.corners < low) | (faces.corners >= high)).any():
        raise CorruptFile("a facet has a corner that is no vertex of its region")
