# SPDX-License-Identifier: MIT
"""The tape that an importer writes while it walks through a model.

A model's tensors have a batch axis, and their shapes change without anything being computed
(flatten, squeeze, reshape). Our layers have neither: they read slots whose shape is channels first
and without batch. A `Tensor` therefore is a slot together with the shape that the *model* gives to
it; both hold the same numbers in row-major order. The batch is one sample, so an axis of length 1
more or less never moves a number, and a layer that does change the slot's shape is written only
when a later layer needs another shape than the slot has.

The tape keeps constructors and arrays, not layers: folding (`_fold`) changes the arrays first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import Unsupported
from ..layers import Add, Affine, Concat, Conv, Flatten, Permute, Reshape, Scale
from ..network import Network
from ._fold import fold_scales

Shape: TypeAlias = tuple[int, ...]
FloatArray: TypeAlias = npt.NDArray[np.float64]

# Tensors beyond this (512 MiB of float64) come from damaged files: a flipped bit in a padding.
_MAX_ENTRIES = 1 << 26

# A one-hot Affine layer that only moves numbers is refused beyond this many entries (128 MiB).
_MAX_SELECTION = 1 << 24


@dataclass(frozen=True)
class Tensor:
    """A computed tensor of the model: the numbers of `slot`, seen with the model's `shape`."""

    slot: int
    shape: Shape

    @property
    def size(self) -> int:
        """Number of entries."""
        return prod(self.shape)


@dataclass
class Op:
    """A layer to be: its constructor, the slots it reads, its arguments and its output shape.

    Attributes
    ----------
    make : callable
        Constructor of the layer; called with `options` and `input=`, for `Add` and `Concat` also
        with the further slots as first argument.
    inputs : tuple of int
        Slots, the current input first.
    label : str
        Operator and name of the model's node, for messages and notes.
    rounding : list of str
        One note for every rounding that made these arrays differ from the model's.
    """

    make: Callable[..., Any]
    inputs: tuple[int, ...]
    options: dict[str, Any]
    shape: Shape
    label: str
    rounding: list[str] = field(default_factory=list)


