# SPDX-License-Identifier: MIT
"""Work on a CUDA device through CuPy; nothing here is imported before a device is asked for."""

from __future__ import annotations
