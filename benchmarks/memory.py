# SPDX-License-Identifier: MIT
"""How much memory one call needs: ``python -m benchmarks.memory CASE count|list`` prints JSON.

A process of its own for each question, because freed memory mostly stays with a process and would
hide what the next call needs. The peak is read from the kernel: Python's own tools do not see what
the compiled core allocates, and ``getrusage`` starts from the peak of the process's parent.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import linear_regions as lr

from .cases import Case, case_named

__all__ = ["growth"]

_ROOT = Path(__file__).parents[1]
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def growth(case: Case, action: str) -> int | None:
    """Return by how many bytes a fresh process grows, at its peak, during one call.

    Parameters
    ----------
    case : Case
    action : {"count", "list"}

    Returns
    -------
    int or None
        None where the system has no ``/proc``.

    Raises
    ------
    RuntimeError
        If the process fails, with what it wrote.
    """
    if not (_STATUS.exists() and _CLEAR.exists()):
        return None
    command = [sys.executable, "-m", "benchmarks.memory", case.name, action]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return int(json.loads(done.stdout)["growth"])


def _bytes(field: str) -> int:
    found = re.search(rf"^{field}:\s*(\d+) kB$", _STATUS.read_text(), flags=re.MULTILINE)
    if found is None:
        raise RuntimeError(f"{_STATUS} has no {field}")
    return 1024 * int(found.group(1))


def _measure(case: Case, action: str) -> int:
    # A first small call loads what is loaded only once.
    net, domain = case_named("tiny").build()
    lr.count(net, domain, threads=1)
    lr.regions(net, domain, threads=1)
    net, domain = case.build()
    _CLEAR.write_text("5")  # the peak starts again from the present size
    before = _bytes("VmRSS")
    if action == "count":
        found = int(lr.count(net, domain, threads=1))
    else:
        found = len(lr.regions(net, domain, threads=1))
    peak = _bytes("VmHWM")
    if found != case.regions:
        raise AssertionError(f"{case.name}: expected {case.regions} regions, got {found}")
    return max(0, peak - before)


def _main(arguments: list[str]) -> None:
    name, action = arguments
    if action not in ("count", "list"):
        raise SystemExit(f"expected count or list, got {action!r}")
    print(
        json.dumps({"case": name, "action": action, "growth": _measure(case_named(name), action)})
    )


if __name__ == "__main__":
    _main(sys.argv[1:])
