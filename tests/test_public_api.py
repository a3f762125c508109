# SPDX-License-Identifier: MIT
"""The public names: present, documented, sorted, and never rebound by an import."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import inspect
import pkgutil
import re
import subprocess
import sys
from typing import Any

import pytest

import linear_regions as lr
from public_names import heads, public_names, sections

# Public names whose docstring needs no Examples section, with the reason.
EXEMPT: dict[str, str] = {}

PUBLIC = {name: getattr(lr, name) for name in lr.__all__}


def submodules() -> list[str]:
    walked = pkgutil.walk_packages(lr.__path__, "linear_regions.")
    return [info.name for info in walked if not info.name.endswith("__main__")]


@pytest.mark.parametrize("name", submodules())
def test_every_submodule_imports(name):
    importlib.import_module(name)


def test_importing_every_submodule_rebinds_no_public_name():
    for name in submodules():
        importlib.import_module(name)
    for name, thing in PUBLIC.items():
        assert getattr(lr, name) is thing, f"a submodule is named {name}, like a public name"


def test_no_module_has_the_name_of_a_public_function():
    modules = {name.split(".")[1] for name in submodules()}
    clashes = {name for name in modules & set(PUBLIC) if not inspect.ismodule(PUBLIC[name])}
    assert not clashes


def test_all_is_sorted_and_has_no_name_twice():
    assert len(set(lr.__all__)) == len(lr.__all__)
    assert list(lr.__all__) == sorted(lr.__all__, key=lambda name: (name.islower(), name))


def test_every_public_name_is_without_underscore():
    assert [name for name in lr.__all__ if name.startswith("_") and name != "__version__"] == []


def test_completion_shows_every_public_name():
    assert set(lr.__all__) <= set(dir(lr))


def test_modules_that_the_page_of_names_lists_need_no_import_of_their_own():
    code = (
        "import sys, linear_regions as lr; assert 'linear_regions.cli' not in sys.modules; "
        "print(lr.reference.count(lr.Network(1, [lr.relu()])), lr.cli.main(['info', '--json']))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "2 0"
    with pytest.raises(AttributeError, match="no attribute 'refrence'"):
        lr.refrence  # noqa: B018


def is_exception(thing: object) -> bool:
    return isinstance(thing, type) and issubclass(thing, BaseException)


def documented() -> list[str]:
    return [
        name
        for name, thing in PUBLIC.items()
        if (inspect.isclass(thing) or callable(thing)) and not is_exception(thing)
    ]


@pytest.mark.parametrize("name", documented())
def test_docstring_has_examples(name):
    doc = inspect.getdoc(PUBLIC[name]) or ""
    has_examples = re.search(r"^Examples\n-+$", doc, flags=re.MULTILINE) is not None
    if name in EXEMPT:
        assert not has_examples, f"{name} has examples now: take it off the list"
    else:
        assert has_examples, f"linear_regions.{name} has no Examples section"


def functions() -> dict[str, Any]:
    """Return all public functions and methods but those that override a documented one."""
    found = {}
    for name, thing in public_names().items():
        plain = thing.__func__ if isinstance(thing, (classmethod, staticmethod)) else thing
        if inspect.isfunction(plain):
            found[name] = plain
    return found


@pytest.mark.parametrize("name", functions())
def test_docstring_names_every_parameter_and_what_is_returned(name):
    function = functions()[name]
    doc = inspect.getdoc(function) or ""
    signature = inspect.signature(function)
    parameters = [given for given in signature.parameters if given not in ("self", "cls")]
    for parameter in parameters:
        # One entry may name several, "threads, limit, time_limit".
        entry = rf"^(?:[*\w]+, )*\*{{0,2}}{parameter}(?:, [*\w]+)*(?: :|$)"
        assert re.search(entry, doc, flags=re.MULTILINE), f"{name} does not document {parameter}"
    # Without parameters the one line "Return ..." may be all there is to say.
    if parameters and signature.return_annotation != "None":
        assert "Returns" in sections(doc), f"{name} does not say what it returns"


@pytest.mark.parametrize("name", public_names())
def test_docstring_has_a_section_on_what_its_own_code_raises(name):
    thing = public_names()[name]
    if isinstance(thing, (classmethod, staticmethod)):
        thing = thing.__func__
    code = thing.fget if isinstance(thing, property) else thing
    if inspect.isfunction(code):
        body = inspect.getsource(code).rpartition('"""')[2]
        if re.search(r"\braise (?!NotImplementedError|KeyboardInterrupt)", body):
            assert "Raises" in sections(inspect.getdoc(code) or ""), f"{name} raises"


@pytest.mark.parametrize("name", [name for name, t in public_names().items() if inspect.isclass(t)])
def test_docstring_of_class_describes_every_field(name):
    cls = public_names()[name]
    described = sections(inspect.getdoc(cls) or "")
    entries = heads(described.get("Parameters", "") + described.get("Attributes", ""))
    names = {given.strip() for entry in entries for given in entry.split(" :")[0].split(",")}
    fields = (
        {field.name for field in dataclasses.fields(cls)}
        if dataclasses.is_dataclass(cls)
        else set()
    )
    for base in cls.__mro__:
        slots = vars(base).get("__slots__", ())
        fields |= {slots} if isinstance(slots, str) else set(slots)
    fields = {field for field in fields if not field.startswith("_")}
    assert fields <= names, f"{name} does not describe {fields - names}"


@pytest.mark.parametrize("name", [name for name, thing in PUBLIC.items() if inspect.isclass(thing)])
def test_every_public_member_has_a_docstring(name):
    cls = PUBLIC[name]
    for member, value in vars(cls).items():
        described = isinstance(value, (property, classmethod, staticmethod)) or callable(value)
        if not member.startswith("_") and described:
            assert inspect.getdoc(getattr(cls, member)), f"{name}.{member} has no docstring"


@pytest.mark.parametrize("name", [name for name in PUBLIC if is_exception(PUBLIC[name])])
def test_every_exception_says_when_it_is_raised(name):
    assert PUBLIC[name].__doc__


def test_import_loads_no_optional_package():
    code = (
        "import sys, linear_regions\n"
        "optional = ('torch', 'onnx', 'cupy', 'matplotlib', 'scipy', 'tqdm', 'dask')\n"
        "print([name for name in optional if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_versions_agree():
    core = importlib.import_module("linear_regions._core")
    assert lr.__version__ == core.__version__
    try:
        installed = importlib.metadata.version("linear-regions")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package is used from its source tree")
    assert lr.__version__ == installed
