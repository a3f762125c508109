# SPDX-License-Identifier: MIT
"""The forward pass in float32 and float64: what the switch changes, and what it must not."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import linear_regions as lr
import strategies


def points_of(net: lr.Network, n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, net.input_size))


def mlp(*widths: int, seed: int = 0) -> lr.Network:
    rng = np.random.default_rng(seed)
    return lr.load(
        [
            (rng.normal(size=(m, n)) * np.sqrt(2 / n), rng.normal(size=m))
            for n, m in pairwise(widths)
        ]
    )


@pytest.mark.parametrize("family", strategies.FAMILIES)
@pytest.mark.parametrize("style", ["whole", "degenerate"])
def test_where_both_are_exact_both_agree(family: str, style: str) -> None:
    if family == "average":
        pytest.skip("thirds are exact in neither precision")
    net = strategies.network(family, style, 1)
    points = np.round(points_of(net, 40) * 2) / 2
    if any((getattr(layer, "slopes", np.zeros(1)) == 0.01).any() for layer in net.layers):
        pytest.skip("0.01 is exact in neither precision")
    expected = lr.patterns(net, points)
    assert np.array_equal(lr.patterns(net, points, dtype="float32"), expected)
    singles = points.astype(np.float32)
    assert np.array_equal(lr.patterns(net, singles, dtype="float32"), expected)
    assert np.array_equal(lr.patterns(net, singles), expected)


def test_only_values_next_to_a_breakpoint_change_their_side() -> None:
    net = mlp(20, 60, 60, 1)
    points = points_of(net, 2000)
    differ = lr.patterns(net, points) != lr.patterns(net, points, dtype="float32")
    z = points @ net.layers[0].weight.T + net.layers[0].bias
    near = [abs(z).min(axis=1)]
    z = np.maximum(z, 0) @ net.layers[2].weight.T + net.layers[2].bias
    near.append(abs(z).min(axis=1))
    assert (np.minimum(*near)[differ.any(axis=1)] < 1e-4).all()
    assert differ.any(axis=1).mean() < 0.01


def test_patterns_of_floats_are_those_of_numpy_in_floats() -> None:
    net = mlp(30, 50, 1)
    points = points_of(net, 1000).astype(np.float32)
    layer = net.layers[0]
    z = points @ layer.weight.T.astype(np.float32) + layer.bias.astype(np.float32)
    bits = np.unpackbits(
        lr.patterns(net, points, dtype=np.float32).view(np.uint8), axis=1, bitorder="little"
    )[:, :50]
    clear = abs(z) > 1e-4
    assert clear.mean() > 0.99
    assert np.array_equal(bits[clear].astype(bool), (z > 0)[clear])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [1, 63, 64, 65, 127, 128, 129, 1000])
def test_counts_are_those_of_unique_rows(dtype: str, width: int) -> None:
    net = mlp(4, width, 3)
    points = np.round(points_of(net, 300), 1)
    for n in (0, 1, 7, 8, 9, 300):
        words = lr.patterns(net, points[:n], dtype=dtype)
        alone = [lr.patterns(net, point, dtype=dtype) for point in points[:n]]
        assert np.array_equal(words, np.array(alone).reshape(words.shape))
        bits = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")
        assert not bits[:, width:].any()
        expected = len(np.unique(bits, axis=0))
        for threads in (1, 2, 3):
            found = lr.sample(net, points=points[:n], dtype=dtype, threads=threads)
            assert (found.distinct, found.samples, found.dtype) == (expected, n, dtype)


def test_threads_do_not_matter_in_floats() -> None:
    net = mlp(6, 40, 40, 1)
    box = lr.Box(-1, 1)
    one, four = (lr.sample(net, box, 70_000, dtype="float32", rng=3, threads=t) for t in (1, 4))
    assert one == four
    assert one.to_dict()["dtype"] == "float32"


CHILD = """
import hashlib, numpy as np, linear_regions as lr, strategies
digest = hashlib.sha256()
for family in strategies.FAMILIES:
    for style in strategies.STYLES:
        net = strategies.network(family, style, 2)
        points = np.random.default_rng(0).normal(size=(21, net.input_size))
        for dtype in ("float64", "float32"):
            digest.update(lr.patterns(net, points, dtype=dtype).tobytes())
        digest.update(net(points).tobytes())
