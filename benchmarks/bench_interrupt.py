# SPDX-License-Identifier: MIT
"""Measure how soon long calls hear Ctrl-C: from the signal to the exception in the caller.

The calls are those of tests/interrupted.py, each in a process of its own; the signal is sent some
time after the call has entered the core. The goal is 0.1 s. Run from the repository's folder, on a
machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

GOAL = 100.0  # milliseconds
PROGRAM = Path(__file__).parents[1] / "tests" / "interrupted.py"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 where a call was slower than the goal."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_interrupt", description=__doc__
    )
    parser.add_argument("calls", nargs="*", help="part of a name; default: all calls")
    parser.add_argument("--wait", type=float, nargs="+", default=[0.3, 1.0], metavar="SECONDS")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    rows = []
    for name in names():
        if options.calls and not any(part in name for part in options.calls):
            continue
        found = [measured(name, wait) for wait in options.wait]
        rows.append({"call": name, "partial": found[0]["partial"], "ms": [f["ms"] for f in found]})
        if not options.json:
            ms = ", ".join(f"{value:.0f}" for value in rows[-1]["ms"])
            print(f"| {name} | {ms} | {rows[-1]['partial'] or 'none'} |", flush=True)
    if options.json:
        print(json.dumps(rows))
    return int(any(value > GOAL for row in rows for value in row["ms"]))


def names() -> list[str]:
    """Return the names of the calls."""
    sys.path.insert(0, str(PROGRAM.parent))
    from interrupted import CALLS

    return list(CALLS)


def measured(name: str, wait: float) -> dict[str, Any]:
    """Return the milliseconds of one call, which must have ended as it should."""
    line = f"{name}\t{wait}\n"
    program = [sys.executable, str(PROGRAM)]
    run = subprocess.run(
        program, input=line, text=True, capture_output=True, timeout=100, check=True
    )
    found = json.loads(run.stdout)
    assert found["error"] in ("Interrupted", "KeyboardInterrupt"), (name, found)
    assert found["again"], name
    return {"ms": found["milliseconds"], "partial": found["partial"].replace("NoneType", "")}


if __name__ == "__main__":
    sys.exit(main())
