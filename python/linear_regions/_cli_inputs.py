# SPDX-License-Identifier: MIT
"""What all commands take: a model, a place to look at, and limits."""

from __future__ import annotations

import argparse
import os
import re
from typing import TYPE_CHECKING, Any, NoReturn

from ._digits import digits_network, digits_place
from ._domain_files import Place, random_place, read_segment, read_slice
from .errors import InvalidInput

if TYPE_CHECKING:
    import linear_regions as lr

__all__ = [
    "Parser",
    "add_limits",
    "add_model",
    "add_place",
    "integers",
    "load_model",
    "model_name",
    "other_than_model",
    "place_of",
]

SHIPPED = "digits"


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """End with exit status 2 and one line that names the command."""
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name a model."""
    group = parser.add_argument_group("model")
    group.add_argument(
        "model",
        nargs="?",
        default=SHIPPED,
        metavar="MODEL",
        help=".onnx file, or .npz file of this package; default: 'digits', a small convolutional "
        "network for 8 x 8 digits that ships with the package",
    )
    group.add_argument(
        "--input-shape",
        type=integers,
        metavar="C,H,W",
        help="shape of one input, for an ONNX file that leaves it open",
    )
    group.add_argument(
        "--drop-output",
        action="store_true",
        help="cut a Softmax, Sigmoid or ArgMax at the end of the model",
    )
    group.add_argument(
        "--no-fold",
        action="store_true",
        help="keep batch normalization as layers of its own where folding it would round",
    )


def add_place(parser: argparse.ArgumentParser, *, segment: bool = True) -> None:
    """Add the arguments that say where to look."""
    group = parser.add_argument_group(
        "domain (default: the whole input space; for 'digits' a plane through three test images)"
    )
    only = group.add_mutually_exclusive_group()
    only.add_argument(
        "--box",
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="box of inputs: two numbers, or two lists of numbers with commas",
    )
    only.add_argument("--vnnlib", metavar="FILE", help="box of inputs from a VNN-LIB file")
    only.add_argument(
        "--slice",
        metavar="FILE",
        help="plane of inputs: .npz with origin and directions (or u and v; t within low and high, "
        "default -1 and 1) or points; or .npy, .csv, .txt with three points, one per row",
    )
    if segment:
        add_segment(only)
    only.add_argument("--space", action="store_true", help="the whole input space")
    group.add_argument(
        "--alternative",
        type=int,
        metavar="N",
        help="which box of a VNN-LIB file that has several, from 1",
    )


def add_segment(parser: Any) -> None:
    """Add the argument that names a segment."""
    parser.add_argument(
        "--segment",
        metavar="FILE",
        help="segment of inputs: .npz with p and q (or a and b, or points), or .npy, .csv, .txt "
        "with two points, one per row",
    )


def add_limits(parser: argparse.ArgumentParser, *, time_limit: float | None = None) -> None:
    """Add the arguments that bound a long call."""
    group = parser.add_argument_group("limits")
    group.add_argument("--threads", type=int, metavar="N", help="default: all that are usable")
    group.add_argument(
        "--time-limit",
        type=float,
        default=time_limit,
        metavar="SECONDS",
        help="stop after so long" + ("" if time_limit is None else f"; default {time_limit:g}"),
    )
    group.add_argument("--limit", type=int, metavar="N", help="stop after so many regions")
    group.add_argument("--progress", action="store_true", help="show a bar (extra: progress)")


def integers(text: str) -> tuple[int, ...]:
    """Read integers with commas between them.

    Parameters
    ----------
    text : str

    Returns
    -------
    tuple of int

    Examples
    --------
    >>> integers("1,28,28")
    (1, 28, 28)
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected integers with commas, as in 1,28,28, got {text!r}"
        ) from None


def is_shipped(options: argparse.Namespace) -> bool:
    """Tell whether the model is the shipped one; a file of that name comes first."""
    return options.model == SHIPPED and not os.path.exists(SHIPPED)


def model_name(options: argparse.Namespace) -> str:
    """Return how output names the model."""
    return SHIPPED if is_shipped(options) else os.path.basename(options.model)


