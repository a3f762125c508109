# SPDX-License-Identifier: MIT
"""Files that are replaced as a whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from os import PathLike
from typing import IO

__all__ = ["check_ordinary", "replacing"]

Path = str | bytes | PathLike[str] | PathLike[bytes]


def check_ordinary(path: Path) -> int | None:
    """Return the rights of an ordinary file, links followed; None where nothing is there.

    Raises
    ------
    OSError
        If it is none: a pipe waits for its other end, a device may have no end, and a rename would
        put a file in place of either.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "no ordinary file", path)
    return stat.S_IMODE(mode)


@contextlib.contextmanager
def replacing(path: Path, *, sync: bool = False) -> Iterator[IO[bytes]]:
    """Give a file to write to, which takes its place when the block ends without an error.

    It is written beside its place and renamed. Otherwise all is as if `path` had been opened: a
    link stays one, a file that was there keeps its rights, and a new one gets those of new files.

    Parameters
    ----------
    path : str, bytes or path
    sync : bool
        Bring it to the disk before the renaming.

    Raises
    ------
    OSError
        If it cannot be written; what was there is untouched then.
    """
    name = os.fsdecode(path)
    if not name:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    rights = check_ordinary(name)
    target = os.path.realpath(name)
    temporary = os.path.join(os.path.dirname(target), f"tmp{secrets.token_hex(8)}.part")
    try:
        # Not tempfile's: its files are private, and the rights of new ones, the umask, can only be
        # asked for by changing them for all threads.
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        handle = os.open(temporary, flags, 0o666)
    except OSError as error:  # say which file was meant
        raise type(error)(error.errno, error.strerror, name) from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        if rights is not None:
            os.chmod(temporary, rights)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
