# SPDX-License-Identifier: MIT
"""Packed patterns from a network, a PyTorch module, pre-activations or words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from ._forward import forward_pass
from ._preactivations import layers_of
from ._torch_record import recorded, torch_module, undisturbed
from .errors import InvalidInput
from .layers import Maxout, MaxPool
from .network import Network

__all__ = ["Packed", "gathered", "packed_patterns", "run_module"]

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
        return Packed(forward_pass(source).patterns(array), _layers_of(source))
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
    arrays: list[Any] = []
    for values in given:
        array = _on_host(values)
        if array.ndim < 2 or (isinstance(array, np.ndarray) and array.dtype.kind not in "fb"):
            raise InvalidInput(
                "expected a Network, a torch.nn.Module, pre-activations of shape (batch, units, "
                f"...), one array per layer, or packed patterns; got {type(values).__name__} of "
                f"shape {tuple(array.shape)} and type {array.dtype}"
            )
        if arrays and len(array) != len(arrays[0]):
            raise InvalidInput(
                f"pre-activations of {len(arrays[0])} and of {len(array)} samples do not fit"
            )
        arrays.append(array)
    return _packed(arrays, [(f"layer {number}", 1) for number in range(len(arrays))])


def _on_host(values: Any) -> Any:
    """Return an array or tensor in the memory of the host; integers as floats."""
    if hasattr(values, "detach"):
        tensor = values.detach().cpu()
        signs = tensor.is_floating_point() or str(tensor.dtype) == "torch.bool"
        return tensor if signs else tensor.double()
    array = np.asarray(values)
    return array.astype(np.float64) if array.dtype.kind in "iu" else array


def _packed(arrays: Sequence[Any], names: Sequence[tuple[str, int]]) -> Packed:
    """Return the signs of one array per layer as packed patterns."""
    layers, first = [], 0
    rows = layers_of(arrays)
    for (name, width), (array, _) in zip(names, rows, strict=True):
        layers.append((name, first, array.shape[1], width))
        first += array.shape[1]
    words, nan = _core.pack_layers([(array, kind, (0.0,)) for array, kind in rows])
    if nan >= 0:
        raise InvalidInput(f"{names[nan][0]} has NaN, which has no sign")
    return Packed(words, tuple(layers))


def run_module(module: Any, points: Any) -> Packed:
    """Run a PyTorch module at `points` and return its patterns; it is left as it was."""
    from .importers.torch import check_weights

    torch = torch_module(module)
    assert torch is not None
    check_weights(torch, module)
    some = next((p for p in module.parameters() if p.is_floating_point()), None)
    with undisturbed(torch, module):
        batch = torch.as_tensor(points) if hasattr(points, "detach") else torch.tensor(points)
        batch = batch.to(torch.float32 if some is None else some)
        if batch.ndim < 2:
            raise InvalidInput(
                f"points must have shape (batch, *input_shape), got {tuple(batch.shape)}"
            )
        if not len(batch):
            raise InvalidInput("expected at least one sample")
        if not bool(torch.isfinite(batch).all()):
            raise InvalidInput("points must be finite, got NaN or infinity")
        with recorded(torch, batch) as recording:
            module(batch)
    return gathered(recording.bits, recording.layers, len(batch))


def gathered(bits: Sequence[Any], names: Sequence[tuple[str, int]], batch: int) -> Packed:
    """Return recorded bits as packed patterns."""
    if not bits:
        return Packed(np.zeros((batch, 0), dtype=np.uint64), ())
    return _packed([plane.cpu() for plane in bits], names)
