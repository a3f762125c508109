# SPDX-License-Identifier: MIT
"""The hand-written stub of the extension module says what the module offers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import linear_regions
from linear_regions import _core


def test_stub_of_the_core_matches_the_compiled_module(tmp_path):
    pytest.importorskip("mypy")
    environment = dict(os.environ)
    home = Path(linear_regions.__file__).parents[1]
    if home.name != "site-packages":  # mypy finds installed packages by itself
        environment["MYPYPATH"] = environment["PYTHONPATH"] = str(home)
    # pybind11's classes have a metaclass of its own, which no stub can name. An entry hides what
    # is said of the class as a whole, not of its members.
    classes = [
        name
        for name, value in vars(_core).items()
        if isinstance(value, type) and not issubclass(value, Exception)
    ]
    allowed = tmp_path / "allowlist.txt"
    allowed.write_text("".join(f"linear_regions._core.{name}\n" for name in classes))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy.stubtest", "linear_regions._core"),
            *("--allowlist", str(allowed)),
            # For what it says about optional packages.
            *("--mypy-config-file", str(Path(__file__).parents[1] / "pyproject.toml")),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
