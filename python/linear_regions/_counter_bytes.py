# SPDX-License-Identifier: MIT
r"""Pattern counters as bytes: a version, JSON, arrays and a checksum; nothing is unpickled.

Layout, all integers little-endian::

    magic          8 bytes, b"LRCOUNT\0"
    version        2 bytes
    header size    4 bytes
    header         JSON: the options, and rows, number of keys and level of every tally
    arrays         of every tally in turn: keys and times of 8 bytes, registers of 1 byte
    checksum       16 bytes, BLAKE2b of everything before

Reading trusts nothing: the checksum finds damage, not malice, so every size is compared with the
bytes that are there before memory is taken, and the numbers must not contradict each other.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from .errors import CorruptFile

__all__ = ["VERSION", "Header", "Part", "read_counter", "write_counter"]

VERSION = 1
_MAGIC = b"LRCOUNT\0"
_START = struct.Struct("<8sHI")
_DIGEST = 16
_MOST_ROWS = 2**63 - 1
_MOST_BITS = 2**40

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Header:
    """Options and layout of a counter."""

    sketch: str
    counts: bool
    per_layer: bool
    hash_bits: int
    precision: int
    breakpoints: float | tuple[tuple[float, ...], ...]
    layer_bits: tuple[int, ...] | None
    pattern_bits: int | None

    def sizes(self) -> list[int]:
        """Bits of every tally: the network's, then those of the layers."""
        if self.pattern_bits is None:
            return []
        return [self.pattern_bits, *((self.layer_bits or ()) if self.per_layer else ())]

    def key_words(self, bits: int) -> int:
        """Return the number of words of a key."""
        if self.sketch == "exact":
            return (bits + 63) // 64
        return 2 if self.sketch == "hash" and self.hash_bits == 128 else 1

    @property
    def has_times(self) -> bool:
        """Whether every key has its number of occurrences."""
        return self.sketch != "hash" or self.counts

    @property
    def registers(self) -> int:
        """Number of registers of a tally."""
        return 1 << self.precision if self.sketch == "hll" else 0


@dataclass(frozen=True)
class Part:
    """What one tally holds."""

    rows: int
    keys: Words
    times: Words
    registers: npt.NDArray[np.uint8]
    level: int

    def into(self, tally: _core.PatternTally) -> None:
        """Add it to a tally."""
        tally.absorb(self.rows, self.keys, self.times, self.registers, self.level)


def write_counter(header: Header, parts: list[Part]) -> bytes:
    """Return the bytes of a counter."""
    fields: dict[str, Any] = {**header.__dict__}
    fields["tallies"] = [
        {"rows": part.rows, "keys": len(part.times), "level": part.level} for part in parts
    ]
    text = json.dumps(fields, separators=(",", ":")).encode()
    pieces = [_START.pack(_MAGIC, VERSION, len(text)), text]
    for part in parts:
        pieces.append(part.keys.astype("<u8").tobytes())
        if header.has_times:
            pieces.append(part.times.astype("<u8").tobytes())
        pieces.append(part.registers.tobytes())
    body = b"".join(pieces)
    return body + hashlib.blake2b(body, digest_size=_DIGEST).digest()


