# SPDX-License-Identifier: MIT
"""Hostile files, texts and arguments end in an object or in one of the package's own errors."""

from __future__ import annotations

import importlib.util
import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

import linear_regions as lr
from fuzz.run import CORPUS, cases, check
from fuzz.targets import TARGETS, files_of

MUTATIONS = {"checkpoint": 40, "arguments": 40, "ledger": 60, "chamber-chunk": 40}


def _target(name):
    if name == "onnx" and importlib.util.find_spec("onnx") is None:
        pytest.skip("the extra 'onnx' is not installed")
    return TARGETS[name]


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_kept_cases_are_read_or_refused(name):
    target = _target(name)
    for case, data in files_of(CORPUS, name):
        try:
            check(target, data)
        except BaseException as error:
            error.add_note(f"case {case}")
            raise


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_mutated_input_is_read_or_refused(name):
    target = _target(name)
    seeds = len(target.seeds())
    for number, data in enumerate(itertools.islice(cases(target, 1), MUTATIONS.get(name, 120))):
        try:
            assert check(target, data) or number >= seeds, "a valid file is refused"
        except BaseException as error:
            error.add_note(f"number {number}")
            raise


CLAIMS = """
import resource, sys
from pathlib import Path
from fuzz.run import CORPUS, check
from fuzz.targets import TARGETS
for name in sys.argv[1:]:
    TARGETS[name].seeds()  # threads are started, modules loaded
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**29, used + 2**29))
for name in sys.argv[1:]:
    assert not check(TARGETS[name], (CORPUS / name / "claims-a-terabyte").read_bytes()), name
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits as Linux has them")
def test_sizes_are_checked_before_memory_is_taken():
    names = sorted(path.parent.name for path in CORPUS.glob("*/claims-a-terabyte"))
    assert len(names) >= 5
    paths = [str(Path(__file__).parent), str(Path(lr.__file__).parents[1])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    run = subprocess.run(
        [sys.executable, "-c", CLAIMS, *names], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
