# SPDX-License-Identifier: MIT
"""Bounds by theorems: pure Python integers, no compiled code."""

from __future__ import annotations

from ..architecture import Architecture
from ..domain import Domain, as_domain
from ..errors import Unsupported
from ..network import Network
from ..result import Bound, Bounds, NotApplicable, Order
from . import lower, orders, upper
from .asymptotics import Asymptotics, one_layer_asymptotics
from .average import average_bounds
from .big import MOST_BITS, TooLong
from .comparison import Comparison, compare_per_parameter, fully_connected_twin, shallow_twin
from .question import Question

__all__ = [
    "Asymptotics",
    "Comparison",
    "average_bounds",
    "bounds",
    "compare_per_parameter",
    "fully_connected_twin",
    "one_layer_asymptotics",
    "shallow_twin",
]


def bounds(arch_or_net: Architecture | Network, domain: Domain | None = None) -> Bounds:
    """Collect all bounds on the number of activation regions that theorems give.

    Parameters
    ----------
    arch_or_net : Architecture or Network
        An `Architecture`: `lower` and `upper` bound the largest number over all weights. A
        `Network`: they bound the number of this network; what some other weights reach stands apart
        in `lower_of_maximum`.
    domain : Domain, optional
        Where regions are counted; default the whole input space. Its dimension takes the place of
        the input dimension where the proof allows.

    Returns
    -------
    Bounds
        Every bound with its value (an exact integer), reference and assumptions;
        ``not_applicable`` lists the others with their reasons, ``orders`` the theorems on growth
        that give no number.

    Raises
    ------
    TypeError
        The argument is neither an `Architecture` nor a `Network`, or the domain is none.
    InvalidInput
        The domain does not fit the input shape.
    DegenerateInput
        The domain is empty.
    Unsupported
        The bounds would have some hundred million bits and more.

    Notes
    -----
    Upper bounds hold for linear regions and affine pieces too: there are no more of them than
    activation regions.

    Examples
    --------
    >>> from linear_regions.architecture import Architecture, ConvSpec
    >>> result = bounds(Architecture.cnn((1, 4), [ConvSpec(2, 2), ConvSpec(3, 2)]))
    >>> result.lower, result.upper
    (Bound('Xiong 2020, Theorem 5 (lower)': maximum >= 320), \
Bound('layer by layer': maximum <= 2310))
    """
    if isinstance(arch_or_net, Network):
        network, architecture = arch_or_net, arch_or_net.architecture
    elif isinstance(arch_or_net, Architecture):
        network, architecture = None, arch_or_net
    else:
        raise TypeError(
            "bounds() takes an Architecture or a Network, got "
            f"{type(arch_or_net).__name__}; load(...) makes a Network of other models"
        )
    if domain is not None:
        domain = as_domain(domain).resolve(architecture.input_shape)
    dim = domain.dim if domain is not None else None
    question = Question(
        architecture, network, domain, architecture.input_size if dim is None else dim
    )
    found = _find(question)
    return Bounds(
        tuple(item for item in found if isinstance(item, Bound)),
        tuple(item for item in found if isinstance(item, NotApplicable)),
        subject="architecture" if network is None else "network",
        dim=question.dim,
        orders=tuple(item for item in found if isinstance(item, Order)),
    )


def _find(question: Question) -> list[Bound | NotApplicable | Order]:
    sure = Bound("not empty", "lower", "network", 1, "the domain is not empty")
    if not question.stages or question.dim == 0:
        reason = "a single point" if question.dim == 0 else "no activation cuts the domain"
        return [sure, Bound("one region", "exact", "maximum", 1, reason)]
    bits = sum(stage.bits for stage in question.stages)
    if bits > MOST_BITS:
        raise Unsupported(
            f"these bounds would be integers of about {bits:.3g} bits, of which {MOST_BITS:,} are "
            "computed at most: ask for fewer units, or for a domain of lower dimension (a Slice)"
        )
    found: list[Bound | NotApplicable | Order] = [sure]
    for bound in (*upper.ALL, *lower.ALL):
        try:
            found += bound(question)
        except TooLong as reason:
            found.append(NotApplicable(bound.__name__.replace("_", " "), str(reason)))
    for order in orders.ALL:
        found += order(question)
    return found
