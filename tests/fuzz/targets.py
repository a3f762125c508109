# SPDX-License-Identifier: MIT
"""The readers that are fuzzed: where their first files come from, how they change, what is read."""

from __future__ import annotations

import _thread
import contextlib
import hashlib
import io
import json
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

import linear_regions as lr
from linear_regions._architecture_text import read_architecture
from linear_regions._domain_files import read_slice
from linear_regions.cli import main

from . import core, folders, ledgers
from . import mutations as m

Mutation = Callable[[Random, bytes], bytes]


@dataclass(frozen=True)
class Target:
    """One reader: `seeds` makes valid files, `read` reads one from a file of the given name."""

    seeds: Callable[[], list[bytes]]
    mutate: Mutation
    read: Callable[[Path], object]
    name: str = "case"


@cache
def small_network(inputs: int = 2) -> lr.Network:
    rng = np.random.default_rng(3)
    return lr.Network(
        inputs,
        [
            lr.Affine(rng.normal(size=(3, inputs)), rng.normal(size=3)),
            lr.relu(),
            lr.Affine(rng.normal(size=(2, 3)), rng.normal(size=2)),
        ],
    )


def _convolutional() -> lr.Network:
    rng = np.random.default_rng(4)
    layers = [
        lr.Conv(rng.normal(size=(2, 1, 2, 2)), rng.normal(size=2), padding=1),
        lr.leaky_relu(0.5),
        lr.MaxPool(2),
        lr.Pad(((0, 1), (1, 0))),
        lr.AvgPool(2),
        lr.Flatten(),
    ]
    return lr.Network((1, 3, 3), layers, notes=["a note"])


def _written(write: Callable[[Path], object], name: str = "file") -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        write(path)
        return path.read_bytes()


# --- files of the package ------------------------------------------------------------------------


def _networks() -> list[bytes]:
    return [_written(net.save) for net in (small_network(), _convolutional())]


def _regions() -> list[bytes]:
    plane = lr.Slice(np.zeros(3), np.eye(3)[:2], lr.Box(-1.0, 1.0))
    return [
        _written(lr.regions(small_network(), lr.Box(-1.0, 1.0)).save),
        _written(lr.regions(small_network(3), plane).save),
        _written(lr.regions(small_network(3), lr.Box(-1.0, 1.0)).save),
    ]


def _read_regions(path: Path) -> None:
    table = lr.Regions.load(path)
    assert len(table) == len(table.patterns)
    assert repr(table)
    # What is read may be false, but asking about it must not go wrong in the core.
    for ask in (
        lambda: table.neighbours,
        lambda: table.volumes,
        lambda: table.affine_maps(),
        lambda: table.linear_regions(),
        lambda: [region.facets for region in table],
    ):
        with contextlib.suppress(lr.LinearRegionsError):
            ask()


def _resigned(change: Mutation) -> Mutation:
    """Return a mutation of a record's body whose checksum fits, most of the time."""

    def mutate(rng: Random, data: bytes) -> bytes:
        if rng.random() < 0.1:
            return m.mutate_bytes(rng, data)
        first, _, body = data.split(b"\n", 2)
        body = change(rng, body)
        return b"%s\n%s\n%s" % (first, hashlib.sha256(body).hexdigest().encode(), body)

    return mutate


def _record_body(rng: Random, body: bytes) -> bytes:
    size = int.from_bytes(body[:8], "little")
    text, arrays = body[8 : 8 + size], body[8 + size :]
    kind = rng.randrange(4)
    if kind == 0:
        arrays = m.mutate_bytes(rng, arrays)
    elif kind == 1:
        return m.mutate_bytes(rng, body)
    else:
        deep = rng.random() < 0.01
        text = (
            m.DEEP.encode() if deep else json.dumps(m.mutate_json(rng, json.loads(text))).encode()
        )
    return len(text).to_bytes(8, "little") + text + arrays


def _checkpoints() -> list[bytes]:
    def whole(path: Path) -> None:
        lr.count(small_network(), lr.Box(-1.0, 1.0), checkpoint=path)

    def limited(path: Path) -> None:
        lr.count(small_network(3), lr.Box(-1.0, 1.0), checkpoint=path, limit=2)

    def begun(path: Path) -> None:
        from linear_regions._checkpoint import Checkpoint
        from linear_regions._divisible import State
        from linear_regions._parts import Part, Search

        search = Search(small_network(3), lr.Box(-1.0, 1.0), "tree", True)
        cut = search.cut(Part.whole(), 0.2).rest
        Checkpoint(path, search).write(State(rest=cut))

    return [_written(whole), _written(limited), _written(begun)]


