# SPDX-License-Identifier: MIT
"""Facts about this installation."""

from __future__ import annotations

import platform
from importlib.util import find_spec
from typing import Any

import numpy as np

from . import _core
from ._run import usable_processors

__all__ = ["build_info"]

_OPTIONAL = ("cupy", "dask", "matplotlib", "networkx", "onnx", "pandas", "torch", "tqdm")


def build_info() -> dict[str, Any]:
    """Return how the package was built and what it finds here; put it into bug reports.

    Returns
    -------
    dict
        Version, compiler, instruction set in use, Python, NumPy, usable processors, and which
        optional packages are installed.

    Examples
    --------
    >>> sorted(build_info())
    ['compiler', 'machine', 'numpy', 'optional', 'processors', 'python', 'simd', 'version']
    """
    return {
        **_core.build_info(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "processors": usable_processors(),
        "optional": [name for name in _OPTIONAL if find_spec(name) is not None],
    }
