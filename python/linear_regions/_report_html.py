# SPDX-License-Identifier: MIT
"""A report as one page: no scripts, no fonts, no images from elsewhere."""

from __future__ import annotations

import math
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from ._format import grouped, time_text
from ._report_text import count_remark, network_line, rows
from ._svg import line_svg, needs_matplotlib, plane_svg, thumbnail

if TYPE_CHECKING:
    import linear_regions as lr

    from ._report import Report

__all__ = ["report_html"]

_PLANE_CAPTION = (
    "Every polygon is one activation region: a convex set of inputs on which the network is a "
    "single affine map. Neighbours differ in lightness."
)
_CLASS_CAPTION = (
    " The hue is the class that the network chooses; the line between classes comes from the "
    "affine maps themselves, not from a grid of samples."
)
_LINE_CAPTION = (
    "Every band is one activation region of the segment; the curves are the outputs, each a "
    "straight line on each band."
)


def report_html(made: Report) -> str:
    """Return a report as a self-contained HTML page.

    Parameters
    ----------
    made : Report
        Made with ``pictures=True``.

    Returns
    -------
    str

    Raises
    ------
    MissingExtra
        If Matplotlib is not installed.
    """
    needs_matplotlib()
    title = f"Linear regions of {made.name}"
    sections = [
        _header(made),
        _plane(made),
        _notes(made),
        _numbers(made),
        _line(made),
        _bounds(made),
        _network(made),
        _how(made),
    ]
    style = (files("linear_regions") / "data" / "report.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(section for section in sections if section)
        + f"\n<footer>Made by linear-regions {escape(made.version)}.</footer>\n"
        "</main>\n</body>\n</html>\n"
    )


def _header(made: Report) -> str:
    lines = [
        f"<h1>Linear regions of {escape(made.name)}</h1>",
        f'<p class="lead">{escape(_sentence(made.place.text))}</p>',
    ]
    count = made.count
    if count is not None:
        remark = count_remark(count).partition(":")[0]
        lines.append(
            f'<p class="hero"><strong>{grouped(count.value)}</strong> '
            f"<span>{escape(count.what)} regions, {escape(remark)}, counted in "
            f"{time_text(count.seconds)}</span></p>"
        )
    return "<header>\n" + "\n".join(lines) + "\n</header>"


def _plane(made: Report) -> str:
    if made.regions is None or not len(made.regions) or not made.regions.bounded.all():
        return ""
    if made.regions.dim == 1:
        return _figure(line_svg(made.regions, _description(made)), _LINE_CAPTION)
    if made.regions.dim != 2:
        return ""
    from ._plot import coordinates

    points = None
    if made.place.points is not None:
        points = coordinates(made.place.points, made.regions)
    drawing, legend = plane_svg(made.regions, _description(made), points, made.place.labels)
    caption = _PLANE_CAPTION
    if math.prod(made.network.output_shape) > 1:
        caption += _CLASS_CAPTION
    return _figure(drawing, caption, legend + _inputs(made))


def _figure(drawing: str, caption: str, below: str = "") -> str:
    return f"<figure>\n{drawing}\n{below}<figcaption>{escape(caption)}</figcaption>\n</figure>"


def _description(made: Report) -> str:
    count = made.count
    number = "" if count is None else f"{grouped(count.value)} {count.what} regions, "
    return f"{number}{made.place.text}, one polygon per region"


def _inputs(made: Report) -> str:
    """Show the points that span the plane, where they are images."""
    if made.place.points is None:
        return ""
    items = []
    for point, label in zip(made.place.points, made.place.labels, strict=True):
        image = thumbnail(point, f"input image: {label}")
        if image is None:
            return ""
        items.append(f"<li>{image}<span>{escape(label)}</span></li>")
    return f'<ul class="inputs">{"".join(items)}</ul>\n'


def _notes(made: Report) -> str:
    if not made.notes:
        return ""
    return (
        '<div class="notes">' + "".join(f"<p>{escape(note)}</p>" for note in made.notes) + "</div>"
    )


def _numbers(made: Report) -> str:
    lines = [
        "<h2>Bounds, count and samples</h2>",
        _scale(made),
        '<div class="scroll"><table>',
        '<thead><tr><th scope="col">what</th><th scope="col" class="number">regions</th>'
        '<th scope="col" class="number">time</th><th scope="col">how sure</th></tr></thead>',
    ]
    for title, part in rows(made):
        lines.append(f'<tbody><tr><th scope="rowgroup" colspan="4">{escape(title)}</th></tr>')
        for row in part:
            value = "-" if row.value is None else grouped(row.value)
            seconds = "" if row.seconds is None else time_text(row.seconds)
            lines.append(
                f'<tr><th scope="row">{escape(row.label)}</th>'
                f'<td class="number {row.kind}">{value}</td><td class="number">{seconds}</td>'
                f"<td>{escape(row.remark)}</td></tr>"
            )
        lines.append("</tbody>")
    lines.append("</table></div>")
    return "\n".join(lines)


