# SPDX-License-Identifier: MIT
"""Where does a classifier change its mind? The exact boundary of a small network.

Run it with ``python examples/decision_boundary.py --output DIR`` (extra: plot). It prints the
number of pieces and the length of the boundary between every two classes, and writes a picture.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import linear_regions as lr


def blobs() -> lr.Network:
    """Return a small network with three classes; its weights are those of a fixed seed."""
    rng = np.random.default_rng(0)
    layers = [lr.Affine(rng.normal(size=(16, 2)), rng.normal(size=16)), lr.relu()]
    layers += [lr.Affine(rng.normal(size=(16, 16)) / 3, rng.normal(size=16)), lr.relu()]
    return lr.Network(2, [*layers, lr.Affine(rng.normal(size=(3, 16)))])


def main() -> None:
    """Find the boundary, print it class by class, draw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path(), help="folder of the picture")
    options = parser.parse_args()
    regions = lr.regions(blobs(), lr.Box(-3.0, 3.0))
    boundary = regions.decision_boundary()
    print(f"{len(regions):,} regions, {len(boundary):,} pieces of the boundary")
    pairs = np.sort(boundary.classes, axis=1)
    for a, b in np.unique(pairs, axis=0):
        chosen = (pairs == (a, b)).all(axis=1)
        print(f"classes {a} and {b}: length {boundary.sizes[chosen].sum():.4f}")
    import matplotlib

    matplotlib.use("agg")
    axes = lr.plot(regions, color_by="class", decision_boundary=boundary)
    axes.figure.savefig(options.output / "decision_boundary.png")


if __name__ == "__main__":
    main()
