# SPDX-License-Identifier: MIT
"""What is said about a layer whose exact count is out of reach: a bracket and an estimate.

`maximum` calls the two functions of this file, and nothing else of what estimates:

* `rigorous_bracket` where an exact count was stopped or a bracket belongs beside a number;
* `beyond_exact` where no exact method fits (``method="auto"``) or an estimate was asked for by
  name (a method of `BEYOND_METHODS`). It returns a `RegionCount` of kind ``"estimate"``, its
  interval with the confidence, its bracket, and `related` as from `related_bounds`; or it raises
  `Unsupported` where it cannot say anything.

Layers without biases (``question.central``) never come here: `maximum` answers them with an upper
bound.
"""

from __future__ import annotations

from .._numbers import short_number
from ..errors import Unsupported
from ..result import Interval, RegionCount
from .question import Question
from .related import fully_connected
from .windows import log10_binomial_sum

BEYOND_METHODS: tuple[str, ...] = ()
"""Names of the methods that `beyond_exact` takes; `one_layer_maximum` accepts them."""


def rigorous_bracket(question: Question) -> Interval:
    """Return a proved lower and upper bound of the maximum; None as upper bound means: none.

    Parameters
    ----------
    question : Question
        What is asked.

    Returns
    -------
    low : int
    high : int or None
    """
    limit = fully_connected(question)
    return (1, None if limit is None else limit.value)


def beyond_exact(question: Question) -> RegionCount:
    """Estimate the maximum of a layer that no exact method reaches.

    Parameters
    ----------
    question : Question
        What is asked; `question.run` has the threads, the time limit and the poll function.

    Returns
    -------
    RegionCount

    Raises
    ------
    Unsupported
        There is no estimate.
    """
    raise Unsupported(out_of_reach(question))


def out_of_reach(question: Question) -> str:
    """Return the message that names the fully connected bound.

    Parameters
    ----------
    question : Question
        What is asked.

    Returns
    -------
    str
    """
    limit = fully_connected(question)
    layer = question.layer
    if limit is not None:
        text = short_number(limit.value)
    else:
        power = log10_binomial_sum(layer.n_neurons, layer.n_inputs, question.breakpoints)
        text = f"10^{power:.1f}"
    positions = max(part.n_positions for part, _ in layer.parts)
    return (
        f"the exact maximum is out of reach: {positions} positions overlap along two or more axes. "
        f"A fully connected layer with as many neurons has at most {text} regions, and this "
        "layer no more; bounds(...) gives lower and upper bounds"
    )
