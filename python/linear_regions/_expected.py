# SPDX-License-Identifier: MIT
"""The average number of regions over random weights, by exact counts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from math import atan, cos, inf, pi, prod, sin, sqrt
from time import perf_counter
from typing import Any

import numpy as np

from ._count import count
from ._geometry import Shape, generator, integer
from ._layer import AffineSpec, ConvSpec, Layer, PointwiseSpec, ScaleSpec
from ._run import Progress
from .architecture import Architecture
from .domain import Domain
from .errors import Interrupted, InvalidInput, Unsupported
from .layers import Affine, Conv, Scale, relu
from .network import Network

__all__ = ["Expectation", "expected", "he_normal", "student_quantile"]

Rng = int | np.random.SeedSequence | np.random.BitGenerator | np.random.Generator | None
Init = Callable[[np.random.Generator, Architecture], Network]


@dataclass(frozen=True, repr=False)
class Expectation:
    """An average of exact counts over random weights.

    Parameters
    ----------
    counts : tuple of int
        The count of every trial, in order.
    what : str
        What was counted.
    init : str
        The law of the weights.
    confidence : float
        Of the interval.
    status : {"complete", "time_limit", "cancelled"}
        How the call ended; stopped calls have fewer trials.
    seconds : float
        Time taken.

    Examples
    --------
    >>> found = Expectation((10, 12, 14), "activation", "he_normal", 0.95)
    >>> found.mean, found.deviation, [round(end, 2) for end in found.interval]
    (12.0, 2.0, [7.03, 16.97])
    """

    counts: tuple[int, ...]
    what: str
    init: str
    confidence: float
    status: str = "complete"
    seconds: float = field(default=0.0, compare=False)

    @property
    def trials(self) -> int:
        """Number of random networks."""
        return len(self.counts)

    @property
    def mean(self) -> float:
        """Average of the counts; NaN without trials."""
        return sum(self.counts) / self.trials if self.counts else float("nan")

    @property
    def deviation(self) -> float:
        """Standard deviation of a count (with n - 1); NaN below two trials."""
        if self.trials < 2:
            return float("nan")
        # Exact integers: n * sum of squares - square of the sum.
        n, total = self.trials, sum(self.counts)
        squares = n * sum(value * value for value in self.counts) - total * total
        return sqrt(squares / (n * (n - 1)))

    @property
    def interval(self) -> tuple[float, float]:
        """Student's t interval of the expectation; infinite below two trials."""
        if self.trials < 2:
            return (-inf, inf)
        quantile = student_quantile(self.confidence, self.trials - 1)
        half = quantile * self.deviation / sqrt(self.trials)
        return (self.mean - half, self.mean + half)

    def __repr__(self) -> str:
        """One line: mean, interval, law."""
        low, high = self.interval
        return (
            f"Expectation({self.mean:.6g}, interval=({low:.6g}, {high:.6g}), "
            f"confidence={self.confidence:g}, what={self.what!r}, init={self.init!r}, "
            f"trials={self.trials}, {self.status})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types; numbers that are not finite become None."""
        numbers = {"mean": self.mean, "deviation": self.deviation}
        low, high = self.interval
        numbers |= {"low": low, "high": high}
        finite = {key: value if np.isfinite(value) else None for key, value in numbers.items()}
        return {
            "mean": finite["mean"],
            "deviation": finite["deviation"],
            "interval": [finite["low"], finite["high"]],
            "confidence": self.confidence,
            "what": self.what,
            "kind": "estimate",
            "init": self.init,
            "trials": self.trials,
            "counts": [str(value) for value in self.counts],
            "status": self.status,
            "seconds": self.seconds,
        }


def expected(
    arch: Architecture | Network,
    domain: Domain | None = None,
    *,
    init: str | Init = "he_normal",
    bias_std: float = 1.0,
    trials: int = 32,
    rng: Rng = None,
    what: str = "activation",
    confidence: float = 0.95,
    threads: int | None = None,
    time_limit: float | None = None,
    cancel: threading.Event | None = None,
    progress: Progress = False,
) -> Expectation:
    """Average exact counts of regions over random weights.

    Parameters
    ----------
    arch : Architecture or Network
        The shapes. Of a `Network` the activations are kept and the weights are drawn anew.
    domain : Domain, optional
        As in `count`; default the whole input space.
    init : "he_normal" or callable
        ``"he_normal"``: weights N(0, 2 / fan_in), biases N(0, bias_std**2), scales 1 with offset 0.
        A callable ``init(rng, architecture)`` returns a `Network` of the architecture.
    bias_std : float, default 1.0
        Standard deviation of the biases of ``"he_normal"``.
    trials : int, default 32
        Number of random networks, at least 1.
    rng : None, int, SeedSequence, BitGenerator or Generator
        Source of the weights. Trial i depends on it and on i alone.
    what : str, default "activation"
        As in `count`.
    confidence : float, default 0.95
        Of the interval, between 0 and 1.
    threads : int, optional
        As in `count`.
    time_limit : float, optional
        Seconds for all trials; only complete counts enter the average.
    cancel : threading.Event, optional
        Setting it stops the call.
    progress : bool or callable, default False
        As in `count`, for each trial.

    Returns
    -------
    Expectation
        Mean, standard deviation, Student's t interval and all counts.

    Raises
    ------
    Unsupported
        The architecture has an activation other than ReLU (its slopes are not known; pass a
        `Network`), or `count` does not take the domain.
    InvalidInput, TypeError
        An argument is wrong, or `init` returns a network of another architecture.
    Interrupted
        On Ctrl-C, with the average so far in its attribute ``partial``.

    Notes
    -----
    Each count is exact; the interval covers the chance of the draw alone. It assumes that the mean
    of the counts is about normal, which 32 trials of numbers of this kind justify. For one layer on
    the whole input space every draw has the maximal number.

    References
    ----------
    H. Xiong et al., "On the Number of Linear Regions of Convolutional Neural Networks", ICML 2020,
    arXiv:2006.00978 (the average of one layer). B. Hanin, D. Rolnick, "Deep ReLU Networks Have
    Surprisingly Few Activation Patterns", NeurIPS 2019, arXiv:1906.00904.

    Examples
    --------
    >>> import linear_regions as lr
    >>> found = lr.expected(lr.Architecture.mlp([2, 6, 6, 1]), lr.Box(-1, 1), trials=8, rng=0)
    >>> found.trials, found.interval[0] < found.mean < found.interval[1] < 484
    (8, True)
    """
    started = perf_counter()
    draw, name = _law(arch, init, bias_std)
    n = integer("trials", trials, 1)
    if not 0 < confidence < 1:
        raise InvalidInput(f"confidence must lie between 0 and 1, got {confidence!r}")
    counts: list[int] = []

    def result(status: str) -> Expectation:
        return Expectation(
            tuple(counts), what, name, float(confidence), status, perf_counter() - started
        )

    for stream in generator(rng).spawn(n):
        left = None if time_limit is None else time_limit - (perf_counter() - started)
        if left is not None and left <= 0:
            return result("time_limit")
        try:
            found = count(
                draw(stream),
                domain,
                what=what,
                threads=threads,
                time_limit=left,
                cancel=cancel,
                progress=progress,
            )
        except KeyboardInterrupt:
            raise Interrupted(partial=result("cancelled")) from None
        if found.status != "complete":
            return result(found.status)
        counts.append(int(found))
    return result("complete")


def _law(
    arch: Architecture | Network, init: str | Init, bias_std: float
) -> tuple[Callable[[np.random.Generator], Network], str]:
    """Return the function that draws a network, and the name of its law."""
    if not isinstance(arch, Architecture | Network):
        raise TypeError(
            f"arch must be an Architecture or a Network, got {type(arch).__name__}; lr.load(...) "
            "makes a Network of a file, a torch.nn.Module or a list of (W, b)"
        )
    architecture = arch if isinstance(arch, Architecture) else arch.architecture
    if callable(init):
        law: Init = init

        def draw(rng: np.random.Generator) -> Network:
            net = law(rng, architecture)
            if not isinstance(net, Network):
                raise TypeError(f"init must return a Network, got {type(net).__name__}")
            if net.shapes != architecture.shapes:
                raise InvalidInput(
                    f"init must return a network of {architecture!r}, got {net.architecture!r}"
                )
            return net

        return draw, getattr(init, "__name__", "callable")
    if init != "he_normal":
        raise InvalidInput(f'init must be "he_normal" or a callable, got {init!r}')
    if not (np.isfinite(bias_std) and bias_std >= 0):
        raise InvalidInput(f"bias_std must be a number of at least 0, got {bias_std!r}")
    return lambda rng: he_normal(rng, arch, bias_std=bias_std), "he_normal"


def he_normal(
    rng: np.random.Generator, arch: Architecture | Network, *, bias_std: float = 1.0
) -> Network:
    """Draw a network: weights N(0, 2 / fan_in), biases N(0, bias_std**2).

    Parameters
    ----------
    rng : numpy Generator
        Source of the weights.
    arch : Architecture or Network
        The shapes; of a `Network` the activations are kept.
    bias_std : float, default 1.0
        Standard deviation of the biases.

    Returns
    -------
    Network

    Raises
    ------
    Unsupported
        An architecture with an activation other than ReLU, whose slopes are not known.
    """
    layers = [
        _drawn(rng, layer, arch.input_shapes(position)[0], bias_std)
        for position, layer in enumerate(arch.layers)
    ]
    return Network(arch.input_shape, layers)


def _drawn(rng: np.random.Generator, layer: Layer, shape: Shape, bias_std: float) -> Layer:
    spec = layer.spec
    if isinstance(spec, AffineSpec):
        weight = _weights(rng, (spec.n_out, shape[0]), shape[0])
        return Affine(weight, _biases(rng, spec.n_out, bias_std), input=layer.input)
    if isinstance(spec, ConvSpec):
        kernel, stride, padding, dilation = spec.geometry(len(shape) - 1)
        size = (spec.filters, shape[0] // spec.groups, *kernel)
        return Conv(
            _weights(rng, size, prod(size[1:])),
            _biases(rng, spec.filters, bias_std),
            stride,
            padding,
            dilation,
            spec.groups,
            input=layer.input,
        )
    if isinstance(spec, ScaleSpec):
        return Scale(np.ones(shape[0]), np.zeros(shape[0]), input=layer.input)
    if isinstance(layer, PointwiseSpec):
        if (layer.breakpoints, layer.flat, layer.at_zero) == (1, 1, True):
            return relu(input=layer.input)
        raise Unsupported(
            f"the slopes of {layer!r} are not known from an architecture; pass a Network with the "
            "activations (its weights are drawn anew), or a callable init"
        )
    return layer


def _weights(rng: np.random.Generator, size: tuple[int, ...], fan_in: int) -> np.ndarray:
    return rng.normal(size=size) * sqrt(2.0 / max(fan_in, 1))


def _biases(rng: np.random.Generator, n: int, bias_std: float) -> np.ndarray:
    return rng.normal(size=n) * bias_std


def student_quantile(confidence: float, degrees: int) -> float:
    """Return t with P(|T| <= t) = confidence for Student's distribution.

    Parameters
    ----------
    confidence : float
        Between 0 and 1.
    degrees : int
        Degrees of freedom.

    Returns
    -------
    float
        To about ten digits, by bisection of the finite sums for whole degrees of freedom
        (Abramowitz and Stegun 26.7.3 and 26.7.4).

    Examples
    --------
    >>> round(student_quantile(0.95, 1), 3), round(student_quantile(0.95, 31), 4)
    (12.706, 2.0395)
    """
    low, high = 0.0, 1.0
    while _within(high, degrees) < confidence and high < 1e300:
        high *= 2.0
    for _ in range(200):
        middle = (low + high) / 2.0
        if _within(middle, degrees) < confidence:
            low = middle
        else:
            high = middle
    return high


def _within(t: float, degrees: int) -> float:
    """Return P(|T| <= t)."""
    angle = atan(t / sqrt(degrees))
    square = cos(angle) ** 2
    odd = degrees % 2
    term = total = cos(angle) if odd else 1.0
    if degrees == 1:
        total = 0.0
    for i in range(2 + odd, degrees - 1, 2):
        term *= square * (i - 1) / i
        total += term
    value = sin(angle) * total
    return 2.0 / pi * (angle + value) if odd else value
