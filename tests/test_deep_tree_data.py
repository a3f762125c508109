# SPDX-License-Identifier: MIT
"""The method "tree" on published networks whose counts independent programs agree on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import linear_regions as lr
from test_data import domain_of

pytestmark = pytest.mark.usefixtures("data_folder")


def _cases() -> list[Any]:
    truth = Path(os.environ.get("LINEAR_REGIONS_DATA", "")) / "truth.json"
    if not truth.is_file():
        return [pytest.param(None, id="no data")]
    return [
        pytest.param(
            case,
            id=case["case"],
            marks=[pytest.mark.slow] if case["regions"] > 25_000 else [],
        )
        for case in json.loads(truth.read_text())["cases"]
        if not case["only_one_method"]
    ]


@pytest.mark.parametrize("truth", _cases())
def test_tree_counts_the_true_number(truth: dict[str, Any], data_folder: Path) -> None:
    pytest.importorskip("onnx", reason="the networks are ONNX files")
    net = lr.load(data_folder / truth["network"])
    number = lr.count(net, domain_of(truth, data_folder), method="tree")
    assert (number.kind, number.arithmetic) == ("exact", "certified")
    assert int(number) == truth["regions"]
