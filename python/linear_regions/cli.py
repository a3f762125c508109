# SPDX-License-Identifier: MIT
"""The command ``linear-regions``.

Exit status: 0 done (also where a limit stopped the work; the output says so), 2 wrong arguments or
something unsupported, 3 an optional package is missing, 130 after Ctrl-C (what was found is
printed). Errors are one line on standard error; with ``--json`` nothing but JSON goes to standard
output.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from ._architecture_text import SYNTAX
from ._cli_inputs import Parser, add_limits, add_model, add_place, add_segment, integers
from ._commands import COMMANDS, Output, partial_output
from ._commands_analysis import ANALYSIS_COMMANDS
from ._commands_arrangement import ARRANGEMENT_COMMANDS, fill_arrangement
from ._commands_boundary import BOUNDARY_COMMANDS
from ._commands_regions import REGION_COMMANDS
from ._commands_shards import SHARD_COMMANDS
from ._format import json_text
from ._report import DEFAULT_TIME_LIMIT, MOST_SAMPLES
from .errors import LinearRegionsError, MissingExtra

__all__ = ["main"]

_PROGRAM = "linear-regions"
_PICTURES = ".png, .svg, .pdf or another ending that Matplotlib writes"
_WRONG, _MISSING, _BROKEN_PIPE, _INTERRUPTED = 2, 3, 141, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.

    Returns
    -------
    int
        The exit status.

    Examples
    --------
    >>> status = main(["max", "1,3,3", "--filters", "2", "--kernel", "2"])
    layer              ConvSpec(filters=2, kernel_size=2) on an input of shape (1, 3, 3)
    maximum            255 (activation; exact, ...
    >>> status
    0
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    # argparse takes "-1,0" for an option; a leading blank makes it a value, and numbers allow it.
    given = [f" {text}" if re.match(r"-\.?\d", text) else text for text in given]
    try:
        options, unknown = _parser().parse_known_args(given)
    except SystemExit as stop:  # --help, --version, wrong arguments: already written
        return stop.code if isinstance(stop.code, int) else _WRONG
    if unknown:  # argparse would name the program's own help, which does not list them
        known = f"(see {_PROGRAM} {options.command} --help)"
        return _fail(options, f"unrecognized arguments: {' '.join(unknown)} {known}", _WRONG)
    if sys.stdout is None:  # Python's sign that it was closed; the next file would take its place
        return _fail(options, "standard output is closed", _WRONG)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            return _run(options)
        except BrokenPipeError:
            # The reader has closed the pipe; Python would complain again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return _BROKEN_PIPE


def _run(options: argparse.Namespace) -> int:
    try:
        command = _ALL[options.command]
        _write(command(options), options.json)
    except MissingExtra as error:
        return _fail(options, error, _MISSING)
    except (LinearRegionsError, OverflowError) as error:
        return _fail(options, error, _WRONG)
    except BrokenPipeError:
        raise
    except OSError as error:
        return _fail(options, error, _WRONG)
    except MemoryError:
        return _fail(options, "out of memory; try --limit or a smaller domain", _WRONG)
    except KeyboardInterrupt as stop:
        found = partial_output(getattr(stop, "partial", None))
        if found is not None:
            _write(found, options.json)
        return _fail(options, "interrupted", _INTERRUPTED)
    return 0


_ALL = {
    **COMMANDS,
    **ANALYSIS_COMMANDS,
    **ARRANGEMENT_COMMANDS,
    **BOUNDARY_COMMANDS,
    **REGION_COMMANDS,
    **SHARD_COMMANDS,
}


def _write(output: Output, as_json: bool) -> None:
    text = json_text(output.data()) if as_json else output.text()
    if not text.isascii():  # names of files may have letters that the terminal does not
        encoding = sys.stdout.encoding or "utf-8"
        text = text.encode(encoding, "backslashreplace").decode(encoding)
    # Line by line, so that a reader who has seen enough stops the writing early.
    sys.stdout.writelines(line + "\n" for line in text.split("\n"))
    sys.stdout.flush()


def _fail(options: argparse.Namespace, error: object, status: int) -> int:
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    label = "" if status == _INTERRUPTED else "error: "
    _tell(f"{_PROGRAM} {options.command}: {label}{text}")
    return status


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    _tell(f"{_PROGRAM}: warning: {message}")


def _tell(line: str) -> None:
    if sys.stderr is not None:  # it may be closed; it encodes every letter
        sys.stderr.write(line + "\n")


def _parser() -> Parser:
    from . import __version__

    parser = Parser(
        prog=_PROGRAM,
        description="Bounds, exact counts and samples of the linear regions of a network.",
        epilog=f"'{_PROGRAM} report' is the place to start.",
    )
    parser.add_argument("--version", action="version", version=f"{_PROGRAM} {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (fill, text) in _FILL.items():
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        fill(command)
        command.add_argument(
            "--json", action="store_true", help="write JSON to standard output, and nothing else"
        )
    return parser


def _fill_report(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_place(parser, segment=False)
    add_segment(parser)
    add_limits(parser, time_limit=DEFAULT_TIME_LIMIT)
    group = parser.add_argument_group("report")
    group.add_argument("--html", metavar="FILE", help="write one self-contained page (extra: plot)")
    group.add_argument("--plot", metavar="FILE", help=f"write a picture: {_PICTURES}")
    _add_samples(group, "--samples")


def _fill_count(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_place(parser)
    add_limits(parser)
    group = parser.add_argument_group("question")
    _add_what(group)
    _add_method(group, "polygons, cones, tree or arrangement")
    group.add_argument("--arithmetic", default="certified", choices=("certified", "float"))
    group = parser.add_argument_group("long runs")
    group.add_argument(
        "--checkpoint", metavar="FILE", help="record how far it has come, and go on from there"
    )
    group.add_argument(
        "--shard", metavar="I/N", help="count part I of N alone, for 'merge'; needs --out"
    )
    group.add_argument("--out", metavar="FILE", help="of --shard; a checkpoint, too")


def _fill_merge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("parts", nargs="+", metavar="FILE", help="what 'count --shard' wrote")


def _add_method(group: Any, others: str) -> None:
    group.add_argument("--method", default="auto", help=f"auto (the default), {others}")


def _add_what(group: Any) -> None:
    group.add_argument("--what", default="activation", choices=("activation", "linear", "affine"))


def _fill_bounds(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_place(parser)
    group = parser.add_argument_group("architecture instead of a model")
    group.add_argument(
        "--mlp", type=integers, metavar="N0,N1,...", help="widths of a dense network, as in 2,16,1"
    )
    group.add_argument("--arch", metavar="ARCH", help=SYNTAX)
    _add_activation(group)


def _fill_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("architectures", nargs="+", metavar="ARCH", help=SYNTAX)
    match = ("units", "parameters")
    parser.add_argument(
        "--dense-twin", choices=match, help="add a dense network as large as the first one"
    )
    parser.add_argument(
        "--shallow-twin", choices=match, help="add one hidden layer as large as the first network"
    )
    parser.add_argument("--plot", metavar="FILE", help=f"write a picture: {_PICTURES}")
    _add_activation(parser)


def _fill_expected(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_place(parser)
    group = parser.add_argument_group("random networks")
    group.add_argument("--arch", metavar="ARCH", help=f"instead of a model: {SYNTAX}")
    _add_activation(group)
    group.add_argument("--trials", type=int, default=32, metavar="N", help="default: 32")
    group.add_argument("--bias-std", type=float, default=1.0, metavar="S", help="default: 1")
    group.add_argument("--confidence", type=float, default=0.95, metavar="P", help="default: 0.95")
    group.add_argument("--seed", type=int, default=0, metavar="N", help="of the weights")
    group.add_argument("--threads", type=int, metavar="N", help="default: all that are usable")
    group.add_argument("--time-limit", type=float, metavar="SECONDS", help="for all trials")


def _add_activation(parser: Any) -> None:
    parser.add_argument("--activation", help="between the layers of ARCH; default: relu")


def _fill_max(parser: argparse.ArgumentParser) -> None:
    one = (1,)
    parser.add_argument("input_shape", type=integers, metavar="C,H,W", help="shape of the input")
    parser.add_argument("--filters", type=int, required=True, metavar="N")
    parser.add_argument("--kernel", type=integers, required=True, metavar="K[,K...]")
    parser.add_argument("--stride", type=integers, default=one, metavar="S[,S...]")
    parser.add_argument("--padding", type=integers, default=(0,), metavar="P[,P...]")
    parser.add_argument("--dilation", type=integers, default=one, metavar="D[,D...]")
    parser.add_argument("--groups", type=int, default=1, metavar="N")
    parser.add_argument("--breakpoints", type=int, default=1, metavar="K", help="of the activation")
    parser.add_argument("--weights", default="shared", choices=("shared", "free"))
    parser.add_argument("--bias", default="shared", choices=("shared", "free", "none"))
    parser.add_argument(
        "--breakpoint-away",
        action="store_true",
        help="of --bias none: the breakpoint is common and not at zero",
    )
    parser.add_argument("--bounded", action="store_true", help="count the bounded regions, too")
    _add_method(
        parser, "exact, scan, matching, frontier, multiset, restriction, direct or particles"
    )
    parser.add_argument("--time-limit", type=float, metavar="SECONDS")
    parser.add_argument(
        "--checkpoint", metavar="FILE", help="record how far it has come, and go on from there"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of random draws")


def _fill_regions(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_place(parser)
    add_limits(parser)
    question = parser.add_argument_group("question")
    _add_what(question)
    _add_method(question, "polygons, cones or tree")
    question.add_argument(
        "--faces",
        action=argparse.BooleanOptionalAction,
        help="with vertices and facets, or patterns and interior points only; faster, above all "
        "in many dimensions (default: with them in up to eight dimensions)",
    )
    parser.add_argument(
        "--output",
        "--out",
        "-o",
        metavar="FILE.npz",
        help="write the regions for load(), print no table",
    )


def _fill_boundary(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_place(parser)
    _add_method(parser.add_argument_group("question"), "polygons, cones or tree")
    group = parser.add_argument_group("limits")
    group.add_argument("--threads", type=int, metavar="N", help="default: all that are usable")
    group.add_argument("--progress", action="store_true", help="show a bar (extra: progress)")
    files = parser.add_argument_group("files")
    files.add_argument(
        "--output",
        "--out",
        "-o",
        metavar="FILE.npz",
        help="write the pieces as arrays, print no table of them",
    )
    files.add_argument(
        "--plot", metavar="FILE", help=f"draw it over the regions: {_PICTURES} (extra: plot)"
    )


def _fill_sample(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_place(parser)
    parser.add_argument(
        "--distribution",
        choices=("uniform", "normal"),
        help="default: uniform, and normal in the whole input space",
    )
    parser.add_argument(
        "--sketch",
        choices=("exact", "hll"),
        default="exact",
        help="hll: constant memory, an estimate beyond 16,384 patterns",
    )
    parser.add_argument("--threads", type=int, metavar="N", help="default: all that are usable")
    parser.add_argument(
        "--time-limit", type=float, metavar="SECONDS", help="count those until then"
    )
    _add_samples(parser, "-n")


def _fill_plot(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_place(parser)
    add_limits(parser)
    parser.add_argument(
        "--output", "-o", required=True, metavar="FILE", help=f"{_PICTURES} (extra: plot)"
    )
    parser.add_argument(
        "--color-by", choices=("region", "class"), help="default: class where outputs are several"
    )
    parser.add_argument("--theme", default="light", choices=("light", "dark"))


def _add_samples(parser: Any, name: str) -> None:
    parser.add_argument(
        name,
        type=int,
        metavar="N",
        help=f"number of samples; default {MOST_SAMPLES}, fewer where the network is large",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the samples")


_FILL = {
    "report": (_fill_report, "bounds, exact counts, a sampled count and a picture of a model"),
    "count": (_fill_count, "count the regions of a model in a domain, exactly"),
    "merge": (_fill_merge, "add up the shards of a count"),
    "bounds": (_fill_bounds, "bounds by theorems"),
    "max": (_fill_max, "the largest number of regions of one convolutional layer"),
    "compare": (_fill_compare, "regions per parameter of several architectures"),
    "expected": (_fill_expected, "average the exact counts of random networks"),
    "arrangement": (fill_arrangement, "count or list the chambers of hyperplanes"),
    "regions": (_fill_regions, "list the regions of a model in a domain"),
    "boundary": (_fill_boundary, "where the class of a classifier changes, exactly"),
    "sample": (_fill_sample, "count the activation patterns that samples meet"),
    "plot": (_fill_plot, "draw the regions of a model in a plane or on a segment"),
    "info": (add_model, "layers, shapes and sizes of a model"),
}
