from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__version__: str

_Float = npt.NDArray[np.float64]
_Single = npt.NDArray[np.float32]
_Int = npt.NDArray[np.int64]
_Words = npt.NDArray[np.uint64]
_Triple = Sequence[int]
_Poll = Callable[[int, float], bool] | None
_Part = tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32], _Float, _Words]

class ForeignChamberPart(RuntimeError): ...
class ForeignPart(RuntimeError): ...

def default_floating_point() -> bool: ...

class DefaultFloatingPoint:
    def __init__(self) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *args: object) -> None: ...

class Tape:
    def __init__(self, n_in: int) -> None: ...
    def dense(self, input: int, weight: _Float, bias: _Float) -> int: ...
    def conv(
        self,
        input: int,
        in_shape: _Triple,
        out_shape: _Triple,
        kernel: _Triple,
        stride: _Triple,
        before: _Triple,
        dilation: _Triple,
        channels: int,
        filters: int,
        groups: int,
        weight: _Float,
        bias: _Float,
    ) -> int: ...
    def scale(self, input: int, weight: _Float, bias: _Float) -> int: ...
    def average(self, input: int, start: _Int, entries: _Int, divisors: _Int) -> int: ...
    def gather(self, input: int, index: _Int, fill: float) -> int: ...
    def add(self, inputs: Sequence[int]) -> int: ...
    def concat(self, inputs: Sequence[int]) -> int: ...
    def pointwise(
        self,
        input: int,
        tables: Sequence[tuple[Sequence[float], Sequence[float], float]],
        table_of: _Int,
    ) -> int: ...
    def max(self, input: int, start: _Int, entries: _Int, positions: _Int, bits: int) -> int: ...
    def finish(self) -> None: ...
    @property
    def n_in(self) -> int: ...
    @property
    def n_out(self) -> int: ...
    @property
    def pattern_bits(self) -> int: ...
    @property
    def pattern_words(self) -> int: ...

class ForwardPass64:
    def __init__(self, tape: Tape) -> None: ...
    def values(self, points: _Float | _Single) -> _Float: ...
    def patterns(self, points: _Float | _Single) -> tuple[_Words, bool]: ...
    def affine_maps(self, patterns: _Words, columns: _Float) -> _Float: ...
    def doubtful_patterns(
        self, points: _Float
    ) -> tuple[_Words, bool, npt.NDArray[np.int32], float]: ...
    @property
    def work(self) -> float: ...

class ForwardPass32:
    def __init__(self, tape: Tape) -> None: ...
    def values(self, points: _Float | _Single) -> _Single: ...
    def patterns(self, points: _Float | _Single) -> tuple[_Words, bool]: ...
    def affine_maps(self, patterns: _Words, columns: _Single) -> _Single: ...

class ExactPatterns:
    def __init__(self, tape: Tape, domain: DomainFrame | None) -> None: ...
    def settle(self, points: _Float, patterns: _Words, doubts: npt.NDArray[np.int32]) -> int: ...

class Hyperplanes:
    def __init__(self, value: _Float, exact: Sequence[str] | None = ...) -> None: ...
    @property
    def n(self) -> int: ...
    @property
    def d(self) -> int: ...

class PlanarDomain:
    def __init__(
        self,
        columns: _Float,
        edges: _Float,
        at_infinity: npt.NDArray[np.bool_],
        exact_columns: Sequence[str] = ...,
        exact_denominator: str = ...,
        exact_edges: Sequence[str] = ...,
    ) -> None: ...

class DomainFrame:
    def __init__(
        self,
        columns: _Float,
        sides: _Float,
        exact_columns: Sequence[str] = ...,
        exact_denominator: str = ...,
        exact_sides: Sequence[str] = ...,
    ) -> None: ...
    @property
    def dim(self) -> int: ...

