# SPDX-License-Identifier: MIT
"""The question that `one_layer_maximum` answers, checked, as its methods see it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from .._geometry import generator, integer, shape_of
from .._layer import ConvSpec, Layer
from .._run import Progress, Run, run_control
from ..errors import InvalidInput, Unsupported
from .compiled import Control, control_of
from .parts import Budget
from .windows import OneLayer, one_layer

Rng = int | np.random.SeedSequence | np.random.BitGenerator | np.random.Generator | None

EXACT_METHODS = ("scan", "matching", "frontier", "multiset", "restriction")
"""Names of the methods that count exactly."""

_WEIGHTS = ("shared", "free")
_BIASES = ("shared", "free", "none")


@dataclass(frozen=True)
class Question:
    """The arguments of one call.

    Parameters
    ----------
    layer : OneLayer
        The layer as a multiset of independent parts.
    breakpoints : int
        Breakpoints of the activation; the weight of a neuron.
    weights : {"shared", "free"}
        Whether all positions share the filters.
    bias : {"shared", "free", "none"}
        One bias per filter, one per neuron, or none.
    central : bool
        Whether all hyperplanes pass through the origin (no biases, breakpoint at zero).
    method : str
        ``"auto"``, ``"exact"`` or the name of a method.
    rng : numpy Generator
        Source of draws and samples.
    run : Run
        Threads, time limit, poll function; checked.
    control : Control
        The same for the counts of the compiled core, with the time that is left.
    bounded : bool
        Whether bounded regions are asked for.
    budget : Budget
        Work allowed in the searches in plain Python.
    """

    layer: OneLayer
    breakpoints: int
    weights: str
    bias: str
    central: bool
    method: str
    rng: np.random.Generator
    run: Run
    control: Control = field(default_factory=Control)
    bounded: bool = False
    budget: Budget = field(default_factory=Budget)


def checked(
    input_shape: int | Sequence[int],
    conv_spec: Layer,
    *,
    breakpoints: int = 1,
    weights: str = "shared",
    bias: str = "shared",
    breakpoint_at_zero: bool = True,
    method: str = "auto",
    rng: Rng = None,
    extra_methods: tuple[str, ...] = (),
    threads: int | None = None,
    time_limit: float | None = None,
    cancel: threading.Event | None = None,
    progress: Progress = False,
) -> Question:
    """Check the arguments of a call.

    Parameters
    ----------
    input_shape, conv_spec, breakpoints, weights, bias, breakpoint_at_zero, method, rng, threads, \
    time_limit, cancel, progress
        As in `one_layer_maximum`.
    extra_methods : tuple of str
        Methods that are accepted beside the exact ones.

    Returns
    -------
    Question

    Raises
    ------
    TypeError
        `conv_spec` is no convolution.
    InvalidInput
        An argument has an impossible value.
    Unsupported
        The method does not answer this question.
    """
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
        ("method", method, ("auto", "exact", *EXACT_METHODS, *extra_methods)),
    ):
        if value not in allowed:
            raise InvalidInput(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
    run = run_control(
        arithmetic="certified",
        threads=threads,
        limit=None,
        time_limit=time_limit,
        cancel=cancel,
        progress=progress,
    )
    control = control_of(run, perf_counter)  # cutting the layer takes time, too
    question = Question(
        layer=one_layer(shape, spec),
        breakpoints=integer("breakpoints", breakpoints, 1),
        weights=weights,
        bias=bias,
        central=bias == "none" and breakpoint_at_zero,
        method=method,
        rng=generator(rng),
        run=run,
        control=control,
    )
    wrong = {
        "matching": question.central or weights == "shared",
        "frontier": question.central or weights == "shared",
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
