# SPDX-License-Identifier: MIT
"""Files: round trips, and damaged or hostile files of every kind."""

from __future__ import annotations

import io
import json
import stat
import zipfile

import numpy as np
import pytest

from linear_regions import _npz
from linear_regions.errors import CorruptFile
from linear_regions.layers import (
    Add,
    Affine,
    AvgPool,
    Concat,
    Conv,
    Flatten,
    Maxout,
    MaxPool,
    Pad,
    Permute,
    Pointwise,
    Reshape,
    Scale,
    relu,
)
from linear_regions.network import Network


@pytest.fixture
def net():
    rng = np.random.default_rng(5)
    return Network(
        (2, 4, 5),
        [
            Conv(rng.normal(size=(4, 1, 2, 3)), stride=(1, 2), padding=((1, 0), (0, 2)), groups=2),
            Pointwise(rng.normal(size=(4, 1)), rng.normal(size=(4, 2)), rng.normal(size=4)),
            Pad(((0, 1), (1, 0)), value=0.1),
            MaxPool(2, stride=1, padding=1, dilation=1, ceil_mode=True),
            AvgPool((2, 1), stride=1, count_include_pad=False),
            Scale(rng.normal(size=4), rng.normal(size=4)),
            Permute((0, 2, 1)),
            Concat((7,)),
            Maxout(2),
            Add(7),
            Reshape((4, -1)),
            Flatten(),
            Affine(rng.normal(size=(3, 100))),
            relu(input=13),
        ],
        notes=["rounded", "Ünïcode"],
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.npz"


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def rewrite(path, change, compression=zipfile.ZIP_STORED):
    """Write the archive again with `change` applied to its members."""
    parts = members(path)
    change(parts)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def npy(array):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array)
    return stream.getvalue()


def change_header(path, change):
    def edit(parts):
        header = json.loads(np.load(io.BytesIO(parts["header.npy"])).tobytes())
        change(header)
        parts["header.npy"] = npy(np.frombuffer(json.dumps(header).encode(), np.uint8))

    rewrite(path, edit)


def test_round_trip_keeps_every_bit_and_the_notes(net, path):
    net.save(path)
    twin = Network.load(path)
    assert twin == net
    assert twin.notes == net.notes
    assert twin.shapes == net.shapes
    for ours, theirs in zip(net.layers, twin.layers, strict=True):
        assert repr(ours) == repr(theirs)
        if isinstance(ours, Affine):
            assert ours.weight.tobytes() == theirs.weight.tobytes()
            assert theirs.weight.flags.owndata


def test_the_name_is_used_as_it_is_and_the_file_is_replaced(net, tmp_path):
    path = tmp_path / "weights"
    net.save(str(path))
    first = path.read_bytes()
    net.save(path)
    assert path.read_bytes() == first  # the same content gives the same bytes
    assert [file.name for file in tmp_path.iterdir()] == ["weights"]


def test_file_has_the_rights_of_any_new_file(net, tmp_path, path):
    net.save(path)
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_numpy_opens_the_file(net, path):
    net.save(path)
    with np.load(path, allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["layer0.weight"], net.layers[0].weight)


def test_failed_write_leaves_the_old_file(net, path, monkeypatch):
    net.save(path)
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(np.lib.format, "write_array", fail)
    with pytest.raises(OSError, match="disk full"):
        net.save(path)
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 1


def test_saving_something_else_is_a_type_error(path):
    with pytest.raises(TypeError, match="Network"):
        _npz.save([1, 2], path)


def test_missing_file_is_no_corrupt_file(path):
    with pytest.raises(FileNotFoundError):
        Network.load(path)


def test_every_truncation_is_found(net, path):
    net.save(path)
    data = path.read_bytes()
    for size in [*range(0, len(data), 97), len(data) - 1]:
        path.write_bytes(data[:size])
        with pytest.raises(CorruptFile):
            Network.load(path)


