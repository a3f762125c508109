# SPDX-License-Identifier: MIT
"""The network that ships with the package, and the plane that its report looks at.

Made by ``examples/train_digits_cnn.py``; ``docs/digits_model.md`` says from what.
"""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from ._domain_files import Place, read_slice

if TYPE_CHECKING:
    import linear_regions as lr

__all__ = ["digits_network", "digits_place"]


def digits_network() -> lr.Network:
    """Return the convolutional network for the 8 x 8 digits.

    Returns
    -------
    Network
    """
    import linear_regions as lr

    with as_file(files("linear_regions") / "data" / "digits_cnn.npz") as path:
        return lr.Network.load(path)


def digits_place() -> Place:
    """Return the plane through three test digits, and the segment between two of them.

    Returns
    -------
    Place
    """
    with as_file(files("linear_regions") / "data" / "digits_points.npz") as path:
        place = read_slice(path, (1, 8, 8))
    names = [f"digit {label}" for label in place.labels]
    return place.described(
        f"plane through three test images, {names[0]}, {names[1]} and {names[2]}", labels=names
    )
