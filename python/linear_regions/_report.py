# SPDX-License-Identifier: MIT
"""The report on a model: bounds, exact counts and a sampled count, side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, TypeVar

from ._format import decimal_string, safe
from .errors import InvalidInput, LinearRegionsError, Unsupported

if TYPE_CHECKING:
    import linear_regions as lr

    from ._domain_files import Place

__all__ = ["Report", "default_samples", "describe_domain", "describe_network", "report"]

Result = TypeVar("Result")

# Samples by default, fewer where the network is large: so many products of weights and values take
# one or two seconds.
MOST_SAMPLES = 50_000
_SAMPLE_WORK = 4e9
DEFAULT_TIME_LIMIT = 60.0
# Polygons beyond this number are not kept for a picture: it would show nothing of them.
MAX_PICTURED = 250_000


@dataclass
class Report:
    """What is known of a network's regions in one place.

    Attributes
    ----------
    name : str
        Of the model.
    network : Network
    place : Place
        The domain and what it is in words.
    bounds : Bounds or None
        For the domain; None where they were not reached.
    space_bounds : Bounds or None
        For the whole input space, where that is another question.
    count : RegionCount or None
        Exact, in the domain; None where no method counts there (see `notes`).
    sample : SampleCount or None
    segment : Place or None
    segment_count : RegionCount or None
    regions, segment_regions : Regions or None
        For pictures; only where they were asked for.
    seconds : dict of str to float
        Time of every stage.
    notes : list of str
        What could not be done, and why.
    complete : bool
        Whether all stages were reached; False after Ctrl-C.
    version : str
        Of the package.
    """

    name: str
    network: lr.Network
    place: Place
    bounds: lr.Bounds | None = None
    space_bounds: lr.Bounds | None = None
    count: lr.RegionCount | None = None
    sample: lr.SampleCount | None = None
    segment: Place | None = None
    segment_count: lr.RegionCount | None = None
    regions: lr.Regions | None = None
    segment_regions: lr.Regions | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    complete: bool = False
    version: str = ""

    @property
    def found_share(self) -> float | None:
        """Share of the regions that the samples met; None without an exact count."""
        if self.sample is None or self.count is None:
            return None
        if self.count.kind != "exact" or self.count.status != "complete" or not self.count.value:
            return None
        return self.sample.distinct / self.count.value

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the pictures as JSON types; region numbers are strings."""

        def given(result: Any) -> Any:
            return None if result is None else result.to_dict()

        segment = None
        if self.segment is not None:
            segment = {"description": self.segment.text, "count": given(self.segment_count)}
        return {
            "version": self.version,
            "complete": self.complete,
            "model": describe_network(self.network, self.name),
            "domain": {"description": self.place.text, **describe_domain(self.place.domain)},
            "bounds": given(self.bounds),
            "bounds_whole_space": given(self.space_bounds),
            "count": given(self.count),
            "sample": given(self.sample),
            "share_found_by_sample": self.found_share,
            "segment": segment,
            "seconds": safe(self.seconds),
            "notes": list(self.notes),
        }


def describe_network(net: lr.Network, name: str) -> dict[str, Any]:
    """Return shapes, sizes and notes of a network as JSON types.

    Parameters
    ----------
    net : Network
    name : str

    Returns
    -------
    dict
    """
    return {
        "name": name,
        "input_shape": list(net.input_shape),
        "output_shape": list(net.output_shape),
        "layers": [repr(layer) for layer in net.layers],
        "units": net.n_units,
        "parameters": net.n_parameters,
        "pattern_bits": net.pattern_bits,
        "notes": list(net.notes),
    }


def describe_domain(domain: lr.Domain | None) -> dict[str, Any]:
    """Return kind and dimension of a domain as JSON types.

    Parameters
    ----------
    domain : Domain or None
        None is the whole input space.

    Returns
    -------
    dict
    """
    if domain is None:
        return {"kind": "space", "dim": None}
    return {"kind": type(domain).__name__.lower(), "dim": domain.dim}


