# SPDX-License-Identifier: MIT
"""Options, profiles and fixtures of the whole test suite."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

try:
    from hypothesis import HealthCheck, settings
except ModuleNotFoundError:  # the few tests that need no Hypothesis run without it
    settings = None  # type: ignore[assignment,misc]

if settings is not None:
    # Networks take milliseconds to seconds each, so examples have no deadline of their own.
    common = {
        "deadline": None,
        "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
        "print_blob": True,
    }
    settings.register_profile("dev", max_examples=50, **common)
    settings.register_profile("ci", max_examples=60, derandomize=True, **common)
    settings.register_profile("nightly", max_examples=10_000, **common)
    default = "ci" if os.environ.get("CI") else "dev"
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", default))


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts its background jobs with Ctrl-C ignored, and children inherit that: the tests
    # of Ctrl-C would wait for ever.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Let ``-n auto`` take every processor that this process may use."""
    from linear_regions._run import usable_processors

    return usable_processors()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run the tests marked slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow") or "slow" in config.getoption("-m", ""):
        return
    skip = pytest.mark.skip(reason="takes long; run it with --slow")
    for item in items:
        if item.get_closest_marker("slow"):  # "slow" may be a folder's name
            item.add_marker(skip)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Return the folder with published networks and their true counts, or skip."""
    folder = os.environ.get("LINEAR_REGIONS_DATA")
    if not folder:
        pytest.skip("set LINEAR_REGIONS_DATA to the folder that has truth.json")
    if not (Path(folder) / "truth.json").is_file():
        pytest.skip(f"LINEAR_REGIONS_DATA is {folder!r}, which has no truth.json")
    return Path(folder)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Return a generator that depends on the name of the test alone."""
    return np.random.default_rng(list(request.node.name.encode()))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], folder: Path) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs a command and gives (status, standard output, its errors)."""
    from linear_regions.cli import main

    def call(*arguments: object) -> tuple[int, str, str]:
        status = main([str(argument) for argument in arguments])
        written = capsys.readouterr()
        return status, written.out, written.err

    return call


@pytest.fixture
def data(run: Callable[..., tuple[int, str, str]]) -> Callable[..., Any]:
    """Return a function that runs a command with --json and gives the data."""

    def call(*arguments: object) -> Any:
        status, out, err = run(*arguments, "--json")
        assert (status, err) == (0, "")
        return json.loads(out)

    return call
