# SPDX-License-Identifier: MIT
"""The answer of a sampled count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, inf, lgamma, log, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from ._numbers import checked_int, decimal_string, json_log10, log10, short_number
from .errors import InvalidInput

__all__ = ["SampleCount", "chao1", "good_turing", "summarize"]

SATURATED_COVERAGE = 0.1


def good_turing(samples: int, singletons: int) -> float:
    """Return the Good-Turing estimate of the coverage: the share of the law that was seen.

    Parameters
    ----------
    samples : int
        Number of samples.
    singletons : int
        Patterns that were met once.

    Returns
    -------
    float
        Between 0 and 1; 1 - singletons / samples.

    References
    ----------
    Good, The population frequencies of species and the estimation of population parameters,
    Biometrika 40 (1953).

    Examples
    --------
    >>> good_turing(100, 25)
    0.75
    """
    return 1.0 - singletons / samples if samples else 0.0


def chao1(
    frequencies: npt.NDArray[np.int64], confidence: float = 0.95
) -> tuple[float, tuple[float, float]]:
    """Estimate, from below, how many patterns have a positive probability.

    Parameters
    ----------
    frequencies : int array, shape (distinct,)
        How often each pattern was met.
    confidence : float
        Confidence of the interval.

    Returns
    -------
    estimate : float
        distinct + (n - 1) / n * f1**2 / (2 f2), with f1 (f1 - 1) / 2 for the last factor where no
        pattern was met exactly twice.
    interval : tuple of float
        Log-normal, never below the number of patterns seen.

    Notes
    -----
    Whatever the probabilities are, the expected number of unseen patterns is at least the same
    expression in the expected f1 and f2 (Cauchy-Schwarz): a lower bound is estimated, and the
    interval, a normal approximation for many samples, is for that bound.

    References
    ----------
    Chao, Nonparametric estimation of the number of classes in a population, Scandinavian Journal of
    Statistics 11 (1984); Chao, Biometrics 43 (1987), for the interval; Colwell, EstimateS, for the
    interval where no pattern was met exactly once.

    Examples
    --------
    >>> estimate, (low, high) = chao1(np.array([1, 1, 1, 1, 2, 2, 3, 7]))
    >>> round(estimate, 2), round(low, 1), round(high, 1)
    (11.78, 8.5, 35.3)
    """
    times, number = np.unique(np.asarray(frequencies, dtype=np.int64), return_counts=True)
    table = dict(zip(times.tolist(), number.tolist(), strict=True))
    return _chao1(table, len(frequencies), int(np.sum(frequencies)), confidence)


def _chao1(
    table: Mapping[int, int], distinct: int, n: int, confidence: float
) -> tuple[float, tuple[float, float]]:
    """Do the same from how many patterns were met once, twice, and so on."""
    once, twice = table.get(1, 0), table.get(2, 0)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    if not once:
        return float(distinct), _interval_without_singletons(table, distinct, n, z)
    shrink = (n - 1) / n
    if twice:
        ratio = once / twice
        extra = shrink * once * ratio / 2
        variance = twice * (shrink / 2 * ratio**2 + shrink**2 * ratio**3 + shrink**2 / 4 * ratio**4)
    else:
        extra = shrink * once * (once - 1) / 2
        variance = shrink * once * (once - 1) / 2 + shrink**2 * once * (2 * once - 1) ** 2 / 4
        if distinct + extra:
            variance -= shrink**2 * once**4 / (4 * (distinct + extra))
    if extra <= 0:  # a single pattern, met once
        return float(distinct), (float(distinct), float(distinct))
    # log1p(v / e**2) without overflow where v is far above e**2.
    spread = exp(z * sqrt(log(1 + max(variance, 0.0) / extra / extra)))
    return distinct + extra, (distinct + extra / spread, distinct + extra * spread)


def _interval_without_singletons(
    table: Mapping[int, int], distinct: int, n: int, z: float
) -> tuple[float, float]:
    if not distinct:
        return (0.0, 0.0)
    missed = sum(number * exp(-times) for times, number in table.items())
    variance = missed - sum(number * exp(-2 * times) for times, number in table.items())
    variance -= sum(number * times * exp(-times) for times, number in table.items()) ** 2 / n
    share = missed / distinct
    middle = distinct / (1 - share)
    half = z * sqrt(max(variance, 0.0)) / (1 - share)
    return (max(float(distinct), middle - half), middle + half)


def summarize(
    table: Mapping[int, int], *, distinct: int, samples: int, **facts: Any
) -> SampleCount:
    """Return the answer of a sampled count.

    Parameters
    ----------
    table : mapping of int to int
        Times to the number of patterns that were met so often.
    distinct, samples : int
        Distinct patterns and points. They are those of `table` where it is exact.
    facts : dict
        The other fields of `SampleCount`.

    Returns
    -------
    SampleCount
    """
    # Scaled up from a sample of the patterns, the singletons could outnumber what was met.
    once = min(table.get(1, 0), distinct, samples)
    coverage = good_turing(samples, once)
    estimate, interval = _chao1(table, distinct, samples, 0.95) if samples else (0.0, (0.0, 0.0))
    return SampleCount(
        distinct=distinct,
        samples=samples,
        singletons=once,
        doubletons=table.get(2, 0),
        coverage=coverage,
        total_estimate=estimate,
        interval=interval,
        saturated=samples > 0 and coverage < SATURATED_COVERAGE,
        frequency_counts=tuple(sorted(table.items())),
        **facts,
    )


@dataclass(frozen=True, repr=False)
class SampleCount:
    """Distinct activation patterns seen in samples, and what that says about the unseen ones.

    A sampled number is never an exact one: points miss small regions, and with few samples nearly
    every point finds a new pattern (`saturated`), so that the number measures the sample size.

    Parameters
    ----------
    distinct : int
        Number of distinct patterns among the samples.
    samples : int
        Number of points.
    singletons, doubletons : int
        Patterns that were met exactly once, exactly twice.
    coverage : float
        Good-Turing estimate of the share of the sampling distribution whose patterns were seen:
        one minus `singletons` over `samples`.
    total_estimate : float
        Chao's estimate of a lower bound on the number of patterns of positive probability.
    interval : tuple of float
        Interval of `total_estimate` with probability `confidence` for many samples.
    confidence : float
        Confidence of `interval`.
    frequency_counts : tuple of (int, int)
        Times, and how many patterns were met so often, in increasing order.
    saturated : bool
        Whether nearly every sample met a new pattern (`coverage` below one tenth).
    pattern_bits : int
        Bits of one pattern.
    dtype : str
        Floating-point type of the forward pass.
    exact_signs : bool
        Whether doubtful signs were recomputed in one fixed order, so that the same points give the
        same patterns on every device.
    arithmetic : str
        ``"certified"``: patterns are those of exact arithmetic; ``"float"``: of a forward pass.
    source : str
        Where the points came from: ``"uniform"``, ``"normal"`` or ``"points"``.
    key : int or None
        The 128-bit key that fixes the points; None where the points were given.
    sketch : str
        How distinct patterns were counted; ``"exact"`` compares full words.
    device : str
        Where the forward pass ran.
    relative_error : float
        Relative standard error of `distinct`; 0.0 where it is no estimate.
    status : str
        "complete", "time_limit" or "cancelled".
    domain_volume : float or None
        Volume of a box or ball that was sampled uniformly, in its own coordinates; infinite beyond
        doubles.
    patterns : uint64 array, shape (distinct, words), or None
        The patterns in the order of their words, if they were kept.
    frequencies : int64 array, shape (distinct,), or None
        How often each of them was met.
    seconds : float
        Time taken.
    version : str
        Version of the package.

    Examples
    --------
    >>> SampleCount(distinct=3, samples=100, coverage=1.0, total_estimate=3.0, interval=(3.0, 3.0))
    SampleCount(distinct=3, samples=100, coverage=1.000, total_estimate=3.0, interval=(3.0, 3.0))
    """

    distinct: int
    samples: int
    singletons: int = 0
    doubletons: int = 0
    coverage: float = 0.0
    total_estimate: float = 0.0
    interval: tuple[float, float] = (0.0, 0.0)
    confidence: float = 0.95
    frequency_counts: tuple[tuple[int, int], ...] = field(default=(), repr=False)
    saturated: bool = False
    pattern_bits: int = 0
    dtype: str = "float64"
    exact_signs: bool = False
    arithmetic: str = "float"
    source: str = "points"
    key: int | None = None
    sketch: str = "exact"
    device: str = "cpu"
    relative_error: float = 0.0
    status: str = "complete"
    domain_volume: float | None = None
    patterns: npt.NDArray[np.uint64] | None = field(default=None, compare=False, repr=False)
    frequencies: npt.NDArray[np.int64] | None = field(default=None, compare=False, repr=False)
    seconds: float = field(default=0.0, compare=False)
    version: str = ""

    def __post_init__(self) -> None:
        """Check the fields once."""
        for name in ("distinct", "samples", "singletons", "doubletons"):
            object.__setattr__(self, name, checked_int(name, getattr(self, name)))
        if self.distinct > self.samples:
            raise InvalidInput(
                f"distinct must not exceed samples, got {self.distinct} of {self.samples}"
            )

    @property
    def log10(self) -> float:
        """Decimal logarithm of the number of distinct patterns."""
        return log10(self.distinct)

    def rarefaction(self, samples: int) -> float:
        """Return how many patterns so many of the samples would show on average.

        Parameters
        ----------
        samples : int
            From 0 to the number of samples.

        Returns
        -------
        float
            The mean of the number of distinct patterns over all subsets of that size. A curve that
            still rises at its end says that there are more.

        Raises
        ------
        InvalidInput
            If `samples` is out of range.

        References
        ----------
        Hurlbert, The nonconcept of species diversity, Ecology 52 (1971).

        Examples
        --------
        >>> found = summarize({1: 2, 2: 1}, distinct=3, samples=4)
        >>> [round(found.rarefaction(m), 3) for m in range(5)]
        [0.0, 1.0, 1.833, 2.5, 3.0]
        """
        n = self.samples
        m = checked_int("samples", samples)
        if m > n:
            raise InvalidInput(f"samples must be at most {n}, got {m}")
        kept = sum(number for _, number in self.frequency_counts)
        missed = 0.0
        for times, number in self.frequency_counts:
            if times <= n - m:  # the probability that none of its samples is among the m
                missed += number * exp(
                    lgamma(n - times + 1)
                    + lgamma(n - m + 1)
                    - lgamma(n - times - m + 1)
                    - lgamma(n + 1)
                )
        return kept - missed

    def region_volumes(self, confidence: float = 0.95) -> npt.NDArray[np.float64]:
        """Estimate the volume of the region of every pattern that was kept.

        Parameters
        ----------
        confidence : float
            Of each interval by itself.

        Returns
        -------
        float64 array, shape (distinct, 3)
            Estimate, lower and upper end of Wilson's interval, in the order of `patterns`; shares
            of the sampling distribution where `domain_volume` is None.

        Raises
        ------
        InvalidInput
            The patterns were not kept (``keep_patterns=True``).

        Notes
        -----
        A region is picked because it was met, so small ones look larger than they are.

        References
        ----------
        Wilson, Probable inference, the law of succession, and statistical inference, Journal of the
        American Statistical Association 22 (1927).

        Examples
        --------
        >>> import linear_regions as lr
        >>> net = lr.Network(1, [lr.Affine([[1.0]], [-0.25]), lr.relu()])
        >>> found = lr.sample(net, lr.Box(0.0, 1.0), 4000, rng=0, keep_patterns=True)
        >>> found.region_volumes().round(2).tolist()
        [[0.26, 0.24, 0.27], [0.74, 0.73, 0.76]]
        """
        if self.frequencies is None:
            raise InvalidInput("the patterns were not kept: use sample(..., keep_patterns=True)")
        z, n = NormalDist().inv_cdf(0.5 + confidence / 2), max(self.samples, 1)
        share = self.frequencies / n
        middle = (share + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        table = np.stack([share, middle - half, middle + half], axis=1)
        volume = 1.0 if self.domain_volume is None else self.domain_volume
        return np.asarray(table * volume, dtype=np.float64)

    def __repr__(self) -> str:
        """One line, with a warning word where the sample is too small."""
        low, high = (f"{end:.6g}" if end >= 1e6 else f"{end:.1f}" for end in self.interval)
        total = self.total_estimate
        parts = [
            f"distinct={short_number(self.distinct)}",
            f"samples={short_number(self.samples)}",
            f"coverage={self.coverage:.3f}",
            f"total_estimate={total:.6g}" if total >= 1e6 else f"total_estimate={total:.1f}",
            f"interval=({low}, {high})",
        ]
        if self.saturated:
            parts.append("saturated: take more samples or a smaller domain")
        return f"SampleCount({', '.join(parts)})"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types; counts and the key are decimal strings."""
        return {
            "distinct": decimal_string(self.distinct),
            "log10": json_log10(self.distinct),
            "samples": decimal_string(self.samples),
            "singletons": decimal_string(self.singletons),
            "doubletons": decimal_string(self.doubletons),
            "coverage": self.coverage,
            "total_estimate": self.total_estimate,
            "interval": list(self.interval),
            "confidence": self.confidence,
            "saturated": self.saturated,
            "pattern_bits": self.pattern_bits,
            "dtype": self.dtype,
            "exact_signs": self.exact_signs,
            "arithmetic": self.arithmetic,
            "source": self.source,
            "key": None if self.key is None else decimal_string(self.key),
            "sketch": self.sketch,
            "device": self.device,
            "relative_error": self.relative_error,
            "status": self.status,
            "domain_volume": None if self.domain_volume in (None, inf) else self.domain_volume,
            "frequency_counts": [
                [decimal_string(times), decimal_string(number)]
                for times, number in self.frequency_counts
            ],
            "seconds": self.seconds,
            "version": self.version,
        }
