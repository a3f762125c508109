# SPDX-License-Identifier: MIT
"""Counting the activation patterns of a PyTorch module while it runs."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Any

from ._pattern_counter import PatternCounter
from ._pattern_source import gathered
from ._torch_record import recorded, torch_module
from .errors import LinearRegionsError, Unsupported
from .result import SampleCount

__all__ = ["Watch", "watch"]

_MISSING = object()


class Watch:
    """What `watch` gives: a counter of the patterns that the module meets inside the block.

    Attributes
    ----------
    counter : PatternCounter or None
        The counter; None before the first batch.
    layers : tuple of str
        The operators that give bits, in the order in which they run.
    method : {"export", "operators"} or None
        ``"export"``: an export of the module confirms that the operators which were recorded are
        all of its activations. ``"operators"``: it could not be exported, or not so, as `reason`
        says; what was recorded may be incomplete. None before the first batch.
    reason : str
        Why `method` is not ``"export"``; else empty.

    Examples
    --------
    >>> import torch, linear_regions as lr
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.ReLU()).double()
    >>> with lr.watch(model) as seen:
    ...     _ = model(100 * torch.tensor([[1.0, 0.0], [-1.0, 0.0], [2.0, 0.0]]).double())
    >>> seen.count(), seen.samples, seen.method
    (2, 3, 'export')
    """

    def __init__(self, module: Any, torch: Any, check: bool, options: dict[str, Any]) -> None:
        self.counter: PatternCounter | None = None
        self.layers: tuple[str, ...] = ()
        self.method: str | None = None
        self.reason = ""
        self._module, self._torch, self._check, self._options = module, torch, check, options
        self._lock = threading.Lock()
        self._before: Any = _MISSING
        self._inside = False

    @property
    def samples(self) -> int:
        """Number of samples that went through the module."""
        return 0 if self.counter is None else self.counter.samples

    def count(self, layer: int | None = None) -> int:
        """Return the number of distinct patterns, as `PatternCounter.count`; 0 before a batch.

        Parameters
        ----------
        layer : int, optional
            Of this layer alone (``per_layer=True``).

        Returns
        -------
        int
        """
        return 0 if self.counter is None else self.counter.count(layer)

    def summary(self, layer: int | None = None) -> SampleCount:
        """Return counts with coverage and estimates, as `PatternCounter.summary`.

        Parameters
        ----------
        layer : int, optional
            Of this layer alone (``per_layer=True``).

        Returns
        -------
        SampleCount

        Raises
        ------
        Unsupported
            The watch was made without ``counts=True``.
        """
        if self.counter is None:
            return PatternCounter(**self._options).summary(layer)
        return self.counter.summary(layer)

    def __repr__(self) -> str:
        """Return one line."""
        return (
            f"Watch({type(self._module).__name__}, distinct={self.count()}, "
            f"samples={self.samples}, layers={len(self.layers)}, method={self.method!r})"
        )

    def __enter__(self) -> Watch:
        """Begin to watch."""
        if self._inside:
            raise RuntimeError("this watch is running already; make another one")
        self._before = self._module.__dict__.get("forward", _MISSING)
        own = self._module.forward
        if getattr(own, "_linear_regions_watch", False):
            raise RuntimeError("the module is watched already: one watch at a time")
        self._inside = True
        self._module.forward = self._wrapped(own)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End; the module has its own forward method again."""
        self._restore()
        self._inside = False

    def _restore(self) -> None:
        if self._before is _MISSING:
            self._module.__dict__.pop("forward", None)
        else:
            self._module.forward = self._before

    def _wrapped(self, own: Callable[..., Any]) -> Callable[..., Any]:
        def forward(*args: Any, **kwargs: Any) -> Any:
            first = args[0] if args else None
            if isinstance(first, self._torch.Tensor) and first.ndim and not len(first):
                return own(*args, **kwargs)  # the rest of a data set may be empty: no samples
            # What is raised inside, by the model or by an operator without pieces, leaves nothing
            # behind: a batch counts when the module has returned.
            with recorded(self._torch, (args, kwargs)) as recording:
                result = own(*args, **kwargs)
            packed = gathered(recording.bits, recording.layers, recording.batch)
            with self._lock:
                self._take(packed, args, kwargs)
            return result

        forward._linear_regions_watch = True  # type: ignore[attr-defined]
        return forward

    def _take(self, packed: Any, args: Any, kwargs: Any) -> None:
        if self.counter is None:
            if self._check:
                self._confirm(packed.bits, args, kwargs)
            else:
                self.method, self.reason = "operators", "check=False"
            bits = [n_bits for _, _, n_bits, _ in packed.layers]
            self.layers = tuple(name for name, _, _, _ in packed.layers)
            self.counter = PatternCounter(layer_bits=bits, **self._options)
        elif self.counter.pattern_bits != packed.bits:
            raise Unsupported(
                f"the module ran {packed.bits} bits of activations, {self.counter.pattern_bits} in "
                "its first batch: patterns of inputs of another shape, or of another way through "
                "the module, cannot be compared; watch them apart"
            )
        self.counter.update_packed(packed.words)

    def _confirm(self, bits: int, args: Any, kwargs: Any) -> None:
        """Compare what was recorded with an export of the module."""
        from .importers import load

        self.method = "export"
        own = self._module.__dict__.get("forward")
        try:
            self._restore()
            if len(args) != 1 or kwargs:
                raise Unsupported("it was called with more than one argument")
            shape = tuple(args[0].shape[1:])
            with self._torch.random.fork_rng():
                net = load(self._module, input_shape=shape, drop_output=True)
            if net.pattern_bits != bits:
                raise Unsupported(
                    f"its export has patterns of {net.pattern_bits} bits, the operators that ran "
                    f"have {bits}"
                )
        except LinearRegionsError as error:
            self.method, self.reason = "operators", str(error)
            warnings.warn(
                f"watch: {type(self._module).__name__} could not be confirmed by an export: "
                f"{error}; the operators that ran are counted, which may not be all activations",
                stacklevel=5,
            )
        finally:
            if own is not None:
                self._module.forward = own