print(lr.build_info()["simd"], digest.hexdigest())
"""


def test_every_instruction_set_gives_the_same_bits() -> None:
    tests = str(Path(__file__).parent)
    package = str(Path(lr.__file__).parents[1])
    seen = {}
    for simd in ("generic", "avx2", "avx512"):
        done = subprocess.run(
            [sys.executable, "-c", CHILD],
            env={**os.environ, "LINEAR_REGIONS_SIMD": simd, "PYTHONPATH": f"{package}:{tests}"},
            capture_output=True,
            text=True,
            check=True,
        )
        name, digest = done.stdout.split()
        seen[name] = digest
    assert "generic" in seen
    assert len(set(seen.values())) == 1, seen


def test_a_wrong_precision_is_refused() -> None:
    net = mlp(2, 3, 1)
    for dtype in ("float16", "double precision", None, 3):
        with pytest.raises(lr.InvalidInput, match='"float64" or "float32"'):
            lr.sample(net, points=[[0.0, 0.0]], dtype=dtype)
        with pytest.raises(lr.InvalidInput, match='"float64" or "float32"'):
            lr.patterns(net, [[0.0, 0.0]], dtype=dtype)
    with pytest.raises(lr.Unsupported, match="processor"):
        lr.sample(net, lr.Box(-1, 1), 10, dtype="float32", device="cuda")


def test_values_beyond_the_range_raise() -> None:
    net = lr.load([([[1e30, 0.0]], [0.0]), ([[1.0]], [0.0])])
    far = [[1e20, 0.0]]
    assert lr.patterns(net, far).tolist() == [[1]]
    with pytest.raises(OverflowError, match="float32"):
        lr.patterns(net, far, dtype="float32")
    with pytest.raises(OverflowError, match="float32"):
        lr.sample(net, points=far, dtype="float32")
    with pytest.raises(OverflowError, match="float64"):
        lr.patterns(net, [[1e300, 0.0]])
    with pytest.raises(OverflowError):  # finite, but no float
        lr.patterns(net, [[0.0, 1e200]], dtype="float32")
    huge = lr.load([([[1e300]], [0.0]), ([[1.0]], [0.0])])
    with pytest.raises(lr.InvalidInput, match="float32.*range"):
        lr.patterns(huge, [[1.0]], dtype="float32")
    for bad in (np.nan, np.inf, -np.inf):
        for points in (np.array([[bad, 0.0]]), np.array([[0.0, bad]], dtype=np.float32)):
            for dtype in ("float32", "float64"):
                with pytest.raises(lr.InvalidInput, match="finite"):
                    lr.patterns(net, points, dtype=dtype)
                with pytest.raises(lr.InvalidInput, match="finite"):
                    lr.sample(net, points=points, dtype=dtype)


def test_any_layout_of_points_will_do() -> None:
    net = mlp(5, 9, 1)
    whole = points_of(net, 40).astype(np.float32)
    big = np.zeros((80, 10), dtype=np.float32)
    big[::2, ::2] = whole
    expected = lr.patterns(net, whole, dtype="float32")
    for view in (big[::2, ::2], np.asfortranarray(whole), whole[::-1][::-1]):
        assert np.array_equal(lr.patterns(net, view, dtype="float32"), expected)
        assert np.array_equal(lr.patterns(net, view), lr.patterns(net, whole.astype(np.float64)))
    assert np.array_equal(lr.patterns(net, whole[::-1], dtype="float32"), expected[::-1])


def test_tensors_are_points() -> None:
    torch = pytest.importorskip("torch", reason="gives tensors to the network")
    net = mlp(4, 9, 1)
    points = torch.from_numpy(points_of(net, 20)).requires_grad_()
    array = points.detach().numpy()
    assert np.array_equal(lr.patterns(net, points), lr.patterns(net, array))
    assert np.array_equal(net(points), net(array))
    for kind in (torch.float32, torch.float16, torch.bfloat16):
        some = points.to(kind)
        wide = some.detach().double().numpy()
        assert np.array_equal(lr.patterns(net, some), lr.patterns(net, wide))
        assert lr.sample(net, points=some, dtype=torch.float32) == lr.sample(
            net, points=wide, dtype="float32"
        )
    with pytest.raises(lr.InvalidInput, match="got .float16"):
        lr.patterns(net, points, dtype=torch.float16)


def test_the_pass_of_a_network_is_made_once() -> None:
    from linear_regions._forward import forward_pass

    net = mlp(2, 3, 1)
    assert forward_pass(net, "float32") is forward_pass(net, "float32")
    assert forward_pass(net) is not forward_pass(net, "float32")
