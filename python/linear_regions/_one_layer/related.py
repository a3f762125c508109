# SPDX-License-Identifier: MIT
"""Numbers that stand beside the maximum: the published formula, the fully connected limit."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from ..result import Bound
from .compiled import StoppedEarly
from .draws import OutOfReach
from .exact import AUTO, QUICK, free_count
from .question import Question

FORMULA = "Xiong et al. 2020, Theorem 2 (k breakpoints: one factor k per chosen neuron)"
# Above this many inputs the exact binomial sum takes seconds, too long for a message.
_EXACT_SUM_INPUTS = 20_000
# A number beside the answer may take less than the answer; what the answer counted is kept.
_BESIDE = replace(AUTO, seconds=20.0)


def fully_connected(question: Question) -> Bound | None:
    """Return the number for as many neurons that see everything; None where it takes seconds.

    Parameters
    ----------
    question : Question
        What is asked.

    Returns
    -------
    Bound or None
    """
    layer = question.layer
    if layer.n_inputs > _EXACT_SUM_INPUTS and layer.n_neurons > layer.n_inputs:
        return None
    return Bound(
        "fully connected",
        "upper",
        "maximum",
        layer.fully_connected(question.breakpoints),
        "Zaslavsky 1975: generic hyperplanes, as many neurons, each seeing every input",
    )


def related_bounds(question: Question) -> dict[str, Bound]:
    """Return the bounds that stand beside the answer, by name; see `bounds_and_status`."""
    return bounds_and_status(question)[0]


def bounds_and_status(question: Question) -> tuple[dict[str, Bound], str]:
    """Return the bounds that need no exact count, by name, and whether any was stopped.

    Parameters
    ----------
    question : Question
        What is asked.

    Returns
    -------
    bounds : dict of str to Bound
    status : str
        "complete", or what stopped a bound that is therefore missing.
    """
    related = {}
    limit = fully_connected(question)
    if limit is not None:
        related[limit.name] = limit
    effort = QUICK if question.central else _BESIDE
    try:
        formula = prod(
            free_count(part, question.breakpoints, question.control, effort).value ** times
            for part, times in question.layer.parts
        )
    except OutOfReach:
        return related, "complete"
    except StoppedEarly as stopped:
        if stopped.interrupted:
            raise
        return related, stopped.status
    related["published formula"] = Bound(
        "published formula",
        "upper",
        "maximum",
        formula,
        FORMULA,
        ("exact with free weights, and with shared filters along one axis",),
    )
    return related, "complete"
