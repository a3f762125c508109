# SPDX-License-Identifier: MIT
"""PyTorch modules and exported programs."""

from __future__ import annotations

import sys
import types
import warnings

import numpy as np
import pytest

from linear_regions.errors import InvalidInput, MissingExtra, Unsupported
from linear_regions.importers import load
from linear_regions.importers.torch import TorchImporter

torch = pytest.importorskip("torch")
nn = torch.nn
F = torch.nn.functional


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(5)


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


VECTOR, IMAGE = (6,), (4, 5, 6)

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


def with_statistics(module):
    """Give batch normalisations other statistics than those they start with."""
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


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("way", ["export", "module by module"])
def test_module_agrees_with_torch(name, way, monkeypatch):
    make, shape = MODULES[name]
    module = with_statistics(nn.Sequential(make(), nn.Sequential(nn.LeakyReLU(0.5), nn.Flatten())))
    if way != "export":
        monkeypatch.setattr(torch.export, "export", broken_export)
    net = check(module, shape)
    assert any("module by module" in note for note in net.notes) == (way != "export")


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


def test_residual_block_folds_its_batch_norms_and_notes_it():
    module = with_statistics(Residual())
    net = check(module, (2, 6, 6))
    assert names(net) == [
        "Conv", "Pointwise", "Conv", "Conv", "Add", "Pointwise", "AvgPool", "Flatten", "Affine",
    ]  # fmt: skip
    assert "batch_norm 'bn1' folded into conv2d 'conv1', rounded to float64" in net.notes


def test_fold_false_keeps_scales_and_weights():
    module = with_statistics(Residual()).eval()
    net = load(module, input_shape=(2, 6, 6), fold=False)
    assert names(net).count("Scale") == 2
    np.testing.assert_array_equal(net.layers[0].weight, module.conv1.weight.detach().numpy())
    bn = module.bn1
    weight = bn.weight.detach().double() / torch.sqrt(bn.running_var.double() + bn.eps)
    np.testing.assert_allclose(net.layers[1].weight, weight.numpy(), rtol=1e-15)


def test_in_place_operator_on_a_tensor_that_is_read_again():
    def function(m, x):
        y = x + 1.0
        z = y.view(-1)
        y.relu_()
        return z.reshape(1, -1) + y

    net = check(Function(function), VECTOR)
    assert names(net) == ["Scale", "Pointwise", "Add"]


# ---- modes, notes, shapes ----


def test_modes_of_all_parts_are_left_as_they_were():
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout())
    module.train()
    module[1].eval()
    net = load(module, input_shape=2)
    assert [part.training for part in module] == [True, False, True]
    assert module.training
    assert net.notes[0] == "read in eval mode; the module was in training mode"
    assert load(module.eval(), input_shape=2).notes[:1] != net.notes[:1]


def test_modes_are_restored_after_an_error():
    module = nn.Sequential(nn.Linear(2, 3), nn.Tanh()).train()
    with pytest.raises(Unsupported, match="tanh '1'"):
        load(module, input_shape=2)
    assert all(part.training for part in module.modules())


def test_reading_changes_no_parameter_and_no_statistic():
    module = with_statistics(Residual()).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    load(module, input_shape=(2, 6, 6))
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])
        assert value.dtype == before[name].dtype


def test_input_shape_is_known_only_where_the_first_module_is_linear():
    assert load(nn.Sequential(nn.Linear(4, 2), nn.ReLU())).input_shape == (4,)
    for module in (nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), nn.Conv2d(1, 1, 1), Residual()):
        with pytest.raises(InvalidInput, match="give input_shape="):
            load(module)


def test_input_shape_that_does_not_fit_is_refused():
    with pytest.raises(Unsupported, match=r"torch\.export cannot read it"):
        load(Residual(), input_shape=(3, 6, 6))
    with pytest.raises((InvalidInput, Unsupported)):
        load(nn.Sequential(nn.Linear(4, 2)), input_shape=5)


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_weights_of_other_types_convert_exactly(dtype):
    module = nn.Sequential(nn.Linear(4, 3), nn.ReLU()).to(getattr(torch, dtype))
    net = load(module)
    np.testing.assert_array_equal(net.layers[0].weight, module[0].weight.detach().double().numpy())


def test_module_without_parameters_is_read():
    assert names(load(nn.ReLU(), input_shape=(2, 3))) == ["Pointwise"]


def test_tied_weights_are_read_twice():
    module = Function(lambda m, x: F.relu(F.relu(x @ m.w.t() @ m.w) @ m.w.t() @ m.w))
    assert names(check(module, VECTOR)).count("Affine") == 4


def test_weights_that_are_computed_are_read():
    module = nn.utils.parametrizations.weight_norm(nn.Linear(6, 3))
    net = load(nn.Sequential(module, nn.ReLU()), input_shape=6)
    np.testing.assert_array_equal(net.layers[0].weight, module.weight.detach().numpy())


# ---- outputs ----


