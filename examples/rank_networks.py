# SPDX-License-Identifier: MIT
"""Rank random networks without training, beside a plain PyTorch implementation.

    python examples/rank_networks.py [--networks N]

It needs PyTorch. Random convolutional networks are scored by NASWOT on one batch of random images,
by this package and by the paper's formula written out with hooks on the ReLU modules; the kernels
and the scores must be equal. Printed are the milliseconds per network of both, and the best ones.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from torch import nn

import linear_regions as lr


def random_network(rng: np.random.Generator) -> nn.Sequential:
    """Return a small CNN of random depth and widths."""
    layers: list[nn.Module] = []
    channels, size = 3, 16
    for _ in range(int(rng.integers(2, 5))):
        width = int(rng.choice([8, 16, 24]))
        kernel = int(rng.choice([1, 3, 5]))
        layers += [nn.Conv2d(channels, width, kernel, padding=kernel // 2), nn.BatchNorm2d(width)]
        layers.append(nn.ReLU())
        channels = width
        if size > 4 and rng.integers(2):
            layers.append(nn.AvgPool2d(2))
            size //= 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * size * size, 10))


def plain_naswot(network: nn.Sequential, batch: torch.Tensor) -> tuple[np.ndarray, float]:
    """Return kernel and score by hooks, as the paper has them."""
    kernel = np.zeros((len(batch), len(batch)))

    def add(module: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        x = (inputs[0] > 0).flatten(1).float()
        kernel[:] += (x @ x.T + (1 - x) @ (1 - x).T).numpy()

    handles = [part.register_forward_hook(add) for part in network if isinstance(part, nn.ReLU)]
    with torch.no_grad():
        network(batch)
    for handle in handles:
        handle.remove()
    return kernel, float(np.linalg.slogdet(kernel)[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=200)
    n = parser.parse_args().networks

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    networks = [random_network(rng) for _ in range(n)]
    batch = torch.randn(64, 3, 16, 16)

    lr.nas.naswot(networks[0], batch)  # the first call loads what PyTorch loads late
    started = time.perf_counter()
    scores = [lr.nas.naswot(network, batch) for network in networks]
    ours = time.perf_counter() - started
    started = time.perf_counter()
    plain = [plain_naswot(network, batch) for network in networks]
    theirs = time.perf_counter() - started

    for score, (kernel, value) in zip(scores, plain, strict=True):
        assert np.array_equal(score.kernel, kernel), "the kernels differ"
        assert score.singular or abs(score.score - value) <= 1e-6 * abs(value), "the scores differ"
    print(f"{n} networks: {1e3 * ours / n:.1f} ms each, plain PyTorch {1e3 * theirs / n:.1f} ms")

    order = sorted(range(n), key=lambda i: (scores[i].rank, scores[i].score), reverse=True)
    print("rank  network  score     rank of K  units")
    for place, i in enumerate(order[:5], 1):
        print(f"{place:4}  {i:7}  {float(scores[i]):8.2f}  {scores[i].rank:9}  {scores[i].bits:6}")
    met = lr.nas.te_nas(networks[order[0]], n=1000, input_shape=(3, 16, 16), rng=0)
    note = "; saturated: it only measures the samples" if met.saturated else ""
    print(f"TE-NAS count of the first: {int(met)} patterns of {met.samples} samples{note}")


if __name__ == "__main__":
    main()
