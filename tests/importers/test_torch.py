# SPDX-License-Identifier: MIT
"""PyTorch modules and exported programs: modes, shapes, outputs, notes."""

from __future__ import annotations

import sys
import types
import warnings

import numpy as np
import pytest

from linear_regions.errors import InvalidInput, MissingExtra, Unsupported
from linear_regions.importers import load
from linear_regions.importers.torch import TorchImporter

pytest.importorskip("torch")

import torch
import torch.nn.functional as F
from torch import nn

from importers.torch_models import Function, Residual, broken_export, check, names, with_statistics


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(5)


VECTOR = (6,)


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


def test_a_batch_axis_in_the_input_shape_is_named():
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(-3), nn.Linear(32, 2))
    wrapped = Function(lambda m, x: module(x))
    for source in (module, wrapped):
        for batch in (1, 8):
            with pytest.raises(InvalidInput, match=r"batch axis out: input_shape=\(1, 6, 6\)"):
                load(source, input_shape=(batch, 1, 6, 6))
        with pytest.raises(InvalidInput, match=r"fails on one sample of input_shape=\(1, 7, 7\)"):
            load(source, input_shape=(1, 7, 7))


def test_weights_without_numbers_are_refused():
    with torch.device("meta"):
        module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    for source in (module, module[1]):
        with pytest.raises(InvalidInput, match=r"'meta' have no numbers.*load_state_dict"):
            load(source, input_shape=3 if source is module[1] else 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lazy modules are experimental
        lazy = nn.Sequential(nn.Flatten(), nn.LazyLinear(3))
    with pytest.raises(InvalidInput, match="lazy layers without weights"):
        load(lazy, input_shape=(1, 2))
    lazy(torch.zeros(1, 1, 2))
    assert load(lazy, input_shape=(1, 2)).output_shape == (3,)


def test_a_state_dict_or_a_class_in_place_of_a_module_is_told():
    with pytest.raises(TypeError, match=r"a state dict holds weights.*load_state_dict"):
        load(nn.Linear(2, 2).state_dict())
    with pytest.raises(TypeError, match="the class Residual: give load an instance"):
        load(Residual, input_shape=(2, 6, 6))


def test_input_shape_that_does_not_fit_is_refused():
    with pytest.raises(InvalidInput, match=r"=\(3, 6, 6\).*to have 2 channels"):
        load(Residual(), input_shape=(3, 6, 6))
    with pytest.raises(InvalidInput, match=r"sample of input_shape=\(5,\)"):
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


def test_a_module_that_stands_in_several_places_is_read_in_each(monkeypatch):
    relu = nn.ReLU()
    twice = nn.Sequential(nn.Linear(4, 4), relu)
    model = nn.Sequential(nn.Linear(2, 4), relu, twice, twice, nn.Linear(4, 1))
    exported = load(model, input_shape=2)
    monkeypatch.setattr(torch.export, "export", broken_export)
    assert load(model, input_shape=2).layers == exported.layers
    assert [type(layer).__name__ for layer in exported.layers] == ["Affine", "Pointwise"] * 3 + [
        "Affine"
    ]


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


def test_a_sequential_with_a_forward_of_its_own_is_not_read_as_its_modules(monkeypatch):
    class Doubled(nn.Sequential):
        def forward(self, x):
            return 2.0 * super().forward(x)

    module = Doubled(nn.Linear(4, 3), nn.ReLU()).eval()
    x = torch.randn(5, 4)
    np.testing.assert_allclose(load(module)(x), module(x).detach().numpy(), atol=1e-6)
    monkeypatch.setattr(torch.export, "export", broken_export)
    with pytest.raises(Unsupported, match="differ by"):
        load(module)


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


def test_what_torch_compile_made_is_read_without_compiling_it():
    def backend(graph, inputs):
        raise AssertionError("compiled, which takes half a minute")

    module = nn.Sequential(nn.Linear(4, 3), nn.ReLU()).train()
    net = load(torch.compile(module, backend=backend))
    assert net == load(module)
    assert module.training
