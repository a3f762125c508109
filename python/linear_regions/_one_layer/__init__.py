# SPDX-License-Identifier: MIT
"""The largest number of regions of one convolutional layer."""

from __future__ import annotations

from .maximum import one_layer_bounded, one_layer_maximum, one_layer_sizes

__all__ = ["one_layer_bounded", "one_layer_maximum", "one_layer_sizes"]