def build_info() -> dict[str, str]: ...
def search_planar(
    tape: Tape,
    domain: PlanarDomain,
    certified: bool,
    part: _Part,
    list: bool,
    faces: bool,
    wide: bool,
    threads: int,
    limit: int | None,
    time_limit: float | None,
    pause_after: float | None,
    pause_at: int | None,
    poll: _Poll,
) -> dict[str, Any]: ...
def cut_planar(
    tape: Tape,
    domain: PlanarDomain,
    certified: bool,
    part: _Part,
    list: bool,
    faces: bool,
    wide: bool,
    share: float,
    poll: _Poll,
) -> dict[str, Any]: ...
def probe_planar(
    tape: Tape,
    domain: PlanarDomain,
    certified: bool,
    seed: int,
    ways: int,
    time_limit: float | None,
    poll: _Poll,
) -> dict[str, Any]: ...
def search_cones(
    tape: Tape,
    domain: DomainFrame,
    certified: bool,
    part: _Part,
    list: bool,
    faces: bool,
    wide: bool,
    threads: int,
    limit: int | None,
    time_limit: float | None,
    pause_after: float | None,
    pause_at: int | None,
    poll: _Poll,
) -> dict[str, Any]: ...
def cut_cones(
    tape: Tape,
    domain: DomainFrame,
    certified: bool,
    part: _Part,
    list: bool,
    faces: bool,
    wide: bool,
    share: float,
    poll: _Poll,
) -> dict[str, Any]: ...
def probe_cones(
    tape: Tape,
    domain: DomainFrame,
    certified: bool,
    seed: int,
    ways: int,
    time_limit: float | None,
    poll: _Poll,
) -> dict[str, Any]: ...
def search_tree(
    tape: Tape,
    domain: DomainFrame,
    certified: bool,
    part: _Part,
    list: bool,
    faces: bool,
    wide: bool,
    threads: int,
    limit: int | None,
    time_limit: float | None,
    pause_after: float | None,
    pause_at: int | None,
    poll: _Poll,
) -> dict[str, Any]: ...
def cut_tree(
    tape: Tape,
    domain: DomainFrame,
    certified: bool,
    part: _Part,
    list: bool,
    faces: bool,
    wide: bool,
    share: float,
    poll: _Poll,
) -> dict[str, Any]: ...
def probe_tree(
    tape: Tape,
    domain: DomainFrame,
    certified: bool,
    seed: int,
    ways: int,
    time_limit: float | None,
    poll: _Poll,
) -> dict[str, Any]: ...
def count_planar(
    tape: Tape,
    domain: PlanarDomain,
    certified: bool,
    threads: int,
    limit: int | None,
    time_limit: float | None,
    poll: _Poll,
) -> dict[str, Any]: ...
def count_segments(
    tape: Tape,
    a: _Float,
    b: _Float,
    certified: bool,
    threads: int,
    time_limit: float | None,
    poll: _Poll,
) -> dict[str, Any]: ...
def pattern_distances(words: _Words) -> _Int: ...
def count_tree(
    tape: Tape,
    domain: DomainFrame,
    certified: bool,
    threads: int,
    limit: int | None,
    time_limit: float | None,
    poll: _Poll,
) -> dict[str, Any]: ...
def list_tree(
    tape: Tape,
    domain: DomainFrame,
    certified: bool,
    threads: int,
    limit: int | None,
    time_limit: float | None,
    poll: _Poll,
    faces: bool = False,
) -> dict[str, Any]: ...
def stream_tree(
    tape: Tape,
    domain: DomainFrame,
    certified: bool,
    block: int,
    limit: int | None,
    time_limit: float | None,
    poll: _Poll,
    sink: Callable[[dict[str, Any]], bool],
    faces: bool = False,
) -> dict[str, Any]: ...
def list_planar(
    tape: Tape,
    domain: PlanarDomain,
    certified: bool,
    threads: int,
    limit: int | None,
    time_limit: float | None,
    poll: _Poll,
    faces: bool = True,
) -> dict[str, Any]: ...
def stream_planar(
    tape: Tape,
    domain: PlanarDomain,
    certified: bool,
    block: int,
    limit: int | None,
    time_limit: float | None,
    poll: _Poll,
    sink: Callable[[dict[str, Any]], bool],
    faces: bool = True,
) -> dict[str, Any]: ...
def unstable_units(tape: Tape, low: _Float, high: _Float) -> list[npt.NDArray[np.uint8]]: ...
def count_cones(
    tape: Tape,
    domain: DomainFrame,
    certified: bool,
    threads: int,
    limit: int | None,
    time_limit: float | None,
    poll: _Poll,
) -> dict[str, Any]: ...
def list_cones(
    tape: Tape,
    domain: DomainFrame,
    certified: bool,
    threads: int,
    limit: int | None,
    time_limit: float | None,
    poll: _Poll,
    faces: bool = True,
) -> dict[str, Any]: ...
def stream_cones(
    tape: Tape,
    domain: DomainFrame,
    certified: bool,
    block: int,
    limit: int | None,
    time_limit: float | None,
    poll: _Poll,
    sink: Callable[[dict[str, Any]], bool],
    faces: bool = True,
) -> dict[str, Any]: ...
def hit_and_run(sides: _Float, start: _Float, words: _Words) -> _Float: ...
def distinct_rows(words: _Words) -> tuple[int, _Int]: ...
def pack_layers(
    layers: Sequence[tuple[npt.NDArray[Any], int, Sequence[float]]],
) -> tuple[_Words, int]: ...
def extract_bits(words: _Words, first: int, bits: int) -> _Words: ...
def has_loose_bits(words: _Words, bits: int) -> bool: ...