def report(
    net: lr.Network,
    place: Place,
    *,
    name: str = "network",
    segment: Place | None = None,
    samples: int | None = None,
    rng: int = 0,
    pictures: bool = False,
    threads: int | None = None,
    limit: int | None = None,
    time_limit: float | None = DEFAULT_TIME_LIMIT,
    progress: bool | Callable[[int, float], object] = False,
) -> Report:
    """Gather bounds, exact counts and a sampled count of a network's activation regions.

    Parameters
    ----------
    net : Network
    place : Place
        Where to count; with the points that span it.
    name : str
        Of the model, for the reader.
    segment : Place, optional
        Where to count on a line; default between the first two points of `place`.
    samples : int, optional
        Number of uniform samples; 0 for none. Default `default_samples`.
    rng : int
        Seed of the samples.
    pictures : bool
        Whether to keep the regions for pictures.
    threads, limit, time_limit, progress
        As for `count`; each count by itself has them.

    Returns
    -------
    Report

    Raises
    ------
    Interrupted
        On Ctrl-C, with the report so far as ``partial``.
    """
    import linear_regions as lr

    samples = default_samples(net) if samples is None else samples
    segment = place.segment() if segment is None else segment
    made = Report(name, net, place, segment=segment, version=lr.__version__)
    options: dict[str, Any] = {"threads": threads, "limit": limit, "time_limit": time_limit}
    domain = place.domain
    try:
        with _stage(made, "bounds"):
            made.bounds = lr.bounds(net, domain)
            if domain is not None and domain.dim != net.input_size:
                made.space_bounds = lr.bounds(net)
        with _stage(made, "count"):
            made.count = _or_partial(
                made, "count", lambda: lr.count(net, domain, progress=progress, **options)
            )
        if segment is not None:
            with _stage(made, "segment"):
                made.segment_count = _or_partial(
                    made, "segment_count", lambda: lr.count(net, segment.domain, **options)
                )
        if samples:
            with _stage(made, "sample"):
                distribution = "normal" if domain is None else "uniform"
                made.sample = _or_partial(
                    made,
                    "sample",
                    lambda: lr.sample(net, domain, samples, distribution=distribution, rng=rng),
                )
        if pictures:
            with _stage(made, "regions"):
                _list_regions(made, options)
        made.complete = True
    except KeyboardInterrupt as stop:
        made.notes.append("interrupted: what follows is missing")
        raise lr.Interrupted(partial=made) from stop
    return made


def default_samples(net: lr.Network) -> int:
    """Return how many samples take a second or two: the same number on every machine.

    Parameters
    ----------
    net : Network

    Returns
    -------
    int
    """
    products = 1
    for position, layer in enumerate(net.layers):
        weight = getattr(layer, "weight", None)
        if weight is not None:
            channels, *positions = net.shapes[position + 1]
            products += weight.size * prod(positions) if weight.ndim > 1 else channels
    return int(min(MOST_SAMPLES, max(1000, _SAMPLE_WORK / products // 1000 * 1000)))


@contextmanager
def _stage(made: Report, name: str) -> Iterator[None]:
    """Time a stage; what it cannot do becomes a note, so that the others still run."""
    start = time.perf_counter()
    try:
        yield
    except (Unsupported, InvalidInput, OverflowError) as error:
        made.notes.append(f"no {name}: {error}")
    finally:
        made.seconds[name] = time.perf_counter() - start


def _or_partial(made: Report, attribute: str, run: Callable[[], Result]) -> Result:
    """Run a count or a sample; on Ctrl-C keep its partial result."""
    import linear_regions as lr

    try:
        return run()
    except lr.Interrupted as stop:
        setattr(made, attribute, stop.partial)
        raise


def _list_regions(made: Report, options: dict[str, Any]) -> None:
    """List the regions for pictures, and compare their numbers with the counts."""
    import linear_regions as lr

    pairs = [("regions", made.place, made.count)]
    if made.segment is not None:
        pairs.append(("segment_regions", made.segment, made.segment_count))
    for attribute, place, count in pairs:
        if count is None:
            continue
        if count.value > MAX_PICTURED:
            made.notes.append(
                f"no picture of the {place.text}: {decimal_string(count.value)} regions are more "
                f"than {MAX_PICTURED}"
            )
            continue
        listed = lr.regions(made.network, place.domain, **options)
        if count.status == listed.count.status == "complete" and len(listed) != count.value:
            # Two searches through one engine: a difference means a defect, and must be seen.
            raise LinearRegionsError(
                f"count found {count.value} regions and regions listed {len(listed)}; please "
                "report this"
            )
        setattr(made, attribute, listed)
