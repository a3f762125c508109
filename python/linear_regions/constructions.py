# SPDX-License-Identifier: MIT
"""Networks with as many regions as the lower bounds promise.

Every function returns a `Network` whose weights are dyadic rationals, held exactly by float64, so
that `count` confirms the bound; where the numbers of a large network would have to be rounded, it
raises `InvalidInput`. The last activation layer is the end of the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from math import isqrt, prod

import numpy as np

from ._bounds.folding import Layer as FoldingLayer
from ._bounds.folding import dense_folding, pieces, spread
from ._geometry import integer, shape_of
from ._layer import ConvSpec
from ._layer import Layer as TapeLayer
from .errors import InvalidInput
from .layers import Affine, AvgPool, Conv, Maxout, MaxPool, relu
from .network import Network

__all__ = [
    "folding_cnn",
    "folding_maxout",
    "folding_mlp",
    "tent_network",
    "zonotope_network",
]

Row = list[Fraction]
_POOLS = (AvgPool, MaxPool)


@dataclass(frozen=True)
class _Fold:
    """A fold of [0, length] onto [0, 1]: sum_i weights[i] * unit_i(x) + offset.

    `unit_i` is the maximum of the affine functions a * x + b in `units[i]`; ReLU leaves the zero
    function out.
    """

    length: int
    units: tuple[tuple[tuple[Fraction, Fraction], ...], ...]
    weights: tuple[Fraction, ...]
    offset: Fraction


def _relu_fold(n: int) -> _Fold:
    """Fold by n ReLU units: 1, 2 or n + 1 pieces (see `_bounds.folding`)."""
    if n < 3:
        return _increasing_fold(n)
    # Slopes 2, -1, 1, -1, .. broken at 1, 3, 5, ..; unit 3 is reversed and makes the first slope.
    units, weights = [], []
    for i in range(n):
        sign = Fraction(-1 if i == 2 else 1)
        units.append(((sign, -sign * (2 * i + 1)),))
        weights.append(Fraction(-3 if i == 0 else 2 * (-1) ** (i + 1), 2))
    return _Fold(2 * n + 1, tuple(units), tuple(weights), Fraction(5))


def _increasing_fold(n: int) -> _Fold:
    """Fold by n ReLU units that do not decrease: n pieces of [0, n]."""
    units = tuple(((Fraction(1), Fraction(-t)),) for t in range(n))
    weights = (Fraction(1), *(Fraction(2 * (-1) ** t) for t in range(1, n)))
    return _Fold(n, units, weights, Fraction(0))


def _maxout_fold(n: int, rank: int) -> _Fold:
    """Fold by n maxout units, which take the concave bends (first) and the convex ones in turn."""
    length = pieces(n, rank)
    concave, convex = iter(range(1, length, 2)), iter(range(2, length, 2))
    units, weights = [], []
    for i in range(n):
        bends = list(islice(concave if i % 2 == 0 else convex, rank - 1))
        # Slope 1 at the start belongs to the first unit, which is subtracted.
        base = Fraction(-1 if i == 0 else 0)
        functions = [(base + 2 * r, Fraction(-2 * sum(bends[:r]))) for r in range(len(bends) + 1)]
        units.append(tuple(functions + [functions[-1]] * (rank - len(functions))))
        weights.append(Fraction(-1 if i % 2 == 0 else 1))
    return _Fold(length, tuple(units), tuple(weights), Fraction(0))


def _folds(units: int, coordinates: int, rank: int) -> list[_Fold]:
    """Return one fold per coordinate, spending all units."""
    sizes = [n for n, times in spread(units, coordinates, rank) for _ in range(times)]
    return [_maxout_fold(n, rank) if rank else _relu_fold(n) for n in sizes]


def _coordinates(folds: list[_Fold]) -> tuple[list[Row], Row]:
    """Return the coordinates in [0, 1] as rows over the units of the layer, with offsets."""
    n = sum(len(fold.units) for fold in folds)
    rows, start = [], 0
    for fold in folds:
        row = [Fraction(0)] * n
        row[start : start + len(fold.weights)] = fold.weights
        rows.append(row)
        start += len(fold.weights)
    return rows, [fold.offset for fold in folds]


def _unit_rows(folds: list[_Fold], rows: list[Row], offsets: Row) -> tuple[list[Row], Row]:
    """Return the affine functions of a folding layer over what it reads.

    `rows` and `offsets` give the coordinates in [0, 1]; a fold stretches them to its length.
    """
    weight, bias = [], []
    for fold, row, offset in zip(folds, rows, offsets, strict=True):
        for unit in fold.units:
            for slope, constant in unit:
                weight.append([slope * fold.length * entry for entry in row])
                bias.append(slope * fold.length * offset + constant)
    return weight, bias


def _cut_rows(units: int, rank: int, rows: list[Row], offsets: Row) -> tuple[list[Row], Row]:
    """Return the last layer: generic hyperplanes all of whose vertices lie in the cube.

    Unit i looks along w = (1, t, .., t**(D - 1)) and bends where w @ (y - 1/2) equals
    eps * (t**D + a * g), a = 0, 1, ..: with g = 0, D hyperplanes meet where y - 1/2 is eps times
    the elementary symmetric polynomials of D of the t, and no D + 1 do, because a polynomial of
    degree D has D zeros. A small g changes neither.
    """
    dim = len(rows)
    nodes = [t - units // 2 for t in range(units)]
    spans = sorted((1 + abs(t) for t in nodes), reverse=True)[:dim]
    size = prod(spans)
    small = Fraction(1, 2 ** (2 * size * max(rank, 2) * (dim + 1) ** 2).bit_length())
    g = Fraction(0) if rank <= 2 else small
    eps = Fraction(1, 2 ** (2 * size + 2).bit_length())
    weight, bias = [], []
    for t in nodes:
        direction = [Fraction(t) ** j for j in range(dim)]
        row = [
            sum((w * r[i] for w, r in zip(direction, rows, strict=True)), Fraction(0))
            for i in range(len(rows[0]))
        ]
        shift = sum(
            (w * (o - Fraction(1, 2)) for w, o in zip(direction, offsets, strict=True)), Fraction(0)
        )
        levels = [eps * (Fraction(t) ** dim + a * g) for a in range(max(rank - 1, 1))]
        if rank == 0:
            weight.append(row)
            bias.append(shift - levels[0])
            continue
        for r in range(rank):
            weight.append([r * entry for entry in row])
            bias.append(r * shift - sum(levels[:r]))
    return weight, bias


def _exact(values: object, what: str) -> np.ndarray:
    """Return fractions as a float64 array, refusing any that would have to be rounded."""
    array = np.array(values, dtype=object)
    found = np.empty(array.shape)
    for index in np.ndindex(array.shape):
        found[index] = float(array[index])
        if Fraction(float(found[index])) != array[index]:
            raise InvalidInput(
                f"{what}: the network is too large for weights that float64 holds exactly; take "
                "fewer inputs or narrower layers"
            )
    return found


def _dense(input_size: int, sizes: Sequence[int], rank: int, what: str) -> Network:
    size = integer("input_size", input_size, 1)
    widths = shape_of("widths", sizes, 1)
    if not widths:
        raise InvalidInput(f"{what}: needs at least one hidden layer, got none")
    layers = tuple(FoldingLayer(n, rank) for n in widths)
    last = (widths[-1], max(rank - 1, 1))
    _, dim = dense_folding(size, layers[:-1], last)
    rows = [[Fraction(int(i == j)) for j in range(size)] for i in range(dim)]
    offsets = [Fraction(0)] * dim
    tape: list[TapeLayer] = []
    for position, n in enumerate(widths):
        if position + 1 < len(widths):
            folds = _folds(n, dim, rank)
            weight, bias = _unit_rows(folds, rows, offsets)
            rows, offsets = _coordinates(folds)
        else:
            weight, bias = _cut_rows(n, rank, rows, offsets)
        tape += [Affine(_exact(weight, what), _exact(bias, what)), Maxout(rank) if rank else relu()]
    return Network(size, tape)


def folding_mlp(input_size: int, widths: Sequence[int]) -> Network:
    """Return a ReLU network that folds its input and then cuts it.

    Parameters
    ----------
    input_size : int
        Number of inputs.
    widths : sequence of int
        Hidden widths; all layers but the last fold.

    Returns
    -------
    Network
        It has at least as many activation regions as ``bounds(net.architecture)["folding"]``, hence
        as the lower bounds of Montufar et al. 2014 and Serra et al. 2018.

    Raises
    ------
    InvalidInput
        If there is no layer, or float64 cannot hold the weights exactly.

    References
    ----------
    G. Montufar, R. Pascanu, K. Cho, Y. Bengio, "On the Number of Linear Regions of Deep Neural
    Networks", NeurIPS 2014, arXiv:1402.1869, Theorem 4. T. Serra, C. Tjandraatmadja, S. Ramalingam,
    "Bounding and Counting Linear Regions of Deep Neural Networks", ICML 2018, arXiv:1711.02114.

    Examples
    --------
    The formula (floor(6 / 2) + 1)**2 * (1 + 6 + 15) of Serra et al. promises 352 regions.

    >>> import linear_regions as lr
    >>> net = folding_mlp(2, [6, 6])
    >>> lr.bounds(net.architecture)["folding"].value, int(lr.count(net)) >= 352
    (352, True)
    """
    return _dense(input_size, widths, 0, "folding_mlp")


def folding_maxout(input_size: int, units: Sequence[int], rank: int) -> Network:
    """Return a maxout network that folds its input and then cuts it.

    Parameters
    ----------
    input_size : int
        Number of inputs.
    units : sequence of int
        Maxout units per layer.
    rank : int
        Functions per unit, at least 2.

    Returns
    -------
    Network
        It has at least as many activation regions as ``bounds(net.architecture)["folding"]``.

    Raises
    ------
    InvalidInput
        If there is no layer, the rank is below 2, or float64 cannot hold the weights exactly.

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = folding_maxout(2, [2, 2], rank=3)
    >>> lr.bounds(net.architecture)["folding"].value, int(lr.count(net)) >= 36
    (36, True)
    """
    return _dense(input_size, units, integer("rank", rank, 2), "folding_maxout")


def folding_cnn(
    input_shape: Sequence[int], convs: Sequence[TapeLayer], *, channels: int | None = None
) -> Network:
    """Return a convolutional ReLU network that folds every entry of the picture and then cuts it.

    Parameters
    ----------
    input_shape : sequence of int
        (channels, *spatial).
    convs : sequence of ConvSpec, MaxPool and AvgPool
        Two or more convolutions without groups; all but the last fold. Each of them needs a kernel
        place that lies inside the image at all positions, which there is without padding. Between
        them, pooling with disjoint windows may stand.
    channels : int, optional
        Input channels that are followed; default as many as the input and the folding layers have.

    Returns
    -------
    Network
        For small pictures it has as many regions as Theorem 5 of Xiong et al. promises: the last
        layer has random integer filters, which are generic with high probability.

    Raises
    ------
    TypeError
        If something is no convolution.
    InvalidInput
        If the layers do not follow the scheme, or float64 cannot hold the weights exactly.

    References
    ----------
    H. Xiong et al., "On the Number of Linear Regions of Convolutional Neural Networks", ICML 2020,
    arXiv:2006.00978, Theorem 5.

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = folding_cnn((1, 2), [lr.ConvSpec(2, 1), lr.ConvSpec(2, 2)])
    >>> lr.bounds(net.architecture)["folding"].value, int(lr.count(net)) >= 16
    (16, True)
    """
    shape = shape_of("input_shape", input_shape, 1)
    layers = [layer if isinstance(layer, _POOLS) else _conv_spec(layer) for layer in convs]
    specs = [layer for layer in layers if isinstance(layer, ConvSpec)]
    if len(specs) < 2 or layers[-1] is not specs[-1] or isinstance(layers[0], _POOLS):
        raise InvalidInput(
            "folding_cnn: needs two or more convolutions, the first and the last layer among them, "
            f"got {len(specs)}"
        )
    most = min([shape[0], *(spec.filters for spec in specs[:-1])])
    followed = most if channels is None else integer("channels", channels, 1)
    if followed > most:
        raise InvalidInput(f"channels must be at most {most} here, got {followed}")
    rows = [[Fraction(int(i == j)) for j in range(shape[0])] for i in range(followed)]
    offsets = [Fraction(0)] * followed
    tape: list[TapeLayer] = []
    for position, spec in enumerate(layers):
        if not isinstance(spec, ConvSpec):
            tape.append(spec)
            shape = spec.output_shape(shape)
            continue
        kernel, stride, padding, dilation = spec.geometry(len(shape) - 1)
        if position + 1 < len(layers):
            folds = _folds(spec.filters, followed, 0)
            if isinstance(layers[position + 1], MaxPool):
                folds = [_increasing_fold(len(fold.units)) for fold in folds]
            flat, bias = _unit_rows(folds, rows, offsets)
            weight: np.ndarray = np.zeros((len(flat), len(flat[0]), *kernel), dtype=object)
            place: tuple[int | slice, ...] = (slice(None), slice(None), *_common_place(spec, shape))
            weight[place] = flat
            rows, offsets = _coordinates(folds)
        else:
            weight, bias = _generic_filters(spec, shape, rows, offsets)
        arrays = _exact(weight, "folding_cnn"), _exact(bias, "folding_cnn")
        tape += [Conv(*arrays, stride=stride, padding=padding, dilation=dilation), relu()]
        shape = spec.output_shape(shape)
    return Network(shape_of("input_shape", input_shape, 1), tape)


def _conv_spec(layer: TapeLayer) -> ConvSpec:
    spec = getattr(layer, "spec", None)
    if not isinstance(spec, ConvSpec):
        raise TypeError(f"convs must be ConvSpec or Conv, got {layer!r}")
    if spec.groups > 1:
        raise InvalidInput(f"folding_cnn: convolutions must have groups=1, got {spec.groups}")
    return spec


def _common_place(spec: ConvSpec, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a kernel place that lies inside the image at all positions."""
    kernel, stride, padding, dilation = spec.geometry(len(shape) - 1)
    places = []
    for i, length in enumerate(spec.output_shape(shape)[1:]):
        place = -(-padding[i][0] // dilation[i])
        last = (length - 1) * stride[i] - padding[i][0] + place * dilation[i]
        if place >= kernel[i] or last >= shape[1 + i]:
            raise InvalidInput(
                f"folding_cnn: {spec!r} has no kernel place that lies inside the image of shape "
                f"{shape} at all positions; use less padding"
            )
        places.append(place)
    return tuple(places)


def _generic_filters(
    spec: ConvSpec, shape: tuple[int, ...], rows: list[Row], offsets: Row
) -> tuple[np.ndarray, Row]:
    """Return random integer filters of the picture y, biases so small that all vertices fit.

    By Cramer's rule a vertex of integer rows with entries up to A and right sides up to B in r
    dimensions has no entry above B * A**(r - 1) * r**(r / 2) (Hadamard).
    """
    rng = np.random.default_rng(len(rows) + 1000 * spec.filters)
    kernel = spec.geometry(len(shape) - 1)[0]
    outputs = prod(spec.output_shape(shape))
    rank = min(outputs, len(rows) * prod(shape[1:]))
    # As wide a range as leaves room for the small biases in 53 bits.
    most = max(7, min(999, int(2 ** (36 / rank) / rank**0.5)))
    values = rng.integers(-most, most + 1, size=(spec.filters, len(rows), *kernel))
    constants = rng.integers(-most, most + 1, size=spec.filters)
    eps = Fraction(1, 2 ** (2 * most**rank * (isqrt(rank**rank) + 1)).bit_length())
    weight = np.zeros((spec.filters, len(rows[0]), *kernel), dtype=object)
    bias = []
    for f in range(spec.filters):
        shift = Fraction(0)
        for channel, (row, offset) in enumerate(zip(rows, offsets, strict=True)):
            for place in np.ndindex(*kernel):
                value = Fraction(int(values[(f, channel, *place)]))
                shift += value * (offset - Fraction(1, 2))
                for i, entry in enumerate(row):
                    weight[(f, i, *place)] += value * entry
        bias.append(shift + eps * int(constants[f]))
    return weight, bias


def tent_network(depth: int) -> Network:
    """Return Telgarsky's composition of tent maps: two ReLU units per layer.

    Parameters
    ----------
    depth : int
        Number of layers.

    Returns
    -------
    Network
        2**depth regions in the interval (0, 1).

    References
    ----------
    M. Telgarsky, "Representation Benefits of Deep Feedforward Networks", 2015, arXiv:1509.08101.

    Examples
    --------
    >>> import linear_regions as lr
    >>> int(lr.count(tent_network(5), lr.Box(0, 1)))
    32
    """
    tape: list[TapeLayer] = []
    for position in range(integer("depth", depth, 1)):
        # The tent of h is 2 relu(h) - 4 relu(h - 1/2).
        weight = [[2.0, -4.0]] * 2 if position else [[1.0]] * 2
        tape += [Affine(weight, [0.0, -0.5]), relu()]
    return Network(1, tape)


def zonotope_network(input_size: int, m: int, widths: Sequence[int]) -> Network:
    """Return the network of Arora et al. 2018: a zonotope's support function, then zigzags.

    Parameters
    ----------
    input_size : int
        Number of inputs.
    m : int
        Generators: the first layer has 2 m units.
    widths : sequence of int
        Widths of the later layers.

    Returns
    -------
    Network
        At least 2 sum_{j < n_0} C(m - 1, j) * prod(widths) regions.

    References
    ----------
    R. Arora, A. Basu, P. Mianjy, A. Mukherjee, "Understanding Deep Neural Networks with Rectified
    Linear Units", ICLR 2018, arXiv:1611.01491.

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = zonotope_network(2, 3, [3])
    >>> lr.bounds(net.architecture)["Arora 2018"].value, int(lr.count(net)) >= 18
    (18, True)
    """
    size, m = integer("input_size", input_size, 1), integer("m", m, 1)
    # Any n_0 of the vectors (1, t, .., t**(n_0 - 1)) are independent.
    directions = [[Fraction(t - m // 2) ** j for j in range(size)] for t in range(m)]
    first = [[sign * entry for entry in row] for row in directions for sign in (1, -1)]
    name = "zonotope_network"
    tape: list[TapeLayer] = [Affine(_exact(first, name)), relu()]
    row = [Fraction(1)] * (2 * m)
    for width in shape_of("widths", widths, 1):
        # relu(w h), relu(w h - 1), ..: with weights 1, -2, 2, .. w pieces of (0, 1).
        weight = [[width * entry for entry in row]] * width
        bias = [Fraction(-t) for t in range(width)]
        tape += [Affine(_exact(weight, name), _exact(bias, name)), relu()]
        row = [Fraction(1), *(Fraction(2 * (-1) ** t) for t in range(1, width))]
    return Network(size, tape)
