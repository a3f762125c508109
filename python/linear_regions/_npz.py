# SPDX-License-Identifier: MIT
"""Files: a versioned .npz without pickle.

A file is an uncompressed zip archive, as NumPy writes it: an array `header` of bytes that holds
JSON, and one .npy member per array. The header names format, kind and version, and everything that
is no array. `numpy.load` opens such a file too.

Reading trusts nothing. Members are stored, never compressed, so that no size can exceed that of
the file, and every size is compared with the bytes that are there before memory is taken.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from os import PathLike
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from . import layers as _layers
from ._layer import Layer
from ._npy import DAMAGE, array_of
from ._replacing import replacing
from .errors import CorruptFile, LinearRegionsError
from .network import Network

FORMAT = "linear-regions"
NETWORK_VERSION = 1

# Constructor arguments that are arrays, and those that are plain JSON values, per kind of layer.
_LAYERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Affine": (("weight", "bias"), ()),
    "Conv": (("weight", "bias"), ("stride", "padding", "dilation", "groups")),
    "Scale": (("weight", "bias"), ()),
    "Pointwise": (("breakpoints", "slopes", "value_at_zero"), ()),
    "MaxPool": ((), ("kernel_size", "stride", "padding", "dilation", "ceil_mode")),
    "AvgPool": ((), ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")),
    "Maxout": ((), ("rank",)),
    "Flatten": ((), ()),
    "Reshape": ((), ("shape",)),
    "Permute": ((), ("order",)),
    "Pad": ((), ("padding", "value")),
    "Add": ((), ("slot",)),
    "Concat": ((), ("slots",)),
}


def save(network: Network, path: str | PathLike[str]) -> None:
    """Write a network; an existing file is replaced in one step.

    Parameters
    ----------
    network : Network
    path : str or path
        Used as it is: no suffix is added.

    Raises
    ------
    TypeError
        If it is no network.
    """
    if not isinstance(network, Network):
        raise TypeError(f"expected a Network, got {type(network).__name__}")
    write_container(path, "network", NETWORK_VERSION, *parts_of(network))


def parts_of(network: Network) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Return a network as JSON types and arrays."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    tape = []
    for i, layer in enumerate(network.layers):
        kind = type(layer).__name__
        if kind not in _LAYERS:
            raise TypeError(f"layer {i}: {kind} has no form in a file")
        array_names, plain_names = _LAYERS[kind]
        entry: dict[str, object] = {"kind": kind, "input": layer.input}
        entry.update({name: getattr(layer, name) for name in plain_names})
        for name in array_names:
            arrays[f"layer{i}.{name}"] = getattr(layer, name)
        tape.append(entry)
    header = {
        "input_shape": network.input_shape,
        "layers": tape,
        "notes": network.notes,
    }
    return header, arrays


def load(path: str | PathLike[str]) -> Network:
    """Read a network that `save` wrote.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    Network

    Raises
    ------
    CorruptFile
        If the file is damaged, of another format or of a newer version.
    OSError
        If the file cannot be opened.
    """
    header, arrays = read_container(path, "network", NETWORK_VERSION)
    try:
        return network_of(header, arrays)
    except (LinearRegionsError, *DAMAGE) as error:
        raise corrupt(path, error) from error


def network_of(header: Mapping[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> Network:
    """Return the network that `parts_of` took apart; damage raises all kinds of errors."""
    tape = [_layer(i, entry, arrays) for i, entry in enumerate(header["layers"])]
    notes = header["notes"]
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise CorruptFile("notes are not a list of strings")
    if arrays:
        raise CorruptFile(f"arrays that belong to no layer: {', '.join(sorted(arrays))}")
    return Network(header["input_shape"], tape, notes)


def _layer(i: int, entry: Any, arrays: dict[str, npt.NDArray[Any]]) -> Layer:
    kind = entry["kind"]
    array_names, plain_names = _LAYERS[kind]
    if set(entry) != {"kind", "input", *plain_names}:
        raise CorruptFile(f"layer {i} ({kind}) has the fields {sorted(entry)}")
    arguments = {name: arrays.pop(f"layer{i}.{name}") for name in array_names}
    for name, array in arguments.items():
        if array.dtype != np.float64:
            raise CorruptFile(f"layer {i} ({kind}): {name} has dtype {array.dtype}, not float64")
    plain = {name: _tuples(entry[name]) for name in plain_names}
    layer: Layer = getattr(_layers, kind)(**arguments, **plain, input=entry["input"])
    return layer


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def corrupt(path: str | PathLike[str], error: BaseException) -> CorruptFile:
    """Return the one error for a damaged file."""
    reason = str(error) or type(error).__name__
    doubt = "" if isinstance(error, _Foreign) else ", or damaged"
    return CorruptFile(f"{os.fspath(path)}: not a file of this package{doubt}: {reason}")


class _Foreign(CorruptFile):
    """A sound archive without our header."""


def write_container(
    path: str | PathLike[str],
    kind: str,
    version: int,
    header: Mapping[str, object],
    arrays: Mapping[str, npt.NDArray[Any]],
) -> None:
    """Write header and arrays to a file of the given kind; the same content gives the same bytes.

    Parameters
    ----------
    path : str or path
    kind : str
        Such as "network".
    version : int
        Of this kind's layout.
    header : mapping
        What JSON can hold; the keys "format", "kind" and "version" are added.
    arrays : mapping of str to array
        No object dtypes.
    """
    full = {"format": FORMAT, "kind": kind, "version": version, **header}
    text = json.dumps(full, allow_nan=False).encode()
    members = {"header": np.frombuffer(text, dtype=np.uint8), **arrays}
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in members.items():
            # A fixed date: the bytes depend on the content alone.
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            with archive.open(info, "w", force_zip64=array.nbytes > 1 << 30) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)


def read_container(
    path: str | PathLike[str], kind: str, version: int
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Read a file that `write_container` wrote.

    Parameters
    ----------
    path : str or path
    kind : str
        Expected kind.
    version : int
        Newest version that the caller understands.

    Returns
    -------
    header : dict
        Also has "version".
    arrays : dict of str to array

    Raises
    ------
    CorruptFile
        If the file is damaged, of another format or kind, or of a newer version.
    OSError
        If the file cannot be opened.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            arrays = _read_members(file, size)
            text = arrays.pop("header")
            if text.dtype != np.uint8 or text.ndim != 1:
                raise CorruptFile("the header is not an array of bytes")
            header = json.loads(text.tobytes())
            if not isinstance(header, dict) or header.get("format") != FORMAT:
                raise CorruptFile("the header does not say that it is a file of this package")
        except (LinearRegionsError, *DAMAGE) as error:
            raise corrupt(path, error) from error
    found = header.get("version")
    if header.get("kind") != kind:
        raise CorruptFile(f"{os.fspath(path)}: expected a {kind}, got a {header.get('kind')!r}")
    if type(found) is not int or found < 1:
        raise CorruptFile(f"{os.fspath(path)}: impossible version {found!r}")
    if found > version:
        raise CorruptFile(
            f"{os.fspath(path)}: {kind} format version {found}, but this release reads up to "
            f"{version}; update linear-regions"
        )
    return header, arrays


def kind_of(path: str | PathLike[str]) -> str | None:
    """Return the kind of a file of this package, None if it is none.

    Raises
    ------
    OSError
        If the file cannot be opened.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            text = _read_members(file, size, only="header")["header"]
            header = json.loads(text.tobytes())
            kind = header["kind"] if header["format"] == FORMAT else None
        except (LinearRegionsError, *DAMAGE):
            return None
    return kind if isinstance(kind, str) else None


def _read_members(
    file: IO[bytes], size: int, only: str | None = None
) -> dict[str, npt.NDArray[Any]]:
    arrays: dict[str, npt.NDArray[Any]] = {}
    with zipfile.ZipFile(file) as archive:
        total, names = 0, archive.namelist()
        if "header.npy" not in names:
            found = ", ".join(sorted(names)[:3]) + (", ..." if len(names) > 3 else "")
            raise _Foreign(f"it has no header.npy, but {found or 'nothing'}; numpy.load reads it")
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            total += info.file_size
            if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
                raise CorruptFile(f"member {info.filename!r} is compressed")
            if total > size or name in arrays or name == info.filename:
                raise CorruptFile(f"member {info.filename!r} has an impossible size or name")
            if only is None or name == only:
                with archive.open(info) as member:
                    arrays[name] = _read_array(member.read(), info.filename)
    return arrays


def _read_array(data: bytes, name: str) -> npt.NDArray[Any]:
    if data[6:8] != b"\x01\x00":
        raise CorruptFile(f"member {name!r} has .npy version {data[6:8]!r}, expected 1.0")
    array = array_of(data, name)
    if not array.flags.c_contiguous:
        raise CorruptFile(f"member {name!r} is not a plain array in C order")
    return array
