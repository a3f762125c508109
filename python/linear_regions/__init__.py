# SPDX-License-Identifier: MIT
"""How many linear regions does this network have? Bounds, exact certified counts, estimates."""

from __future__ import annotations

try:
    from . import _core
except ImportError as error:
    error.add_note(
        "linear_regions: the compiled core is missing or does not fit this Python; install the "
        "package with `pip install linear-regions`, or from a checkout with `pip install .`"
    )
    raise

from ._build_info import build_info
from ._count import count
from ._methods import Method, methods
from ._regions import Region, Regions, RegionStream, regions
from ._version import __version__
from .architecture import AffineSpec, Architecture, ConvSpec, PointwiseSpec, ScaleSpec
from .domain import Ball, Box, Polytope, Segment, Slice, Space
from .errors import (
    CorruptFile,
    DegenerateInput,
    DeviceError,
    Interrupted,
    InvalidInput,
    LinearRegionsError,
    LongRunWarning,
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

__all__ = sorted(
    name for name in dir() if not name.startswith("_") and name not in ("annotations", "error")
)
