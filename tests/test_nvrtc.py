# SPDX-License-Identifier: MIT
"""The kernels compile by NVRTC, without headers and without a device."""

from __future__ import annotations

import ctypes
import ctypes.util
import glob
import site
import sys

import pytest

from linear_regions._device.kernels import KERNELS, source
from linear_regions._device.launch import _OPTIONS


def nvrtc():
    names = [ctypes.util.find_library("nvrtc")]
    for root in [*site.getsitepackages(), *sys.path]:
        names += sorted(glob.glob(f"{root}/nvidia/*/lib/libnvrtc.so.*"))
    for name in filter(None, [*names, "libnvrtc.so.13", "libnvrtc.so.12"]):
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    pytest.skip("there is no libnvrtc (pip install nvidia-cuda-nvrtc)")


def compiled(text: str, options: list[str]) -> tuple[str, bytes]:
    """Return the compiler's log and PTX; the log is empty where all is well."""
    library = nvrtc()
    program = ctypes.c_void_p()
    assert (
        library.nvrtcCreateProgram(
            ctypes.byref(program), text.encode(), b"kernels.cu", 0, None, None
        )
        == 0
    )
    given = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    library.nvrtcCompileProgram(program, len(options), given)
    parts = []
    for what in ("ProgramLog", "PTX"):
        size = ctypes.c_size_t()
        getattr(library, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(max(size.value, 1))
        if size.value:
            getattr(library, f"nvrtcGet{what}")(program, buffer)
        parts.append(buffer.value)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    return parts[0].decode().strip(), parts[1]


# What CuPy adds to the options.
CUPY = ["-ftz=true", "--device-as-default-execution-space"]


@pytest.mark.parametrize("architecture", ["compute_80", "compute_90"])
@pytest.mark.parametrize("file", sorted({kernel.file for kernel in KERNELS.values()}))
def test_kernels_compile_as_cupy_compiles_them(file, architecture):
    log, ptx = compiled(source(file), [*_OPTIONS, *CUPY, f"--gpu-architecture={architecture}"])
    assert log == ""
    for name, kernel in KERNELS.items():
        if kernel.file == file:
            assert f".entry {name}(".encode() in ptx
    # No product and sum were contracted, and no number of single precision is computed with.
    assert b"fma.rn.f64" not in ptx or file != "sweep"
    assert b".f32" not in ptx
