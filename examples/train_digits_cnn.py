# SPDX-License-Identifier: MIT
"""Train the small CNN that ships with the package, and pick the plane that its report looks at.

    python examples/train_digits_cnn.py [--output FOLDER] [--epochs N]

It needs PyTorch and scikit-learn (``pip install torch==2.13.0 scikit-learn``), runs on the CPU in
a few seconds, and writes two files:

* ``digits_cnn.npz``: the network, weights rounded to multiples of 2^-12 after training;
* ``digits_points.npz``: three correctly classified test digits of different classes, at nearly
  equal distances from each other, and the plane through them.

Another processor or another release of PyTorch may round otherwise and give another network of the
same quality; the one in the package is the one that its documentation and tests speak about.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import linear_regions as lr

SEED = 0
N_TRAIN = 1347  # three quarters of the 1,797 images
BATCH = 32
WEIGHT_UNIT = 2.0**-12  # weights become multiples of it, so they are short binary fractions
DISTANCE_TOLERANCE = 0.005  # relative spread of the three squared distances


@dataclass(frozen=True)
class Digits:
    """Images as floats k/16, shape (N, 1, 8, 8), labels, and rows in the data set."""

    images: np.ndarray
    labels: np.ndarray
    rows: np.ndarray


def load_split() -> tuple[Digits, Digits]:
    """Return the training and the test part, split by a fixed permutation."""
    data = load_digits()
    order = np.random.default_rng(SEED).permutation(len(data.target))
    images = (data.images / 16.0)[:, None]
    train, test = order[:N_TRAIN], order[N_TRAIN:]
    return (
        Digits(images[train], data.target[train], train),
        Digits(images[test], data.target[test], test),
    )


def build() -> nn.Sequential:
    """Return the untrained network: 366 units, 2,870 weights."""
    return nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, kernel_size=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64, 32),
        nn.ReLU(),
        nn.Linear(32, 10),
    )


def train(digits: Digits, epochs: int) -> nn.Sequential:
    """Train on the given digits and round the weights."""
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    model = build()
    images = torch.tensor(digits.images, dtype=torch.float32)
    labels = torch.tensor(digits.labels)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    loss = nn.CrossEntropyLoss(label_smoothing=0.05)
    shuffler = torch.Generator().manual_seed(SEED)
    for _ in range(epochs):
        for batch in torch.randperm(len(labels), generator=shuffler).split(BATCH):
            optimizer.zero_grad()
            loss(model(images[batch]), labels[batch]).backward()
            optimizer.step()
        schedule.step()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_((parameter / WEIGHT_UNIT).round() * WEIGHT_UNIT)
    return model.eval()


def pick_triple(digits: Digits, logits: np.ndarray) -> tuple[int, int, int]:
    """Return three well classified digits of different classes at nearly equal distances.

    An equilateral triangle is drawn without distortion when one axis runs along a side and the
    other along the height, and both directions are multiples of 1/32, hence exact.
    """
    correct = logits.argmax(axis=1) == digits.labels
    probability = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).max(axis=1)
    flat = digits.images.reshape(len(digits.images), -1) * 16.0
    squared = ((flat[:, None] - flat[None]) ** 2).sum(axis=2)
    labels = digits.labels
    best: tuple[float, tuple[int, int, int]] | None = None
    for i, j in combinations(np.flatnonzero(correct), 2):
        slack = DISTANCE_TOLERANCE * squared[i, j]
        near = abs(squared[i] - squared[i, j]) <= slack
        near &= abs(squared[j] - squared[i, j]) <= slack
        near &= correct & (labels != labels[i]) & (labels != labels[j])
        near[: j + 1] = False
        if labels[i] == labels[j] or not near.any():
            continue
        for k in np.flatnonzero(near):
            score = float(probability[[i, j, k]].min())
            if best is None or score > best[0]:
                best = score, (int(i), int(j), int(k))
    if best is None:
        raise SystemExit("no three test digits at equal distances: train longer")
    return best[1]


def plane_through(points: np.ndarray) -> dict[str, np.ndarray]:
    """Return the plane with the points at (-1/2, 0), (1/2, 0) and (0, 1), cut to a rectangle."""
    first, second, third = points.reshape(3, -1)
    middle = (first + second) / 2.0
    return {
        "origin": middle,
        "directions": np.stack([second - first, third - middle]),
        "low": np.array([-0.75, -0.25]),
        "high": np.array([0.75, 1.25]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    package_data = Path(__file__).parents[1] / "python" / "linear_regions" / "data"
    parser.add_argument("--output", type=Path, default=package_data, metavar="FOLDER")
    parser.add_argument("--epochs", type=int, default=100)
    options = parser.parse_args()

    digits, test = load_split()
    model = train(digits, options.epochs)
    imported = lr.load(model, input_shape=(1, 8, 8))
    logits = imported(test.images)
    correct = int((logits.argmax(axis=1) == test.labels).sum())
    print(f"test accuracy: {correct} of {len(test.labels)} = {correct / len(test.labels):.4f}")

    net = lr.Network(
        imported.input_shape,
        imported.layers,
        notes=[
            "digits 0 to 9 of 8 x 8 pixels (scikit-learn's digits: UCI optical recognition of "
            f"handwritten digits), {correct} of {len(test.labels)} test images right",
            "trained by examples/train_digits_cnn.py",
        ],
    )
    chosen = list(pick_triple(test, logits))
    points = test.images[chosen]
    print(f"digits {test.labels[chosen].tolist()}, rows {test.rows[chosen].tolist()} of the data")

    options.output.mkdir(parents=True, exist_ok=True)
    lr.save(net, options.output / "digits_cnn.npz")
    np.savez(
        options.output / "digits_points.npz",
        **plane_through(points),
        points=points,
        labels=test.labels[chosen],
        rows=test.rows[chosen],
    )


if __name__ == "__main__":
    main()
