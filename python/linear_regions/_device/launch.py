# SPDX-License-Identifier: MIT
"""The one place that talks to CuPy: which device, which array module, how a kernel is started.

Everything else uses a `Device`: arrays of its module `xp`, and `launch`. Tests put another one in
its place, which runs the same kernels, compiled as plain C++, on NumPy arrays.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from ..errors import DeviceError, InvalidInput
from .kernels import KERNELS, source

__all__ = ["Device", "is_cuda", "open_device"]

TEAM = 32  # threads
_BLOCK = 256  # threads
_SHARED = 48 * 1024  # bytes that a block may always have
_BLOCKS = 32  # for each multiprocessor: enough to fill it whatever a block needs
# The error bounds count roundings: no fused operation that the source does not name.
_OPTIONS = ("--std=c++20", "-fmad=false")


class Device(Protocol):
    """What the rest of the package needs of a device."""

    name: str
    xp: Any  # the array module: CuPy

    def use(self) -> AbstractContextManager[object]:
        """Make it the current device of this thread for a while."""

    def launch(self, kernel: str, work: int, *arguments: Any, doubles: int = 0) -> None:
        """Run a kernel on so many pieces of work.

        Arguments are arrays, None for a null pointer, and integers. `doubles` is what a team's
        memory needs, for kernels whose arguments end with a workspace.
        """

    def host(self, array: Any) -> np.ndarray[Any, Any]:
        """Return an array as a NumPy array; waits for the work that makes it."""


def is_cuda(device: object) -> bool:
    """Say whether this names a CUDA device; the alternative is the processor.

    Raises
    ------
    InvalidInput
        If it names neither.
    """
    if device == "cpu":
        return False
    if isinstance(device, str) and re.fullmatch(r"cuda(:\d+)?", device):
        return True
    raise InvalidInput(f'device must be "cpu", "cuda" or "cuda:<number>", got {device!r}')


_opened: dict[str, Device] = {}


def open_device(name: str) -> Device:
    """Return the device of that name; made once.

    Raises
    ------
    DeviceError
        If CuPy is not installed, or finds no such device.
    """
    if name not in _opened:
        _opened[name] = _connect(name)
    return _opened[name]


def _connect(name: str) -> Device:
    try:
        import cupy
    except ImportError as error:
        if error.name not in (None, "cupy"):
            raise DeviceError(
                f"device={name!r} needs CuPy, whose import failed: {error}"
            ) from error
        raise DeviceError(
            f"device={name!r} needs CuPy, which is not installed: pip install "
            '"linear-regions[cuda12]" or "linear-regions[cuda13]", after the CUDA version that '
            "nvidia-smi shows; or use device='cpu'"
        ) from None
    try:
        found = int(cupy.cuda.runtime.getDeviceCount())
        reason = "it reports 0 devices"
    except Exception as error:  # CuPy's own class, or that of a library that it could not load
        found, reason = 0, str(error).splitlines()[0]
    if not found:
        raise DeviceError(
            f"device={name!r}: CuPy {cupy.__version__} finds no CUDA device ({reason}); this needs "
            "an NVIDIA GPU and its driver (nvidia-smi shows both), or use device='cpu'"
        )
    number = int(name.partition(":")[2] or 0)
    if number >= found:
        raise DeviceError(f"device={name!r}: there are {found} CUDA devices, numbered from 0")
    return _Cuda(cupy, number)


class _Cuda:
    """A device that CuPy has found."""

    def __init__(self, cupy: Any, number: int) -> None:
        self.xp = cupy
        self.name = f"cuda:{number}"
        self._device = cupy.cuda.Device(number)
        self._modules: dict[str, Any] = {}
        with self.use():
            attributes = self._device.attributes
        self._blocks = _BLOCKS * int(attributes["MultiProcessorCount"])

    def use(self) -> AbstractContextManager[object]:
        with_device: AbstractContextManager[object] = self._device
        return with_device

    def host(self, array: Any) -> np.ndarray[Any, Any]:
        taken: np.ndarray[Any, Any] = self.xp.asnumpy(array)
        return taken

    def launch(self, kernel: str, work: int, *arguments: Any, doubles: int = 0) -> None:
        if work == 0:
            return
        entry = KERNELS[kernel]
        kinds = entry.arguments.removesuffix("w")
        values = [_argument(value, kind) for value, kind in zip(arguments, kinds, strict=True)]
        threads, shared = _BLOCK, 0
        if doubles:
            # As many teams in a block as its shared memory holds.
            teams = min(_BLOCK // TEAM, _SHARED // (8 * doubles))
            threads, shared = TEAM * teams, 8 * doubles * teams
            values += [_argument(None, "p"), np.uint64(doubles)]  # no workspace in global memory
        pieces = work * TEAM if entry.by_teams else work
        blocks = min(-(-pieces // threads), self._blocks)
        self._function(kernel)((blocks,), (threads,), tuple(values), shared_mem=shared)

    def _function(self, kernel: str) -> Any:
        file = KERNELS[kernel].file
        try:
            if file not in self._modules:
                module = self.xp.RawModule(code=source(file), options=_OPTIONS, backend="nvrtc")
                module.compile()
                self._modules[file] = module
            return self._modules[file].get_function(kernel)
        except DeviceError:
            raise
        except Exception as error:  # the compiler, or a library of the toolkit that is missing
            raise DeviceError(
                f"the kernels of {file}_kernels.cu could not be compiled on {self.name} by CuPy "
                f"{self.xp.__version__}: {error}; the extras cuda12 and cuda13 bring all that it "
                "needs"
            ) from error


def _argument(value: Any, kind: str) -> Any:
    if kind == "p":
        return np.uint64(0) if value is None else value
    return np.uint64(value)
