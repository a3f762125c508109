# SPDX-License-Identifier: MIT
"""Networks from PyTorch: modules and exported programs.

The first way is ``torch.export``, which sees functional calls as well as modules. Where it fails,
an ``nn.Sequential`` of known modules is read module by module, and the notes say so.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from .._layer import Layer
from ..architecture import as_input_shape
from ..errors import InvalidInput, MissingExtra, Unsupported
from ..network import Network
from . import _check
from ._check import FLOAT32, FLOAT64, FloatArray, Forward
from ._tape import Shape, Tape
from ._torch_graph import Program, UnknownOperator
from ._torch_modules import read_sequential, sequential_forward


class TorchImporter:
    """Reads ``torch.nn.Module`` and ``torch.export.ExportedProgram``.

    Examples
    --------
    >>> TorchImporter().accepts("model.pt")
    False
    """

    name = "torch"

    def accepts(self, source: object) -> bool:
        """Tell whether `source` is one of PyTorch's two kinds, without importing PyTorch."""
        return any(
            (cls.__name__, cls.__module__.partition(".")[0])
            in (("Module", "torch"), ("ExportedProgram", "torch"))
            for cls in type(source).__mro__
        )

    def load(
        self,
        source: Any,
        *,
        input_shape: int | tuple[int, ...] | None = None,
        activation: str | Layer = "relu",
        fold: bool = True,
        drop_output: bool = False,
    ) -> Network:
        """Read the model, as it is at inference.

        Parameters
        ----------
        source : torch.nn.Module or torch.export.ExportedProgram
            A module is left in the mode (train or eval) in which it was found; of what
            ``torch.compile`` made, the module inside is read.
        input_shape : int or tuple of int, optional
            Shape of one sample, without batch axis. Needed for modules, unless the first one of an
            ``nn.Sequential`` is ``nn.Linear``.
        activation : str
            Not used: the model has its own.
        fold : bool, default True
            Whether batch normalization and other scales are folded into the layer before them
            where that rounds. Each such fold is in the notes.
        drop_output : bool, default False
            Whether a softmax, log-softmax, sigmoid or argmax at the end is cut.

        Returns
        -------
        Network

        Raises
        ------
        MissingExtra
            If PyTorch is not installed.
        Unsupported
            If an operator cannot be expressed; the message has its type and name.
        InvalidInput
            If `input_shape` is missing or does not fit, or weights have no values yet.
        """
        torch = _torch()
        # What torch.compile gives computes the same, but compiles first: for half a minute.
        source = getattr(source, "_orig_mod", source)
        check_weights(torch, source)
        shape = None if input_shape is None else as_input_shape(input_shape)
        options = {"fold": fold, "drop": drop_output}
        with warnings.catch_warnings():
            # PyTorch warns of its own deprecated parts while it exports.
            warnings.simplefilter("ignore")
            if not isinstance(source, torch.nn.Module):
                return _from_program(torch, source, shape, **options)
            return _from_module(torch, source, _module_shape(torch, source, shape), **options)


def _torch() -> Any:
    try:
        import torch
        import torch.export
    except ImportError as error:
        raise MissingExtra("Reading PyTorch models", "torch") from error
    return torch


def check_weights(torch: Any, source: Any) -> None:
    """Raise where weights are shapes without numbers, or less."""
    name = type(source).__name__
    for weight in (*source.parameters(), *source.buffers()):
        if torch.nn.parameter.is_lazy(weight):
            raise InvalidInput(f"{name}: it has lazy layers without weights; call it once first")
        if weight.is_meta:
            raise InvalidInput(
                f"{name}: weights on device 'meta' have no numbers; make the module on another "
                "device, or to_empty(device='cpu') and load_state_dict(...) first"
            )


def _module_shape(torch: Any, module: Any, shape: Shape | None) -> Shape:
    if shape is not None:
        return shape
    if isinstance(module, torch.nn.Sequential) and len(module):
        first = module[0]
        if isinstance(first, torch.nn.Linear):
            return (int(first.in_features),)
    raise InvalidInput(
        f"{type(module).__name__}: a PyTorch module does not know the shape of its input; give "
        "input_shape=, without the batch axis"
    )


@contextmanager
def _inference(module: Any) -> Iterator[bool]:
    """Put a module into eval mode for a while; yields whether any part was in training mode."""
    modes = {part: part.training for part in module.modules()}
    try:
        module.eval()
        yield any(modes.values())
    finally:
        for part, mode in modes.items():
            part.training = mode