def _read_checkpoint(path: Path) -> None:
    before = path.read_bytes()
    for inputs, method in ((2, "auto"), (3, "auto"), (3, "tree")):
        path.write_bytes(before)
        with contextlib.suppress(lr.InvalidInput):
            lr.count(
                small_network(inputs),
                lr.Box(-1.0, 1.0),
                checkpoint=path,
                method=method,
                time_limit=2.0,
                threads=1,
            )


def _shards() -> list[bytes]:
    def part(number: int, n: int) -> Callable[[Path], object]:
        return lambda path: lr.count_shard(small_network(), shard=(number, n), out=path)

    return [_written(part(1, 1)), _written(part(1, 2))]


def _read_shard(path: Path) -> None:
    with contextlib.suppress(lr.InvalidInput):  # the other shards are missing
        lr.merge_counts([path])


# --- listings on disk ----------------------------------------------------------------------------


@cache
def _listing() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        lr.regions(small_network(), lr.Box(-1.0, 1.0), out=Path(folder, "out"))
        return {path.name: path.read_bytes() for path in Path(folder, "out").iterdir()}


def _read_listing(path: Path) -> None:
    for name, data in _listing().items():
        if name != path.name:
            Path(path.parent, name).write_bytes(data)
    folder = lr.load(path.parent)
    assert repr(folder)
    assert sum(len(table) for table in folder) == len(folder)
    folder.read()


# --- what others write ---------------------------------------------------------------------------

_VNNLIB = b"""; a property
(declare-const X_0 Real)
(declare-const X_1 Real)
(declare-const Y_0 Real)
(assert (and (>= X_0 -1.5e0) (<= X_0 1)))
(assert (or (and (<= X_1 0.5) (>= X_1 (- 2))) (<= X_1 -2) (= X_1 3)))
(assert (or (<= X_0 0.25) (>= X_0 0.5)))
(assert (>= Y_0 100))
"""
_WORDS = (
    *("(", ")", "X_0", "X_1", "Y_0", "X_999999999", "or", "and", "assert", "<=", ">=", "=", "-"),
    *('"', "|", ";", "\n", "declare-const", "Real", "1e309", "1" * 5000 + "x", "(" * 300, "\x00"),
)
_TABLE_WORDS = ("nan", "inf", "1/3", "1/0", "1_0", "#", ";", ",", "\n", "x", "1" * 5000, "-", "e")


def _text(words: tuple[str, ...]) -> Mutation:
    return lambda rng, data: m.mutate_text(rng, data, words)


def _read_vnnlib(path: Path) -> None:
    from linear_regions.vnnlib import read_vnnlib

    assert read_vnnlib(path)


def _slices() -> list[bytes]:
    points = np.eye(3)
    parts = {"origin": points[0], "directions": points[1:]}
    return [
        _written(lambda path: np.savez(path, points=points), "a.npz"),
        _written(lambda path: np.savez_compressed(path, **parts), "a.npz"),
    ]


def _arrangements() -> list[bytes]:
    def write(path: Path) -> None:
        np.savez(path, normals=np.eye(3), offsets=np.ones(3))

    return [_written(write, "a.npz")]


def _read_arrangement(path: Path) -> None:
    from linear_regions._commands_arrangement import read_arrangement

    read_arrangement(str(path))


def _archive_members(rng: Random, data: bytes) -> bytes:
    if rng.random() < 0.2:
        return m.mutate_bytes(rng, data)
    members = m.members_of(data)
    name = rng.choice(list(members))
    members[name] = m.mutate_npy(rng, members[name])
    return m.archive_of(members, rng.choice((0, 8, 12, 14)))


