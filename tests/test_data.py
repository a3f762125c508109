# SPDX-License-Identifier: MIT
"""Published networks with region counts that independent programs agree on.

The files are not part of this project: LINEAR_REGIONS_DATA names the folder that holds them and
truth.json, where each case has a network, a domain and its number of regions.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import helpers
import linear_regions as lr
from linear_regions import reference
from linear_regions.vnnlib import read_vnnlib

pytestmark = pytest.mark.usefixtures("data_folder")


def _cases() -> list[Any]:
    truth = Path(os.environ.get("LINEAR_REGIONS_DATA", "")) / "truth.json"
    if not truth.is_file():
        return [pytest.param(None, id="no data")]
    cases = json.loads(truth.read_text())["cases"]
    return [
        pytest.param(case, id=case["case"])
        for case in cases
        if case["domain"]["free_inputs"] <= 2 and not case["only_one_method"]
    ]


@pytest.fixture(scope="module", params=_cases())
def case(request: pytest.FixtureRequest, data_folder: Path) -> tuple[dict[str, Any], lr.Network]:
    """Return the description of a case and its network."""
    pytest.importorskip("onnx", reason="the networks are ONNX files")
    truth = request.param
    return truth, lr.load(data_folder / truth["network"])


def domain_of(truth: dict[str, Any], folder: Path) -> lr.domain.Domain:
    path = folder / truth["domain"]["file"]
    kind = truth["domain"]["kind"]
    if kind == "box":
        (box,) = read_vnnlib(path)
        return box
    with np.load(path) as arrays:
        if kind == "slice":
            return lr.Slice(arrays["origin"], [arrays["u"], arrays["v"]], lr.Box(-1.0, 1.0))
        assert kind == "segment"
        return lr.Segment(arrays["p"], arrays["q"])


def test_files_are_those_that_were_counted(
    case: tuple[dict[str, Any], lr.Network], data_folder: Path
) -> None:
    truth, net = case
    for name, digest in (
        (truth["network"], truth["sha256"]),
        (truth["domain"]["file"], truth["domain_sha256"]),
    ):
        assert hashlib.sha256((data_folder / name).read_bytes()).hexdigest() == digest
    assert [bits for _, _, bits in net.pattern_layout] == truth["relu_units"]
    assert (
        domain_of(truth, data_folder).resolve(net.input_shape).dim
        == (truth["domain"]["free_inputs"])
    )


@pytest.mark.parametrize("threads", [1, 2])
def test_count_is_the_true_number(
    case: tuple[dict[str, Any], lr.Network], data_folder: Path, threads: int
) -> None:
    truth, net = case
    number = lr.count(net, domain_of(truth, data_folder), threads=threads)
    assert (number.kind, number.arithmetic) == ("exact", "certified")
    assert int(number) == truth["regions"]


def test_listing_has_the_true_number_of_patterns(
    case: tuple[dict[str, Any], lr.Network], data_folder: Path
) -> None:
    truth, net = case
    domain = domain_of(truth, data_folder)
    found = lr.regions(net, domain)
    assert len(found) == truth["regions"]
    assert len(np.unique(found.patterns, axis=0)) == truth["regions"]
    if truth["domain"]["kind"] != "box":
        np.testing.assert_allclose(found.volumes.sum(), found.dim**2, rtol=1e-9)
    # The pattern at a point, in exact arithmetic; with big layers only a few points.
    points = domain.resolve(net.input_shape).embed(found.interior_points)
    if isinstance(domain, lr.Box):  # whose embedding does not round
        few = max(1, 20_000 // net.n_parameters)
        listed = helpers.unpack(found.patterns, net.pattern_bits)
        for index in range(0, len(found), max(1, len(found) // few)):
            assert found.interior_proved[index]
            assert reference.pattern(net, points[index].tolist()) == listed[index]


def test_reference_lists_the_same_patterns(
    case: tuple[dict[str, Any], lr.Network], data_folder: Path, request: pytest.FixtureRequest
) -> None:
    truth, net = case
    cost = truth["regions"] * sum(truth["relu_units"])
    if cost > 2_000_000:
        pytest.skip("would take hours in fractions")
    if cost > 120_000 and not request.config.getoption("--slow"):
        pytest.skip("takes minutes in fractions; run it with --slow")
    domain = domain_of(truth, data_folder)
    found = lr.regions(net, domain)
    expected = {region.pattern for region in reference.regions(net, domain)}
    assert set(helpers.unpack(found.patterns, net.pattern_bits)) == expected
    assert len(expected) == truth["regions"]
