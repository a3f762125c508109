# SPDX-License-Identifier: MIT
"""The question that `one_layer_maximum` answers, checked, as its methods see it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .._run import Run
from .parts import Budget
from .windows import OneLayer

EXACT_METHODS = ("scan", "matching", "frontier", "multiset", "restriction")
"""Names of the methods that count exactly."""


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
    budget: Budget = field(default_factory=Budget)
