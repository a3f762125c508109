# SPDX-License-Identifier: MIT
"""The command line: every command in both forms, files that say where to look, and errors."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

import linear_regions as lr
from linear_regions._digits import digits_network, digits_place
from linear_regions.cli import main

COMMAND = [sys.executable, "-m", "linear_regions"]
# Programs start where pytest did: there, a relative PYTHONPATH leads to the package.
START = Path.cwd()
DIGITS_REGIONS = 12_853
needs_matplotlib = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="the extra 'plot' is not installed"
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys):
    """Return a function that runs a command and gives (status, standard output, its errors)."""

    def call(*arguments):
        status = main([str(argument) for argument in arguments])
        written = capsys.readouterr()
        return status, written.out, written.err

    return call


@pytest.fixture
def data(run):
    """Return a function that runs a command with --json and gives the data."""

    def call(*arguments):
        status, out, err = run(*arguments, "--json")
        assert (status, err) == (0, "")
        return json.loads(out)

    return call


@pytest.fixture
def plane(folder):
    """Save a network with two inputs and return its path and itself."""
    rng = np.random.default_rng(0)
    net = lr.load(
        [
            (rng.standard_normal((8, 2)), rng.standard_normal(8)),
            (rng.standard_normal((2, 8)), rng.standard_normal(2)),
        ]
    )
    lr.save(net, folder / "plane.npz")
    return "plane.npz", net


@pytest.fixture
def cube(folder):
    """Save a network with an input of shape (1, 2, 2) and return its path and itself."""
    rng = np.random.default_rng(1)
    layers = [
        lr.Conv(rng.standard_normal((6, 1, 2, 2)), rng.standard_normal(6)),
        lr.relu(),
        lr.Flatten(),
        lr.Affine(rng.standard_normal((3, 6)), rng.standard_normal(3)),
    ]
    net = lr.Network((1, 2, 2), layers)
    lr.save(net, folder / "cube.npz")
    return "cube.npz", net


# ---- commands ----


def test_count_of_the_shipped_model_is_the_one_in_the_documentation(run, data):
    status, out, err = run("count")
    assert (status, err) == (0, "")
    assert "12,853" in out
    assert data("count")["count"]["value"] == str(DIGITS_REGIONS)
    assert data("count", "digits")["domain"]["dim"] == 2


def test_count_agrees_with_the_function(plane, data):
    path, net = plane
    assert data("count", path)["count"]["value"] == str(lr.count(net).value)
    found = data("count", path, "--box", "-1", "1", "--threads", "1")
    assert found["count"]["value"] == str(lr.count(net, lr.Box(-1, 1)).value)
    assert found["model"]["name"] == "plane.npz"
    assert data("count", path, "--arithmetic", "float")["count"]["kind"] == "estimate"


def test_box_takes_negative_numbers_and_lists(plane, data):
    path, net = plane
    expected = lr.count(net, lr.Box([-1.0, -0.5], [0.25, 2e-3])).value
    found = data("count", path, "--box", "-1,-.5", "0.25,2e-3")
    assert found["count"]["value"] == str(expected)


def test_limits_make_partial_answers_that_say_so(run, data):
    found = data("count", "--limit", "5")["count"]
    assert (found["value"], found["status"], found["kind"]) == ("5", "limit", "lower")
    assert "stopped (limit)" in run("count", "--limit", "5")[1]
    assert data("count", "--time-limit", "0")["count"]["status"] == "time_limit"


def test_bounds_of_a_model_a_domain_and_an_architecture(plane, run, data):
    path, net = plane
    assert data("bounds", path)["bounds"] == lr.bounds(net).to_dict()
    assert data("bounds")["bounds"]["dim"] == 64
    assert data("bounds", "--box", "0", "1", path)["bounds"]["dim"] == 2
    widths = data("bounds", "--mlp", "2,16,16,1")
    assert widths["bounds"] == lr.bounds(lr.Architecture.mlp([2, 16, 16, 1])).to_dict()
    out = run("bounds", "--mlp", "2,16,16,1")[1]
    assert "best" in out
    assert "no number from" in out


def test_max_gives_the_true_maximum_beside_the_formula(run, data):
    layer = ("max", "1,3,3", "--filters", "2", "--kernel", "2")
    assert data(*layer)["maximum"]["value"] == "255"
    out = run(*layer)[1]
    assert "255" in out
    assert "published formula  256" in out
    assert (
        data("max", "1,3", "--filters", "3", "--kernel", "2", "--bounded")["bounded"]["value"]
        == "8"
    )
    away = data(
        "max", "1,3", "--filters", "2", "--kernel", "2", "--bias", "none", "--breakpoint-away"
    )
    assert away["maximum"]["value"] == "15"
    free = data("max", "1,6", "--filters", "2", "--kernel", "3", "--weights", "free")
    spec = lr.ConvSpec(filters=2, kernel_size=3)
    expected = lr.one_layer_maximum((1, 6), spec, weights="free")
    assert free["maximum"]["value"] == str(int(expected))


def test_regions_are_listed_as_a_table_as_json_and_as_arrays(plane, run, data):
    path, net = plane
    listed = lr.regions(net, lr.Box(-1, 1))
    status, out, _ = run("regions", path, "--box", "-1", "1")
    assert status == 0
    assert len(out.splitlines()) == 5 + len(listed)
    found = data("regions", path, "--box", "-1", "1")
    words = [[int(word, 16) for word in row["pattern"]] for row in found["regions"]]
    assert words == listed.patterns.tolist()
    assert found["pattern_bits"] == net.pattern_bits
    assert sum(row["volume"] for row in found["regions"]) == pytest.approx(4.0)

    run("regions", path, "--box", "-1", "1", "-o", "out.npz")
    with np.load("out.npz") as arrays:
        np.testing.assert_array_equal(arrays["patterns"], listed.patterns)
        np.testing.assert_array_equal(arrays["vertices"], listed.vertices)
        np.testing.assert_array_equal(arrays["affine_maps"], listed.affine_maps())
    assert data("regions", path, "--box", "-1", "1", "-o", "out.npz")["file"] == "out.npz"


def test_unbounded_regions_are_valid_json(plane, data):
    rows = data("regions", plane[0])["regions"]
    assert any(row["volume"] is None and not row["bounded"] for row in rows)


def test_sample_agrees_with_the_function(plane, run, data):
    path, net = plane
    found = data("sample", path, "--box", "-1", "1", "-n", "500", "--seed", "3")
    expected = lr.sample(net, lr.Box(-1, 1), 500, rng=3).to_dict()
    expected.pop("seconds")
    assert {key: found["sample"][key] for key in expected} == expected
    assert data("sample", path, "-n", "100")["sample"]["source"] == "normal"
    assert "estimate" in run("sample", path, "--box", "-1", "1")[1]


def test_saturated_samples_say_so(run):
    out = run("sample", "-n", "20", "--slice", _wide_slice())[1]
    assert "saturated" in out
    assert "measures the sample size" in out


def _wide_slice():
    place = digits_place()
    directions = place.domain.directions
    np.savez("wide.npz", origin=place.domain.origin, directions=100.0 * directions)
    return "wide.npz"


def test_info_tells_layers_and_notes(run, data):
    out = run("info")[1]
    assert "Conv(filters=6" in out
    assert "446 of 450" in out
    found = data("info")
    assert found["model"]["units"] == 366
    assert found["build"]["version"] == lr.__version__


def test_report_of_the_shipped_model(run, data):
    status, out, err = run("report", "--samples", "2000")
    assert (status, err) == (0, "")
    assert "12,853" in out
    found = data("report", "--samples", "2000")
    assert found["count"]["value"] == str(DIGITS_REGIONS)
    assert found["sample"]["samples"] == "2000"


def test_report_of_another_model_looks_at_a_stated_plane(cube, plane, data):
    found = data("report", cube[0], "--samples", "100")
    assert "random points" in found["domain"]["description"]
    assert int(found["count"]["value"]) >= 1
    assert found["segment"]["count"]["kind"] == "exact"
    assert data("report", plane[0], "--samples", "0")["domain"]["description"].startswith("the box")


def test_report_takes_a_segment_beside_its_domain(cube, data):
    np.savez("segment.npz", p=np.zeros(4), q=np.ones(4))
    found = data("report", cube[0], "--segment", "segment.npz", "--samples", "0")
    expected = lr.count(cube[1], lr.Segment(np.zeros(4), np.ones(4))).value
    assert found["segment"]["count"]["value"] == str(expected)
    assert found["domain"]["dim"] == 2


@needs_matplotlib
def test_report_writes_a_page_and_a_picture(run, folder):
    status, out, _ = run("report", "--samples", "100", "--html", "page.html", "--plot", "a.png")
    assert status == 0
    assert "page.html" in out
    assert (folder / "page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert (folder / "a.png").read_bytes().startswith(b"\x89PNG")


@needs_matplotlib
def test_report_with_json_and_a_page_writes_json_only(data, folder):
    assert data("report", "--samples", "0", "--html", "page.html")["files"] == {"page": "page.html"}
    assert (folder / "page.html").exists()


@needs_matplotlib
@pytest.mark.parametrize("name", ["a.png", "a.svg", "a.pdf"])
def test_plot_writes_pictures(plane, run, data, folder, name):
    assert run("plot", plane[0], "--box", "-1", "1", "-o", name)[0] == 0
    assert (folder / name).stat().st_size > 1000
    options = ("--theme", "dark", "--color-by", "region")
    assert data("plot", plane[0], "--box", "-1", "1", "-o", name, *options)["picture"] == name


@needs_matplotlib
def test_plot_refuses_an_unknown_kind_of_picture(plane, run):
    status, out, err = run("plot", plane[0], "--box", "-1", "1", "-o", "a.xyz")
    assert (status, out) == (2, "")
    assert "a.xyz" in err


# ---- where to look ----


def test_slice_and_segment_files_say_where_to_look(cube, data):
    path, net = cube
    points = np.random.default_rng(5).integers(-8, 8, (3, 4)) / 8.0
    np.savetxt("plane.csv", points, delimiter=",")
    np.savez("segment.npz", p=points[0], q=points[1])
    found = data("count", path, "--slice", "plane.csv")
    assert found["count"]["value"] == str(lr.count(net, lr.Slice.through(points, 0.25)).value)
    found = data("count", path, "--segment", "segment.npz")
    assert found["count"]["value"] == str(lr.count(net, lr.Segment(*points[:2])).value)
    assert found["domain"]["kind"] == "segment"


def test_the_shipped_plane_is_a_slice_file(data):
    from linear_regions import _digits

    name = os.path.join(os.path.dirname(_digits.__file__), "data", "digits_points.npz")
    assert data("count", "--slice", name)["count"]["value"] == str(DIGITS_REGIONS)


VNNLIB = """
(declare-const X_0 Real)
(declare-const X_1 Real)
(declare-const Y_0 Real)
(assert (or (and (>= X_0 -1) (<= X_0 1) (>= X_1 -1) (<= X_1 1))
            (and (>= X_0 0) (<= X_0 1) (>= X_1 0) (<= X_1 1))))
