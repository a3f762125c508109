# SPDX-License-Identifier: MIT
"""`one_layer_maximum`: the public face of the one-layer counts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from os import PathLike
from time import perf_counter

from .._digest import digest
from .._geometry import shape_of
from .._layer import Layer
from .._ledger import Ledger
from .._numbers import package_version
from .._part_runs import ExecutorOrMaker
from .._run import Progress
from ..errors import CheckpointError, Interrupted, Unsupported
from ..result import RegionCount
from .beyond import AFTER_STOP, BEYOND_METHODS, beyond_exact, out_of_reach, rigorous_bracket
from .compiled import StoppedEarly
from .draws import OutOfReach
from .exact import (
    AUTO,
    EXACT,
    FORCED,
    Effort,
    free_count,
    free_sizes,
    shared_sizes,
    true_count,
)
from .parts import Answer, central_count, central_limit, hall_count
from .question import Question, Rng, checked
from .related import FORMULA, bounds_and_status, related_bounds
from .windows import Part

_IN_ONE_PIECE = ("scan", "matching", "frontier", "restriction")


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
    executor: ExecutorOrMaker | None = None,
    checkpoint: str | PathLike[str] | None = None,
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
    method : {"auto", "exact", "scan", "matching", "frontier", "multiset", "restriction"}
        ``"auto"``: exact where that takes a minute or two at most, else an estimate with a
        rigorous bracket where there is one. ``"exact"``: never an estimate, and more time.
        ``"scan"``: windows that overlap along one axis only, any size. ``"matching"``: free
        weights, few positions, in plain Python. ``"frontier"``: free weights, any number of
        positions along the longest axis, few across it. ``"multiset"``: shared filters, few
        positions, by generic draws modulo random primes. ``"restriction"``: no biases, few
        neurons, also by draws. ``"direct"`` and ``"particles"`` estimate, with an interval and a
        proved bracket beside it; ``"auto"`` takes one of them where no exact method fits.
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
    executor : concurrent.futures.Executor or callable, optional
        Its workers count filter multisets, first sets of filters apart, and run direct trials and
        particles; as for `count` of a network. The other methods cannot be divided: asked for by
        name they are refused, and where ``"auto"`` or ``"exact"`` takes one it runs in this
        process.
    checkpoint : str or path, optional
        File that records how far the count has come, every few seconds. The same call goes on
        from there, whatever ended the last one, and gives the same number for the same `rng`; a
        finished checkpoint answers at once. With ``rng=None`` the draws of the first call are kept.

    Returns
    -------
    RegionCount
        `error_probability` is 0.0 where the number is proved and below 2**-60 where it rests on
        draws. ``related["published formula"]`` is the formula of Xiong et al., which for shared
        filters in two or three axes can exceed the maximum, and ``related["fully connected"]``
        the number for as many unrestricted neurons. `reference` names the theorem. Where a time
        limit or `cancel` ended the count, the value is a proved lower bound and `bracket` has the
        upper one. Without biases the kind is ``"upper"`` where the exact count is out of reach;
        `reference` says why.

    Raises
    ------
    TypeError
        `conv_spec` is no convolution.
    InvalidInput
        Shapes that do not fit, or an unknown option; a checkpoint of another layer or question.
    Unsupported
        The layer is too large for the method; the message names the fully connected bound. Or an
        executor is given to a method that cannot be divided.
    CorruptFile, CheckpointError
        The checkpoint is damaged, or cannot be read or written.
    Interrupted
        Ctrl-C; `partial` has the bracket.

    Notes
    -----
    The scan is polynomial. The frontier count takes time and memory exponential in the number of
    windows across the longest axis, and linear in the windows along it; the number of filters
    hardly matters. Its cost is predicted before it starts, and it takes at most 3 GiB. The multiset
    count is exponential in the number of positions times filters; one enumeration serves every
    number of breakpoints. Components of the layer that share no input (groups, disjoint windows)
    are counted one by one and multiplied.

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
    if executor is not None and method in _IN_ONE_PIECE:
        raise Unsupported(
            f"method {method!r} cannot be divided among workers: leave executor out, or take "
            "'multiset', 'direct' or 'particles'"
        )
    question = checked(
        input_shape,
        conv_spec,
        breakpoints=breakpoints,
        weights=weights,
        bias=bias,
        breakpoint_at_zero=breakpoint_at_zero,
        method=method,
        rng=rng,
        extra_methods=BEYOND_METHODS,
        threads=threads,
        time_limit=time_limit,
        cancel=cancel,
        progress=progress,
    )
    if executor is not None:
        question = replace(question, control=replace(question.control, executor=executor))
    if checkpoint is None:
        return _watched(question, started, _answer)
    names = {
        "layer": digest((shape_of("input_shape", input_shape, 1), repr(conv_spec.spec))),
        "breakpoints": str(breakpoints),
        "weights": weights,
        "bias": bias,
        "breakpoint_at_zero": str(breakpoint_at_zero),
        "method": method,
        "rng": "drawn" if rng is None else digest(repr(question.rng.bit_generator.state)),
        "question": "one-layer maximum",
        "version": package_version(),
    }
    return _kept(question, started, Ledger(checkpoint, names), drawn=rng is None)


def _kept(question: Question, started: float, ledger: Ledger, drawn: bool) -> RegionCount:
    """Answer with the help of a ledger; `drawn`: nobody named a source of the draws."""
    if drawn:
        generator = question.rng.bit_generator
        noted = ledger.note("rng", lambda: generator.state)
        try:
            generator.state = noted
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise ledger.damage(error) from error
    question = replace(question, control=replace(question.control, ledger=ledger))
    try:
        with ledger.reading():
            result = _watched(question, started, _answer)
    except Interrupted as stop:
        ledger.close(complete=False)
        if isinstance(stop.partial, RegionCount):
            stop.partial = replace(stop.partial, seconds=ledger.seconds)
        raise
    except CheckpointError as error:
        error.partial = _stopped(question, started, "cancelled")
        raise
    ledger.close(complete=result.status == "complete")
    work = {**result.work, "runs": ledger.runs}
    return replace(result, seconds=ledger.seconds, work=work)


def one_layer_bounded(
    input_shape: int | Sequence[int],
    conv_spec: Layer,
    *,
    breakpoints: int = 1,
    weights: str = "shared",
    method: str = "auto",
    rng: Rng = None,
    time_limit: float | None = None,
    cancel: threading.Event | None = None,
    progress: Progress = False,
) -> RegionCount:
    """Count the bounded regions of one convolutional layer with generic weights and biases.

    Parameters
    ----------
    input_shape, conv_spec, breakpoints, weights, rng, time_limit, cancel, progress
        As in `one_layer_maximum`.
    method : str
        As in `one_layer_maximum`; there are no estimates.

    Returns
    -------
    RegionCount
        Exact. Regions that are bounded in the space of the normals: where the layer leaves some
        direction of the input free, no region is bounded in the input space itself.

    Raises
    ------
    TypeError, InvalidInput, Unsupported, Interrupted
        As in `one_layer_maximum`.

    Notes
    -----
    With f_s independent sets of s neurons and k breakpoints, the number is the absolute value of
    the sum of f_s (-k)**s: T(0, 1) of the matroid of the normals for k = 1.

    References
    ----------
    Zaslavsky, Facing up to Arrangements, Memoirs of the AMS 154, 1975, theorem C.

    Examples
    --------
    Three inputs, kernel 2, three filters: 40 regions, 8 of them bounded.

    >>> from linear_regions.architecture import ConvSpec
    >>> one_layer_bounded((1, 3), ConvSpec(filters=3, kernel_size=2)).value
    8
    """
    started = perf_counter()
    question = checked(
        input_shape,
        conv_spec,
        breakpoints=breakpoints,
        weights=weights,
        method=method,
        rng=rng,
        time_limit=time_limit,
        cancel=cancel,
        progress=progress,
    )
    return _watched(replace(question, bounded=True), started, _answer)


def one_layer_sizes(
    input_shape: int | Sequence[int],
    conv_spec: Layer,
    *,
    weights: str = "shared",
    rng: Rng = None,
    time_limit: float | None = None,
    cancel: threading.Event | None = None,
) -> tuple[int, ...]:
    """Count the independent sets of neurons of every size, at generic weights.

    Parameters
    ----------
    input_shape, conv_spec, weights, rng, time_limit, cancel
        As in `one_layer_maximum`.

    Returns
    -------
    tuple of int
        Entry s is the number f_s of sets of s neurons with linearly independent weights. With k
        breakpoints the layer has the sum of f_s k**s regions, and the absolute value of the
        sum of f_s (-k)**s of them are bounded.

    Raises
    ------
    TypeError, InvalidInput
        As in `one_layer_maximum`.
    Unsupported
        The layer is too large, or the time was over.

    Notes
    -----
    Proved for free weights and one axis; by draws modulo random primes otherwise, wrong with
    a chance below 2**-60. For the frontier count it costs as much as one count per size.

    Examples
    --------
    >>> from linear_regions.architecture import ConvSpec
    >>> one_layer_sizes((1, 3), ConvSpec(filters=3, kernel_size=2))
    (1, 6, 15, 18)
    """
    question = checked(
        input_shape, conv_spec, weights=weights, rng=rng, time_limit=time_limit, cancel=cancel
    )
    total = [1]
    try:
        for part, times in question.layer.parts:
            sizes = _part_sizes(question, part)
            for _ in range(times):
                total = _product(total, sizes)
    except OutOfReach:
        raise Unsupported(out_of_reach(question)) from None
    except StoppedEarly as stopped:
        if stopped.interrupted:
            raise Interrupted from None
        raise Unsupported(f"stopped ({stopped.status}) before the sizes were counted") from None
    except KeyboardInterrupt:  # between two calls of the core
        raise Interrupted from None
    while total[-1] == 0:
        total.pop()
    return tuple(total)


def _part_sizes(question: Question, part: Part) -> list[int]:
    if question.weights == "free" or part.scan_form is not None or part.all_patterns:
        return free_sizes(part, question.control, EXACT)
    return shared_sizes(part, question.rng, "shared", question.control, EXACT)[0]


def _product(a: list[int], b: list[int]) -> list[int]:
    result = [0] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            result[i + j] += x * y
    return result


def _watched(
    question: Question, started: float, answer: Callable[[Question, float], RegionCount]
) -> RegionCount:
    """Answer, and turn a run that was stopped into what is proved all the same."""
    try:
        return answer(question, started)
    except StoppedEarly as stopped:
        partial = _stopped(question, started, stopped.status)
        if stopped.interrupted:
            raise Interrupted(partial) from None
        return partial
    except Interrupted:
        raise
    except KeyboardInterrupt:  # between two calls of the core
        raise Interrupted(_stopped(question, started, "cancelled")) from None
    finally:
        question.run.close()


def _stopped(question: Question, started: float, status: str) -> RegionCount:
    low, high = (0, None) if question.bounded else rigorous_bracket(question, AFTER_STOP)
    return RegionCount(
        low,
        what="activation",
        kind="lower",
        status=status,  # type: ignore[arg-type]
        method="bracket",
        interval=(low, high),
        confidence=1.0,
        bracket=(low, high),
        seconds=perf_counter() - started,
        reference="lower and upper bounds; the exact count was stopped",
        version=package_version(),
    )


def _answer(question: Question, started: float) -> RegionCount:
    if question.method in BEYOND_METHODS:
        return beyond_exact(question)
    try:
        answers = [(_count(question)(part), times) for part, times in question.layer.parts]
    except OutOfReach:
        if question.central:
            return _central_upper(question, started)
        if question.method == "auto" and not question.bounded:
            return beyond_exact(question)
        raise Unsupported(out_of_reach(question)) from None
    value = prod(answer.value**times for answer, times in answers)
    # A sum of the chances that some part is wrong bounds the chance that any is.
    error = sum(answer.error_probability for answer, _ in answers)
    methods = sorted({answer.method for answer, _ in answers}) or ["scan"]
    return RegionCount(
        abs(value),
        what="activation",
        kind="exact",
        method="+".join(methods),
        arithmetic="modular" if error else "certified",
        error_probability=error,
        seconds=perf_counter() - started,
        work={"parts": len(answers), "nodes": sum(answer.nodes for answer, _ in answers)},
        related={} if question.bounded else related_bounds(question),
        reference=_reference(question, answers),
        version=package_version(),
    )


def _count(question: Question) -> Callable[[Part], Answer]:
    """Return the function that counts a part; it raises OutOfReach where it cannot."""
    k, rng, control = question.breakpoints, question.rng, question.control
    if question.central:
        if k > 1:
            raise OutOfReach  # some breakpoints are at zero, some are not
        return lambda part: central_count(part, question.weights, rng, question.budget)
    weight = -k if question.bounded else k
    if question.method == "scan" and any(p.scan_form is None for p, _ in question.layer.parts):
        raise Unsupported(
            'method="scan" needs windows that overlap along one axis only; use method="auto"'
        )
    if question.method == "matching":
        return lambda part: hall_count(part, weight, question.budget.matching, control.watch)
    effort = _effort(question.method)
    if question.weights == "free" or question.method in ("scan", "frontier"):
        method = "frontier" if question.method == "frontier" else "auto"
        return lambda part: free_count(part, weight, control, effort, method)
    force = question.method == "multiset"
    return lambda part: true_count(part, weight, rng, question.bias, control, effort, force)


def _effort(method: str) -> Effort:
    return {"auto": AUTO, "exact": EXACT}.get(method, FORCED)


def _reference(question: Question, answers: list[tuple[Answer, int]]) -> str:
    density = "; the average over any parameter law with a density is the same number"
    if question.bounded:
        return "Zaslavsky 1975, theorem C: sum of (-breakpoints)**size over independent sets"
    if question.central:
        return "Whitney's theorem: T(2, 0) of the matroid of a generic draw" + density
    if question.weights == "free":
        return FORMULA + density
    if all(answer.method != "multiset" for answer, _ in answers):
        reason = {
            "scan": "windows overlap along one axis only, where shared filters lose nothing",
            "all_patterns": "at most as many filters as channels: unit filters make all patterns",
        }
        why = "; ".join(reason[answer] for answer in sorted({a.method for a, _ in answers}))
        return f"{FORMULA}; exact: {why}" + density
    if all(answer.error_probability == 0.0 for answer, _ in answers):
        return f"{FORMULA}; exact: a draw of shared filters has as many independent sets" + density
    return "number of independent sets of neurons of a generic draw of the shared filters" + density


def _central_upper(question: Question, started: float) -> RegionCount:
    """Without biases, out of reach: what is certain is an upper bound."""
    related, status = bounds_and_status(question)
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
        status=status,  # type: ignore[arg-type]
        method="limit",
        seconds=perf_counter() - started,
        related=related,
        reference=f"upper bound only: {reason}",
        version=package_version(),
    )
