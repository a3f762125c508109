# SPDX-License-Identifier: MIT
"""Threads that round otherwise, or take subnormal numbers for zero, get the same answers."""

from __future__ import annotations

import ctypes
import inspect
import platform
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

import linear_regions as lr

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc",
    reason="sets the floating-point environment of glibc on x86-64",
)

FLUSH = 0x8040  # results and operands that are subnormal are zero
DOWN, UP, CUT = 0x2000, 0x4000, 0x6000
SQUARE, CUBE = lr.Box([-1.0] * 2, [1.0] * 2), lr.Box([-1.0] * 3, [1.0] * 3)
MODES = pytest.mark.parametrize("mode", [FLUSH, DOWN, UP, CUT, FLUSH | CUT], ids=hex)


def control_word() -> int:
    """Return the bits of MXCSR that choose rounding and flushing."""
    state = ctypes.create_string_buffer(32)
    ctypes.CDLL(None).fegetenv(state)
    return int(struct.unpack_from("<I", state, 28)[0]) & 0xE040


@contextmanager
def environment(mode: int) -> Iterator[None]:
    libc = ctypes.CDLL(None)
    saved, state = (ctypes.create_string_buffer(32) for _ in range(2))
    libc.fegetenv(saved)
    libc.fegetenv(state)
    word = struct.unpack_from("<I", state, 28)[0]
    struct.pack_into("<I", state, 28, word | mode)
    libc.fesetenv(state)
    try:
        yield
    finally:
        libc.fesetenv(saved)


def same(ask: Callable[[], object], mode: int) -> None:
    """Check that the answer is the same in that environment, which the call leaves as it was."""
    expected = ask()
    with environment(mode):
        found = ask()
        kept = control_word()
    assert kept == mode
    assert found == expected


def net(d: int, scale: float) -> lr.Network:
    """Return a network whose first rows are multiplied by a number, and whose second ones differ.

    With a subnormal scale a thread that flushes sees no unit at all.
    """
    rng = np.random.default_rng(d)
    first = rng.integers(-3, 4, (5, d + 1)) * scale
    second = rng.normal(size=(4, 5))
    layers = [lr.Affine(first[:, :d], first[:, d]), lr.relu()]
    return lr.Network(d, [*layers, lr.Affine(second, rng.normal(size=4) * scale), lr.relu()])


@MODES
@pytest.mark.parametrize("scale", [1.0, 2.0**-1060])
def test_regions_do_not_depend_on_the_floating_point_of_the_thread(mode: int, scale: float) -> None:
    flat, cubic = net(2, scale), net(3, scale)
    for method in ("polygons", "cones", "tree"):
        same(lambda m=method: int(lr.count(flat, SQUARE, method=m)), mode)
    same(lambda: int(lr.count(cubic, CUBE, method="cones", threads=2)), mode)
    same(lambda: int(lr.count(cubic, CUBE, method="tree")), mode)
    one_layer = lr.Network(3, cubic.layers[:2])
    same(lambda: int(lr.count(one_layer, CUBE, method="arrangement")), mode)
    segment = lr.Segment([-1.0, 0.5], [1.0, 0.25])
    same(lambda: int(lr.count(flat, segment)), mode)
    same(lambda: lr.count_segments(flat, [[-1.0, 0.5]], [[1.0, 0.25]]).tolist(), mode)
    tiny = lr.Box([0.0, -(2.0**-1060)], [2.0**-1065, 2.0**-1060])
    same(lambda: int(lr.count(flat, tiny)), mode)
    same(lambda: lr.regions(flat, SQUARE).patterns.tolist(), mode)
    same(lambda: [r.facets for r in lr.regions(flat, SQUARE)], mode)
    same(lambda: lr.regions(cubic, CUBE, faces=False).patterns.tolist(), mode)
    same(lambda: int(lr.count(flat, SQUARE, what="linear")), mode)
    same(lambda: lr.region_at(flat, [0.3, -0.7]).bits().tolist(), mode)
    same(lambda: lr.region_at(cubic, [0.3, -0.7, 0.6], CUBE).facets, mode)
    same(lambda: [u.tolist() for u in lr.unstable(flat, SQUARE)], mode)
    same(lambda: lr.patterns(flat, [[0.25, -0.5], [-1.0, 1.0]]).tolist(), mode)
    same(lambda: lr.sample(flat, SQUARE, 200, arithmetic="certified", rng=0).distinct, mode)
    same(lambda: len(lr.decision_boundary(flat, SQUARE)), mode)