@pytest.mark.parametrize("last", [nn.Softmax(1), nn.LogSoftmax(1), nn.Sigmoid()])
@pytest.mark.parametrize("way", ["export", "module by module"])
def test_last_operator_without_regions_is_cut_on_demand(last, way, monkeypatch):
    if way != "export":
        monkeypatch.setattr(torch.export, "export", broken_export)
    module = nn.Sequential(nn.Linear(4, 3), last).eval()
    with pytest.raises(Unsupported, match="drop_output=True"):
        load(module)
    net = load(module, drop_output=True)
    assert names(net) == ["Affine"]
    assert sum("cut at the end" in note for note in net.notes) == 1


def test_argmax_of_softmax_is_cut():
    module = Function(lambda m, x: torch.softmax(F.linear(x, m.w), -1).argmax(-1))
    net = load(module, input_shape=6, drop_output=True)
    assert names(net) == ["Affine"]
    assert [note.split()[4] for note in net.notes if "cut" in note] == ["ArgMax", "Softmax"]


def test_two_outputs_are_refused_and_one_in_a_container_is_read():
    with pytest.raises(Unsupported, match="expected one output"):
        load(Function(lambda m, x: (x, F.relu(x))), input_shape=6)
    assert names(load(Function(lambda m, x: [F.relu(x)]), input_shape=6)) == ["Pointwise"]
    assert names(load(Function(lambda m, x: {"y": F.relu(x)}), input_shape=6)) == ["Pointwise"]


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
        "conv_transpose1d",
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


def test_data_dependent_branch_is_refused_with_the_reason_of_the_export():
    module = Function(lambda m, x: x if x.sum() > 0 else -x)
    with pytest.raises(Unsupported, match=r"torch\.export cannot read it"):
        load(module, input_shape=6)


def test_hook_that_the_export_does_not_see_is_caught_or_read():
    module = nn.Sequential(nn.Linear(4, 3), nn.ReLU()).eval()
    module[0].register_forward_hook(lambda part, inputs, output: output + 1.0)
    net = load(module)
    x = torch.randn(5, 4)
    with torch.no_grad():
        np.testing.assert_allclose(net(x.double().numpy()), module(x).numpy(), atol=1e-6)


def test_unknown_module_has_no_second_way(monkeypatch):
    monkeypatch.setattr(torch.export, "export", broken_export)
    with pytest.raises(Unsupported, match="cannot be exported"):
        load(Residual(), input_shape=(2, 6, 6))
    for odd in (nn.Bilinear(1, 1, 1), Residual()):
        with pytest.raises(Unsupported, match=f"{type(odd).__name__} '1'.*one by one"):
            load(nn.Sequential(nn.Identity(), odd), input_shape=(2, 6, 6))


# ---- exported programs ----


def test_exported_program_knows_its_shape():
    module = with_statistics(Residual()).eval()
    program = torch.export.export(module, (torch.zeros(1, 2, 6, 6),))
    assert load(program) == load(module, input_shape=(2, 6, 6))
    with pytest.raises(InvalidInput, match="does not fit"):
        load(program, input_shape=(2, 5, 5))


@pytest.mark.parametrize("batch", [3, "open"])
def test_batch_of_a_program_may_be_larger_or_open(batch):
    module = Function(lambda m, x: F.relu(x.view(x.size(0), -1)) @ m.w.t() + m.b).eval()
    example = torch.zeros(3, 2, 3)
    shapes = ({0: torch.export.Dim("batch")},) if batch == "open" else None
    program = torch.export.export(module, (example,), dynamic_shapes=shapes and {"x": shapes[0]})
    net = load(program)
    assert net.input_shape == (2, 3)
    x = torch.randn(3, 2, 3)
    with torch.no_grad():
        np.testing.assert_allclose(net(x.double().numpy()), module(x).numpy(), atol=1e-6)


def test_decomposed_program_is_read():
    module = with_statistics(
        nn.Sequential(
            nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.PReLU(4), nn.MaxPool2d(2), nn.Hardsigmoid(),
            nn.Flatten(), nn.Dropout(), nn.Linear(16, 5), nn.LeakyReLU(), nn.Linear(5, 2),
        )
    ).eval()  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, (torch.zeros(1, 2, 6, 6),)).run_decompositions()
    net = load(program)
    x = torch.randn(4, 2, 6, 6)
    with torch.no_grad():
        np.testing.assert_allclose(net(x.double().numpy()), module(x).numpy(), atol=1e-5)
    assert net.n_units == load(module, input_shape=(2, 6, 6)).n_units + 16  # two clips, not one


def test_program_in_training_mode_is_refused():
    module = nn.Sequential(nn.Linear(4, 3), nn.Dropout()).train()
    program = torch.export.export(module, (torch.zeros(1, 4),))
    with pytest.raises(Unsupported, match="at random"):
        load(program)


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


def test_without_torch_the_extra_is_named(monkeypatch):
    fake = type("Module", (), {"__module__": "torch.nn.modules.module"})
    module = type("Mine", (fake,), {"__module__": "mine"})()
    assert TorchImporter().accepts(module)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"linear-regions\[torch\]"):
        load(module, input_shape=2)


def test_importer_does_not_take_other_modules():
    importer = TorchImporter()
    assert not importer.accepts(types.ModuleType("torch"))
    assert not importer.accepts([1.0])
    assert importer.accepts(nn.ReLU())
