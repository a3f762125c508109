# SPDX-License-Identifier: MIT
"""Every operator and module of PyTorch that is read, and refusals by name."""

from __future__ import annotations

import numpy as np
import pytest

from linear_regions.errors import Unsupported
from linear_regions.importers import load

pytest.importorskip("torch")

import torch
import torch.nn.functional as F
from torch import nn

from importers.torch_models import Function, broken_export, check, names, with_statistics


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(5)


VECTOR, IMAGE = (6,), (4, 5, 6)


def _without_autocast(m, x):
    with torch.autocast("cpu", enabled=False):
        return F.linear(x, m.w, m.b).relu()


def _without_gradient(m, x):
    with torch.no_grad():
        return F.linear(x, m.w, m.b).relu()


FUNCTIONS = {
    "linear": (lambda m, x: F.linear(x, m.w, m.b), VECTOR, ["Affine"]),
    "linear over rows": (lambda m, x: F.linear(x, m.w, m.b), (5, 6), None),
    "matmul": (lambda m, x: x @ m.w.t() + m.b, VECTOR, ["Affine"]),
    "matmul from the left": (lambda m, x: m.w @ x, (6, 4), ["Conv"]),
    "mm": (lambda m, x: torch.mm(x, m.w.t()), VECTOR, ["Affine"]),
    "addmm": (
        lambda m, x: torch.addmm(m.b, x, m.w.t(), beta=0.5, alpha=2.0),
        VECTOR,
        ["Affine"],
    ),
    "conv": (
        lambda m, x: F.conv2d(x, m.k, stride=2, padding=1, dilation=(2, 1)),
        IMAGE,
        ["Conv"],
    ),
    "conv same": (lambda m, x: F.conv2d(x, m.k[:, :, :2], padding="same"), IMAGE, ["Conv"]),
    "conv valid": (lambda m, x: F.conv2d(x, m.k, padding="valid"), IMAGE, ["Conv"]),
    "conv groups": (lambda m, x: F.conv2d(x, m.k[:, :2], groups=2), IMAGE, ["Conv"]),
    "relu": (lambda m, x: F.relu(x), VECTOR, ["Pointwise"]),
    "relu in place": (lambda m, x: torch.relu_(F.linear(x, m.w)), VECTOR, ["Affine", "Pointwise"]),
    "relu6": (lambda m, x: F.relu6(x), VECTOR, ["Pointwise"]),
    "leaky": (lambda m, x: F.leaky_relu(x, 0.3), VECTOR, ["Pointwise"]),
    "prelu": (lambda m, x: F.prelu(x, m.mean.reshape(4)), IMAGE, ["Pointwise"]),
    "prelu of one": (lambda m, x: F.prelu(x, m.mean.reshape(4)[:1]), IMAGE, ["Pointwise"]),
    "rrelu": (lambda m, x: F.rrelu(x), VECTOR, ["Pointwise"]),
    "hardtanh": (lambda m, x: F.hardtanh(x, -2.0, 0.5), VECTOR, ["Pointwise"]),
    "hardsigmoid": (lambda m, x: F.hardsigmoid(x), VECTOR, ["Pointwise"]),
    "clamp": (lambda m, x: x.clamp(-0.5, 1.0), VECTOR, ["Pointwise"]),
    "clamp below": (lambda m, x: x.clamp(min=0.5), VECTOR, ["Pointwise"]),
    "clamp above": (lambda m, x: x.clamp(max=0.5), VECTOR, ["Pointwise"]),
    "clamp by tensors": (
        lambda m, x: x.clamp(m.mean - 1, m.mean + 1),
        IMAGE,
        ["Pointwise", "Pointwise"],
    ),
    "abs": (lambda m, x: x.abs(), VECTOR, ["Pointwise"]),
    "threshold": (lambda m, x: F.threshold(x, 0.25, 0.25), VECTOR, ["Pointwise"]),
    "softshrink": (lambda m, x: F.softshrink(x, 0.25), VECTOR, ["Pointwise"]),
    "where": (lambda m, x: torch.where(x > 0, x, 0.3 * x), VECTOR, ["Pointwise"]),
    "where the other way": (
        lambda m, x: torch.where(x.le(0.5), m.mean * x, m.mean * 0.5),
        IMAGE,
        None,
    ),
    "max pool": (lambda m, x: F.max_pool2d(x, 2), IMAGE, ["MaxPool"]),
    "max pool options": (
        lambda m, x: F.max_pool2d(x, (3, 2), (2, 1), (1, 0), ceil_mode=True),
        IMAGE,
        ["MaxPool"],
    ),
    "max pool with indices": (
        lambda m, x: F.max_pool2d(x, 2, return_indices=True)[0],
        IMAGE,
        ["MaxPool"],
    ),
    "max pool 1d": (lambda m, x: F.max_pool1d(x, 2), (3, 8), ["MaxPool"]),
    "max pool 3d": (lambda m, x: F.max_pool3d(x, 2), (2, 4, 4, 4), ["MaxPool"]),
    "average pool": (
        lambda m, x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False),
        IMAGE,
        ["AvgPool"],
    ),
    "average pool 1d": (lambda m, x: F.avg_pool1d(x, 3, 2), (3, 8), ["AvgPool"]),
    "adaptive average to one": (lambda m, x: F.adaptive_avg_pool2d(x, 1), IMAGE, ["AvgPool"]),
    "adaptive average": (lambda m, x: F.adaptive_avg_pool2d(x, (5, 2)), IMAGE, ["AvgPool"]),
    "adaptive keep": (lambda m, x: F.adaptive_avg_pool2d(x, (None, 3)), IMAGE, ["AvgPool"]),
    "adaptive maximum": (lambda m, x: F.adaptive_max_pool2d(x, 1), IMAGE, ["MaxPool"]),
    "mean": (lambda m, x: x.mean((2, 3)), IMAGE, None),
    "mean keepdim": (lambda m, x: x.mean(1, keepdim=True), IMAGE, None),
    "sum": (lambda m, x: x.sum(-1), IMAGE, None),
    "amax": (lambda m, x: x.amax((2, 3)), IMAGE, None),
    "amin": (lambda m, x: x.amin(1), IMAGE, None),
    "max over an axis": (lambda m, x: x.max(dim=1)[0], IMAGE, None),
    "min over an axis": (lambda m, x: torch.min(x, 2).values, IMAGE, None),
    "maximum": (lambda m, x: torch.maximum(F.linear(x, m.w), x[:, :3]), VECTOR, None),
    "minimum": (lambda m, x: torch.minimum(x, -x), VECTOR, None),
    "maximum with a constant": (lambda m, x: torch.maximum(x, m.mean), IMAGE, ["Pointwise"]),
    "minimum with a constant": (lambda m, x: torch.minimum(m.mean, x), IMAGE, ["Pointwise"]),
    "residual": (lambda m, x: F.relu(x) + x, IMAGE, ["Pointwise", "Add"]),
    "residual in place": (
        lambda m, x: F.relu(x).add_(x, alpha=2.0),
        IMAGE,
        ["Pointwise", "Scale", "Add"],
    ),
    "difference": (lambda m, x: x - F.relu(x), IMAGE, None),
    "arithmetic": (lambda m, x: (2.0 * x - m.mean) / 3.0 + 1, IMAGE, None),
    "subtract from": (lambda m, x: 1.0 - x, IMAGE, ["Scale"]),
    "rsub": (lambda m, x: torch.rsub(x, m.mean, alpha=2.0), IMAGE, ["Scale"]),
    "add with alpha": (lambda m, x: torch.add(x, m.mean, alpha=-2.0), IMAGE, ["Scale"]),
    "negate": (lambda m, x: -x, IMAGE, ["Scale"]),
    "cat": (lambda m, x: torch.cat([x, F.relu(x)], 1), IMAGE, ["Pointwise", "Concat"]),
    "cat with a constant": (
        lambda m, x: torch.cat([m.b.expand(1, 3), x], 1),
        VECTOR,
        ["Affine", "Concat"],
    ),
    "stack": (lambda m, x: torch.stack([x, x.abs()], 1), VECTOR, None),
    "flatten": (lambda m, x: F.relu(x.flatten(1)), IMAGE, None),
    "flatten some": (lambda m, x: torch.flatten(x, 2, 3).abs(), IMAGE, None),
    "unflatten": (lambda m, x: x.unflatten(1, (2, 2)).abs(), IMAGE, None),
    "view": (lambda m, x: F.relu(x.view(x.size(0), -1)), IMAGE, None),
    "reshape": (lambda m, x: x.reshape(x.shape[0], 5, 24).abs(), IMAGE, None),
    "squeeze": (lambda m, x: x.mean(1, keepdim=True).squeeze(1), IMAGE, None),
    "unsqueeze": (lambda m, x: F.relu(x.unsqueeze(1)).squeeze(), VECTOR, None),
    "permute": (lambda m, x: x.permute(0, 2, 3, 1).relu(), IMAGE, None),
    "transpose": (lambda m, x: x.transpose(1, -1).relu(), IMAGE, None),
    "slice": (lambda m, x: x[:, 1:3, ::2], IMAGE, None),
    "select": (lambda m, x: x[:, -1], IMAGE, None),
    "index select": (lambda m, x: x.index_select(1, m.index), IMAGE, None),
    "narrow": (lambda m, x: x.narrow(2, 1, 3), IMAGE, None),
    "flip": (lambda m, x: x.flip(1, 3), IMAGE, None),
    "chunk": (lambda m, x: torch.cat(x.chunk(3, 1)[::-1], 1), VECTOR, None),
    "split": (lambda m, x: x.split([1, 3], 1)[1].relu(), IMAGE, None),
    "expand": (lambda m, x: x.mean(1, keepdim=True).expand(-1, 4, -1, -1) + x, IMAGE, None),
    "repeat": (lambda m, x: x.repeat(1, 2), VECTOR, ["Affine"]),
    "pad": (lambda m, x: F.pad(x, (1, 0, 2, 1), value=0.5), IMAGE, ["Pad"]),
    "pad cuts": (lambda m, x: F.pad(x, (-1, 1)), IMAGE, None),
    "pad reflect": (lambda m, x: F.pad(x, (1, 2, 0, 1), mode="reflect"), IMAGE, None),
    "pad replicate": (lambda m, x: F.pad(x, (1, 2), mode="replicate"), (3, 6), None),
    "pad circular": (lambda m, x: F.pad(x, (1, 2), mode="circular"), (3, 6), None),
    "dropout": (lambda m, x: F.dropout(x, training=m.training).relu(), VECTOR, ["Pointwise"]),
    "pixel shuffle": (lambda m, x: F.pixel_shuffle(x, 2), IMAGE, None),
    "channel shuffle": (lambda m, x: F.channel_shuffle(x, 2), IMAGE, None),
    "to double": (lambda m, x: x.to(m.w.dtype).relu(), VECTOR, ["Pointwise"]),
    "mask": (lambda m, x: x * (x > 0), VECTOR, ["Pointwise"]),
    "mask as a factor": (lambda m, x: (x >= 0).to(x.dtype) * x, VECTOR, ["Pointwise"]),
    "masked fill": (
        lambda m, x: x.masked_fill(m.mean > 0, 0.5),
        IMAGE,
        ["Scale"],
    ),
    "constant choice": (
        lambda m, x: torch.where(m.mean > 0, x, F.relu(x)),
        IMAGE,
        ["Pointwise", "Scale", "Scale", "Add"],
    ),
    "constant choice of a constant": (
        lambda m, x: torch.where(m.mean > 0, m.mean, x),
        IMAGE,
        ["Scale"],
    ),
    "maximum with zeros": (
        lambda m, x: torch.maximum(x, torch.zeros_like(x)),
        VECTOR,
        ["Pointwise"],
    ),
    "new constants": (
        lambda m, x: x + x.new_full((1, 6), 2.0) - torch.ones_like(x),
        VECTOR,
        ["Scale", "Scale"],
    ),
    "index by a list": (lambda m, x: x[:, [2, 0, 1]], IMAGE, ["Conv"]),
    "index by truth values": (
        lambda m, x: x[:, torch.tensor([True, False, True, True])],
        IMAGE,
        ["Conv"],
    ),
    "reflect pad of the channels": (
        lambda m, x: F.pad(x[None], (0, 0, 0, 0, 1, 1), "replicate")[0],
        IMAGE,
        None,
    ),
    # Operators that are read after PyTorch rewrote them to simpler ones.
    "einsum": (lambda m, x: torch.einsum("bi,oi->bo", x, m.w), VECTOR, ["Affine"]),
    "movedim": (lambda m, x: x.movedim(1, 3).relu(), IMAGE, None),
    "roll": (lambda m, x: x.roll(1, 1), VECTOR, ["Affine"]),
    "unbind": (lambda m, x: x.unbind(1)[2], IMAGE, ["Conv", "Reshape"]),
    "lerp": (lambda m, x: torch.lerp(x, F.relu(x), 0.25), VECTOR, None),
    "autocast off": (lambda m, x: _without_autocast(m, x), VECTOR, ["Affine", "Pointwise"]),
    "without gradient": (lambda m, x: _without_gradient(m, x), VECTOR, ["Affine", "Pointwise"]),
    "batched matmul": (lambda m, x: torch.bmm(x[:, None], m.w.t()[None]), VECTOR, None),
    "matrix times vector": (lambda m, x: torch.mv(x[0].view(2, 3), m.b), VECTOR, None),
    "numel": (lambda m, x: x.reshape(1, x.numel()).relu(), IMAGE, None),
    "softshrink of zero": (lambda m, x: F.softshrink(x, 0.0).relu(), VECTOR, ["Pointwise"]),
    "tuple": (lambda m, x: F.relu(x).contiguous().clone(), VECTOR, ["Pointwise"]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_agrees_with_torch(name):
    function, shape, layers = FUNCTIONS[name]
    net = check(Function(function), shape)
    if layers is not None:
        assert names(net) == layers


MODULES = {
    "conv 1d": (lambda: nn.Conv1d(3, 4, 3, padding=1, padding_mode="reflect"), (3, 8)),
    "conv 3d": (lambda: nn.Conv3d(2, 3, 2, stride=2), (2, 4, 4, 4)),
    "batch norm 1d": (lambda: nn.BatchNorm1d(6), (6,)),
    "batch norm 1d of signals": (lambda: nn.BatchNorm1d(3), (3, 8)),
    "batch norm 2d": (lambda: nn.BatchNorm2d(4, eps=1e-2), (4, 5, 6)),
    "batch norm 3d": (lambda: nn.BatchNorm3d(2), (2, 3, 3, 3)),
    "batch norm without weights": (lambda: nn.BatchNorm2d(4, affine=False), (4, 5, 6)),
    "relu": (nn.ReLU, (6,)),
    "relu6": (nn.ReLU6, (6,)),
    "leaky": (lambda: nn.LeakyReLU(0.2), (6,)),
    "prelu": (lambda: nn.PReLU(4), (4, 5, 6)),
    "rrelu": (nn.RReLU, (6,)),
    "hardtanh": (lambda: nn.Hardtanh(-2, 1), (6,)),
    "hardsigmoid": (nn.Hardsigmoid, (6,)),
    "softshrink": (nn.Softshrink, (6,)),
    "threshold": (lambda: nn.Threshold(0.5, 0.5), (6,)),
    "max pool": (lambda: nn.MaxPool2d(3, 2, 1, ceil_mode=True), (4, 6, 6)),
    "max pool 1d": (lambda: nn.MaxPool1d(2, dilation=2), (4, 6)),
    "average pool": (lambda: nn.AvgPool2d(2, padding=1, count_include_pad=False), (4, 6, 6)),
    "adaptive average": (lambda: nn.AdaptiveAvgPool2d((1, 3)), (4, 6, 6)),
    "adaptive maximum": (lambda: nn.AdaptiveMaxPool2d(2), (4, 6, 6)),
    "unflatten": (lambda: nn.Unflatten(1, (2, 3)), (6,)),
    "zero pad": (lambda: nn.ZeroPad2d((1, 0, 2, 1)), (2, 3, 3)),
    "constant pad": (lambda: nn.ConstantPad1d(2, 0.5), (2, 3)),
    "reflection pad": (lambda: nn.ReflectionPad2d(1), (2, 3, 3)),
    "replication pad": (lambda: nn.ReplicationPad1d(1), (2, 3)),
    "dropout": (nn.Dropout, (6,)),
    "dropout 2d": (nn.Dropout2d, (2, 3, 3)),
}


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("way", ["export", "module by module"])
def test_module_agrees_with_torch(name, way, monkeypatch):
    make, shape = MODULES[name]
    module = with_statistics(nn.Sequential(make(), nn.Sequential(nn.LeakyReLU(0.5), nn.Flatten())))
    if way != "export":
        monkeypatch.setattr(torch.export, "export", broken_export)
    net = check(module, shape)
    assert any("module by module" in note for note in net.notes) == (way != "export")


REFUSED = {
    "curved": (lambda m, x: torch.tanh(x), "tanh 'tanh'.*not piecewise linear"),
    "jump": (lambda m, x: torch.round(x), "round 'round_1'.*not continuous"),
    "unknown": (lambda m, x: x.cumsum(1), "cumsum 'cumsum'"),
    "product": (lambda m, x: x * x, "mul 'mul'.*two computed"),
    "matrix product": (lambda m, x: x.t() @ x, "matmul 'matmul'.*two computed"),
    "quotient": (lambda m, x: 1.0 / x, "reciprocal"),
    "division": (lambda m, x: m.b[:1] / x, "div 'div'.*dividing by a computed"),
    "jump in where": (lambda m, x: torch.where(x > 0, x, x + 1), "where 'where'.*not continuous"),
    "jump in threshold": (lambda m, x: F.threshold(x, 0.5, 0.0), "threshold.*not continuous"),
    "softmax inside": (lambda m, x: torch.softmax(x, 1).relu(), "softmax 'softmax'.*inside"),
    "batch statistics": (
        lambda m, x: F.batch_norm(x[:, None], None, None, training=True),
        "batch_norm.*by the batch",
    ),
    "dropout": (lambda m, x: F.dropout(x, 0.5, training=True), "dropout 'dropout'.*at random"),
    "noise": (lambda m, x: x + torch.rand(1, 6), "rand 'rand'.*random"),
    "uneven": (lambda m, x: F.adaptive_avg_pool1d(x[:, None], 4), "multiple of"),
    "indices": (
        lambda m, x: F.max_pool1d(x[:, None], 2, return_indices=True)[1].float(),
        "second output|to_copy|to ",
    ),
    "transposed convolution": (
        lambda m, x: F.conv_transpose1d(x[:, None], m.b[None, None]),
        "transposed convolution",
    ),
    "output is a constant": (lambda m, x: m.b * 2.0, "does not depend on the input"),
    "comparison": (lambda m, x: (x > 0).float(), "does not depend|cannot|where|boundary"),
    "choice by a tensor": (
        lambda m, x: torch.where(x > x.flip(1), x, -x),
        "compared with|comparing",
    ),
    "choice of others": (
        lambda m, x: torch.where(x > 0, x.flip(1), x),
        "where 'where'.*no multiple",
    ),
    "rounding quotient": (
        lambda m, x: torch.div(x, 2.0, rounding_mode="floor"),
        "rounding_mode",
    ),
    "sort": (lambda m, x: x.sort().values, "operator sort cannot be expressed"),
    "random slope": (lambda m, x: F.rrelu(x, training=True), "slope is random"),
    "channels that do not fit": (
        lambda m, x: x.reshape(2, 3) @ torch.ones(2, 3, 1),
        "stack of matrices|matmul",
    ),
    "half": (lambda m, x: x.half().relu(), "float16, which rounds"),
    "override": (
        lambda m, x: F.avg_pool2d(x[:, None, None], 1, divisor_override=2),
        "divisor_override",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal_names_the_operator(name):
    function, message = REFUSED[name]
    with pytest.raises(Unsupported, match=message):
        load(Function(function), input_shape=6)


# ---- random modules ----


@pytest.mark.parametrize("seed", range(15))
def test_random_module_agrees_with_torch(seed):
    rng = np.random.default_rng(seed)
    channels, side = int(rng.integers(1, 4)), 8
    parts, c = [], channels
    for _ in range(int(rng.integers(1, 4))):
        filters = int(rng.integers(1, 5))
        parts.append(nn.Conv2d(c, filters, 3, padding=1, bias=bool(rng.integers(2))))
        c = filters
        if rng.random() < 0.5:
            parts.append(nn.BatchNorm2d(c))
        activations = [nn.ReLU(True), nn.LeakyReLU(0.2), nn.PReLU(c), nn.Hardtanh(), nn.ReLU6()]
        parts.append(activations[int(rng.integers(len(activations)))])
        if rng.random() < 0.4 and side > 2:
            parts.append(nn.MaxPool2d(2) if rng.random() < 0.5 else nn.AvgPool2d(2))
            side //= 2
    parts += [nn.Flatten(), nn.Linear(c * side * side, 5), nn.Dropout(), nn.ReLU(), nn.Linear(5, 2)]
    check(with_statistics(nn.Sequential(*parts)), (channels, 8, 8))
