# SPDX-License-Identifier: MIT
"""Long runs: ``python -m tests.fuzz --seconds 600 --target vnnlib``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .run import fuzz
from .targets import TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="per target; default: 60")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="default: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="for what fails")
    parser.add_argument("--memory", type=float, default=4.0, help="GiB of address space; 0: all")
    options = parser.parse_args()
    if options.memory:
        import resource  # POSIX alone

        most = int(options.memory * 2**30)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    names = options.target or list(TARGETS)
    return int(sum(fuzz(n, options.seconds, options.seed, options.keep) for n in names) > 0)


if __name__ == "__main__":
    sys.exit(main())
