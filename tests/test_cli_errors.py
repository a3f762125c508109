# SPDX-License-Identifier: MIT
"""The command line where something is wrong: errors, interruption, closed pipes."""

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
from linear_regions._one_layer.beyond import BEYOND_METHODS
from linear_regions._one_layer.question import EXACT_METHODS

COMMAND = [sys.executable, "-m", "linear_regions"]
needs_matplotlib = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="the extra 'plot' is not installed"
)
# Programs start where pytest did: there, a relative PYTHONPATH leads to the package.
START = Path.cwd()


def check_error(result, status, *words):
    code, out, err = result
    assert (code, out) == (status, "")
    assert err.count("\n") == 1, err
    for word in words:
        assert word in err


def test_wrong_arguments_are_one_line_and_status_2(run):
    check_error(run("count", "--what", "nonsense"), 2, "--what", "--help")
    check_error(run("nonsense"), 2, "invalid choice")
    check_error(run("expected", "--what"), 2, "unrecognized arguments: --what", "expected --help")
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


def test_arguments_that_contradict_each_other_are_refused(run):
    check_error(run("count", "--out", "part"), 2, "--out belongs to --shard", "--checkpoint")
    check_error(run("bounds", "--arch", "2,3,1", "--mlp", "2,3,1"), 2, "--mlp and --arch")
    check_error(run("bounds", "net.npz", "--mlp", "2,3,1"), 2, "--mlp and the model net.npz")
    check_error(run("expected", "net.npz", "--arch", "2,3,1"), 2, "--arch and the model net.npz")
    check_error(run("bounds", "--activation", "relu"), 2, "--activation belongs to")
    check_error(run("count", "--alternative", "2"), 2, "--alternative belongs to --vnnlib")


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
    for write in (np.savez, np.savez_compressed):
        write("other.npz", something=np.zeros(3))
        words = (
            "not a file of this package: it has no header.npy, but something.npy",
            "numpy.load",
        )
        check_error(run("info", "other.npz"), 2, *words)
    (folder / "box.vnnlib").write_text("(declare-const X_0 Real)(assert (<= 0 X_0 1))")
    check_error(run("info", "box.vnnlib"), 2, "a property of a network, not a network", "--vnnlib")
    check_error(run("count", "--vnnlib", "other.npz"), 2, "not a text file, as VNN-LIB")
    (folder / "uneven.csv").write_text("1,2\n3\n")
    check_error(run("count", "--slice", "uneven.csv"), 2, "rows of 1 and of 2 numbers")
    check_error(run("merge", "uneven.csv"), 2, "not a checkpoint", "the first line")


