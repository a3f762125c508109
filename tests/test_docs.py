# SPDX-License-Identifier: MIT
"""Examples in docstrings and in the documentation run and print what they say."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import pkgutil
import re
from pathlib import Path

import pytest

import linear_regions

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
OPTIONAL = ("matplotlib", "onnx", "torch", "tqdm")
# Modules that need an optional package without naming it in their examples.
NEEDS = {"linear_regions._plot": "matplotlib"}


def module_names() -> list[str]:
    walked = pkgutil.walk_packages(linear_regions.__path__, "linear_regions.")
    names = [info.name for info in walked if not info.name.endswith(("__main__", "_core"))]
    return ["linear_regions", *names]


def runs_here(test: doctest.DocTest, module: str) -> bool:
    text = test.docstring or ""
    needed = {name for name in OPTIONAL if re.search(rf"\b{name}\b", text)}
    needed |= {NEEDS[module]} if module in NEEDS else set()
    return all(importlib.util.find_spec(name) for name in needed)


def check(test: doctest.DocTest) -> None:
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    runner.run(test, out=report.append, clear_globs=False)
    if report:
        pytest.fail("".join(report), pytrace=False)


@pytest.mark.parametrize("name", module_names())
def test_docstring_examples_of_module(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    finder = doctest.DocTestFinder(exclude_empty=True)
    for test in finder.find(module, name):
        if test.examples and runs_here(test, name):
            check(test)


def python_blocks(page: Path) -> list[str]:
    """Return the Python blocks of a page, each behind as many empty lines as it is far down."""
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^```(?:python|pycon)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return ["\n" * text.count("\n", 0, match.start(1)) + match.group(1) for match in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_examples_of_page(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = python_blocks(page)
    for block in blocks:
        if ">>>" not in block:
            compile(block, str(page), "exec")
    # The sessions of one page are one story: later ones use names of earlier ones.
    names: dict[str, object] = {}
    for block in blocks:
        test = doctest.DocTestParser().get_doctest(block, names, page.name, str(page), 0)
        if test.examples and runs_here(test, page.name):
            check(test)
            names.update(test.globs)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_of_page_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_lines_of_page_are_short_enough_to_read_in_an_editor(page):
    text = page.read_text(encoding="utf-8")
    for line in re.sub(r"<!-- measured.*?measured.*?-->", "", text, flags=re.DOTALL).splitlines():
        # Rows of tables and long addresses cannot be broken.
        if not re.search(r"^\||https?://|<img|<source", line):
            assert len(line) <= 120, line


def anchors(page: Path) -> set[str]:
    """Return what links to headings of a page may name, as on GitHub."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    heads = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_of_page_lead_to_headings(page):
    text = page.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\(([^)#\s:]*)#([^)]+)\)", text):
        there = page.parent / target if target else page
        assert anchor in anchors(there), f"{page.name} links to {target}#{anchor}"


def test_page_of_methods_says_what_the_table_says():
    page = " ".join((ROOT / "docs" / "methods.md").read_text(encoding="utf-8").split())
    for method in linear_regions.methods():
        lists = "yes" if method.lists else "no"
        row = (method.name, method.dimensions, method.domains, method.layers, lists)
        assert f"| {' | '.join(row)} |" in page
        assert method.description in page
