# SPDX-License-Identifier: MIT
"""Upper bounds of the number of activation regions; `tape` has the common proof."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from math import comb, prod

from .._geometry import Shape
from .._layer import ConvSpec, PointwiseSpec
from ..result import Bound, BoundKind, NotApplicable, Of
from .activity import few_inactive, gains, hinz_2021
from .activity import serra as serra_table
from .big import EXACT_BITS, LONGEST_SUM, binomial_sum_up, check_length, log2_sum, product
from .big import is_exact as sum_is_exact
from .fully_connected import maxout_2014_one_layer, telgarsky_upper
from .histogram import Few, Link, chain_bound, ranks_in_reach
from .one_layer import formula, formula_above, formula_up_to, in_reach, is_exact
from .question import Question
from .tape import Stage
from .windows import in_reach as windows_in_reach
from .windows import maxout_pieces, pooling_pieces, winners_are_exact

Found = Bound | NotApplicable

THEOREM_2 = "Xiong 2020, Theorem 2"
_OUT_OF_REACH = "the formula of the first layer is out of reach: too many positions overlap"
_ANY = "any layers, residual links and padding included"


def trivial(question: Question) -> list[Found]:
    """Count all combinations of pieces."""
    check_length(sum(stage.trivial_bits for stage in question.stages))
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
    value = product(
        binomial_sum_up(stage.units, stage.rank, stage.breakpoints) for stage in question.stages
    )
    return [
        Bound(
            name,
            "upper",
            "maximum",
            value,
            "Montufar 2017, Notes on the number of linear regions of deep neural networks; "
            "for other tapes and k breakpoints by the same argument, cell by cell",
            ("pointwise activations", _ANY, *_rounding(question)),
        )
    ]


def _rounding(question: Question) -> tuple[str, ...]:
    """Say where a sum of binomials is too long to be computed to the last digit."""
    sums = [stage for stage in question.stages if not stage.windows]
    tables = (stage for stage in sums if stage.flat and gains(stage.rank, stage.units))
    if all(stage.units <= EXACT_BITS for stage in tables) and all(
        sum_is_exact(stage.units, stage.rank, stage.breakpoints) for stage in sums
    ):
        return ()
    return ("sums of binomials of more than 20,000 digits are rounded up",)


def _follow(question: Question, name: str, reference: str, few: Few) -> list[Found]:
    """Give a bound that follows the ranks through a chain of ReLU layers."""
    if not question.chain:
        return [NotApplicable(name, "needs a chain of layers, without residual links or joins")]
    if not all(stage.flat for stage in question.stages):
        return [
            NotApplicable(
                name, "needs activations with one breakpoint that are constant on one side (ReLU)"
            )
        ]
    links = [
        Link(stage.units, partial(binomial_sum_up, stage.units), True, stage.rank)
        for stage in question.stages
    ]
    assumptions = ["a chain of affine layers and ReLU", *_rounding(question)]
    if not ranks_in_reach(question.dim, links):
        assumptions.append("too many ranks to follow: they are rounded up to one of 16 values")
    value = chain_bound(question.dim, links, few)
    return [Bound(name, "upper", "maximum", value, reference, tuple(assumptions))]


def serra_2018(question: Question) -> list[Found]:
    """Use that inactive units lower the rank behind them."""
    reference = "Serra, Tjandraatmadja, Ramalingam 2018, Theorem 1 (arXiv:1711.02114)"
    return _follow(question, "Serra 2018", reference, serra_table)


def hinz(question: Question) -> list[Found]:
    """Use the sharper histograms for one and two dimensions."""
    reference = (
        "Hinz, van de Geer 2019 (framework); Hinz 2021, tables gamma_{n,m} for n <= 2, of which "
        "all entries that matter after clipping are proved in the manual"
    )
    return _follow(question, "Hinz 2021", reference, hinz_2021)


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
            few_inactive,
        )
    else:
        value = product(
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
            (_ANY, *_rounding(question)),
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
            if stage.pool and windows_in_reach(*stage.pool):
                value = min(value, pooling_pieces(*stage.pool))
            return value
        value = binomial_sum_up(stage.units, rank, stage.breakpoints)
        if stage.conv is not None and in_reach(*stage.conv):
            # The formula cut at the rank is the smaller one, where it is in reach.
            other = formula_up_to(*stage.conv, stage.breakpoints, rank)
            if other is None:
                other = formula(*stage.conv, stage.breakpoints)
            if other is None:
                other = formula_above(*stage.conv, stage.breakpoints)
            value = min(value, other)
        return value

    return lru_cache(maxsize=None)(total)


def hall_truncated(question: Question) -> list[Found]:
    """Multiply over layers the Hall-independent sets of at most as many neurons as the rank."""
    name = "Hall-truncated"
    if any(stage.windows for stage in question.stages):
        return [NotApplicable(name, "covers pointwise activations only, not pooling or maxout")]
    if all(stage.conv is None for stage in question.stages):
        return [NotApplicable(name, "needs a convolution before some activation")]
    totals = [_best_total(stage)(stage.rank) for stage in question.stages]
    return [
        Bound(
            name,
            "upper",
            "maximum",
            product(totals),
            "Theorem 5 of Xiong et al. 2020 with the kernels of all layers used; proof in the "
            "manual. A layer whose sets are out of reach counts by its rows of windows, or as "
            "fully connected",
            ("pointwise activations", _ANY, *_rounding(question)),
        )
    ]


def goujon_2024(question: Question) -> list[Found]:
    """Give every unit the largest number of pieces, and multiply over layers."""
    kappa = max(
        max((size for size, _ in stage.windows), default=stage.breakpoints + 1)
        for stage in question.stages
    )
    value = product(
        binomial_sum_up(stage.units, stage.rank, kappa - 1) for stage in question.stages
    )
    return [
        Bound(
            "Goujon 2024",
            "upper",
            "maximum",
            value,
            "Goujon, Etemadi, Unser 2024, On the number of regions of piecewise linear neural "
            "networks; units of at most kappa pieces, proof in the manual",
            (f"kappa = {kappa} pieces per unit", _ANY),
        )
    ]


_WINDOWS_ONLY = "covers maxout and max pooling only, not pointwise activations"


def montufar_ren_zhang(question: Question) -> list[Found]:
    """Multiply the sharp bound of one maxout layer over layers."""
    name = "Montufar-Ren-Zhang 2022"
    if not all(stage.windows for stage in question.stages):
        return [NotApplicable(name, _WINDOWS_ONLY)]
    return [
        Bound(
            name,
            "upper",
            "maximum",
            product(maxout_pieces(stage.windows, stage.rank) for stage in question.stages),
            "Montufar, Ren, Zhang 2022, Sharp bounds for the number of regions of maxout networks; "
            "over layers cell by cell, proof in the manual",
            ("maxout units or pooling windows only", _ANY),
        )
    ]


def serra_maxout(question: Question) -> list[Found]:
    """Let every pair of pieces of a maxout unit make a hyperplane of its own."""
    name = "Serra 2018 (maxout)"
    if not all(stage.windows for stage in question.stages):
        return [NotApplicable(name, _WINDOWS_ONLY)]
    value = product(
        binomial_sum_up(
            sum(comb(size, 2) * times for size, times in stage.windows),
            min(stage.rank, stage.units),
        )
        for stage in question.stages
    )
    reference = (
        "Serra, Tjandraatmadja, Ramalingam 2018; never below Montufar, Ren, Zhang 2022, whence it "
        "follows"
    )
    assumptions = ("maxout units or pooling windows only", _ANY)
    return [Bound(name, "upper", "maximum", value, reference, assumptions)]


def montufar_maxout(question: Question) -> list[Found]:
    """Bound one maxout layer by all pairs of pieces, or by all combinations."""
    name = "Montufar 2014 (maxout, upper)"
    if len(question.stages) != 1 or len(question.stages[0].windows) != 1:
        return [NotApplicable(name, "needs a single layer of maxout units of one rank")]
    (stage,) = question.stages
    ((size, units),) = stage.windows
    check_length(log2_sum(size**2 * units, stage.rank), LONGEST_SUM)
    _, value = maxout_2014_one_layer(stage.rank, units, size)
    reference = "Montufar, Pascanu, Cho, Bengio 2014, arXiv:1402.1869; follows from the sharp bound"
    return [Bound(name, "upper", "maximum", value, reference, ("one maxout layer",))]


def pooling_winners(question: Question) -> list[Found]:
    """Count the choices of winners of a max pooling without a directed cycle."""
    name = "max pooling, consistent winners"
    pools = [stage for stage in question.stages if stage.pool is not None]
    if len(question.stages) != 1 or not pools:
        return [NotApplicable(name, "needs a single activation layer, a max pooling")]
    (stage,) = pools
    assert stage.pool is not None
    value = pooling_pieces(*stage.pool)
    free = question.architecture.layers[stage.position].inputs(stage.position) == (0,)
    sure = free and question.whole_space and winners_are_exact(*stage.pool)
    kind: BoundKind = "exact" if sure else "upper"
    reference = "vertices of Minkowski sums of simplices: Escobar et al. 2022; proof in the manual"
    doubt = "an upper bound: the winners of chunks of windows are counted apart, or inputs depend"
    assumptions = ("the windows read the free inputs of the network",) if sure else (doubt,)
    of: Of = "maximum" if question.network is None or not sure else "network"
    return [Bound(name, kind, of, value, reference, assumptions)]


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
    others = product(binomial_sum_up(stage.units, question.dim) for stage in question.stages[1:])
    return [
        Bound(
            name,
            "upper",
            "maximum",
            product((first, others)),
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
    goujon_2024,
    serra_2018,
    hinz,
    montufar_ren_zhang,
    serra_maxout,
    montufar_maxout,
    pooling_winners,
    telgarsky,
    theorem_2,
    theorem_5_upper,
    hall_truncated,
    layer_by_layer,
)