sample_size: int

class PatternTally:
    def __init__(self, width: int, sketch: int, counted: bool, precision: int) -> None: ...
    def insert(self, words: _Words) -> None: ...
    def frequencies(self) -> tuple[_Int, _Int]: ...
    def contents(self) -> dict[str, Any]: ...
    def absorb(
        self,
        rows: int,
        keys: _Words,
        times: _Words,
        registers: npt.NDArray[np.uint8],
        level: int,
    ) -> None: ...
    @property
    def rows(self) -> int: ...
    def distinct(self) -> float: ...
    def exact_count(self) -> bool: ...
    def hll_estimate(self) -> float: ...
    def memory_bytes(self) -> int: ...

def sweep_size(n: int, d: int) -> int: ...
def sweep(
    hyperplanes: Hyperplanes,
    first: int,
    last: int,
    out: _Words | None,
    certified: bool,
    threads: int,
    time_limit: float | None,
    poll: _Poll,
) -> dict[str, Any]: ...
def count_flats(
    rows: _Words,
    p: int,
    threads: int,
    time_limit: float | None,
    poll: _Poll,
    store_bytes: int = ...,
    every: float = ...,
    save: Callable[[tuple[Any, ...]], object] | None = ...,
    start: tuple[Any, ...] | None = ...,
) -> dict[str, Any]: ...

class WindowGraph:
    def __init__(
        self,
        window_start: _Int,
        entries: _Int,
        n_entries: int,
        channels: int,
        filters: int,
    ) -> None: ...
    @property
    def n_windows(self) -> int: ...
    @property
    def n_slots(self) -> int: ...
    @property
    def n_neurons(self) -> int: ...

