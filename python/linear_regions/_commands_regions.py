# SPDX-License-Identifier: MIT
"""The command that lists regions."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ._cli_inputs import load_model, model_name, place_of
from ._cli_outputs import check_output
from ._commands import Output, count_text, model_head, run_options
from ._domain_files import Place
from ._report_text import align, labelled, network_line

if TYPE_CHECKING:
    import linear_regions as lr

__all__ = ["REGION_COMMANDS"]


def _regions(options: argparse.Namespace) -> Output:
    import linear_regions as lr

    check_output(options.output, ".npz")
    net = load_model(options)
    place = place_of(options, net)
    question = {"what": options.what, "method": options.method, "faces": options.faces}
    listed = lr.regions(net, place.domain, **question, **run_options(options))
    if options.output:
        lr.save(listed, options.output)
    return _regions_output(options, net, place, listed)


def _regions_output(
    options: argparse.Namespace, net: lr.Network, place: Place, listed: lr.Regions
) -> Output:
    def text() -> str:
        entries = [
            ("model", [network_line(net, model_name(options))]),
            ("domain", [place.text]),
            ("regions", [count_text(listed.count)]),
        ]
        if options.output:
            return labelled([*entries, ("file", [options.output])])
        return labelled(entries) + "\n\n" + _table(listed)

    def data() -> dict[str, Any]:
        head = {**model_head(options, net, place), "count": listed.count.to_dict()}
        if options.output:
            return {**head, "file": options.output}
        rows = [_row(region, listed.has_faces) for region in listed]
        return {**head, "pattern_bits": listed.pattern_bits, "regions": rows}

    return Output(text, data)


def _table(listed: lr.Regions) -> str:
    faces = listed.has_faces
    extra = ["size", "vertices", "facets"] if faces else ["bounded"]
    cells = [["region", *extra, "units on", "interior point"]]
    if faces:
        volumes, facets = listed.volumes, np.diff(listed.facet_offsets)
    for i, region in enumerate(listed):
        point = " ".join(f"{value:.6g}" for value in region.interior_point)
        if faces:
            about = [f"{volumes[i]:.6g}", str(len(region.vertices)), str(facets[i])]
        else:
            about = ["yes" if region.bounded else "no"]
        cells.append([str(i), *about, str(int(region.bits().sum())), point])
    return align(cells, (*("right",) * (len(extra) + 2), "left"))


def _row(region: lr.Region, faces: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "pattern": [f"{int(word):016x}" for word in region.pattern],
        "interior_point": region.interior_point.tolist(),
    }
    if not faces:
        return {**row, "bounded": region.bounded}
    return {
        **row,
        "volume": region.volume,
        "bounded": region.bounded,
        "vertices": region.vertices.tolist(),
        "facets": [
            {"normal": f.normal.tolist(), "offset": f.offset, "bit": f.bit} for f in region.facets
        ],
    }


REGION_COMMANDS: dict[str, Callable[[argparse.Namespace], Output]] = {"regions": _regions}
