# SPDX-License-Identifier: MIT
"""The dependency directions of docs/design/architecture.md, read off the sources."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "python" / "linear_regions"
CORE = ROOT / "cpp"

# ---- Python: which group may import which, at the top of a module and inside functions ----

GROUPS = {
    "errors": ["errors"],
    "numbers": ["_numbers"],
    # Shapes, checked arrays and the base class of everything that compares by value.
    "values": ["_geometry", "_modular_rank", "_value"],
    "network": [
        "_layer", "_pointwise", "_pools", "_wiring", "layers", "architecture", "network",
    ],
    # Arrays from files that anybody wrote; knows no network.
    "arrays": ["_npy"],
    "files": ["_checkpoint_file", "_digest", "_ledger", "_npz", "_records", "_replacing"],
    "domain": [
        "domain", "_domain_record", "_farkas", "_frame", "_hull", "_planar", "_polyhedra", "_slice",
    ],
    "vnnlib": ["vnnlib"],
    "result": ["result", "_sample_count"],
    "bounds": ["_bounds"],
    "constructions": ["constructions"],
    "average": ["_expected"],
    "one_layer": ["_one_layer"],
    "reference": ["reference"],
    "core": ["_core"],
    "floating_point": ["_floating_point"],
    # Checked options of long calls; knows no engine.
    "run": ["_run"],
    # Searches in parts, whatever is searched; knows no engine.
    "parts": ["_divisible", "_items", "_part_runs"],
    "version": ["_version"],
    "lower": ["_forward", "_lower"],
    "methods": ["_methods"],
    # Kernels on a GPU: knows CuPy and no engine.
    "device": ["_device"],
    "engine": [
        "_adjacency", "_arrangement", "_arrangement_count", "_arrangement_lists",
        "_arrangement_numbers", "_arrangement_runs",
        "_ball_facets", "_ball_regions", "_build_info", "_cell_facets", "_chamber_folder",
        "_chamber_listing", "_chamber_parts", "_chambers", "_count",
        "_counter_bytes", "_counter_device", "_counter_state",
        "_decision_boundary", "_essential", "_exact_facets", "_first_layer", "_flat_count",
        "_flat_parts", "_hyperplanes",
        "_least_distance", "_lineality", "_pattern_counter", "_pieces", "_preactivations",
        "_proved_patterns", "_region", "_region_arrays", "_region_at",
        "_region_columns", "_region_files", "_region_frames", "_region_table", "_regions",
        "_sample", "_sample_device", "_sample_points", "_sample_tally", "_segments", "_sweep",
        "_sweep_device", "_sweep_points",
        "_unstable", "_volumes",
        # Searches in parts.
        "_checkpoint", "_cost", "_forecast", "_parts", "_region_chunks",
        "_region_listing", "_shards",
    ],
    # Measures of search and training: many small questions to the engines.
    "training": [
        "_local_complexity", "_monitor", "_pattern_source", "_torch_record", "_watch", "nas",
    ],
    "importers": ["importers"],
    "face": [""],
    "report": [
        "_class_cells", "_colors", "_digits", "_domain_files", "_format", "_picture", "_plot",
        "_report", "_report_html", "_report_text", "_svg",
    ],
    "command": [
        "cli", "__main__", "_architecture_text", "_cli_inputs", "_cli_outputs", "_commands",
        "_commands_analysis", "_commands_arrangement", "_commands_boundary",
        "_commands_regions", "_commands_shards",
    ],
}  # fmt: skip

_IR = {"errors", "numbers", "values", "network"}
TOP = {
    "errors": set(),
    "numbers": {"errors"},
    "values": {"errors"},
    "network": {"errors", "numbers", "values"},
    "arrays": {"errors"},
    "files": _IR | {"arrays"},
    "domain": {"errors", "numbers", "values"},
    "vnnlib": {"errors", "domain"},
    "result": {"errors", "numbers"},
    # Of the one-layer counts, the parts: their compiled.py alone calls the core.
    "bounds": _IR | {"domain", "result", "one_layer"},
    "run": {"errors", "values"},
    "parts": {"errors", "run"},
    "one_layer": _IR | {"files", "domain", "result", "run", "parts"},
    "constructions": _IR | {"bounds"},
    "average": _IR | {"domain", "result", "run", "engine"},
    # The reference must not use the lowering or the core: a mistake there could not hide.
    "reference": _IR | {"domain", "result"},
    "lower": _IR | {"domain", "core"},
    "methods": _IR | {"domain", "result"},
    "version": {"core"},
    "floating_point": {"core"},
    "device": _IR,
    "engine": _IR | {
        "arrays", "files", "domain", "result", "lower", "methods", "core", "run", "parts",
        "version", "device", "floating_point",
    },
    "training": _IR | {
        "domain", "result", "lower", "core", "run", "version", "engine",
    },
    "importers": _IR | {"files"},
    "face": {
        "errors", "network", "domain", "vnnlib", "result", "bounds", "one_layer", "methods",
        "constructions", "average",
        "engine", "training", "importers", "report", "core", "version", "floating_point",
    },
    # Pictures, reports and the command line are users of the public names, like everybody else;
    # the first two are public themselves, so they take them inside functions.
    "report": {"errors", "numbers", "values", "arrays"},
    "command": {"face", "errors", "report", "arrays"},
}  # fmt: skip
INSIDE = {
    "network": {"lower", "files", "core", "engine"},
    "domain": {"network"},
    "one_layer": {"core"},
    "importers": {"files", "engine"},
    "training": {"importers"},
    "face": {"reference"},
    "report": {"face"},
    "result": {"version"},
    "device": {"face"},
}
OUTSIDE_TOP = {"numpy"}
OUTSIDE_INSIDE = {"cupy", "matplotlib", "networkx", "pandas", "onnx", "torch", "tqdm"}


def group_of(module: str) -> str:
    head = module.split(".")[0]
    for group, heads in GROUPS.items():
        if head in heads:
            return group
    raise LookupError(f"{module} belongs to no group: add it to GROUPS in {__file__}")


def modules() -> list[tuple[str, Path]]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        found.append((".".join(parts), path))
    return found


def absolute(node: ast.ImportFrom, module: str, path: Path) -> list[str]:
    """Names of the modules that an import statement may load, from the package's root."""
    if node.level == 0:
        base = node.module or ""
    else:
        parts = ["linear_regions", *module.split(".")] if module else ["linear_regions"]
        up = node.level - (path.name == "__init__.py")
        base = ".".join(parts[: len(parts) - up] + ([node.module] if node.module else []))
    if base.split(".")[0] != "linear_regions":
        return [base]
    # `from package import name` loads a module where there is one of that name.
    folder = PACKAGE.joinpath(*base.split(".")[1:])
    return [
        f"{base}.{alias.name}"
        if (folder / f"{alias.name}.py").exists()
        or (folder / alias.name).is_dir()
        or alias.name == "_core"
        else base
        for alias in node.names
    ]


