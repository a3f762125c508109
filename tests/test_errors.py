# SPDX-License-Identifier: MIT
"""Errors: what they are, and that they survive pickling (they cross process pools)."""

from __future__ import annotations

import pickle
import re
import tomllib
from pathlib import Path

import pytest

from linear_regions import errors

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("ours", "builtin"),
    [
        (errors.InvalidInput, ValueError),
        (errors.DegenerateInput, ValueError),
        (errors.Unsupported, ValueError),
        (errors.CorruptFile, ValueError),
        (errors.MissingExtra, ImportError),
        (errors.DeviceError, RuntimeError),
        (errors.Unfinished, RuntimeError),
    ],
)
def test_error_is_ours_and_the_builtin_that_users_expect(ours, builtin):
    assert issubclass(ours, errors.LinearRegionsError)
    assert issubclass(ours, builtin)


def test_interrupted_is_a_keyboard_interrupt_that_except_exception_lets_pass():
    assert issubclass(errors.Interrupted, KeyboardInterrupt)
    assert not issubclass(errors.Interrupted, Exception)
    assert errors.Interrupted([1, 2]).partial == [1, 2]
    assert errors.Interrupted().partial is None


def test_a_partial_result_may_be_made_when_it_is_asked_for():
    made = []
    stop = errors.Interrupted.later(lambda: made.append(1) or [1, 2])
    assert made == []
    assert pickle.loads(pickle.dumps(stop)).partial == [1, 2]
    assert stop.partial is stop.partial
    assert made == [1]
    stop.partial = 3
    assert stop.partial == 3


def test_a_partial_result_that_could_not_be_made_is_made_again():
    results = [MemoryError(), 5]

    def make():
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    stop = errors.Interrupted.later(make)
    with pytest.raises(MemoryError):
        stop.partial  # noqa: B018
    assert stop.partial == 5


def test_missing_extra_names_the_extra():
    error = errors.MissingExtra("Reading ONNX files", "onnx")
    assert 'pip install "linear-regions[onnx]"' in str(error)
    assert error.extra == "onnx"


def test_every_extra_that_an_error_names_brings_the_package_it_stands_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    package = {"onnx": "onnx", "plot": "matplotlib", "progress": "tqdm", "torch": "torch"}
    package |= {"networkx": "networkx", "pandas": "pandas"}
    named = set()
    for path in sorted((ROOT / "python").rglob("*.py")):
        named |= set(re.findall(r'MissingExtra\([^()]*"(\w+)"\)', path.read_text()))
    assert named == package.keys()
    for extra in named:
        assert any(re.match(rf"{package[extra]}\b", need) for need in extras[extra])
        assert re.search(rf"[\[,]{extra}[\],]", extras["all"][0])


@pytest.mark.parametrize(
    "error",
    [
        errors.MissingExtra("Plotting", "plot"),
        errors.Interrupted({"cells": 3}),
        errors.InvalidInput("a"),
        errors.CorruptFile("b"),
        errors.Unfinished("c", [1, 2]),
    ],
)
def test_pickled_error_keeps_its_message_and_fields(error):
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is type(error)
    assert str(twin) == str(error)
    assert vars(twin) == vars(error)


def test_all_lists_every_public_name():
    public = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert public == set(errors.__all__)