def _onnx_models() -> list[bytes]:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(1)

    def model(nodes: list, arrays: dict[str, np.ndarray], shape: list[int]) -> bytes:
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            nodes,
            "g",
            [value("x", TensorProto.FLOAT, shape)],
            [value("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(array, name) for name, array in arrays.items()],
        )
        opset = [helper.make_opsetid("", 13)]
        made: bytes = onnx.ModelProto.SerializeToString(
            helper.make_model(graph, opset_imports=opset, ir_version=7)
        )
        return made

    node = helper.make_node
    dense = [node("Gemm", ["x", "w", "b"], ["h"], transB=1), node("Relu", ["h"], ["y"])]
    w = rng.normal(size=(3, 2)).astype(np.float32)
    conv = [
        node("Conv", ["x", "k"], ["h"], pads=[1, 1, 1, 1], strides=[1, 1]),
        node("LeakyRelu", ["h"], ["r"], alpha=0.5),
        node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Reshape", ["p", "s"], ["y"]),
    ]
    k = rng.normal(size=(2, 1, 3, 3)).astype(np.float32)
    return [
        model(dense, {"w": w, "b": w[:, 0].copy()}, [1, 2]),
        model(conv, {"k": k, "s": np.array([1, -1])}, [1, 1, 4, 4]),
    ]


def _mutate_onnx(rng: Random, data: bytes) -> bytes:
    if rng.random() < 0.4:
        return m.mutate_bytes(rng, data)
    import onnx

    model = onnx.ModelProto.FromString(data)
    graph = model.graph
    node = rng.choice(graph.node)
    tensor = rng.choice(graph.initializer)
    number = rng.choice((*[n for n in m.HUGE if n < 2**63], -1, -3, 5))
    kind = rng.randrange(7)
    if kind == 0 and node.attribute:
        attribute = rng.choice(node.attribute)
        if attribute.ints:
            attribute.ints[rng.randrange(len(attribute.ints))] = number
        else:
            attribute.i, attribute.f = number, rng.choice((float("nan"), 1e38, -1.0))
    elif kind == 1:
        tensor.dims[rng.randrange(len(tensor.dims))] = number
    elif kind == 2:
        tensor.data_type = rng.randrange(24)
    elif kind == 3:
        ops = ("Relu", "Conv", "Tile", "Expand", "ConstantOfShape", "Pad", "Softmax", "Add", "Loop")
        node.op_type = rng.choice(ops)
    elif kind == 4 and node.input:
        names = ("x", "y", "w", "s", "k", "")
        node.input[rng.randrange(len(node.input))] = rng.choice(names)
    elif kind == 5:
        dims = graph.input[0].type.tensor_type.shape.dim
        dims[rng.randrange(len(dims))].dim_value = number
    else:
        tensor.raw_data = m.mutate_bytes(rng, tensor.raw_data)
    made: bytes = model.SerializeToString()
    return made


# --- bytes and lines -----------------------------------------------------------------------------


def _counters() -> list[bytes]:
    made = []
    signs = np.random.default_rng(2).integers(0, 2, (40, 5)).astype(bool)
    for sketch in ("exact", "hash", "hll"):
        counter = lr.PatternCounter(sketch=sketch)
        counter.update(np.where(signs, 1.0, -1.0))
        made.append(counter.to_bytes())
    return made


def _mutate_counter(rng: Random, data: bytes) -> bytes:
    from linear_regions._counter_bytes import _DIGEST, _START

    if rng.random() < 0.1:
        return m.mutate_bytes(rng, data)
    magic, version, size = _START.unpack_from(data)
    text = data[_START.size : _START.size + size]
    rest = data[_START.size + size : -_DIGEST]
    if rng.random() < 0.3:
        rest = m.mutate_bytes(rng, rest)
    else:
        text = json.dumps(m.mutate_json(rng, json.loads(text))).encode()
    body = _START.pack(magic, version, len(text)) + text + rest
    return body + hashlib.blake2b(body, digest_size=_DIGEST).digest()


def _read_counter(path: Path) -> None:
    counter = lr.PatternCounter.from_bytes(path.read_bytes())
    assert repr(counter)


_LINES = b'{"epoch": 0, "count": {"value": 3}}\n{"epoch": 1, "loss": 0.5}\n{"epoch": 1, "lo'
_LINE_WORDS = ('"epoch"', "NaN", "null", "[", "{", '"1"', "\n", "1e999", "true", m.DEEP, "\udc80")


def _mutate_lines(rng: Random, data: bytes) -> bytes:
    words = tuple(word for word in _LINE_WORDS if word != "\udc80")
    return m.mutate_text(rng, data, words)


def _read_lines(path: Path) -> None:
    for record in lr.Monitor.read(path):
        assert type(record["epoch"]) is int


# --- texts and arguments -------------------------------------------------------------------------

_ARCHITECTURES = (b"2,16,16,1", b"1,28,28:6k5,m2,16k5s2p1g2:120,10", b"3,8,8:4k3,m2s1p1")
_COMMANDS = (
    b"count\nnet.npz\n--box\n-1\n1\n--limit\n9",
    b"bounds\n--mlp\n2,8,8,1",
    b"bounds\n--arch\n1,8,8:4k3:10\n--activation\nrelu",
    b"max\n1,4,4\n--filters\n1\n--kernel\n2\n--method\nauto\n--time-limit\n0.2",
    b"expected\n--arch\n2,4,1\n--trials\n2\n--time-limit\n0.2",
    b"sample\nnet.npz\n-n\n50\n--box\n-1\n1\n--seed\n3",
    b"arrangement\nplanes.txt\n--box\n0\n1",
    b"compare\n2,8,1\n1,8,8:4k3:10\n--dense-twin\nunits",
    b"info\nnet.npz\n--json",
    b"regions\nnet.npz\n--limit\n3\n--json",
)
_ARGUMENTS = (
    *("0", "-1", "nan", "inf", "1e308", "1e-320", "", "x", ",", "2,,2", "9" * 30, "1,2,3", "1/2"),
    *("--json", "--box", "--limit", "--threads", "--seed", "--method", "tree", "cones", "auto"),
    *("net.npz", "planes.txt", "no such file", ".", "--what", "affine", "--alternative", "\u0660"),
)


def _read_architecture(path: Path) -> None:
    assert read_architecture(path.read_bytes().decode("latin-1")).n_units >= 0


def _mutate_arguments(rng: Random, data: bytes) -> bytes:
    parts = data.decode().split("\n")
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(parts))
        kind = rng.randrange(4)
        if kind == 0 and len(parts) > 1:
            del parts[at]
        elif kind == 1:
            parts.insert(at, rng.choice(_ARGUMENTS))
        else:
            parts[max(at, 1) % len(parts)] = rng.choice(_ARGUMENTS)
    return "\n".join(parts).encode()


