# SPDX-License-Identifier: MIT
"""Bounds of the average number of regions over random weights, in a cube."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, comb, factorial, isfinite

from ..architecture import Architecture
from ..domain import Box
from ..errors import InvalidInput
from ..result import Bound, Bounds, NotApplicable
from .orders import untied_reason
from .question import Question

_DOUBT = (
    "weights and biases are independent (not tied), with densities; the cube is larger than a "
    "threshold that depends on the law; gradients and bias densities have the constants that were "
    "given"
)


def hanin_rolnick(units: int, dim: int, constant: Fraction) -> Fraction:
    """Return (T N)**n_0 / n_0! for N >= n_0, else 2**N: regions per volume of a cube.

    Parameters
    ----------
    units : int
        Number of units N.
    dim : int
        Input dimension n_0.
    constant : Fraction
        T, proportional to C_grad * C_bias.

    Returns
    -------
    Fraction

    Examples
    --------
    >>> hanin_rolnick(20, 2, Fraction(1)), hanin_rolnick(6, 2, Fraction(1))
    (Fraction(200, 1), Fraction(18, 1))
    """
    if units < dim:
        return Fraction(2**units)
    return (constant * units) ** dim / factorial(dim)


def tseran_montufar(units: int, dim: int, rank: int, constant: Fraction) -> Fraction:
    """Return (T K N)**n_0 C(K n_0, 2 n_0) / n_0!: regions per volume, maxout of rank K.

    Parameters
    ----------
    units, dim : int
        Number of units N, input dimension n_0.
    rank : int
        Rank K of the units.
    constant : Fraction
        T = 2**5 C_grad C_bias.

    Returns
    -------
    Fraction

    Examples
    --------
    >>> tseran_montufar(20, 2, 2, Fraction(1))
    Fraction(800, 1)
    """
    return (constant * rank * units) ** dim * comb(rank * dim, 2 * dim) / factorial(dim)


def average_bounds(
    arch: Architecture, domain: Box, *, gradient_constant: float, bias_constant: float
) -> Bounds:
    """Collect published bounds on the average number of activation regions in a cube.

    Parameters
    ----------
    arch : Architecture
        Fully connected layers with ReLU or maxout.
    domain : Box
        A cube of the full dimension, with sides above the threshold of the theorems.
    gradient_constant : float
        C_grad: bound on the moments of the gradients of pre-activations over the random weights.
    bias_constant : float
        C_bias: bound on the density of the biases; ``1 / (bias_std * sqrt(2 * pi))`` for normal
        ones.

    Returns
    -------
    Bounds
        Bounds with ``of="average"`` and ``rigorous=False``: the constants in front are not
        confirmed (2**5 is taken for both), and the threshold of the cube is not checked.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    InvalidInput
        If a constant is not positive, or the domain is no cube of the full dimension.

    References
    ----------
    B. Hanin, D. Rolnick, "Deep ReLU Networks Have Surprisingly Few Activation Patterns", NeurIPS
    2019, arXiv:1906.00904. H. Tseran, G. Montufar, "On the Expected Complexity of Maxout Networks",
    NeurIPS 2021, arXiv:2107.00379.

    Examples
    --------
    >>> import linear_regions as lr
    >>> arch = lr.Architecture.mlp([2, 10, 10, 1])
    >>> found = average_bounds(arch, lr.Box(0, 1), gradient_constant=1 / 32, bias_constant=1)
    >>> found["Hanin-Rolnick 2019"].value, found.upper
    (200, None)
    """
    if not isinstance(arch, Architecture):
        raise TypeError(f"arch must be an Architecture, got {type(arch).__name__}")
    if not isinstance(domain, Box):
        raise TypeError(f"domain must be a Box (a cube), got {type(domain).__name__}")
    constant = Fraction(32)
    for name, value in (
        ("gradient_constant", gradient_constant),
        ("bias_constant", bias_constant),
    ):
        if not (isfinite(value) and value > 0):
            raise InvalidInput(f"{name} must be a positive number, got {value!r}")
        constant *= Fraction(value)
    cube = domain.resolve(arch.input_shape)
    sides = {Fraction(float(b)) - Fraction(float(a)) for a, b in _ends(cube)}
    if len(sides) != 1 or 0 in sides:
        raise InvalidInput("domain must be a cube: all its sides must have the same length above 0")
    dim = arch.input_size
    question = Question(arch, None, cube, dim)
    volume = sides.pop() ** dim
    found = [
        _hanin_rolnick(question, volume, constant),
        _tseran_montufar(question, volume, constant),
    ]
    return Bounds(
        tuple(item for item in found if isinstance(item, Bound)),
        tuple(item for item in found if isinstance(item, NotApplicable)),
        dim=dim,
    )


def _ends(cube: Box) -> list[tuple[float, float]]:
    return list(zip(cube.low.ravel().tolist(), cube.high.ravel().tolist(), strict=True))


def _bound(name: str, value: Fraction, reference: str) -> Bound:
    return Bound(name, "upper", "average", ceil(value), reference, (_DOUBT,), rigorous=False)


def _hanin_rolnick(
    question: Question, volume: Fraction, constant: Fraction
) -> Bound | NotApplicable:
    name = "Hanin-Rolnick 2019"
    reason = untied_reason(question)
    if reason is not None:
        return NotApplicable(name, reason)
    if any(stage.windows or stage.breakpoints != 1 for stage in question.stages):
        return NotApplicable(name, "needs activations with one breakpoint")
    units = sum(stage.units for stage in question.stages)
    value = volume * hanin_rolnick(units, question.dim, constant)
    return _bound(name, value, "Hanin, Rolnick 2019, arXiv:1906.00904 (from memory)")


def _tseran_montufar(
    question: Question, volume: Fraction, constant: Fraction
) -> Bound | NotApplicable:
    name = "Tseran-Montufar 2021"
    reason = untied_reason(question)
    if reason is not None:
        return NotApplicable(name, reason)
    ranks = {size for stage in question.stages for size, _ in stage.windows}
    if len(ranks) != 1 or not all(stage.windows for stage in question.stages):
        return NotApplicable(name, "needs maxout layers of one rank")
    units = sum(stage.units for stage in question.stages)
    value = volume * tseran_montufar(units, question.dim, ranks.pop(), constant)
    return _bound(name, value, "Tseran, Montufar 2021, arXiv:2107.00379, and the authors' code")