def _scale(made: Report) -> str:
    """Draw the numbers of the domain on one logarithmic scale."""
    width, base, left, right = 720.0, 64.0, 12.0, 24.0
    bounds = made.bounds
    if made.count is None or bounds is None or bounds.upper is None or bounds.lower is None:
        return ""
    marks = [("count", "exact count", made.count.log10)]
    if made.count.kind != "exact":
        marks = [("count", "found so far", made.count.log10)]
    if made.sample is not None:
        marks.append(("sample", "sampled", made.sample.log10))
    high = max(bounds.upper.log10, *(value for _, _, value in marks), 1.0)

    def at(value: float) -> float:
        return left + (width - left - right) * max(value, 0.0) / high

    step = max(1, math.ceil(high / 8))
    parts = [f'<line class="axis" x1="{left}" x2="{width - right}" y1="{base}" y2="{base}"/>']
    for power in range(0, math.floor(high) + 1, step):
        x = at(power)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{base}" y2="{base + 6}"/>')
        text = f"1{'0' * power}" if power < 3 else f'10<tspan dy="-5" font-size="9">{power}</tspan>'
        parts.append(f'<text x="{x:.1f}" y="{base + 22}" text-anchor="middle">{text}</text>')
    low_end, high_end = at(bounds.lower.log10), at(bounds.upper.log10)
    parts.append(
        f'<rect class="bracket" x="{low_end:.1f}" y="{base - 7}" '
        f'width="{max(high_end - low_end, 1.0):.1f}" height="7"/>'
    )
    parts.append(
        f'<text class="bound" x="{high_end:.1f}" y="{base - 14}" text-anchor="end">'
        "proved by theorems</text>"
    )
    for level, (kind, label, value) in enumerate(marks):
        x, y = at(value), base - 14 - 18 * level
        parts.append(
            f'<rect class="{kind}" x="{x - 1.5:.1f}" y="{y}" width="3" height="{base - y}"/>'
        )
        anchor, shift = ("start", 7) if x < 0.6 * width else ("end", -7)
        parts.append(
            f'<text class="{kind}" x="{x + shift:.1f}" y="{y + 5}" '
            f'text-anchor="{anchor}">{label}</text>'
        )
    text = "Bounds, exact count and sampled count on a logarithmic scale; the numbers follow below"
    return (
        f'<svg class="scale" role="img" viewBox="0 0 {width:g} {base + 32:g}" '
        f'aria-label="{text}">{"".join(parts)}</svg>'
    )


def _line(made: Report) -> str:
    if made.segment is None or made.segment_regions is None or not len(made.segment_regions):
        return ""
    number = grouped(len(made.segment_regions))
    text = f"{number} activation regions on the {made.segment.text}, one band per region"
    return f"<h2>{escape(_sentence(made.segment.text))}: {number} regions</h2>\n" + _figure(
        line_svg(made.segment_regions, text), _LINE_CAPTION
    )


def _bounds(made: Report) -> str:
    parts = []
    for title, bounds in (
        ("Bounds in the domain", made.bounds),
        ("Bounds in the whole input space", made.space_bounds),
    ):
        if bounds is not None and len(bounds):
            parts.append(f"<h2>{title} (dimension {bounds.dim})</h2>\n{_bound_table(bounds)}")
    return "\n".join(parts)


def _bound_table(bounds: lr.Bounds) -> str:
    signs = {"lower": "&ge;", "upper": "&le;", "exact": "="}
    lines = [
        '<div class="scroll"><table><thead><tr><th scope="col">bound</th><th scope="col">of</th>'
        '<th scope="col" class="number">regions</th><th scope="col">source</th></tr></thead><tbody>'
    ]
    for bound in sorted(bounds, key=lambda bound: -bound.value):
        source = escape(bound.reference)
        if bound.assumptions:
            source += f'<br><span class="note">{escape("; ".join(bound.assumptions))}</span>'
        lines.append(
            f'<tr><th scope="row">{escape(bound.name)}</th><td>{escape(bound.of)}</td>'
            f'<td class="number bound">{signs[bound.kind]} {grouped(bound.value)}</td>'
            f"<td>{source}</td></tr>"
        )
    lines.append("</tbody></table></div>")
    if bounds.not_applicable:
        items = "".join(
            f"<li>{escape(missing.name)}: {escape(missing.reason)}</li>"
            for missing in bounds.not_applicable
        )
        lines.append(
            f"<details><summary>{len(bounds.not_applicable)} bounds do not apply here</summary>"
            f"<ul>{items}</ul></details>"
        )
    return "\n".join(lines)


def _network(made: Report) -> str:
    net = made.network
    lines = [
        "<h2>The network</h2>",
        f"<p>{escape(network_line(net, made.name))}</p>",
        *(f'<p class="note">{escape(note)}</p>' for note in net.notes),
        '<div class="scroll"><table><thead><tr><th scope="col" class="number">slot</th>'
        '<th scope="col">layer</th><th scope="col">shape</th></tr></thead><tbody>',
        f'<tr><td class="number">0</td><th scope="row">input</th><td>{net.input_shape}</td></tr>',
    ]
    for slot, (layer, shape) in enumerate(zip(net.layers, net.shapes[1:], strict=True), start=1):
        lines.append(
            f'<tr><td class="number">{slot}</td><th scope="row"><code>{escape(_layer_text(layer))}'
            f"</code></th><td>{shape}</td></tr>"
        )
    lines.append("</tbody></table></div>")
    return "\n".join(lines)


def _layer_text(layer: object) -> str:
    text = repr(layer)
    return text if len(text) <= 90 else text[:87] + "..."


def _how(made: Report) -> str:
    count = made.count
    lines = ["<h2>How the numbers were made</h2>"]
    if count is not None:
        work = ", ".join(f"{grouped(int(value))} {name}" for name, value in count.work.items())
        lines.append(
            f"<p>Count: method <code>{escape(count.method)}</code>, {escape(count.arithmetic)} "
            f"arithmetic, status {escape(count.status)}. Work: {escape(work)}.</p>"
        )
        lines.append(
            "<p>Certified: signs are decided in floating point where an error bound proves them, "
            "and in exact integers where it does not. The weights and the domain are taken as the "
            "exact numbers that they are in the file.</p>"
        )
    if made.sample is not None:
        sample = made.sample
        lines.append(
            f"<p>Samples: {grouped(sample.samples)} points, {escape(sample.source)}; a sampled "
            "count misses small regions, and the estimate from it is a lower one.</p>"
        )
    return "\n".join(lines)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
