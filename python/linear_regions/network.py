# SPDX-License-Identifier: MIT
"""A network: a tape of layers with their weights, checked once and then immutable."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from math import prod
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ._geometry import Shape
from ._layer import Layer
from ._value import FloatArray, Value, float_array, host_points
from .architecture import Architecture, as_input_shape, as_tape, summary_table, wire
from .errors import InvalidInput

if TYPE_CHECKING:
    from ._arrangement import Arrangement

__all__ = ["Network"]

_WEIGHTLESS = ("AffineSpec", "ConvSpec", "PointwiseSpec", "ScaleSpec")


def check_network(net: object, others: str = "") -> None:
    """Raise `TypeError` unless `net` is a network; `others` names what else is taken."""
    if isinstance(net, Architecture):
        raise TypeError(
            f"net must be a Network{others}, got an Architecture, which has no weights; bounds "
            "takes it, and expected counts it with random weights"
        )
    if not isinstance(net, Network):
        raise TypeError(
            f"net must be a Network{others}, got {type(net).__name__}; lr.load(...) makes one of a "
            "file, a torch.nn.Module or a list of (W, b)"
        )


class Network(Value):
    """A piecewise linear network with its weights.

    The object is what every certified answer is about: its float64 numbers are taken as exact.

    Parameters
    ----------
    input_shape : int or tuple of int
        Channels first, without a batch axis: (n,), (c, n), (c, h, w) or (c, d, h, w).
    layers : iterable of Layer
        The tape. Slot 0 is the input, slot i the output of layer i - 1; the last slot is the
        output. Without any activation the network is one affine map.
    notes : iterable of str, optional
        What an importer did that the user should know (roundings, layers that were cut).

    Attributes
    ----------
    input_shape : tuple of int
    layers : tuple of Layer
    shapes : tuple of tuple of int
        Shape of every slot.
    notes : tuple of str
        They do not take part in comparisons.

    Raises
    ------
    TypeError
        If something is no layer, or a layer without weights (a spec).
    InvalidInput
        If the shapes do not fit; the message numbers the layer.

    Examples
    --------
    >>> from linear_regions.layers import Affine, relu
    >>> net = Network(2, [Affine([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), relu()])
    >>> net
    Network((2,) -> (3,), 2 layers, 3 units, 9 parameters)
    """

    __slots__ = (
        "_hash",
        "_layout",
        "_passes",
        "_program",
        "input_shape",
        "layers",
        "notes",
        "shapes",
    )
    input_shape: Shape
    layers: tuple[Layer, ...]
    shapes: tuple[Shape, ...]
    notes: tuple[str, ...]
    _passes: dict[str, object]
    _program: object
    _hash: int | None
    _layout: tuple[tuple[int, int, int], ...] | None
    _fields = ("input_shape", "layers", "notes")

    def __init__(
        self,
        input_shape: int | Sequence[int],
        layers: Iterable[Layer],
        notes: Iterable[str] = (),
    ) -> None:
        tape = as_tape(layers)
        if isinstance(notes, str):
            raise TypeError(f"notes must be an iterable of strings, got {notes!r}")
        shape = as_input_shape(input_shape)
        self._set(input_shape=shape, layers=tape, shapes=wire(shape, tape), notes=tuple(notes))
        for position, layer in enumerate(tape):
            if type(layer).__name__ in _WEIGHTLESS:
                raise TypeError(
                    f"layer {position}: {layer!r} has no weights; a Network needs them, an "
                    "Architecture does not"
                )
        self._set(_program=None, _passes={}, _hash=None, _layout=None)

    def _restore_state(self, state: tuple[object, ...]) -> None:
        super()._restore_state(state)
        self._set(
            shapes=wire(self.input_shape, self.layers),
            _program=None,
            _passes={},
            _hash=None,
            _layout=None,
        )

    @property
    def output_shape(self) -> Shape:
        """Shape of the output."""
        return self.shapes[-1]

    @property
    def input_size(self) -> int:
        """Number of input entries."""
        return prod(self.input_shape)

    @property
    def architecture(self) -> Architecture:
        """The shapes without the weights."""
        return Architecture(self.input_shape, self.layers)

    def input_shapes(self, position: int) -> tuple[Shape, ...]:
        """Return the shapes that layer number `position` reads, the current input first.

        Parameters
        ----------
        position : int
            Index of the layer in the tape, from 0.

        Returns
        -------
        tuple of tuple of int

        Examples
        --------
        >>> from linear_regions.layers import Add, relu
        >>> Network(2, [relu(), Add(0)]).input_shapes(1)
        ((2,), (2,))
        """
        return tuple(self.shapes[slot] for slot in self.layers[position].inputs(position))

    @property
    def n_units(self) -> int:
        """Number of hidden units: entries of activations, windows of max pooling and maxout."""
        return sum(layer.n_units(*self.input_shapes(i)) for i, layer in enumerate(self.layers))

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases."""
        return sum(layer.n_parameters(*self.input_shapes(i)) for i, layer in enumerate(self.layers))

    @property
    def pattern_layout(self) -> tuple[tuple[int, int, int], ...]:
        """Where each activation layer's bits lie in a pattern.

        One (layer index, first bit, number of bits) per activation layer, in the order of the
        tape. Within a layer, units come in row-major order; a unit with k breakpoints has k bits,
        bit j = (z > breakpoint j); a window of q places has ceil(log2 q) bits, the winner's place
        in binary, least significant bit first.
        """
        if self._layout is None:
            layout, first = [], 0
            for i, layer in enumerate(self.layers):
                bits = layer.pattern_bits(*self.input_shapes(i))
                if bits:
                    layout.append((i, first, bits))
                    first += bits
            self._set(_layout=tuple(layout))
        assert self._layout is not None
        return self._layout

    @property
    def pattern_bits(self) -> int:
        """Number of bits of an activation pattern."""
        return sum(bits for _, _, bits in self.pattern_layout)

    def summary(self) -> str:
        """Return a table of the layers, one line each.

        Examples
        --------
        >>> from linear_regions.layers import Affine, relu
        >>> print(Network(2, [Affine([[1.0, 2.0]]), relu()]).summary())
        slot  layer                          shape  parameters  units
           0  input                           (2,)           0      0
           1  Affine(1 x 2)                   (1,)           3      0
           2  Pointwise([0.0], [0.0, 1.0])    (1,)           0      1
              total                                          3      1
        """
        return summary_table(self.layers, self.shapes)

    def __call__(self, x: npt.ArrayLike) -> FloatArray:
        """Evaluate the network in float64.

        Parameters
        ----------
        x : array_like of float
            Shape (batch, *input_shape) or (batch, n) with n entries in row-major order, or
            exactly `input_shape` for one point.

        Returns
        -------
        float64 array, shape (batch, *output_shape), or output_shape for one point

        Raises
        ------
        InvalidInput
            If the shape of `x` is none of these, or it has NaN or infinity.

        Examples
        --------
        >>> from linear_regions.layers import Affine, relu
        >>> net = Network(2, [Affine([[1.0, -1.0]]), relu()])
        >>> net([[3.0, 1.0], [1.0, 3.0]]).tolist(), net([3.0, 1.0]).tolist()
        ([[2.0], [0.0]], [2.0])
        """
        points, single = self.as_points(x)
        if not np.isfinite(points).all():
            # A ReLU would take NaN for a number below zero, and give a number.
            raise InvalidInput("points must be finite, got NaN or infinity")
        from . import _forward

        out: FloatArray = _forward.forward_pass(self).values(points)
        return out.reshape(self.output_shape if single else (len(points), *self.output_shape))

    def as_points(self, x: npt.ArrayLike) -> tuple[FloatArray, bool]:
        """Return `x` as C-contiguous rows, shape (batch, n), and whether it was a single point.

        Parameters
        ----------
        x : array_like of float
            As in ``net(x)``.

        Returns
        -------
        points : float64 array, shape (batch, n)
        single : bool

        Raises
        ------
        InvalidInput
            If the shape of `x` is none of those.

        Examples
        --------
        >>> from linear_regions.layers import relu
        >>> points, single = Network((1, 2, 2), [relu()]).as_points([[[1.0, 2.0], [3.0, 4.0]]])
        >>> points.tolist(), single
        ([[1.0, 2.0, 3.0, 4.0]], True)
        """
        array = float_array("points", host_points(x), copy=False)
        return self._rows(np.ascontiguousarray(array))

    def _rows(self, array: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], bool]:
        n = self.input_size
        if array.shape == self.input_shape:
            return array.reshape(1, n), True
        if array.ndim >= 2 and array.shape[1:] in (self.input_shape, (n,)):
            return array.reshape(len(array), n), False
        shape = ", ".join(map(str, self.input_shape))
        batches = f"(batch, {shape})" + (f", (batch, {n})" if len(self.input_shape) > 1 else "")
        raise InvalidInput(
            f"points must have shape {batches} or {self.input_shape} for one point, got "
            f"{array.shape}"
        )

    def first_layer_arrangement(self) -> Arrangement:
        """Return the hyperplanes on which the units of the first activation layer change piece.

        Returns
        -------
        Arrangement
            One row per breakpoint of every unit, in the order of the pattern's bits and with their
            signs, in the flat inputs; composed exactly through the affine layers before. It takes
            the network's domains as ``domain.resolve(net.input_shape)``, whose points are flat.

        Raises
        ------
        Unsupported
            If the first activation layer is a max pooling or maxout layer.

        Examples
        --------
        >>> from linear_regions.layers import Affine, hard_tanh
        >>> net = Network(2, [Affine([[1.0, 2.0]]), hard_tanh()])
        >>> planes = net.first_layer_arrangement()
        >>> planes.normals.tolist(), planes.offsets.tolist()
        ([[1.0, 2.0], [1.0, 2.0]], [1.0, -1.0])

        >>> from linear_regions import Box
        >>> from linear_regions.layers import Conv
        >>> net = Network((1, 2), [Conv([[[1.0, 2.0]]]), hard_tanh()])
        >>> box = Box([[0.0, 0.0]], [[1.0, 1.0]])
        >>> int(net.first_layer_arrangement().count(box.resolve(net.input_shape)))
        2
        """
        from ._first_layer import first_layer_arrangement

        return first_layer_arrangement(self)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the network to a versioned .npz file (no pickle inside).

        Parameters
        ----------
        path : str or path
            The file is replaced if it exists; the name is used as it is.

        Examples
        --------
        >>> import tempfile
        >>> from linear_regions.layers import relu
        >>> net = Network(2, [relu()])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     net.save(folder + "/net.npz")
        ...     Network.load(folder + "/net.npz") == net
        True
        """
        from ._npz import save

        save(self, path)

    @staticmethod
    def load(path: str | PathLike[str]) -> Network:
        """Read a network that `save` wrote.

        Parameters
        ----------
        path : str or path

        Returns
        -------
        Network

        Raises
        ------
        CorruptFile
            If the file is damaged, of another format or of a newer version.
        """
        from ._npz import load

        return load(path)

    def __eq__(self, other: object) -> bool:
        """Compare input shape and layers by value; notes do not count."""
        if not isinstance(other, Network):
            return NotImplemented
        return self is other or (self.shapes == other.shapes and self.layers == other.layers)

    def __hash__(self) -> int:
        """Hash by value; computed once."""
        if self._hash is None:
            digest = hashlib.blake2b(repr(self.input_shape).encode(), digest_size=8)
            for layer in self.layers:
                digest.update(hash(layer).to_bytes(8, "little", signed=True))
            self._set(_hash=hash(int.from_bytes(digest.digest(), "little")))
        assert self._hash is not None
        return self._hash

    def __repr__(self) -> str:
        """Show shapes and sizes on one line."""
        return (
            f"Network({self.input_shape} -> {self.output_shape}, {len(self.layers)} layers, "
            f"{self.n_units} units, {self.n_parameters} parameters)"
        )
