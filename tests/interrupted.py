# SPDX-License-Identifier: MIT
"""Long calls that get Ctrl-C while they are inside the core.

``python interrupted.py`` reads names of calls, one a line, and runs each in a process of its own,
forked before the package has started a thread. It answers with a line of JSON: how the call ended,
and whether the process could call again.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, product
from types import FrameType
from typing import Any

import numpy as np

import linear_regions as lr
from linear_regions._forward import forward_pass

BOX = lr.Box(-1.0, 1.0)
Call = Callable[[], object]


@dataclass(frozen=True)
class LongCall:
    """A call that takes minutes at least, and the same function on little input.

    Attributes
    ----------
    core : str
        Function of the core in which the signal finds it.
    long, small : callable
    partial : str
        Type of `Interrupted.partial`; ``"NoneType"`` where there is none, and empty where the call
        ends by a plain `KeyboardInterrupt`. Where a callable of the user takes turns with the core,
        either may be what the signal finds.
    skip : int
        Calls of `core` before the one that the signal finds: there are many, and the first ones
        try how much work it will be.
    """

    core: str
    long: Call
    small: Call
    partial: str = "RegionCount"
    takes_turns: bool = False
    skip: int = 0


def mlp(*widths: int) -> lr.Network:
    """Return a generic network; a single layer is one of units alone."""
    rng = np.random.default_rng(0)
    layers: list[lr.Layer] = []
    for n_in, n_out in pairwise(widths):
        layers += [lr.Affine(rng.normal(size=(n_out, n_in)), rng.normal(size=n_out)), lr.relu()]
    return lr.Network(widths[0], layers[:-1] if len(widths) > 2 else layers)


@cache
def net(kind: str) -> lr.Network:
    """Return the networks of the calls by name."""
    widths = {
        "plane": (2, *[700] * 6, 1),
        "space": (4, 60, 60, 60, 60, 1),
        "tree": (9, 80, 80, 1),
        "layer": (9, 120),
        "high layer": (16, 120),
        "small": (2, 5, 5, 1),
        "small layer": (3, 6),
    }
    return mlp(*widths[kind])


@cache
def wide() -> lr.Network:
    """Return a network of much work and few units: 200,000 points are 6e12 multiplications."""
    rng = np.random.default_rng(0)
    widths = pairwise((9, 4000, 4000, 4000, 10))
    layers: list[lr.Layer] = [lr.Affine(rng.normal(size=(n, m))) for m, n in widths]
    return lr.Network(9, [*layers, lr.relu()])


@cache
def planes(kind: str) -> lr.Arrangement:
    """Return the arrangements of the calls by name."""
    rng = np.random.default_rng(0)
    if kind == "simple":
        return lr.Arrangement(rng.normal(size=(120, 7)), rng.normal(size=120))
    if kind == "small":
        return lr.Arrangement(rng.normal(size=(7, 3)), rng.normal(size=7))
    # Resonance arrangements: 4e11 chambers in 8 dimensions, 2e15 in 9 (OEIS A034997).
    rows = [row for row in product((0, 1), repeat=8 if kind == "resonance" else 9) if any(row)]
    return lr.Arrangement(rows, [0] * len(rows))


@cache
def facets() -> lr.Regions:
    """Return a table whose regions have many facets."""
    return lr.regions(mlp(7, 16, 16, 1), BOX, limit=3_000)


@cache
def complete() -> lr.Regions:
    """Return a complete table."""
    return lr.regions(mlp(3, 24, 24, 1), BOX)


def fresh(arrangement: lr.Arrangement) -> lr.Arrangement:
    """Return the same without what it has computed."""
    return lr.Arrangement(arrangement.normals, arrangement.offsets)


def count(core: str, kind: str, domain: lr.Domain | None = BOX, **options: Any) -> LongCall:
    small = net("small layer" if kind.endswith("layer") else "small")
    return LongCall(
        core,
        lambda: lr.count(net(kind), domain, **options),
        lambda: lr.count(small, domain, **options).value,
    )


def on_disk(core: str, call: Callable[[str, lr.Network], Any], kind: str = "space") -> LongCall:
    """Return a call that writes to a path which is new each time."""

    def at_new_path(network: lr.Network) -> object:
        with tempfile.TemporaryDirectory() as folder:
            found = call(os.path.join(folder, "state"), network)
            return getattr(found, "value", None) or len(found)

    return LongCall(core, lambda: at_new_path(net(kind)), lambda: at_new_path(net("small")))


def on_threads(call: Callable[[ThreadPoolExecutor], Any]) -> Any:
    with ThreadPoolExecutor(2) as pool:
        return call(pool)


def listing(core: str, kind: str, **options: Any) -> LongCall:
    domain = lr.Box(-1.0, 1.0)
    return LongCall(
        core,
        lambda: lr.regions(net(kind), domain, **options),
        lambda: len(lr.regions(net("small"), domain, **options)),
        "Regions",
    )


def chambers(core: str, kind: str, name: str, partial: str, **options: Any) -> LongCall:
    def ask(arrangement: lr.Arrangement) -> Any:
        found = getattr(fresh(arrangement), name)(**options)
        return getattr(found, "value", found if isinstance(found, (int, list)) else None)

    return LongCall(
        core, lambda: ask(planes(kind)), lambda: ask(planes("small")), partial, "sink" in options
    )


def maximum(
    core: str, shape: tuple[int, ...], kernel: int, filters: int, **options: Any
) -> LongCall:
    spec = lr.ConvSpec(filters=filters, kernel_size=kernel)
    return LongCall(
        core,
        lambda: lr.one_layer_maximum(shape, spec, rng=1, **options),
        lambda: lr.one_layer_maximum((1, 3, 3), lr.ConvSpec(filters=2, kernel_size=2), rng=1).value,
    )


def sampled(core: str, **options: Any) -> LongCall:
    return LongCall(
        core,
        lambda: lr.sample(net("space"), n=10**12, rng=0, **{"domain": BOX, **options}),
        lambda: lr.sample(net("small"), BOX, 500, rng=0).distinct,
        "SampleCount",
        skip=30,
    )


def streamed(network: lr.Network, **options: Any) -> int:
    with lr.regions(network, BOX, stream=True, **options) as stream:
        return sum(len(block) for block in stream)


def many_segments(m: int) -> Any:
    rng = np.random.default_rng(1)
    network = net("plane" if m > 1000 else "small")
    return lr.count_segments(network, rng.normal(size=(m, 2)), rng.normal(size=(m, 2)))


def of_table(core: str, table: Callable[[], lr.Regions], ask: Callable[[Any], Any]) -> LongCall:
    """Return a call about a table, again and again: one that takes minutes takes gigabytes."""

    def long() -> None:
        listed = table()
        while True:
            ask(listed.sorted())

    return LongCall(core, long, lambda: np.asarray(ask(lr.regions(net("small"), BOX))).tolist(), "")


def dense_polytope() -> lr.Polytope:
    rng = np.random.default_rng(2)
    return lr.Polytope(rng.normal(size=(60, 4)), np.ones(60))


LEFT_OUT = {
    *("cut_planar", "cut_cones", "cut_tree", "locate"),  # long only where one node, or point, is
    *("probe_planar", "probe_cones", "probe_tree"),  # the last three quarters of `predict_cost`
}
"""Functions of the core that can be stopped, and are in none of the calls."""

SHORT = lr.ConvSpec(filters=2, kernel_size=2)
CALLS: dict[str, LongCall] = {
    # --- regions of networks
    "count, polygons": count("count_planar", "plane"),
    "count, cones": count("count_cones", "space", method="cones"),
    "count, cones, one thread": count("count_cones", "space", method="cones", threads=1),
    "count, tree": count("count_tree", "tree", method="tree"),
    "count, tree, one thread": count("count_tree", "tree", method="tree", threads=1),
    "count, first layer, sweep": count("sweep", "layer", None, method="arrangement"),
    "count, first layer, recursion": count("count_flats", "high layer", None, method="arrangement"),
    "count, first layer, in a box": count("sign_tree_count", "layer", method="arrangement"),
    "count, float": count("count_planar", "plane", arithmetic="float"),
    "count, linear": count("list_cones", "space", what="linear"),
    "count, in a ball": LongCall(
        "stream_planar",
        lambda: lr.count(net("plane"), lr.Ball([0.0, 0.0], 1.0)),
        lambda: lr.count(net("small"), lr.Ball([0.0, 0.0], 1.0)).value,
    ),
    "count, checkpoint": on_disk(
        "search_cones", lambda path, n: lr.count(n, BOX, method="cones", checkpoint=path)
    ),
    "count, tree, checkpoint": on_disk(
        "search_tree", lambda path, n: lr.count(n, BOX, method="tree", checkpoint=path), "tree"
    ),
    "count, executor": LongCall(
        "search_cones",
        lambda: on_threads(lambda pool: lr.count(net("space"), BOX, executor=pool)),
        lambda: on_threads(lambda pool: lr.count(net("small"), BOX, executor=pool)).value,
    ),
    "count_shard": on_disk(
        "search_cones",
        lambda path, n: lr.count_shard(n, BOX, shard=(1, 2), out=path, method="cones"),
    ),
    "expected": LongCall(
        "count_planar",
        lambda: lr.expected(lr.Architecture.mlp([2, *[700] * 6, 1]), BOX, trials=9, rng=0),
        lambda: lr.expected(lr.Architecture.mlp([2, 4, 1]), BOX, trials=2, rng=0).counts,
        "Expectation",
    ),
    "regions, polygons": listing("list_planar", "plane"),
    "regions, cones": listing("list_cones", "space", method="cones"),
    "regions, without faces": listing("list_cones", "space", method="cones", faces=False),
    "regions, tree": listing("list_tree", "tree", method="tree", faces=False),
    "regions, linear": listing("list_cones", "space", what="linear"),
    "regions, out": LongCall(
        "search_planar",
        on_disk("", lambda path, n: lr.regions(n, BOX, out=path), "plane").long,
        on_disk("", lambda path, n: lr.regions(n, BOX, out=path)).small,
        "RegionFolder",
    ),
    "regions, stream": LongCall(
        "stream_planar", lambda: streamed(net("plane")), lambda: streamed(net("small")), ""
    ),
    "regions, stream, cones": LongCall(
        "stream_cones",
        lambda: streamed(net("space"), method="cones"),
        lambda: streamed(net("small")),
        "",
    ),
    "count_segments": LongCall(
        "count_segments",
        lambda: many_segments(1_000_000),
        lambda: many_segments(9).tolist(),
        "ndarray",
    ),
    "local_complexity": LongCall(
        "count_planar",
        lambda: lr.local_complexity(
            net("plane"), np.zeros((9, 2)), radius=1.0, method="regions", rng=0
        ),
        lambda: lr.local_complexity(
            net("small"), np.zeros((2, 2)), radius=1.0, method="regions", rng=0
        ).values.tolist(),
        "NoneType",
    ),
    "unstable": LongCall(
        "stream_tree",
        lambda: lr.unstable(mlp(9, 80, 80, 80, 80), BOX, exact=True),
        lambda: [units.tolist() for units in lr.unstable(net("small"), BOX, exact=True)],
        "tuple",
    ),
    "predict_cost": LongCall(
        "search_cones",
        lambda: lr.predict_cost(net("space"), BOX, time_limit=10_000.0),
        lambda: lr.predict_cost(net("small"), BOX, time_limit=0.02).regions > 0,
        "NoneType",
    ),
    "decision_boundary": LongCall(
        "list_planar",
        lambda: lr.decision_boundary(mlp(2, *[700] * 6, 2), BOX),
        lambda: len(lr.decision_boundary(mlp(2, 5, 5, 2), BOX)),
        "Regions",
    ),
    "volumes": of_table("sizes", facets, lambda table: table.volumes),
    "neighbours": of_table("facet_mates", complete, lambda table: table.neighbours),
    "affine_pieces": of_table("map_classes", complete, lambda table: table.affine_pieces()),
    "values": LongCall(
        "values",
        lambda: wide()(np.ones((200_000, 9))),
        lambda: net("small")(np.ones((2, 2))).tolist(),
        "",
    ),
    "patterns": LongCall(
        "patterns",
        lambda: lr.patterns(wide(), np.ones((200_000, 9))),
        lambda: lr.patterns(net("small"), np.ones((2, 2))).tolist(),
        "",
    ),
    "affine_maps": LongCall(
        "affine_maps",
        lambda: forward_pass(wide()).affine_maps(np.zeros((100_000, 1), np.uint64), np.eye(9)),
        lambda: lr.regions(net("small"), BOX).affine_maps().tolist(),
        "",
    ),
    # --- samples
    "sample": sampled("doubtful_patterns"),
    "sample, one thread": sampled("doubtful_patterns", threads=1),
    "sample, float": sampled("patterns", arithmetic="float"),
    "sample, sketch": sampled("insert", sketch="hll", keep_patterns=False),
    "sample, in a polytope": sampled("hit_and_run", domain=dense_polytope()),
    "naswot": LongCall(
        "pattern_distances",
        lambda: lr.nas.hamming_kernel(np.zeros((3000, 100_000), np.uint64), bits=6_400_000),
        lambda: lr.nas.hamming_kernel(np.ones((2, 1), np.uint64), bits=3).tolist(),
        "",
    ),
    # --- arrangements
    "Arrangement.count, recursion": chambers(
        "count_flats", "large resonance", "count", "RegionCount", method="recursion"
    ),
    "Arrangement.count, rays": chambers(
        "sign_tree_count", "resonance", "count", "RegionCount", method="rays"
    ),
    "Arrangement.count, tree": chambers(
        "sign_tree_count", "resonance", "count", "RegionCount", method="tree"
    ),
    "Arrangement.count, sweep": chambers("sweep", "simple", "count", "RegionCount", method="sweep"),
    "whitney_numbers": chambers("count_flats", "large resonance", "whitney_numbers", "list"),
    "characteristic_polynomial": chambers(
        "count_flats", "large resonance", "characteristic_polynomial", "list"
    ),
    "bounded_count": chambers("count_flats", "large resonance", "bounded_count", "list"),
    "chambers": chambers("sign_tree_list", "resonance", "chambers", "Chambers", method="rays"),
    "sign_vectors": chambers(
        "sign_tree_list", "resonance", "sign_vectors", "Chambers", method="tree"
    ),
    "interior_points": chambers(
        "sign_tree_list", "resonance", "interior_points", "Chambers", method="rays"
    ),
    "Arrangement.stream": chambers(
        "sign_tree_stream",
        "resonance",
        "stream",
        "RegionCount",
        method="rays",
        sink=lambda block: True,
    ),
    "Arrangement.stream, sweep": chambers(
        "sweep", "simple", "stream", "RegionCount", method="sweep", sink=lambda block: True
    ),
    # --- one-layer maxima
    "one_layer_maximum, frontier": maximum(
        "count_frontier", (1, 8, 8), 3, 64, weights="free", method="frontier"
    ),
    "one_layer_maximum, multiset": maximum(
        "count_filter_tuples", (1, 4, 4), 2, 4, method="multiset"
    ),
    "one_layer_maximum, particles": maximum(
        "particle_batches", (3, 32, 32), 5, 16, method="particles"
    ),
    "one_layer_maximum, direct": maximum("direct_trials", (3, 32, 32), 5, 16, method="direct"),
    "one_layer_bounded": LongCall(
        "count_filter_tuples",
        lambda: lr.one_layer_bounded(
            (1, 4, 4), lr.ConvSpec(filters=4, kernel_size=2), method="multiset", rng=1
        ),
        lambda: lr.one_layer_bounded((1, 3, 3), SHORT, rng=1).value,
    ),
    "one_layer_sizes": LongCall(
        "count_frontier",
        lambda: lr.one_layer_sizes(
            (1, 8, 8), lr.ConvSpec(filters=64, kernel_size=3), weights="free"
        ),
        lambda: lr.one_layer_sizes((1, 3, 3), SHORT, rng=1),
        "NoneType",
    ),
}


# --- the signal ----------------------------------------------------------------------------------


class CtrlC:
    """Sends Ctrl-C to this process once some thread of it is inside a function of the core."""

    def __init__(self, core: str, skip: int, wait: float) -> None:
        self._core, self._skip, self._wait = core, skip, wait
        self._entered = threading.Event()
        self._thread = 0
        self.sent = 0.0
        threading.Thread(target=self._send, daemon=True).start()
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)

    def _profile(self, frame: FrameType, event: str, function: Any) -> None:
        if event != "c_call" or function.__name__ != self._core or self._entered.is_set():
            return
        self._skip -= 1
        if self._skip < 0:
            self._thread = threading.get_ident()
            self._entered.set()

    def _send(self) -> None:
        self._entered.wait()
        # Python lets go of the lock only in the core now, or in the last steps of `_profile`.
        mine = self._profile.__func__.__code__
        while True:
            frame = sys._current_frames().get(self._thread)
            if frame is None or not _runs(frame, mine):
                break
            time.sleep(0.001)
        time.sleep(self._wait)
        self.sent = time.perf_counter()
        os.kill(os.getpid(), signal.SIGINT)

    def stop(self) -> None:
        sys.setprofile(None)
        threading.setprofile(None)


def _runs(frame: FrameType | None, code: object) -> bool:
    while frame is not None:
        if frame.f_code is code:
            return True
        frame = frame.f_back
    return False


def interrupted(name: str, wait: float = 0.0) -> dict[str, Any]:
    """Let one call run into Ctrl-C; return how it ended."""
    case = CALLS[name]
    before = case.small()
    answer: dict[str, Any] = {"error": "", "partial": "", "status": ""}
    ctrl_c = CtrlC(case.core, case.skip, wait)
    try:
        case.long()
    except KeyboardInterrupt as error:
        heard = time.perf_counter()
        ctrl_c.stop()
        answer["error"] = type(error).__name__
        answer["milliseconds"] = 1000 * (heard - ctrl_c.sent)
        if isinstance(error, lr.Interrupted):
            partial = error.partial
            answer["partial"] = type(partial).__name__
            told = partial.count if isinstance(partial, (lr.Regions, lr.RegionFolder)) else partial
            answer["status"] = getattr(told, "status", "")
    ctrl_c.stop()
    answer["again"] = case.small() == before
    return answer


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for line in sys.stdin:
        name, _, wait = line.rstrip("\n").partition("\t")
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            try:
                answer = interrupted(name, float(wait or 0))
            except BaseException as error:
                answer = {"error": f"failed: {type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)
            with contextlib.suppress(BaseException):
                sys.stdout.flush()
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
