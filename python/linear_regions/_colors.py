# SPDX-License-Identifier: MIT
"""Colours of pictures: one per region, so that neighbours differ, for light and dark pages.

A region's *shade* is a number in [0, 1): the sum, modulo one, of a share for every bit of its
pattern. Crossing a facet of one unit changes the sum by that unit's share, and shares stay away
from whole numbers, so neighbours differ without any search for who is whose neighbour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import linear_regions as lr

__all__ = ["PALETTES", "Palette", "Theme", "class_colors", "region_colors", "shades"]

FloatArray: TypeAlias = npt.NDArray[np.float64]
Theme: TypeAlias = Literal["light", "dark"]

# Shares are counted in 64ths. A window with two bits uses multiples of 16; the shares of units keep
# a distance of at least 7 to all of those, for where a unit and a window change together.
_LEVELS = 64
_SHARES = (23, 24, 25, 39, 40, 41)
_ROWS_AT_ONCE = 4096

# Hues in degrees: neighbours in the list are far apart; the first three are easily told apart by
# readers with a colour vision deficiency.
_HUES = (250.0, 60.0, 160.0, 330.0, 110.0, 290.0, 20.0, 200.0, 85.0, 310.0)


class Palette:
    """Ink, paper and range of lightness for a page.

    Parameters
    ----------
    theme : {"light", "dark"}

    Attributes
    ----------
    ink, paper : str
        Colours of lines and text, and of the background.
    lightness : tuple of float
        Range of the regions' lightness (0 black, 1 white).
    """

    def __init__(self, theme: Theme) -> None:
        dark = theme == "dark"
        self.theme = theme
        self.ink = "#f4f6f8" if dark else "#16181d"
        self.paper = "#12151b" if dark else "#ffffff"
        self.lightness = (0.30, 0.60) if dark else (0.66, 0.95)
        self.chroma = (0.095, 0.115) if dark else (0.105, 0.035)


PALETTES: dict[Theme, Palette] = {"light": Palette("light"), "dark": Palette("dark")}


def shades(regions: lr.Regions) -> FloatArray:
    """Return a number in [0, 1) per region that differs between neighbours.

    Parameters
    ----------
    regions : Regions

    Returns
    -------
    float64 array, shape (R,)
        Across a facet of one unit the values differ by more than a third, modulo one; across a
        facet where a pooling window of up to four entries changes too, by more than a tenth.
    """
    weights = _shares(regions.network)
    words = np.ascontiguousarray(regions.patterns, dtype="<u8")
    total = np.empty(len(words), dtype=np.int64)
    for start in range(0, len(words), _ROWS_AT_ONCE):
        rows = words[start : start + _ROWS_AT_ONCE].view(np.uint8)
        bits = np.unpackbits(rows, axis=1, count=len(weights), bitorder="little")
        total[start : start + len(rows)] = bits @ weights
    result: FloatArray = total % _LEVELS / _LEVELS
    return result


def _shares(net: lr.Network) -> npt.NDArray[np.int64]:
    """Return the share of every bit, in 64ths."""
    from linear_regions import Pointwise

    rng = np.random.default_rng(0)  # a fixed choice: the same network has the same picture
    shares = np.empty(net.pattern_bits, dtype=np.int64)
    for index, first, n_bits in net.pattern_layout:
        layer: Any = net.layers[index]
        if isinstance(layer, Pointwise):
            shares[first : first + n_bits] = rng.choice(_SHARES, n_bits)
        else:  # the winner of a window, in binary: all winners get shares of their own
            per_window = n_bits // layer.n_units(*net.input_shapes(index))
            place = np.arange(n_bits) % per_window
            shares[first : first + n_bits] = _LEVELS * 2**place // 2**per_window
    return shares


def region_colors(shade: FloatArray, palette: Palette) -> FloatArray:
    """Return colours of regions by their shade alone: light to strong, green to violet.

    Parameters
    ----------
    shade : float64 array, shape (R,)
    palette : Palette

    Returns
    -------
    float64 array, shape (R, 3)
        Red, green, blue in [0, 1].
    """
    # The hue takes other digits of the shade than the lightness, so that both vary.
    hue = 190.0 + 110.0 * (shade * 8.0 % 1.0)
    return _blend(shade, hue, palette)


def class_colors(shade: FloatArray, classes: npt.NDArray[np.int64], palette: Palette) -> FloatArray:
    """Return colours whose hue is the class and whose lightness is the shade.

    Parameters
    ----------
    shade : float64 array, shape (R,)
    classes : int64 array, shape (R,)
    palette : Palette

    Returns
    -------
    float64 array, shape (R, 3)
    """
    # Classes that are there get hues in the order of the list, so that few classes look well apart.
    _, rank = np.unique(classes, return_inverse=True)
    table = np.asarray(_HUES)
    turn = 137.5 * (rank // len(table))  # beyond the list, turned by the golden angle
    return _blend(shade, table[rank % len(table)] + turn, palette)


def _blend(shade: FloatArray, hue: FloatArray, palette: Palette) -> FloatArray:
    (dark, light), (strong, weak) = palette.lightness, palette.chroma
    return _srgb(dark + (light - dark) * shade, strong + (weak - strong) * shade, hue)


def _srgb(lightness: FloatArray, chroma: FloatArray, hue: FloatArray) -> FloatArray:
    """Convert Oklch (a space where equal steps look equal; B. Ottosson 2020) to sRGB."""
    angle = np.deg2rad(hue)
    a, b = chroma * np.cos(angle), chroma * np.sin(angle)
    cone = np.stack(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ],
        axis=-1,
    )
    to_linear = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = np.clip(cone**3 @ to_linear.T, 0.0, 1.0)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    result: FloatArray = np.clip(curved, 0.0, 1.0)
    return result
