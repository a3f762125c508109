# SPDX-License-Identifier: MIT
"""Every long call hears Ctrl-C while it is inside the core, and the process goes on.

Only the order of events is asserted; benchmarks/bench_interrupt.py measures how soon it is heard.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

import interrupted
import linear_regions as lr

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks, and sends signals")

MOST_SECONDS = 120.0  # the calls take minutes to weeks


class Forks:
    """Runs long calls, each in a fork of one process that has imported the package."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> subprocess.Popen[str]:
        here = Path(__file__).parent
        paths = [str(here), str(Path(lr.__file__).parents[1])]
        return subprocess.Popen(
            [sys.executable, str(here / "interrupted.py")],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, name: str) -> dict[str, Any]:
        if self.process is None:
            self.process = self.start()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        watchdog = Timer(MOST_SECONDS, self.kill)
        watchdog.start()
        try:
            self.process.stdin.write(name + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        finally:
            watchdog.cancel()
        assert line, f"{name} did not hear Ctrl-C"
        found: dict[str, Any] = json.loads(line)
        return found

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate()
            self.process = None


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    made = Forks()
    yield made
    made.kill()


@pytest.mark.parametrize("name", list(interrupted.CALLS))
def test_a_long_call_hears_ctrl_c_inside_the_core(name: str, forks: Forks) -> None:
    case = interrupted.CALLS[name]
    found = forks.run(name)
    if not (case.takes_turns and found["error"] == "KeyboardInterrupt"):
        expected = "Interrupted" if case.partial else "KeyboardInterrupt"
        assert (found["error"], found["partial"]) == (expected, case.partial), found
    assert found["status"] in ("", "cancelled")
    assert found["again"], "the process could not go on"


def test_every_long_function_of_the_core_is_among_them() -> None:
    """What takes a function that is asked whether to go on may take long."""
    core = Path(lr.__file__).parent / "_core.pyi"
    long = {
        part.partition("(")[0]
        for part in core.read_text().split("\ndef ")[1:]
        if "poll: _Poll" in part
    }
    covered = {case.core for case in interrupted.CALLS.values()}
    # Steps of a search that are short, and a forecast's random ways.
    assert long - covered <= interrupted.LEFT_OUT
