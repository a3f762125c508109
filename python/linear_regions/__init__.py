# SPDX-License-Identifier: MIT
"""How many linear regions does this network have? Bounds, exact certified counts, estimates."""

from __future__ import annotations

try:
    from . import _core as _core  # named so that a missing core is explained here
except ImportError as error:
    error.add_note(
        "linear_regions: the compiled core is missing or does not fit this Python; install the "
        "package with `pip install linear-regions`, or from a checkout with `pip install .`"
    )
    raise

import sys as _sys
from importlib import import_module as _import_module

from . import constructions, nas
from ._arrangement import Arrangement
from ._bounds import (
    Asymptotics,
    Comparison,
    average_bounds,
    bounds,
    compare_per_parameter,
    fully_connected_twin,
    one_layer_asymptotics,
    shallow_twin,
)
from ._build_info import build_info
from ._chambers import Chambers
from ._cost import CostForecast, predict_cost
from ._count import count
from ._decision_boundary import BoundaryPiece, DecisionBoundary, decision_boundary
from ._expected import Expectation, expected
from ._floating_point import protect as _protect
from ._local_complexity import LocalComplexity, local_complexity
from ._methods import Method, methods
from ._monitor import Monitor
from ._one_layer import one_layer_bounded, one_layer_maximum, one_layer_sizes
from ._pattern_counter import PatternCounter
from ._plot import plot
from ._region_at import LocatedRegion, region_at
from ._regions import Facet, Region, RegionFolder, Regions, RegionStream, regions
from ._sample import patterns, sample
from ._segments import count_segments
from ._shards import count_shard, merge_counts
from ._unstable import unstable
from ._version import __version__
from ._watch import Watch, watch
from .architecture import AffineSpec, Architecture, ConvSpec, PointwiseSpec, ScaleSpec
from .domain import Ball, Box, Domain, Polytope, Segment, Slice, Space
from .errors import (
    CheckpointError,
    CorruptFile,
    DegenerateInput,
    DeviceError,
    Interrupted,
    InvalidInput,
    LinearRegionsError,
    LongRunWarning,
    MissingExtra,
    Unfinished,
    Unsupported,
)
from .importers import load, save
from .layers import (
    Add,
    Affine,
    AvgPool,
    Concat,
    Conv,
    Flatten,
    Maxout,
    MaxPool,
    Pad,
    Permute,
    Pointwise,
    Reshape,
    Scale,
    absolute,
    hard_tanh,
    leaky_relu,
    relu,
    relu6,
)
from .network import Network
from .result import Bound, Bounds, NotApplicable, Order, RegionCount, SampleCount
from .vnnlib import read_vnnlib

__all__ = [
    "Add",
    "Affine",
    "AffineSpec",
    "Architecture",
    "Arrangement",
    "Asymptotics",
    "AvgPool",
    "Ball",
    "Bound",
    "BoundaryPiece",
    "Bounds",
    "Box",
    "Chambers",
    "CheckpointError",
    "Comparison",
    "Concat",
    "Conv",
    "ConvSpec",
    "CorruptFile",
    "CostForecast",
    "DecisionBoundary",
    "DegenerateInput",
    "DeviceError",
    "Domain",
    "Expectation",
    "Facet",
    "Flatten",
    "Interrupted",
    "InvalidInput",
    "LinearRegionsError",
    "LocalComplexity",
    "LocatedRegion",
    "LongRunWarning",
    "MaxPool",
    "Maxout",
    "Method",
    "MissingExtra",
    "Monitor",
    "Network",
    "NotApplicable",
    "Order",
    "Pad",
    "PatternCounter",
    "Permute",
    "Pointwise",
    "PointwiseSpec",
    "Polytope",
    "Region",
    "RegionCount",
    "RegionFolder",
    "RegionStream",
    "Regions",
    "Reshape",
    "SampleCount",
    "Scale",
    "ScaleSpec",
    "Segment",
    "Slice",
    "Space",
    "Unfinished",
    "Unsupported",
    "Watch",
    "__version__",
    "absolute",
    "average_bounds",
    "bounds",
    "build_info",
    "compare_per_parameter",
    "constructions",
    "count",
    "count_segments",
    "count_shard",
    "decision_boundary",
    "expected",
    "fully_connected_twin",
    "hard_tanh",
    "leaky_relu",
    "load",
    "local_complexity",
    "merge_counts",
    "methods",
    "nas",
    "one_layer_asymptotics",
    "one_layer_bounded",
    "one_layer_maximum",
    "one_layer_sizes",
    "patterns",
    "plot",
    "predict_cost",
    "read_vnnlib",
    "region_at",
    "regions",
    "relu",
    "relu6",
    "sample",
    "save",
    "shallow_twin",
    "unstable",
    "watch",
]


_protect(_sys.modules[__name__])


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> object:
    # Parts that most programs do not need: imported when they are asked for.
    if name in ("cli", "reference"):
        return _import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
