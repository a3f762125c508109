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

from ._bounds import bounds
from ._build_info import build_info
from ._count import count
from ._methods import Method, methods
from ._one_layer import one_layer_maximum
from ._plot import plot
from ._regions import Region, Regions, RegionStream, regions
from ._sample import patterns, sample
from ._version import __version__
from .architecture import AffineSpec, Architecture, ConvSpec, PointwiseSpec, ScaleSpec
from .domain import Ball, Box, Domain, Polytope, Segment, Slice, Space
from .errors import (
    CorruptFile,
    DegenerateInput,
    DeviceError,
    Interrupted,
    InvalidInput,
    LinearRegionsError,
    MissingExtra,
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
from .result import Bound, Bounds, RegionCount, SampleCount
from .vnnlib import read_vnnlib

__all__ = [
    "Add",
    "Affine",
    "AffineSpec",
    "Architecture",
    "AvgPool",
    "Ball",
    "Bound",
    "Bounds",
    "Box",
    "Concat",
    "Conv",
    "ConvSpec",
    "CorruptFile",
    "DegenerateInput",
    "DeviceError",
    "Domain",
    "Flatten",
    "Interrupted",
    "InvalidInput",
    "LinearRegionsError",
    "MaxPool",
    "Maxout",
    "Method",
    "MissingExtra",
    "Network",
    "Pad",
    "Permute",
    "Pointwise",
    "PointwiseSpec",
    "Polytope",
    "Region",
    "RegionCount",
    "RegionStream",
    "Regions",
    "Reshape",
    "SampleCount",
    "Scale",
    "ScaleSpec",
    "Segment",
    "Slice",
    "Space",
    "Unsupported",
    "__version__",
    "absolute",
    "bounds",
    "build_info",
    "count",
    "hard_tanh",
    "leaky_relu",
    "load",
    "methods",
    "one_layer_maximum",
    "patterns",
    "plot",
    "read_vnnlib",
    "regions",
    "relu",
    "relu6",
    "sample",
    "save",
]


def __dir__() -> list[str]:
    return sorted(__all__)
