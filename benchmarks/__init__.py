# SPDX-License-Identifier: MIT
"""Timed cases that assert their answers; run them with ``python -m benchmarks.bench_count``."""

from __future__ import annotations

__all__ = ["BLAS_THREADS"]

# What the libraries behind NumPy's matrix products read when they are loaded. It is named here,
# where nothing has loaded NumPy yet.
BLAS_THREADS = (
    "BLIS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
)
