# SPDX-License-Identifier: MIT
"""Whether a file can be written: asked before the work, whose results would be lost after it."""

from __future__ import annotations

import errno
import os

from .errors import InvalidInput

__all__ = ["check_output", "check_picture"]


def check_output(path: str | None, ending: str = "") -> None:
    """Raise where a file cannot be written.

    Parameters
    ----------
    path : str or None
        None: no file is wanted.
    ending : str
        What its name must end in.

    Raises
    ------
    InvalidInput
        If the name ends otherwise.
    OSError
        If there is no such folder, it cannot be written to, or the path is a folder.
    """
    if path is None:
        return
    if not path.lower().endswith(ending):
        raise InvalidInput(f"--output: expected a name that ends in {ending}, got {path!r}")
    folder = os.path.dirname(path) or "."
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", folder)
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)


def check_picture(path: str | None) -> None:
    """Raise where a picture cannot be written, as `check_output` does.

    Raises
    ------
    InvalidInput
        If Matplotlib knows no pictures with this ending.
    MissingExtra
        Without Matplotlib.
    """
    if path is None:
        return
    from ._svg import needs_matplotlib

    needs_matplotlib()
    from matplotlib.backend_bases import FigureCanvasBase

    kinds = FigureCanvasBase.get_supported_filetypes()
    ending = os.path.splitext(path)[1].lower()
    if ending.removeprefix(".") not in kinds:
        raise InvalidInput(
            f"{path}: no picture ends in {ending!r}; expected .png, .svg, .pdf or another of "
            f"{', '.join(sorted(kinds))}"
        )
    check_output(path)
