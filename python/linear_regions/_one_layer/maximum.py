# SPDX-License-Identifier: MIT
"""`one_layer_maximum`: the public face of the one-layer counts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from math import prod
from time import perf_counter

import numpy as np

from .._geometry import integer, shape_of
from .._layer import ConvSpec, Layer
from .._numbers import package_version
from .._run import Progress, Run, run_control
from ..errors import InvalidInput, Unsupported
from ..result import RegionCount
from .beyond import BEYOND_METHODS, beyond_exact, out_of_reach
from .draws import OutOfReach
from .parts import Answer, central_count, central_limit, hall_count, shared_count
from .question import EXACT_METHODS, Question
from .related import FORMULA, related_bounds
from .windows import Part, one_layer

Rng = int | np.random.SeedSequence | np.random.BitGenerator | np.random.Generator | None

METHODS = ("auto", "exact", *EXACT_METHODS, *BEYOND_METHODS)
_WEIGHTS = ("shared", "free")
_BIASES = ("shared", "free", "none")


def one_layer_maximum(
    input_shape: int | Sequence[int],
    conv_spec: Layer,
    *,
    breakpoints: int = 1,
    weights: str = "shared",
    bias: str = "shared",
    breakpoint_at_zero: bool = True,
    method: str = "auto",
    rng: Rng = None,
    threads: int | None = None,
    time_limit: float | None = None,
    cancel: threading.Event | None = None,
    progress: Progress = False,
) -> RegionCount:
    """Count the regions of one convolutional layer at its best weights.

    Generic weights reach the maximum, and random weights with a density have it on average.

    Parameters
    ----------
    input_shape : sequence of int
        (channels, n), (channels, h, w) or (channels, d, h, w).
    conv_spec : ConvSpec or Conv
        The layer; the weights of a `Conv` are ignored.
    breakpoints : int, default 1
        Breakpoints of the activation: 1 for ReLU, 2 for hard tanh.
    weights : {"shared", "free"}
        Whether all positions share the filters (a convolution), or have their own (a locally
        connected layer).
    bias : {"shared", "free", "none"}
        One bias per filter, one per neuron, or none. The first two give the same number.
    breakpoint_at_zero : bool, default True
        Only for ``bias="none"``: with a common breakpoint away from zero the hyperplanes miss the
        origin, and the number is the one with biases.
    method : {"auto", "scan", "matching", "multiset", "restriction"}
        ``"scan"``: windows that overlap along one axis only, any size. ``"matching"``: free
        weights, few positions. ``"multiset"``: shared filters, few positions, by generic draws
        modulo a prime. ``"restriction"``: no biases, few neurons, also by draws.
        ``"direct"`` and ``"particles"`` estimate, with an interval and a proved bracket beside it;
        ``"auto"`` takes one of them where no exact method fits.
    rng : None, int, SeedSequence, BitGenerator or Generator
        Source of the draws; it does not change an exact number.
    threads : int, optional
        Threads of an estimate; default all that this process may use.
    time_limit : float, optional
        Seconds after which a long count stops.
    cancel : threading.Event, optional
        Stops a long count when it is set.
    progress : bool or callable, default False
        Shows the progress, or receives (0, fraction done).

    Returns
    -------
    RegionCount
        Exact; `error_probability` is 0.0 where the number is proved and below 2**-60 where it
        rests on two draws. ``related["published formula"]`` is the formula of Xiong et al., which
        for shared filters in two or three axes can exceed the maximum, and
        ``related["fully connected"]`` the number for as many unrestricted neurons. Without biases
        the kind is ``"upper"`` where the exact count is out of reach; `reference` says why.

    Raises
    ------
    TypeError
        `conv_spec` is no convolution.
    InvalidInput
        Shapes that do not fit, or an unknown option.
    Unsupported
        The layer is too large for the methods; the message names the fully connected bound.

    Notes
    -----
    The scan is polynomial. Matching and multiset are exponential in the number of positions that
    overlap in two or more axes; components of the layer that share no input are counted one by one
    and multiplied.

    References
    ----------
    Xiong, Huang, Yu, Liu, Zhu, Shao, On the Number of Linear Regions of Convolutional Neural
    Networks, ICML 2020, arXiv:2006.00978, Theorem 2.

    Examples
    --------
    >>> from linear_regions.architecture import ConvSpec
    >>> int(one_layer_maximum((1, 3), ConvSpec(filters=2, kernel_size=2)))
    15
    >>> count = one_layer_maximum((1, 3, 3), ConvSpec(filters=2, kernel_size=2), rng=0)
    >>> count.value, count.related["published formula"].value
    (255, 256)
    """
    started = perf_counter()
    run = run_control(
        arithmetic="certified",
        threads=threads,
        limit=None,
        time_limit=time_limit,
        cancel=cancel,
        progress=progress,
    )
    question = _checked(
        input_shape, conv_spec, breakpoints, weights, bias, breakpoint_at_zero, method, rng, run
    )
    try:
        return _answer(question, started)
    finally:
        run.close()


def _answer(question: Question, started: float) -> RegionCount:
    if question.method in BEYOND_METHODS:
        return beyond_exact(question)
    try:
        answers = _answers(question)
    except OutOfReach:
        if question.central:
            return _central_upper(question, started)
        if question.method == "auto":
            return beyond_exact(question)
        raise Unsupported(out_of_reach(question)) from None
    value = prod(answer.value**times for answer, times in answers)
    # A sum of the chances that some part is wrong bounds the chance that any is.
    error = sum(answer.error_probability for answer, _ in answers)
    methods = sorted({answer.method for answer, _ in answers}) or ["scan"]
    return RegionCount(
        value,
        what="activation",
        kind="exact",
        method="+".join(methods),
        arithmetic="modular" if error else "certified",
        error_probability=error,
        seconds=perf_counter() - started,
        work={"parts": len(answers), "nodes": sum(answer.nodes for answer, _ in answers)},
        related=related_bounds(question),
        reference=_reference(question),
        version=package_version(),
    )


def _checked(
    input_shape: int | Sequence[int],
    conv_spec: Layer,
    breakpoints: int,
    weights: str,
    bias: str,
    breakpoint_at_zero: bool,
    method: str,
    rng: Rng,
    run: Run,
) -> Question:
    shape = shape_of("input_shape", input_shape, 1)
    spec = getattr(conv_spec, "spec", None)
    if not isinstance(spec, ConvSpec):
        raise TypeError(
            f"conv_spec must be a ConvSpec or a Conv, got {conv_spec!r}; for a fully connected "
            "layer use bounds(Architecture.mlp(...))"
        )
    for name, value, allowed in (
        ("weights", weights, _WEIGHTS),
        ("bias", bias, _BIASES),
        ("method", method, METHODS),
    ):
        if value not in allowed:
            raise InvalidInput(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
    question = Question(
        layer=one_layer(shape, spec),
        breakpoints=integer("breakpoints", breakpoints, 1),
        weights=weights,
        bias=bias,
        central=bias == "none" and breakpoint_at_zero,
        method=method,
        rng=np.random.default_rng(rng),
        run=run,
    )
    wrong = {
        "matching": question.central or weights == "shared",
        "multiset": question.central or weights == "free",
        "restriction": not question.central or question.breakpoints > 1,
        "scan": question.central,
    }
    if wrong.get(method, False):
        raise Unsupported(
            f"method={method!r} does not count weights={weights!r}, bias={bias!r}, breakpoints="
            f'{breakpoints}; method="auto" picks one that does'
        )
    return question


def _answers(question: Question) -> list[tuple[Answer, int]]:
    return [(_count(question)(part), times) for part, times in question.layer.parts]


def _count(question: Question) -> Callable[[Part], Answer]:
    """Return the function that counts a part; it raises OutOfReach where it cannot."""
    k, rng, budget = question.breakpoints, question.rng, question.budget
    if question.central:
        if k > 1:
            raise OutOfReach  # some breakpoints are at zero, some are not
        return lambda part: central_count(part, question.weights, rng, budget)
    if question.method == "scan" and any(p.scan_form is None for p, _ in question.layer.parts):
        raise Unsupported(
            'method="scan" needs windows that overlap along one axis only; use method="auto"'
        )
    if question.weights == "free" or question.method == "scan":
        return lambda part: hall_count(part, k, budget.matching)
    force = question.method == "multiset"
    return lambda part: shared_count(part, k, rng, budget, force)


def _reference(question: Question) -> str:
    if question.central:
        return "Whitney's theorem: T(2, 0) of the matroid of a generic draw"
    if question.weights == "free":
        return FORMULA
    return "number of independent sets of neurons of a generic draw of the shared filters"


def _central_upper(question: Question, started: float) -> RegionCount:
    """Without biases, out of reach: what is certain is an upper bound."""
    related = related_bounds(question)
    central = question.breakpoints == 1
    limits = [bound.value for bound in related.values()]
    if central:
        limits.append(prod(central_limit(part) ** times for part, times in question.layer.parts))
    reason = (
        "the exact count without biases enumerates a generic draw, which is out of reach here"
        if central
        else "with several breakpoints, one of them at zero, no exact method is known here"
    )
    if not limits:
        raise Unsupported(out_of_reach(question))
    return RegionCount(
        min(limits),
        what="activation",
        kind="upper",
        method="limit",
        seconds=perf_counter() - started,
        related=related,
        reference=f"upper bound only: {reason}",
        version=package_version(),
    )
