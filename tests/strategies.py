# SPDX-License-Identifier: MIT
"""Random networks of every layer kind, with random domains of dimension 1 and 2.

A network is drawn by a *family* (which layers) and a *style* (which numbers). Everything comes from
one NumPy generator, so that a test names a case by family, style and seed; the Hypothesis
strategies at the end draw those three. Sizes are chosen for the reference: a few dozen units.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from draws import STYLES, Rng, domain, numbers
from linear_regions.domain import Box
from linear_regions.layers import (
    Add,
    Affine,
    AvgPool,
    Concat,
    Conv,
    Flatten,
    Layer,
    Maxout,
    MaxPool,
    Pad,
    Permute,
    Pointwise,
    Reshape,
    Scale,
    absolute,
    hard_tanh,
    leaky_relu,
    relu,
    relu6,
)
from linear_regions.network import Network


def bias(rng: Rng, n: int, style: str) -> np.ndarray:
    return np.zeros(n) if style == "zero_bias" else numbers(rng, n, style)


def affine(rng: Rng, n_out: int, n_in: int, style: str, **where: int) -> Affine:
    weight, offset = numbers(rng, (n_out, n_in), style), bias(rng, n_out, style)
    if style == "degenerate":
        entangle(rng, weight, offset)
    return Affine(weight, offset, **where)


def conv(
    rng: Rng, filters: int, channels: int, kernel: tuple[int, ...], style: str, **options: object
) -> Conv:
    weight = numbers(rng, (filters, channels, *kernel), style)
    offset = bias(rng, filters, style)
    if style == "degenerate":
        entangle(rng, weight.reshape(filters, -1), offset)
    return Conv(weight, offset, **options)  # type: ignore[arg-type]


def entangle(rng: Rng, weight: np.ndarray, offset: np.ndarray) -> None:
    """Make some units equal, opposite, parallel, coincident or constant."""
    n = len(weight)
    for _ in range(max(1, n // 2)):
        i, j = rng.integers(n), rng.integers(n)
        match rng.integers(6):
            case 0:  # the same unit twice
                weight[i], offset[i] = weight[j], offset[j]
            case 1:  # the same hyperplane from the other side
                weight[i], offset[i] = -weight[j], -offset[j]
            case 2:  # parallel
                weight[i], offset[i] = weight[j], offset[j] + 1.0
            case 3:  # the same hyperplane, another scale
                weight[i], offset[i] = 2.0 * weight[j], 2.0 * offset[j]
            case 4:  # constant: on, off, or exactly at the breakpoint
                weight[i], offset[i] = 0.0, rng.integers(-1, 2)
            case 5:  # through the origin
                offset[i] = 0.0


def pointwise(rng: Rng, k: int, channels: int = 1) -> Pointwise:
    """Draw a function with k breakpoints per channel, of any slopes, negative ones too."""
    cuts = np.sort(rng.permutation(np.arange(-6, 7))[: k * channels].reshape(channels, k), axis=1)
    slopes = rng.integers(-2, 4, size=(channels, k + 1)) / 2.0
    return Pointwise(cuts / 2.0, slopes, rng.integers(-1, 2, size=channels).astype(float))


def activation(rng: Rng, channels: int) -> Layer:
    """Draw a pointwise activation of any kind."""
    options: list[Callable[[], Layer]] = [
        relu,
        lambda: leaky_relu(0.25),
        lambda: leaky_relu(-0.5),
        lambda: leaky_relu(0.01),
        absolute,
        hard_tanh,
        relu6,
        lambda: pointwise(rng, 2),
        lambda: pointwise(rng, 3),
        lambda: pointwise(rng, 2, channels) if channels < 6 else pointwise(rng, 1),
    ]
    return options[rng.integers(len(options))]()


def _inputs(rng: Rng) -> int:
    return int(rng.integers(1, 4))


def mlp(rng: Rng, style: str) -> Network:
    """ReLU network with one to three hidden layers."""
    widths = [_inputs(rng), *rng.integers(2, 8, size=rng.integers(1, 4)).tolist()]
    layers: list[Layer] = []
    for n_in, n_out in pairwise(widths):
        layers += [affine(rng, n_out, n_in, style), relu()]
    return Network(widths[0], [*layers, affine(rng, 2, widths[-1], style)])


def mlp_of(widths: list[int], rng: Rng) -> Network:
    """Return a generic ReLU network of these widths, without an activation at the end."""
    layers: list[Layer] = []
    for n_in, n_out in pairwise(widths):
        weight = rng.normal(size=(n_out, n_in)) * (2.0 / n_in) ** 0.5
        layers += [Affine(weight, rng.normal(size=n_out)), relu()]
    return Network(widths[0], layers[:-1])


def bent(rng: Rng, style: str) -> Network:
    """Two hidden layers with activations of any kind; the last one is counted as well."""
    n = _inputs(rng)
    layers = [affine(rng, 5, n, style), activation(rng, 5)]
    return Network(n, [*layers, affine(rng, 4, 5, style), activation(rng, 4)])


def echo(rng: Rng, style: str) -> Network:
    """Layers that repeat hyperplanes of earlier layers, and a dead layer at the end."""
    n = _inputs(rng)
    first = affine(rng, 4, n, style)
    # relu(z) - relu(-z) = z: the second layer sees the first one's pre-activations again.
    twice = Affine(np.vstack([first.weight, -first.weight]), np.hstack([first.bias, -first.bias]))
    again = np.hstack([np.eye(4), -np.eye(4)])
    layers: list[Layer] = [twice, relu()]
    layers += [Affine(np.vstack([again, numbers(rng, (2, 8), style)])), relu()]
    layers += [Affine(np.zeros((2, 6)), [0.0, -1.0]), relu()]
    return Network(n, layers)


def maxout(rng: Rng, style: str) -> Network:
    """Maxout over features, ranks 2 and 3."""
    n = _inputs(rng)
    layers = [affine(rng, 9, n, style), Maxout(3), affine(rng, 6, 3, style), Maxout(2)]
    return Network(n, [*layers, affine(rng, 1, 3, style)])


def conv_relu(rng: Rng, style: str) -> Network:
    """2-D convolutions with strides, dilation and paddings of all forms."""
    options = [
        {"padding": 1},
        {"padding": (0, 1), "stride": (2, 1)},
        {"padding": ((1, 0), (0, 2)), "stride": 2},
        {"dilation": 2},
    ][rng.integers(4)]
    size = (1, 4, 4)
    first = conv(rng, 2, 1, (2, 3) if "dilation" not in options else (2, 2), style, **options)
    shape = first.output_shape(size)
    second = conv(rng, 2, 2, (2, 1), style, padding=((1, 0), (0, 0)))
    n = int(np.prod(second.output_shape(shape)))
    return Network(size, [first, relu(), second, relu(), Flatten(), affine(rng, 2, n, style)])


def conv_groups(rng: Rng, style: str) -> Network:
    """Grouped convolutions in one spatial axis, with a per-channel activation."""
    first = conv(rng, 4, 1, (3,), style, groups=2, padding=1)
    second = conv(rng, 2, 2, (2,), style, groups=2, stride=2)
    layers = [first, pointwise(rng, 1, 4), second, relu(), Flatten(), affine(rng, 1, 4, style)]
    return Network((2, 4), layers)


def conv_volume(rng: Rng, style: str) -> Network:
    """A convolution in three spatial axes, with pooling."""
    first = conv(rng, 1, 1, (2, 2, 2), style)
    return Network((1, 3, 3, 3), [first, relu(), MaxPool((2, 1, 2), stride=1)])


def relu_maxpool(rng: Rng, style: str) -> Network:
    """Pooling over ReLU: many windows tie at zero. Windows overlap and see padding."""
    pool = [
        MaxPool(2),
        MaxPool(2, stride=1),
        MaxPool(3, stride=2, padding=1),
        MaxPool((2, 3), stride=(2, 1), padding=((1, 0), (0, 1))),
        MaxPool(2, stride=2, padding=1, ceil_mode=True),
        MaxPool(2, stride=1, dilation=2, padding=1),
    ][rng.integers(6)]
    size = (1, 3, 4)
    filters = int(rng.integers(1, 3))
    first = conv(rng, filters, 1, (2, 2), style, padding=2 - filters)
    shape = pool.output_shape(first.output_shape(size))
    n = int(np.prod(shape))
    return Network(size, [first, relu(), pool, Flatten(), affine(rng, 3, n, style), relu()])


def maxpool_relu(rng: Rng, style: str) -> Network:
    """Convolution, overlapping pooling, then ReLU and a second convolution."""
    first = conv(rng, 2, 1, (2, 2), style)
    second = conv(rng, 2, 2, (2, 1), style)
    layers = [first, MaxPool(2, stride=1), relu(), second, relu()]
    return Network((1, 4, 4), layers)


def average(rng: Rng, style: str) -> Network:
    """Average pooling whose divisors are no powers of two."""
    pool = [
        AvgPool(3, stride=1),
        AvgPool(3, stride=2, padding=1, count_include_pad=False),
        AvgPool(3, stride=2, padding=1),
        AvgPool((1, 3), stride=2, ceil_mode=True),
        AvgPool(2, stride=2, padding=1, ceil_mode=True, count_include_pad=False),
    ][rng.integers(5)]
    size = (1, 4, 4)
    first = conv(rng, 2, 1, (2, 2), style)
    shape = pool.output_shape(first.output_shape(size))
    n = int(np.prod(shape))
    layers = [first, relu(), pool, activation(rng, 2), Flatten(), affine(rng, 2, n, style), relu()]
    return Network(size, layers)


def residual(rng: Rng, style: str) -> Network:
    """Sums with earlier slots, the input included, and a layer that reads an earlier slot."""
    n = _inputs(rng)
    layers = [
        affine(rng, n, n, style),  # slot 1
        relu(),  # slot 2
        Add(0),  # slot 3
        affine(rng, 5, n, style),  # slot 4
        relu(),  # slot 5
        affine(rng, 5, n, style, input=1),  # slot 6 reads slot 1
        Add(5),  # slot 7
        activation(rng, 5),
    ]
    return Network(n, layers)


def concat(rng: Rng, style: str) -> Network:
    """Channels joined with earlier channels, as in dense blocks."""
    first = conv(rng, 2, 1, (3,), style, padding=1)
    second = conv(rng, 1, 3, (2,), style)
    layers = [first, relu(), Concat(0), second, relu(), Flatten()]
    layers += [affine(rng, 3, 3, style), activation(rng, 3), Concat((6, 7)), activation(rng, 9)]
    return Network((1, 4), layers)


def wiring(rng: Rng, style: str) -> Network:
    """Scale, pad, permute and reshape between the layers that compute."""
    layers = [
        Reshape((2, 2, 2)),
        Scale(numbers(rng, 2, style), bias(rng, 2, style)),
        Pad(((1, 0), (0, 1)), float(rng.integers(-1, 2))),  # (2, 3, 3)
        Permute((1, 2, 0)),  # (3, 3, 2)
        conv(rng, 2, 3, (2, 1), style),  # (2, 2, 2)
        relu(),
        Maxout(2),  # (1, 2, 2)
        Reshape((-1,)),
        affine(rng, 4, 4, style),
        activation(rng, 4),
    ]
    return Network(8, layers)


def constant_image(rng: Rng, style: str) -> Network:
    """A padded convolution that later sees images with constant borders (see `images`)."""
    first = conv(rng, 1, 1, (3, 3), style, padding=1)
    layers = [first, relu(), MaxPool(2, stride=2, ceil_mode=True), Flatten()]
    return Network((1, 5, 4), [*layers, affine(rng, 2, 6, style), relu()])


def linear_only(rng: Rng, style: str) -> Network:
    """No activation at all: one region with the empty pattern."""
    n = _inputs(rng)
    return Network(n, [affine(rng, 2, n, style)])


FAMILIES: dict[str, Callable[[Rng, str], Network]] = {
    family.__name__: family
    for family in (
        mlp,
        bent,
        echo,
        maxout,
        conv_relu,
        conv_groups,
        conv_volume,
        relu_maxpool,
        maxpool_relu,
        average,
        residual,
        concat,
        wiring,
        constant_image,
        linear_only,
    )
}


def network(family: str, style: str, seed: int) -> Network:
    """Return the network of a family and style with this seed."""
    return FAMILIES[family](np.random.default_rng([seed, STYLES.index(style)]), style)


seeds = st.integers(0, 2**20)


@st.composite
def networks(draw: st.DrawFn, families: tuple[str, ...] = tuple(FAMILIES)) -> Network:
    """Draw a network of any family and style."""
    family, style = draw(st.sampled_from(families)), draw(st.sampled_from(STYLES))
    return network(family, style, draw(seeds))


@st.composite
def cases(
    draw: st.DrawFn,
    families: tuple[str, ...] = tuple(FAMILIES),
    dimensions: tuple[int, ...] = (1, 2),
) -> tuple[Network, object]:
    """Draw a network and a domain of dimension 1 or 2."""
    family, style = draw(st.sampled_from(families)), draw(st.sampled_from(STYLES))
    seed = draw(seeds)
    net = network(family, style, seed)
    return net, domain(net, draw(st.sampled_from(dimensions)), style, seed)


# Numbers of very different sizes: what floating point decides badly or not at all.
ROUGH: dict[str, Callable[[Rng, tuple[int, ...]], np.ndarray]] = {
    "powers": lambda rng, shape: rng.integers(-4, 5, shape) * 2.0 ** rng.integers(-40, 40, shape),
    "huge_and_tiny": lambda rng, shape: (
        rng.normal(size=shape) * 2.0 ** rng.integers(-300, 300, shape)
    ),
    # Thirds, perturbed by the last bit: almost parallel, almost concurrent.
    "last_bits": lambda rng, shape: (
        rng.integers(-3, 4, shape) / 3.0 * (1 + rng.integers(-2, 3, shape) * 2.0**-52)
    ),
    "decades": lambda rng, shape: rng.normal(size=shape) * 10.0 ** rng.integers(-12, 12, shape),
    "underflow": lambda rng, shape: rng.normal(size=shape) * 2.0**-530,
    "subnormal": lambda rng, shape: rng.integers(-5, 6, shape) * 5e-324,
}


def rough_network(rng: Rng, draw: Callable[[Rng, tuple[int, ...]], np.ndarray]) -> Network:
    """Return a small network with such numbers."""
    n_in = n = int(rng.integers(1, 3))
    layers: list[Layer] = []
    for _ in range(rng.integers(1, 4)):
        width = int(rng.integers(1, 4) * 2)
        offset = draw(rng, (width,)) * (rng.random() < 0.7)
        layers.append(Affine(draw(rng, (width, n)), offset))
        bend = [relu(), leaky_relu(0.1), absolute(), hard_tanh(), Maxout(2)][rng.integers(5)]
        layers.append(bend)
        n = width // 2 if isinstance(bend, Maxout) else width
    return Network(n_in, layers)


@st.composite
def rough_cases(draw: st.DrawFn) -> tuple[Network, object]:
    """Draw a small network with numbers of very different sizes, and a domain."""
    numbers_of = ROUGH[draw(st.sampled_from(sorted(ROUGH)))]
    rng = np.random.default_rng(draw(seeds))
    net = rough_network(rng, numbers_of)
    corners = np.sort(numbers_of(rng, (2, net.input_size)), axis=0)
    return net, [None, Box(-1.0, 1.0), Box(corners[0], corners[1])][rng.integers(3)]
