# SPDX-License-Identifier: MIT
"""Folders of chambers that are listed in part: the state, and a chunk."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import linear_regions as lr

CHUNK = "chunk-000000.npz"


@cache
def _planes(d: int) -> lr.Arrangement:
    rng = np.random.default_rng(4)
    return lr.Arrangement(rng.integers(-2, 3, (7, d)), rng.integers(-2, 3, 7))


def _go_on(folder: Path, d: int, limit: int | None = None) -> lr.Chambers:
    return _planes(d).chambers(
        method="rays" if d == 3 else "tree", points=True, threads=1, limit=limit, checkpoint=folder
    )


@cache
def _folders() -> list[dict[str, bytes]]:
    found = []
    for d, limit in ((3, 9), (3, None), (2, 5)):
        with TemporaryDirectory() as folder:
            _go_on(Path(folder), d, limit)
            found.append({path.name: path.read_bytes() for path in Path(folder).iterdir()})
    return [files for files in found if CHUNK in files]


def states() -> list[bytes]:
    """Return states of folders."""
    return [files["state"] for files in _folders()]


def chunks() -> list[bytes]:
    """Return first chunks of folders."""
    return [files[CHUNK] for files in _folders()]


def read(path: Path) -> None:
    """Put a file into every folder, and go on with the listing."""
    data, refused = path.read_bytes(), []
    for number, files in enumerate(_folders()):
        folder = path.parent / f"folder {number}"
        folder.mkdir()
        for name, own in {**files, path.name: data}.items():
            (folder / name).write_bytes(own)
        try:
            found = _go_on(folder, 2 if number == 2 else 3)
            assert len(found) == len(found.sign_vectors)
        except lr.LinearRegionsError as error:
            refused.append(error)
    if len(refused) == len(_folders()):
        raise refused[0]