@pytest.mark.parametrize(
    "arguments",
    [
        ("regions", "-o"),
        ("boundary", "-o"),
        ("arrangement", "planes.txt", "-o"),
        pytest.param(("report", "--html"), marks=needs_matplotlib),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_the_work(run, monkeypatch, arguments):
    for name in ("regions", "decision_boundary", "count", "bounds"):
        monkeypatch.setattr(lr, name, None)  # a call would be an error of its own
    check_error(run(*arguments, "no/such/folder.npz"), 2, "no/such: there is no such folder")
    Path("folder.npz").mkdir()
    check_error(run(*arguments, "folder.npz"), 2, "folder.npz: Is a directory")


@needs_matplotlib
def test_what_cannot_be_drawn_is_refused_before_the_work(run, monkeypatch):
    monkeypatch.setattr(lr, "regions", None)
    for arguments in (("plot", "-o"), ("report", "--plot"), ("boundary", "--plot")):
        check_error(run(*arguments, "a.xyz"), 2, "a.xyz: no picture ends in '.xyz'", ".svg")
        check_error(run(*arguments, "no/such/a.png"), 2, "no/such: there is no such folder")
    check_error(run("plot", "--box", "0", "1", "-o", "a.png"), 2, "two dimensions, got 64")


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
    for name in ("tqdm", "tqdm.auto"):  # the second may have been imported by another test
        monkeypatch.setitem(sys.modules, name, None)
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


@pytest.mark.skipif(sys.platform == "win32", reason="file names of POSIX")
@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_names_that_the_terminal_cannot_write_are_written_with_escapes(folder, encoding):
    # The last letter is a byte that is no UTF-8.
    name = os.fsdecode("modèl ü".encode() + b"\xff.npz")
    lr.save(lr.load([([[1.0, 2.0]], [0.5])]), name)
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    package = os.path.dirname(os.path.dirname(lr.__file__))
    environment["PYTHONPATH"] = os.pathsep.join([package, os.environ.get("PYTHONPATH", "")])
    ask = {"env": environment, "capture_output": True, "encoding": encoding}
    done = subprocess.run([*COMMAND, "info", name], **ask)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\udcff.npz: (2,)" in done.stdout
    assert ("modèl" in done.stdout) == (encoding == "utf-8")
    done = subprocess.run([*COMMAND, "info", name, "--json"], **ask)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["model"]["name"] == name


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")
def test_closed_standard_output_is_an_error_and_closed_errors_are_none():
    def shell(command):
        words = ["sh", "-c", command, "sh", *COMMAND]
        done = subprocess.run(words, cwd=START, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    check_error(shell('"$@" info >&-'), 2, "info: error: standard output is closed")
    assert shell('"$@" info none.npz 2>&-') == (2, "", "")


# ---- the program ----


def test_version_and_help(run):
    assert run("--version") == (0, f"linear-regions {lr.__version__}\n", "")
    status, out, _ = run("--help")
    assert status == 0
    commands = ("report", "count", "bounds", "compare", "expected", "max", "regions", "sample")
    commands += ("plot", "info", "boundary", "arrangement", "merge")
    for command in commands:
        assert command in out
        status, text, _ = run(command, "--help")
        assert status == 0
        assert "--json" in text


def test_module_and_command_are_the_same_program():
    command = [*COMMAND, "--version"]
    done = subprocess.run(command, cwd=START, capture_output=True, text=True, check=True)
    assert done.stdout == f"linear-regions {lr.__version__}\n"


@pytest.mark.parametrize(
    ("command", "words"), [("bounds", "--mlp or --arch"), ("expected", "--arch")]
)
def test_an_architecture_in_place_of_a_file_is_told_apart(run, command, words):
    check_error(run(command, "2,8,8,1"), 2, "no such file", words)


def test_exact_points_of_chambers_are_in_the_file(run):
    Path("planes.txt").write_text(f"{10**40} 0 1\n{10**40} 0 2\n0 1 0\n")
    assert run("arrangement", "planes.txt", "--method", "tree", "-o", "out.npz")[0] == 0
    with np.load("out.npz") as found:
        missing = np.flatnonzero(np.isnan(found["points"]).any(axis=1))
        assert found["exact_rows"].tolist() == missing.tolist()
        assert found["exact_points"].shape == (len(missing), 2)


def test_a_polynomial_that_takes_too_long_is_not_made_up(run):
    rows = ["".join(f"{digit} " for digit in f"{k:06b}") + "0" for k in range(1, 64)]
    Path("planes.txt").write_text("\n".join(rows) + "\n")
    call = ("arrangement", "planes.txt", "--polynomial", "--time-limit", "0")
    shown = " ".join(run(*call)[1].split())
    assert "polynomial not known" in shown
    assert "Whitney numbers at least 1, " in shown
    data = json.loads(run(*call, "--json")[1])
    assert (data["characteristic_polynomial"], data["bounded_count"]) == (None, None)
    assert data["whitney_numbers_at_least"][0] == "1"


def test_help_names_every_method(run):
    for method in lr.methods():
        assert method.name in run("count", "--help")[1]
    for name in ("exact", *EXACT_METHODS, *BEYOND_METHODS):
        assert name in run("max", "--help")[1]