class Tape:
    """Layers in the order of the model, with slot numbers; `finish` makes the network.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of slot 0.
    fold : bool
        Whether `finish` may fold a scale into the layer before it where that rounds.
    source : str
        What is read, for messages.
    """

    def __init__(self, input_shape: Shape, fold: bool = True, source: str = "model") -> None:
        self.fold = fold
        self.source = source
        self.ops: list[Op] = []
        self.shapes: list[Shape] = [input_shape]
        self.notes: list[str] = []
        self.label = "network"
        # A view has the numbers of its origin in another shape; all views of one origin are kept,
        # so that no shape is made twice.
        self._origin: list[int] = [0]
        self._views: dict[tuple[int, Shape], int] = {(0, input_shape): 0}

    def refuse(self, reason: str) -> NoReturn:
        """Raise `Unsupported` that names the node being read."""
        raise Unsupported(f"{self.source}: {self.label}: {reason}")

    def push(
        self, make: Callable[..., Any], inputs: Sequence[int], out: Shape, **options: Any
    ) -> int:
        """Append a layer with output shape `out` and return its slot."""
        if prod(out) > _MAX_ENTRIES:
            self.refuse(f"its result of shape {out} is too large")
        self.ops.append(Op(make, tuple(inputs), options, out, self.label))
        self.shapes.append(out)
        slot = len(self.ops)
        self._origin.append(slot)
        self._views[slot, out] = slot
        return slot

    def note_rounding(self, slot: int, text: str) -> None:
        """Record that the arrays of the layer that makes `slot` were rounded."""
        self.ops[slot - 1].rounding.append(text)

    def view(self, slot: int, shape: Shape) -> int:
        """Return a slot with the numbers of `slot` in `shape`; writes a layer only if needed."""
        if self.shapes[slot] == shape:
            return slot
        origin = self._origin[slot]
        known = self._views.get((origin, shape))
        if known is not None:
            return known
        if len(shape) == 1:
            made = self.push(Flatten, (origin,), shape)
        else:
            made = self.push(Reshape, (origin,), shape, shape=shape)
        del self._views[made, shape]
        self._origin[made] = origin
        self._views[origin, shape] = made
        return made

    def reshape(self, tensor: Tensor, shape: Iterable[int]) -> Tensor:
        """Give `tensor` another shape; nothing is written yet."""
        new = tuple(int(n) for n in shape)
        if prod(new) != tensor.size:
            self.refuse(f"cannot reshape {tensor.shape} into {new}")
        return Tensor(tensor.slot, new)

    def flat(self, tensor: Tensor) -> int:
        """Return a slot of shape (n,) with the numbers of `tensor`."""
        return self.view(tensor.slot, (tensor.size,))

    def permute(self, tensor: Tensor, order: Sequence[int]) -> Tensor:
        """Reorder the axes of `tensor`."""
        order = [int(axis) % len(tensor.shape) for axis in order]
        shape = tuple(tensor.shape[axis] for axis in order)
        # Axes of length 1 move no numbers, so that only the others matter.
        long = [axis for axis, length in enumerate(tensor.shape) if length > 1]
        new_order = tuple(long.index(axis) for axis in order if axis in long)
        if new_order == tuple(range(len(long))):
            return Tensor(tensor.slot, shape)
        source = self.view(tensor.slot, tuple(tensor.shape[axis] for axis in long))
        if source and self.ops[source - 1].make is Permute:
            # Two in a row are one; a pair that undoes itself (a matrix product over the first and
            # then over the last axis) leaves nothing.
            before = self.ops[source - 1]
            new_order = tuple(before.options["order"][axis] for axis in new_order)
            source = before.inputs[0]
            if new_order == tuple(range(len(new_order))):
                return Tensor(source, shape)
        made = self.push(
            Permute,
            (source,),
            tuple(self.shapes[source][axis] for axis in new_order),
            order=new_order,
        )
        return Tensor(made, shape)

    def to_front(self, tensor: Tensor, axis: int) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """Return `tensor` as (axis, all other axes), and the way back for the result.

        The way back takes a tensor of shape (new length of the axis, other axes together).
        """
        rest = tuple(n for a, n in enumerate(tensor.shape) if a != axis)
        order = [axis, *(a for a in range(len(tensor.shape)) if a != axis)]
        moved = self.permute(tensor, order)
        back_order = [order.index(a) for a in range(len(order))]

        def back(result: Tensor) -> Tensor:
            return self.permute(self.reshape(result, (result.shape[0], *rest)), back_order)

        return self.reshape(moved, (tensor.shape[axis], prod(rest))), back

    def select(self, tensor: Tensor, axis: int, indexes: Sequence[int]) -> Tensor:
        """Take the entries `indexes` (repeats allowed) along `axis`, by one-hot weights."""
        length = tensor.shape[axis]
        indexes = [int(i) for i in indexes]
        if indexes == list(range(length)):
            return tensor
        if not indexes:
            self.refuse("its result is empty")
        if len(indexes) * length > _MAX_SELECTION:
            self.refuse(f"selecting {len(indexes)} of {length} entries is too large")
        weight = np.zeros((len(indexes), length))
        weight[np.arange(len(indexes)), indexes] = 1.0
        front, back = self.to_front(tensor, axis)
        return back(self.mix_rows(front, weight, np.zeros(len(indexes))))

    def mix_rows(self, tensor: Tensor, weight: FloatArray, bias: FloatArray) -> Tensor:
        """Multiply a matrix (k, n) from the left: (m, k) @ (k, n), plus one bias per row.

        With n > 1 this is a convolution with kernel 1 over channels k, so that the weights are
        stored once.
        """
        k, n = tensor.shape
        m = len(weight)
        if n == 1:
            slot = self.push(Affine, (self.flat(tensor),), (m,), weight=weight, bias=bias)
            return Tensor(slot, (m, n))
        source = tensor.slot
        inner = self.shapes[source][1:]
        # Channels first with any inner axes will do: rows are blocks of the row-major order.
        if self.shapes[source][0] != k or not 1 <= len(inner) <= 3:
            source, inner = self.view(source, (k, n)), (n,)
        kernel = weight.reshape(m, k, *(1,) * len(inner))
        slot = self.push(Conv, (source,), (m, *inner), weight=kernel, bias=bias)
        return Tensor(slot, (m, n))

    def constant(self, like: Tensor, value: FloatArray) -> Tensor:
        """Return a constant as a computed tensor: an affine layer that ignores its input."""
        if value.size * like.size > _MAX_SELECTION:
            self.refuse(f"a constant of shape {value.shape} is too large to be a layer")
        slot = self.push(
            Affine,
            (self.flat(like),),
            (value.size,),
            weight=np.zeros((value.size, like.size)),
            bias=value.reshape(-1),
        )
        return Tensor(slot, value.shape)

    def broadcast(self, tensor: Tensor, shape: Shape) -> Tensor:
        """Repeat `tensor` along axes of length 1 until it has `shape`."""
        result = self.reshape(tensor, (1,) * (len(shape) - len(tensor.shape)) + tensor.shape)
        for axis, length in enumerate(shape):
            if result.shape[axis] != length:
                result = self.select(result, axis, [0] * length)
        return result

    def together(self, *tensors: Tensor) -> list[Tensor]:
        """Broadcast computed tensors against each other."""
        try:
            shape = np.broadcast_shapes(*(t.shape for t in tensors))
        except ValueError:
            shapes = " and ".join(str(t.shape) for t in tensors)
            self.refuse(f"its inputs of shapes {shapes} do not broadcast")
        return [self.broadcast(t, shape) for t in tensors]

    def line_of(self, value: Tensor, x: Tensor) -> tuple[FloatArray, FloatArray] | None:
        """Return (slopes, offsets) in the shape of `x` if `value` is a scale of `x`, else None."""
        if value.size != x.size:
            return None
        if self._origin[value.slot] == self._origin[x.slot]:
            return np.ones(x.shape), np.zeros(x.shape)
        op = self.ops[self._origin[value.slot] - 1] if self._origin[value.slot] else None
        if op is None or op.make is not Scale or self._origin[op.inputs[0]] != self._origin[x.slot]:
            return None
        inner = x.size // len(op.options["weight"])
        slopes, offsets = (
            np.repeat(op.options[name], inner).reshape(x.shape) for name in ("weight", "bias")
        )
        return slopes, offsets

    def add(self, a: Tensor, b: Tensor) -> Tensor:
        """Add two computed tensors: the end of a residual link."""
        a, b = self.together(a, b)
        shape = self.shapes[a.slot]
        slot = self.push(Add, (a.slot, self.view(b.slot, shape)), shape)
        return Tensor(slot, a.shape)

    def concat(self, tensors: Sequence[Tensor], axis: int) -> Tensor:
        """Join computed tensors along `axis`."""
        axis %= len(tensors[0].shape)
        rests = {t.shape[:axis] + t.shape[axis + 1 :] for t in tensors}
        if len(rests) > 1:
            self.refuse(f"cannot join tensors of shapes {[t.shape for t in tensors]}")
        if len(tensors) == 1:
            return tensors[0]
        fronts = [self.to_front(t, axis) for t in tensors]
        rest = tensors[0].shape[axis + 1 :] if prod(tensors[0].shape[:axis]) == 1 else None
        # Where nothing had to move, keep the model's own trailing axes: (channels, h, w).
        inner = rest if rest else (fronts[0][0].shape[1],)
        if prod(inner) == 1:
            slots = [self.flat(front) for front, _ in fronts]
            inner = ()
        else:
            slots = [self.view(f.slot, (f.shape[0], *inner)) for f, _ in fronts]
        length = sum(t.shape[axis] for t in tensors)
        slot = self.push(Concat, slots, (length, *inner))
        return fronts[0][1](Tensor(slot, (length, fronts[0][0].shape[1])))

    def finish(self, output: Tensor, shape: Shape) -> Network:
        """Drop what the output does not need, fold, and make the network.

        Parameters
        ----------
        output : Tensor
            The model's result.
        shape : tuple of int
            Output shape of the network, without batch.
        """
        self.label = "output"
        slot = self.view(output.slot, shape)
        if slot == 0:
            self.refuse("the model computes nothing: its output is its input")
        ops, output_slot = _keep_needed(self.ops, slot)
        ops, _ = _keep_needed(ops, fold_scales(ops, output_slot, self.fold))
        notes = [*self.notes, *(note for op in ops for note in op.rounding)]
        layers = [_layer(op, position) for position, op in enumerate(ops)]
        return Network(self.shapes[0], layers, notes=tuple(notes))


def _keep_needed(ops: list[Op], output: int) -> tuple[list[Op], int]:
    """Return the layers that slot `output` depends on, with new slot numbers."""
    needed = {output}
    for position in range(len(ops) - 1, -1, -1):
        if position + 1 in needed:
            needed.update(ops[position].inputs)
    number = {0: 0}
    kept: list[Op] = []
    for position, op in enumerate(ops):
        if position + 1 in needed:
            op.inputs = tuple(number[slot] for slot in op.inputs)
            kept.append(op)
            number[position + 1] = len(kept)
    return kept, number[output]


def _layer(op: Op, position: int) -> Any:
    first, *others = op.inputs
    options = dict(op.options)
    if first != position:
        options["input"] = first
    if op.make is Add:
        return Add(others[0], **options)
    if op.make is Concat:
        return Concat(tuple(others), **options)
    return op.make(**options)
