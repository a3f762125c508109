# SPDX-License-Identifier: MIT
"""Networks from plain arrays: a list of (weight, bias) pairs."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .._value import float_array
from ..architecture import _ACTIVATIONS, as_input_shape
from ..errors import InvalidInput
from ..layers import Affine, Flatten, Layer
from ..network import Network


class ArraysImporter:
    """Reads ``[(W, b), ...]`` with W of shape (n_out, n_in): a fully connected network.

    The activation stands between the layers, none after the last.

    Examples
    --------
    >>> net = ArraysImporter().load([([[1.0], [-1.0]], [0.0, 1.0]), ([[1.0, 1.0]], None)])
    >>> net.input_shape, net.output_shape, net.n_units
    ((1,), (1,), 2)
    """

    name = "arrays"

    def accepts(self, source: object) -> bool:
        """Tell whether `source` is a list or tuple."""
        return isinstance(source, (list, tuple))

    def load(
        self,
        source: Any,
        *,
        input_shape: int | tuple[int, ...] | None = None,
        activation: str | Layer = "relu",
        fold: bool = True,
        drop_output: bool = False,
    ) -> Network:
        """Make the network.

        Parameters
        ----------
        source : sequence of (weight, bias)
            Weight of shape (n_out, n_in), bias of shape (n_out,) or None.
        input_shape : int or tuple of int, optional
            Shape of the input where it is not flat; its entries are taken in row-major order.
        activation : str or Layer, default "relu"
            "relu", "leaky_relu", "hard_tanh", "relu6", "absolute", or a layer such as
            ``Maxout(2)``.
        fold, drop_output : bool
            Not used: there is nothing to fold or to drop.

        Returns
        -------
        Network

        Raises
        ------
        TypeError
            If an element is no pair of arrays.
        InvalidInput
            If shapes do not fit or the activation is unknown.
        """
        if not source:
            raise InvalidInput("expected at least one (W, b) pair, got none")
        between = _activation(activation)
        layers: list[Layer] = []
        for i, pair in enumerate(source):
            if isinstance(pair, np.ndarray) or not isinstance(pair, (list, tuple)):
                raise TypeError(
                    f"layer {i}: expected a pair (W, b) of arrays, got {type(pair).__name__}"
                )
            if len(pair) != 2:
                raise TypeError(f"layer {i}: expected a pair (W, b), got {len(pair)} items")
            weight = float_array(f"W of layer {i}", _to_numpy(pair[0]))
            bias = None if pair[1] is None else float_array(f"b of layer {i}", _to_numpy(pair[1]))
            if weight.ndim != 2:
                raise InvalidInput(
                    f"W of layer {i} must have shape (n_out, n_in), got {weight.shape}"
                )
            layers += [between, Affine(weight, bias)] if i else [Affine(weight, bias)]
        n_in = layers[0].weight.shape[1]  # type: ignore[attr-defined]
        shape = (n_in,) if input_shape is None else as_input_shape(input_shape)
        if prod(shape) != n_in:
            raise InvalidInput(f"the first W takes {n_in} inputs, got input_shape={shape}")
        if len(shape) > 1:
            layers.insert(0, Flatten())
        return Network(shape, layers)


def _to_numpy(value: Any) -> Any:
    # A torch parameter that requires a gradient refuses the conversion; its data does not.
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value


def _activation(activation: str | Layer) -> Layer:
    if isinstance(activation, Layer):
        return activation
    if not isinstance(activation, str):
        raise TypeError(f"activation must be a name or a layer, got {activation!r}")
    if activation not in _ACTIVATIONS:
        raise InvalidInput(
            f"unknown activation {activation!r}; expected one of {', '.join(_ACTIVATIONS)}, or a "
            "layer such as Pointwise(...)"
        )
    return _ACTIVATIONS[activation]()
