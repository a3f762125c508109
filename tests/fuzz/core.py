# SPDX-License-Identifier: MIT
"""Raw bytes into what the core reads: parts of searches, states of calls, counters, tables.

The Python readers check most of this before the core sees it; here nothing does. A case is the
number of a call, then its arrays: element type, number of axes, lengths, bytes. Every text of bytes
means something, so no case is lost to a format.
"""

from __future__ import annotations

import inspect
import struct
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np

import linear_regions as lr
from linear_regions import _core, _ledger, _part_runs
from linear_regions._frame import domain_frame
from linear_regions._lower import frame_of, program
from linear_regions._parts import Part, Search

from . import ledgers
from .mutations import HUGE, mutate_bytes

Arrays = tuple[np.ndarray, ...]
_TYPES = ("<u8", "<f8", "<u4", "<i8", "<i4", "|u1")
_REFUSALS = (ValueError, OverflowError, TypeError, _core.ForeignPart, _core.ForeignChamberPart)
_SECONDS = 1.0
TEXT_WORDS = ("0", "-", "0x", "-0x1", "g", "+1", " ", "1e9", "f" * 3000, "\n", "9" * 4000, "\x00")
_LARGEST = np.array([float(x) for x in HUGE if x > 0] + [float("nan"), float("inf"), 1e308])


# --- bytes ---------------------------------------------------------------------------------------


def packed(call: int, arrays: Sequence[Any]) -> bytes:
    """Return a case."""
    out = [bytes([call, len(arrays)])]
    for value in arrays:
        array = np.ascontiguousarray(value)
        kind = next(i for i, name in enumerate(_TYPES) if array.dtype == np.dtype(name))
        out.append(bytes([kind, array.ndim]) + struct.pack(f"<{array.ndim}H", *array.shape))
        out.append(array.tobytes())
    return b"".join(out)


