# SPDX-License-Identifier: MIT
"""The command line: every command in both forms, files that say where to look, and errors."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

import linear_regions as lr
from linear_regions._digits import digits_place

DIGITS_REGIONS = 12_853
DOCS = Path(__file__).parents[1] / "docs"
needs_matplotlib = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="the extra 'plot' is not installed"
)


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
    assert lr.load("out.npz") == listed
    facets = [[facet["bit"] for facet in row["facets"]] for row in found["regions"]]
    assert facets == [[facet.bit for facet in region.facets] for region in listed]
    linear = data("regions", path, "--box", "-1", "1", "--what", "linear")["count"]
    expected = lr.count(net, lr.Box(-1, 1), what="linear").value
    assert (linear["what"], linear["value"]) == ("linear", str(expected))
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
    text = run("sample", path, "--box", "-1", "1")[1]
    assert "estimate" in text
    assert "of the domain lies in their regions" in text
    text = run("sample", path, "-n", "100")[1]
    assert "of the standard normal distribution lies in their regions" in text
    assert "of the standard normal distribution" in run("report", path, "--space")[1]


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
@pytest.mark.parametrize("ending", [".jpg", ".gif", ".webp", ".tif", ".eps"])
def test_plot_writes_the_other_kinds_of_pictures_that_the_documentation_names(plane, run, ending):
    name = "a" + ending
    assert run("plot", plane[0], "--box", "-1", "1", "-o", name)[0] == 0
    assert os.path.getsize(name) > 1000
    assert ending in (DOCS / "command_line.md").read_text()


@needs_matplotlib
def test_plot_refuses_an_unknown_kind_of_picture(plane, run, monkeypatch):
    monkeypatch.setenv("PATH", "")  # .pgf needs LaTeX
    for name, word in (("a.xyz", "expected .png"), ("a.pgf", "xelatex")):
        status, out, err = run("plot", plane[0], "--box", "-1", "1", "-o", name)
        assert (status, out) == (2, "")
        assert name in err
        assert word in err


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
