# SPDX-License-Identifier: MIT
"""The largest number of regions of one convolutional layer."""

from __future__ import annotations

from .maximum import one_layer_maximum

__all__ = ["one_layer_maximum"]