def read_counter(data: bytes) -> tuple[Header, list[Part]]:
    """Return options and contents of a counter.

    Raises
    ------
    TypeError
        If it is not bytes.
    CorruptFile
        If the bytes are damaged, of another format or version, or contradict themselves.
    """
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"expected bytes, got {type(data).__name__}")
    data = bytes(data)
    if len(data) < _START.size + _DIGEST or data[: len(_MAGIC)] != _MAGIC:
        raise CorruptFile("these are no bytes of a PatternCounter, or they are cut short")
    _, version, size = _START.unpack_from(data)
    body, digest = data[:-_DIGEST], data[-_DIGEST:]
    if version > VERSION:
        raise CorruptFile(f"version {version} of the format is newer than this package's {VERSION}")
    if hashlib.blake2b(body, digest_size=_DIGEST).digest() != digest:
        raise CorruptFile("the checksum does not fit: the bytes are damaged")
    if version != VERSION or size > len(body) - _START.size:
        raise CorruptFile("the header does not fit the bytes")
    try:
        fields = json.loads(body[_START.size : _START.size + size].decode())
        header = _header(fields)
        tallies = [_tally_fields(entry) for entry in fields["tallies"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CorruptFile(f"the header cannot be read: {error}") from None
    return header, _parts(header, tallies, memoryview(body)[_START.size + size :])


def _need(condition: object, what: str) -> None:
    if not condition:
        raise CorruptFile(f"the counter contradicts itself: {what}")


def _whole(value: object, low: int, high: int, what: str) -> int:
    if type(value) is not int or not low <= value <= high:
        raise CorruptFile(f"{what} must be {low} to {high}")
    return value


def _header(fields: dict[str, Any]) -> Header:
    _need(isinstance(fields, dict), "no header")
    _need(fields["sketch"] in ("exact", "hash", "hll"), "sketch")
    _need(type(fields["counts"]) is bool and type(fields["per_layer"]) is bool, "flags")
    _need(fields["hash_bits"] in (64, 128), "hash_bits")
    precision = _whole(fields["precision"], 4, 18, "precision")
    total, layers = fields["pattern_bits"], fields["layer_bits"]
    if total is not None:
        _whole(total, 0, _MOST_BITS, "pattern_bits")
    if layers is not None:
        layers = tuple(_whole(bits, 0, _MOST_BITS, "layer_bits") for bits in layers)
        _need(sum(layers) == total, "bits of the layers")
    _need(layers is not None or total is None or not fields["per_layer"], "layers without bits")
    return Header(
        sketch=fields["sketch"],
        counts=fields["counts"],
        per_layer=fields["per_layer"],
        hash_bits=int(fields["hash_bits"]),
        precision=precision,
        breakpoints=_breakpoints(fields["breakpoints"]),
        layer_bits=layers,
        pattern_bits=total,
    )


def _breakpoints(value: object) -> float | tuple[tuple[float, ...], ...]:
    if isinstance(value, float):
        _need(math.isfinite(value), "breakpoints")
        return value
    _need(isinstance(value, list), "breakpoints")
    assert isinstance(value, list)
    for row in value:
        _need(isinstance(row, list) and row, "breakpoints")
        _need(all(isinstance(b, float) and math.isfinite(b) for b in row), "breakpoints")
        _need(all(a < b for a, b in pairwise(row)), "breakpoints")
    return tuple(tuple(row) for row in value)


def _tally_fields(entry: dict[str, Any]) -> tuple[int, int, int]:
    return (
        _whole(entry["rows"], 0, _MOST_ROWS, "rows"),
        _whole(entry["keys"], 0, _MOST_ROWS, "keys"),
        _whole(entry["level"], 0, 63, "level"),
    )


def _parts(header: Header, tallies: list[tuple[int, int, int]], payload: memoryview) -> list[Part]:
    sizes = header.sizes()
    _need(len(tallies) == len(sizes), "number of tallies")
    lengths = [
        8 * n * (header.key_words(bits) + header.has_times) + header.registers
        for (_, n, _), bits in zip(tallies, sizes, strict=True)
    ]
    _need(sum(lengths) == len(payload), "sizes of the arrays")
    # Keys without words take no bytes: their number must not decide how much memory is taken.
    for (rows, n, _), bits in zip(tallies, sizes, strict=True):
        _need(n <= rows and (header.key_words(bits) > 0 or n <= 1), "more patterns than rows")
    parts, at = [], 0
    for (rows, n, level), bits, length in zip(tallies, sizes, lengths, strict=True):
        parts.append(_part(header, rows, n, level, bits, payload[at : at + length]))
        at += length
    return parts


def _part(header: Header, rows: int, n: int, level: int, bits: int, data: memoryview) -> Part:
    words = header.key_words(bits)
    numbers = np.frombuffer(data, dtype="<u8", count=n * (words + header.has_times))
    keys = numbers[: n * words].astype(np.uint64).reshape(n, words)
    times = numbers[n * words :].astype(np.uint64)
    registers = np.frombuffer(data, dtype=np.uint8, offset=numbers.nbytes)
    _need(_increasing(keys), "keys out of order")
    if header.sketch == "exact":
        _need(not _core.has_loose_bits(keys, bits), "bits behind the last sign")
    if header.has_times:
        _need((times >= 1).all(), "a pattern that was never met")
        met = _total(times)
        _need(met == rows if level == 0 else met <= rows, "frequencies and rows")
    else:
        times = np.ones(n, dtype=np.uint64)
        _need((n > 0) == (rows > 0), "rows without a pattern")
    if header.sketch == "hll":
        _need(n <= _core.sample_size, "a sample that is too large")
        _need((registers <= 65 - header.precision).all(), "a register out of range")
        mask = np.uint64((1 << level) - 1)
        _need(not (keys & mask).any(), "a hash above the level of its sample")
    else:
        _need(level == 0, "level")
    return Part(rows, keys, times, registers.copy(), level)


def _increasing(keys: Words) -> bool:
    """Tell whether rows increase strictly in the order of their words."""
    before, after = keys[:-1], keys[1:]
    decided = np.zeros(len(before), dtype=np.bool_)
    for column in range(keys.shape[1]):
        a, b = before[:, column], after[:, column]
        if (~decided & (a > b)).any():
            return False
        decided |= a < b
    return bool(decided.all())


def _total(times: Words) -> int:
    """Return the sum, which may exceed 64 bits."""
    low = int((times & np.uint64(0xFFFFFFFF)).sum())
    return low + (int((times >> np.uint64(32)).sum()) << 32)
