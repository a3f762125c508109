# SPDX-License-Identifier: MIT
"""What is asked: an architecture or a network, and a domain."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from .._layer import ConvSpec
from ..architecture import Architecture
from ..domain import Box, Domain, Space
from ..layers import Pointwise
from ..network import Network
from .tape import Prefix, Stage, is_chain, read_prefix, read_stages


@dataclass(frozen=True)
class Question:
    """An architecture or a network on a domain.

    Parameters
    ----------
    architecture : Architecture
        The shapes.
    network : Network or None
        The network, where one is asked about.
    domain : Domain or None
        The domain with concrete arrays; None is the whole space.
    dim : int
        Its dimension.
    """

    architecture: Architecture
    network: Network | None
    domain: Domain | None
    dim: int

    @property
    def n_inputs(self) -> int:
        """Number of inputs of the network."""
        return prod(self.architecture.input_shape)

    @property
    def whole_space(self) -> bool:
        """Whether the domain is all of the input space."""
        return self.domain is None or isinstance(self.domain, Space)

    @cached_property
    def stages(self) -> list[Stage]:
        """The activation layers."""
        return read_stages(self.architecture, self.dim)

    @cached_property
    def chain(self) -> bool:
        """Whether every layer reads the one before it."""
        return is_chain(self.architecture)

    def prefix(self, kind: type) -> Prefix:
        """Return the first layers as far as they are affine layers of one kind."""
        return read_prefix(self.architecture, kind)

    def takes_any_shift(self, spec: ConvSpec) -> bool:
        """Tell whether a first convolution can move all its regions into the domain.

        Regions of a layer stay regions when the input is scaled about a point p, which the weights
        absorb (W (x - p) / s + b), except that W p must be the same at all positions of a filter.
        That holds for p constant per channel if there is no padding, and for p = 0.
        """
        if self.whole_space:
            return True
        if not isinstance(self.domain, Box) or self.dim < self.n_inputs:
            return False
        shape = self.architecture.input_shape
        low = self.domain.low.reshape(shape[0], -1).max(axis=1)
        high = self.domain.high.reshape(shape[0], -1).min(axis=1)
        padding = spec.geometry(len(shape) - 1)[2]
        if any(before or after for before, after in padding):
            return bool((low < 0).all() and (high > 0).all())
        return bool(np.all(low < high))

    @cached_property
    def missing_breakpoints(self) -> str | None:
        """Why the lower bounds, which use all breakpoints of all units, do not apply, or None."""
        if self.network is None:
            return None
        for position, layer in enumerate(self.network.layers):
            if isinstance(layer, Pointwise):
                counts = {len(layer.pieces(channel)[0]) for channel in range(layer.channels)}
                if len(counts) > 1:
                    return f"some units of layer {position} have fewer breakpoints than others"
        return None
