# SPDX-License-Identifier: MIT
"""The README keeps its promises: its commands, its numbers and its first screen.

Its Python examples and its links are checked with those of all pages, in `test_docs`.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

import linear_regions as lr
from linear_regions._digits import digits_network, digits_place
from linear_regions.cli import main

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
TIME = re.compile(r" *\b[\d.]+ (?:ms|s)\b")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)


def test_first_screen_has_picture_commands_and_example():
    first = "\n".join(TEXT.splitlines()[:60])
    for wanted in ("<picture>", 'pip install ".[plot]" && linear-regions report', ">>> lr.count("):
        assert wanted in first
    assert TEXT.startswith("# linear-regions\n")


def test_the_two_commands_stand_alone_in_their_blocks():
    assert blocks("bash") == [
        'pip install ".[plot]" && linear-regions report\n',
        'pip install ".[test]" && pytest -n auto\n',
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pictures_are_there_in_a_size_that_loads_quickly(theme):
    path = ROOT / "docs" / "images" / f"digits_{theme}.png"
    assert f"docs/images/{path.name}" in TEXT
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG")
    width, _ = struct.unpack(">II", data[16:24])
    assert width >= 1000
    assert len(data) < 500_000


def test_numbers_about_the_picture_are_true():
    net, place = digits_network(), digits_place()
    assert f"{net.n_units} units" in TEXT
    assert f"{int(lr.count(net, place.domain)):,} activation regions" in TEXT


def test_printed_report_is_what_the_command_prints(capsys):
    (session,) = blocks("console")
    command, _, printed = session.partition("\n")
    assert command == "$ linear-regions report"
    assert main(["report"]) == 0
    actual = capsys.readouterr().out
    head, _, _ = printed.partition("\n...\n")
    # Times differ, and the blanks around them with their length.
    wanted = [re.sub(r" +", " ", TIME.sub("", line)) for line in head.splitlines()]
    found = [re.sub(r" +", " ", TIME.sub("", line)) for line in actual.splitlines()]
    assert found[: len(wanted)] == wanted


def test_commands_that_are_named_exist(capsys):
    names = re.search(r"with pictures\.\s+(.*?)\s+answer", TEXT, flags=re.DOTALL).group(1)
    assert len(re.findall(r"`(\w+)`", names)) == 7
    for name in re.findall(r"`(\w+)`", names):
        assert main([name, "--help"]) == 0
    capsys.readouterr()


def test_place_of_the_measured_cases_is_marked():
    begin, end = "<!-- measured cases: begin -->", "<!-- measured cases: end -->"
    assert TEXT.count(begin) == TEXT.count(end) == 1
    assert TEXT.index(begin) < TEXT.index(end)
