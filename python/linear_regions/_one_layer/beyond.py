# SPDX-License-Identifier: MIT
"""What is said about a layer whose exact count is out of reach: a bracket and an estimate.

`maximum` calls the two functions of this file, and nothing else of what estimates:

* `rigorous_bracket` where an exact count was stopped or a bracket belongs beside a number;
* `beyond_exact` where no exact method fits (``method="auto"``) or an estimate was asked for by
  name (a method of `BEYOND_METHODS`). It returns a `RegionCount` of kind ``"estimate"`` (or
  ``"lower"``, where sampling found nothing: then the value is the bracket's lower end), its
  interval with the confidence, its bracket, and `related` as from `related_bounds`; or it raises
  `Unsupported` where it cannot say anything.

Layers without biases (``question.central``) never come here: `maximum` answers them with an upper
bound.
"""

from __future__ import annotations

from math import floor, inf, isfinite, log, sqrt
from time import perf_counter
from typing import Any

from .._numbers import package_version, short_number
from ..errors import Interrupted, Unsupported
from ..result import Interval, RegionCount
from .bracket import bracket
from .draws import OutOfReach
from .estimate import PartEstimate, estimate_part
from .exact import AUTO, free_count, true_count
from .parts import Answer
from .question import Question
from .related import fully_connected, related_bounds
from .rounding import exactly
from .sampler import Clock, Sampler
from .windows import Part, log10_binomial_sum

BEYOND_METHODS: tuple[str, ...] = ("direct", "particles")
"""Names of the methods that `beyond_exact` takes; `one_layer_maximum` accepts them."""

CONFIDENCE = 0.95
# Slots and pairs of window and entry that the core handles in a few hundred megabytes.
_MOST_PAIRS = 20_000_000


AFTER_STOP = 0.03
"""Seconds that better bounds may take after a call was stopped."""


def rigorous_bracket(question: Question, seconds: float = inf) -> Interval:
    """Return a proved lower and upper bound of the maximum; None as upper bound means: none.

    Parameters
    ----------
    question : Question
        What is asked.
    seconds : float
        After so long no better bounds are looked for.

    Returns
    -------
    low : int
    high : int or None
    """
    if question.central:
        limit = fully_connected(question)
        return (1, None if limit is None else limit.value)
    return bracket(question.layer, question.breakpoints, question.weights, seconds)


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
    started = perf_counter()
    if question.central:
        raise Unsupported(
            "layers without biases are not estimated; leave the method out to get an upper bound"
        )
    for part, _ in question.layer.parts:
        if part.n_inputs + sum(part.window_sizes()) > _MOST_PAIRS:
            raise Unsupported(out_of_reach(question))
    control = question.control
    clock = Clock(question.run, started, ledger=control.ledger, executor=control.executor)
    # Parts with a number of their own need no share of the risk.
    exact = {part: _exact(question, part) for part, _ in question.layer.parts}
    sampled = max(1, sum(answer is None for answer in exact.values()))
    alpha = (1 - CONFIDENCE) / sampled
    found: list[tuple[PartEstimate, int]] = []
    for part, times in question.layer.parts:
        answer = exact[part]
        if answer is not None:
            value = exactly(answer.value, False).log2
            found.append((PartEstimate(value, value, value, method=answer.method), times))
            continue
        words = question.rng.integers(0, 1 << 63, size=2, dtype="uint64")
        key = (int(words[0]), int(words[1]))
        sampler = Sampler(part, question.breakpoints, key, clock)
        how = "auto" if question.method not in BEYOND_METHODS else question.method
        found.append((estimate_part(sampler, how, question.weights == "shared", alpha), times))
    result = _result(question, found, clock)
    if clock.interrupted:
        raise Interrupted(result)
    return result


def _exact(question: Question, part: Part) -> Answer | None:
    """Return the number of a part that is counted at once; None where it is to be sampled."""
    closed = part.scan_form is not None or part.all_patterns
    # A single part is here because no exact count reaches it, or because it is to be sampled.
    single = len(question.layer.parts) == 1 or question.method in BEYOND_METHODS
    if single and not closed:
        return None
    try:
        if question.weights == "free":
            return free_count(part, question.breakpoints, question.control, AUTO)
        return true_count(
            part, question.breakpoints, question.rng, question.bias, question.control, AUTO
        )
    except OutOfReach:
        return None


