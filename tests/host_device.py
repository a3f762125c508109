# SPDX-License-Identifier: MIT
"""A device that is none: the kernels of cuda/, compiled as plain C++, on NumPy arrays.

The text is the one that CuPy would be given. Between this and a GPU lie cuda/teams.hpp,
cuda/atomics.hpp and the class that speaks to CuPy.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest

from linear_regions._device import launch
from linear_regions._device.kernels import KERNELS, source


@cache
def library(file: str) -> ctypes.CDLL:
    compiler = next(
        (c for c in (os.environ.get("CXX"), "c++", "g++", "clang++") if c and shutil.which(c)), None
    )
    if compiler is None:
        pytest.skip("there is no C++ compiler to build the kernels for the processor with")
    folder = Path(mkdtemp(prefix="linear_regions_kernels_"))
    try:
        (folder / "kernels.cpp").write_text(source(file), encoding="utf-8")
        flags = ["-std=c++20", "-O2", "-ffp-contract=off", "-fPIC", "-shared", "-Wall", "-Werror"]
        subprocess.run(
            [compiler, *flags, "-o", str(folder / "kernels.so"), str(folder / "kernels.cpp")],
            check=True,
        )
        return ctypes.CDLL(str(folder / "kernels.so"))
    finally:
        shutil.rmtree(folder)


class HostDevice:
    """Runs kernels on the processor; counts the launches of each."""

    name = "host"
    xp = np

    def __init__(self) -> None:
        self.launches: dict[str, int] = {}

    def use(self):
        return nullcontext()

    def host(self, array):
        return np.asarray(array)

    def launch(self, kernel, work, *arguments, doubles=0):
        if work == 0:
            return
        entry = KERNELS[kernel]
        self.launches[kernel] = self.launches.get(kernel, 0) + 1
        kinds = entry.arguments
        if kinds.endswith("w"):
            assert doubles > 0
            arguments = (*arguments, np.full(doubles, np.nan), doubles)
            kinds = kinds[:-1] + "pu"
        assert len(arguments) == len(kinds), kernel
        call = getattr(library(entry.file), kernel)
        call.restype = None
        call.argtypes = [ctypes.c_void_p if kind == "p" else ctypes.c_uint64 for kind in kinds]
        values = []
        for kind, value in zip(kinds, arguments, strict=True):
            if kind == "p" and value is not None:
                assert value.flags.c_contiguous, kernel
                values.append(value.ctypes.data)
            else:
                assert value is None or isinstance(value, (int, np.integer)), kernel
                values.append(None if value is None else int(value))
        call(*values)


@pytest.fixture
def host_device(monkeypatch):
    """Put a HostDevice in the place of every CUDA device."""
    device = HostDevice()
    monkeypatch.setattr(launch, "_opened", {})
    monkeypatch.setattr(launch, "_connect", lambda name: device)
    return device