@MODES
@pytest.mark.parametrize("scale", [1.0, 2.0**-1060])
def test_chambers_do_not_depend_on_the_floating_point_of_the_thread(
    mode: int, scale: float
) -> None:
    rng = np.random.default_rng(1)
    normals, offsets = rng.integers(-99, 100, (7, 3)) * scale, rng.integers(-99, 100, 7) * scale
    planes = lr.Arrangement(normals, offsets)
    for method in ("recursion", "rays", "tree", "sweep"):
        same(lambda m=method: int(planes.count(method=m)), mode)
    for method in ("rays", "tree", "sweep"):
        same(lambda m=method: planes.sign_vectors(method=m).tolist(), mode)
        same(lambda m=method: planes.chambers(points=True, method=m).points.tobytes(), mode)
    same(lambda: lr.Arrangement(normals, offsets).whitney_numbers(), mode)
    same(lambda: int(planes.count(lr.Box(-(2.0**-1060), 2.0**-1050))), mode)


@MODES
def test_values_and_bounds_do_not_depend_on_the_floating_point_of_the_thread(mode: int) -> None:
    tiny = 2.0**-1060
    unit = lr.Pointwise([-tiny, 0.0, tiny], [0.0, tiny, -tiny, 2 * tiny])
    same(lambda: lr.Pointwise(unit.breakpoints, unit.slopes), mode)
    same(lambda: lr.Network(1, [lr.Pointwise(unit.breakpoints, unit.slopes)]).pattern_bits, mode)
    same(lambda: hash(lr.Affine([[tiny]], [tiny])), mode)
    same(lambda: lr.Affine([[tiny]], [0.0]) == lr.Affine([[0.0]], [0.0]), mode)
    plane = lr.Slice([0.0] * 3, [[1.0, tiny, 0.0], [1.0, 0.0, 0.0]])
    same(lambda: lr.Slice(plane.origin, plane.directions).resolve((3,)).dim, mode)
    architecture = lr.Architecture.cnn((1, 4), [lr.ConvSpec(2, 2)])
    for domain in (lr.Box(0.0, tiny), lr.Box(-tiny, tiny), lr.Box([0.0, 0, 0, 0], [tiny, 1, 1, 1])):
        same(lambda d=domain: repr(lr.bounds(architecture, d)), mode)
    small = lr.Architecture.mlp([2, 5, 1])
    constants = {"gradient_constant": tiny, "bias_constant": 1e300}
    same(lambda: lr.average_bounds(small, lr.Box(0, tiny), **constants).to_dict(), mode)
    normals = [[1.0, tiny], [1.0, 0.0], [tiny, 1.0]]
    same(lambda: lr.Arrangement(normals, [0.0, tiny, 0.0]).dim, mode)
    same(lambda: lr.load([([[tiny, 0.0]], [tiny])]).layers, mode)


def test_all_that_is_public_is_protected() -> None:
    """A function of a new module is, too."""
    for module in (lr, lr.nas, lr.constructions):
        for name in module.__all__:
            item = getattr(module, name)
            if inspect.isfunction(item):
                assert hasattr(item, "_protected"), name
                assert getattr(sys.modules[item.__module__], item.__name__) is item, name
            elif inspect.isclass(item) and not issubclass(item, BaseException):
                for method in ("__init__", "__eq__", "__hash__"):
                    own = getattr(item, method)
                    assert hasattr(own, "_protected") or not inspect.isfunction(own), name


def test_a_call_that_raises_leaves_the_next_one_protected() -> None:
    with environment(FLUSH):
        for _ in range(2):
            with pytest.raises(ValueError, match="low"):
                lr.Box(2.0**-1060, 0.0)
        assert control_word() == FLUSH
