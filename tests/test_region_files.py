# SPDX-License-Identifier: MIT
"""Regions in files: equal after a round trip, hostile files refused."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import linear_regions as lr
from linear_regions._npz import read_container, write_container


def tables() -> list[lr.Regions]:
    rng = np.random.default_rng(0)
    layers = [lr.Affine(rng.normal(size=(6, 3)), rng.normal(size=6)), lr.relu(), lr.Maxout(3)]
    net = lr.Network(3, layers)
    one = np.nextafter(1.0, 2.0)
    thin = lr.Network(1, [lr.Affine([[1.0], [1.0]], [-1.0, -one]), lr.relu()])
    return [
        lr.regions(net, lr.Box(-1.0, 1.0)),
        lr.regions(net),
        lr.regions(net, limit=3),
        lr.regions(net, lr.Segment(np.zeros(3), np.ones(3))),
        lr.regions(net, lr.Slice(np.zeros(3), rng.normal(size=(2, 3)), lr.Box(-1.0, 1.0))),
        lr.regions(net, lr.Polytope(np.vstack([np.eye(3), -np.eye(3)]), np.ones(6))),
        lr.regions(lr.Network(4, [lr.Affine(rng.normal(size=(2, 4))), lr.relu()])),
        lr.regions(thin),
    ]


@pytest.mark.parametrize("number", range(8))
def test_regions_are_equal_after_a_round_trip(number, tmp_path):
    table = tables()[number]
    lr.save(table, tmp_path / "table.npz")
    loaded = lr.load(tmp_path / "table.npz")
    assert isinstance(loaded, lr.Regions)
    assert loaded == table == lr.Regions.load(tmp_path / "table.npz")
    assert loaded.network == table.network
    assert loaded.domain == table.domain
    assert loaded[0].interior_fraction() == table[0].interior_fraction()
    np.testing.assert_array_equal(loaded.volumes, table.volumes)
    np.testing.assert_array_equal(loaded.affine_pieces(), table.affine_pieces())
    np.testing.assert_array_equal(loaded.lineality, table.lineality)
    if table.count.status == "complete":
        np.testing.assert_array_equal(loaded.neighbours, table.neighbours)
    else:
        with pytest.raises(lr.Unsupported, match="limit"):
            _ = loaded.neighbours


def changed(tmp_path, change):
    path = tmp_path / "table.npz"
    lr.save(tables()[0], path)
    header, arrays = read_container(path, "regions", 1)
    header = {k: v for k, v in header.items() if k not in ("format", "kind", "version")}
    arrays = {name: array.copy() for name, array in arrays.items()}
    change(header, arrays)
    write_container(path, "regions", 1, header, arrays)
    return path


def put(name, index, value):
    def change(header, arrays):
        arrays[name][index] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        put("column.vertex_offsets", 1, 10**12),
        put("column.facet_offsets", -1, 0),
        put("column.corners", 0, -1),
        put("column.facet_labels", (0, 0), 10**6),
        put("column.facet_labels", (0, 0), -(10**6)),
        put("column.facet_labels", (0, 1), 2**30),
        put("column.patterns", (0, 0), 2**63),
        put("embedding", (0, 0), 7.0),
        lambda header, arrays: arrays.update({"column.bounded": np.zeros(1)}),
        lambda header, arrays: arrays.update({"column.patterns": np.zeros((2, 9), np.uint64)}),
        lambda header, arrays: arrays.pop("column.corners"),
        lambda header, arrays: arrays.update(extra=np.zeros(3)),
        lambda header, arrays: header.pop("count"),
        lambda header, arrays: header["count"].update(kind="sure"),
        lambda header, arrays: header.update(domain={"kind": "Network"}),
        lambda header, arrays: header.update(network=[]),
        lambda header, arrays: header.update(whole=1),
        lambda header, arrays: header.update(faces=1),
        lambda header, arrays: header.update(faces=False),
        lambda header, arrays: header.update(exact_points={"9999": ["1/1"]}),
        lambda header, arrays: header.update(exact_points={"0": ["1/0", "1/1", "1/1"]}),
    ],
)
def test_damaged_tables_are_refused_with_one_error(change, tmp_path):
    with pytest.raises(lr.CorruptFile, match=r"table\.npz"):
        lr.load(changed(tmp_path, change))


def test_kinds_are_not_mixed_up(tmp_path):
    table = tables()[0]
    table.network.save(tmp_path / "net.npz")
    with pytest.raises(lr.CorruptFile, match="expected a regions"):
        lr.Regions.load(tmp_path / "net.npz")
    table.save(tmp_path / "table.npz")
    with pytest.raises(lr.CorruptFile, match="expected a network"):
        lr.Network.load(tmp_path / "table.npz")


def test_pandas_gets_one_row_per_region():
    pytest.importorskip("pandas", reason="pandas is not installed")
    table = tables()[0]
    frame = table.to_pandas()
    assert len(frame) == len(table)
    assert frame["volume"].sum() == pytest.approx(8.0)
    assert frame["units_on"][0] == table[0].bits().sum()
    assert int(frame["pattern"][0], 16) == int(table.patterns[0, 0])
    assert list(frame.columns[-3:]) == ["t0", "t1", "t2"]


def test_pandas_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(lr.MissingExtra, match="pandas"):
        tables()[0].to_pandas()
