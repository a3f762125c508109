# SPDX-License-Identifier: MIT
"""The version; it stands once, in pyproject.toml, and the core carries it."""

from __future__ import annotations

from . import _core

__all__ = ["__version__"]

__version__: str = _core.__version__
