# SPDX-License-Identifier: MIT
"""The command on the decision boundary of a classifier."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ._cli_inputs import load_model, model_name, place_of
from ._cli_outputs import check_output, check_picture
from ._commands import Output, draw, model_head, run_options
from ._format import grouped, time_text
from ._report_text import align, labelled, network_line

if TYPE_CHECKING:
    import linear_regions as lr

__all__ = ["BOUNDARY_COMMANDS"]


def _boundary(options: argparse.Namespace) -> Output:
    import linear_regions as lr

    check_output(options.output, ".npz")
    check_picture(options.plot)
    net = load_model(options)
    place = place_of(options, net)
    run = {**run_options(options), "method": options.method}
    found = lr.decision_boundary(net, place.domain, **run)
    files = {}
    if options.output:
        np.savez_compressed(options.output, **_arrays(found))
        files["file"] = options.output
    if options.plot:
        listed = lr.regions(net, place.domain, method=options.method, threads=options.threads)
        draw(listed, place, options.plot, "class", boundary=found)
        files["picture"] = options.plot

    def text() -> str:
        count = found.cells.count
        cells = f"{grouped(count.value)} (activation regions parted by class; certified)"
        entries = [
            ("model", [network_line(net, model_name(options))]),
            ("domain", [place.text]),
            ("cells", [cells]),
            ("boundary", [f"{grouped(len(found))} pieces ({time_text(count.seconds)})"]),
            *((name, [path]) for name, path in files.items()),
        ]
        parts = [labelled(entries)]
        if len(found):
            parts.append(align(_pair_rows(found), ("left", "right", "right")))
        if len(found) and not files:
            parts.append(align(_piece_rows(found), ("right", "right", "right", "left")))
        return "\n\n".join(parts)

    def data() -> dict[str, Any]:
        start = {
            **model_head(options, net, place),
            "cells": found.cells.count.to_dict(),
            "pieces": len(found),
            "pairs": [
                {"classes": list(pair), "pieces": n, "size": size}
                for pair, n, size in _pairs(found)
            ],
        }
        if files:
            return {**start, **files}
        return {**start, "boundary": [_piece_data(piece) for piece in found]}

    return Output(text, data)


def _pairs(found: lr.DecisionBoundary) -> list[tuple[tuple[int, int], int, float]]:
    """Return pairs of classes, lower one first, with the number and the size of their pieces."""
    pairs, of = np.unique(np.sort(found.classes, axis=1), axis=0, return_inverse=True)
    return [
        ((a, b), int((of == k).sum()), float(found.sizes[of == k].sum()))
        for k, (a, b) in enumerate(pairs.tolist())
    ]


def _pair_rows(found: lr.DecisionBoundary) -> list[list[str]]:
    rows = [["between classes", "pieces", "size"]]
    return rows + [[f"{a} and {b}", grouped(n), f"{size:.6g}"] for (a, b), n, size in _pairs(found)]


def _piece_rows(found: lr.DecisionBoundary) -> list[list[str]]:
    rows = [["piece", "classes", "size", "vertices"]]
    for number, piece in enumerate(found):
        ends = [" ".join(f"{v:.6g}" for v in vertex) for vertex in piece.vertices]
        ends += ["to " + " ".join(f"{v:.6g}" for v in way) for way in piece.directions]
        a, b = piece.classes
        rows.append([str(number), f"{a}, {b}", f"{piece.size:.6g}", "; ".join(ends)])
    return rows


def _piece_data(piece: lr.BoundaryPiece) -> dict[str, Any]:
    return {
        "classes": list(piece.classes),
        "normal": piece.normal.tolist(),
        "offset": piece.offset,
        "vertices": piece.vertices.tolist(),
        "directions": piece.directions.tolist(),
        "size": piece.size,
    }


def _arrays(found: lr.DecisionBoundary) -> dict[str, Any]:
    """Return the arrays of the file; vertices are homogeneous, as in `Regions`."""
    dim = found.cells.dim
    parts = [np.empty((0, dim + 1))]
    sizes = [0]
    for piece in found:
        for points, last in ((piece.vertices, 1.0), (piece.directions, 0.0)):
            parts.append(np.column_stack([points, np.full(len(points), last)]))
        sizes.append(len(piece.vertices) + len(piece.directions))
    return {
        "classes": found.classes,
        "rows": found.cells.facet_rows[found.facets],
        "sizes": found.sizes,
        "vertices": np.concatenate(parts),
        "vertex_offsets": np.cumsum(sizes),
        "embedding": found.cells.embedding,
    }


BOUNDARY_COMMANDS: dict[str, Callable[[argparse.Namespace], Output]] = {"boundary": _boundary}