def test_no_changed_byte_gives_another_network_in_silence(net, path):
    net.save(path)
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for position in rng.choice(len(data), 300, replace=False):
        changed = bytearray(data)
        changed[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        try:
            twin = Network.load(path)
        except CorruptFile:
            continue
        assert twin == net  # a byte without meaning, such as a date
        assert twin.notes == net.notes


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header.update(format="other"),
        lambda header: header.update(kind="regions"),
        lambda header: header.update(version="1"),
        lambda header: header.update(version=0),
        lambda header: header.update(version=True),
        lambda header: header.pop("version"),
        lambda header: header.pop("layers"),
        lambda header: header.update(layers={}),
        lambda header: header.update(layers=3),
        lambda header: header.update(notes="text"),
        lambda header: header.update(notes=[1]),
        lambda header: header.update(input_shape=[2, 4, 9]),
        lambda header: header.update(input_shape=None),
        lambda header: header["layers"].pop(),
        lambda header: header["layers"].pop(0),
        lambda header: header["layers"][0].update(kind="Layer"),
        lambda header: header["layers"][0].update(kind=["Conv"]),
        lambda header: header["layers"][0].update(extra=1),
        lambda header: header["layers"][0].pop("stride"),
        lambda header: header["layers"][0].update(stride="2"),
        lambda header: header["layers"][0].update(groups=3),
        lambda header: header["layers"][0].update(input=1),
        lambda header: header["layers"][2].update(value=[1.0]),
        lambda header: header["layers"][7].update(slots=[99]),
        lambda header: header["layers"].append(7),
    ],
)
def test_wrong_headers_are_found(net, path, change):
    net.save(path)
    change_header(path, change)
    with pytest.raises(CorruptFile, match=str(path)):
        Network.load(path)


def test_newer_version_says_what_to_do(net, path):
    net.save(path)
    change_header(path, lambda header: header.update(version=99))
    with pytest.raises(CorruptFile, match=r"version 99, .* up to 1; update linear-regions"):
        Network.load(path)


def short_claim(array_bytes):
    """Make a header claim a shape of 2^60 numbers."""
    text = "{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846976,), }"
    text = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + array_bytes


@pytest.mark.parametrize(
    "change",
    [
        lambda parts: parts.pop("header.npy"),
        lambda parts: parts.pop("layer0.weight.npy"),
        lambda parts: parts.update({"layer99.weight.npy": npy(np.ones(2))}),
        lambda parts: parts.update({"readme.txt": b"text"}),
        lambda parts: parts.update({"header.npy": npy(np.ones(3))}),
        lambda parts: parts.update({"header.npy": npy(np.frombuffer(b"[1, 2", np.uint8))}),
        lambda parts: parts.update({"header.npy": npy(np.frombuffer(b"[" * 10**6, np.uint8))}),
        lambda parts: parts.update({"header.npy": npy(np.frombuffer(b"[1]", np.uint8))}),
        lambda parts: parts.update({"header.npy": npy(np.frombuffer(b"\xff\xfe", np.uint8))}),
        lambda parts: parts.update({"layer0.bias.npy": b""}),
        lambda parts: parts.update({"layer0.bias.npy": b"no array at all"}),
        lambda parts: parts.update({"layer0.bias.npy": npy(np.ones(4, np.float32))}),
        lambda parts: parts.update({"layer0.bias.npy": npy(np.ones(5))}),
        lambda parts: parts.update({"layer0.bias.npy": npy(np.full(4, np.nan))}),
        lambda parts: parts.update({"layer0.bias.npy": npy(np.ones(4)) + b"tail"}),
        lambda parts: parts.update({"layer0.bias.npy": npy(np.array([None], object))}),
        lambda parts: parts.update({"layer0.bias.npy": short_claim(b"12345678")}),
    ],
)
def test_wrong_members_are_found(net, path, change):
    net.save(path)
    rewrite(path, change)
    with pytest.raises(CorruptFile):
        Network.load(path)


def test_compressed_members_are_refused(net, path):
    # A compressed member could claim more bytes than the file has.
    net.save(path)
    rewrite(path, lambda parts: None, zipfile.ZIP_DEFLATED)
    with pytest.raises(CorruptFile, match="compressed"):
        Network.load(path)


def test_repeated_member_is_refused(net, path):
    net.save(path)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("layer0.bias.npy", npy(np.ones(4)))
    with pytest.raises(CorruptFile, match=r"layer0\.bias"):
        Network.load(path)


def test_kind_of_a_file(net, path):
    net.save(path)
    assert _npz.kind_of(path) == "network"
    np.savez(path, a=np.ones(3))
    assert _npz.kind_of(path) is None
    path.write_bytes(b"plain text")
    assert _npz.kind_of(path) is None


def test_containers_of_another_kind_share_the_format(path):
    arrays = {"words": np.arange(6, dtype=np.uint64).reshape(2, 3), "flag": np.array(True)}
    _npz.write_container(path, "regions", 3, {"note": "x"}, arrays)
    header, back = _npz.read_container(path, "regions", 3)
    assert (header["note"], header["version"]) == ("x", 3)
    assert {name: (a.dtype, a.tolist()) for name, a in back.items()} == {
        name: (a.dtype, a.tolist()) for name, a in arrays.items()
    }
    with pytest.raises(CorruptFile, match="expected a network, got a 'regions'"):
        Network.load(path)
