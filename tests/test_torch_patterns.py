# SPDX-License-Identifier: MIT
"""Patterns read off a running PyTorch module are those of its network."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import linear_regions as lr
from linear_regions._pattern_source import packed_patterns
from linear_regions.nas import naswot, te_nas

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional


class Residual(nn.Module):
    """A CNN with functional activations, in place too, max pooling and a residual link."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.dense = nn.Linear(4 * 9, 6)
        self.last = nn.Linear(6, 3)

    def forward(self, x):
        x = F.relu(self.first(x))
        x = F.relu(x + self.norm(self.second(x)), inplace=True)
        x = F.max_pool2d(x, 3, 3, 1)
        return self.last(F.hardtanh(self.dense(x.flatten(1))))


class Ops(nn.Module):
    """One operator behind a linear layer."""

    def __init__(self, operator, width: int = 8) -> None:
        super().__init__()
        self.linear = nn.Linear(5, width)
        self.operator = operator

    def forward(self, x):
        return self.operator(self.linear(x))


OPERATORS = {
    "relu": torch.relu,
    "method": lambda z: z.relu(),
    "in place": lambda z: F.relu_(z + 0),
    "leaky": F.leaky_relu,
    "relu6": F.relu6,
    "hardtanh": F.hardtanh,
    "clamp": lambda z: z.clamp(-0.25, 0.5),
    "clamp below": lambda z: z.clamp(min=0.25),
    "clamp above": lambda z: torch.clamp_max(z, 0.25),
    "abs": torch.abs,
    "where": lambda z: torch.where(z > 0.25, z, 0.25 + 0 * z),
    "product": lambda z: z * (z > 0).double(),
    "masked": lambda z: z.masked_fill(z <= 0, 0.0),
    "maximum": lambda z: torch.maximum(z[:, :4], z[:, 4:]),
    "pool 1d": lambda z: F.max_pool1d(z[:, None], 3, 2, padding=1).flatten(1),
    "pool 2d": lambda z: F.max_pool2d(z.reshape(-1, 1, 2, 4), (2, 3), (1, 1)).flatten(1),
    "pool dilated": lambda z: F.max_pool2d(z.reshape(-1, 1, 2, 4), (1, 2), 1, 0, (1, 2)).flatten(1),
    "pool 3d": lambda z: F.max_pool3d(z.reshape(-1, 1, 2, 2, 2), 2).flatten(1),
}


@pytest.fixture
def batch():
    return torch.randn(50, 1, 8, 8, dtype=torch.float64, generator=generator(0))


def generator(seed: int):
    return torch.Generator().manual_seed(seed)


def residual(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return Residual().double().eval()


@pytest.mark.parametrize("name", OPERATORS)
def test_operator_gives_the_bits_of_its_layer(name):
    torch.manual_seed(1)
    model = Ops(OPERATORS[name]).double()
    points = torch.randn(200, 5, dtype=torch.float64, generator=generator(2))
    packed = packed_patterns(model, points)
    if name in ("where", "product", "masked"):  # the importer does not read these
        z = model.linear(points).detach().numpy()
        bits = (z > 0.25) if name == "where" else (z > 0)
        np.testing.assert_array_equal(packed.words[:, 0], (bits << np.arange(8)).sum(axis=1))
        return
    net = lr.load(model, input_shape=5)
    assert packed.bits == net.pattern_bits
    # The comparison of two tensors may be written either way round.
    same = (packed.words == lr.patterns(net, points.numpy())).all()
    assert same or len(np.unique(packed.words, axis=0)) == int(te_nas(net, points.numpy()))


def test_network_with_functions_pooling_and_residual_link_has_the_same_patterns(batch):
    model = residual()
    net = lr.load(model, input_shape=(1, 8, 8))
    packed = packed_patterns(model, batch)
    np.testing.assert_array_equal(packed.words, lr.patterns(net, batch.numpy()))
    assert int(te_nas(model, batch)) == int(te_nas(net, batch.numpy()))
    ours, theirs = naswot(model, batch), naswot(net, batch.numpy())
    np.testing.assert_array_equal(ours.kernel, theirs.kernel)
    local = lr.local_complexity(model, batch[:4], radius=0.2, directions=7, rng=1)
    same = lr.local_complexity(net, batch[:4].numpy(), radius=0.2, directions=7, rng=1)
    np.testing.assert_array_equal(local.per_layer, same.per_layer)


def test_score_is_the_papers_written_with_hooks(batch):
    torch.manual_seed(3)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 30), nn.ReLU())
    kernel = np.zeros((50, 50))

    def add(module, inputs, output):
        x = (inputs[0] > 0).flatten(1).float()
        kernel[:] += (x @ x.T + (1 - x) @ (1 - x).T).numpy()

    for part in model:
        if isinstance(part, nn.ReLU):
            part.register_forward_hook(add)
    with torch.no_grad():
        model(batch.float())
    expected = kernel.copy()
    result = naswot(model, batch.float())
    np.testing.assert_array_equal(result.kernel, expected)
    assert result.score == pytest.approx(np.linalg.slogdet(expected)[1], rel=1e-9)


