# SPDX-License-Identifier: MIT
"""How the regions of one convolutional layer grow with the number of its filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import comb, factorial, prod
from typing import Any

from .._geometry import integer, shape_of
from .._layer import ConvSpec, Layer
from .._numbers import decimal_string, short_number
from .._one_layer.draws import OutOfReach
from .._one_layer.parts import hall_sizes
from .._one_layer.windows import Part, Window, one_layer
from ..errors import Unsupported

_NODES = 100_000
_REFERENCE = "Xiong et al. 2020 (arXiv:2006.00978), asymptotic theorem; proof in the manual"


@dataclass(frozen=True, repr=False)
class Asymptotics:
    """The maximum behaves as constant * d**order for d filters, all else fixed.

    Parameters
    ----------
    order : int
        Number of input entries that some neuron sees.
    constant : Fraction
        Leading constant.
    fully_connected : Fraction
        Leading constant of a fully connected layer with as many neurons that see as many inputs.
    reference : str
        Source.

    Examples
    --------
    >>> Asymptotics(3, Fraction(1), Fraction(4, 3)).to_dict()["constant"]
    '1'
    """

    order: int
    constant: Fraction
    fully_connected: Fraction
    reference: str = _REFERENCE

    def __repr__(self) -> str:
        """Show the numbers; long ones by their leading digits."""
        constant, dense = _short(self.constant), _short(self.fully_connected)
        return f"Asymptotics(order={self.order}, constant={constant}, fully_connected={dense})"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types; fractions as text."""
        return {
            "order": self.order,
            "constant": _text(self.constant),
            "fully_connected": _text(self.fully_connected),
            "reference": self.reference,
        }


def _text(value: Fraction) -> str:
    top = decimal_string(value.numerator)
    return top if value.denominator == 1 else f"{top}/{decimal_string(value.denominator)}"


def _short(value: Fraction) -> str:
    top = short_number(value.numerator)
    return top if value.denominator == 1 else f"{top}/{short_number(value.denominator)}"


def one_layer_asymptotics(
    input_shape: int | Sequence[int], conv_spec: Layer, *, breakpoints: int = 1
) -> Asymptotics:
    """Give order and leading constant of the regions of one layer as its filters grow in number.

    Parameters
    ----------
    input_shape : sequence of int
        (channels, n), (channels, h, w) or (channels, d, h, w).
    conv_spec : ConvSpec or Conv
        The layer; its number of filters plays no part beyond the groups.
    breakpoints : int, default 1
        Breakpoints k of the activation.

    Returns
    -------
    Asymptotics
        With d filters the maximum, which is also the average over the whole input space for
        weights and biases with a density, is constant * d**order * (1 + O(1 / d)).

    Raises
    ------
    TypeError
        `conv_spec` is no convolution.
    InvalidInput
        The shapes do not fit.
    Unsupported
        Too many positions overlap along two or more axes.

    Notes
    -----
    The order r is the number of input entries seen. The constant is k**r times the sum over all
    Hall vectors t of size r of prod 1 / t_i!, exact also for shared filters: sets of neurons from
    different filters behave as if nothing were shared, and the others are of lower order. With g
    groups of d / g filters the constant has a factor g**(-r).

    References
    ----------
    H. Xiong et al., "On the Number of Linear Regions of Convolutional Neural Networks", ICML 2020,
    arXiv:2006.00978.

    Examples
    --------
    >>> from linear_regions.architecture import ConvSpec
    >>> growth = one_layer_asymptotics((1, 4), ConvSpec(1, 2))
    >>> growth.order, growth.constant, growth.fully_connected
    (4, Fraction(7, 4), Fraction(27, 8))
    """
    shape = shape_of("input_shape", input_shape, 1)
    spec = getattr(conv_spec, "spec", None)
    if not isinstance(spec, ConvSpec):
        raise TypeError(f"conv_spec must be a ConvSpec or a Conv, got {conv_spec!r}")
    k = integer("breakpoints", breakpoints, 1)
    layer = one_layer(shape, spec)
    order = layer.n_inputs
    constant, positions = Fraction(1), 0
    for part, times in layer.parts:
        positions += part.n_positions * times
        try:
            constant *= _constant(part) ** times
        except OutOfReach:
            raise Unsupported(
                f"the leading constant is out of reach: {part.n_positions} positions overlap along "
                f"two or more axes; the order is {order}"
            ) from None
    scale = Fraction(k**order, spec.groups**order)
    # As many neurons: positions of one group times its filters, over all groups.
    dense = Fraction((positions * k) ** order, factorial(order) * spec.groups**order)
    return Asymptotics(order, constant * scale, dense)


def _constant(part: Part) -> Fraction:
    """Return the sum over Hall vectors of full size of prod 1 / t_i!."""
    form = part.scan_form
    if form is not None:
        return _scan_constant(*form)
    # Independent sets of full size are a polynomial in the filters; its top difference is the
    # leading coefficient times r!.
    r = part.n_inputs
    values = [0] + [_full_sets(replace(part, filters=d), r) for d in range(1, r + 1)]
    top = sum((-1) ** (r - d) * comb(r, d) * value for d, value in enumerate(values))
    return Fraction(top, factorial(r))


def _full_sets(part: Part, size: int) -> int:
    if part.n_neurons < size:
        return 0
    sizes = hall_sizes(part, _NODES)
    return sizes[size] if size < len(sizes) else 0


def _scan_constant(windows: Sequence[Window], channels: int) -> Fraction:
    """Scan one axis as `_one_layer.scan` does; every input must be used, so none may be skipped."""
    spans = [(end - start) * channels for start, end, _ in windows]
    # Integers: the weight of t neurons is W_i / t!, with W_i = span!.
    state = {0: 1}
    for (start, end, _), span in zip(windows, spans, strict=True):
        weights = [factorial(span) // factorial(t) for t in range(span + 1)]
        grown: dict[int, int] = {}
        for used, total in state.items():
            if used < start * channels:
                continue  # an input that no later window sees is left over
            for t in range(end * channels - used + 1):
                if t <= span:
                    grown[used + t] = grown.get(used + t, 0) + total * weights[t]
        state = grown
    full = state.get(windows[-1][1] * channels, 0)
    return Fraction(full, prod(factorial(span) for span in spans))
