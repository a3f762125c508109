# SPDX-License-Identifier: MIT
"""These tests need a GPU; without CuPy or a device they are skipped, and say why."""

from __future__ import annotations

import pytest

import linear_regions as lr
from linear_regions._device.launch import open_device


@pytest.fixture(scope="session")
def gpu():
    """Return the device "cuda"."""
    try:
        return open_device("cuda")
    except lr.DeviceError as error:
        pytest.skip(str(error))
