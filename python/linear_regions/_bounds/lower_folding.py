# SPDX-License-Identifier: MIT
"""The folding lower bound, for fully connected and convolutional layers at the start of a tape.

A convolution folds with unit filters: at a kernel place that lies inside the image at all of its
positions, each filter copies (a scaling and a shift of) one entry of one channel. So every
position folds an entry of its own, on each of the c channels that are followed, and the sums
of filters that the next layer sees form a picture of c channels that covers the whole cube. The
number of followed channels is at most that of the input and of every folding layer.

Pooling with disjoint windows may follow a folding convolution. A mean of coordinates that run over
[0, 1] runs over [0, 1]. A maximum of units that do not decrease is the unit of the largest entry,
so the fold is one of that entry; then p units make p pieces, all with breakpoints on the left. If
the winner of a window of q entries is in piece j, each other entry is in a piece up to j:
q sum_{j <= p} j**(q - 1) combinations of a winner and pieces, each of which takes the winner
through all of its piece.

The last layer cuts that cube. A convolution does so with the number of regions that its positions
without padding have on a picture of c channels, a fully connected layer with generic hyperplanes.
Biases shared by a filter are enough, because the cube looks the same at all positions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import log, log2, prod

import numpy as np

from .._geometry import Shape
from .._layer import AffineSpec, ConvSpec, PointwiseSpec, ScaleSpec
from .._layer import Layer as TapeLayer
from .._one_layer.windows import log10_binomial_sum
from .._pools import always_disjoint, window_sizes
from ..layers import AvgPool, Flatten, Maxout, MaxPool
from ..result import Bound, NotApplicable
from .big import TooLong
from .folding import Layer, best_coordinates, dense_folding, folds, spread
from .one_layer import shared_lower
from .question import Question
from .upper import Found

NAME = "folding"
_REFERENCE = (
    "construction of Montufar et al. 2014, Serra et al. 2018 and, for convolutions, Xiong et al. "
    "2020 (Theorem 5), with every unit used; proof in the manual"
)
_FLOAT_ERROR = 1e-9
# Entries of windows, of which all are looked at: about a second.
_MOST_ENTRIES = 1 << 22


@dataclass(frozen=True)
class Step:
    """An affine layer with its activation, at the start of a tape.

    Parameters
    ----------
    spec : AffineSpec or ConvSpec
        The affine layer.
    shape : tuple of int
        What it reads.
    activation : PointwiseSpec or Maxout
        What follows.
    pool : AvgPool, MaxPool or None
        Pooling with disjoint windows behind the activation of a convolution.
    """

    spec: AffineSpec | ConvSpec
    shape: Shape
    activation: PointwiseSpec | Maxout
    pool: AvgPool | MaxPool | None = None

    @property
    def positions(self) -> int:
        """Number of positions of a convolution, 1 for a fully connected layer."""
        return prod(self.spec.output_shape(self.shape)[1:])

    @property
    def picture_size(self) -> int:
        """Number of positions that the next layer sees."""
        shape = self.spec.output_shape(self.shape)
        return prod((self.pool.output_shape(shape) if self.pool else shape)[1:])

    def boxes(self, channels: int) -> list[tuple[int, int]]:
        """Return in how many ways a convolution folds the picture of so many channels.

        Parameters
        ----------
        channels : int
            Followed channels.

        Returns
        -------
        list of (factor, times)
            Their product, each factor so many times.
        """
        layer = self.folding
        assert layer is not None
        if not isinstance(self.pool, MaxPool):
            return [(folds(layer, channels), self.positions)]
        windows = _sizes_with_rest(self.pool, self.spec.output_shape(self.shape))
        found = []
        for size, times in spread(layer.units, channels):
            for entries, number in windows.items():
                ways = entries * sum(j ** (entries - 1) for j in range(1, size + 1))
                found.append((ways, number * times))
        return found

    @property
    def units(self) -> int:
        """Units per position."""
        n = self.spec.n_out if isinstance(self.spec, AffineSpec) else self.spec.filters
        return n // self.activation.rank if isinstance(self.activation, Maxout) else n

    @property
    def hyperplanes(self) -> int:
        """Parallel hyperplanes that a unit can make."""
        if isinstance(self.activation, Maxout):
            return self.activation.rank - 1
        return self.activation.breakpoints

    @property
    def folding(self) -> Layer | None:
        """What the layer offers for folding, per position; None where it cannot fold."""
        if isinstance(self.activation, Maxout):
            if isinstance(self.pool, MaxPool):
                return None
            layer = Layer(self.units, self.activation.rank)
        elif self.activation.breakpoints == 1 and self.activation.flat:
            layer = Layer(self.units)
        else:
            return None
        if isinstance(self.spec, AffineSpec):
            return layer
        return layer if self.spec.groups == 1 and _has_common_place(self.spec, self.shape) else None


def _has_common_place(spec: ConvSpec, shape: Shape) -> bool:
    """Tell whether one kernel place lies inside the image at all positions."""
    kernel, stride, padding, dilation = spec.geometry(len(shape) - 1)
    for i, length in enumerate(spec.output_shape(shape)[1:]):
        place = -(-padding[i][0] // dilation[i])
        last = (length - 1) * stride[i] - padding[i][0] + place * dilation[i]
        if place >= kernel[i] or last >= shape[1 + i]:
            return False
    return True


def _sizes_with_rest(pool: MaxPool, shape: Shape) -> Counter[int]:
    """Return the sizes of the windows of one channel, and the entries outside as windows of one."""
    sizes = window_sizes(pool, shape)
    sizes[1] += prod(shape[1:]) - sum(size * times for size, times in sizes.items())
    return sizes


def _is_disjoint(pool: AvgPool | MaxPool, shape: Shape) -> bool:
    """Tell whether no entry is in two windows, and means are means of entries alone."""
    if isinstance(pool, MaxPool) and always_disjoint(pool, shape):
        return True
    entries_seen = sum(size * times for size, times in window_sizes(pool, shape).items())
    if entries_seen > _MOST_ENTRIES:
        raise TooLong(
            f"a pooling whose windows see {entries_seen:,} entries, of which {_MOST_ENTRIES:,} "
            "are compared at most"
        )
    starts, entries, _ = pool.windows((1, *shape[1:]))
    if len(np.unique(entries)) < len(entries):
        return False
    if isinstance(pool, MaxPool):
        return True
    return bool(np.array_equal(pool.divisors((1, *shape[1:])), np.diff(starts)))


def read_steps(question: Question) -> list[Step]:
    """Return the first layers of the tape: convolutions, then fully connected ones.

    Parameters
    ----------
    question : Question
        What is asked.

    Returns
    -------
    list of Step
        As far as they follow the scheme; constant activations stop it.
    """
    architecture = question.architecture
    steps: list[Step] = []
    waiting: tuple[AffineSpec | ConvSpec, Shape] | None = None
    for position, layer in enumerate(architecture.layers):
        if layer.inputs(position) != (position,):
            break
        if isinstance(layer, AffineSpec | ConvSpec) and waiting is None:
            waiting = (layer, architecture.shapes[position])
        elif isinstance(layer, PointwiseSpec | Maxout) and waiting is not None and _bends(layer):
            steps.append(Step(*waiting, layer))
            waiting = None
        elif isinstance(layer, AvgPool | MaxPool) and waiting is None and steps:
            last = steps[-1]
            if last.pool or not isinstance(last.spec, ConvSpec):
                break
            if not _is_disjoint(layer, architecture.shapes[position]):
                break
            steps[-1] = replace(last, pool=layer)
        elif not _passes(layer, waiting is not None):
            break
    return steps


def _bends(layer: PointwiseSpec | Maxout) -> bool:
    return layer.rank > 1 if isinstance(layer, Maxout) else layer.breakpoints > 0


def _passes(layer: TapeLayer, waiting: bool) -> bool:
    """Tell whether a layer may stand between others: Scale behind affine ones, Flatten before."""
    return isinstance(layer, ScaleSpec) if waiting else isinstance(layer, Flatten)


def folding(question: Question) -> list[Found]:
    """Fold by all layers of a prefix but the last, which cuts; the best prefix counts."""
    reason = _reason(question)
    if reason is not None:
        return [NotApplicable(NAME, reason)]
    found = (0, "")
    best_bits = 0.0
    steps = read_steps(question)
    # Best first, as far as floating point tells; a prefix is left out if it cannot be better.
    candidates = [
        (bits + _last_bits(question, steps[:n], channels), n, channels)
        for n, channels, bits in _candidates(steps)
    ]
    for bits, n, channels in sorted(candidates, reverse=True):
        if bits + _FLOAT_ERROR * (1 + bits) > best_bits:
            value = _value(question, steps[:n], channels)
            if value > found[0]:
                layers = "the first layer" if n == 1 else f"the first {n} layers"
                found, best_bits = (value, layers), log2(value)
    value, layers = found
    assumptions = (
        f"{layers}: convolutions, with pooling of disjoint windows, and fully connected layers, "
        "ReLU or maxout",
    )
    return [Bound(NAME, "lower", "maximum", value, _REFERENCE, assumptions)]


def _reason(question: Question) -> str | None:
    steps = read_steps(question)
    if len(steps) < 2:
        return "needs two or more affine layers, each with an activation, at the start"
    if question.missing_breakpoints is not None:
        return question.missing_breakpoints
    first = steps[0].folding
    if first is None or not first.units:
        return (
            "the first layer cannot fold: that takes units of ReLU or maxout, and for convolutions "
            "no groups and a kernel place that lies inside the image at all positions"
        )
    if isinstance(steps[0].spec, ConvSpec) and not _takes_cube(question, steps[0]):
        return "unit filters cannot fold in this domain: it needs an interior constant image"
    return None


def _takes_cube(question: Question, step: Step) -> bool:
    spec = step.spec
    assert isinstance(spec, ConvSpec)
    return question.takes_any_shift(ConvSpec(spec.filters, spec.kernel_size))


def _candidates(steps: list[Step]) -> Iterator[tuple[int, int, float]]:
    """Yield (number of layers, followed channels, log2 of the folds of the convolutions)."""
    convs = sum(isinstance(step.spec, ConvSpec) for step in steps)
    channels = steps[0].shape[0] if convs else 1
    options = {channels: 0.0}
    for n in range(2, len(steps) + 1):
        layer = steps[n - 2].folding
        if layer is None or not layer.units:
            return
        if n - 2 < convs:
            few = layer.units
            # Follow all channels that the layers so far allow, or so few that each gets 3 units.
            enough = min(channels, max(1, few // 3))
            options = {
                c: _conv_bits(steps[: n - 1], c)
                for c in {min(c, few) for c in options} | {min(enough, *options)}
            }
        for c, bits in options.items():
            yield n, c, bits


def _conv_bits(steps: list[Step], channels: int) -> float:
    return sum(
        times * log2(factor)
        for step in steps
        if isinstance(step.spec, ConvSpec)
        for factor, times in step.boxes(channels)
    )


def _last_bits(question: Question, steps: list[Step], channels: int) -> float:
    """Return what the dense layers add in bits; of a last convolution, more than it can add."""
    step = steps[-1]
    if isinstance(step.spec, AffineSpec):
        logarithm, _ = best_coordinates(*_dense_part(question, steps, channels))
        return logarithm / log(2)
    dim = min(question.dim, channels * prod(step.shape[1:]))
    neurons = step.units * step.positions
    return log10_binomial_sum(neurons, min(dim, neurons), step.hyperplanes) / 0.3010 + 1


def _dense_part(
    question: Question, steps: list[Step], channels: int
) -> tuple[int, tuple[Layer, ...], tuple[int, int]]:
    """Return the arguments of `dense_folding` for the dense layers of a prefix."""
    convs = [step for step in steps if isinstance(step.spec, ConvSpec)]
    dim = channels * convs[-1].picture_size if convs else question.dim
    layers = tuple(step.folding for step in steps[len(convs) : -1] if step.folding is not None)
    return dim, layers, (steps[-1].units, steps[-1].hyperplanes)


def _value(question: Question, steps: list[Step], channels: int) -> int:
    """Return the number for this prefix, with so many channels followed through convolutions."""
    convs = [step for step in steps if isinstance(step.spec, ConvSpec)]
    last = steps[-1]
    alone = len(convs) == len(steps)
    boxes: int = prod(
        factor**times
        for step in (convs[:-1] if alone else convs)
        for factor, times in step.boxes(channels)
    )
    if alone:
        return boxes * _last_convolution(last, channels)
    return boxes * dense_folding(*_dense_part(question, steps, channels))[0]


def _last_convolution(step: Step, channels: int) -> int:
    """Return the regions that a convolution makes in a cube of pictures with so many channels.

    Only the positions are used that see no padding; a shift of the cube is absorbed by their
    biases.
    """
    spec = step.spec
    assert isinstance(spec, ConvSpec)
    if spec.groups > 1:
        return 1
    kernel, stride, padding, dilation = spec.geometry(len(step.shape) - 1)
    picture = [channels]
    for i, length in enumerate(step.shape[1:]):
        before = padding[i][0]
        first = -(-before // stride[i]) * stride[i] - before
        span = dilation[i] * (kernel[i] - 1) + 1
        # The same windows fall out on the right side as soon as they touch the padding.
        if length - first < span:
            return 1
        picture.append(length - first)
    plain = ConvSpec(step.units, kernel, stride, 0, dilation)
    return shared_lower(tuple(picture), plain, step.hyperplanes)[0]


ALL = (folding,)
