# SPDX-License-Identifier: MIT
"""Pictures for a page: drawings in SVG that follow the page's light or dark theme.

The polygons of a plane are many and small, so they are one image per theme, painted by Matplotlib;
lines, points and text over them are drawn by the browser and stay sharp.
"""

from __future__ import annotations

from base64 import b64encode
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ._colors import PALETTES, Theme
from ._picture import LinePicture, Picture, line_picture, picture
from .errors import MissingExtra

if TYPE_CHECKING:
    import linear_regions as lr

__all__ = ["line_svg", "needs_matplotlib", "plane_svg", "thumbnail"]

FloatArray: TypeAlias = npt.NDArray[np.float64]

_THEMES: tuple[Theme, Theme] = ("light", "dark")
_WIDTH = 720.0  # user units; the page scales the drawing
# Pixels of the images per user unit. Edges are not smoothed: flat colours make images a third of
# the size, without seams between polygons, and the browser smooths when it scales them down.
_SHARPNESS = 2.0
_BAND_HEIGHT = 150.0
_MOST_CURVES = 20


def needs_matplotlib() -> None:
    """Raise `MissingExtra` where Matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtra("Drawing a picture", "plot") from error


class Frame:
    """The rectangle of domain coordinates that a drawing shows, and its scale."""

    def __init__(self, regions: lr.Regions) -> None:
        import linear_regions as lr

        corners = regions.vertices[:, :2]
        self.low, self.high = corners.min(axis=0), corners.max(axis=0)
        stretch = 1.0
        if isinstance(regions.domain, lr.Slice) and len(regions.domain.directions) == 2:
            first, second = np.linalg.norm(regions.domain.directions.reshape(2, -1), axis=1)
            stretch = float(second / first)
        wide, tall = self.high - self.low
        shape = min(max(stretch * tall / wide, 0.4), 1.25)
        self.width, self.height = _WIDTH, round(_WIDTH * shape)

    def at(self, points: FloatArray) -> FloatArray:
        """Return points in user units, x to the right and y down."""
        share = (points - self.low) / (self.high - self.low)
        x, y = share[..., 0] * self.width, (1.0 - share[..., 1]) * self.height
        result: FloatArray = np.stack([x, y], axis=-1)
        return result


def plane_svg(
    regions: lr.Regions,
    description: str,
    points: FloatArray | None = None,
    labels: tuple[str, ...] = (),
) -> tuple[str, str]:
    """Return the picture of bounded regions in a plane.

    Parameters
    ----------
    regions : Regions
    description : str
        For readers who do not see the picture.
    points : float64 array, shape (k, 2), optional
        To mark, in coordinates of the domain.
    labels : tuple of str
        One per point.

    Returns
    -------
    drawing, legend : str
        An ``<svg>`` element and the colours of its classes (empty where there is one class).
    """
    frame = Frame(regions)
    several = int(np.prod(regions.network.output_shape)) > 1
    content = picture(regions, "class" if several else "region", decision_boundary=True)
    parts = [
        f'<image class="{theme}-only" width="{frame.width:g}" height="{frame.height:g}" '
        f'href="{_raster(content, theme, frame)}"/>'
        for theme in _THEMES
    ]
    if content.segments:
        ends = frame.at(np.array(content.segments))
        path = "".join(f"M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}" for (a, b), (c, d) in ends)
        parts.append(f'<path class="boundary" d="{path}"/>')
    if points is not None:
        for (x, y), label in zip(frame.at(points), labels, strict=True):
            parts.append(f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="5"/>')
            parts.append(
                f'<text class="label" x="{x + 10:.1f}" y="{y - 8:.1f}">{escape(label)}</text>'
            )
    return _drawing(frame.width, frame.height, description, parts), _class_chips(content)


def _class_chips(content: Picture) -> str:
    """Return the colours of the classes, where there are several."""
    light, dark = (content.legend(PALETTES[theme]) for theme in _THEMES)
    items = []
    for (label, in_light), (_, in_dark) in zip(light, dark, strict=True):
        chips = "".join(
            f'<i class="chip {theme}-only" style="background:{_hex(color)}"></i>'
            for theme, color in zip(_THEMES, (in_light, in_dark), strict=True)
        )
        items.append(f"<li>{chips}class {label}</li>")
    return f'<ul class="inputs">{"".join(items)}</ul>\n' if len(items) > 1 else ""


def line_svg(regions: lr.Regions, description: str) -> str:
    """Return the picture of bounded regions on a line: a band each, and the outputs above.

    Parameters
    ----------
    regions : Regions
    description : str

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    several = int(np.prod(regions.network.output_shape)) > 1
    parts = []
    content: LinePicture | None = None
    for theme in _THEMES:
        content = line_picture(regions, "class" if several else "region", PALETTES[theme])
        assert content.colors is not None
        low, high = content.ends.min(), content.ends.max()
        x = (content.ends - low) / (high - low) * _WIDTH
        bands = [
            f'<rect x="{a:.2f}" width="{b - a + 0.05:.2f}" height="{_BAND_HEIGHT:g}" '
            f'fill="{_hex(color)}"/>'
            for (a, b), color in zip(x, content.colors, strict=True)
        ]
        parts.append(f'<g class="{theme}-only">{"".join(bands)}</g>')
    assert content is not None
    outputs = content.outputs[:_MOST_CURVES]
    low, high = float(outputs.min()), float(outputs.max())
    scale = (high - low) or 1.0
    for curve in outputs:
        y = (1.0 - 0.06) * _BAND_HEIGHT - (curve - low) / scale * 0.88 * _BAND_HEIGHT
        pairs = [f"{a:.1f} {b:.1f}" for a, b in zip(x[:, 0], y[:, 0], strict=True)]
        pairs.append(f"{x[-1, 1]:.1f} {y[-1, 1]:.1f}")
        parts.append(f'<polyline class="curve" points="{" ".join(pairs)}"/>')
    return _drawing(_WIDTH, _BAND_HEIGHT, description, parts)


