# SPDX-License-Identifier: MIT
"""Counts and listings of chambers go on after whatever ended them, and end with the same answer."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import linear_regions as lr
from arrangements import braid, nearly_simple, random_integers, resonance, threshold
from linear_regions import _core, _ledger
from test_checkpoint import run

HERE = Path(__file__).parent
RNG = np.random.default_rng(3)
DEGENERATE = lr.Arrangement(*resonance(4))
CENTRAL = lr.Arrangement(*threshold(4))
SIMPLE = lr.Arrangement(RNG.normal(size=(18, 4)), RNG.normal(size=18))
MIXED = lr.Arrangement(*random_integers(RNG, 12, 3, 3))
NEARLY_SIMPLE = lr.Arrangement(*nearly_simple(1))
BOX = lr.Box(-1, 1)


@pytest.fixture
def short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ledger, "SAVE_SECONDS", 1e-4)


def until_complete(call: Callable[..., Any], seconds: float = 0.003) -> tuple[Any, int]:
    """Call again and again with a short time limit; return the answer and the number of calls."""
    for calls in range(1, 400):
        found = call(time_limit=seconds, threads=1 + calls % 2)
        if found.status == "complete":
            return found, calls
        assert found.status == "time_limit"
        if calls % 10 == 0:
            seconds *= 2  # a busy machine
    raise AssertionError("it does not get ahead")


WAYS = [
    (DEGENERATE, None, "rays"),
    (DEGENERATE, BOX, "tree"),
    (CENTRAL, None, "rays"),
    (CENTRAL, None, "tree"),
    (SIMPLE, None, "sweep"),
    (SIMPLE, None, "auto"),
    (SIMPLE, BOX, "rays"),
    (SIMPLE, BOX, "tree"),
    (MIXED, None, "auto"),
    (NEARLY_SIMPLE, None, "auto"),
    (MIXED, BOX, "auto"),
    (lr.Arrangement(np.zeros((0, 2)), []), BOX, "auto"),
]


@pytest.mark.parametrize(("planes", "domain", "method"), WAYS)
def test_a_count_of_chambers_that_is_stopped_goes_on(
    planes: lr.Arrangement,
    domain: lr.Domain | None,
    method: str,
    tmp_path: Path,
    short_slices: None,
) -> None:
    whole = planes.count(domain, method=method)
    found, _ = until_complete(
        lambda **run: planes.count(domain, method=method, checkpoint=tmp_path / "c", **run)
    )
    assert found == whole
    again = planes.count(domain, method=method, checkpoint=tmp_path / "c")
    assert (again, again.work) == (found, found.work)


@pytest.mark.parametrize(("planes", "domain", "method"), WAYS)
@pytest.mark.parametrize("points", [False, True])
def test_a_list_of_chambers_that_is_stopped_goes_on_in_the_same_order(
    planes: lr.Arrangement,
    domain: lr.Domain | None,
    method: str,
    points: bool,
    tmp_path: Path,
    short_slices: None,
) -> None:
    whole = planes.chambers(domain, method=method, points=points)
    options = {"method": method, "points": points, "checkpoint": tmp_path / "d"}
    found, _ = until_complete(lambda **run: planes.chambers(domain, **options, **run))
    assert np.array_equal(found.sign_vectors, whole.sign_vectors)
    assert (found.status, found.method) == (whole.status, whole.method)
    if points:
        assert np.array_equal(found.points, whole.points, equal_nan=True)
        assert found.exact_points == whole.exact_points
    again = planes.chambers(domain, **options)
    assert np.array_equal(again.sign_vectors, whole.sign_vectors)


@pytest.mark.parametrize("method", ["sweep", "rays", "tree"])
def test_a_limit_of_a_list_on_disk_is_its_beginning(
    method: str, tmp_path: Path, short_slices: None
) -> None:
    whole = SIMPLE.sign_vectors(method=method)
    for n in (1, 100, 1000):
        found = SIMPLE.chambers(method=method, limit=n, checkpoint=tmp_path / "d")
        assert (len(found), found.status) == (n, "limit")
        assert np.array_equal(found.sign_vectors, whole[:n])
    assert np.array_equal(SIMPLE.sign_vectors(method=method, checkpoint=tmp_path / "d"), whole)


def test_points_between_doubles_survive_on_disk(tmp_path: Path) -> None:
    at = 0.1
    planes = lr.Arrangement([[1.0, 0.0], [1.0, 0.0]], [-at, -np.nextafter(at, 1.0)])
    whole = planes.chambers(points=True)
    assert whole.exact_points
    for _ in range(2):
        found = planes.chambers(points=True, checkpoint=tmp_path / "d")
        assert found.exact_points == whole.exact_points


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("rows", [resonance(5), braid(8), random_integers(RNG, 30, 6, 3)])
def test_levels_of_flats_are_taken_up_at_every_state(rows: Any, threads: int) -> None:
    normals, offsets = np.array(rows[0]), np.array(rows[1])
    table = np.unique(np.column_stack([offsets, normals]), axis=0)
    p = (1 << 61) - 1
    cone = np.vstack([[1] + [0] * normals.shape[1], table % p]).astype(np.uint64)
    lead = {
        tuple((row * pow(int(row[row != 0][0]), -1, p) % p).tolist()): row
        for row in cone.astype(object)
    }  # no two rows are proportional
    cone = np.array(list(lead.values()), dtype=np.uint64)
    whole = _core.count_flats(cone, p, 1, None, None)
    states: list[tuple[Any, ...]] = []
    small = 4000  # bytes: levels are worked off in parts
    options = {"store_bytes": small, "every": 1e-9}
    for start in (None, *[0.2, 0.5, 0.8, 0.97]):
        seen = len(states)
        begin = None if start is None else states[int(start * seen)]
        found = _core.count_flats(
            cone, p, threads, None, None, save=states.append, start=begin, **options
        )
        assert found["whitney"] == whole["whitney"]
        assert (found["uniform"], found["status"]) == (whole["uniform"], "complete")
    assert len(states) > 10


@pytest.mark.parametrize("method", ["sweep", "rays", "tree"])
def test_a_stream_hands_out_every_chamber_and_says_which_come_again(
    method: str, tmp_path: Path, short_slices: None
) -> None:
    whole = SIMPLE.sign_vectors(method=method)
    out = np.zeros_like(whole)
    filled = np.zeros(len(whole), dtype=bool)

    class Enough(Exception):
        pass

    def sink(block: lr.Chambers) -> bool:
        if RNG.random() < 0.02:
            raise Enough  # a sink that fails before it has taken anything
        rows = slice(block.first, block.first + len(block))
        out[rows] = block.sign_vectors
        filled[rows] = True
        if RNG.random() < 0.02:
            raise Enough  # or after it
        return bool(RNG.random() < 0.9)

    for _ in range(2000):
        try:
            found = SIMPLE.stream(sink, method=method, block=50, checkpoint=tmp_path / "s")
        except Enough:
            continue
        if found.status == "complete":
            break
        assert found.status == "cancelled"
    assert filled.all()
    assert np.array_equal(out, whole)
    assert found.value == len(whole)
    never = SIMPLE.stream(pytest.fail, method=method, block=50, checkpoint=tmp_path / "s")
    assert never == found


def test_verify_keeps_the_answers_of_both_engines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = MIXED.count(BOX, method="rays", verify=True, checkpoint=tmp_path / "c")
    for name in ("sign_tree_count", "count_flats"):
        monkeypatch.setattr(_core, name, lambda *_, **__: pytest.fail("it counted"))
    assert MIXED.count(BOX, method="rays", verify=True, checkpoint=tmp_path / "c") == whole


def test_progress_and_cancelling_go_on_where_the_last_call_ended(
    tmp_path: Path, short_slices: None
) -> None:
    some = SIMPLE.count(method="tree", checkpoint=tmp_path / "c", limit=700, threads=1)
    assert (some.value, some.status) == (700, "limit")
    seen: list[tuple[int, float]] = []
    cancel = threading.Event()

    def watch(found: int, done: float) -> None:
        seen.append((found, done))
        cancel.set()

    options = {"method": "tree", "checkpoint": tmp_path / "c"}
    more = SIMPLE.count(progress=watch, cancel=cancel, **options)
    assert more.status == "cancelled"
    assert seen[0][0] >= 700
    assert 0 < seen[0][1] < 1
    assert SIMPLE.count(**options).value == SIMPLE.count().value


# --- what it belongs to, damage ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"planes": MIXED}, "another arrangement"),
        ({"domain": lr.Box(0, 2)}, "another domain"),
        ({"domain": None}, "another domain"),
        ({"method": "rays"}, "method 'tree', this call has 'rays'"),
    ],
)
def test_a_checkpoint_of_other_chambers_is_refused(
    change: dict[str, Any], text: str, tmp_path: Path
) -> None:
    given = {"planes": DEGENERATE, "domain": BOX, "method": "tree"}
    DEGENERATE.count(BOX, method="tree", checkpoint=tmp_path / "c")
    DEGENERATE.chambers(BOX, method="tree", checkpoint=tmp_path / "d")
    asked = {**given, **change}
    planes = asked.pop("planes")
    with pytest.raises(lr.InvalidInput, match=text):
        planes.count(**asked, checkpoint=tmp_path / "c")
    with pytest.raises(lr.InvalidInput, match=text):
        planes.chambers(**asked, checkpoint=tmp_path / "d")


def test_checkpoints_of_different_calls_are_told_apart(tmp_path: Path) -> None:
    net = lr.Network(2, [lr.Affine([[1.0, 0.0]], [0.0]), lr.relu()])
    MIXED.count(checkpoint=tmp_path / "c")
    with pytest.raises(lr.InvalidInput, match="question 'chambers', this call has 'count'"):
        lr.count(net, checkpoint=tmp_path / "c")
    with pytest.raises(lr.InvalidInput, match="question 'chambers', this call has 'stream"):
        MIXED.stream(lambda block: None, checkpoint=tmp_path / "c")
    with pytest.raises(lr.LinearRegionsError):
        lr.merge_counts([tmp_path / "c"])
    lr.count(net, checkpoint=tmp_path / "n")
    with pytest.raises(lr.InvalidInput, match="question 'count', this call has 'chambers'"):
        MIXED.count(checkpoint=tmp_path / "n")
    MIXED.chambers(checkpoint=tmp_path / "d")
    with pytest.raises(lr.InvalidInput, match="sign vectors', this call has 'sign vectors and"):
        MIXED.chambers(points=True, checkpoint=tmp_path / "d")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious.txt").write_text("mine")
    with pytest.raises(lr.InvalidInput, match="holds other files"):
        MIXED.chambers(checkpoint=tmp_path / "mine")
    with pytest.raises(lr.CheckpointError, match="there is no folder"):
        MIXED.count(checkpoint=tmp_path / "nowhere" / "c")


def test_what_has_no_parts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(lr.Unsupported, match="no lasting names"):
        SIMPLE.count(method="tree", arithmetic="float", checkpoint=tmp_path / "c")
    with pytest.raises(lr.Unsupported, match="GPU sweeps in one piece"):
        SIMPLE.count(device="cuda", checkpoint=tmp_path / "e")
    with pytest.raises(lr.Unsupported, match="GPU sweeps in one piece"):
        SIMPLE.sign_vectors(device="cuda", checkpoint=tmp_path / "f")


@pytest.mark.parametrize("method", ["rays", "tree", "recursion"])
def test_a_damaged_state_of_chambers_is_refused_and_crashes_nothing(
    method: str, tmp_path: Path, short_slices: None
) -> None:
    path = tmp_path / "c"
    SIMPLE.count(method=method, checkpoint=path, time_limit=0.002, threads=1)
    good = path.read_bytes()
    for at in range(0, len(good), max(1, len(good) // 40)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x20]) + good[at + 1 :])
        with pytest.raises(lr.CorruptFile):
            SIMPLE.count(method=method, checkpoint=path)
    # Whole files whose arrays are nonsense: an error or a number, never a crash.
    path.write_bytes(good)
    names = SIMPLE._names(None, method, _Certified(), "chambers")
    header, arrays = _ledger.CheckpointFile(path, names).read()
    if header["key"] == "":
        pytest.skip("it was over before the first state")
    for name, array in arrays.items():
        for value in (array[:0], array * 0, ~array if array.dtype.kind == "u" else -array):
            _ledger.CheckpointFile(path, names).write(header, {**arrays, name: value})
            with contextlib.suppress(lr.CorruptFile, lr.InvalidInput):
                SIMPLE.count(method=method, checkpoint=path)


class _Certified:
    certified = True


def test_a_chunk_that_is_missing_or_damaged_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    MIXED.chambers(checkpoint=folder)
    chunk = folder / "chunk-000000.npz"
    good = chunk.read_bytes()
    for bad in (good[:100], good[:-40] + bytes(40), b""):
        chunk.write_bytes(bad)
        with pytest.raises(lr.CorruptFile):
            MIXED.chambers(checkpoint=folder)
    chunk.unlink()
    with pytest.raises(lr.CorruptFile, match="is missing"):
        MIXED.chambers(checkpoint=folder)


# --- faults --------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the killed process is a fork")
@pytest.mark.parametrize("kind", ["recursion", "rays", "tree", "sweep", "listed"])
def test_chambers_that_are_killed_again_and_again_are_the_same(kind: str, tmp_path: Path) -> None:
    sys.path.insert(0, str(HERE))
    try:
        import long_run
    finally:
        sys.path.remove(str(HERE))
    run("killed_again_and_again", str(tmp_path), f"chambers-{kind}")
    value, status, runs = (tmp_path / "answer").read_text().split()
    planes = long_run.long_arrangement(kind)
    assert (int(value), status) == (planes.count().value, "complete")
    assert int(runs) > 2  # it did go on
    if kind == "listed":
        found = planes.sign_vectors(method="rays", checkpoint=tmp_path / "state")
        assert np.array_equal(found, planes.sign_vectors(method="rays"))


@pytest.mark.skipif(os.name != "posix", reason="the disk is full by RLIMIT_FSIZE")
def test_a_full_disk_keeps_the_chambers_that_were_found(tmp_path: Path) -> None:
    lines = run("full_disk_chambers", str(tmp_path)).splitlines()
    assert lines == ["refused: RegionCount True", "untouched: True", "refused list"]


def test_what_a_callers_own_code_raises_is_no_damage_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "state"
    names = {"question": "a test"}
    for resumed in (False, True):
        ledger = _ledger.Ledger(path, names)
        assert ledger.resumed is resumed
        with pytest.raises(ValueError, match="of the caller"), ledger.reading():
            raise ValueError("of the caller")
        expected = lr.CorruptFile if resumed else TypeError
        with pytest.raises(expected), ledger.reading():
            ledger.finish("call", 7)  # type: ignore[arg-type]  # no mapping
        ledger.close(complete=False)
