# SPDX-License-Identifier: MIT
"""Tables of regions for other packages, which are imported only when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import MissingExtra

if TYPE_CHECKING:
    from ._region_table import Regions

__all__ = ["to_networkx", "to_pandas"]


def to_networkx(table: Regions) -> Any:
    """Return the dual graph as a `networkx.Graph` (see `Regions.to_networkx`)."""
    table.columns.known_faces()  # first what no package mends
    try:
        import networkx  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtra("Regions.to_networkx", "networkx") from None
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(table)))
    i, j, facet = (column.tolist() for column in table.adjacency())
    graph.add_edges_from((a, b, {"facet": f}) for a, b, f in zip(i, j, facet, strict=True))
    return graph


def to_pandas(table: Regions) -> Any:
    """Return one row per region as a `pandas.DataFrame` (see `Regions.to_pandas`)."""
    try:
        import pandas  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtra("Regions.to_pandas", "pandas") from None
    words = np.ascontiguousarray(table.patterns.astype("<u8"))
    on = np.unpackbits(words.view(np.uint8), axis=1).sum(axis=1) if words.size else 0
    columns = {
        "pattern": [" ".join(f"{word:016x}" for word in row) for row in words.tolist()],
        "units_on": np.broadcast_to(np.asarray(on, dtype=np.int64), len(table)),
        "bounded": table.bounded,
    }
    if table.has_faces:
        columns["volume"] = table.volumes
        columns["vertices"] = np.diff(table.vertex_offsets)
        columns["facets"] = np.diff(table.facet_offsets)
    columns["proved"] = table.interior_proved
    points = {f"t{j}": table.interior_points[:, j] for j in range(table.dim)}
    return pandas.DataFrame({**columns, **points})
