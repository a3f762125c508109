# SPDX-License-Identifier: MIT
"""Train a small network on two spirals and plot how its regions evolve.

    python examples/watch_training.py [--epochs N] [--output FOLDER]

It needs PyTorch and Matplotlib. Every few epochs a monitor logs to ``regions.jsonl`` the exact
number of regions in the square of the data, on segments between data points, the local complexity
around them and the NASWOT score; ``training.png`` shows the log and the regions at the end.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import torch

import linear_regions as lr


def spirals(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return n points on two spirals, and which of them each is on."""
    label = np.arange(n) % 2
    turn = 3.0 * np.sqrt(rng.uniform(size=n))
    angle = np.pi * (turn + label)
    points = turn[:, None] / 3.2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return points + 0.02 * rng.standard_normal((n, 2)), label


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--output", type=Path, default=Path("training"), metavar="FOLDER")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(0)
    points, label = spirals(400, np.random.default_rng(0))
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 24), torch.nn.ReLU(),
        torch.nn.Linear(24, 24), torch.nn.ReLU(),
        torch.nn.Linear(24, 2),
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    x, y = torch.tensor(points, dtype=torch.float32), torch.tensor(label)

    square = lr.Box([-1.1, -1.1], [1.1, 1.1])
    file = options.output / "regions.jsonl"
    file.unlink(missing_ok=True)
    monitor = lr.Monitor(
        file,
        every=max(1, options.epochs // 30),
        domain=square,
        segments=(points[:100], points[100:200]),
        points=points[:100],
        radius=0.05,
    )
    for epoch in range(options.epochs + 1):
        loss = torch.nn.functional.cross_entropy(model(x), y)
        monitor(epoch, model, loss=loss)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    log = lr.Monitor.read(file)
    figure, (curves, picture) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    epochs = [line["epoch"] for line in log]
    for name, values in (
        ("regions in the square", [line["count"]["value"] for line in log]),
        ("regions on a segment, mean", [line["segments"]["mean"] for line in log]),
        ("local complexity, mean", [line["local"]["mean"] for line in log]),
        ("loss", [line["loss"] for line in log]),
    ):
        curves.plot(epochs, values, label=name)
    curves.set(yscale="log", xlabel="epoch")
    curves.legend()
    lr.plot(lr.load(model), square, ax=picture, color_by="class", decision_boundary=True)
    picture.set_title(f"{log[-1]['count']['value']:,} regions after {epochs[-1]} epochs")
    figure.savefig(options.output / "training.png", dpi=120)
    print(f"regions in the square: {log[0]['count']['value']} -> {log[-1]['count']['value']}")
    print(f"on a segment: {log[0]['segments']['mean']:.1f} -> {log[-1]['segments']['mean']:.1f}")
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