def other_than_model(options: argparse.Namespace) -> bool:
    """Tell whether an architecture stands in place of a model.

    Raises
    ------
    InvalidInput
        If the arguments name several of them, or the activation of none.
    """
    given = ["--mlp"] if getattr(options, "mlp", None) else []
    given += ["--arch"] if options.arch else []
    if options.activation is not None and not given:
        raise InvalidInput("--activation belongs to an architecture; a model has its own")
    if given and options.model != SHIPPED:
        given.append(f"the model {options.model}")
    if len(given) > 1:
        raise InvalidInput(f"expected one of {' and '.join(given)}, got {len(given)}")
    return bool(given)


def load_model(options: argparse.Namespace) -> lr.Network:
    """Load the model that the arguments name.

    Raises
    ------
    InvalidInput
        If the file holds something else.
    """
    import linear_regions as lr

    if is_shipped(options):
        net = digits_network()
        if options.input_shape not in (None, net.input_shape):
            raise InvalidInput(f"--input-shape: the shipped model has {net.input_shape}")
        return net
    if hasattr(options, "arch") and _names_widths(options.model):
        other = "--mlp or --arch" if hasattr(options, "mlp") else "--arch"
        raise InvalidInput(
            f"no such file: {options.model.strip()}; an architecture is given with {other}"
        )
    loaded = lr.load(
        options.model,
        input_shape=options.input_shape,
        fold=not options.no_fold,
        drop_output=options.drop_output,
    )
    if not isinstance(loaded, lr.Network):
        raise InvalidInput(f"{options.model}: expected a network, got {type(loaded).__name__}")
    return loaded


def _names_widths(model: str) -> bool:
    return re.fullmatch(r"\s*\d+(,\d+)+(:.*)?", model) is not None and not os.path.exists(model)


def place_of(
    options: argparse.Namespace, net: lr.Network | lr.Architecture, *, stand_in: bool = False
) -> Place:
    """Return where to look.

    Parameters
    ----------
    options : Namespace
    net : Network or Architecture
    stand_in : bool
        Without an argument, and for another model than the shipped one: take a plane through
        random points rather than the whole input space.

    Returns
    -------
    Place
    """
    import linear_regions as lr

    shape = net.input_shape
    if options.alternative is not None and not options.vnnlib:
        raise InvalidInput("--alternative belongs to --vnnlib")
    if options.box:
        low, high = (_numbers(text) for text in options.box)
        text = f"the box from {options.box[0].strip()} to {options.box[1].strip()}"
        return Place(lr.Box(low, high).resolve(shape), text)
    if options.vnnlib:
        return _vnnlib_place(options, net)
    if options.slice:
        return read_slice(options.slice, shape)
    if getattr(options, "segment", None) and not stand_in:
        return read_segment(options.segment, shape)
    if not options.space and is_shipped(options):
        return digits_place()
    if not options.space and stand_in:
        return random_place(shape)
    return Place(None, f"the whole input space, dimension {net.input_size}")


def _vnnlib_place(options: argparse.Namespace, net: lr.Network | lr.Architecture) -> Place:
    import linear_regions as lr

    boxes = lr.read_vnnlib(options.vnnlib)
    chosen = options.alternative
    if chosen is None and len(boxes) > 1:
        raise InvalidInput(
            f"{options.vnnlib} has {len(boxes)} boxes; choose one with --alternative 1 to "
            f"{len(boxes)}"
        )
    number = 1 if chosen is None else chosen
    if not 1 <= number <= len(boxes):
        raise InvalidInput(f"--alternative must be from 1 to {len(boxes)}, got {number}")
    box, text = boxes[number - 1], f"the box of {os.path.basename(options.vnnlib)}"
    if box.ambient_dim != net.input_size:
        raise InvalidInput(
            f"{options.vnnlib}: expected a box of {net.input_size} inputs, as the model has, got "
            f"{box.ambient_dim}"
        )
    return Place(box.resolve(net.input_shape), text + (f" ({number})" if chosen else ""))


def _numbers(text: str) -> float | list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise InvalidInput(
            f"--box: expected numbers, with commas where there are several, got {text.strip()!r}"
        ) from None
    return numbers[0] if len(numbers) == 1 else numbers
