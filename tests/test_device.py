# SPDX-License-Identifier: MIT
"""device="cuda": the Python side, on kernels that run on the processor, and what is refused."""

from __future__ import annotations

import re
import subprocess
import sys
import types
from math import comb
from pathlib import Path

import numpy as np
import pytest

import linear_regions as lr
from helpers import packed
from host_device import HostDevice, host_device  # noqa: F401  (a fixture)
from linear_regions import _core
from linear_regions._device import launch
from linear_regions._device import sweep as device_sweep
from linear_regions._device.kernels import KERNELS, source
from linear_regions._device.rows import (
    RowSet,
    extract_bits,
    hashes,
    lower_thresholds,
    pack_codes,
    pack_layer,
)
from linear_regions._device.tally import DeviceTally
from linear_regions.reference import packing

ROOT = Path(__file__).parents[1]


# ---- kernels and their table ----


def test_table_of_kernels_agrees_with_the_sources():
    found = {}
    for path in (ROOT / "cuda").glob("*_kernels.cu"):
        text = re.sub(r"//[^\n]*", "", path.read_text(encoding="utf-8"))
        for name, arguments in re.findall(r"LR_KERNEL (\w+)\(([^)]*)\)", text):
            kinds = "".join("p" if "*" in a else "u" for a in arguments.split(","))
            by_teams = (
                re.search(rf"{name}\(.*?\n\}}", text, flags=re.DOTALL)
                .group()
                .count("for_each_item")
                == 0
            )
            kinds = kinds[:-2] + "w" if "workspace" in arguments else kinds
            found[name] = (path.name.removesuffix("_kernels.cu"), by_teams, kinds)
    assert found == {
        name: (kernel.file, kernel.by_teams, kernel.arguments) for name, kernel in KERNELS.items()
    }


def test_source_is_one_text_without_own_includes():
    for file in {kernel.file for kernel in KERNELS.values()}:
        text = source(file)
        assert '#include "' not in text
        assert text.count("struct Hash128") <= 1
        assert "SPDX" in text


# ---- patterns ----


