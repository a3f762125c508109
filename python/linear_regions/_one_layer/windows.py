# SPDX-License-Identifier: MIT
"""What the neurons of one convolutional layer see, cut into independent blocks.

Notation: along one axis, window o sees the inputs o * stride - before + place * dilation for the
kernel places that fall inside the image. All inputs of a window lie in one residue class modulo
the dilation; within the class they are consecutive, and a window further right starts and ends
further right. So after the axis is cut into connected components and the inputs of each are
numbered from 0, every window is an interval [start, end), with monotone ends: a `Block`.

In several axes the window of (o1, o2) is the product of two intervals. Two windows share an input
exactly if they do in every axis, and every window meets itself, so the components are the products
of the components of the axes. Different components share no input: their neurons have independent
supports, and every count of this package multiplies over them. Windows that lie wholly in the
padding are constant neurons, no hyperplanes, and are left out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import fsum, lgamma, log, prod

from .._layer import ConvSpec

Window = tuple[int, int, int]
"""(start, end, place): inputs start to end - 1, seen by the kernel places from `place` on."""


@dataclass(frozen=True)
class Block:
    """A connected component of the windows along one axis.

    Parameters
    ----------
    size : int
        Number of inputs that are seen.
    windows : tuple of (start, end, place)
        The windows from left to right.
    """

    size: int
    windows: tuple[Window, ...]

    @property
    def common_place(self) -> bool:
        """Whether some kernel place sees an input in every window."""
        first = max(place for _, _, place in self.windows)
        last = min(place + end - start for start, end, place in self.windows)
        return first < last

    @property
    def symmetric(self) -> bool:
        """Whether the block looks the same from the other side."""
        low = min(place for _, _, place in self.windows)
        high = max(place + end - start for start, end, place in self.windows)
        mirrored = tuple(
            (self.size - end, self.size - start, low + high - place - (end - start))
            for start, end, place in reversed(self.windows)
        )
        return mirrored == self.windows


def axis_blocks(
    length: int, kernel: int, stride: int, padding: tuple[int, int], dilation: int
) -> Counter[Block]:
    """Return the components of the windows along one axis, with multiplicities.

    Parameters
    ----------
    length : int
        Number of inputs.
    kernel, stride, dilation : int
        Geometry of the convolution.
    padding : tuple of (before, after)
        Zeros before and after the inputs.

    Returns
    -------
    Counter of Block
    """
    last = length + padding[0] + padding[1] - (dilation * (kernel - 1) + 1)
    starts = range(-padding[0], last - padding[0] + 1, stride)
    chains: dict[int, list[list[tuple[range, int]]]] = {}
    for start in starts:
        # First and last kernel place inside the image.
        first = max(0, -(start // dilation)) if start < 0 else 0
        stop = min(kernel, -(-(length - start) // dilation))
        if first >= stop:
            continue
        inputs = range(start + first * dilation, start + stop * dilation, dilation)
        groups = chains.setdefault(start % dilation, [])
        # Windows of a class come from left to right: only the last one can reach this one.
        if groups and groups[-1][-1][0][-1] >= inputs[0]:
            groups[-1].append((inputs, first))
        else:
            groups.append([(inputs, first)])
    found: Counter[Block] = Counter()
    for groups in chains.values():
        for group in groups:
            origin = group[0][0][0]
            windows = tuple(
                ((seen[0] - origin) // dilation, (seen[-1] - origin) // dilation + 1, place)
                for seen, place in group
            )
            found[Block(windows[-1][1], windows)] += 1
    return found


@dataclass(frozen=True)
class Part:
    """Product of one block per axis: a component of the windows of the whole layer.

    Parameters
    ----------
    axes : tuple of Block
        One block per spatial axis.
    channels : int
        Input channels that one filter sees.
    filters : int
        Filters that see these channels.
    """

    axes: tuple[Block, ...]
    channels: int
    filters: int

    @property
    def n_positions(self) -> int:
        """Number of windows."""
        return prod(len(block.windows) for block in self.axes)

    @property
    def n_neurons(self) -> int:
        """Number of windows times filters."""
        return self.n_positions * self.filters

    @property
    def n_inputs(self) -> int:
        """Number of input entries that are seen, channels counted."""
        return self.channels * prod(block.size for block in self.axes)

    def window_sizes(self) -> list[int]:
        """Return the number of input entries of every window, channels not counted."""
        spans = ([end - start for start, end, _ in block.windows] for block in self.axes)
        return [prod(sizes) for sizes in product(*spans)]

    @property
    def rank_limit(self) -> int:
        """Number of neurons or of inputs, whichever is smaller."""
        return min(self.n_neurons, self.n_inputs)

    @property
    def scan_form(self) -> tuple[tuple[Window, ...], int] | None:
        """The same part as a one-axis layer: its windows and channels; None where it is none.

        An axis with a single window only multiplies the channels: the kernel places of that
        axis act as further channels, and the filters stay generic.
        """
        long = [block for block in self.axes if len(block.windows) > 1]
        if len(long) > 1:
            return None
        channels = self.channels * prod(b.size for b in self.axes if len(b.windows) == 1)
        return (long[0].windows, channels) if long else (((0, 1, 0),), channels)

    @property
    def all_patterns(self) -> bool:
        """Whether unit filters make all neurons independent.

        With at most as many filters as channels, let filter i copy channel i at a kernel place that
        lies inside the image for every window: each neuron reads an entry of its own.
        """
        return self.filters <= self.channels and all(block.common_place for block in self.axes)

    def positions(self) -> list[list[tuple[int, tuple[int, ...]]]]:
        """Return, per window, its entries as (flat input number, kernel place), no channels."""
        sizes = [block.size for block in self.axes]
        table = []
        for windows in product(*(block.windows for block in self.axes)):
            entries = []
            for index in product(*(range(start, end) for start, end, _ in windows)):
                flat = 0
                for i, size in zip(index, sizes, strict=True):
                    flat = flat * size + i
                places = (i - w[0] + w[2] for i, w in zip(index, windows, strict=True))
                entries.append((flat, tuple(places)))
            table.append(entries)
        return table


@dataclass(frozen=True)
class OneLayer:
    """A convolutional layer as a multiset of independent parts.

    Parameters
    ----------
    parts : tuple of (Part, int)
        The parts with their multiplicities.
    """

    parts: tuple[tuple[Part, int], ...]

    @property
    def n_neurons(self) -> int:
        """Number of neurons that are not constant."""
        return sum(part.n_neurons * times for part, times in self.parts)

    @property
    def n_inputs(self) -> int:
        """Number of input entries that some neuron sees."""
        return sum(part.n_inputs * times for part, times in self.parts)

    def fully_connected(self, breakpoints: int = 1, dim: int | None = None) -> int:
        """Return the number of regions of as many neurons that see as many inputs, all of them.

        Parameters
        ----------
        breakpoints : int
            Breakpoints of each neuron.
        dim : int, optional
            Cap on the number of inputs.

        Returns
        -------
        int
        """
        top = self.n_inputs if dim is None else min(dim, self.n_inputs)
        return binomial_sum(self.n_neurons, top, breakpoints)


@lru_cache(maxsize=512)
def binomial_sum(n: int, top: int, breakpoints: int = 1) -> int:
    """Return the sum of C(n, j) * breakpoints**j for j from 0 to `top`.

    Parameters
    ----------
    n : int
        Number of units.
    top : int
        Largest j; the dimension.
    breakpoints : int
        Parallel hyperplanes per unit.

    Returns
    -------
    int
        The number of regions of n generic bundles of parallel hyperplanes in dimension `top`.

    Examples
    --------
    >>> binomial_sum(4, 3), binomial_sum(3, 2, 2)
    (15, 19)
    """
    if top >= n:
        return int((1 + breakpoints) ** n)
    if breakpoints == 1 and 2 * top >= n:  # fewer terms on the other side
        return int(2**n) - binomial_sum(n, n - top - 1)
    _, denominator, numerator = _series(n, breakpoints, 1, top + 1)
    return 1 + numerator // denominator


def _series(n: int, breakpoints: int, start: int, stop: int) -> tuple[int, int, int]:
    """Return (P, Q, T): products of the ratios of terms, and the sum over `start` <= j < `stop`.

    Term j is term j - 1 times p_j / q_j = (n - j + 1) k / j. P and Q are the products of p_j and
    q_j, and T / Q is the sum of the terms relative to term `start` - 1. Halving the range keeps the
    factors of each multiplication balanced, which is faster for thousands of terms.
    """
    if stop - start <= 32:
        p = q = 1
        t = 0
        for j in range(start, stop):
            p *= (n - j + 1) * breakpoints
            q *= j
            t = t * j + p
        return p, q, t
    middle = (start + stop) // 2
    p1, q1, t1 = _series(n, breakpoints, start, middle)
    p2, q2, t2 = _series(n, breakpoints, middle, stop)
    return p1 * p2, q1 * q2, t1 * q2 + p1 * t2


def log10_binomial_sum(n: int, top: int, breakpoints: int = 1) -> float:
    """Return the decimal logarithm of `binomial_sum`, in floating point but quickly.

    Parameters
    ----------
    n, top, breakpoints : int
        As in `binomial_sum`.

    Returns
    -------
    float
    """
    top = min(n, top)
    # The terms rise to their largest one and fall after it; what is below it by a factor e**60 is
    # lost in rounding, all of it together.
    peak = min(top, (n + 1) * breakpoints // (breakpoints + 1))
    terms = [1.0]
    for j in range(peak, 0, -1):
        terms.append(terms[-1] * j / ((n - j + 1) * breakpoints))
        if terms[-1] < 1e-26:
            break
    last = 1.0
    for j in range(peak + 1, top + 1):
        last *= (n - j + 1) * breakpoints / j
        terms.append(last)
        if last < 1e-26:
            break
    largest = lgamma(n + 1) - lgamma(peak + 1) - lgamma(n - peak + 1) + peak * log(breakpoints)
    return (largest + log(fsum(terms))) / log(10)


def binomials(n: int, top: int | None = None) -> list[int]:
    """Return C(n, 0), C(n, 1), .. up to C(n, top).

    Parameters
    ----------
    n : int
        Upper index.
    top : int, optional
        Largest lower index; default n.

    Returns
    -------
    list of int
    """
    found = [1]
    for j in range(n if top is None else min(n, top)):
        found.append(found[-1] * (n - j) // (j + 1))
    return found


@lru_cache(maxsize=256)
def one_layer(input_shape: tuple[int, ...], spec: ConvSpec) -> OneLayer:
    """Cut a convolutional layer into independent parts.

    Parameters
    ----------
    input_shape : tuple of int
        (channels, *spatial).
    spec : ConvSpec
        The layer; its shapes must fit (see `ConvSpec.output_shape`).

    Returns
    -------
    OneLayer

    Raises
    ------
    InvalidInput
        The shapes do not fit.
    """
    spec.output_shape(input_shape)
    kernel, stride, padding, dilation = spec.geometry(len(input_shape) - 1)
    axes = [
        axis_blocks(length, kernel[i], stride[i], padding[i], dilation[i])
        for i, length in enumerate(input_shape[1:])
    ]
    channels, filters = input_shape[0] // spec.groups, spec.filters // spec.groups
    parts: Counter[Part] = Counter()
    for combination in product(*(blocks.items() for blocks in axes)):
        part = Part(tuple(block for block, _ in combination), channels, filters)
        parts[part] += spec.groups * prod(times for _, times in combination)
    return OneLayer(tuple(parts.items()))
