# SPDX-License-Identifier: MIT
"""PyTorch modules for the tests, and the comparison with PyTorch."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from linear_regions.importers import load


class Function(nn.Module):
    """A module around a function, with some parameters to use."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.w = nn.Parameter(torch.randn(3, 6))
        self.b = nn.Parameter(torch.randn(3))
        self.k = nn.Parameter(torch.randn(2, 4, 3, 3))
        self.register_buffer("mean", torch.randn(4, 1, 1))
        self.register_buffer("index", torch.tensor([2, 0]))

    def forward(self, x):
        return self.function(self, x)


def check(module, shape, **options):
    """Load, compare with the module in double precision at other points, return the network."""
    net = load(module, input_shape=shape, **options)
    module = module.double().eval()
    generator = torch.Generator().manual_seed(1)
    for size in (0.3, 1.0, 5.0):
        x = size * torch.randn((2, *shape), generator=generator, dtype=torch.float64)
        for point in x:
            with torch.no_grad():
                expected = module(point[None]).numpy()
            got = net(point.numpy())
            scale = max(1.0, float(np.abs(expected).max()))
            assert expected.shape in (got.shape, (1, *got.shape))
            np.testing.assert_allclose(got.reshape(-1), expected.reshape(-1), atol=1e-9 * scale)
    return net


def names(net):
    return [type(layer).__name__ for layer in net.layers]


def with_statistics(module):
    """Give batch normalizations other statistics than those they start with."""
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2.0)
            if part.affine:
                nn.init.normal_(part.weight)
                nn.init.normal_(part.bias)
    return module


def broken_export(*args, **kwargs):
    raise RuntimeError("this module cannot be exported\nwith a long explanation")


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(2, 4, 3, padding=1, stride=2), nn.BatchNorm2d(4)
        self.conv2, self.bn2 = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.short = nn.Conv2d(2, 4, 1, stride=2)
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += self.short(x)
        out = self.relu(out)
        return self.fc(F.adaptive_avg_pool2d(out, 1).flatten(1))
