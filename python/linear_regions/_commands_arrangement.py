# SPDX-License-Identifier: MIT
"""The command that counts and lists the chambers of a hyperplane arrangement."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._cli_inputs import add_limits
from ._cli_outputs import check_output
from ._commands import Output
from ._format import grouped, time_text
from ._npy import read_arrays
from ._report_text import labelled
from .errors import CorruptFile, InvalidInput

if TYPE_CHECKING:
    import linear_regions as lr

__all__ = ["ARRANGEMENT_COMMANDS", "fill_arrangement", "read_arrangement"]


def fill_arrangement(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "file",
        metavar="FILE",
        help=".npz with normals (n, d) and offsets (n,), or a text file (.csv, .txt) with one "
        "hyperplane a_1, ..., a_d, b per line: a . x + b = 0; integers of any size and fractions "
        "p/q are exact",
    )
    parser.add_argument(
        "--box",
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="only chambers that meet this box; a number, or d numbers with commas",
    )
    add_limits(parser)
    group = parser.add_argument_group("question")
    group.add_argument("--method", default="auto", help="auto, recursion, rays, tree or sweep")
    group.add_argument("--arithmetic", default="certified", choices=("certified", "float"))
    group.add_argument("--verify", action="store_true", help="count by two engines")
    group.add_argument(
        "--polynomial", action="store_true", help="the characteristic polynomial as well"
    )
    group.add_argument(
        "--output",
        "-o",
        metavar="FILE.npz",
        help="list the chambers: sign_vectors and points; the method is then sweep, rays or tree",
    )
    parser.add_argument(
        "--checkpoint",
        metavar="PATH",
        help="record how far it has come, and go on from there; with --output a folder",
    )


def read_arrangement(path: str) -> lr.Arrangement:
    """Read an arrangement from a file.

    Raises
    ------
    InvalidInput, CorruptFile
        If the file is not of a form that the help names.
    """
    import numpy as np

    import linear_regions as lr

    if Path(path).suffix.lower() == ".npz":
        arrays = read_arrays(path)
        if missing := [name for name in ("normals", "offsets") if name not in arrays]:
            raise InvalidInput(
                f"{path}: expected the arrays normals and offsets, got "
                f"{', '.join(arrays) or 'none'} ({missing[0]} is missing)"
            )
        for name in ("normals", "offsets"):
            if arrays[name].dtype.kind not in "iufb":
                raise CorruptFile(f"{path}: {name} must be numbers, got {arrays[name].dtype}")
        return lr.Arrangement(arrays["normals"], arrays["offsets"])
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CorruptFile(f"{path}: expected .npz, or text with a hyperplane a row") from error
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        entries = line.partition("#")[0].replace(",", " ").replace(";", " ").split()
        if not entries:
            continue
        rows.append([_number(entry, path, number) for entry in entries])
        if len(rows[-1]) != len(rows[0]):
            raise InvalidInput(
                f"{path}, line {number}: expected {len(rows[0])} numbers, got {len(rows[-1])}"
            )
    if not rows:
        raise InvalidInput(f"{path}: no hyperplanes; expected lines a_1, ..., a_d, b")
    table = np.array(rows, dtype=object).reshape(len(rows), -1)
    return lr.Arrangement(table[:, :-1], table[:, -1])


def _number(text: str, path: str, line: int) -> int | float | Fraction:
    for kind in (int, Fraction if "/" in text else float):
        try:
            return kind(text)
        except (ValueError, ZeroDivisionError):
            continue
    raise InvalidInput(f"{path}, line {line}: expected a number, got {text!r}")


def _box(options: argparse.Namespace) -> lr.Box | None:
    import linear_regions as lr

    if not options.box:
        return None
    sides = []
    for text in options.box:
        try:
            numbers = [float(part) for part in text.split(",")]
        except ValueError:
            raise InvalidInput(f"--box: expected numbers, got {text.strip()!r}") from None
        sides.append(numbers if len(numbers) > 1 else numbers[0])
    return lr.Box(*sides)


def _arrangement(options: argparse.Namespace) -> Output:
    check_output(options.output, ".npz")
    planes = read_arrangement(options.file)
    box = _box(options)
    if options.polynomial and box is not None:
        raise InvalidInput("--polynomial belongs to the whole space; leave --box out")
    common: dict[str, Any] = {
        "method": options.method,
        "arithmetic": options.arithmetic,
        "verify": options.verify,
        "threads": options.threads,
        "limit": options.limit,
        "time_limit": options.time_limit,
        "progress": options.progress,
        "checkpoint": options.checkpoint,
    }
    entries = [("arrangement", [f"{grouped(planes.n)} hyperplanes in dimension {planes.dim}"])]
    data: dict[str, Any] = {"arrangement": {"n": planes.n, "dim": planes.dim}}
    if box is not None:
        entries.append(("domain", [f"the box from {options.box[0]} to {options.box[1]}"]))
    if options.output:
        found = planes.chambers(box, points=True, **common)
        _write(options.output, found)
        entries.append(
            (
                "chambers",
                [
                    f"{grouped(len(found))} written to {options.output} ({found.status}; "
                    f"{found.arithmetic}; {found.method}, {time_text(found.seconds)})"
                ],
            )
        )
        data["list"] = {
            "file": options.output,
            "chambers": len(found),
            "status": found.status,
            "method": found.method,
            "arithmetic": found.arithmetic,
            "seconds": found.seconds,
            "work": found.work,
        }
    else:
        count = planes.count(box, **common)
        entries.append(("chambers", [_count_text(count)]))
        data["count"] = count.to_dict()
    if options.polynomial:
        _add_polynomial(planes, options, entries, data)
    return Output(lambda: labelled(entries), lambda: data)


def _count_text(count: lr.RegionCount) -> str:
    sure: str = count.arithmetic
    if count.error_probability:
        sure += f", wrong with probability at most {count.error_probability:.1g}"
    return (
        f"{grouped(count.value)} ({count.kind}, {count.status}; {sure}; {count.method}, "
        f"{time_text(count.seconds)})"
    )


def _add_polynomial(
    planes: lr.Arrangement,
    options: argparse.Namespace,
    entries: list[tuple[str, list[str]]],
    data: dict[str, Any],
) -> None:
    import linear_regions as lr

    common = {"threads": options.threads, "progress": options.progress}
    try:
        coefficients = planes.characteristic_polynomial(time_limit=options.time_limit, **common)
    except lr.Unfinished as end:
        known: Any = end.partial
        bounds = [str(value) for value in known]
        entries.append(("polynomial", ["not known: the time limit was too short"]))
        entries.append(("Whitney numbers", ["at least " + ", ".join(bounds)]))
        data["characteristic_polynomial"] = data["bounded_count"] = None
        data["whitney_numbers_at_least"] = bounds
        return
    terms = [f"{value:+d} t^{k}" for k, value in reversed(list(enumerate(coefficients))) if value]
    bounded = planes.bounded_count()  # of the numbers that are known by now
    entries.append(("polynomial", [" ".join(terms)]))
    entries.append(("bounded", [f"{grouped(bounded)} chambers"]))
    data["characteristic_polynomial"] = [str(value) for value in coefficients]
    data["bounded_count"] = str(bounded)


def _write(path: str, found: lr.Chambers) -> None:
    import numpy as np

    assert found.points is not None
    # Points that no double lies near, as text: fractions of any size.
    exact = sorted(found.exact_points.items())
    texts = [[str(value) for value in point] for _, point in exact]
    np.savez_compressed(
        path,
        sign_vectors=found.sign_vectors,
        points=found.points,
        exact_rows=np.array([row for row, _ in exact], dtype=np.int64),
        exact_points=np.array(texts, dtype=np.str_).reshape(len(exact), found.points.shape[1]),
    )


ARRANGEMENT_COMMANDS: dict[str, Callable[[argparse.Namespace], Output]] = {
    "arrangement": _arrangement,
}
