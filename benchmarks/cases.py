# SPDX-License-Identifier: MIT
"""The benchmark cases: networks, domains, and the number of regions that each of them must give.

Random networks have weights N(0, 2 / fan_in) and biases N(0, 1), drawn layer by layer, the weight
before the bias, from ``numpy.random.default_rng(seed)``. Random planes are drawn in the same way:
the origin N(0, 1), then two directions N(0, scale^2), with coordinates in [-1, 1]^2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import as_file, files
from itertools import pairwise
from math import sqrt

import numpy as np

import linear_regions as lr
from linear_regions.domain import Domain

__all__ = ["CASES", "Case", "case_named"]

_Problem = tuple[lr.Network, Domain]


@dataclass(frozen=True)
class Case:
    """One question with its answer.

    Attributes
    ----------
    name : str
    text : str
        The network and the domain, in words.
    regions : int
        The number of activation regions.
    build : callable
        Returns the network and the domain.
    count_target, list_target : float or None
        Regions per second on one thread, certified.
    call_target : float or None
        Seconds that one call may take, for the case that measures the overhead of a call.
    threads_target : float or None
        How many times faster two threads are to be.
    yardstick : bool
        Whether the plain NumPy program can answer it, too, in a reasonable time.
    grows_from : str or None
        The name of the same network on a smaller domain: a count must need no more memory here.
    """

    name: str
    text: str
    regions: int
    build: Callable[[], _Problem]
    count_target: float | None = None
    list_target: float | None = None
    call_target: float | None = None
    threads_target: float | None = None
    yardstick: bool = True
    grows_from: str | None = None


def _affine(rng: np.random.Generator, n_in: int, n_out: int) -> lr.Affine:
    weight = rng.normal(0.0, sqrt(2.0 / n_in), (n_out, n_in))
    return lr.Affine(weight, rng.normal(0.0, 1.0, n_out))


def _conv(rng: np.random.Generator, channels: int, filters: int) -> lr.Conv:
    weight = rng.normal(0.0, sqrt(2.0 / (channels * 25)), (filters, channels, 5, 5))
    return lr.Conv(weight, rng.normal(0.0, 1.0, filters), stride=2)


def dense(widths: list[int], seed: int) -> lr.Network:
    """Return a random fully connected ReLU network.

    Parameters
    ----------
    widths : list of int
        Inputs, hidden layers, outputs.
    seed : int

    Returns
    -------
    Network
    """
    rng = np.random.default_rng(seed)
    layers: list[lr.Affine | lr.Pointwise] = []
    for n_in, n_out in pairwise(widths):
        layers += [_affine(rng, n_in, n_out), lr.relu()]
    return lr.Network(widths[0], layers[:-1])


def lenet(seed: int) -> lr.Network:
    """Return a random network in the manner of LeNet, with strides in place of pooling.

    Parameters
    ----------
    seed : int

    Returns
    -------
    Network
        1,324 units in four hidden layers: 6 x 12 x 12, 16 x 4 x 4, 120, 84.
    """
    rng = np.random.default_rng(seed)
    return lr.Network(
        (1, 28, 28),
        [
            _conv(rng, 1, 6),
            lr.relu(),
            _conv(rng, 6, 16),
            lr.relu(),
            lr.Flatten(),
            _affine(rng, 256, 120),
            lr.relu(),
            _affine(rng, 120, 84),
            lr.relu(),
            _affine(rng, 84, 10),
        ],
    )


def plane(n_in: int, scale: float, seed: int) -> lr.Slice:
    """Return a random square of side 2 in the input space.

    Parameters
    ----------
    n_in : int
    scale : float
        Standard deviation of the entries of the two directions.
    seed : int

    Returns
    -------
    Slice
    """
    rng = np.random.default_rng(seed)
    origin = rng.normal(0.0, 1.0, n_in)
    return lr.Slice(origin, rng.normal(0.0, scale, (2, n_in)), lr.Box(-1.0, 1.0))


def segment(n_in: int, seed: int) -> lr.Segment:
    """Return the segment between two random points.

    Parameters
    ----------
    n_in : int
    seed : int

    Returns
    -------
    Segment
    """
    first, second = np.random.default_rng(seed).normal(0.0, 1.0, (2, n_in))
    return lr.Segment(first, second)


def digits() -> _Problem:
    """Return the network that ships with the package, and the plane that its report looks at.

    Returns
    -------
    network : Network
    domain : Slice
    """
    data = files("linear_regions") / "data"
    with as_file(data / "digits_cnn.npz") as path:
        net = lr.load(path)
    with as_file(data / "digits_points.npz") as path, np.load(path) as arrays:
        box = lr.Box(arrays["low"], arrays["high"])
        return net, lr.Slice(arrays["origin"], arrays["directions"], box)


CASES = (
    Case(
        "tiny",
        "[2, 8, 8, 1] in [-1, 1]^2",
        regions=26,
        build=lambda: (dense([2, 8, 8, 1], seed=0), lr.Box(-1.0, 1.0)),
        call_target=0.2e-3,
    ),
    Case(
        "dense-box",
        "[2, 64, 64, 64, 1] in [-1, 1]^2",
        regions=6704,
        build=lambda: (dense([2, 64, 64, 64, 1], seed=23), lr.Box(-1.0, 1.0)),
        count_target=2.5e6,
        list_target=1.0e6,
    ),
    Case(
        "dense-plane",
        "[2, 64, 64, 64, 1] in the whole plane",
        regions=21452,
        build=lambda: (dense([2, 64, 64, 64, 1], seed=23), lr.Space(2)),
        grows_from="dense-box",
    ),
    Case(
        "deep-box",
        "[2, 20 layers of 32 units, 1] in [-1, 1]^2",
        regions=3893,
        build=lambda: (dense([2, *[32] * 20, 1], seed=0), lr.Box(-1.0, 1.0)),
        yardstick=False,  # nothing proves that doubles are enough for it
    ),
    Case(
        "wide-slice",
        "[784, 256, 256, 10] on a plane",
        regions=14934,
        build=lambda: (dense([784, 256, 256, 10], seed=0), plane(784, 0.575, seed=1)),
        count_target=2.0e6,
    ),
    Case(
        "cnn-slice",
        "LeNet-like CNN, 1 x 28 x 28, 1,324 units, on a plane",
        regions=13209,
        build=lambda: (lenet(seed=0), plane(784, 0.195, seed=1)),
        count_target=250e3,
    ),
    Case(
        "cnn-slice-large",
        "the same CNN on a larger square of that plane",
        regions=212380,
        build=lambda: (lenet(seed=0), plane(784, 1.0, seed=1)),
        threads_target=1.9,
        yardstick=False,  # most of a minute
        grows_from="cnn-slice",
    ),
    Case(
        "cnn-segment",
        "the same CNN on a segment",
        regions=495,
        build=lambda: (lenet(seed=0), segment(784, seed=2)),
    ),
    Case(
        "digits-slice",
        "the package's CNN for 8 x 8 digits, max pooling, on its plane",
        regions=12853,
        build=digits,
        yardstick=False,  # it knows ReLU only
    ),
)


def case_named(name: str) -> Case:
    """Return the case of that name.

    Parameters
    ----------
    name : str

    Returns
    -------
    Case

    Raises
    ------
    ValueError
        If there is none.
    """
    for case in CASES:
        if case.name == name:
            return case
    known = ", ".join(case.name for case in CASES)
    raise ValueError(f"no benchmark case is called {name!r}; there are {known}")