def _from_module(torch: Any, module: Any, shape: Shape, *, fold: bool, drop: bool) -> Network:
    name = type(module).__name__
    some = next((p for p in module.parameters() if p.is_floating_point()), None)
    dtype = torch.float32 if some is None else some.dtype
    device = "cpu" if some is None else some.device
    with _inference(module) as was_training, torch.no_grad():
        notes = ["read in eval mode; the module was in training mode"] if was_training else []
        example = torch.zeros((1, *shape), dtype=dtype, device=device)
        compared = dtype in (torch.float32, torch.float64)
        if compared:  # the module itself says best what it does not take
            _check_shape(module, example, shape)
        try:
            program = torch.export.export(module, (example,))
        except Exception as error:
            net, magnitude = _from_sequential(
                torch, module, shape, notes, error, fold=fold, drop=drop
            )
        else:
            reader = Program(program, torch, name)
            net = _read(reader, shape, (1, *shape), notes, fold=fold, drop=drop)
            magnitude = partial(_recorded, reader.magnitudes)
        if compared and not drop:
            _check.compare(net, _own_forward(torch, module, example, magnitude), FLOAT32, name)
    return net


def _check_shape(module: Any, example: Any, shape: Shape) -> None:
    """Raise where the module does not take a batch of one sample."""
    try:
        module(example)
    except TypeError:  # other arguments, which no shape mends: left to what reads the module
        return
    except Exception as error:
        start = f"{type(module).__name__}: the module fails on one sample of input_shape={shape}"
        if _runs(module, example[0]):
            raise InvalidInput(
                f"{start}, but takes a batch of that shape; leave the batch axis out: "
                f"input_shape={shape[1:]}"
            ) from error
        raise InvalidInput(
            f"{start} (a batch of shape {tuple(example.shape)}): {_first_line(error)}"
        ) from error


def _runs(module: Any, batch: Any) -> bool:
    try:
        module(batch)
    except Exception:
        return False
    return True


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _recorded(magnitudes: dict[bytes, float], point: FloatArray) -> float:
    return magnitudes.get(point.tobytes(), 0.0)


def _own_forward(
    torch: Any, module: Any, example: Any, magnitude: Callable[[FloatArray], float]
) -> Forward:
    """Return the module's own forward pass: neither way of reading it sees Python branches.

    The magnitudes on the way are those that what was read had at the same points.
    """

    def run(point: FloatArray) -> tuple[FloatArray, float]:
        value = module(torch.as_tensor(point).to(example).unsqueeze(0))
        if not isinstance(value, torch.Tensor):
            (value,) = value.values() if isinstance(value, dict) else value
        return value.detach().to(torch.float64).cpu().numpy(), magnitude(point)

    return run


def _from_program(
    torch: Any, program: Any, shape: Shape | None, *, fold: bool, drop: bool
) -> Network:
    reader = Program(program, torch, "ExportedProgram")
    dims = reader.model_shape
    rest = dims[1:] if len(dims) > 1 else dims
    if shape is None:
        if None in rest:
            raise InvalidInput(
                f"ExportedProgram: its input has shape {dims} with open lengths; give input_shape="
            )
        shape = tuple(n for n in rest if n is not None)
    fits = len(shape) == len(rest) and all(d in (None, n) for d, n in zip(rest, shape, strict=True))
    if not fits:
        raise InvalidInput(
            f"ExportedProgram: its input has shape {dims}, batch axis first, which does not fit "
            f"input_shape={shape}"
        )
    model_shape = (1, *shape) if len(dims) > 1 else shape
    return _read(reader, shape, model_shape, [], fold=fold, drop=drop)


def _read(
    reader: Program,
    shape: Shape,
    model_shape: Shape,
    notes: list[str],
    *,
    fold: bool,
    drop: bool,
) -> Network:
    tape = Tape(shape, fold=fold, source=reader.source)
    tape.notes.extend(notes)
    output = reader.cut(tape, drop)
    try:
        result = reader.read(tape, model_shape, output)
    except UnknownOperator as error:
        if not reader.simplify():
            raise Unsupported(str(error)) from None
        return _read(reader, shape, model_shape, notes, fold=fold, drop=drop)
    net = tape.finish(result, _without_batch(result.shape, len(model_shape) > len(shape)))
    forward = reader.forward(output)
    return _check.checked(net, forward, FLOAT32 if reader.casts else FLOAT64, reader.source)


def _without_batch(shape: Shape, batched: bool) -> Shape:
    if batched and shape[:1] == (1,):
        shape = shape[1:]
    return shape or (1,)


def _from_sequential(
    torch: Any,
    module: Any,
    shape: Shape,
    notes: list[str],
    error: Exception,
    *,
    fold: bool,
    drop: bool,
) -> tuple[Network, Callable[[FloatArray], float]]:
    """Return the network and the largest magnitude on the way at a point."""
    name = type(module).__name__
    if not isinstance(module, torch.nn.Sequential):
        raise Unsupported(f"{name}: torch.export cannot read it: {_first_line(error)}") from error
    tape = Tape(shape, fold=fold, source=name)
    tape.notes.extend(notes)
    tape.notes.append(
        f"torch.export failed ({type(error).__name__}); the nn.Sequential was read module by module"
    )
    result, modules = read_sequential(torch, tape, module, shape, drop)
    net = tape.finish(result, _without_batch(result.shape, True))
    forward = sequential_forward(torch, modules)
    return _check.checked(net, forward, FLOAT64, name), lambda point: forward(point)[1]