def direct_trials(
    graph: WindowGraph,
    sizes: _Words,
    thresholds: _Words,
    order: npt.NDArray[np.uint32],
    by_entries: bool,
    key: tuple[int, int],
    first_trial: int,
    n_chunks: int,
    chunk_size: int,
    ranks_per_chunk: int,
    places: npt.NDArray[np.uint32],
    threads: int,
    time_limit: float | None,
    poll: _Poll,
) -> dict[str, Any]: ...
def particle_batches(
    graph: WindowGraph,
    thresholds: _Words,
    log_penalty: float,
    key: tuple[int, int],
    first_batch: int,
    n_batches: int,
    n_particles: int,
    ranks_per_batch: int,
    places: npt.NDArray[np.uint32],
    threads: int,
    time_limit: float | None,
    poll: _Poll,
) -> dict[str, Any]: ...
def sign_tree_count(
    planes: Hyperplanes,
    sides: Hyperplanes,
    certified: bool,
    threads: int,
    limit: int | None,
    time_limit: float | None,
    poll: _Poll,
    engine: str = ...,
    every: float = ...,
    save: Callable[[dict[str, Any]], object] | None = ...,
    start: tuple[Any, ...] | None = ...,
) -> dict[str, Any]: ...
def sign_tree_list(
    planes: Hyperplanes,
    sides: Hyperplanes,
    certified: bool,
    points: bool,
    threads: int,
    limit: int | None,
    time_limit: float | None,
    poll: _Poll,
    engine: str = ...,
    every: float = ...,
    save: Callable[[dict[str, Any]], object] | None = ...,
    start: tuple[Any, ...] | None = ...,
) -> dict[str, Any]: ...
def sign_tree_stream(
    planes: Hyperplanes,
    sides: Hyperplanes,
    certified: bool,
    points: bool,
    threads: int,
    block: int,
    limit: int | None,
    time_limit: float | None,
    poll: _Poll,
    sink: Callable[[dict[str, Any]], bool],
    engine: str = ...,
    every: float = ...,
    save: Callable[[dict[str, Any]], object] | None = ...,
    start: tuple[Any, ...] | None = ...,
) -> dict[str, Any]: ...
def count_frontier(
    n_inputs: int,
    channels: int,
    windows: Sequence[Sequence[int]],
    symmetries: Sequence[Sequence[int]],
    primes: _Words,
    weights: _Words,
    max_bytes: int,
    max_insertions: int,
    time_limit: float | None,
    poll: _Poll,
    every: float = ...,
    save: Callable[[tuple[Any, ...]], object] | None = ...,
    start: tuple[Any, ...] | None = ...,
) -> dict[str, Any]: ...
def count_filter_tuples(
    rows: _Words,
    prime: int,
    rank: int,
    firsts: Sequence[int],
    orbits: Sequence[int],
    check_bias: bool,
    max_nodes: int,
    time_limit: float | None,
    poll: _Poll,
    every: float = ...,
    save: Callable[[tuple[Any, ...]], object] | None = ...,
    start: tuple[Any, ...] | None = ...,
) -> dict[str, Any]: ...
def facet_mates(patterns: _Words, facet_start: _Int, labels: npt.NDArray[np.int32]) -> _Int: ...
def sizes(
    vertices: _Float,
    vertex_start: _Int,
    facet_start: _Int,
    corner_start: _Int,
    corners: _Int,
    facets: _Int | None,
) -> _Float: ...
def map_classes(
    tape: Tape,
    domain: DomainFrame,
    patterns: _Words,
    poll: _Poll,
) -> dict[str, Any]: ...
def exact_facet_rows(
    tape: Tape,
    domain: DomainFrame,
    pattern: _Words,
    labels: npt.NDArray[np.int32],
) -> list[str]: ...
def cell_labels(tape: Tape, pattern: _Words) -> npt.NDArray[np.int32]: ...
def facet_rows(
    tape: Tape,
    domain: DomainFrame,
    patterns: _Words,
    facet_start: _Int,
    labels: npt.NDArray[np.int32],
) -> tuple[_Float, _Float]: ...
def locate(
    tape: Tape,
    domain: DomainFrame,
    point: DomainFrame,
    guess: _Words,
    poll: _Poll,
) -> dict[str, Any]: ...
def essential_rows(tape: Tape, domain: DomainFrame) -> list[str]: ...
def components(n: int, i: _Int, j: _Int) -> _Int: ...