def unpacked(data: bytes) -> tuple[int, Arrays]:
    """Return the call and the arrays that some bytes mean; what is missing is empty."""
    call, n, rest = data[:1], data[1:2], data[2:]
    arrays = []
    for _ in range(n[0] % 16 if n else 0):
        kind = np.dtype(_TYPES[rest[0] % len(_TYPES)]) if rest else np.dtype("<u8")
        axes = rest[1] % 4 if len(rest) > 1 else 0
        head, rest = rest[2 : 2 + 2 * axes].ljust(2 * axes, b"\0"), rest[2 + 2 * axes :]
        shape = struct.unpack(f"<{axes}H", head)
        size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        body, rest = rest[:size], rest[size:]
        if len(body) == size:
            arrays.append(np.frombuffer(body, kind).reshape(shape).copy())
        else:
            whole = body[: len(body) // kind.itemsize * kind.itemsize]
            arrays.append(np.frombuffer(whole, kind).copy())
    return (call[0] if call else 0), tuple(arrays)


def mutate(rng: Random, data: bytes) -> bytes:
    """Change entries, lengths and types of the arrays, or bytes."""
    if rng.random() < 0.2:
        return mutate_bytes(rng, data)
    call, arrays = unpacked(data)
    changed = list(arrays)
    for _ in range(rng.choice((1, 1, 2, 4))):
        if not changed:
            break
        i = rng.randrange(len(changed))
        array = changed[i]
        kind = rng.randrange(6)
        if kind < 3 and array.size:
            _change_entry(rng, array)
        elif kind == 3 and array.ndim:
            keep = rng.randrange(array.shape[0] + 1)
            changed[i] = array[:keep]
        elif kind == 4 and array.ndim and array.shape[0] < 1000:
            changed[i] = np.concatenate([array, array[: rng.randrange(array.shape[0] + 1)]])
        elif kind == 5 and rng.random() < 0.3:
            changed[i] = array.reshape(-1)
        elif array.ndim and array.shape[0] > 1:
            a, b = rng.randrange(array.shape[0]), rng.randrange(array.shape[0])
            array[[a, b]] = array[[b, a]]
    return packed(call, changed)


def _change_entry(rng: Random, array: np.ndarray) -> None:
    flat, at = array.reshape(-1), rng.randrange(array.size)
    with np.errstate(all="ignore"):
        if array.dtype.kind == "f":
            flat[at] = rng.choice((0.0, -1.0, 0.5, 2 * flat[at], *_LARGEST.tolist()))
        else:
            old, bits = int(flat[at]), 8 * array.itemsize
            new = rng.choice((old + 1, old - 1, old ^ 1 << rng.randrange(bits), *HUGE)) % 2**bits
            flat[at] = np.array([new], np.uint64).astype(array.dtype)[0]


# --- calls ---------------------------------------------------------------------------------------


def _network(inputs: int) -> lr.Network:
    rng = np.random.default_rng(5)
    layers: list[lr.Layer] = []
    for n_in, n_out in ((inputs, 5), (5, 4), (4, 2)):
        layers += [lr.Affine(rng.normal(size=(n_out, n_in)), rng.normal(size=n_out)), lr.relu()]
    return lr.Network(inputs, layers[:-1])


_BOX = lr.Box(-1.0, 1.0)


@cache
def _engines() -> list[tuple[Any, Any, Any, list[bytes]]]:
    found = []
    for inputs, method in ((2, "polygons"), (3, "cones"), (3, "tree")):
        net = _network(inputs)
        search = Search(net, _BOX, method, True)
        cut = search.cut(Part.whole(), 0.1).rest
        arrays = (cut.lengths, cut.children, cut.weights, cut.names)
        core = {
            "polygons": _core.search_planar,
            "cones": _core.search_cones,
            "tree": _core.search_tree,
        }
        found.append((core[method], program(net), search._place, arrays))
    return found


def part_seeds() -> list[bytes]:
    """Return parts of searches by every engine, and the whole."""
    whole = (np.zeros(1, "<u4"), np.zeros(0, "<u4"), np.ones(1), np.zeros(1, "<u8"))
    cuts = [arrays for _, _, _, arrays in _engines()]
    return [packed(i, arrays) for i, cut in enumerate(cuts) for arrays in (cut, whole)]


def read_part(path: Path) -> None:
    """Search a part."""
    call, arrays = unpacked(path.read_bytes())
    core, tape, place, _ = _engines()[call % 3]
    listed, wide, faces = bool(call >> 2 & 1), bool(call >> 3 & 1), not call >> 4 & 1
    rest = (True, arrays[:4], listed, faces, wide, 1, None, _SECONDS, None, None, None)
    _refused(lambda: core(tape, place, *rest))


@cache
def _states() -> tuple[list[Callable[[Any], Any]], list[bytes]]:
    """Return calls of the core that go on from a state, and states that they have saved."""
    names = ("sign_tree_count", "count_flats", "count_frontier", "count_filter_tuples")
    calls: list[Callable[[Any], Any]] = []
    seeds: list[bytes] = []

    def watched(real: Any) -> Any:
        text = inspect.getdoc(real) or ""
        assert "start" in text

        def call(*args: Any, **kwargs: Any) -> Any:
            states: list[Any] = []
            save = kwargs.get("save")

            def keep(state: Any) -> None:
                states.append(state["rest"] if isinstance(state, dict) else state)
                save(state)

            if save is not None:
                kwargs = {**kwargs, "save": keep, "every": 1e-4}
            answer = real(*args, **kwargs)
            if states:
                number = len(calls)
                plain = {k: v for k, v in kwargs.items() if k not in ("save", "start", "every")}
                if "time_limit" in plain:
                    plain = {**plain, "time_limit": _SECONDS, "poll": None}
                else:
                    args = (*args[:-2], _SECONDS, None)
                calls.append(lambda start: real(*args, **plain, start=start))
                seeds.extend(packed(number, states[k]) for k in {0, len(states) // 2, -1})
            return answer

        return call

    with ExitStack() as patches:
        for name in names:
            patches.enter_context(mock.patch.object(_core, name, watched(getattr(_core, name))))
        for module, name, value in (
            (_ledger, "SAVE_SECONDS", 0.002),
            (_part_runs, "SLICE_SECONDS", 0.002),
            (_ledger, "_SHARE_OF_SAVING", 1.0),
        ):
            patches.enter_context(mock.patch.object(module, name, value))
        folder = patches.enter_context(TemporaryDirectory())
        for name, call in ledgers.calls().items():
            call(Path(folder, name))
    assert calls
    return calls, seeds


def state_seeds() -> list[bytes]:
    """Return states of trees, recursions, frontiers and filter tables."""
    return _states()[1]


def read_state(path: Path) -> None:
    """Go on from a state."""
    call, arrays = unpacked(path.read_bytes())
    calls = _states()[0]
    _refused(lambda: calls[call % len(calls)](arrays))


def tally_seeds() -> list[bytes]:
    """Return the contents of counters of every kind."""
    words = np.random.default_rng(6).integers(0, 9, (50, 2)).astype(np.uint64)
    seeds = []
    for sketch in range(4):
        tally = _core.PatternTally(2, sketch, True, 5)
        tally.insert(words)
        found = tally.contents()
        scalars = np.array([found["rows"], found["level"]], np.uint64)
        seeds.append(
            packed(sketch, [scalars, found["keys"], found["times"], found["registers"], words])
        )
    return seeds


def read_tally(path: Path) -> None:
    """Take contents up, and use the counter."""
    call, arrays = unpacked(path.read_bytes())
    empty: Arrays = (np.zeros(2, np.uint64), *[np.zeros(0, np.uint64)] * 4)
    scalars, keys, times, registers, words = (*arrays[:5], *empty[len(arrays[:5]) :])
    numbers = [int(x) for x in scalars.reshape(-1)[:2].tolist() if abs(x) < 2**63]
    rows, level = (*numbers, 0, 0)[:2]

    def use() -> None:
        tally = _core.PatternTally(2, call % 4, bool(call >> 2 & 1), 5)
        tally.absorb(rows, keys, times, registers, level % 2**32)
        tally.insert(words)
        tally.frequencies()
        assert tally.distinct() >= 0
        again = tally.contents()
        assert tally.memory_bytes() < 2**30
        other = _core.PatternTally(2, call % 4, bool(call >> 2 & 1), 5)
        other.absorb(
            again["rows"], again["keys"], again["times"], again["registers"], again["level"]
        )

    _refused(use)


@cache
def _table() -> lr.Regions:
    return lr.regions(_network(3), _BOX)


_ASKED = 6


def table_seeds() -> list[bytes]:
    """Return the columns of a small table."""
    c = _table().columns
    arrays = [
        c.patterns, c.facet_offsets, c.facet_labels, c.vertices, c.vertex_offsets,
        c.corner_offsets, c.corners,
    ]  # fmt: skip
    # The last two calls know units, and no sides of the domain.
    known = c.facet_labels[c.facet_labels[:, 0] >= 0]
    arrays_of_units = list(arrays)
    arrays_of_units[2] = np.where(c.facet_labels[:, :1] >= 0, c.facet_labels, known[0])
    return [packed(i, arrays if i < _ASKED - 2 else arrays_of_units) for i in range(_ASKED)]


def read_table(path: Path) -> None:
    """Ask the core about a table."""
    call, arrays = unpacked(path.read_bytes())
    if len(arrays) < 7:
        raise lr.InvalidInput("columns are missing")
    patterns, offsets, labels, vertices, vertex_offsets, corner_offsets, corners = arrays[:7]
    net = _network(3)
    tape, frame = program(net), frame_of(domain_frame(_BOX, net.input_shape))
    facets = np.arange(3)
    row = patterns.reshape(-1)[:1]
    asked: list[Callable[[], object]] = [
        lambda: _core.facet_mates(patterns, offsets, labels),
        lambda: _core.sizes(vertices, vertex_offsets, offsets, corner_offsets, corners, None),
        lambda: _core.sizes(vertices, vertex_offsets, offsets, corner_offsets, corners, facets),
        lambda: _core.map_classes(tape, frame, patterns, None),
        lambda: _core.facet_rows(tape, frame, patterns, offsets, labels),
        lambda: (_core.cell_labels(tape, row),),
    ]
    assert len(asked) == _ASKED
    _refused(asked[call % _ASKED])


def text_seeds() -> list[bytes]:
    """Return exact numbers as the core gets them."""
    return [b"3\n1f\n-2\n0\n123456789abcdef0123\n1", b"-1\n2\n7\n-3\n0\n5"]


def read_text(path: Path) -> None:
    """Read integers of any size as the entries of hyperplanes, and of a domain."""
    texts = path.read_bytes().decode("latin-1").split("\n")
    six = (texts + ["1"] * 6)[:6]
    value = np.array([[1.0, 2.0, -1.0], [0.0, 1.0, 1.0]])

    def use() -> None:
        planes = _core.Hyperplanes(value, six)
        none = _core.Hyperplanes(np.zeros((0, 3)))
        _core.sign_tree_count(planes, none, True, 1, None, _SECONDS, None)

    _refused(use)


def _refused(call: Callable[[], object]) -> None:
    try:
        call()
    except _REFUSALS as error:
        raise lr.InvalidInput(f"the core refuses it: {error}") from error
