# SPDX-License-Identifier: MIT
"""Draw the regions of the shipped digits network on the plane through three test images.

    python examples/slice_picture.py [--output FOLDER]

It needs Matplotlib and writes ``digits_light.png`` and ``digits_dark.png``, the pictures of the
README.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

import linear_regions as lr

DATA = Path(lr.__file__).parent / "data"
WIDTH = 8.0  # inches
DPI = 150


def draw(regions: lr.Regions, points: np.ndarray, theme: str) -> plt.Figure:
    """Return a figure: regions by class, the decision boundary, and the three images."""
    figure, ax = plt.subplots()
    lr.plot(regions, ax=ax, color_by="class", decision_boundary=True, points=points, theme=theme)
    # The three images stand at (-1/2, 0), (1/2, 0) and (0, 1) of the plane.
    for image, at in zip(points[:, 0], [(-0.5, 0.0), (0.5, 0.0), (0.0, 1.0)], strict=True):
        thumbnail = OffsetImage(image, zoom=6.5, cmap="gray", interpolation="nearest")
        ax.add_artist(AnnotationBbox(thumbnail, at, (34, 34), boxcoords="offset points", pad=0.15))
    ax.get_legend().remove()
    ax.set_title("")
    ax.set_axis_off()
    ax.set_position((0.0, 0.0, 1.0, 1.0))
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    figure.set_size_inches(WIDTH, WIDTH * ax.get_aspect() * (top - bottom) / (right - left))
    # Polygons with sharp edges: flat colours make a third of the bytes, and viewers that show the
    # picture smaller smooth it.
    ax.collections[0].set(antialiased=False, linewidth=0.0)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    folder = Path(__file__).parents[1] / "docs" / "images"
    parser.add_argument("--output", type=Path, default=folder, metavar="FOLDER")
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)

    net = lr.load(DATA / "digits_cnn.npz")
    plane = np.load(DATA / "digits_points.npz")
    domain = lr.Slice(plane["origin"], plane["directions"], lr.Box(plane["low"], plane["high"]))
    regions = lr.regions(net, domain)
    print(f"{len(regions):,} regions, {regions.count.kind}, in {regions.count.seconds:.3f} s")
    for theme in ("light", "dark"):
        path = output / f"digits_{theme}.png"
        figure = draw(regions, plane["points"], theme)
        figure.savefig(path, dpi=DPI)
        plt.close(figure)
        print(path)


if __name__ == "__main__":
    main()
