# SPDX-License-Identifier: MIT
"""Lower bounds of the largest number of activation regions over all weights.

They construct weights, so they say nothing of a given network. Each is applied to the prefix of the
tape that it covers, of the best length: further layers can only cut regions.

A fully connected first layer makes any affine function of the domain's d coordinates, so that d
takes the place of n_0, and a bounded domain loses nothing: the finitely many regions of a
construction meet a ball, which a scaling of the input, absorbed in the first layer, puts into the
domain. A convolution cannot absorb every shift; see `Question.takes_any_shift`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from .._layer import AffineSpec, ConvSpec, PointwiseSpec
from .._numbers import log10
from .._one_layer.windows import binomial_sum
from ..layers import Maxout
from ..result import Bound, BoundKind, NotApplicable
from . import fully_connected as dense
from .big import LONGEST_SUM, check_length, log2_sum
from .lower_folding import folding
from .one_layer import is_exact, shared_lower
from .question import Question
from .tape import Prefix
from .upper import Found

_NO_DENSE = "needs fully connected layers at the start of the network"
_NOT_RELU = "needs activations with one breakpoint that are constant on one side (ReLU)"


def _widths(prefix: Prefix) -> list[int]:
    return [spec.n_out for spec in prefix.specs if isinstance(spec, AffineSpec)]


def _relu_length(prefix: Prefix) -> int:
    """Return how many layers of the prefix have ReLU-like activations."""
    for length, layer in enumerate(prefix.activations):
        if not isinstance(layer, PointwiseSpec) or layer.breakpoints != 1 or not layer.flat:
            return length
    return len(prefix.activations)


def _layers(length: int) -> str:
    return "the first layer" if length == 1 else f"the first {length} layers"


def _dense_formula(
    name: str,
    value: Callable[[int, list[int]], int],
    fold: Callable[[int, int], int],
    holds: Callable[[int, list[int]], bool],
    precondition: str,
    reference: str,
) -> Callable[[Question], list[Found]]:
    """Return the bound function of a formula for fully connected ReLU layers.

    The formula is a product of fold(dim, width) over all layers but the last, times the regions of
    the last one. With that, floating point tells which prefix of the layers is the best.
    """

    def bound(question: Question) -> list[Found]:
        prefix = question.prefix(AffineSpec)
        length = _relu_length(prefix)
        if not prefix.specs:
            return [NotApplicable(name, _NO_DENSE)]
        if not length:
            return [NotApplicable(name, _NOT_RELU)]
        missing = question.missing_breakpoints
        if missing is not None:
            return [NotApplicable(name, missing)]
        dim, widths = question.dim, _widths(prefix)[:length]
        _check_sums(dim, widths)
        logs, boxes = [], 0.0
        for n, width in enumerate(widths, start=1):
            if holds(dim, widths[:n]):
                logs.append((boxes + log10(max(binomial_sum(width, dim), 1)), n))
            boxes += log10(max(fold(dim, width), 1))
        if not logs:
            return [NotApplicable(name, f"precondition not met: {precondition}")]
        near = max(logs)[0] * (1 - 1e-9) - 1e-9
        best, n = max((value(dim, widths[:n]), n) for found, n in logs if found >= near)
        assumptions = (f"{_layers(n)}: fully connected, ReLU", precondition)
        return [Bound(name, "lower", "maximum", best, reference, assumptions)]

    bound.__name__ = name
    return bound


def _check_sums(dim: int, widths: list[int], breakpoints: int = 1) -> None:
    """Raise `TooLong` where a sum of binomials is too long to be taken exactly."""
    for width in widths:
        if width > dim:  # else a power
            check_length(log2_sum(width, dim, breakpoints), LONGEST_SUM)


pascanu_2013 = _dense_formula(
    "Pascanu 2013",
    dense.pascanu_2013,
    lambda dim, width: width // dim,
    lambda dim, widths: all(width >= dim for width in widths[:-1]),
    "hidden layers but the last are at least as wide as the domain's dimension",
    "Pascanu, Montufar, Bengio 2013, arXiv:1312.6098",
)
montufar_2014 = _dense_formula(
    "Montufar 2014",
    dense.montufar_2014,
    lambda dim, width: (width // dim) ** dim,
    lambda dim, widths: all(width >= dim for width in widths[:-1]),
    "hidden layers but the last are at least as wide as the domain's dimension",
    "Montufar, Pascanu, Cho, Bengio 2014, arXiv:1402.1869",
)
serra_2018_lower = _dense_formula(
    "Serra 2018 (lower)",
    dense.serra_2018_lower,
    lambda dim, width: (width // dim + 1) ** dim,
    lambda dim, widths: all(width >= 3 * dim for width in widths),
    "all hidden layers are at least 3 times as wide as the domain's dimension",
    "Serra, Tjandraatmadja, Ramalingam 2018, arXiv:1711.02114",
)


def arora_2018(question: Question) -> list[Found]:
    """Let a zonotope's support function and zigzags cut; every layer of one unit or more helps."""
    name = "Arora 2018"
    prefix = question.prefix(AffineSpec)
    widths = _widths(prefix)[: _relu_length(prefix)]
    if not prefix.specs:
        return [NotApplicable(name, _NO_DENSE)]
    if not widths:
        return [NotApplicable(name, _NOT_RELU)]
    if question.missing_breakpoints is not None:
        return [NotApplicable(name, question.missing_breakpoints)]
    precondition = "the first hidden layer has at least 2 units"
    if widths[0] < 2:
        return [NotApplicable(name, f"precondition not met: {precondition}")]
    n = next((i for i, width in enumerate(widths) if width < 1), len(widths))
    _check_sums(question.dim - 1, [widths[0] // 2 - 1])
    return [
        Bound(
            name,
            "lower",
            "maximum",
            dense.arora_2018(question.dim, widths[:n]),
            "Arora, Basu, Mianjy, Mukherjee 2018, arXiv:1611.01491; for unequal widths by the same "
            "construction",
            (f"{_layers(n)}: fully connected, ReLU", precondition),
        )
    ]


def first_dense_layer(question: Question) -> list[Found]:
    """Count the first fully connected layer alone: generic hyperplanes."""
    name = "first layer, fully connected"
    prefix = question.prefix(AffineSpec)
    if not prefix.specs:
        return [NotApplicable(name, _NO_DENSE)]
    missing = question.missing_breakpoints
    if missing is not None:
        return [NotApplicable(name, missing)]
    units, layer = _widths(prefix)[0], prefix.activations[0]
    if isinstance(layer, Maxout):
        # Parallel pieces make rank - 1 parallel hyperplanes; no weights do better.
        units, steps = units // layer.rank, layer.rank - 1
        reference = "Montufar, Ren, Zhang 2022, arXiv:2104.08135"
    else:
        assert isinstance(layer, PointwiseSpec)
        steps = layer.breakpoints
        reference = "Zaslavsky 1975; Pascanu, Montufar, Bengio 2013, Proposition 2"
    _check_sums(question.dim, [units], steps)
    value = binomial_sum(units, question.dim, steps)
    alone = prefix.complete and len(prefix.specs) == 1
    kind: BoundKind = "exact" if alone else "lower"
    assumptions = ("generic weights and biases",)
    found: list[Found] = [Bound(name, kind, "maximum", value, reference, assumptions)]
    if alone and question.whole_space and isinstance(layer, PointwiseSpec):
        law = ("weights and biases with a density, the whole input space",)
        found.append(Bound(f"{name} (average)", "exact", "average", value, reference, law))
    return found


def maxout_2014(question: Question) -> list[Found]:
    """Take k**min(n_0, m) of the first maxout layer; the published number of a deep one fails."""
    name, deep = "Montufar 2014 (maxout)", "Montufar 2014 (maxout, deep)"
    prefix = question.prefix(AffineSpec)
    if not prefix.specs or not isinstance(prefix.activations[0], Maxout):
        return [NotApplicable(name, "needs a fully connected maxout layer at the start")]
    rank = prefix.activations[0].rank
    units = _widths(prefix)[0] // rank
    _check_sums(question.dim, [rank**2 * units])
    found: list[Found] = [
        Bound(
            name,
            "lower",
            "maximum",
            dense.maxout_2014_one_layer(question.dim, units, rank)[0],
            "Montufar, Pascanu, Cho, Bengio 2014, arXiv:1402.1869, one layer",
            ("the first layer: fully connected, maxout",),
        )
    ]
    if len(prefix.specs) > 1:
        reason = (
            "k^(L-1) k^n_0 is not confirmed, and false for one input: two layers of one unit of "
            "rank 3 make at most 7 regions, not 9; see the bound 'folding'"
        )
        found.append(NotApplicable(deep, reason))
    return found


def telgarsky_lower(question: Question) -> list[Found]:
    """Compose tent maps along a line."""
    name = "Telgarsky 2015 (tent maps)"
    prefix = question.prefix(AffineSpec)
    length = _relu_length(prefix)
    if not prefix.specs:
        return [NotApplicable(name, _NO_DENSE)]
    if question.missing_breakpoints is not None:
        return [NotApplicable(name, question.missing_breakpoints)]
    widths = _widths(prefix)[:length]
    depth = next((n for n, width in enumerate(widths) if width < 2), length)
    if not depth:
        return [NotApplicable(name, "precondition not met: ReLU layers of at least two units")]
    reference = "Telgarsky 2015, arXiv:1509.08101: k-fold composition of the tent map"
    assumptions = (f"{_layers(depth)}: fully connected, ReLU, at least two units",)
    return [Bound(name, "lower", "maximum", 2**depth, reference, assumptions)]


def _first_conv(question: Question, prefix: Prefix) -> tuple[ConvSpec | None, str]:
    """Return the first convolution where its regions fit into the domain, or the reason."""
    if not prefix.specs or not isinstance(prefix.activations[0], PointwiseSpec):
        return None, "needs convolutional layers with pointwise activations at the start"
    missing = question.missing_breakpoints
    if missing is not None:
        return None, missing
    spec = prefix.specs[0]
    assert isinstance(spec, ConvSpec)
    if question.dim < question.n_inputs:
        return None, (
            f"the domain has dimension {question.dim}, less than the {question.n_inputs} inputs, "
            "and a convolution cannot turn it"
        )
    if not question.takes_any_shift(spec):
        return None, (
            "shared biases cannot shift the regions into this domain; they can into the whole "
            "space, into a box with an interior point that is constant per channel, and, with "
            "padding, into a box around zero"
        )
    return spec, ""


def first_conv_layer(question: Question) -> list[Found]:
    """Count the first convolutional layer alone, with its filters shared."""
    name = "first layer, shared filters"
    prefix = question.prefix(ConvSpec)
    spec, reason = _first_conv(question, prefix)
    if spec is None:
        return [NotApplicable(name, reason)]
    activation = prefix.activations[0]
    assert isinstance(activation, PointwiseSpec)
    shape, k = prefix.shapes[0], activation.breakpoints
    value, how = shared_lower(shape, spec, k)
    alone = prefix.complete and len(prefix.specs) == 1
    sure = is_exact(shape, spec) and "bracket" not in how
    reference = "independent sets of neurons with generic shared filters and biases"
    kind: BoundKind = "exact" if alone and sure else "lower"
    found: list[Found] = [Bound(name, kind, "maximum", value, reference, (how,))]
    if alone and question.whole_space:
        law = "weights and biases with a density, the whole input space"
        found.append(Bound(f"{name} (average)", kind, "average", value, reference, (how, law)))
    return found


def theorem_5_lower(question: Question) -> list[Found]:
    """Fold the input by all layers but the last.

    Layer l < L spends floor(d_l / d_0) filters on each of d_0 channels: at every position they
    fold one input entry of the window, different for different positions, into the
    interval (0, 1), that many times. So the last layer sees a picture with d_0 channels, all of
    (0, 1)^n of it, on each of prod floor(d_l / d_0)^(n_l d_0) boxes. Its regions fit into the
    cube because without padding a shift by a constant is absorbed in the biases.
    """
    name = "Xiong 2020, Theorem 5 (lower)"
    prefix = question.prefix(ConvSpec)
    first, reason = _first_conv(question, prefix)
    if first is None:
        return [NotApplicable(name, reason)]
    specs = [spec for spec in prefix.specs if isinstance(spec, ConvSpec)][: _relu_length(prefix)]
    if len(specs) < 2:
        return [
            NotApplicable(name, "needs two or more convolutional layers with ReLU at the start")
        ]
    channels = prefix.shapes[0][0]
    best, n, how = 0, 0, ""
    reach = next(
        (n for n in range(2, len(specs) + 1) if _theorem_5_reason(prefix, specs[:n]) is not None),
        len(specs) + 1,
    )
    # Longest first; a prefix is left out if even all patterns of its last layer are too few.
    for length in range(reach - 1, 1, -1):
        last = specs[length - 1]
        picture = (channels, *prefix.shapes[length - 1][1:])
        folds = prod(
            (spec.filters // channels) ** (prod(shape[1:]) * channels)
            for spec, shape in zip(specs[: length - 1], prefix.shapes[1:length], strict=True)
        )
        if folds.bit_length() + prod(last.output_shape(picture)) > best.bit_length():
            regions, source = shared_lower(picture, last, 1)
            if folds * regions > best:
                best, n, how = folds * regions, length, source
    if not best:
        return [NotApplicable(name, str(_theorem_5_reason(prefix, specs[:2])))]
    return [
        Bound(
            name,
            "lower",
            "maximum",
            best,
            "Xiong et al. 2020, Theorem 5 (arXiv:2006.00978), with the true number of the last "
            "layer or a lower bound of it",
            (f"{_layers(n)}: convolutions, no padding, ReLU, d_l >= d_0", f"last layer: {how}"),
        )
    ]


def _theorem_5_reason(prefix: Prefix, specs: list[ConvSpec]) -> str | None:
    channels = prefix.shapes[0][0]
    for position, spec in enumerate(specs):
        padding = spec.geometry(len(prefix.shapes[position]) - 1)[2]
        if any(before or after for before, after in padding):
            return f"convolution {position} has padding"
        if spec.groups > 1:
            return f"convolution {position} has groups"
        if position + 1 < len(specs) and spec.filters < channels:
            return (
                f"precondition d_l >= d_0 not met: convolution {position} has {spec.filters} "
                f"filters, the input {channels} channels"
            )
    return None


ALL: tuple[Callable[[Question], list[Found]], ...] = (
    first_dense_layer,
    pascanu_2013,
    montufar_2014,
    serra_2018_lower,
    arora_2018,
    telgarsky_lower,
    maxout_2014,
    first_conv_layer,
    theorem_5_lower,
    folding,
)
