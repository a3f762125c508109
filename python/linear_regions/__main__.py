# SPDX-License-Identifier: MIT
"""``python -m linear_regions``: the same as the command ``linear-regions``."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
