# SPDX-License-Identifier: MIT
"""Theorems that say how a number grows, without constants that would make it a number."""

from __future__ import annotations

from .._layer import AffineSpec, ConvSpec
from .._one_layer.windows import one_layer
from ..result import NotApplicable, Order
from .one_layer import in_reach
from .question import Question

Grown = Order | NotApplicable


def raghu_2017(question: Question) -> list[Grown]:
    """Give the order of the maximum for n layers of width k."""
    name = "Raghu 2017"
    prefix = question.prefix(AffineSpec)
    stages = question.stages
    if not prefix.complete or len(prefix.specs) != len(stages):
        return [NotApplicable(name, "needs fully connected layers only")]
    if any(stage.windows or stage.breakpoints > 2 for stage in stages):
        return [NotApplicable(name, "is stated for ReLU and hard tanh")]
    width, depth = max(stage.units for stage in stages), len(stages)
    twice = "2 * " if any(stage.breakpoints == 2 for stage in stages) else ""
    base = f"({twice}{width})" if twice else str(width)
    return [
        Order(
            name,
            "upper",
            "maximum",
            f"O({base}^({question.dim} * {depth}))",
            "Raghu, Poole, Kleinberg, Ganguli, Sohl-Dickstein 2017, Theorem 1, arXiv:1606.05336 "
            "(from memory)",
            (
                f"widths at most {width}, depth {depth}, dimension {question.dim}; the constant "
                "is not given",
            ),
        )
    ]


def xiong_2020_order(question: Question) -> list[Grown]:
    """Give the growth of one convolutional layer with the number of its filters."""
    name = "Xiong 2020, Theorem 3"
    prefix = question.prefix(ConvSpec)
    if len(question.stages) != 1 or len(prefix.specs) != 1 or question.stages[0].windows:
        return [NotApplicable(name, "needs a single convolutional layer with an activation")]
    if question.dim < question.n_inputs:
        return [NotApplicable(name, "is stated for the whole input space")]
    spec = prefix.specs[0]
    assert isinstance(spec, ConvSpec)
    if not in_reach(prefix.shapes[0], spec):
        return [NotApplicable(name, "too many windows along an axis to be looked at one by one")]
    order = one_layer(prefix.shapes[0], spec).n_inputs
    return [
        Order(
            name,
            "exact",
            "maximum",
            f"Theta(d^{order})",
            "Xiong et al. 2020 (arXiv:2006.00978), the asymptotic theorem (numbered from memory); "
            "proof in the manual",
            ("d filters, everything else fixed; one_layer_asymptotics gives the leading constant",),
        )
    ]


def hanin_rolnick_2019(question: Question) -> list[Grown]:
    """Give the growth of the average number in a cube."""
    name = "Hanin-Rolnick 2019"
    reason = untied_reason(question)
    if reason is not None:
        return [NotApplicable(name, reason)]
    units, dim = sum(stage.units for stage in question.stages), question.dim
    order = f"O({units}^{dim} / {dim}!)" if units >= dim else f"O(2^{units})"
    return [
        Order(
            name,
            "upper",
            "average",
            order,
            "Hanin, Rolnick 2019, Deep ReLU networks have surprisingly few activation patterns, "
            "arXiv:1906.00904 (from memory)",
            (
                "independent weights and biases with bounded densities; regions per volume of a "
                "large cube; average_bounds takes the constants",
            ),
        )
    ]


def untied_reason(question: Question) -> str | None:
    """Return why theorems on independent weights do not apply, or None.

    Parameters
    ----------
    question : Question
        What is asked.

    Returns
    -------
    str or None
    """
    if any(isinstance(layer, ConvSpec) for layer in question.architecture.layers):
        return "assumes independent weights; a convolution ties the weights of its positions"
    if not question.chain or any(stage.pool is not None for stage in question.stages):
        return "is stated for chains of fully connected layers"
    if not question.stages:
        return "needs an activation"
    return None


ALL = (raghu_2017, xiong_2020_order, hanin_rolnick_2019)
