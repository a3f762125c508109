# SPDX-License-Identifier: MIT
"""A report as text for terminals; its rows also make the table of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from ._format import grouped, share_text, time_text

if TYPE_CHECKING:
    import linear_regions as lr

    from ._report import Report

__all__ = [
    "Row",
    "align",
    "count_remark",
    "covered",
    "labelled",
    "network_line",
    "report_text",
    "rows",
]

_WIDTH = 100


@dataclass(frozen=True)
class Row:
    """One number of a report.

    Attributes
    ----------
    kind : {"bound", "count", "sample"}
        How it was obtained.
    label : str
    value : int or None
        None where there is none.
    seconds : float or None
    remark : str
        How sure it is.
    """

    kind: str
    label: str
    value: int | None
    seconds: float | None
    remark: str


def report_text(made: Report) -> str:
    """Return a report as aligned text.

    Parameters
    ----------
    made : Report

    Returns
    -------
    str
        Without a newline at the end.
    """
    head = [
        ("model", [network_line(made.network, made.name), *made.network.notes]),
        ("domain", [made.place.text]),
    ]
    blocks = [f"linear-regions {made.version}", labelled(head), _table(rows(made))]
    blocks.append(made.network.summary())
    if made.notes:
        blocks.append(labelled([("notes", made.notes)]))
    return "\n\n".join(blocks)


def _table(groups: list[tuple[str, list[Row]]]) -> str:
    """Write the groups below each other, all with the same columns."""
    cells = [
        [
            row.label,
            "-" if row.value is None else grouped(row.value),
            "" if row.seconds is None else time_text(row.seconds),
            row.remark,
        ]
        for _, part in groups
        for row in part
    ]
    lines = iter(align(cells, ("left", "right", "right", "left"), "  ").split("\n"))
    return "\n\n".join("\n".join([title, *(next(lines) for _ in part)]) for title, part in groups)


def rows(made: Report) -> list[tuple[str, list[Row]]]:
    """Return the numbers of a report in groups with titles.

    Parameters
    ----------
    made : Report

    Returns
    -------
    list of (str, list of Row)
    """
    part: list[Row] = []
    seconds = made.seconds.get("bounds")
    if made.bounds is not None and made.bounds.upper is not None:
        part.append(_bound_row("upper bound", made.bounds.upper, seconds))
    if made.count is not None:
        part.append(_count_row("exact count", made.count))
    if made.sample is not None:
        part += _sample_rows(made)
    if made.bounds is not None and made.bounds.lower is not None:
        part.append(_bound_row("lower bound", made.bounds.lower, None))
    groups = [("activation regions in the domain", part)]
    if made.segment is not None and made.segment_count is not None:
        groups.append(
            (f"on the {made.segment.text}", [_count_row("exact count", made.segment_count)])
        )
    whole = made.space_bounds
    if whole is not None and whole.upper is not None:
        part = [_bound_row("upper bound", whole.upper, None)]
        best = whole.lower_of_maximum
        if best is not None and best.value > 1:
            part.append(_bound_row("some weights reach", best, None))
        groups.append((f"in all {whole.dim} dimensions of the input", part))
    return groups


def _bound_row(label: str, bound: lr.Bound, seconds: float | None) -> Row:
    return Row("bound", label, bound.value, seconds, f"theorem: {bound.name}")


def _count_row(label: str, count: lr.RegionCount) -> Row:
    label = label if count.kind == "exact" else "found so far"
    return Row("count", label, count.value, count.seconds, count_remark(count))


def count_remark(count: lr.RegionCount) -> str:
    """Say in a few words how sure a count is.

    Parameters
    ----------
    count : RegionCount

    Returns
    -------
    str
    """
    if count.status != "complete":
        return f"at least so many: stopped ({count.status.replace('_', ' ')})"
    if count.kind != "exact":
        kind = {"lower": "at least so many", "upper": "at most so many"}.get(count.kind, count.kind)
        return kind if count.arithmetic != "float" else f"{kind}: nothing is proved"
    if count.error_probability:
        return f"exact, but for a chance below {count.error_probability:.0e}"
    return "certified: no tolerance took part"


def _sample_rows(made: Report) -> list[Row]:
    sample = made.sample
    assert sample is not None
    label = f"found by {grouped(sample.samples)} samples"
    share = made.found_share
    if sample.saturated:
        remark = "saturated: nearly every sample is new, so this measures the sample size"
    elif share is not None:
        remark = f"{share_text(share)} of all; about {covered(sample)}"
    else:
        remark = f"about {covered(sample)} lies in them"
    found = Row("sample", label, sample.distinct, sample.seconds, remark)
    if sample.saturated:
        return [found]
    low, high = (grouped(round(end)) for end in sample.interval)
    remark = f"Chao's lower estimate, {low} to {high} ({sample.confidence:.0%})"
    total = Row("sample", "estimate from them", round(sample.total_estimate), None, remark)
    return [found, total]


def covered(sample: lr.SampleCount) -> str:
    """Say what share of what the patterns hold that were met.

    Parameters
    ----------
    sample : SampleCount

    Returns
    -------
    str

    Examples
    --------
    >>> from linear_regions import SampleCount
    >>> [covered(SampleCount(3, 8, coverage=0.75, source=law)) for law in ("uniform", "normal")]
    ['75% of the domain', '75% of the standard normal distribution']
    """
    whole = "the standard normal distribution" if sample.source == "normal" else "the domain"
    return f"{share_text(sample.coverage)} of {whole}"


def network_line(net: lr.Network, name: str) -> str:
    """Describe a network on one line.

    Parameters
    ----------
    net : Network
    name : str

    Returns
    -------
    str
    """
    return (
        f"{name}: {net.input_shape} -> {net.output_shape}, {grouped(net.n_units)} units, "
        f"{grouped(net.n_parameters)} parameters"
    )


def labelled(entries: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Write paragraphs behind labels of equal width.

    Parameters
    ----------
    entries : sequence of (str, sequence of str)

    Returns
    -------
    str

    Examples
    --------
    >>> print(labelled([("model", ["a", "b"]), ("domain", ["c"])]))
    model   a
            b
    domain  c
    """
    width = max(len(label) for label, _ in entries) + 2
    lines = []
    for label, paragraphs in entries:
        texts = [line for text in paragraphs for line in wrap(text, _WIDTH - width) or [""]]
        lines += [
            f"{label if i == 0 else '':<{width}}{text}".rstrip() for i, text in enumerate(texts)
        ]
    return "\n".join(lines)


def align(cells: Sequence[Sequence[str]], sides: Sequence[str], indent: str = "") -> str:
    """Write rows of cells in columns.

    Parameters
    ----------
    cells : sequence of sequences of str
    sides : sequence of {"left", "right"}
        One per column.
    indent : str

    Returns
    -------
    str

    Examples
    --------
    >>> print(align([["a", "1"], ["bcd", "23"]], ("left", "right")))
    a     1
    bcd  23
    """
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        padded = [
            cell.ljust(width) if side == "left" else cell.rjust(width)
            for cell, width, side in zip(row, widths, sides, strict=True)
        ]
        lines.append((indent + "  ".join(padded)).rstrip())
    return "\n".join(lines)