def watch(
    module: Any,
    *,
    sketch: str = "exact",
    counts: bool = False,
    per_layer: bool = False,
    check: bool = True,
) -> Watch:
    """Count the activation patterns that a PyTorch module meets while it runs.

    Parameters
    ----------
    module : torch.nn.Module
        Called as usual inside the ``with`` block, with the batch axis first in its first argument;
        its output does not change.
    sketch, counts, per_layer
        As in `PatternCounter`: what is kept of a pattern, how often each was met, and whether the
        patterns of each layer are counted beside those of the whole network.
    check : bool, default True
        Confirm at the first batch, by an export of the module (some tenths of a second), that the
        recorded operators are all of its activations. Where that fails there is a warning, and
        `Watch.method` says so.

    Returns
    -------
    Watch
        A context manager; after the block it keeps the counts.

    Raises
    ------
    MissingExtra
        If PyTorch is not installed.
    TypeError
        If `module` is no module.
    Unsupported
        From a call of the module that runs a smooth operator, and for scripted and compiled
        modules.

    Notes
    -----
    Counted is what runs: the weights of the moment, in the mode of the moment (dropout and batch
    statistics in training mode included). Every operator of the forward pass is seen, functional
    calls and operators in place, too, because PyTorch itself shows them to a dispatch mode; no
    hooks are used. Bits follow the rules of `patterns`, at the precision at which the module runs.
    The cost is some 10 microseconds an operator, and the comparison and packing of all
    pre-activations. A module should be watched in one thread at a time.

    Examples
    --------
    >>> import torch, linear_regions as lr
    >>> class Model(torch.nn.Module):
    ...     def forward(self, x):
    ...         return torch.relu(x - 1) + torch.nn.functional.relu(x + 1)
    >>> model = Model()
    >>> with lr.watch(model) as seen:
    ...     _ = model(torch.tensor([[-2.0], [0.0], [2.0], [3.0]]))
    >>> seen
    Watch(Model, distinct=3, samples=4, layers=2, method='export')
    """
    torch = torch_module(module)
    if torch is None:
        raise TypeError(f"watch takes a torch.nn.Module, got {type(module).__name__}")
    if isinstance(module, torch.jit.ScriptModule) or hasattr(module, "_orig_mod"):
        raise Unsupported(
            f"{type(module).__name__}: give the module itself to watch, not a scripted or compiled "
            "one"
        )
    options = {"sketch": sketch, "counts": counts, "per_layer": per_layer}
    PatternCounter(**options)  # type: ignore[arg-type]  # wrong options are named here
    return Watch(module, torch, bool(check), options)
