# SPDX-License-Identifier: MIT
"""Networks with every layer's numbers multiplied by a power of two, and the same regions."""

from __future__ import annotations

import numpy as np

from linear_regions.layers import Add, Affine, Concat, Conv, Layer, Pad, Pointwise, Scale
from linear_regions.network import Network

Rng = np.random.Generator


def rescaled(net: Network, rng: Rng, most: int = 1020, step: int = 1000) -> Network:
    """Return the network with every slot multiplied by a power of two of its own.

    Slots that must agree, as those of a sum, have one power. No power exceeds `most`, none differs
    by more than `step` from that of the slot before it as far as there is one; powers that would
    take a number out of the range of doubles are drawn again.
    """
    while True:
        new = _at(net, _powers(net, rng, most, step))
        if new is not None:
            return new


def _powers(net: Network, rng: Rng, most: int, step: int) -> list[int]:
    """Draw one power per slot."""
    group = list(range(len(net.layers) + 1))

    def leader(slot: int) -> int:
        while group[slot] != slot:
            slot = group[slot]
        return slot

    for i, layer in enumerate(net.layers):
        # Sums and lists join slots; what has no weights passes its input's power on.
        joined = layer.inputs(i) if isinstance(layer, Add | Concat) else layer.inputs(i)[:1]
        if not isinstance(layer, Affine | Conv | Scale):
            for slot in joined:
                one, other = sorted((leader(slot), leader(i + 1)))
                group[other] = one
    powers = {0: 0}
    for i, layer in enumerate(net.layers):
        before = powers[leader(layer.inputs(i)[0])]
        low, high = max(-most, before - step), min(most, before + step)
        powers.setdefault(leader(i + 1), int(rng.integers(low, high + 1)))
    return [powers[leader(slot)] for slot in range(len(net.layers) + 1)]


def _at(net: Network, powers: list[int]) -> Network | None:
    layers = []
    for i, layer in enumerate(net.layers):
        before, after = powers[layer.inputs(i)[0]], powers[i + 1]
        values = {name: getattr(layer, name) for name in layer._fields}
        for name, power in _shifts(layer, after - before, after).items():
            values[name] = np.ldexp(values[name], power)
            if not np.array_equal(np.ldexp(values[name], -power), getattr(layer, name)):
                return None
        if "value" in values:
            values["value"] = float(values["value"])
        layers.append(type(layer)(**values))
    return Network(net.input_shape, layers)


def _shifts(layer: Layer, step: int, power: int) -> dict[str, int]:
    if isinstance(layer, Affine | Conv | Scale):
        return {"weight": step, "bias": power}
    if isinstance(layer, Pointwise):
        return {"breakpoints": power, "value_at_zero": power}
    return {"value": power} if isinstance(layer, Pad) else {}
