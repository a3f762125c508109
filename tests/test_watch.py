# SPDX-License-Identifier: MIT
"""`watch` counts what a running PyTorch module meets, and leaves it as it was."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import linear_regions as lr

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional


class Residual(nn.Module):
    """A CNN with functional ReLU, max pooling and a residual link."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.Linear(36, 3)

    def forward(self, x):
        x = F.relu(self.first(x))
        x = F.relu(x + self.second(x), inplace=True)
        return self.last(F.max_pool2d(x, 2).flatten(1))


def model(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return Residual().double().eval()


def batch(n: int, seed: int = 1):
    points = torch.randn(n, 1, 6, 6, generator=torch.Generator().manual_seed(seed))
    return points.double()


def test_counts_are_those_of_the_network():
    net, points = model(), torch.cat([batch(30), batch(10), batch(30)])
    wanted = net(points)
    with lr.watch(net, per_layer=True) as seen:
        given = torch.cat([net(part) for part in points.split(20)])
    assert torch.equal(given, wanted)
    words = lr.patterns(lr.load(net, input_shape=(1, 6, 6)), points.numpy())
    assert (seen.count(), seen.samples) == (len(np.unique(words, axis=0)), 70)
    assert (seen.method, seen.reason, len(seen.layers)) == ("export", "", 3)
    assert seen.count(0) <= seen.count()


def test_module_is_left_as_it_was_whatever_is_raised():
    net = model()
    before = dict(net.__dict__)
    seen = lr.watch(net)

    def run() -> None:
        with seen:
            net(batch(3))
            net(torch.zeros(1, 2, 6, 6).double())  # two channels

    with pytest.raises(RuntimeError):
        run()
    assert net.__dict__ == before
    assert seen.samples == 3
    with pytest.raises(KeyboardInterrupt), lr.watch(net):
        raise KeyboardInterrupt
    assert net.__dict__ == before
    assert torch.utils._python_dispatch._get_current_dispatch_mode() is None
    copy.deepcopy(net)(batch(2))
    assert seen.samples == 3


def test_weights_are_followed_while_they_train():
    net, points = model().train(), batch(40)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    twin = copy.deepcopy(net)
    patterns = []
    with lr.watch(net) as seen:
        for _ in range(4):
            patterns.append(lr.patterns(lr.load(twin, input_shape=(1, 6, 6)), points.numpy()))
            net(points).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
            twin.load_state_dict(net.state_dict())
    assert seen.count() == len(np.unique(np.concatenate(patterns), axis=0))
    assert seen.count() > 40
    assert net.training


def test_activations_that_an_export_does_not_confirm_are_announced():
    class Branch(nn.Module):
        def forward(self, x):
            return F.relu(x) if float(x.detach().sum()) > 0 else F.relu(x) - 1

    net = Branch()
    with pytest.warns(UserWarning, match="could not be confirmed"), lr.watch(net) as seen:
        net(torch.ones(2, 3))
    assert (seen.method, seen.count()) == ("operators", 1)
    assert seen.reason
    with lr.watch(net, check=False) as quiet:
        net(torch.ones(2, 3))
    assert quiet.method == "operators"


def test_what_cannot_be_watched_says_so():
    with pytest.raises(TypeError, match=r"torch\.nn\.Module"):
        lr.watch("model")
    compiled = model()
    compiled._orig_mod = None  # what torch.compile's modules have
    with pytest.raises(lr.Unsupported, match="scripted or compiled"):
        lr.watch(compiled)
    with pytest.raises(lr.InvalidInput, match="sketch"):
        lr.watch(model(), sketch="list")
    net = model()
    with lr.watch(net), pytest.raises(RuntimeError, match="watched already"), lr.watch(net):
        pass
    with pytest.raises(lr.Unsupported, match="smooth"), lr.watch(nn.Sequential(nn.GELU())) as seen:
        seen._module(torch.zeros(2, 2))
    assert seen.samples == 0


def test_nothing_met_is_nothing_counted():
    with lr.watch(model()) as seen:
        pass
    assert (seen.count(), seen.samples, seen.method) == (0, 0, None)


def test_empty_batch_runs_and_counts_nothing():
    module, points = model(), batch(8)
    with lr.watch(module) as seen:
        assert module(points[:0]).shape == (0, 3)  # also where it is the first one
        assert seen.samples == 0
        module(points)
        module(points[:0])
        module(points)
    assert seen.samples == 16
    assert seen.method == "export"


def test_score_of_an_empty_batch_says_so():
    for score in (lr.nas.naswot, lr.nas.te_nas, lr.nas.hamming_kernel):
        with pytest.raises(lr.InvalidInput, match="at least one sample"):
            score(model(), batch(8)[:0])
