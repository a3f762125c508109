# SPDX-License-Identifier: MIT
"""Regions per parameter: deep against shallow, convolutional against fully connected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Any

from .._layer import AffineSpec, ConvSpec, Layer, PointwiseSpec
from .._numbers import decimal_string, json_log10, log10, short_number
from ..architecture import Architecture
from ..domain import Domain
from ..errors import InvalidInput, MissingExtra
from ..layers import Flatten
from ..result import Bound, Bounds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MATCHES = ("units", "parameters")


@dataclass(frozen=True)
class Contender:
    """One architecture of a comparison.

    Parameters
    ----------
    name : str
        How it is called.
    parameters, units : int
        Weights and biases; hidden units.
    bounds : Bounds
        Everything that theorems say about its maximal number of regions.
    """

    name: str
    parameters: int
    units: int
    bounds: Bounds

    @property
    def lower(self) -> Bound:
        """Best lower bound of the maximum."""
        assert self.bounds.lower is not None
        return self.bounds.lower

    @property
    def upper(self) -> Bound:
        """Best upper bound of the maximum."""
        assert self.bounds.upper is not None
        return self.bounds.upper

    @property
    def per_parameter(self) -> tuple[Fraction, Fraction]:
        """Lower and upper bound divided by the number of parameters."""
        n = max(self.parameters, 1)
        return Fraction(self.lower.value, n), Fraction(self.upper.value, n)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types; region numbers as decimal strings."""
        n = log10(max(self.parameters, 1))
        return {
            "name": self.name,
            "parameters": self.parameters,
            "units": self.units,
            "lower": decimal_string(self.lower.value),
            "lower_log10": json_log10(self.lower.value),
            "lower_bound": self.lower.name,
            "upper": decimal_string(self.upper.value),
            "upper_log10": json_log10(self.upper.value),
            "upper_bound": self.upper.name,
            "log10_regions_per_parameter": [self.lower.log10 - n, self.upper.log10 - n],
        }