def test_module_buffers_and_random_state_are_left_as_they_were(batch):
    model = residual().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.random.get_rng_state()
    trained, inferred = packed_patterns(model, batch), packed_patterns(model.eval(), batch)
    assert (trained.words != inferred.words).any()  # batch statistics are other numbers
    assert torch.equal(state, torch.random.get_rng_state())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(p.grad is None for p in model.parameters())


def test_activations_on_weights_do_not_count():
    class Positive(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(5, 5, generator=generator(0)))

        def forward(self, x):
            return F.relu(x @ F.relu(self.weight))

    points = torch.randn(5, 5, generator=generator(1))  # as many samples as weights have rows
    assert packed_patterns(Positive(), points).bits == 5


@pytest.mark.parametrize("operator", [F.gelu, F.silu, torch.tanh, F.softplus, F.layer_norm])
def test_smooth_operators_are_refused(operator):
    function = (lambda z: F.layer_norm(z, (8,))) if operator is F.layer_norm else operator
    with pytest.raises(lr.Unsupported, match="smooth"):
        naswot(Ops(function), torch.zeros(4, 5))


def test_softmax_counts_for_nothing_at_the_end_and_is_refused_before():
    points = torch.randn(20, 5, generator=generator(0))
    end = Ops(lambda z: F.softmax(F.relu(z), dim=1))
    assert packed_patterns(end, points).bits == 8
    with pytest.raises(lr.Unsupported, match="_softmax before relu"):
        naswot(Ops(lambda z: F.relu(F.softmax(z, dim=1) - 0.1)), points)


def test_pools_without_fixed_windows_are_refused():
    pool = Ops(lambda z: F.adaptive_max_pool2d(z.reshape(-1, 1, 2, 4), (1, 2)))
    with pytest.raises(lr.Unsupported, match="adaptive_max_pool2d"):
        naswot(pool, torch.zeros(4, 5))


def test_float_types_and_gradients_are_taken_as_they_come(batch):
    model = residual().float()
    wanted = packed_patterns(model, batch.float())
    for points in (batch, batch.numpy(), batch.float().requires_grad_()):
        np.testing.assert_array_equal(packed_patterns(model, points).words, wanted.words)
    z = torch.randn(6, 9, generator=generator(0))
    half = naswot(z.bfloat16())
    np.testing.assert_array_equal(half.kernel, naswot(z.numpy()).kernel)


def test_modules_need_a_batch():
    with pytest.raises(lr.InvalidInput, match="batch, .input_shape"):
        naswot(residual(), torch.zeros(5))
    with pytest.raises(lr.InvalidInput, match="input_shape= of the inputs to draw"):
        te_nas(residual())
    with pytest.raises(lr.InvalidInput, match="must be finite"):
        naswot(residual(), torch.full((2, 1, 8, 8), torch.nan))
    assert te_nas(residual(), n=30, input_shape=(1, 8, 8), rng=0).samples == 30


def test_a_module_is_read_without_the_compiler_of_pytorch(monkeypatch):
    """Its import takes seconds, and nothing is compiled."""

    class Refused:
        def find_spec(self, name, path=None, target=None):
            assert name != "torch._dynamo"

    monkeypatch.delitem(sys.modules, "torch._dynamo", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Refused(), *sys.meta_path])
    assert naswot(Ops(torch.relu), torch.ones(2, 5)).distinct == 1


def test_modules_without_numbers_are_refused():
    with torch.device("meta"):
        module = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    points = np.zeros((4, 2))
    for call in (naswot, te_nas, lr.local_complexity):
        with pytest.raises(lr.InvalidInput, match="'meta' have no numbers"):
            call(module, points)
