# SPDX-License-Identifier: MIT
"""What the bounds read off an architecture: activation layers, ranks, prefixes.

Cells. Let D be a convex domain of dimension d. Take the activation layers in the order of the tape.
By induction each cell of the layers before layer l is convex and open in D, and every slot up to
the input of layer l is an affine function on it: affine layers, sums and joins of affine functions
are affine, and behind an activation each entry is, on the cell, one fixed piece of its input.
Layer l cuts the cell, along hyperplanes where its own inputs cross a breakpoint or two entries of
a window are equal, into cells of the next layer. So a product of bounds on the number of pieces
per cell bounds the number of activation regions, for any tape: residual links, joins, pooling and
padding included. Distinct regions have distinct patterns; a cell of a convex set that a set of
hyperplanes cuts is determined by its signs, so pieces of a cell and patterns agree.

Rank. On a cell let the rank of a slot be the rank of the linear part of its affine map, as a
function on D. It is at most d, at most the number of entries, at most the sum of the ranks of
the slots that the layer reads (an affine layer, a sum, a join, a selection of entries or a scaling
of entries is a linear map of what it reads), and at most the rank of any slot through which every
path from the input passes, because its map factors through that slot.

Pieces. If the inputs of layer l have rank r on the cell, they are affine functions of r linear
functions, and the hyperplanes live in dimension r. By Whitney's theorem the number of chambers of
an arrangement is at most the number of its sets of hyperplanes with linearly independent normals:
no-broken-circuit sets are independent. Parallel hyperplanes of one unit are never together in
such a set, so m units with k breakpoints make at most sum_{j <= r} C(m, j) k**j pieces. Fewer
chambers meet a convex cell than there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2, prod

from .._geometry import Shape
from .._layer import AffineSpec, ConvSpec, Layer, PointwiseSpec, ScaleSpec
from .._pools import window_sizes as pool_window_sizes
from ..architecture import Architecture
from ..layers import Flatten, Maxout, MaxPool
from .big import log2_sum


@dataclass(frozen=True)
class Stage:
    """An activation layer.

    Parameters
    ----------
    position : int
        Index of the layer in the tape.
    units : int
        Entries of a pointwise activation, windows of pooling or maxout.
    breakpoints : int
        Breakpoints of every unit; 0 for windows.
    flat : bool
        Whether every unit has one breakpoint and is constant on one side.
    windows : tuple of (int, int)
        For pooling and maxout: (entries of a window, number of such windows).
    rank : int
        Bound on the rank of the layer's input on a cell.
    conv : tuple of (shape, ConvSpec), or None
        Where the input is the output of a convolution (perhaps scaled per channel): what it reads.
    pool : tuple of (shape, MaxPool), or None
        Where the layer is a max pooling: what it reads.
    """

    position: int
    units: int
    breakpoints: int
    flat: bool
    windows: tuple[tuple[int, int], ...]
    rank: int
    conv: tuple[Shape, ConvSpec] | None = None
    pool: tuple[Shape, MaxPool] | None = None

    @property
    def trivial_bits(self) -> float:
        """Return log2 of `trivial`."""
        if self.windows:
            return sum(times * log2(size) for size, times in self.windows)
        return self.units * log2(self.breakpoints + 1)

    @property
    def bits(self) -> float:
        """Return log2 about of the bound on the pieces of a cell by the rank."""
        pieces = max((size for size, _ in self.windows), default=self.breakpoints + 1)
        return log2_sum(self.units, self.rank, pieces - 1)

    @property
    def trivial(self) -> int:
        """Return the number of combinations of pieces."""
        if self.windows:
            return prod(size**times for size, times in self.windows)
        return int((self.breakpoints + 1) ** self.units)


def slot_ranks(architecture: Architecture, dim: int) -> list[int]:
    """Return a bound on the rank of every slot on a cell (see the head of this module).

    Parameters
    ----------
    architecture : Architecture
        The tape.
    dim : int
        Dimension of the domain.

    Returns
    -------
    list of int
    """
    own = [min(dim, prod(architecture.shapes[0]))]
    # through[s]: slots that every path from the input to s passes.
    through: list[frozenset[int]] = [frozenset({0})]
    ranks = own.copy()
    for position, layer in enumerate(architecture.layers):
        reads = layer.inputs(position)
        size = prod(architecture.shapes[position + 1])
        own.append(min(dim, size, sum(ranks[slot] for slot in set(reads))))
        common = frozenset.intersection(*(through[slot] for slot in reads))
        through.append(common | {position + 1})
        ranks.append(min(own[slot] for slot in through[-1]))
    return ranks


def read_stages(architecture: Architecture, dim: int) -> list[Stage]:
    """Return the activation layers that can cut a cell, in order.

    Parameters
    ----------
    architecture : Architecture
        The tape.
    dim : int
        Dimension of the domain.

    Returns
    -------
    list of Stage
    """
    ranks = slot_ranks(architecture, dim)
    stages = []
    for position, layer in enumerate(architecture.layers):
        (shape, *_) = architecture.input_shapes(position)
        slot = layer.inputs(position)[0]
        if isinstance(layer, PointwiseSpec) and layer.breakpoints:
            stages.append(
                Stage(
                    position,
                    prod(shape),
                    layer.breakpoints,
                    layer.breakpoints == 1 and layer.flat >= 1,
                    (),
                    ranks[slot],
                    conv=_conv_before(architecture, slot),
                )
            )
        elif isinstance(layer, MaxPool | Maxout):
            windows = window_sizes(layer, shape)
            units = sum(times for _, times in windows)
            if units:
                pool = (shape, layer) if isinstance(layer, MaxPool) else None
                stages.append(Stage(position, units, 0, False, windows, ranks[slot], pool=pool))
    return stages


def window_sizes(layer: MaxPool | Maxout, shape: Shape) -> tuple[tuple[int, int], ...]:
    """Return how many windows of more than one entry there are, by number of entries.

    Parameters
    ----------
    layer : MaxPool or Maxout
        The layer; padding is no entry.
    shape : tuple of int
        Shape of its input.

    Returns
    -------
    tuple of (entries, windows)
    """
    if isinstance(layer, Maxout):
        units = prod(layer.output_shape(shape))
        return ((layer.rank, units),) if layer.rank > 1 else ()
    counts = pool_window_sizes(layer, shape)
    return tuple((size, times * shape[0]) for size, times in sorted(counts.items()) if size > 1)


def _conv_before(architecture: Architecture, slot: int) -> tuple[Shape, ConvSpec] | None:
    while slot:
        position = slot - 1
        layer = architecture.layers[position]
        if isinstance(layer, ConvSpec):
            return architecture.input_shapes(position)[0], layer
        # A factor per channel keeps the support of every entry, or makes it empty.
        if not isinstance(layer, ScaleSpec):
            return None
        slot = layer.inputs(position)[0]
    return None


def is_chain(architecture: Architecture) -> bool:
    """Tell whether every layer reads the one before it, and nothing else.

    Parameters
    ----------
    architecture : Architecture
        The tape.

    Returns
    -------
    bool
    """
    return all(
        layer.inputs(position) == (position,) for position, layer in enumerate(architecture.layers)
    )


@dataclass(frozen=True)
class Prefix:
    """The first layers of a tape, as far as they follow one scheme.

    Parameters
    ----------
    specs : tuple of Layer
        The affine layers (AffineSpec or ConvSpec).
    shapes : tuple of tuple of int
        What each of them reads.
    activations : tuple of Layer
        The activation behind each of them (PointwiseSpec or Maxout).
    complete : bool
        Whether no other activation layer follows.
    """

    specs: tuple[Layer, ...]
    shapes: tuple[Shape, ...]
    activations: tuple[Layer, ...]
    complete: bool


def read_prefix(architecture: Architecture, kind: type[Layer]) -> Prefix:
    """Return the longest prefix of affine layers of one kind with an activation behind each.

    A network whose tape starts with this prefix has at least as many activation regions as the
    prefix: further layers only cut regions.

    Parameters
    ----------
    architecture : Architecture
        The tape.
    kind : type
        AffineSpec or ConvSpec. `Flatten` may stand before an AffineSpec, `Scale` behind either.

    Returns
    -------
    Prefix
    """
    specs: list[Layer] = []
    shapes: list[Shape] = []
    activations: list[Layer] = []
    end = 0
    for position, layer in enumerate(architecture.layers):
        if layer.inputs(position) != (position,):
            break
        waiting = len(specs) > len(activations)
        if isinstance(layer, kind) and not waiting:
            specs.append(layer)
            shapes.append(architecture.shapes[position])
        elif isinstance(layer, PointwiseSpec | Maxout) and _cuts(layer) and waiting:
            activations.append(layer)
            end = position + 1
        elif not (isinstance(layer, ScaleSpec) and waiting) and not (
            isinstance(layer, Flatten) and kind is AffineSpec and not waiting
        ):
            break
    n = len(activations)
    rest = architecture.layers[end:]
    complete = not any(_cuts(layer) for layer in rest)
    return Prefix(tuple(specs[:n]), tuple(shapes[:n]), tuple(activations), complete)


def _cuts(layer: Layer) -> bool:
    if isinstance(layer, PointwiseSpec):
        return layer.breakpoints > 0
    return isinstance(layer, MaxPool) or (isinstance(layer, Maxout) and layer.rank > 1)
