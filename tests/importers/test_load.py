# SPDX-License-Identifier: MIT
"""The choice of the importer, our own files, and importers of other packages."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from linear_regions.errors import CorruptFile, InvalidInput, Unsupported
from linear_regions.importers import load, save
from linear_regions.layers import Affine, relu
from linear_regions.network import Network

NET = Network(2, [Affine([[1.0, 2.0]], [0.5]), relu()], notes=["made here"])


def test_network_is_returned_as_it_is():
    assert load(NET) is NET


@pytest.mark.parametrize("name", ["net.npz", "net.NPZ", "net", "net.dat"])
def test_saved_network_comes_back_whatever_its_name(name, tmp_path):
    path = tmp_path / name
    save(NET, path)
    for source in (path, str(path)):
        back = load(source)
        assert back == NET
        assert back.notes == NET.notes


def test_input_shape_is_compared_with_the_file(tmp_path):
    save(NET, tmp_path / "net.npz")
    assert load(tmp_path / "net.npz", input_shape=2) == NET
    with pytest.raises(InvalidInput, match=r"expected input_shape=\(3,\), the file has \(2,\)"):
        load(tmp_path / "net.npz", input_shape=3)


def test_foreign_npz_is_corrupt(tmp_path):
    np.savez(tmp_path / "arrays.npz", a=np.ones(3))
    with pytest.raises(CorruptFile):
        load(tmp_path / "arrays.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(CorruptFile):
        load(tmp_path / "text.npz")


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".pt2", ".ckpt"])
def test_pickles_of_torch_are_not_opened(suffix, tmp_path):
    path = tmp_path / f"model{suffix}"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", b"x")
    with pytest.raises(Unsupported, match=r"may hold code.*load\(module, input_shape=\.\.\.\)"):
        load(path)


def test_unknown_files_and_objects_name_what_is_read(tmp_path):
    (tmp_path / "model.txt").write_text("x")
    with pytest.raises(Unsupported, match=r"model\.txt: unknown kind of file; expected an \.onnx"):
        load(tmp_path / "model.txt")
    (tmp_path / "box.vnnlib").write_text("x")
    with pytest.raises(Unsupported, match=r"box\.vnnlib: a property.*read_vnnlib.*--vnnlib"):
        load(tmp_path / "box.vnnlib")
    with pytest.raises(FileNotFoundError, match=r"none\.txt"):
        load(tmp_path / "none.txt")
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.npz")
    for wrong in (None, 3, {"a": 1}, np.ones((2, 2)), lambda x: x):
        with pytest.raises(TypeError, match="cannot read a network from"):
            load(wrong)


def test_save_refuses_what_it_cannot_write(tmp_path):
    class Foreign:
        def save(self, path):
            raise AssertionError("must not be called")

    for wrong in (None, [1], Foreign(), Network, NET.layers):
        with pytest.raises(TypeError, match="cannot save"):
            save(wrong, tmp_path / "x.npz")


class Plugin:
    """An importer of another package, which reads dictionaries."""

    name = "plugin"
    seen: dict[str, object]

    def accepts(self, source):
        return isinstance(source, dict)

    def load(self, source, **options):
        Plugin.seen = options
        return NET


class Entry:
    name = "entry"

    def __init__(self, result):
        self.result = result

    def load(self):
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.mark.parametrize("registered", [Plugin, Plugin()])
def test_importers_of_entry_points_are_asked_after_ours(registered, monkeypatch):
    asked = []

    def entry_points(group):
        asked.append(group)
        return [Entry(ImportError("broken")), Entry(registered)]

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    assert load({}, input_shape=3, fold=False) is NET
    assert asked == ["linear_regions.importers"]
    assert Plugin.seen == {
        "input_shape": 3,
        "activation": "relu",
        "fold": False,
        "drop_output": False,
    }
    load([([[1.0]], None)])
    assert len(asked) == 1
    with pytest.raises(TypeError, match=r"importer 'entry' cannot be loaded: broken"):
        load(3)


def test_importing_the_importers_imports_no_framework():
    code = (
        "import sys, linear_regions.importers as i; i.load([([[1.0]], None)]);"
        "sys.exit(any(name in sys.modules for name in ('torch', 'onnx')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_activation_is_refused_for_models_that_have_their_own(tmp_path):
    with pytest.raises(InvalidInput, match="has its own activations"):
        load(tmp_path / "model.onnx", activation="leaky_relu")
