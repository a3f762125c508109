# SPDX-License-Identifier: MIT
"""Arrays from files of others: as NumPy reads them, or refused by one error."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

import linear_regions as lr
from linear_regions._npy import read_arrays

ARRAYS = {
    "plain": np.arange(6.0).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(24, dtype=np.int32).reshape(2, 3, 4)),
    "big": np.arange(5, dtype=">f4"),
    "scalar": np.array(3.5),
    "none": np.zeros((0, 7)),
    "truth": np.array([True, False]),
    "text": np.array(["a", "bcd"]),
    "complex": np.array([1 + 2j]),
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archives_are_read_as_numpy_reads_them(tmp_path, save):
    save(tmp_path / "a.npz", **ARRAYS)
    found = read_arrays(tmp_path / "a.npz")
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_single_arrays_are_points(tmp_path, array, version):
    with open(tmp_path / "a.npy", "wb") as file:
        np.lib.format.write_array(file, array, version=version)
    np.testing.assert_array_equal(read_arrays(tmp_path / "a.npy")["points"], array)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.array([{}], dtype=object), "Python objects"),
        (np.zeros(2, dtype=[("x", "f8")]), "no plain array"),
        (np.zeros(2, dtype="M8[s]"), "no plain array"),
    ],
)
def test_other_arrays_are_refused(tmp_path, array, words):
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(lr.CorruptFile, match=words):
        read_arrays(tmp_path / "a.npy")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_compression_is_refused(tmp_path, compression):
    stream = io.BytesIO()
    np.save(stream, np.ones(9))
    with zipfile.ZipFile(tmp_path / "a.npz", "w", compression) as archive:
        archive.writestr("a.npy", stream.getvalue())
    with pytest.raises(lr.CorruptFile, match="unusual"):
        read_arrays(tmp_path / "a.npz")