"""


def test_box_of_a_vnnlib_file_is_chosen_by_number(plane, run, data, folder):
    path, net = plane
    (folder / "p.vnnlib").write_text(VNNLIB)
    found = data("count", path, "--vnnlib", "p.vnnlib", "--alternative", "2")
    assert found["count"]["value"] == str(lr.count(net, lr.Box(0.0, 1.0)).value)
    status, _, err = run("count", path, "--vnnlib", "p.vnnlib")
    assert status == 2
    assert "2 boxes" in err
    assert "from 1 to 2" in run("count", path, "--vnnlib", "p.vnnlib", "--alternative", "3")[2]
    assert "belongs to --vnnlib" in run("count", path, "--alternative", "1")[2]


def test_a_file_named_like_the_shipped_model_comes_first(plane, data, folder):
    (folder / plane[0]).rename(folder / "digits")
    assert data("info", "digits")["model"]["input_shape"] == [2]


# ---- errors ----


def check_error(result, status, *words):
    code, out, err = result
    assert (code, out) == (status, "")
    assert err.count("\n") == 1, err
    for word in words:
        assert word in err


def test_wrong_arguments_are_one_line_and_status_2(run):
    check_error(run("count", "--what", "nonsense"), 2, "--what", "--help")
    check_error(run("nonsense"), 2, "invalid choice")
    check_error(run(), 2, "COMMAND")
    check_error(run("max", "1,a", "--filters", "1", "--kernel", "1"), 2, "integers with commas")
    check_error(run("count", "--box", "0", "1", "--space"), 2, "not allowed with")
    check_error(run("count", "--box", "0", "x"), 2, "--box: expected numbers")
    check_error(run("count", "--box", "1", "0"), 2, "empty domain")
    check_error(run("count", "--threads", "0"), 2, "threads")
    check_error(run("count", "--input-shape", "3"), 2, "--input-shape")
    check_error(run("bounds", "--mlp", "2,4,1", "--activation", "gelu"), 2, "gelu")
    check_error(run("regions", "--output", "out.csv"), 2, ".npz")


def test_what_cannot_be_counted_is_status_2_and_names_what_can(run):
    check_error(run("count", "--box", "0", "1"), 2, "dimension 64", "Slice")
    check_error(run("sample", "--space", "--distribution", "uniform"), 2, "uniform")


def test_missing_and_damaged_files_are_status_2(run, folder):
    check_error(run("count", "none.model"), 2, "none.model")
    check_error(run("count", "none.npz"), 2, "none.npz")
    check_error(run("count", "--slice", "none.npz"), 2, "none.npz")
    check_error(run("count", "--vnnlib", "none.vnnlib"), 2, "none.vnnlib")
    (folder / "damaged.npz").write_bytes(b"PK\x03\x04 and nothing else")
    check_error(run("count", "damaged.npz"), 2, "damaged.npz")
    check_error(run("count", "--slice", "damaged.npz"), 2, "damaged.npz")
    np.savez("other.npz", something=np.zeros(3))
    check_error(run("count", "--slice", "other.npz"), 2, "origin", "something")


def test_result_that_cannot_be_written_is_status_2(run):
    status, _, err = run("regions", "--limit", "2", "-o", "no/such/folder.npz")
    assert status == 2
    assert "no/such/folder.npz" in err


@pytest.mark.parametrize(
    "arguments",
    [("report", "--html", "a.html"), ("report", "--plot", "a.png"), ("plot", "-o", "a.png")],
)
def test_pictures_without_matplotlib_are_status_3(run, monkeypatch, folder, arguments):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    check_error(run(*arguments), 3, 'pip install "linear-regions[plot]"')
    assert list(folder.iterdir()) == []


def test_report_without_matplotlib_has_all_numbers_and_names_the_extra(run, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "linear_regions._commands.find_spec", lambda n: None if n == "matplotlib" else real(n)
    )
    status, out, _ = run("report", "--samples", "100")
    assert status == 0
    assert "12,853" in out
    assert out.count("linear-regions[plot]") == 1


def test_progress_without_tqdm_is_status_3(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    check_error(run("count", "--progress"), 3, "linear-regions[progress]")


def test_running_out_of_memory_is_one_line(run, monkeypatch):
    def fail(*_args, **_kwargs):
        raise MemoryError

    monkeypatch.setattr(lr, "count", fail)
    check_error(run("count"), 2, "out of memory")


def test_warnings_are_one_line_on_standard_error(run, monkeypatch):
    def warn(*_args, **_kwargs):
        warnings.warn("this takes long", UserWarning, stacklevel=1)
        return lr.RegionCount(1)

    monkeypatch.setattr(lr, "count", warn)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        status, out, err = run("count", "--json")
    assert status == 0
    assert json.loads(out)["count"]["value"] == "1"
    assert err == "linear-regions: warning: this takes long\n"


# ---- stopping ----


def interrupt(partial):
    def stop(*_args, **_kwargs):
        raise lr.Interrupted(partial=partial)

    return stop


def test_ctrl_c_prints_the_partial_count_and_is_status_130(run, monkeypatch):
    partial = lr.RegionCount(41, kind="lower", status="cancelled")
    monkeypatch.setattr(lr, "count", interrupt(partial))
    status, out, err = run("count")
    assert status == 130
    assert "41 (activation; at least so many: stopped (cancelled)" in out
    assert err == "linear-regions count: interrupted\n"
    status, out, _ = run("count", "--json")
    assert (status, json.loads(out)["count"]["value"]) == (130, "41")
    status, out, _ = run("report", "--json")
    assert status == 130
    assert json.loads(out)["complete"] is False


def test_ctrl_c_in_lists_and_samples(run, monkeypatch):
    net, plane = digits_network(), digits_place().domain
    monkeypatch.setattr(lr, "regions", interrupt(lr.regions(net, plane, limit=3)))
    status, out, _ = run("regions", "--json")
    assert (status, json.loads(out)["count"]["value"]) == (130, "3")
    monkeypatch.setattr(lr, "sample", interrupt(lr.sample(net, plane, 50, rng=0)))
    status, out, _ = run("sample", "--json")
    assert (status, json.loads(out)["sample"]["samples"]) == (130, "50")
    assert run("sample")[0] == 130


def test_ctrl_c_before_anything_was_found(run, monkeypatch):
    monkeypatch.setattr(lr, "count", interrupt(None))
    check_error(run("count"), 130, "interrupted")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_real_signal_stops_a_long_count(folder):
    # Every layer folds the square onto itself, so 40 layers make 4^40 regions.
    fold = [lr.Affine(2.0 * np.eye(2), [-1.0, -1.0]), lr.absolute()]
    lr.save(lr.Network(2, fold * 40), folder / "long.npz")
    start = time.perf_counter()
    subprocess.run([*COMMAND, "--version"], cwd=START, capture_output=True, check=True)
    start_up = time.perf_counter() - start
    with subprocess.Popen(
        [*COMMAND, "count", folder / "long.npz", "--box", "0", "1", "--json"],
        cwd=START,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        time.sleep(1.0 + 4.0 * start_up)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20.0)
    assert process.returncode == 130
    found = json.loads(out)["count"]
    assert found["status"] == "cancelled"
    assert int(found["value"]) > 0
    assert "interrupted" in err


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_a_reader_that_closes_the_pipe_is_no_error():
    with subprocess.Popen(
        [*COMMAND, "regions", "--limit", "5000"],
        cwd=START,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(timeout=20.0) == 141
    assert errors == b""


# ---- the program ----


def test_version_and_help(run):
    assert run("--version") == (0, f"linear-regions {lr.__version__}\n", "")
    status, out, _ = run("--help")
    assert status == 0
    commands = ("report", "count", "bounds", "compare", "expected", "max", "regions", "sample")
    commands += ("plot", "info")
    for command in commands:
        assert command in out
        status, text, _ = run(command, "--help")
        assert status == 0
        assert "--json" in text


def test_module_and_command_are_the_same_program():
    command = [*COMMAND, "--version"]
    done = subprocess.run(command, cwd=START, capture_output=True, text=True, check=True)
    assert done.stdout == f"linear-regions {lr.__version__}\n"
