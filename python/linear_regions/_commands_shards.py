# SPDX-License-Identifier: MIT
"""The commands of counts on several machines."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from ._commands import Output, count_text
from ._report_text import labelled

__all__ = ["SHARD_COMMANDS"]


def _merge(options: argparse.Namespace) -> Output:
    import linear_regions as lr

    result = lr.merge_counts(options.parts)
    return Output(
        lambda: labelled([("regions", [count_text(result)])]),
        lambda: {"count": result.to_dict()},
    )


SHARD_COMMANDS: dict[str, Callable[[argparse.Namespace], Output]] = {"merge": _merge}
