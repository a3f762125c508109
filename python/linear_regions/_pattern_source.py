# SPDX-License-Identifier: MIT
"""Packed patterns from a network, a PyTorch module, pre-activations or words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from ._lower import program
from ._torch_record import recorded, torch_module, undisturbed
from .errors import InvalidInput
from .layers import Maxout, MaxPool
from .network import Network

__all__ = ["Packed", "pack_bits", "packed_patterns", "run_module"]

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Packed:
    """Patterns of a batch.

    Attributes
    ----------
    words : uint64 array, shape (batch, words)
        Packed as in docs/design/sign-format.md.
    layers : tuple of (str, int, int, int)
        Name, first bit, number of bits, and bits of one unit of each activation layer.
    """

    words: Words
    layers: tuple[tuple[str, int, int, int], ...]

    @property
    def bits(self) -> int:
        """Number of bits of a pattern."""
        return sum(bits for _, _, bits, _ in self.layers)


def pack_bits(bits: npt.NDArray[np.bool_]) -> Words:
    """Return rows of bits as words, shape (rows, words)."""
    octets = np.packbits(bits, axis=1, bitorder="little")
    n_words = -(-bits.shape[1] // 64)
    padded = np.zeros((len(bits), 8 * n_words), dtype=np.uint8)
    padded[:, : octets.shape[1]] = octets
    return padded.view("<u8").astype(np.uint64, copy=False)


def packed_patterns(source: Any, points: Any = None, *, bits: int | None = None) -> Packed:
    """Return the patterns of `source`.

    Parameters
    ----------
    source : Network, torch.nn.Module, array or sequence of arrays
        A network or a module, which is run at `points`; or pre-activations, one array of shape
        (batch, ...) or one per layer, from NumPy or PyTorch; or packed patterns, a uint64 array of
        shape (batch, words), together with `bits`.
    """
    if isinstance(source, Network):
        array, _ = source.as_points(_needed(points))
        if not np.isfinite(array).all():
            raise InvalidInput("points must be finite, got NaN or infinity")
        return Packed(program(source).patterns(array), _layers_of(source))
    if torch_module(source) is not None:
        return run_module(source, _needed(points))
    if points is not None:
        raise InvalidInput(
            "points are for a Network or a torch.nn.Module; pre-activations and packed patterns "
            f"stand alone, got {type(source).__name__} and points"
        )
    if getattr(source, "dtype", None) == np.uint64:
        return _given_words(np.asarray(source), bits)
    if bits is not None:
        raise InvalidInput("bits= is for packed patterns (a uint64 array)")
    return _preactivations(source)


def _needed(points: Any) -> Any:
    if points is None:
        raise InvalidInput("a network needs points: a batch of inputs at which it is run")
    return points


def _layers_of(net: Network) -> tuple[tuple[str, int, int, int], ...]:
    layers = []
    for position, first, bits in net.pattern_layout:
        layer = net.layers[position]
        width = 1
        if isinstance(layer, (MaxPool, Maxout)):
            windows = len(layer.windows(net.input_shapes(position)[0])[0]) - 1
            width = bits // windows
        layers.append((f"{position}: {type(layer).__name__}", first, bits, width))
    return tuple(layers)


def _given_words(words: Words, bits: int | None) -> Packed:
    if words.ndim != 2:
        raise InvalidInput(f"packed patterns have shape (batch, words), got {words.shape}")
    if bits is None or not 64 * (words.shape[1] - 1) < bits <= 64 * words.shape[1]:
        raise InvalidInput(
            f"packed patterns of {words.shape[1]} words need bits=, the number of bits of a "
            f"pattern, got {bits!r}"
        )
    tail = words.shape[1] * 64 - bits
    if tail and (words[:, -1] >> np.uint64(64 - tail)).any():
        raise InvalidInput(f"packed patterns have bits set behind the last of {bits}")
    return Packed(np.ascontiguousarray(words), (("patterns", 0, bits, 1),))


def _preactivations(source: Any) -> Packed:
    given = list(source) if isinstance(source, (list, tuple)) else [source]
    if not given:
        raise InvalidInput("expected at least one array of pre-activations")
    planes: list[npt.NDArray[np.bool_]] = []
    layers = []
    first = 0
    for number, values in enumerate(given):
        array = _as_numpy(values)
        if array.ndim < 2 or array.dtype.kind not in "fiub":
            raise InvalidInput(
                "expected a Network, a torch.nn.Module, pre-activations of shape (batch, units, "
                f"...), one array per layer, or packed patterns; got {type(values).__name__} of "
                f"shape {array.shape} and type {array.dtype}"
            )
        if planes and len(array) != len(planes[0]):
            raise InvalidInput(
                f"pre-activations of {len(planes[0])} and of {len(array)} samples do not fit"
            )
        plane = (array > 0).reshape(len(array), prod(array.shape[1:]))
        layers.append((f"layer {number}", first, plane.shape[1], 1))
        first += plane.shape[1]
        planes.append(plane)
    return Packed(pack_bits(np.concatenate(planes, axis=1)), tuple(layers))


def _as_numpy(values: Any) -> npt.NDArray[Any]:
    if hasattr(values, "detach"):  # a tensor; NumPy has no bfloat16, so compare first
        values = (values.detach() > 0).cpu()
    return np.asarray(values)


def run_module(module: Any, points: Any) -> Packed:
    """Run a PyTorch module at `points` and return its patterns; it is left as it was."""
    torch = torch_module(module)
    assert torch is not None
    some = next((p for p in module.parameters() if p.is_floating_point()), None)
    with undisturbed(torch, module):
        batch = torch.as_tensor(points) if hasattr(points, "detach") else torch.tensor(points)
        batch = batch.to(torch.float32 if some is None else some)
        if batch.ndim < 2:
            raise InvalidInput(
                f"points must have shape (batch, *input_shape), got {tuple(batch.shape)}"
            )
        if not bool(torch.isfinite(batch).all()):
            raise InvalidInput("points must be finite, got NaN or infinity")
        with recorded(torch, batch) as recording:
            module(batch)
    return gathered(torch, recording.bits, recording.layers, len(batch))


def gathered(
    torch: Any, bits: Sequence[Any], names: Sequence[tuple[str, int]], batch: int
) -> Packed:
    """Return recorded bits as packed patterns."""
    layers, first = [], 0
    for (name, width), plane in zip(names, bits, strict=True):
        layers.append((name, first, int(plane.shape[1]), width))
        first += int(plane.shape[1])
    if not bits:
        return Packed(np.zeros((batch, 0), dtype=np.uint64), ())
    joined = torch.cat(list(bits), dim=1).cpu().numpy()
    return Packed(pack_bits(joined), tuple(layers))
