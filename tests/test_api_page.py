# SPDX-License-Identifier: MIT
"""docs/api.md has a row for every public name, which says what signature and docstring say."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from types import FunctionType
from typing import Any

from public_names import heads, public_names, sections

PAGE = Path(__file__).parents[1] / "docs" / "api.md"
# How annotations of properties are written on the page.
TYPES = {
    r"FloatArray": "float64 array",
    r"IntArray": "int64 array",
    r"Words": "uint64 array",
    r"npt\.NDArray\[np\.(\w+?)_?\]": r"\1 array",
    r"Shape": "tuple of int",
    r"(?:typing\.)?\bAny\b": "object",
    r"dict\[[^\]]*\]": "dict",
    r"(list|tuple)\[(\w+)(?:, (?:\2|\.\.\.))*\]": r"\1 of \2",
    r"tuple\[([\w ]+), \.\.\.\]": r"tuple of \1",
    r" \| None": " or None",
}
MEMBER = re.compile(r"^(?:\w+\.)?[A-Z]\w*(?=\.)")  # the class before the name of a member


def signature(thing: Any) -> str:
    """Return the arguments that have a place; options by keyword are three dots."""
    parts, options = [], ""
    for parameter in inspect.signature(thing).parameters.values():
        star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD):
            options = "..."
        elif parameter.name not in ("self", "cls"):
            parts.append(star + parameter.name + default)
    return f"({', '.join([*parts, *filter(None, [options])])})"


def gives(thing: Any) -> str:
    function = thing.fget if isinstance(thing, property) else thing
    returned = sections(inspect.getdoc(function) or "").get("Returns")
    if returned:
        return "; ".join(heads(returned))
    text = str(inspect.signature(function).return_annotation)
    for pattern, plain in TYPES.items():
        text = re.sub(pattern, plain, text)
    return "" if text == "None" else text


def fields(cls: type, described: dict[str, str]) -> str:
    """Return the names of the attributes that have no row of their own."""
    entries = heads(described.get("Attributes") or described.get("Parameters", ""))
    names = [name.strip() for entry in entries for name in entry.split(" :")[0].split(",")]
    return ", ".join(f"`{name}`" for name in names if not is_property(cls, name))


def is_property(cls: type, name: str) -> bool:
    return isinstance(getattr(cls, name, None), property)


def row(name: str, thing: Any) -> str:
    """Return the row of a name, up to the column that is free."""
    if isinstance(thing, (classmethod, staticmethod)):
        thing = thing.__func__
    doc = inspect.getdoc(thing) or ""
    described = sections(doc)
    made = inspect.isclass(thing) and "Parameters" in described and not is_answer(thing)
    shown = MEMBER.sub("", name)
    if made or isinstance(thing, FunctionType):
        shown += signature(thing)
    if inspect.isclass(thing):
        has = "" if made and "Attributes" not in described else fields(thing, described)
    else:
        has = gives(thing) if isinstance(thing, (FunctionType, property)) else ""
    cells = (f"`{shown}`", doc.partition("\n")[0], has)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def is_answer(cls: type) -> bool:
    """Tell whether users get objects of a class rather than make them."""
    return dataclasses.is_dataclass(cls) or issubclass(cls, BaseException)


def rows() -> list[tuple[str, str]]:
    """Return name and row of everything on the page; a member comes behind its class."""
    found, owner = [], ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"\| `([\w.]+)[`(]", line):
            name = match.group(1)
            if name.startswith("."):
                name = owner + name
            else:
                owner = name
            found.append((name, line))
    return found


def test_every_public_name_has_one_row_and_every_row_is_a_public_name():
    assert sorted(name for name, _ in rows()) == sorted(public_names())
    assert "`__version__`" in PAGE.read_text(encoding="utf-8")


def test_rows_say_what_signatures_and_docstrings_say():
    names = public_names()
    right = {name: row(name, names[name]) for name, _ in rows()}
    wrong = [right[name] for name, line in rows() if not line.startswith(right[name])]
    assert not wrong, "the rows should be\n" + "\n".join(wrong)


def test_every_row_but_those_of_members_names_a_page():
    for name, line in rows():
        if not MEMBER.match(name):
            assert re.search(r"\]\([\w./#-]+\) \|$", line), f"no page explains {name}"
