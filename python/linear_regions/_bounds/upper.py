# SPDX-License-Identifier: MIT
"""Upper bounds of the number of activation regions; `tape` has the common proof."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import prod

from .._geometry import Shape
from .._layer import ConvSpec, PointwiseSpec
from .._one_layer.windows import binomial_sum
from ..result import Bound, BoundKind, NotApplicable
from .fully_connected import telgarsky_upper
from .histogram import Link, chain_bound, ranks_in_reach
from .one_layer import formula, formula_up_to, is_exact
from .question import Question
from .tape import Stage
from .windows import maxout_pieces, pooling_pieces

Found = Bound | NotApplicable

THEOREM_2 = "Xiong 2020, Theorem 2"
_OUT_OF_REACH = "the formula of the first layer is out of reach: too many positions overlap"
_ANY = "any layers, residual links and padding included"


def trivial(question: Question) -> list[Found]:
    """Count all combinations of pieces."""
    value = prod(stage.trivial for stage in question.stages)
    return [
        Bound(
            "trivial",
            "upper",
            "maximum",
            value,
            "Montufar, Pascanu, Cho, Bengio 2014; Xiong et al. 2020, Lemma 2",
            (_ANY,),
        )
    ]


def montufar_2017(question: Question) -> list[Found]:
    """Multiply over layers the chambers in the dimension that is left."""
    name = "Montufar 2017"
    if any(stage.windows for stage in question.stages):
        return [NotApplicable(name, "covers pointwise activations only, not pooling or maxout")]
    value = prod(
        binomial_sum(stage.units, stage.rank, stage.breakpoints) for stage in question.stages
    )
    return [
        Bound(
            name,
            "upper",
            "maximum",
            value,
            "Montufar 2017, Notes on the number of linear regions of deep neural networks; "
            "for other tapes and k breakpoints by the same argument, cell by cell",
            ("pointwise activations", _ANY),
        )
    ]


def serra_2018(question: Question) -> list[Found]:
    """Use that inactive units lower the rank behind them."""
    name = "Serra 2018"
    if not question.chain:
        return [NotApplicable(name, "needs a chain of layers, without residual links or joins")]
    if not all(stage.flat for stage in question.stages):
        return [
            NotApplicable(
                name, "needs activations with one breakpoint that are constant on one side (ReLU)"
            )
        ]
    links = [
        Link(stage.units, _binomial_total(stage.units), True, stage.rank)
        for stage in question.stages
    ]
    if not ranks_in_reach(question.dim, links):
        return [NotApplicable(name, "following every rank through layers this wide takes too long")]
    return [
        Bound(
            name,
            "upper",
            "maximum",
            chain_bound(question.dim, links),
            "Serra, Tjandraatmadja, Ramalingam 2018, Theorem 1",
            ("a chain of affine layers and ReLU",),
        )
    ]


def _binomial_total(units: int) -> Callable[[int], int]:
    return lru_cache(maxsize=None)(lambda rank: binomial_sum(units, rank))


def layer_by_layer(question: Question) -> list[Found]:
    """Use the best bound per layer: kernels, pooling windows and inactive units all count."""
    totals = [_best_total(stage) for stage in question.stages]
    if question.chain:
        value = chain_bound(
            question.dim,
            [
                Link(stage.units, total, stage.flat, stage.rank)
                for stage, total in zip(question.stages, totals, strict=True)
            ],
        )
    else:
        value = prod(
            total(stage.rank) for stage, total in zip(question.stages, totals, strict=True)
        )
    return [
        Bound(
            "layer by layer",
            "upper",
            "maximum",
            value,
            "product over layers of the pieces of a cell: Hall-independent sets of neurons "
            "(convolution), Montufar, Ren, Zhang 2022 and consistent winners (windows), the rank "
            "followed as in Serra et al. 2018 where the layers form a chain; proof in the manual",
            (_ANY,),
        )
    ]


def _best_total(stage: Stage) -> Callable[[int], int]:
    """Return a bound on the pieces of a cell on which the layer's input has a given rank.

    It does not decrease with the rank: each of the numbers whose minimum is taken either grows
    with the rank or is the same for all.
    """

    def total(rank: int) -> int:
        if stage.windows:
            value = maxout_pieces(stage.windows, rank)
            return min(value, pooling_pieces(*stage.pool)) if stage.pool else value
        value = binomial_sum(stage.units, rank, stage.breakpoints)
        if stage.conv is not None:
            # The formula cut at the rank is the smaller one, where it is in reach.
            other = formula_up_to(*stage.conv, stage.breakpoints, rank)
            if other is None:
                other = formula(*stage.conv, stage.breakpoints)
            value = value if other is None else min(value, other)
        return value

    return lru_cache(maxsize=None)(total)


def montufar_ren_zhang(question: Question) -> list[Found]:
    """Multiply the sharp bound of one maxout layer over layers."""
    name = "Montufar-Ren-Zhang 2022"
    if not all(stage.windows for stage in question.stages):
        return [
            NotApplicable(name, "covers maxout and max pooling only, not pointwise activations")
        ]
    return [
        Bound(
            name,
            "upper",
            "maximum",
            prod(maxout_pieces(stage.windows, stage.rank) for stage in question.stages),
            "Montufar, Ren, Zhang 2022, Sharp bounds for the number of regions of maxout networks; "
            "over layers cell by cell",
            ("maxout units or pooling windows only", _ANY),
        )
    ]


def telgarsky(question: Question) -> list[Found]:
    """Count pieces on a line."""
    name = "Telgarsky 2015"
    if question.dim != 1:
        return [NotApplicable(name, f"needs a domain of dimension 1, got {question.dim}")]
    if any(stage.windows for stage in question.stages):
        return [NotApplicable(name, "covers pointwise activations only, not pooling or maxout")]
    return [
        Bound(
            name,
            "upper",
            "maximum",
            prod(telgarsky_upper([s.units], s.breakpoints + 1) for s in question.stages),
            "Telgarsky 2015, Representation benefits of deep feedforward networks; each factor "
            "t m is at least the 1 + m (t - 1) pieces of a cell",
            ("one input dimension", "pointwise activations"),
        )
    ]


def theorem_5_upper(question: Question) -> list[Found]:
    """Multiply the formula of the first layer by fully connected counts of the others."""
    name = "Xiong 2020, Theorem 5 (upper)"
    prefix = question.prefix(ConvSpec)
    if not prefix.specs or not prefix.complete:
        return [NotApplicable(name, "needs convolutional layers with pointwise activations only")]
    if any(
        not isinstance(layer, PointwiseSpec) or layer.breakpoints != 1
        for layer in prefix.activations
    ):
        return [NotApplicable(name, "is stated for activations with one breakpoint")]
    spec = prefix.specs[0]
    assert isinstance(spec, ConvSpec)
    first = formula_up_to(prefix.shapes[0], spec, 1, question.dim)
    if first is None:
        return [NotApplicable(name, _OUT_OF_REACH)]
    others = prod(binomial_sum(stage.units, question.dim) for stage in question.stages[1:])
    return [
        Bound(
            name,
            "upper",
            "maximum",
            first * others,
            "Xiong et al. 2020, Theorem 5 (arXiv:2006.00978)",
            ("convolutions with one breakpoint per neuron; no pooling, no hidden dense layers",),
        )
    ]


def theorem_2(question: Question) -> list[Found]:
    """Give the published number of one convolutional layer."""
    prefix = question.prefix(ConvSpec)
    if not prefix.specs or not prefix.complete or len(question.stages) != 1:
        return [NotApplicable(THEOREM_2, "needs a single convolutional layer with an activation")]
    (stage,) = question.stages
    if stage.windows:
        return [NotApplicable(THEOREM_2, "covers pointwise activations only, not maxout")]
    spec, shape = prefix.specs[0], prefix.shapes[0]
    assert isinstance(spec, ConvSpec)
    value = formula_up_to(shape, spec, stage.breakpoints, question.dim)
    if value is None:
        return [NotApplicable(THEOREM_2, _OUT_OF_REACH)]
    doubt = _theorem_2_doubt(question, shape, spec)
    reference = "Xiong et al. 2020, Theorem 2 (arXiv:2006.00978); one factor k per chosen neuron"
    assumptions = (doubt or "the filters are generic enough: the formula is the maximum",)
    kind: BoundKind = "upper" if doubt else "exact"
    found: list[Found] = [Bound(THEOREM_2, kind, "maximum", value, reference, assumptions)]
    name = f"{THEOREM_2} (average)"
    if question.whole_space:
        law = "weights and biases with a density, the whole input space"
        found.append(Bound(name, kind, "average", value, reference, (*assumptions, law)))
    else:
        found.append(NotApplicable(name, "the average is known for the whole input space only"))
    return found


def _theorem_2_doubt(question: Question, shape: Shape, spec: ConvSpec) -> str | None:
    """Return why the formula may exceed the maximum, or None."""
    if not is_exact(shape, spec):
        return "with shared filters in two or three axes the formula can exceed the maximum"
    if question.dim < question.n_inputs:
        return f"sets of at most {question.dim} neurons, the dimension of the domain"
    if not question.takes_any_shift(spec):
        return "shared biases may not be able to shift all regions into the domain"
    return question.missing_breakpoints


ALL: tuple[Callable[[Question], list[Found]], ...] = (
    trivial,
    montufar_2017,
    serra_2018,
    montufar_ren_zhang,
    telgarsky,
    theorem_2,
    theorem_5_upper,
    layer_by_layer,
)
