# SPDX-License-Identifier: MIT
"""The commands: each takes parsed arguments and returns what is to be written."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from ._architecture_text import read_architecture
from ._cli_inputs import load_model, model_name, other_than_model, place_of
from ._cli_outputs import check_output, check_picture
from ._domain_files import Place, read_segment
from ._format import grouped, time_text
from ._report import Report, default_samples, describe_domain, describe_network, report
from ._report_text import (
    align,
    count_remark,
    covered,
    labelled,
    network_line,
    report_text,
)
from .errors import InvalidInput, MissingExtra

if TYPE_CHECKING:
    import linear_regions as lr

__all__ = [
    "COMMANDS",
    "Output",
    "count_text",
    "draw",
    "model_head",
    "partial_output",
    "run_options",
]


@dataclass(frozen=True)
class Output:
    """What a command found, in both forms.

    Attributes
    ----------
    text : callable
        Makes the text; not called with ``--json``.
    data : callable
        Makes the JSON types; called only with ``--json``.
    """

    text: Callable[[], str]
    data: Callable[[], Mapping[str, Any]]


def model_head(options: argparse.Namespace, net: lr.Network, place: Place | None) -> dict[str, Any]:
    data: dict[str, Any] = {"model": describe_network(net, model_name(options))}
    if place is not None:
        data["domain"] = {"description": place.text, **describe_domain(place.domain)}
    return data


def run_options(options: argparse.Namespace) -> dict[str, Any]:
    names = ("threads", "limit", "time_limit", "progress")
    return {name: getattr(options, name) for name in names if hasattr(options, name)}


def _report(options: argparse.Namespace) -> Output:
    from . import _svg

    if options.html or options.plot:
        _svg.needs_matplotlib()
    check_output(options.html)
    check_picture(options.plot)
    net = load_model(options)
    place = place_of(options, net, stand_in=True)
    run = run_options(options)
    made = report(
        net,
        place,
        name=model_name(options),
        segment=read_segment(options.segment, net.input_shape) if options.segment else None,
        samples=options.samples,
        rng=options.seed,
        pictures=bool(options.html or options.plot),
        **run,
    )
    written = _write_pictures(options, made)

    def text() -> str:
        last = [(name, [path]) for name, path in written.items()]
        if not last and find_spec("matplotlib") is None:
            last.append(("picture", [str(MissingExtra("A picture of the regions", "plot"))]))
        return "\n\n".join([report_text(made), *([labelled(last)] if last else [])])

    return Output(text, lambda: {**made.to_dict(), "files": written})


def _write_pictures(options: argparse.Namespace, made: Report) -> dict[str, str]:
    """Write the page and the picture where they are wanted; return their names."""
    written = {}
    if options.html:
        from ._report_html import report_html

        Path(options.html).write_text(report_html(made), encoding="utf-8", errors="replace")
        written["page"] = str(options.html)
    if options.plot:
        if made.regions is None:
            raise InvalidInput(f"--plot: there is no picture ({'; '.join(made.notes)})")
        draw(made.regions, made.place, options.plot, _color_by(made.network))
        written["picture"] = str(options.plot)
    return written


def _color_by(net: lr.Network) -> str:
    return "class" if int(np.prod(net.output_shape)) > 1 else "region"


def draw(
    regions: lr.Regions,
    place: Place,
    path: str,
    color_by: str,
    theme: Any = "light",
    boundary: lr.DecisionBoundary | None = None,
) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    import linear_regions as lr

    # A figure of its own: pyplot would bring windows and global state.
    figure = Figure(figsize=(8.0, 7.4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    lr.plot(
        regions,
        ax=figure.add_subplot(),
        color_by=color_by,
        decision_boundary=color_by == "class" if boundary is None else boundary,
        points=place.points,
        labels=place.labels or None,
        theme=theme,
    )
    try:
        figure.savefig(path, bbox_inches="tight")
    except (ValueError, RuntimeError) as error:  # an unknown ending; one that needs LaTeX
        raise InvalidInput(f"{path}: {error}") from error


def _count(options: argparse.Namespace) -> Output:
    import linear_regions as lr

    if options.out is not None and options.shard is None:
        raise InvalidInput("--out belongs to --shard; a count is kept with --checkpoint FILE")
    net = load_model(options)
    place = place_of(options, net)
    question = {"method": options.method, "arithmetic": options.arithmetic}
    if options.shard is None:
        result = lr.count(
            net,
            place.domain,
            what=options.what,
            checkpoint=options.checkpoint,
            **question,
            **run_options(options),
        )
    else:
        shard = _shard(options)
        limits = {k: v for k, v in run_options(options).items() if k != "limit"}
        result = lr.count_shard(
            net, place.domain, shard=shard, out=options.out, **question, **limits
        )
    return Output(
        lambda: labelled(
            [
                ("model", [network_line(net, model_name(options))]),
                ("domain", [place.text]),
                ("regions", [count_text(result)]),
            ]
        ),
        lambda: {**model_head(options, net, place), "count": result.to_dict()},
    )


def _shard(options: argparse.Namespace) -> tuple[int, int]:
    number, slash, n = options.shard.partition("/")
    if not (slash and number.isdecimal() and n.isdecimal()):
        raise InvalidInput(f"--shard: expected I/N, as in 3/16, got {options.shard!r}")
    if options.out is None:
        raise InvalidInput("--shard writes a part for 'merge': give it a place with --out FILE")
    if options.what != "activation" or options.checkpoint is not None or options.limit is not None:
        raise InvalidInput(
            "--shard counts activation regions without --limit, and --out is its checkpoint: leave "
            "--what, --limit and --checkpoint out"
        )
    return int(number), int(n)


def count_text(count: lr.RegionCount) -> str:
    return (
        f"{grouped(count.value)} ({count.what}; {count_remark(count)}; {count.method}, "
        f"{time_text(count.seconds)})"
    )


def _bounds(options: argparse.Namespace) -> Output:
    import linear_regions as lr

    if other_than_model(options):
        return _bounds_of_architecture(options)
    net = load_model(options)
    place = place_of(options, net)
    if not _asked(options):
        place = Place(None, f"the whole input space, dimension {net.input_size}")
    found = lr.bounds(net, place.domain)
    start = [("model", [network_line(net, model_name(options))]), ("domain", [place.text])]
    return Output(
        lambda: labelled(start) + "\n\n" + _bounds_text(found),
        lambda: {**model_head(options, net, place), "bounds": found.to_dict()},
    )


def _bounds_of_architecture(options: argparse.Namespace) -> Output:
    import linear_regions as lr

    name: Any
    if options.mlp:
        widths = list(options.mlp)
        arch = lr.Architecture.mlp(widths, activation=options.activation or "relu")
        name, title = {"widths": widths}, "dense network " + "-".join(map(str, widths))
    else:
        arch = read_architecture(options.arch, options.activation or "relu")
        name, title = options.arch.strip(), f"{options.arch.strip()}: {arch!r}"
    place = place_of(options, arch) if _asked(options) else Place(None, "")
    found = lr.bounds(arch, place.domain)
    start = [("model", [title]), *([("domain", [place.text])] if place.text else [])]
    return Output(
        lambda: labelled(start) + "\n\n" + _bounds_text(found),
        lambda: {"architecture": name, "bounds": found.to_dict()},
    )


def _asked(options: argparse.Namespace) -> bool:
    return bool(options.box or options.vnnlib or options.slice or options.segment)


def _bounds_text(found: lr.Bounds) -> str:
    signs = {"lower": ">=", "upper": "<=", "exact": "="}
    best = (found.upper, found.lower)
    ordered = sorted(found, key=lambda bound: -bound.value)
    cells = [
        [
            bound.name,
            f"{bound.of} {signs[bound.kind]}",
            grouped(bound.value),
            "best" if bound in best else "",
        ]
        for bound in ordered
    ]
    parts = [
        align(cells, ("left", "right", "right", "left")),
        "sources\n" + _indented([f"{bound.name}: {_source(bound)}" for bound in ordered]),
    ]
    if found.orders:
        orders = [f"{item.name}: {item.of} {item.order}; {item.reference}" for item in found.orders]
        parts.append("orders of growth\n" + _indented(orders))
    if found.not_applicable:
        missing = [f"{item.name}: {item.reason}" for item in found.not_applicable]
        parts.append("no number from\n" + _indented(missing))
    return "\n\n".join(parts)


def _source(bound: lr.Bound) -> str:
    return "; ".join([bound.reference, *bound.assumptions])


def _indented(lines: list[str]) -> str:
    style: dict[str, Any] = {"initial_indent": "  ", "subsequent_indent": "    "}
    return "\n".join(fill(line, 100, **style) for line in lines)


def _maximum(options: argparse.Namespace) -> Output:
    import linear_regions as lr

    def spread(value: tuple[int, ...]) -> int | tuple[int, ...]:
        return value[0] if len(value) == 1 else value

    spec = lr.ConvSpec(
        filters=options.filters,
        kernel_size=spread(options.kernel),
        stride=spread(options.stride),
        padding=spread(options.padding),
        dilation=spread(options.dilation),
        groups=options.groups,
    )
    result = lr.one_layer_maximum(
        options.input_shape,
        spec,
        breakpoints=options.breakpoints,
        weights=options.weights,
        bias=options.bias,
        breakpoint_at_zero=not options.breakpoint_away,
        method=options.method,
        rng=options.seed,
        time_limit=options.time_limit,
        checkpoint=options.checkpoint,
    )
    entries = [
        ("layer", [f"{spec} on an input of shape {options.input_shape}"]),
        ("maximum", [count_text(result)]),
        *((name, [grouped(bound.value)]) for name, bound in result.related.items()),
    ]
    data = {
        "layer": {"input_shape": list(options.input_shape), "spec": repr(spec)},
        "maximum": result.to_dict(),
    }
    if options.bounded:
        bounded = lr.one_layer_bounded(
            options.input_shape,
            spec,
            breakpoints=options.breakpoints,
            weights=options.weights,
            rng=options.seed,
            time_limit=options.time_limit,
        )
        entries.append(("bounded", [count_text(bounded)]))
        data["bounded"] = bounded.to_dict()
    return Output(lambda: labelled(entries), lambda: data)


def _sample(options: argparse.Namespace) -> Output:
    import linear_regions as lr

    net = load_model(options)
    place = place_of(options, net)
    distribution = options.distribution or ("normal" if place.domain is None else "uniform")
    n = default_samples(net) if options.n is None else options.n
    result = lr.sample(
        net,
        place.domain,
        n,
        distribution=distribution,
        sketch=options.sketch,
        rng=options.seed,
        threads=options.threads,
        time_limit=options.time_limit,
    )
    start = [("model", [network_line(net, model_name(options))]), ("domain", [place.text])]
    return Output(
        lambda: labelled([*start, *_sample_entries(result)]),
        lambda: {
            **model_head(options, net, place),
            "seed": options.seed,
            "sample": result.to_dict(),
        },
    )


def _sample_entries(result: lr.SampleCount) -> list[tuple[str, list[str]]]:
    ending = "" if result.status == "complete" else f", {result.status}"
    error = f" with an error of {result.relative_error:.1%}" if result.relative_error else ""
    found = f"{grouped(result.distinct)} patterns{error} ({time_text(result.seconds)})"
    entries = [
        ("samples", [f"{grouped(result.samples)} ({result.source}{ending})"]),
        ("distinct", [found]),
        ("coverage", [f"about {covered(result)} lies in their regions"]),
    ]
    if result.saturated:
        remark = "nearly every sample is new: the number measures the sample size"
        return [*entries, ("saturated", [remark])]
    low, high = (grouped(round(end)) for end in result.interval)
    total = grouped(round(result.total_estimate))
    remark = f"at least {total} ({low} to {high} with {result.confidence:.0%}; Chao's estimate)"
    return [*entries, ("estimate", [remark])]


def _plot(options: argparse.Namespace) -> Output:
    import linear_regions as lr

    check_picture(options.output)
    net = load_model(options)
    place = place_of(options, net)
    dim = net.input_size if place.domain is None else place.domain.dim
    if dim is not None and dim > 2:
        raise InvalidInput(
            f"a picture needs a domain of one or two dimensions, got {dim}; take a plane with "
            "--slice FILE or a segment with --segment FILE"
        )
    listed = lr.regions(net, place.domain, **run_options(options))
    draw(listed, place, options.output, options.color_by or _color_by(net), options.theme)
    return Output(
        lambda: labelled(
            [
                ("model", [network_line(net, model_name(options))]),
                ("domain", [place.text]),
                ("regions", [count_text(listed.count)]),
                ("picture", [options.output]),
            ]
        ),
        lambda: {
            **model_head(options, net, place),
            "count": listed.count.to_dict(),
            "picture": options.output,
        },
    )


def _info(options: argparse.Namespace) -> Output:
    import linear_regions as lr

    net = load_model(options)
    entries = [
        ("model", [network_line(net, model_name(options)), *net.notes]),
        ("patterns", [f"{grouped(net.pattern_bits)} bits"]),
    ]
    return Output(
        lambda: labelled(entries) + "\n\n" + net.summary(),
        lambda: {**model_head(options, net, None), "build": lr.build_info()},
    )


def partial_output(partial: object) -> Output | None:
    """Return what Ctrl-C left behind, in both forms.

    Parameters
    ----------
    partial : object
        Of `Interrupted`.

    Returns
    -------
    Output or None
        None where nothing was found.
    """
    import linear_regions as lr

    if isinstance(partial, lr.Regions):
        partial = partial.count
    if isinstance(partial, Report):
        made = partial
        return Output(lambda: report_text(made), lambda: made.to_dict())
    if isinstance(partial, lr.RegionCount):
        count = partial
        return Output(
            lambda: labelled([("regions", [count_text(count)])]),
            lambda: {"count": count.to_dict()},
        )
    if isinstance(partial, lr.SampleCount):
        sample = partial
        return Output(
            lambda: labelled(_sample_entries(sample)), lambda: {"sample": sample.to_dict()}
        )
    return None


COMMANDS: dict[str, Callable[[argparse.Namespace], Output]] = {
    "report": _report,
    "count": _count,
    "bounds": _bounds,
    "max": _maximum,
    "sample": _sample,
    "plot": _plot,
    "info": _info,
}
