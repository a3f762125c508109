# SPDX-License-Identifier: MIT
"""Estimating the number of regions of one part: which method, how many trials, what may be claimed.

Plans are made from counters of work, never from clocks, so that a seed gives the same number on
every machine and with any number of threads. docs/design/one-layer-estimates.md has the proofs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, inf, log, log2, sqrt
from typing import Any

from .intervals import binomial_interval, student_quantile
from .rounding import binomial_sum_bounds
from .sampler import Sampler

SUCCESSES = 2_500
"""Successes wanted of direct sampling: a standard error of 0.01 in the decimal logarithm."""
CHUNKS = 64
"""Direct trials come in so many chunks; a run may be stopped after each."""
BATCHES = 64
"""Batches of particles whose estimates are averaged."""
MOST_SPREAD = 1.0
"""Standard deviation of the logarithms of the batches above which no interval is given."""
GOOD_SPREAD = 0.25

# Work is measured in nanoseconds of a processor of 2024, roughly.
_DIRECT_WORK = 1.2e10
_PARTICLE_WORK = 2e10
_RANK_WORK = 1.2e10
_MOST_RANKS = 640
_PILOT_WORK = 1e9
_PROBE_WORK = 1e8
_FEWEST_TRIALS = 4
_MOST_PROBES = 256
_FEWEST_SUCCESSES = 100
_MOST_SUCCEED = 0.5  # then few trials are enough
_FEWEST_RANKS = 20
_FEWEST_PARTICLES = 200
_MOST_PARTICLES = 20_000


@dataclass
class PartEstimate:
    """What sampling says about one part, in binary logarithms.

    Parameters
    ----------
    value : float
        The estimate; minus infinity where nothing was found.
    low, high : float
        Ends of the interval; infinite where none is claimed.
    standard_error : float
        Of the natural logarithm; 0.0 for an exact number.
    method : str
        ``"direct"``, ``"particles"``, or that of an exact number.
    work : dict
        Counters.
    note : str
        What is not claimed, and why.
    """

    value: float
    low: float
    high: float
    standard_error: float = 0.0
    method: str = ""
    work: dict[str, Any] = field(default_factory=dict)
    note: str = ""


def estimate_part(sampler: Sampler, method: str, shared: bool, alpha: float) -> PartEstimate:
    """Estimate the number of regions of a part.

    Parameters
    ----------
    sampler : Sampler
        The part.
    method : {"auto", "direct", "particles"}
        How.
    shared : bool
        Whether the filters are shared: then ranks of sampled sets are tested, too.
    alpha : float
        Chance that the interval misses.

    Returns
    -------
    PartEstimate
    """
    if method != "particles":
        pilot = _pilot(sampler, thorough=method == "direct")
        enough = pilot.expected >= _FEWEST_SUCCESSES or pilot.ratio > _MOST_SUCCEED
        if method == "direct" or enough or _too_dear(sampler) or sampler.clock.stopped:
            return _direct(sampler, pilot, shared, alpha)
    return _particles(sampler, shared, alpha)


# ---- direct sampling ----


@dataclass
class _Pilot:
    by_entries: bool
    trials: int  # of the pilot
    ratio: float  # successes of the pilot per trial, or an upper guess
    cost: float  # work per trial

    @property
    def planned(self) -> int:
        """Trials of the main run: enough successes, within the work allowed."""
        wanted = SUCCESSES * max(1.0 - self.ratio, 0.02) / self.ratio
        return int(min(max(wanted, 4096.0), max(_DIRECT_WORK / self.cost, 64.0)))

    @property
    def expected(self) -> float:
        """Successes to be expected of the main run."""
        return self.planned * self.ratio


def _cost(sampler: Sampler, out: dict[str, Any], trials: int, successes: int) -> float:
    part = sampler.part
    # A visited window looks at its entries.
    visit = 5 * max(part.window_sizes())
    steps = 150 * trials + 3 * part.filters * out["revealed"] + visit * out["searched"]
    return max(float(steps + 30 * part.n_inputs * successes), 1.0)


def _probe(sampler: Sampler, by_entries: bool) -> tuple[float, int]:
    """Return the work of a trial from one side, and how many trials told it: few, if dear."""
    trials = _FEWEST_TRIALS
    while True:
        out = sampler.direct(by_entries, 0, 1, trials)
        cost = _cost(sampler, out, trials, sum(out["successes"]))
        if trials >= _MOST_PROBES or cost > _PROBE_WORK or sampler.clock.stopped:
            return cost / trials, trials
        trials *= 4


def _pilot(sampler: Sampler, thorough: bool) -> _Pilot:
    """Find the cheaper side, the success ratio and the work of a trial, roughly."""
    probes = {}
    for by_entries in (True, False):
        probes[by_entries] = _probe(sampler, by_entries)
        if sampler.clock.stopped:
            return _Pilot(True, probes[by_entries][1], 1.0, 1.0)
    by_entries = probes[True] <= probes[False]
    trials, first = probes[by_entries][1], 0
    spent = 0.0
    while True:
        # Numbers of trials that the main run never uses: the plan does not depend on its outcome.
        out = sampler.direct(by_entries, (1 << 60) + first, 1, trials)
        successes = sum(out["successes"])
        cost = _cost(sampler, out, trials, successes)
        spent += cost
        first += trials
        limit = _PILOT_WORK * (4 if thorough else 1)
        if successes >= 30 or spent + 4 * cost > limit or sampler.clock.stopped:
            return _Pilot(by_entries, first, max(successes, 0.5) / trials, cost / trials)
        trials *= 4


def _direct(sampler: Sampler, pilot: _Pilot, shared: bool, alpha: float) -> PartEstimate:
    part = sampler.part
    size = max(1, pilot.planned // CHUNKS)
    ranks = int(min(_MOST_RANKS, _RANK_WORK / sampler.rank_cost())) if shared else 0
    ranks = -(-ranks // CHUNKS) if ranks >= _FEWEST_RANKS else 0
    out = sampler.direct(pilot.by_entries, 0, CHUNKS, size, ranks)
    done = len(out["successes"])
    successes, trials = sum(out["successes"]), done * size
    # A run that was stopped may have been stopped by what it found: all ends are taken together.
    alpha = alpha if done == CHUNKS else alpha / CHUNKS
    low_total, high_total = (
        bound.log2
        for bound in binomial_sum_bounds(part.n_neurons, part.rank_limit, sampler.breakpoints)
    )
    work = {
        "trials": trials,
        "successes": successes,
        "pilot_trials": pilot.trials,
        "windows_drawn": out["revealed"],
        "windows_searched": out["searched"],
    }
    low, high = binomial_interval(successes, trials, alpha / 2 if shared else alpha)
    ratio = successes / trials if trials else 0.0
    variance = (1 - ratio) / successes if successes else inf
    result = PartEstimate(
        high_total + _log2(ratio), low_total + _log2(low), high_total + _log2(high),
        sqrt(variance), "direct", work,
    )  # fmt: skip
    if not trials:
        result.low, result.high = -inf, inf
    elif not successes:
        result.note = "no trial succeeded: the interval is one-sided"
    if shared:
        _with_ranks(result, sum(out["ranks_full"]), sum(out["ranks_tested"]), alpha / 2)
    return result


def _with_ranks(result: PartEstimate, full: int, tested: int, alpha: float) -> None:
    """Multiply by the share of sampled sets that are independent with shared filters."""
    low, high = binomial_interval(full, tested, alpha)
    result.work |= {"ranks_tested": tested, "ranks_full": full}
    if not tested:
        result.low = -inf
        untested = (
            "the ranks of sampled sets were not tested (they are too large, or there were none): "
            "the published formula was estimated, which is an upper bound of the maximum"
        )
        result.note = "; ".join(filter(None, [result.note, untested]))
        return
    share = full / tested
    result.value += _log2(share)
    result.low += _log2(low)
    result.high += _log2(high)
    if full:
        result.standard_error = sqrt(result.standard_error**2 + (1 - share) / full)


def _log2(x: float) -> float:
    return log2(x) if x > 0 else -inf


# ---- particles ----


def _particles(sampler: Sampler, shared: bool, alpha: float) -> PartEstimate:
    part, k = sampler.part, sampler.breakpoints
    share = min(part.n_inputs / part.n_neurons, k / (1 + k))
    ranks = int(min(_MOST_RANKS, _RANK_WORK / sampler.rank_cost())) // BATCHES if shared else 0
    particles, first, spent = _FEWEST_PARTICLES, 1 << 60, 0.0
    while True:
        out = sampler.particles(share, first, 8, particles)
        first += 8
        cost = _particle_cost(sampler, out, particles) / 8
        spent += 8 * cost
        values = [value for value in out["log_values"] if value > -inf]
        spread = _spread(values) if len(values) == 8 else inf
        allowed = _PARTICLE_WORK / max(cost / particles, 1.0) / BATCHES
        if spread <= GOOD_SPREAD or particles >= min(allowed, _MOST_PARTICLES):
            break
        if sampler.clock.stopped or spent > _PARTICLE_WORK:
            break
        # The variance of the logarithm falls as one over the number of particles.
        grow = min(max((spread / GOOD_SPREAD) ** 2, 2.0), 8.0)
        particles = int(max(min(particles * grow, allowed, _MOST_PARTICLES), particles + 1))
    if not sampler.clock.stopped:
        out = sampler.particles(share, 0, BATCHES, particles, ranks)
    return _from_batches(out, particles, shared, alpha)


def _particle_cost(sampler: Sampler, out: dict[str, Any], particles: int) -> float:
    part = sampler.part
    per_copy = 5 * part.n_inputs
    moves = len(out["log_values"]) * particles * (60 * part.n_positions + 10 * part.n_inputs)
    return float(moves + 40 * out["searched"] + per_copy * out["copied"])


def _too_dear(sampler: Sampler) -> bool:
    """Tell whether the fewest particles worth running exceed the work allowed."""
    part = sampler.part
    sweep = 60 * part.n_positions + 10 * part.n_inputs
    # Searches cost several times as much as the sweep itself.
    return 4 * BATCHES * _FEWEST_PARTICLES * sweep > _PARTICLE_WORK


def _spread(logs: list[float]) -> float:
    mean = sum(logs) / len(logs)
    return sqrt(sum((value - mean) ** 2 for value in logs) / (len(logs) - 1))


def _from_batches(out: dict[str, Any], particles: int, shared: bool, alpha: float) -> PartEstimate:
    """Average independent, unbiased batches; Student's t where their spread allows it."""
    logs = list(out["log_values"])
    tested, full = sum(out["ranks_tested"]), sum(out["ranks_full"])
    finite = [value for value in logs if value > -inf]
    work: dict[str, Any] = {
        "batches": len(logs),
        "particles": particles,
        "particles_copied": out["copied"],
        "windows_searched": out["searched"],
    }
    result = PartEstimate(-inf, -inf, inf, inf, "particles", work)
    if len(finite) < 2:
        result.note = "all particles died: nothing is claimed"
        return result
    top = max(finite)
    weights = [exp(value - top) for value in logs]
    mean = sum(weights) / len(weights)
    error = sqrt(sum((w - mean) ** 2 for w in weights) / (len(weights) - 1) / len(weights)) / mean
    spread = _spread(finite) if len(finite) == len(logs) else inf
    work["spread"] = spread if spread < inf else None
    result.value = (top + log(mean)) / log(2)
    result.standard_error = error
    if shared:
        alpha /= 2
    if spread <= MOST_SPREAD:
        wide = student_quantile(len(logs) - 1, alpha) * error
        result.low = result.value + (_log2(1 - wide) if wide < 1 else -inf)
        result.high = result.value + _log2(1 + wide)
    else:
        # Markov's inequality for the smallest of independent unbiased estimates.
        result.low = (min(logs) + log(alpha) / len(logs)) / log(2)
        result.note = (
            f"the batches differ too much for a two-sided interval (spread {spread:.2g} of their "
            "logarithms): the lower end is Markov's, the upper end the bracket's"
        )
    if shared:
        _with_ranks(result, full, tested, alpha)
    return result
