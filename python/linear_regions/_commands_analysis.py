# SPDX-License-Identifier: MIT
"""The commands that compare architectures and average over random weights."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from ._architecture_text import read_architecture
from ._cli_inputs import load_model, model_name, other_than_model, place_of
from ._cli_outputs import check_picture
from ._commands import Output
from ._domain_files import Place
from ._format import time_text
from ._report import describe_domain
from ._report_text import labelled

__all__ = ["ANALYSIS_COMMANDS"]


def _compare(options: argparse.Namespace) -> Output:
    import linear_regions as lr

    check_picture(options.plot)
    texts = [text.strip() for text in options.architectures]
    archs = [read_architecture(text, options.activation or "relu") for text in texts]
    names = list(texts)
    for twin, match in ((options.dense_twin, "dense"), (options.shallow_twin, "shallow")):
        if twin:
            make = lr.fully_connected_twin if match == "dense" else lr.shallow_twin
            archs.append(make(archs[0], match=twin))
            names.append(f"{match}, equal {twin}")
    table = lr.compare_per_parameter(*archs, names=names)
    if options.plot:
        _save_picture(table, options.plot)
    verdicts = [table.verdict(0, i) for i in range(1, len(table))]

    def text() -> str:
        return "\n\n".join([repr(table), "\n".join(verdicts)])

    def data() -> dict[str, Any]:
        return {**table.to_dict(), "verdicts": verdicts, "picture": options.plot}

    return Output(text, data)


def _save_picture(table: Any, path: str) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = table.plot().figure
    FigureCanvasAgg(figure)
    figure.savefig(path)


def _expected(options: argparse.Namespace) -> Output:
    import linear_regions as lr

    subject: lr.Architecture | lr.Network
    if other_than_model(options):
        subject = read_architecture(options.arch, options.activation or "relu")
        name = options.arch.strip()
        # The shipped model's plane belongs to the shipped model.
        options.space = options.space or not (
            options.box or options.vnnlib or options.slice or options.segment
        )
    else:
        subject, name = load_model(options), model_name(options)
    place: Place = place_of(options, subject)
    found = lr.expected(
        subject,
        place.domain,
        trials=options.trials,
        bias_std=options.bias_std,
        rng=options.seed,
        confidence=options.confidence,
        threads=options.threads,
        time_limit=options.time_limit,
    )

    def text() -> str:
        low, high = found.interval
        return labelled(
            [
                ("model", [f"{name}: {subject!r}"]),
                ("domain", [place.text]),
                ("weights", [f"{found.init}, {found.trials} random networks ({found.status})"]),
                ("regions", [f"{found.mean:.6g} on average ({time_text(found.seconds)})"]),
                ("interval", [f"{low:.6g} to {high:.6g} with {found.confidence:.0%}"]),
            ]
        )

    def data() -> dict[str, Any]:
        domain = {"description": place.text, **describe_domain(place.domain)}
        return {
            "model": name,
            "domain": domain,
            "seed": options.seed,
            "expectation": found.to_dict(),
        }

    return Output(text, data)


ANALYSIS_COMMANDS: dict[str, Callable[[argparse.Namespace], Output]] = {
    "compare": _compare,
    "expected": _expected,
}