def _read_arguments(path: Path) -> None:
    small_network().save(path.parent / "net.npz")
    (path.parent / "planes.txt").write_text("1 0 1\n0 1/3 2\n1 1 -1\n")
    arguments = path.read_bytes().decode().split("\n")
    written, errors = io.StringIO(), io.StringIO()
    # What would go on for long must end on Ctrl-C.
    stop = threading.Timer(4.0, _thread.interrupt_main)
    stop.start()
    try:
        with (
            contextlib.chdir(path.parent),
            contextlib.redirect_stdout(written),
            contextlib.redirect_stderr(errors),
        ):
            status = main(arguments)
    finally:
        stop.cancel()
    assert status in (0, 2, 3, 130), status
    assert status in (0, 130) or "error: " in errors.getvalue()
    assert "Traceback" not in errors.getvalue()


def _seeds(*texts: bytes) -> Callable[[], list[bytes]]:
    return lambda: list(texts)


TARGETS: dict[str, Target] = {
    "onnx": Target(_onnx_models, _mutate_onnx, lr.load, "case.onnx"),
    "vnnlib": Target(_seeds(_VNNLIB), _text(_WORDS), _read_vnnlib),
    "network": Target(_networks, m.mutate_archive, lr.Network.load, "case.npz"),
    "regions": Target(_regions, m.mutate_archive, _read_regions, "case.npz"),
    "checkpoint": Target(_checkpoints, _resigned(_record_body), _read_checkpoint),
    "ledger": Target(lambda: list(ledgers.states()), _resigned(_record_body), ledgers.read),
    "core-part": Target(core.part_seeds, core.mutate, core.read_part),
    "core-state": Target(core.state_seeds, core.mutate, core.read_state),
    "core-table": Target(core.table_seeds, core.mutate, core.read_table),
    "core-counter": Target(core.tally_seeds, core.mutate, core.read_tally),
    "core-text": Target(core.text_seeds, _text(core.TEXT_WORDS), core.read_text),
    "chamber-state": Target(folders.states, _resigned(_record_body), folders.read, "state"),
    "chamber-chunk": Target(folders.chunks, m.mutate_archive, folders.read, "chunk-000000.npz"),
    "shard": Target(_shards, _resigned(_record_body), _read_shard),
    "listing-state": Target(
        lambda: [_listing()["state"]], _resigned(_record_body), _read_listing, "state"
    ),
    "listing-chunk": Target(
        lambda: [_listing()["chunk-000000.npz"]],
        m.mutate_archive,
        _read_listing,
        "chunk-000000.npz",
    ),
    "counter": Target(_counters, _mutate_counter, _read_counter),
    "monitor": Target(_seeds(_LINES), _mutate_lines, _read_lines),
    "slice": Target(_slices, _archive_members, lambda p: read_slice(str(p), (3,)), "case.npz"),
    "slice-text": Target(
        _seeds(b"0,0,1\n0,1,0\n1 0 0\n"),
        _text(_TABLE_WORDS),
        lambda path: read_slice(str(path), (3,)),
        "case.csv",
    ),
    "arrangement": Target(_arrangements, _archive_members, _read_arrangement, "case.npz"),
    "arrangement-text": Target(
        _seeds(b"1 0 1\n0 1/3 2.5 # a line\n1,1,-1\n"), _text(_TABLE_WORDS), _read_arrangement
    ),
    "architecture": Target(
        _seeds(*_ARCHITECTURES),
        _text((":", ",", "k", "m", "p", "s", "g", "-1")),
        _read_architecture,
    ),
    "arguments": Target(_seeds(*_COMMANDS), _mutate_arguments, _read_arguments),
}


def files_of(corpus: Path, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield the kept cases of a target."""
    for path in sorted(Path(corpus, name).glob("*")):
        yield path.name, path.read_bytes()
