# SPDX-License-Identifier: MIT
"""The table of the newest results, for the terminal, the README and the documentation.

``python -m benchmarks.table`` writes it into the pages, between two comments; ``--check`` only says
whether they are up to date.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["PAGES", "RESULTS", "full", "newest", "render", "replaced", "short"]

_ROOT = Path(__file__).parents[1]
RESULTS = _ROOT / "benchmarks" / "results"
PAGES = {"README.md": "short", "docs/benchmarks.md": "full"}
_START, _END = "<!-- measured cases: begin -->", "<!-- measured cases: end -->"

_Numbers = dict[str, Any]
_Column = tuple[str, Callable[[_Numbers], str]]


def significant(value: float, digits: int = 3) -> str:
    """Return a positive number with so many digits, without an exponent."""
    places = 0
    while places < 9 and round(value * 10**places) < 10 ** (digits - 1):
        places += 1
    return f"{value:,.{places}f}"


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{significant(seconds / size)} {unit}"
    return f"{significant(seconds / 1e-6)} µs"


def rate(per_second: float) -> str:
    """Return a number per second in millions or thousands."""
    if per_second >= 1e6:
        return f"{significant(per_second / 1e6)} M"
    return f"{significant(per_second / 1e3)} k"


def size(count: int | None) -> str:
    """Return a number of bytes in megabytes; less than a tenth is noise of the kernel."""
    if count is None:
        return ""
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else "< 0.1 MB"


def _optional(key: str, show: Callable[[Any], str]) -> Callable[[_Numbers], str]:
    def cell(case: _Numbers) -> str:
        return show(case[key]) if case.get(key) else ""

    return cell


_TEXT: _Column = ("network and domain", lambda case: case["text"])
_REGIONS: _Column = ("regions", lambda case: f"{case['regions']:,}")
_TIME: _Column = ("time", lambda case: duration(case["count"]["seconds"]))
_RATE: _Column = ("regions/s", lambda case: rate(case["count"]["regions_per_second"]))
_PLAIN: _Column = ("plain NumPy", _optional("yardstick", lambda it: duration(it["seconds"])))
_RATIO: _Column = ("ratio", _optional("ratio", lambda it: f"{significant(it, 2)}"))

_SHORT: tuple[_Column, ...] = (_TEXT, _REGIONS, _TIME, _RATE, _PLAIN, _RATIO)
_FULL: tuple[_Column, ...] = (
    _TEXT,
    _REGIONS,
    _TIME,
    _RATE,
    ("listed/s", lambda case: rate(case["list"]["regions_per_second"])),
    ("certified/float", lambda case: f"{case['certification']:.2f}"),
    ("two threads", _optional("two_threads", lambda it: f"{it['ratio']:.2f}")),
    ("memory", _optional("memory", lambda it: size(it["count"]))),
    ("memory, listing", _optional("memory", lambda it: size(it["list"]))),
    _PLAIN,
    _RATIO,
)


def _markdown(columns: Sequence[_Column], cases: Sequence[_Numbers]) -> str:
    rows = [[head for head, _ in columns]]
    rows += [[cell(case) for _, cell in columns] for case in cases]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def line(row: Sequence[str]) -> str:
        first = row[0].ljust(widths[0])
        others = [text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True)]
        return f"| {' | '.join([first, *others])} |"

    marks = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(rows[0]), line(marks), *map(line, rows[1:])]) + "\n"


def short(results: _Numbers) -> str:
    """Return the table with the main columns and how to read it, in Markdown.

    Parameters
    ----------
    results : dict
        A results file.

    Returns
    -------
    str
    """
    machine = results["machine"]
    where = f"{machine['processor']}, {machine['simd']}, {results['date'][:10]}"
    caption = (
        f"One thread, certified ({where}). *Plain NumPy* is a short program without certificates\n"
        "that cuts polygons and gives the same numbers, measured in the same run.\n"
    )
    return f"{_markdown(_SHORT, results['cases'])}\n{caption}"


def full(results: _Numbers) -> str:
    """Return the table with all columns and what it was measured on, in Markdown.

    Parameters
    ----------
    results : dict
        A results file.

    Returns
    -------
    str
    """
    machine = results["machine"]
    build = machine["build"]
    commit = (machine["commit"] or "unknown")[:10] + (
        " with changes" if machine["modified"] else ""
    )
    load = machine["load_average"]
    facts = [
        f"{results['date'][:10]}, commit {commit}",
        f"{machine['processor']} ({build['processors']} processors, {machine['simd']})",
        f"Python {build['python']}, NumPy {build['numpy']}, compiler {build['compiler']}",
        *([f"load average {load[0]:.2f} at the start"] if load else []),
    ]
    calls = []
    for case in results["cases"]:
        if call := case.get("call"):
            known, fresh = (duration(call[kind]["seconds"]) for kind in ("known", "fresh"))
            calls.append(
                f"One call on {case['text']} takes {known}, and {fresh} when the network comes as "
                "a list of arrays.\n"
            )
    return "\n".join([_markdown(_FULL, results["cases"]), *calls, "; ".join(facts) + ".\n"])


def newest(folder: Path = RESULTS) -> _Numbers | None:
    """Return the newest results, or None where there are none.

    Parameters
    ----------
    folder : Path
        Of files named by their date.

    Returns
    -------
    dict or None
    """
    found = sorted(folder.glob("*.json"))
    if not found:
        return None
    results: _Numbers = json.loads(found[-1].read_text(encoding="utf-8"))
    return results


def render(kind: str, results: _Numbers | None) -> str:
    """Return the block of a page; it is empty where there are no results."""
    if results is None:
        return ""
    return f"\n{short(results) if kind == 'short' else full(results)}\n"


def replaced(page: str, block: str) -> str:
    """Return the text of a page with another block between the two comments.

    Parameters
    ----------
    page, block : str

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If the page does not have each of the comments once, in their order.
    """
    before, start, rest = page.partition(_START)
    _, end, after = rest.partition(_END)
    if not (start and end) or _START in rest or _END in after:
        raise ValueError(f"expected one {_START} and after it one {_END}")
    return f"{before}{start}\n{block}{end}{after}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Update or check the pages; return the exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks.table", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; 1 if out of date")
    parser.add_argument("--root", type=Path, default=_ROOT, help="folder of the pages")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args(arguments)
    results = newest(options.results)
    stale = 0
    for name, kind in PAGES.items():
        path = options.root / name
        if not path.exists() or _START not in path.read_text(encoding="utf-8"):
            print(f"{name}: no place for a table")
            continue
        old = path.read_text(encoding="utf-8")
        new = replaced(old, render(kind, results))
        if old == new:
            print(f"{name}: up to date")
        elif options.check:
            print(f"{name}: out of date; run python -m benchmarks.table")
            stale = 1
        else:
            path.write_text(new, encoding="utf-8")
            print(f"{name}: written")
    return stale


if __name__ == "__main__":
    raise SystemExit(main())
