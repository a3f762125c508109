# SPDX-License-Identifier: MIT
"""Arrays in files that anybody wrote: .npy and .npz, without pickle.

`numpy.load` takes the memory that a header claims before it looks for the bytes. Here every size is
compared with the bytes that are there first.
"""

from __future__ import annotations

import os
import re
import struct
import zipfile
import zlib
from math import prod
from os import PathLike
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from .errors import CorruptFile

# The headers of arrays of plain numbers, text or bytes. Python's parser sees none of them: without
# memory it ends in a SystemError.
_SIZE = r"(0|[1-9]\d{0,18})"
_ITEM = (
    r"""'descr'\s*:\s*'[<>=|]?[biufcSUVO?]\d{0,9}'|'fortran_order'\s*:\s*(True|False)|"""
    rf"'shape'\s*:\s*\(({_SIZE}\s*,\s*)*{_SIZE}?\s*\)"
)
_HEADER = re.compile(rf"\{{\s*({_ITEM})\s*(,\s*({_ITEM})\s*){{0,2}},?\s*\}}", re.ASCII)
_ENTRY = re.compile(r"'(\w+)'\s*:\s*('[^']*'|\w+|\([^)]*\))", re.ASCII)
_NUMBER = re.compile(r"\d+", re.ASCII)
_MOST_HEADER = 4096

# What a damaged archive makes zipfile, NumPy and json raise.
DAMAGE = (
    zipfile.BadZipFile,
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    EOFError,
    OSError,
    ArithmeticError,
    NotImplementedError,
    RuntimeError,
    RecursionError,
    struct.error,
    zlib.error,
)


def array_of(data: bytes, name: str) -> npt.NDArray[Any]:
    """Return the array of a .npy file; its sizes are those of the bytes."""
    width = 2 if data[6:7] == b"\x01" else 4
    start = 8 + width + int.from_bytes(data[8 : 8 + width], "little")
    if data[:6] != b"\x93NUMPY" or data[6:7] not in b"\x01\x02\x03" or start > len(data):
        raise CorruptFile(f"member {name!r} is no .npy file")
    text = data[8 + width : start].decode("latin-1").strip() if start <= _MOST_HEADER else ""
    header = dict(_ENTRY.findall(text)) if _HEADER.fullmatch(text) else {}
    sizes = header.get("shape", "")
    is_tuple = "," in sizes or not any(map(str.isdigit, sizes))
    if set(header) != {"descr", "fortran_order", "shape"} or not is_tuple:
        raise CorruptFile(f"member {name!r} is no plain array: its header is {text[:80]!r}")
    shape, dtype = tuple(map(int, _NUMBER.findall(sizes))), np.dtype(header["descr"][1:-1])
    transposed = header["fortran_order"] == "True"
    if dtype.hasobject:
        raise CorruptFile(f"member {name!r} holds Python objects, which are not read")
    # Python integers: a product of absurd sizes cannot wrap around.
    if prod(shape) * dtype.itemsize != len(data) - start:
        raise CorruptFile(f"member {name!r} has {len(data) - start} bytes for shape {shape}")
    array = np.ndarray(shape[::-1] if transposed else shape, dtype, data, start)
    return array.T if transposed else array


def read_arrays(path: str | PathLike[str]) -> dict[str, npt.NDArray[Any]]:
    """Read the arrays of an .npz file that anybody wrote; that of an .npy file as ``points``.

    Members may be deflated, which multiplies sizes by at most 1032; other compression is refused.
    So memory is at most 1032 times the size of the file.

    Raises
    ------
    CorruptFile
        If it is no such file, is damaged or holds Python objects.
    OSError
        If it cannot be opened.
    """
    with open(path, "rb") as file:
        try:
            if file.read(6) == b"\x93NUMPY":
                file.seek(0)
                return {"points": array_of(file.read(), os.fspath(path))}
            return _foreign_members(file)
        except CorruptFile as error:
            raise CorruptFile(
                f"{os.fspath(path)}: expected an .npz or .npy file: {error}"
            ) from None
        except DAMAGE as error:
            raise CorruptFile(
                f"{os.fspath(path)}: expected an .npz or .npy file: {error}"
            ) from error


def _foreign_members(file: IO[bytes]) -> dict[str, npt.NDArray[Any]]:
    arrays: dict[str, npt.NDArray[Any]] = {}
    left = os.fstat(file.fileno()).st_size
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise CorruptFile(f"member {info.filename!r} is compressed by an unusual method")
            left -= info.compress_size  # members may overlap
            if left < 0 or info.file_size > 1032 * info.compress_size + 64 or name in arrays:
                raise CorruptFile(f"member {info.filename!r} has an impossible size or name")
            with archive.open(info) as member:
                arrays[name] = array_of(member.read(), info.filename)
    return arrays