def imports(module: str, path: Path) -> list[tuple[str, bool, int]]:
    """Return (imported module, whether inside a function or for types only, line)."""
    found: list[tuple[str, bool, int]] = []

    def visit(node: ast.AST, inside: bool) -> None:
        for child in ast.iter_child_nodes(node):
            deeper = inside or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
            deeper |= isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            if isinstance(child, ast.Import):
                found.extend((alias.name, inside, child.lineno) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                found.extend((name, inside, child.lineno) for name in absolute(child, module, path))
            visit(child, deeper)

    visit(ast.parse(path.read_text(encoding="utf-8")), False)
    return found


@pytest.mark.parametrize(("module", "path"), modules(), ids=lambda value: str(value) or "face")
def test_python_module_imports_only_what_its_group_may(module, path):
    group = group_of(module)
    for name, inside, line in imports(module, path):
        top = name.split(".")[0]
        if top in sys.stdlib_module_names:
            continue
        where = f"{path.relative_to(ROOT)}:{line} imports {name}"
        if top == "linear_regions":
            target = group_of(name.partition(".")[2])
            allowed = {group} | TOP[group] | (INSIDE.get(group, set()) if inside else set())
            assert target in allowed, f"{where}: {group} may not import {target}"
        else:
            allowed = OUTSIDE_TOP | (OUTSIDE_INSIDE if inside else set())
            assert top in allowed, f"{where}: only NumPy is a hard dependency"


def test_only_named_modules_of_the_one_layer_counts_call_the_core():
    callers = {"_one_layer.compiled", "_one_layer.sampler", "_one_layer.tuples"}
    for module, path in modules():
        if group_of(module) in ("bounds", "one_layer") and module not in callers:
            names = {name for name, _, _ in imports(module, path)}
            assert "linear_regions._core" not in names, module
            if group_of(module) == "bounds":
                assert "linear_regions._one_layer.maximum" not in names, module


def test_groups_have_no_cycle_at_the_top_of_modules():
    done: set[str] = set()
    while remaining := set(TOP) - done:
        ready = {group for group in remaining if TOP[group] - {"core"} <= done}
        assert ready, f"cycle among {sorted(remaining)}"
        done |= ready


# ---- C++ ----


def includes(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return re.findall(r'^\s*#\s*include\s*["<]([^">]+)[">]', text, flags=re.MULTILINE)


def core_files() -> list[Path]:
    return sorted([*CORE.rglob("*.hpp"), *CORE.rglob("*.cpp")])


def users_of(header: Path) -> list[Path]:
    """Return the sources that include a private header, directly or through others."""
    found, todo = set(), {header}
    while todo:
        name = todo.pop().relative_to(CORE / "src").as_posix()
        users = {path for path in core_files() if name in includes(path)} - found
        found |= users
        todo |= {path for path in users if path.suffix == ".hpp"}
    return sorted(path for path in found if path.suffix == ".cpp")


@pytest.mark.parametrize("path", core_files(), ids=lambda path: path.name)
def test_core_file_includes_neither_python_nor_cuda(path):
    boost_sources = re.findall(
        r"cpp/src/[\w/]+\.cpp",
        " ".join(re.findall(r"linear_regions_use_boost\(([^)]*)\)", cmake_lists())),
    )
    for name in includes(path):
        if name.startswith("boost/"):
            # A header that sees Boost belongs to those sources alone.
            for user in users_of(path) if path.suffix == ".hpp" else [path]:
                assert user.relative_to(ROOT).as_posix() in boost_sources, f"{user} sees Boost"
        else:
            # The standard library, the public headers, private headers (by their path from src/
            # or beside the file); tests see the private headers, too.
            known = name.startswith("linear_regions/") or "/" not in name
            known |= (CORE / "src" / name).is_file()
            known |= path.parent.name == "tests" and name.startswith("../src/")
            known |= name == "sys/mman.h"  # advice on large pages, where the system has them
            assert known, f"{path} includes {name}"
            assert not re.match(r"(Python|pybind11|cuda|nvrtc)", name), f"{path} includes {name}"


def test_public_headers_do_not_include_private_ones():
    for path in (CORE / "include").rglob("*.hpp"):
        for name in includes(path):
            assert name.startswith("linear_regions/") or not name.endswith(".hpp"), (path, name)


def test_kernels_include_only_host_device_headers():
    # What NVRTC compiles: the headers of the kernels, and those of the core that need no others but
    # where NVRTC is told to look away.
    own = {path.name for path in (ROOT / "cuda").glob("*.hpp")}
    shared = {"hash.hpp", "host_device.hpp", "sign_vector.hpp", "sketch_register.hpp"}
    allowed = own | {f"linear_regions/{name}" for name in shared}
    for path in [*(ROOT / "cuda").glob("*.cu"), *(ROOT / "cuda").glob("*.hpp")]:
        assert set(includes(path)) <= allowed, path
    for name in shared:
        text = (CORE / "include" / "linear_regions" / name).read_text(encoding="utf-8")
        seen = re.sub(r"#if !defined\(__CUDACC_RTC__\).*?#endif", "", text, flags=re.DOTALL)
        assert "#include <" not in seen, name
    installed = re.search(
        r"install\(FILES(.*?)DESTINATION linear_regions/_cuda", cmake_lists(), re.S
    )
    assert set(re.findall(r"linear_regions/(\w+\.hpp)", installed.group(1))) == shared


def cmake_lists() -> str:
    return (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")


def test_build_lists_every_source_and_public_header_by_name():
    text = cmake_lists()
    listed = set(re.findall(r"\b(?:cpp|python)/[\w/]+\.[ch]pp\b", text))
    files = [
        *(CORE / "src").rglob("*.cpp"),
        *(CORE / "include").rglob("*.hpp"),
        *(ROOT / "python" / "bindings").glob("*.cpp"),
    ]
    assert listed == {path.relative_to(ROOT).as_posix() for path in files}
    tests = (CORE / "tests" / "CMakeLists.txt").read_text(encoding="utf-8")
    listed = set(re.findall(r"^linear_regions_test\((\w+)\)", tests, flags=re.MULTILINE))
    assert listed == {path.stem[5:] for path in (CORE / "tests").glob("test_*.cpp")}


def test_core_target_does_not_know_python():
    # Everything that names Python comes after the core's own block.
    core, _, extension = cmake_lists().partition("# ---- the extension module ----")
    assert "pybind11_add_module" in extension
    assert not re.search(r"Python(::|_|3)|pybind11", core.partition("add_library")[2])
