# SPDX-License-Identifier: MIT
"""The benchmarks run, give the known numbers, and the pages show the newest results.

Nothing here looks at a time.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import linear_regions as lr

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(
    not (ROOT / "benchmarks").is_dir(), reason="the benchmarks are not beside these tests"
)


def load(name: str) -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT)
        return importlib.import_module(f"benchmarks.{name}")


def run(*arguments: str) -> str:
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_quick_run_measures_and_reports_the_smallest_case(tmp_path):
    file = tmp_path / "results.json"
    shown = run("benchmarks.bench_count", "--quick", "--output", str(file))
    results = json.loads(file.read_text(encoding="utf-8"))
    (case,) = results["cases"]
    assert (case["name"], case["regions"]) == ("tiny", 26)
    assert case["float"]["value"] == 26
    assert case["count"]["work"]["cells"] >= case["regions"]
    assert {"count", "float", "list", "call", "yardstick", "ratio"} <= set(case)
    assert {"processor", "simd", "commit", "load_average", "threads"} <= set(results["machine"])
    assert results["machine"]["threads"]["OPENBLAS_NUM_THREADS"] == "1"
    assert [target["what"] for target in results["targets"]] == ["call"]
    assert "[2, 8, 8, 1] in [-1, 1]^2" in shown


def test_quick_run_of_the_bounds_asserts_and_reports():
    assert "small" in run("benchmarks.bench_bounds", "--quick")


def test_one_layer_benchmark_asserts_its_answers():
    assert "3x3, 2x2, 9" in run("benchmarks.bench_one_layer", "--quick")
    assert "224x224x3" in run("benchmarks.bench_one_layer_estimate", "--quick")


def test_the_benchmark_of_lists_asserts_its_answers() -> None:
    shown = run("benchmarks.bench_lists", "--case", "2-32-32-32-1 box", "--runs", "1")
    assert "3,362" in shown


def test_the_sample_benchmark_runs() -> None:
    assert "ratio" in run("benchmarks.bench_sample", "--quick")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks, and sends signals")
def test_a_short_soak_finds_nothing() -> None:
    assert "0 failed" in run("benchmarks.soak", "--seconds", "0.5", "--case", "stream, tree")


@pytest.mark.parametrize(
    "name",
    [case.name for case in load("cases").CASES if case.name != "cnn-slice-large"],
)
def test_case_has_the_number_of_regions_that_it_says(name):
    case = load("cases").case_named(name)
    net, domain = case.build()
    assert int(lr.count(net, domain)) == case.regions


def test_names_of_cases_are_different_and_refer_to_each_other():
    cases = load("cases")
    names = [case.name for case in cases.CASES]
    assert len(set(names)) == len(names)
    assert {case.grows_from for case in cases.CASES} - {None} <= set(names)
    with pytest.raises(ValueError, match="tiny, dense-box"):
        cases.case_named("unknown")


@pytest.mark.parametrize("name", ["tiny", "cnn-segment"])
def test_yardstick_agrees(name):
    case = load("cases").case_named(name)
    assert load("yardstick").count(*case.build()) == case.regions


def test_yardstick_agrees_on_a_plane_through_a_padded_grouped_convolution(rng):
    net = lr.Network(
        (2, 4, 4),
        [
            lr.Conv(rng.normal(size=(4, 1, 3, 3)), rng.normal(size=4), padding=1, groups=2),
            lr.relu(),
            lr.AvgPool(2),
            lr.Flatten(),
            lr.Affine(rng.normal(size=(6, 16)), rng.normal(size=6)),
            lr.relu(),
        ],
    )
    domain = lr.Slice(rng.normal(size=32), rng.normal(size=(2, 32)), lr.Box(-2.0, 1.0))
    assert load("yardstick").count(net, domain) == int(lr.count(net, domain)) > 50


def test_yardstick_refuses_what_it_cannot_do():
    yardstick = load("yardstick")
    net = lr.Network(2, [lr.Affine([[1.0, 1.0]]), lr.leaky_relu()])
    with pytest.raises(ValueError, match="ReLU"):
        yardstick.count(net, lr.Box(-1, 1))
    net = lr.Network(2, [lr.Affine([[1.0, 1.0]]), lr.relu()])
    with pytest.raises(ValueError, match="expected a box"):
        yardstick.count(net, lr.Polytope([[1.0, 0.0]], [1.0]))


def test_wrong_number_stops_the_measurement():
    measure = load("measure")
    effort = measure.Effort(0.0, 1)

    def check(answer: int) -> None:
        if answer != 2:
            raise AssertionError("expected 2")

    with pytest.raises(AssertionError, match="expected 2"):
        measure.best(lambda: 3, check, lambda: 0.0, effort)


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        ("duration", 1.234, "1.23 s"),
        ("duration", 0.05678, "56.8 ms"),
        ("duration", 4.2e-5, "42.0 µs"),
        ("rate", 2_512_345.0, "2.51 M"),
        ("rate", 250_000.0, "250 k"),
        ("size", 737_280, "0.7 MB"),
        ("size", 0, "< 0.1 MB"),
        ("size", None, ""),
    ],
)
def test_numbers_are_shown_in_units_that_suit_them(function, value, text):
    assert getattr(load("table"), function)(value) == text


def test_table_goes_between_the_comments_and_nowhere_else(tmp_path):
    table = load("table")
    page = "# Page\n\n<!-- measured cases: begin -->\nold\n<!-- measured cases: end -->\n\nrest\n"
    (tmp_path / "README.md").write_text(page, encoding="utf-8")
    results = tmp_path / "results"
    results.mkdir()
    run("benchmarks.bench_count", "--quick", "--output", str(results / "2001-01-01.json"))
    options = ["--root", str(tmp_path), "--results", str(results)]
    assert table.main([*options, "--check"]) == 1
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == page
    assert table.main(options) == 0
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# Page\n\n<!-- measured cases: begin -->\n\n| network and domain")
    assert text.endswith("\n\n<!-- measured cases: end -->\n\nrest\n")
    assert "| [2, 8, 8, 1] in [-1, 1]^2 |" in text
    assert "old" not in text
    assert table.main([*options, "--check"]) == 0


def test_page_without_both_comments_is_refused():
    with pytest.raises(ValueError, match="measured cases: end"):
        load("table").replaced("<!-- measured cases: begin -->\n", "")


def test_pages_show_the_newest_results():
    table = load("table")
    if not table.RESULTS.is_dir():  # source archives do not have it
        pytest.skip("no results are recorded here")
    assert table.main(["--check"]) == 0, "run python -m benchmarks.table"


def test_gpu_script_ends_in_the_device_error_where_there_is_none():
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--device", "cuda:99"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith("gpu.py: device='cuda:99'")
    assert "Traceback" not in done.stderr


def test_gpu_benchmarks_assert_their_answers():
    from host_device import HostDevice

    numbers = load("gpu").measure(HostDevice(), quick=True)
    assert numbers["sweeps"][0]["sign_vectors"] == 1 + 12 + 66 + 220
    assert numbers["patterns"]["distinct"] <= 1000
    assert numbers["insertions"]["rows"] == 20_000


def test_benchmark_of_segments_and_scores_asserts_equal_numbers():
    shown = run("benchmarks.bench_nas", "--quick")
    assert "20 segments of 784-256-256-10" in shown
