# SPDX-License-Identifier: MIT
"""A mutation fuzzer for everything that reads what others wrote; see docs/design/fuzzing.md.

It is seeded, so a case that fails can be made again, and needs nothing but what the tests need.
"""

from __future__ import annotations
