# SPDX-License-Identifier: MIT
"""The kernels of cuda/: their arguments, and their text as one piece.

CuPy keeps compiled kernels by the text that it was given; a header behind an include path would not
be part of that, and a stale kernel could survive a new version. So the headers are put into the
text here, each once, and no include path is needed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import DeviceError

__all__ = ["KERNELS", "Kernel", "source"]

_INCLUDE = re.compile(r'^#include "([^"]+)"$')


@dataclass(frozen=True)
class Kernel:
    """One kernel.

    Attributes
    ----------
    file : str
        Its source is ``<file>_kernels.cu``.
    by_teams : bool
        A piece of work is done by a team of 32 threads, not by one.
    arguments : str
        One letter each: ``p`` a pointer, ``u`` an unsigned 64-bit number; ``w`` at the end: the
        workspace of the teams and the doubles that each needs.
    """

    file: str
    by_teams: bool
    arguments: str


KERNELS = {
    "lr_pack_f16": Kernel("pattern", True, "puuuuupuupp"),
    "lr_pack_bf16": Kernel("pattern", True, "puuuuupuupp"),
    "lr_pack_f32": Kernel("pattern", True, "puuuuupuupp"),
    "lr_pack_f64": Kernel("pattern", True, "puuuuupuupp"),
    "lr_pack_margins": Kernel("pattern", True, "puuuuupuuppp"),
    "lr_extract_bits": Kernel("pattern", False, "puuuup"),
    "lr_pack_codes": Kernel("pattern", True, "puuuuup"),
    "lr_hash_rows": Kernel("pattern", False, "puup"),
    "lr_hash_rows_128": Kernel("pattern", False, "puup"),
    "lr_set_claim": Kernel("pattern", False, "puupupup"),
    "lr_set_mark": Kernel("pattern", False, "ppuup"),
    "lr_set_settle": Kernel("pattern", False, "puupppppu"),
    "lr_set_count": Kernel("pattern", False, "pppupp"),
    "lr_set_rebuild": Kernel("pattern", False, "puupu"),
    "lr_uniform_points": Kernel("sample", False, "uuuuupppup"),
    "lr_raise_registers": Kernel("sample", False, "puup"),
    "lr_sweep_lines": Kernel("sweep", True, "ppuuuuuuupupupw"),
}


def _folders() -> tuple[Path, Path]:
    """Return the folder of the kernels and the one that holds linear_regions/*.hpp."""
    import linear_regions

    for root in map(Path, linear_regions.__path__):  # an editable install has two
        if (root / "_cuda").is_dir():
            return root / "_cuda", root / "_cuda"
    root = Path(__file__).parents[3]
    if (root / "cuda" / "teams.hpp").is_file():  # a source tree
        return root / "cuda", root / "cpp" / "include"
    raise DeviceError(
        "the kernel sources are not installed beside linear_regions (folder _cuda): install the "
        "package again"
    )


def source(file: str) -> str:
    """Return ``<file>_kernels.cu`` with its own headers in place of their include lines."""
    kernels, headers = _folders()
    seen: set[Path] = set()

    def expanded(path: Path) -> list[str]:
        lines = []
        for line in path.read_text(encoding="utf-8").splitlines():
            found = _INCLUDE.match(line)
            if found is None:
                if line != "#pragma once":
                    lines.append(line)
                continue
            name = found.group(1)
            header = (headers if name.startswith("linear_regions/") else kernels) / name
            if header not in seen:
                seen.add(header)
                lines.extend(expanded(header))
        return lines

    return "\n".join(expanded(kernels / f"{file}_kernels.cu")) + "\n"
