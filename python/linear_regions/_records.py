# SPDX-License-Identifier: MIT
"""Records: one state on disk, replaced as a whole or not at all.

A record is two lines of text, "linear-regions KIND VERSION" and the SHA-256 of all that follows,
then the length of a JSON header (8 bytes, little-endian), the header, and the bytes of its arrays.
It is written beside its place, brought to the disk and renamed, so whoever reads finds the old
state or the new one, whole, also after a loss of power. No pickle; sizes are checked before memory
is taken.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from math import isfinite, prod
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from ._replacing import check_ordinary, replacing
from .errors import CorruptFile

__all__ = ["is_record", "read_record", "sync_folder", "write_record"]

Arrays = Mapping[str, npt.NDArray[Any]]

_MAGIC = b"linear-regions "
_DTYPES = {"<u4": np.uint32, "<u8": np.uint64, "<f8": np.float64, "<i8": np.int64}
_MOST_HEADER = 1 << 24


def write_record(
    path: str | PathLike[str], kind: str, version: int, header: Mapping[str, Any], arrays: Arrays
) -> None:
    """Replace the record at `path`; when this returns, it is on the disk.

    Raises
    ------
    OSError
        If it cannot be written; the old record is untouched then.
    """
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    shapes = [[name, _code(array), list(array.shape)] for name, array in plain.items()]
    text = json.dumps({**header, "arrays": shapes}, allow_nan=False).encode()
    body = [len(text).to_bytes(8, "little"), text, *(a.tobytes() for a in plain.values())]
    digest = hashlib.sha256()
    for piece in body:
        digest.update(piece)
    head = b"%s%s %d\n%s\n" % (_MAGIC, kind.encode(), version, digest.hexdigest().encode())
    with replacing(path, sync=True) as file:
        file.writelines([head, *body])
    sync_folder(os.path.dirname(os.path.realpath(path)))


def _code(array: npt.NDArray[Any]) -> str:
    code = array.dtype.newbyteorder("<").str
    if code not in _DTYPES:
        raise TypeError(f"records hold no arrays of dtype {array.dtype}")
    return code


def sync_folder(folder: str | PathLike[str]) -> None:
    """Bring the names in a folder to the disk, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:  # some file systems cannot; the rename itself is still atomic
        pass
    finally:
        os.close(handle)


def is_record(path: str | PathLike[str]) -> bool:
    """Tell whether a file begins as a record does."""
    with open(path, "rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def read_record(
    path: str | PathLike[str], kind: str, version: int
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Read a record that `write_record` wrote.

    Raises
    ------
    CorruptFile
        If it is damaged, truncated, of another kind or of a newer version.
    OSError
        If it cannot be opened.
    """
    name = os.fspath(path)
    check_ordinary(path)
    with open(path, "rb") as file:
        # Anything may stand there, of any size: a record is read whole, nothing else is.
        data = file.read() if file.peek(len(_MAGIC)).startswith(_MAGIC) else b""
    try:
        first, _, rest = data.partition(b"\n")
        words = first.decode(errors="replace").split(" ")
        if len(words) != 3 or words[0] != "linear-regions":
            raise ValueError("the first line is not that of a record")
        checksum, _, body = rest.partition(b"\n")
        if words[1] != kind:
            raise CorruptFile(f"{name}: expected a {kind}, got a {words[1]!r}")
        if int(words[2]) > version:
            raise CorruptFile(
                f"{name}: {kind} format version {int(words[2])}, but this release reads up to "
                f"{version}; update linear-regions"
            )
        if hashlib.sha256(body).hexdigest().encode() != checksum:
            raise ValueError("the checksum does not fit")
        return _parse(body)
    except CorruptFile:
        raise
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise CorruptFile(f"{name}: not a {kind} of this package, or damaged: {error}") from error


def _finite(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError(f"the header holds the number {text}")
    return value


def _parse(body: bytes) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    size = int.from_bytes(body[:8], "little")
    if size > min(len(body) - 8, _MOST_HEADER):
        raise ValueError("the header is longer than the file")
    header = json.loads(body[8 : 8 + size], parse_float=_finite, parse_constant=_finite)
    if not isinstance(header, dict):
        raise ValueError("the header is no JSON object")
    at = 8 + size
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, code, shape in header.pop("arrays"):
        dtype = np.dtype(_DTYPES[code])
        if not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError(f"array {name!r} has the shape {shape}")
        n = prod(shape) * dtype.itemsize
        if n > len(body) - at:
            raise ValueError(f"array {name!r} is longer than the file")
        arrays[name] = np.frombuffer(body, dtype, prod(shape), at).reshape(shape)
        at += n
    if at != len(body):
        raise ValueError("bytes follow the last array")
    return header, arrays