@pytest.mark.parametrize("n", [0, 1, 31, 32, 33, 63, 64, 65, 128, 192])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_packed_layers_and_hashes_are_those_of_the_reference(n, dtype):
    device = HostDevice()
    generator = np.random.default_rng(n)
    widths, breaks = [3, n, 5], [[0.0], [-0.5, 0.25], [0.1]]
    bits, total = [], sum(w * len(b) for w, b in zip(widths, breaks, strict=True))
    words = np.full((7, -(-total // 64)), 2**64 - 1, dtype=np.uint64)
    first = 0
    for width, points in zip(widths, breaks, strict=True):
        values = (generator.integers(-4, 5, (7, width)) / 8).astype(dtype)
        if width:
            values[0, 0] = np.nan
        table = np.array([points])
        first = pack_layer(device, values, table, words, first)
        above = values.astype(np.float64)[:, :, None] > table
        bits.append(above.reshape(7, -1))
    expected = packed(np.concatenate(bits, axis=1))
    assert np.array_equal(words, expected)
    low, both = hashes(device, words), hashes(device, words, lanes=2)
    for row, (a,), (b, c) in zip(words.tolist(), low.tolist(), both.tolist(), strict=True):
        assert a == b == packing.hash_words(row)
        assert c == packing.hash_words_128(row)[1]


def test_breakpoints_of_channels_belong_to_their_units():
    device = HostDevice()
    values = np.array([[0.5, 0.5, 0.5, 0.5]], dtype=np.float32)
    words = np.zeros((1, 1), dtype=np.uint64)
    assert pack_layer(device, values, np.array([[0.0], [1.0]]), words, 2) == 6
    assert words[0, 0] == 0b001100


def test_rounded_breakpoints_change_no_comparison():
    generator = np.random.default_rng(0)
    points = np.concatenate(
        [generator.normal(size=50), [0.0, -0.0, 1e-50, -1e-50, 1e300, -1e300, np.inf, -np.inf, 0.1]]
    )
    for dtype in (np.float16, np.float32, np.float64):
        lowered = lower_thresholds(points, np.dtype(dtype).name).view(dtype)
        with np.errstate(over="ignore"):
            beside = [np.nextafter(lowered, dtype(end)) for end in (np.inf, -np.inf)]
        near = np.concatenate([lowered, *beside])
        for b, t in zip(points, lowered, strict=True):
            assert np.array_equal(near.astype(np.float64) > b, near > t)


def test_bfloat16_is_compared_by_its_bits():
    device = HostDevice()
    generator = np.random.default_rng(4)
    bits = generator.integers(0, 2**16, (40, 50)).astype(np.uint16)
    bits[:20] &= 0xBFFF  # fewer infinite and NaN
    with np.errstate(invalid="ignore"):
        values = (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    for cut in (0.0, 0.1, -0.1, 3e-39, -1e39, 1e-50):
        words, nan = np.zeros((40, 1), dtype=np.uint64), np.zeros(1, dtype=np.uint8)
        pack_layer(device, bits, np.array([[cut]]), words, 0, element="bfloat16", nan=nan)
        assert np.array_equal(words, packed(values > cut))
        assert nan[0] == np.isnan(values).any()


def test_bits_of_a_layer_are_taken_out():
    generator = np.random.default_rng(5)
    words = generator.integers(0, 2**64, (20, 3), dtype=np.uint64)
    bits = np.unpackbits(words.astype("<u8").view(np.uint8), axis=1, bitorder="little")
    for first, n in ((0, 192), (5, 64), (60, 70), (100, 0), (127, 65)):
        found = extract_bits(HostDevice(), words, first, n)
        assert np.array_equal(found, packed(bits[:, first : first + n].astype(bool)))


@pytest.mark.parametrize("sketch", range(4))
def test_tally_holds_what_its_sketch_says(sketch):
    generator = np.random.default_rng(sketch)
    rows = generator.integers(0, 60, (5000, 2)).astype(np.uint64)
    tally = DeviceTally(HostDevice(), 2, sketch, sketch == 1, 6, 100)
    for part in np.array_split(rows, 3):
        tally.insert(part)
    found = tally.contents()
    keys = rows
    if sketch:
        keys = np.array([packing.hash_words_128(row) for row in rows.tolist()], dtype=np.uint64)
        keys = keys[:, : 2 if sketch == 2 else 1]
    level = 0
    distinct, times = np.unique(keys, axis=0, return_counts=True)
    if sketch == 3:
        while ((distinct[:, 0] & np.uint64(2**level - 1)) == 0).sum() > 100:
            level += 1
        chosen = (distinct[:, 0] & np.uint64(2**level - 1)) == 0
        registers = np.zeros(64, dtype=np.uint8)
        for (h,) in distinct.tolist():
            rank = 59 - (h & (2**58 - 1)).bit_length()
            registers[h >> 58] = max(registers[h >> 58], rank)
        assert np.array_equal(found["registers"], registers)
        distinct, times = distinct[chosen], times[chosen]
    assert (found["rows"], found["level"]) == (5000, level)
    assert np.array_equal(found["keys"], distinct)
    assert np.array_equal(found["times"], np.ones_like(times) if sketch == 2 else times)


def test_what_is_close_to_a_breakpoint_is_doubtful():
    device = HostDevice()
    values = np.array([[1.0, 0.2], [1.0, 0.1], [np.nan, 1.0], [-0.3, 5.0]])
    doubtful = np.zeros(4, dtype=np.uint8)
    words = np.zeros((4, 1), dtype=np.uint64)
    pack_layer(
        device, values, np.zeros((1, 1)), words, 0, margin=np.array([0.25, 0.1]), doubtful=doubtful
    )
    assert doubtful.tolist() == [0, 1, 1, 0]


def test_codes_of_windows_are_packed_behind_the_layer_before():
    device = HostDevice()
    words = np.array([[0b101]], dtype=np.uint64)
    codes = np.array([[2, 1, 3]], dtype=np.uint32)
    assert pack_codes(device, codes, 2, words, 3) == 9
    assert words[0, 0] == 0b110110101


def test_device_set_is_the_set_of_the_core(monkeypatch):
    monkeypatch.setattr("linear_regions._device.rows._BATCH", 500)
    generator = np.random.default_rng(1)
    for trial in range(30):
        width = trial % 4
        rows = generator.integers(0, 9 if width > 1 else 300, (1700, width)).astype(np.uint64)
        found = RowSet(HostDevice(), width)
        for part in np.array_split(rows, 1 + trial % 3):
            found.insert(part)
        distinct, counts = _core.distinct_rows(rows)
        assert found.size == distinct
        assert np.array_equal(found.counts.astype(np.int64), counts)
        _, first = np.unique(rows, axis=0, return_index=True)
        assert np.array_equal(found.rows, rows[np.sort(first)])


def test_device_set_adds_given_times():
    found = RowSet(HostDevice(), 1)
    rows = np.array([[5], [7], [5]], dtype=np.uint64)
    found.insert(rows, np.array([2, 3, 4], dtype=np.uint64))
    assert found.rows[:, 0].tolist() == [5, 7]
    assert found.counts.tolist() == [6, 3]


# ---- arrangements ----


def random_arrangement(n: int, d: int, seed: int, *, central: bool = False) -> lr.Arrangement:
    generator = np.random.default_rng(seed)
    offsets = np.zeros(n) if central else generator.normal(size=n)
    return lr.Arrangement(generator.normal(size=(n, d)), offsets)


@pytest.mark.parametrize(
    ("n", "d"),
    [(1, 1), (7, 1), (6, 2), (40, 2), (65, 2), (10, 3), (9, 4), (12, 5), (3, 6), (10, 8)],
)
def test_sign_vectors_and_their_order_are_those_of_the_processor(n, d, host_device):  # noqa: F811
    for central in (False, True):
        planes = random_arrangement(n, d, n + d, central=central)
        expected = planes.sign_vectors(method="sweep")
        assert np.array_equal(planes.sign_vectors(device="cuda", verify=True), expected)
        for limit in (1, len(expected) // 2 + 1):
            part = planes.sign_vectors(device="cuda", limit=limit)
            assert np.array_equal(part, expected[:limit])
        count = planes.count(device="cuda:1", verify=True)
        assert (int(count), count.method) == (len(expected), "sweep")
        assert count.arithmetic == "certified"
    assert d == 1 or host_device.launches["lr_sweep_lines"] > 0


def test_small_blocks_change_nothing(host_device, monkeypatch):  # noqa: F811
    monkeypatch.setattr(device_sweep, "_BLOCK", 37)
    monkeypatch.setattr(device_sweep, "_LINES", 3)
    planes = random_arrangement(11, 4, 5)
    assert np.array_equal(planes.sign_vectors(device="cuda"), planes.sign_vectors())


def test_what_rounding_leaves_open_is_computed_exactly(host_device, monkeypatch):  # noqa: F811
    monkeypatch.setattr(device_sweep, "_OPEN", 2)  # too short a list: one more launch
    # Lines that miss a common point by less than doubles can tell, far from the origin.
    point, rows, offsets = (2**80, 3**50), [], []
    for i in range(1, 8):
        normal = (i, 2 * i * i + 1)
        rows.append(normal)
        offsets.append(-normal[0] * point[0] - normal[1] * point[1] + i**3)
    planes = lr.Arrangement(rows, offsets)
    count = planes.count(device="cuda", verify=True)
    assert int(count) == comb(7, 0) + comb(7, 1) + comb(7, 2)
    assert count.work["exact_chambers"] > 9
    assert np.array_equal(planes.sign_vectors(device="cuda"), planes.sign_vectors())


def test_rows_of_the_smallest_doubles_are_known_by_their_few_bits(host_device):  # noqa: F811
    generator = np.random.default_rng(0)
    normals = generator.integers(-99, 100, (8, 3)).astype(object) * 2**60 + 1
    offsets = generator.integers(-99, 100, 8).astype(object) * 2**60
    expected = lr.Arrangement(normals, offsets).sign_vectors(method="sweep")
    planes = lr.Arrangement(normals, offsets * 2**1118)
    signs = planes.sign_vectors(device="cuda")
    assert {*map(bytes, signs)} == {*map(bytes, expected)}


def test_arrangements_that_are_not_simple_are_refused(host_device):  # noqa: F811
    planes = lr.Arrangement([[1, 0], [0, 1], [1, 1], [1, -1]], [0, 0, 0, -1])
    with pytest.raises(lr.errors.DegenerateInput, match="must be simple.*use device='cpu'"):
        planes.sign_vectors(device="cuda")
    with pytest.raises(lr.errors.DegenerateInput, match="common point"):
        planes.count(device="cuda")
    with pytest.raises(lr.errors.DegenerateInput, match="zero normal"):
        lr.Arrangement([[0, 0], [1, 2]], [1, 1]).count(device="cuda")


def test_what_a_device_cannot_do_is_refused(host_device):  # noqa: F811
    planes = random_arrangement(6, 2, 1)
    for options, match in [
        ({"method": "tree"}, "'auto' or 'sweep'"),
        ({"arithmetic": "float"}, "certified"),
        ({"limit": 5}, "without a limit"),
        ({"device": "gpu"}, 'device must be "cpu", "cuda"'),
        ({"device": "cuda:x"}, 'device must be "cpu", "cuda"'),
        ({"domain": lr.Box(-1, 1)}, "whole space"),
    ]:
        with pytest.raises(lr.InvalidInput if "device" in options else ValueError, match=match):
            planes.count(**{"device": "cuda", **options})
    with pytest.raises(lr.errors.Unsupported, match="256 hyperplanes in up to 8"):
        random_arrangement(257, 1, 1).count(device="cuda")
    with pytest.raises(lr.errors.Unsupported, match="256 hyperplanes in up to 8"):
        random_arrangement(10, 9, 1).count(device="cuda")


def test_a_sweep_on_a_device_stops(host_device, monkeypatch):  # noqa: F811
    monkeypatch.setattr(device_sweep, "_BLOCK", 16)
    planes = random_arrangement(12, 3, 1)
    partial = planes.count(device="cuda", time_limit=0.0)
    assert (partial.status, partial.kind) == ("time_limit", "lower")
    seen = []
    partial = planes.count(device="cuda", progress=lambda found, share: seen.append((found, share)))
    assert partial.status == "complete"
    assert [found for found, _ in seen][:3] == [0, 16, 32]
    import threading

    stop = threading.Event()
    stop.set()
    assert planes.count(device="cuda", cancel=stop).status == "cancelled"

    def interrupt(found, share):
        raise KeyboardInterrupt

    with pytest.raises(lr.Interrupted) as raised:
        planes.count(device="cuda", progress=interrupt)
    assert raised.value.partial.status == "cancelled"


# ---- no device ----


def fake_cupy(monkeypatch, **runtime) -> types.ModuleType:
    module = types.ModuleType("cupy")
    module.__version__ = "14.0.0"
    module.cuda = types.SimpleNamespace(runtime=types.SimpleNamespace(**runtime))
    monkeypatch.setitem(sys.modules, "cupy", module)
    monkeypatch.setattr(launch, "_opened", {})
    return module


def test_without_cupy_one_error_names_the_extras(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setattr(launch, "_opened", {})
    planes = random_arrangement(4, 2, 1)
    for call in (planes.count, planes.sign_vectors):
        with pytest.raises(lr.DeviceError, match=r"CuPy.*not installed.*cuda12.*cuda13"):
            call(device="cuda")


def test_without_a_device_the_error_says_what_cupy_reports(monkeypatch):
    def fails():
        raise RuntimeError("cudaErrorInsufficientDriver: the driver is too old\nmore")

    fake_cupy(monkeypatch, getDeviceCount=fails)
    with pytest.raises(
        lr.DeviceError, match=r"CuPy 14.0.0 finds no CUDA device \(cudaError.*old\)"
    ):
        launch.open_device("cuda")
    fake_cupy(monkeypatch, getDeviceCount=lambda: 0)
    with pytest.raises(lr.DeviceError, match="reports 0 devices"):
        launch.open_device("cuda")
    fake_cupy(monkeypatch, getDeviceCount=lambda: 2)
    with pytest.raises(lr.DeviceError, match="there are 2 CUDA devices, numbered from 0"):
        launch.open_device("cuda:2")


def test_the_package_imports_without_cupy():
    code = "import sys; sys.modules['cupy'] = None; import linear_regions"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


class FakeKernels:
    """Stands for CuPy's RawModule: what is compiled, and how kernels are started."""

    def __init__(self, code, options, backend):
        self.options, self.calls = options, []
        FakeKernels.last = self
        assert backend == "nvrtc"
        assert "LR_KERNEL" in code

    def compile(self):
        pass

    def get_function(self, name):
        return lambda grid, block, arguments, shared_mem: self.calls.append(
            (name, grid, block, arguments, shared_mem)
        )


def cuda_device(monkeypatch, kernels=FakeKernels) -> launch.Device:
    module = fake_cupy(monkeypatch, getDeviceCount=lambda: 1)

    class Device:
        attributes = {"MultiProcessorCount": 2}  # noqa: RUF012

        def __init__(self, number):
            self.number = number

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

    module.cuda.Device = Device
    module.RawModule = kernels
    module.empty = np.empty
    module.asnumpy = np.asarray
    return launch.open_device("cuda")


def test_launches_cover_the_work_and_fit_the_block(monkeypatch):
    device = cuda_device(monkeypatch)
    array = np.zeros(4, dtype=np.uint64)
    device.launch("lr_hash_rows", 1000, array, 1000, 1, array)
    device.launch("lr_hash_rows", 10**9, array, 10**9, 1, array)
    device.launch("lr_pack_codes", 100, array, 100, 1, 1, 0, 1, array)
    device.launch("lr_hash_rows", 0, array, 0, 1, array)
    sweep = [array, array, 64, 5, 0, 1, 0, 1, 1, None, 1, array, 1, array]
    device.launch("lr_sweep_lines", 1000, *sweep, doubles=1093)
    device.launch("lr_sweep_lines", 10, *sweep, doubles=6000)
    calls = FakeKernels.last.calls
    assert FakeKernels.last.options == ("--std=c++20", "-fmad=false")
    small, large = calls
    assert small[1:3] == ((64,), (160,))  # 32 blocks a multiprocessor, 5 teams of 1093 doubles
    assert small[4] == 5 * 8 * 1093 <= 48 * 1024
    assert small[3][-2] == 0
    assert small[3][9] == 0  # no output
    assert large[1:3] == ((10,), (32,))
    assert large[4] == 8 * 6000


def test_the_largest_team_fits_the_shared_memory_of_every_device():
    assert 8 * device_sweep.team_doubles(256, 8, 5) <= 48 * 1024


def test_kernels_that_do_not_compile_are_one_device_error(monkeypatch):
    class Broken(FakeKernels):
        def compile(self):
            raise RuntimeError("kernels.cu(1): error")

    device = cuda_device(monkeypatch, Broken)
    with pytest.raises(lr.DeviceError, match=r"could not be compiled on cuda:0.*cu\(1\): error"):
        device.launch("lr_hash_rows", 1, None, 1, 1, None)
