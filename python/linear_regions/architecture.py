# SPDX-License-Identifier: MIT
"""The shapes of a network without its weights: all that the bounds over weights need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

from . import _geometry as geo
from ._geometry import Shape
from ._layer import AffineSpec, ConvSpec, Layer, PointwiseSpec, ScaleSpec
from ._value import Value
from .errors import InvalidInput
from .layers import Flatten, absolute, hard_tanh, leaky_relu, relu, relu6

__all__ = ["AffineSpec", "Architecture", "ConvSpec", "PointwiseSpec", "ScaleSpec"]

_ACTIVATIONS = {
    "relu": relu,
    "leaky_relu": leaky_relu,
    "hard_tanh": hard_tanh,
    "relu6": relu6,
    "absolute": absolute,
}


def as_tape(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """Return the layers as a tuple.

    Raises
    ------
    TypeError
        If they are not several, in a list or another iterable.
    """
    if not isinstance(layers, Iterable):
        raise TypeError(f"layers must be a list of layers, got {layers!r}")
    return tuple(layers)


def wire(input_shape: Shape, layers: Sequence[Layer]) -> tuple[Shape, ...]:
    """Return the shapes of all slots, checking that every layer can take its input.

    Parameters
    ----------
    input_shape : tuple of int
    layers : sequence of Layer

    Returns
    -------
    tuple of tuple of int
        Slot 0 is the input, slot i the output of layer i - 1.

    Raises
    ------
    TypeError
        If something is no layer.
    InvalidInput
        If a slot does not exist yet or a shape does not fit; the message numbers the layer.
    """
    shapes = [input_shape]
    for position, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            raise TypeError(
                f"layer {position} must be a layer such as Affine or relu(), got {layer!r}"
            )
        try:
            slots = layer.inputs(position)
            if max(slots) > position:
                raise InvalidInput(
                    f"{type(layer).__name__}: reads slot {max(slots)}, but only slots 0 to "
                    f"{position} exist before it"
                )
            shapes.append(layer.output_shape(*[shapes[slot] for slot in slots]))
        except InvalidInput as error:
            raise InvalidInput(f"layer {position}: {error}") from None
    return tuple(shapes)


def as_input_shape(value: object) -> Shape:
    """Return `value` as a shape with at least one axis and no empty one."""
    shape = geo.shape_of("input_shape", value, 1)
    if not shape:
        raise InvalidInput("input_shape must have at least one axis, got ()")
    return shape


def activation_spec(activation: str | Layer) -> Layer:
    """Return the spec of an activation that is given by name or as a layer."""
    if isinstance(activation, Layer):
        return activation.spec
    if not isinstance(activation, str):
        raise TypeError(f"activation must be a name or a layer, got {activation!r}")
    if activation not in _ACTIVATIONS:
        raise InvalidInput(
            f"unknown activation {activation!r}; expected one of {', '.join(_ACTIVATIONS)}, or a "
            "Pointwise or PointwiseSpec"
        )
    spec: Layer = _ACTIVATIONS[activation]().spec
    return spec


class Architecture(Value):
    """Shapes of a network: what is known before the weights.

    Two architectures are equal when they describe the same tape: sizes are spread over the axes,
    so ``ConvSpec(6, 5)`` and ``ConvSpec(6, (5, 5))`` make equal ones.

    Parameters
    ----------
    input_shape : int or tuple of int
        Channels first, without a batch axis: (n,), (c, n), (c, h, w) or (c, d, h, w).
    layers : iterable of Layer
        Specs (`AffineSpec`, `ConvSpec`, `ScaleSpec`, `PointwiseSpec`) and layers without weights
        (`MaxPool`, `Flatten`, ...). A layer with weights is replaced by its spec.

    Attributes
    ----------
    input_shape : tuple of int
    layers : tuple of Layer
    shapes : tuple of tuple of int
        Shape of every slot: the input, then the output of each layer.

    Raises
    ------
    TypeError
        If something is no layer.
    InvalidInput
        If the shapes do not fit; the message numbers the layer.

    Examples
    --------
    >>> arch = Architecture.mlp([2, 16, 16, 1])
    >>> arch.n_units, arch.n_parameters, arch.shapes[-1]
    (32, 337, (1,))
    """

    __slots__ = ("input_shape", "layers", "shapes")
    input_shape: Shape
    layers: tuple[Layer, ...]
    shapes: tuple[Shape, ...]
    _fields = ("input_shape", "layers")

    def __init__(self, input_shape: int | Sequence[int], layers: Iterable[Layer]) -> None:
        given = as_tape(layers)
        shape = as_input_shape(input_shape)
        shapes = wire(shape, given)
        resolved = tuple(
            layer.spec.resolve(i, *(shapes[slot] for slot in layer.inputs(i)))
            for i, layer in enumerate(given)
        )
        self._set(input_shape=shape, layers=resolved, shapes=shapes)

    def _restore_state(self, state: tuple[object, ...]) -> None:
        super()._restore_state(state)
        self._set(shapes=wire(self.input_shape, self.layers))

    @classmethod
    def mlp(cls, widths: Sequence[int], activation: str | Layer = "relu") -> Architecture:
        """Return a fully connected network.

        Parameters
        ----------
        widths : sequence of int
            Input size, hidden widths, output size. The last layer has no activation.
        activation : str or Layer, default "relu"
            "relu", "leaky_relu", "hard_tanh", "relu6", "absolute", or a `Pointwise` or
            `PointwiseSpec`.

        Returns
        -------
        Architecture

        Raises
        ------
        InvalidInput
            If there are fewer than two widths, or the activation is unknown.

        Examples
        --------
        >>> Architecture.mlp([4, 6, 1]).n_units
        6
        """
        sizes = geo.shape_of("widths", widths, 1)
        if len(sizes) < 2:
            raise InvalidInput(f"widths must have an input and an output size, got {sizes}")
        spec = activation_spec(activation)
        return cls(sizes[:1], _dense(sizes[1:], spec))

    @classmethod
    def cnn(
        cls,
        input_shape: Sequence[int],
        convs: Iterable[Layer],
        dense: Sequence[int] = (),
        activation: str | Layer = "relu",
    ) -> Architecture:
        """Return a convolutional network.

        Parameters
        ----------
        input_shape : sequence of int
            (channels, *spatial).
        convs : iterable of Layer
            Every `ConvSpec` (or `Conv`) is followed by the activation; other layers, such as a
            `MaxPool`, stand as they are.
        dense : sequence of int, default ()
            Widths of fully connected layers after a `Flatten`. The last has no activation.
        activation : str or Layer, default "relu"
            As in `mlp`.

        Returns
        -------
        Architecture

        Raises
        ------
        InvalidInput
            If the shapes do not fit, or the activation is unknown.

        Examples
        --------
        >>> arch = Architecture.cnn((1, 28, 28), [ConvSpec(6, 5, stride=2)], dense=[10])
        >>> arch.shapes
        ((1, 28, 28), (6, 12, 12), (6, 12, 12), (864,), (10,))
        """
        spec = activation_spec(activation)
        layers: list[Layer] = []
        for layer in convs:
            layers.append(layer)
            if isinstance(getattr(layer, "spec", None), ConvSpec):
                layers.append(spec)
        widths = geo.shape_of("dense", dense, 1)
        if widths:
            layers += [Flatten(), *_dense(widths, spec)]
        return cls(input_shape, layers)

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
        >>> Architecture.mlp([2, 16, 1]).input_shapes(2)
        ((16,),)
        """
        return tuple(self.shapes[slot] for slot in self.layers[position].inputs(position))

    @property
    def output_shape(self) -> Shape:
        """Shape of the output."""
        return self.shapes[-1]

    @property
    def input_size(self) -> int:
        """Number of input entries."""
        return prod(self.input_shape)

    @property
    def n_units(self) -> int:
        """Number of hidden units: entries of activations, windows of max pooling and maxout."""
        return sum(layer.n_units(*self.input_shapes(i)) for i, layer in enumerate(self.layers))

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases."""
        return sum(layer.n_parameters(*self.input_shapes(i)) for i, layer in enumerate(self.layers))

    def summary(self) -> str:
        """Return a table of the layers, one line each.

        Examples
        --------
        >>> print(Architecture.mlp([2, 3, 1]).summary())
        slot  layer                                              shape  parameters  units
           0  input                                               (2,)           0      0
           1  AffineSpec(n_out=3)                                 (3,)           9      0
           2  PointwiseSpec(breakpoints=1, flat=1, at_zero=True)  (3,)           0      3
           3  AffineSpec(n_out=1)                                 (1,)           4      0
              total                                                             13      3
        """
        return summary_table(self.layers, self.shapes)

    def __repr__(self) -> str:
        """Show shapes and sizes on one line."""
        return (
            f"Architecture({self.input_shape} -> {self.output_shape}, {len(self.layers)} layers, "
            f"{self.n_units} units, {self.n_parameters} parameters)"
        )


def _dense(widths: Sequence[int], activation: Layer) -> list[Layer]:
    layers: list[Layer] = []
    for width in widths:
        layers += [AffineSpec(width), activation]
    return layers[:-1]


def summary_table(layers: Sequence[Layer], shapes: Sequence[Shape]) -> str:
    """Return the table that `summary` shows."""
    rows = [["slot", "layer", "shape", "parameters", "units"]]
    rows.append(["0", "input", str(shapes[0]), "0", "0"])
    n_parameters = n_units = 0
    for i, layer in enumerate(layers):
        inputs = [shapes[slot] for slot in layer.inputs(i)]
        parameters, units = layer.n_parameters(*inputs), layer.n_units(*inputs)
        n_parameters, n_units = n_parameters + parameters, n_units + units
        rows.append([str(i + 1), repr(layer), str(shapes[i + 1]), str(parameters), str(units)])
    rows.append(["", "total", "", str(n_parameters), str(n_units)])
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 1 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