def _result(question: Question, found: list[tuple[PartEstimate, int]], clock: Clock) -> RegionCount:
    seconds = AFTER_STOP if clock.stopped else inf
    limits = bracket(question.layer, question.breakpoints, question.weights, seconds)
    # The bracket's upper end is rounded up, this one is an integer. The published formula takes no
    # part: whether there is time for it depends on the run, and a seed stands for one number.
    most = None if clock.stopped else fully_connected(question)
    if most is not None:
        limits = (limits[0], min(limits[1], most.value))
    if limits[0] == limits[1] and not clock.stopped:
        return _proved(question, limits, clock)
    value = sum(part.value * times for part, times in found)
    low, high = _ends(question, found)
    notes = sorted({part.note for part, _ in found if part.note})
    work: dict[str, Any] = {}
    for part, _ in found:
        for name, number in part.work.items():
            work[name] = number if name not in work else _joined(work[name], number)
    error = sqrt(sum((part.standard_error * times) ** 2 for part, times in found))
    if isfinite(error):
        work["standard_error_log10"] = error / log(10)
    interval = (_integer(low, limits[0]), _integer(high, limits[1]))
    # The bracket is certain; an interval outside of it means that sampling missed.
    interval = (max(interval[0], limits[0]), min(interval[1], limits[1]))
    if interval[0] > interval[1]:
        interval = limits
    number = _integer(value, interval[0])
    reference = "Xiong et al. 2020, Theorem 2, estimated by sampling Hall-independent sets"
    if question.weights == "shared":
        reference += ", with ranks of generic draws of the shared filters"
    return RegionCount(
        min(max(number, limits[0]), limits[1]),
        what="activation",
        # Where nothing was observed the value is the proved lower end of the bracket.
        kind="estimate" if isfinite(value) else "lower",
        status=clock.status,  # type: ignore[arg-type]
        method="+".join(sorted({part.method for part, _ in found})),
        arithmetic="modular" if question.weights == "shared" else "certified",
        error_probability=None,
        interval=interval,
        confidence=1.0 if interval == limits else CONFIDENCE,
        bracket=limits,
        seconds=perf_counter() - clock.started,
        work=work,
        related={} if clock.stopped else related_bounds(question),
        reference="; ".join([reference, *notes]),
        version=package_version(),
    )


def _ends(question: Question, found: list[tuple[PartEstimate, int]]) -> tuple[float, float]:
    """Return the ends of the interval, moved outward by more than the rounding of logarithms.

    Of a part, about as many logarithms are added up as there are windows.
    """
    low = high = 0.0
    for (part, _), (estimate, times) in zip(question.layer.parts, found, strict=True):
        doubt = (part.n_positions + 16) * 2.0**-50
        low += times * (estimate.low - doubt * (1.0 + abs(estimate.low)))
        high += times * (estimate.high + doubt * (1.0 + abs(estimate.high)))
    return low, high


def _proved(question: Question, limits: tuple[int, int], clock: Clock) -> RegionCount:
    """Return the number that the bracket leaves, which needs no sample."""
    return RegionCount(
        limits[0],
        what="activation",
        kind="exact",
        method="bracket",
        arithmetic="certified",
        bracket=limits,
        seconds=perf_counter() - clock.started,
        related=related_bounds(question),
        reference="a lower and an upper bound that are equal",
        version=package_version(),
    )


def _joined(one: Any, other: Any) -> Any:
    return None if one is None or other is None else one + other


def _integer(power: float, otherwise: int) -> int:
    """Return 2**power rounded to an integer; `otherwise` where it is not finite."""
    if power in (inf, -inf):
        return otherwise
    whole = floor(power)
    mantissa = int(2.0 ** (power - whole + 52))
    shift = whole - 52
    return mantissa << shift if shift >= 0 else (mantissa + (1 << (-shift - 1))) >> -shift


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
