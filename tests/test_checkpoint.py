# SPDX-License-Identifier: MIT
"""Checkpoints and listings on disk: whatever ends a run, the same call finishes it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import linear_regions as lr
import strategies
from linear_regions import _part_runs
from linear_regions._region_chunks import RegionFolder, join_columns

HERE = Path(__file__).parent
RNG = np.random.default_rng(5)
SMALL = strategies.mlp_of([2, 30, 30, 1], RNG)
SOLID = strategies.mlp_of([3, 10, 10, 1], RNG)


def run(name: str, *arguments: str, timeout: float = 60.0) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, str(HERE / "long_run.py"), name, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_part_runs, "SLICE_SECONDS", 0.002)


def same(a: lr.Regions, b: lr.Regions) -> bool:
    left, right = a.columns.arrays(), b.columns.arrays()
    return all(np.array_equal(left[k], right[k], equal_nan=left[k].dtype.kind == "f") for k in left)


# --- counts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("net", "options"),
    [
        (SMALL, {}),
        (SMALL, {"method": "cones"}),
        (SOLID, {}),
        (SOLID, {"method": "tree"}),
        (SMALL, {"arithmetic": "float"}),
        (SMALL, {"what": "linear"}),
        (lr.Network(2, []), {}),
    ],
)
def test_a_count_that_is_stopped_goes_on_and_ends_with_the_same_number(
    net: lr.Network, options: dict[str, Any], tmp_path: Path, short_slices: None
) -> None:
    domain = lr.Box(-1, 1)
    whole = lr.count(net, domain, **options)
    calls = 0
    while True:
        calls += 1
        found = lr.count(
            net,
            domain,
            checkpoint=tmp_path / "c",
            time_limit=0.01 * 1.1**calls,  # gets ahead on a machine that is busy, too
            threads=1 + calls % 2,
            **options,
        )
        if found.status == "complete":
            break
        assert found.status == "time_limit"
        assert found.value <= whole.value
    assert (found.value, found.kind) == (whole.value, whole.kind)
    again = lr.count(net, domain, checkpoint=tmp_path / "c", **options)
    assert again == found
    assert again.seconds >= 0


def test_a_finished_checkpoint_answers_without_counting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c"
    whole = lr.count(SMALL, checkpoint=path)
    monkeypatch.setattr(
        "linear_regions._parts.Search.run", lambda *_, **__: pytest.fail("it counted")
    )
    assert lr.count(SMALL, checkpoint=path) == whole
    assert os.listdir(tmp_path) == ["c"]


def test_limits_and_cancelling_leave_a_checkpoint_that_goes_on(tmp_path: Path) -> None:
    whole = lr.count(SMALL).value
    some = lr.count(SMALL, checkpoint=tmp_path / "c", limit=10, threads=1)
    assert (some.value, some.status) == (10, "limit")
    more = lr.count(SMALL, checkpoint=tmp_path / "c", limit=10)
    assert (more.value, more.status) == (10, "limit")
    cancel = threading.Event()
    cancel.set()
    none = lr.count(SMALL, checkpoint=tmp_path / "c", cancel=cancel)
    assert none.status == "cancelled"
    assert none.value >= 10
    assert lr.count(SMALL, checkpoint=tmp_path / "c").value == whole


def test_progress_goes_on_where_the_last_call_ended(tmp_path: Path) -> None:
    net = strategies.mlp_of([2, 120, 120, 120, 1], np.random.default_rng(1))
    seen: list[tuple[int, float]] = []
    part = lr.count(net, checkpoint=tmp_path / "c", limit=5000, threads=1)
    assert part.status == "limit"
    lr.count(
        net,
        checkpoint=tmp_path / "c",
        progress=lambda found, done: seen.append((found, done)),
        threads=1,
    )
    assert seen
    assert all(found >= part.value and 0 < done <= 1 + 1e-9 for found, done in seen)


# --- what a checkpoint belongs to ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"net": SOLID, "domain": lr.Box(0, 1)}, "another network"),
        ({"domain": lr.Box(0, 2)}, "another domain"),
        ({"method": "cones"}, "method 'polygons', this call has 'cones'"),
        ({"arithmetic": "float"}, "arithmetic 'certified', this call has 'float'"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused(
    change: dict[str, Any], text: str, tmp_path: Path
) -> None:
    lr.count(SMALL, lr.Box(0, 1), checkpoint=tmp_path / "c")
    options = {"net": SMALL, "domain": lr.Box(0, 1), **change}
    with pytest.raises(lr.InvalidInput, match=text):
        lr.count(checkpoint=tmp_path / "c", **options)


def test_a_damaged_checkpoint_is_refused_at_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "c"
    lr.count(SMALL, checkpoint=path, limit=50, threads=1)
    good = path.read_bytes()
    for at in range(0, len(good), max(1, len(good) // 60)):
        damaged = bytearray(good)
        damaged[at] ^= 0x20
        path.write_bytes(damaged)
        with pytest.raises(lr.CorruptFile):
            lr.count(SMALL, checkpoint=path)
        path.write_bytes(good[:at])
        with pytest.raises(lr.CorruptFile):
            lr.count(SMALL, checkpoint=path)
    path.write_bytes(good + b"\0")
    with pytest.raises(lr.CorruptFile):
        lr.count(SMALL, checkpoint=path)
    newer = good.replace(b"linear-regions checkpoint 1\n", b"linear-regions checkpoint 9\n", 1)
    path.write_bytes(newer)
    with pytest.raises(lr.CorruptFile, match="update linear-regions"):
        lr.count(SMALL, checkpoint=path)


def test_a_checkpoint_without_a_place_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(lr.CheckpointError, match="there is no folder"):
        lr.count(SMALL, checkpoint=tmp_path / "nowhere" / "c")
    with pytest.raises(lr.CheckpointError, match="cannot be read"):
        lr.count(SMALL, checkpoint=tmp_path)


def test_what_has_no_parts_is_refused(tmp_path: Path) -> None:
    one = strategies.mlp_of([3, 6, 1], RNG)
    with pytest.raises(lr.Unsupported, match="merges equal flats"):
        lr.count(one, method="arrangement", checkpoint=tmp_path / "c")
    assert lr.count(one, checkpoint=tmp_path / "c").value == lr.count(one).value


# --- listings on disk ----------------------------------------------------------------------------


@pytest.mark.parametrize("net", [SMALL, SOLID, lr.Network(2, [])])
def test_a_listing_on_disk_is_the_listing_in_memory(
    net: lr.Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short_slices: None
) -> None:
    monkeypatch.setattr("linear_regions._region_listing.CHUNK_ROWS", 50)
    domain = lr.Box(-1, 1)
    listed = lr.regions(net, domain)
    folder = lr.regions(net, domain, out=tmp_path / "f", threads=2)
    assert len(folder) == len(listed)
    assert same(folder.read(), listed)
    assert folder.count == listed.count
    tables = list(folder)
    assert np.array_equal(np.concatenate([t.patterns for t in tables]), listed.patterns)
    assert same(folder.read(), listed)
    again = lr.load(tmp_path / "f")
    assert isinstance(again, RegionFolder)
    assert (again.network, again.domain, again.count) == (net, listed.domain, listed.count)
    joined = join_columns([table.columns for table in again])
    assert np.array_equal(joined.corners, listed.columns.corners)
    assert same(lr.regions(net, domain, checkpoint=tmp_path / "f"), listed)


def test_an_interrupted_listing_is_a_readable_prefix_and_goes_on(
    tmp_path: Path, short_slices: None
) -> None:
    listed = lr.regions(SMALL)
    first = lr.regions(SMALL, out=tmp_path / "f", limit=100)
    assert (len(first), first.count.status) == (100, "limit")
    assert np.array_equal(first.read().patterns, listed.patterns[:100])
    # A chunk that no state counts, as a kill leaves it, and an unfinished file.
    (tmp_path / "f" / "chunk-000009.npz").write_bytes(b"half")
    (tmp_path / "f" / ".state.x.part").write_bytes(b"half")
    assert len(lr.load(tmp_path / "f")) == 100
    assert lr.load(tmp_path / "f").count.kind == "lower"
    rest = lr.regions(SMALL, out=tmp_path / "f")
    assert same(rest.read(), listed)
    (tmp_path / "f" / "chunk-000000.npz").write_bytes(b"half")
    with pytest.raises(lr.CorruptFile):
        lr.load(tmp_path / "f").read()


def test_exact_points_and_slices_survive_on_disk(tmp_path: Path) -> None:
    # Two lines one double apart: between them lies no double.
    at = 0.1
    bias = [-at, -np.nextafter(at, 1.0)]
    net = lr.Network(2, [lr.Affine([[1.0, 0.0], [1.0, 0.0]], bias), lr.relu()])
    domain = lr.Slice([0.0, 0.0], [[1.0, 0.0], [0.0, 1.0]], lr.Box([-1, -1], [1, 1]))
    listed = lr.regions(net, domain)
    read = lr.regions(net, domain, out=tmp_path / "f").read()
    assert same(read, listed)
    assert read.columns.exact_points == listed.columns.exact_points
    assert lr.load(tmp_path / "f").domain == listed.domain


def test_options_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(lr.InvalidInput, match="holds other files"):
        lr.regions(SMALL, out=tmp_path)
    with pytest.raises(lr.InvalidInput, match="one of checkpoint and out"):
        lr.regions(SMALL, out=tmp_path / "a", checkpoint=tmp_path / "b")
    with pytest.raises(lr.Unsupported, match="must be 'activation'"):
        lr.regions(SMALL, out=tmp_path / "a", what="linear")
    with pytest.raises(lr.Unsupported, match="stream=True"):
        lr.regions(SMALL, checkpoint=tmp_path / "a", stream=True)
    with pytest.raises(lr.CorruptFile, match="no listing"):
        lr.load(tmp_path)
    lr.regions(SMALL, out=tmp_path / "f")
    with pytest.raises(lr.InvalidInput, match="another domain"):
        lr.regions(SMALL, lr.Box(0, 1), out=tmp_path / "f")


# --- faults --------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the killed process is a fork")
@pytest.mark.parametrize("kind", ["count", "regions"])
def test_a_run_that_is_killed_ten_times_ends_with_the_same_answer(
    kind: str, tmp_path: Path
) -> None:
    sys.path.insert(0, str(HERE))
    try:
        import long_run
    finally:
        sys.path.remove(str(HERE))
    whole = lr.regions(long_run.long_net(), lr.Box(-1, 1))
    run("killed_again_and_again", str(tmp_path), kind)
    value, status, runs = (tmp_path / "answer").read_text().split()
    assert (int(value), status) == (len(whole), "complete")
    assert int(runs) > 2  # it did go on
    if kind == "regions":
        assert same(lr.load(tmp_path / "state").read(), whole)


@pytest.mark.skipif(os.name != "posix", reason="the disk is full by RLIMIT_FSIZE")
def test_a_full_disk_is_a_clear_error_and_keeps_what_was_found(tmp_path: Path) -> None:
    lines = run("full_disk", str(tmp_path)).splitlines()
    assert "cannot be written (File too large)" in lines[0]
    assert lines[0].endswith("RegionCount True")
    assert lines[1] == "untouched: True ['state']"
    assert "read it with lr.load, or make room" in lines[2] or "cannot be written" in lines[2]


@pytest.mark.skipif(sys.platform != "linux", reason="the memory is limited by RLIMIT_AS")
def test_too_little_memory_is_an_error_and_no_crash(tmp_path: Path) -> None:
    assert run("little_memory", str(tmp_path)).split() == ["MemoryError", "limit"]