def thumbnail(point: FloatArray, description: str) -> str | None:
    """Return an input as a small picture, or None where it is no image.

    Parameters
    ----------
    point : float64 array, shape input_shape
    description : str

    Returns
    -------
    str or None
        An ``<img>`` element.
    """
    if point.ndim != 3 or point.shape[0] not in (1, 3) or min(point.shape[1:]) < 4:
        return None
    from matplotlib.image import imsave

    spread = float(np.ptp(point)) or 1.0
    image = np.repeat((point - point.min()) / spread, 3 // point.shape[0], axis=0)
    buffer = BytesIO()
    imsave(buffer, image.transpose(1, 2, 0), format="png")
    return f'<img class="thumbnail" src="{_data_url(buffer)}" alt="{escape(description)}">'


def _raster(content: Picture, theme: Theme, frame: Frame) -> str:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure

    dpi = 100.0
    size = frame.width * _SHARPNESS / dpi, frame.height * _SHARPNESS / dpi
    figure = Figure(figsize=size, dpi=dpi, frameon=False)
    FigureCanvasAgg(figure)
    ax: Any = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    ax.set_axis_off()
    ax.set_xlim(frame.low[0], frame.high[0])
    ax.set_ylim(frame.low[1], frame.high[1])
    ax.add_collection(
        PolyCollection(
            content.polygons,
            facecolors=content.colors(PALETTES[theme]),
            edgecolors="none",
            antialiaseds=False,
        )
    )
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return _data_url(buffer)


def _data_url(buffer: BytesIO) -> str:
    return "data:image/png;base64," + b64encode(buffer.getvalue()).decode("ascii")


def _hex(color: FloatArray) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in color)


def _drawing(width: float, height: float, description: str, parts: list[str]) -> str:
    return (
        f'<svg role="img" viewBox="0 0 {width:g} {height:g}" '
        f'aria-label="{escape(description)}">{"".join(parts)}</svg>'
    )