@dataclass(frozen=True, repr=False)
class Comparison:
    """Architectures side by side: bounds of the maximum, and regions per parameter.

    Parameters
    ----------
    rows : tuple of Contender
        The architectures in the order given.

    Examples
    --------
    >>> from linear_regions.architecture import ConvSpec
    >>> conv = Architecture.cnn((1, 8), [ConvSpec(4, 3)])
    >>> table = compare_per_parameter(conv, fully_connected_twin(conv), names=("conv", "dense"))
    >>> print(table)
           parameters  units  regions at least  regions at most  regions per parameter
    conv           16     24            817969           817969  51123
    dense         216     24           1271626          1271626  5887
    >>> table.verdict()
    'conv has more regions per parameter than dense: proved by the bounds'
    """

    rows: tuple[Contender, ...]

    def __iter__(self) -> Any:
        """Iterate over the rows."""
        return iter(self.rows)

    def __len__(self) -> int:
        """Return the number of architectures."""
        return len(self.rows)

    def __getitem__(self, key: int | str) -> Contender:
        """Return a row by position or by name."""
        if isinstance(key, str):
            for row in self.rows:
                if row.name == key:
                    return row
            raise KeyError(f"no architecture {key!r}; there are {[row.name for row in self.rows]}")
        if not -len(self.rows) <= key < len(self.rows):
            raise IndexError(f"there is no architecture {key}: there are {len(self.rows)}")
        return self.rows[key]

    def verdict(self, first: int | str = 0, second: int | str = 1) -> str:
        """Say which of two architectures has more regions per parameter, where that is proved.

        Parameters
        ----------
        first, second : int or str
            The two rows, by position or by name.

        Returns
        -------
        str
            It names the one whose lower bound per parameter exceeds the upper bound of the other;
            where neither does, it says that the bounds do not decide.

        Examples
        --------
        >>> deep, shallow = Architecture.mlp([2, 8, 8, 1]), Architecture.mlp([2, 16, 1])
        >>> table = compare_per_parameter(deep, shallow, names=("deep", "shallow"))
        >>> table.verdict("deep", "shallow")
        'deep has more regions per parameter than shallow: proved by the bounds'
        """
        a, b = self[first], self[second]
        for left, right in ((a, b), (b, a)):
            if left.per_parameter[0] > right.per_parameter[1]:
                return (
                    f"{left.name} has more regions per parameter than {right.name}: "
                    "proved by the bounds"
                )
        return f"the bounds do not decide between {a.name} and {b.name}"

    def __repr__(self) -> str:
        """Return a table, one line per architecture."""
        head = ["", "parameters", "units", "regions at least", "regions at most"]
        cells = [[*head, "regions per parameter"]]
        for row in self.rows:
            low, high = (_ratio_text(value) for value in row.per_parameter)
            cells.append(
                [
                    row.name,
                    str(row.parameters),
                    str(row.units),
                    short_number(row.lower.value),
                    short_number(row.upper.value),
                    low if low == high else f"{low} to {high}",
                ]
            )
        widths = [max(len(line[i]) for line in cells) for i in range(6)]
        return "\n".join(
            "  ".join(
                cell.ljust(width) if i in (0, 5) else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in cells
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON types."""
        return {"rows": [row.to_dict() for row in self.rows]}

    def plot(self, ax: Axes | None = None, *, per_parameter: bool = True) -> Axes:
        """Draw the range from lower to upper bound of every architecture, on a log scale.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; default new axes, which are not shown.
        per_parameter : bool, default True
            Divide by the number of parameters.

        Returns
        -------
        matplotlib Axes
            The vertical axis shows decimal logarithms: the numbers exceed every float.

        Raises
        ------
        MissingExtra
            Matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib
        >>> arch = Architecture.mlp([2, 8, 8, 1])
        >>> table = compare_per_parameter(arch, shallow_twin(arch), names=("deep", "shallow"))
        >>> [label.get_text() for label in table.plot().get_xticklabels()]
        ['deep', 'shallow']
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise MissingExtra("Drawing a picture", "plot") from error
        if ax is None:
            ax = Figure(figsize=(6.4, 4.8), layout="constrained").add_subplot()
        places = range(len(self.rows))
        shifts = [log10(max(row.parameters, 1)) if per_parameter else 0.0 for row in self.rows]
        lows = [row.lower.log10 - shift for row, shift in zip(self.rows, shifts, strict=True)]
        highs = [row.upper.log10 - shift for row, shift in zip(self.rows, shifts, strict=True)]
        ax.vlines(places, lows, highs, linewidth=6, alpha=0.35)
        ax.plot(places, highs, "v", label="upper bound")
        ax.plot(places, lows, "^", label="lower bound")
        ax.set_xticks(list(places), [row.name for row in self.rows])
        ax.set_xlim(-0.5, len(self.rows) - 0.5)
        ax.yaxis.set_major_formatter(lambda value, _: f"$10^{{{value:g}}}$")
        ax.set_ylabel("regions per parameter" if per_parameter else "regions")
        ax.legend()
        return ax


def _ratio_text(value: Fraction) -> str:
    if value >= 100:
        return short_number(round(value))
    return f"{float(value):.3g}"


def compare_per_parameter(
    *architectures: Architecture,
    domain: Domain | None = None,
    names: Sequence[str] | None = None,
) -> Comparison:
    """Compare architectures by the regions that their parameters buy.

    Parameters
    ----------
    *architectures : Architecture
        Two or more; `fully_connected_twin` and `shallow_twin` make counterparts of equal size.
    domain : Domain, optional
        As in `bounds`.
    names : sequence of str, optional
        Names of the rows; default A, B, ...

    Returns
    -------
    Comparison
        A table with the bounds of the maximal number of regions, the numbers of parameters, and
        regions per parameter. `verdict` says what is proved; `plot` draws it.

    Raises
    ------
    TypeError
        Something is no `Architecture`.
    InvalidInput
        Fewer than two architectures, or names that are too few or not different.

    References
    ----------
    H. Xiong et al., "On the Number of Linear Regions of Convolutional Neural Networks", ICML 2020,
    arXiv:2006.00978 (regions per parameter). G. Montufar et al. 2014, arXiv:1402.1869.

    Examples
    --------
    >>> deep = Architecture.mlp([2, 8, 8, 8, 1])
    >>> print(compare_per_parameter(deep, shallow_twin(deep), names=("deep", "shallow")))
             parameters  units  regions at least  regions at most  regions per parameter
    deep            177     24             23125            50653  131 to 286
    shallow         177     44               991              991  5.6
    """
    for item in architectures:
        if not isinstance(item, Architecture):
            raise TypeError(
                f"compare_per_parameter() takes Architectures, got {type(item).__name__}; "
                "net.architecture is that of a Network"
            )
    if len(architectures) < 2:
        raise InvalidInput(f"needs two or more architectures, got {len(architectures)}")
    labels = [chr(ord("A") + i) if i < 26 else f"A{i}" for i in range(len(architectures))]
    if names is not None:
        labels = [str(name) for name in names]
    if len(labels) != len(architectures) or len(set(labels)) != len(labels):
        raise InvalidInput(f"names must be {len(architectures)} different ones, got {labels}")
    from . import bounds

    return Comparison(
        tuple(
            Contender(name, arch.n_parameters, arch.n_units, bounds(arch, domain))
            for name, arch in zip(labels, architectures, strict=True)
        )
    )


def fully_connected_twin(arch: Architecture, *, match: str = "units") -> Architecture:
    """Return a fully connected network of the same depth and size.

    Parameters
    ----------
    arch : Architecture
        Affine layers and convolutions with pointwise activations between them.
    match : {"units", "parameters"}
        As many units in every layer; or the same proportions of units, and as many parameters as
        fit into those of `arch`.

    Returns
    -------
    Architecture

    Raises
    ------
    InvalidInput
        There is no pointwise activation, another kind of activation, an unknown `match`, or too few
        parameters for one unit per layer.

    Examples
    --------
    >>> from linear_regions.architecture import ConvSpec
    >>> conv = Architecture.cnn((1, 8), [ConvSpec(4, 3)])
    >>> fully_connected_twin(conv).n_parameters, conv.n_parameters
    (216, 16)
    """
    units, activations = _layout(arch, match)
    tail = _output_layers(arch)

    def build(scale: Fraction) -> Architecture:
        layers: list[Layer] = [Flatten()] if len(arch.input_shape) > 1 else []
        for n, activation in zip(units, activations, strict=True):
            layers += [AffineSpec(max(1, int(n * scale))), activation]
        return Architecture(arch.input_shape, [*layers, *tail])

    if match == "units":
        return build(Fraction(1))
    steps = max(units)
    return _largest(lambda n: build(Fraction(n, steps)), arch.n_parameters)


def shallow_twin(arch: Architecture, *, match: str = "parameters") -> Architecture:
    """Return a network with a single hidden layer of the kind of the first one of `arch`.

    Parameters
    ----------
    arch : Architecture
        Starts with an affine layer or a convolution and a pointwise activation.
    match : {"units", "parameters"}
        As many hidden units, or as many parameters, as fit into those of `arch`.

    Returns
    -------
    Architecture

    Raises
    ------
    InvalidInput
        The network starts otherwise, `match` is unknown, or not even one unit (filter) fits.

    Examples
    --------
    >>> shallow_twin(Architecture.mlp([2, 8, 8, 8, 1])).n_units
    44
    """
    _, activations = _layout(arch, match)
    first = next((layer for layer in arch.layers if isinstance(layer, AffineSpec | ConvSpec)), None)
    if first is None:
        raise InvalidInput("shallow_twin: the network has no affine layer or convolution")
    tail = _output_layers(arch)

    def build(n: int) -> Architecture:
        if isinstance(first, AffineSpec):
            layers: list[Layer] = [Flatten()] if len(arch.input_shape) > 1 else []
            return Architecture(arch.input_shape, [*layers, AffineSpec(n), activations[0], *tail])
        spec = ConvSpec(
            n * first.groups,
            first.kernel_size,
            first.stride,
            first.padding,
            first.dilation,
            first.groups,
        )
        rest = [Flatten(), *tail] if tail else []
        return Architecture(arch.input_shape, [spec, activations[0], *rest])

    if match == "units":
        return _largest(build, arch.n_units, lambda twin: twin.n_units)
    return _largest(build, arch.n_parameters)


def _layout(arch: Architecture, match: str) -> tuple[list[int], list[Layer]]:
    """Return the units and the activation of every activation layer."""
    if match not in _MATCHES:
        raise InvalidInput(f"match must be one of {', '.join(_MATCHES)}, got {match!r}")
    units, activations = [], []
    for position, layer in enumerate(arch.layers):
        n = layer.n_units(*arch.input_shapes(position))
        if n and not isinstance(layer, PointwiseSpec):
            raise InvalidInput(
                f"a twin is made for pointwise activations only, layer {position} is {layer!r}"
            )
        if isinstance(layer, PointwiseSpec) and n:
            units.append(n)
            activations.append(PointwiseSpec(layer.breakpoints, layer.flat, layer.at_zero))
    if not units:
        raise InvalidInput("the architecture has no activation")
    return units, list(activations)


def _output_layers(arch: Architecture) -> list[Layer]:
    """Return an affine layer of the output's size where one stands behind the last activation."""
    last = max(i for i, layer in enumerate(arch.layers) if isinstance(layer, PointwiseSpec))
    if any(isinstance(layer, AffineSpec | ConvSpec) for layer in arch.layers[last + 1 :]):
        return [AffineSpec(prod(arch.output_shape))]
    return []


def _largest(
    build: Callable[[int], Architecture],
    most: int,
    size: Callable[[Architecture], int] = lambda twin: twin.n_parameters,
) -> Architecture:
    """Return the largest network of a growing family whose size is at most `most`."""
    if size(build(1)) > most:
        raise InvalidInput(f"not even the smallest twin has a size of at most {most}")
    high = 2
    while size(build(high)) <= most:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(build(middle)) <= most else (low, middle)
    return build(low)
