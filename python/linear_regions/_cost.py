# SPDX-License-Identifier: MIT
"""How long a count will take, before it is begun (see `_forecast`)."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ._count import counting
from ._forecast import forecast
from ._geometry import generator
from ._parts import Part, Search
from ._run import run_control
from .domain import Domain, as_domain
from .errors import Interrupted, InvalidInput, Unsupported
from .network import Network

__all__ = ["CostForecast", "predict_cost"]


@dataclass(frozen=True)
class CostForecast:
    """How long a count is expected to take on one core of this machine.

    Attributes
    ----------
    seconds : float or None
        Mean of the estimates; None where not one way ended within the time.
    seconds_interval : tuple of float, or None as high end
        Where the mean lies at 90 % by resampling the ways. Sub-trees that are rare and huge are
        missed by it: a high end is a guess, not a promise.
    regions : float or None
        Expected number of regions, from the same ways.
    regions_interval : tuple of float, or None as high end
    ways : int
        Random ways that ended; 0 where `exact`.
    exact : bool
        Whether the count ended while it was being forecast: then the numbers are measured.
    method : str
        The method forecast.

    Examples
    --------
    >>> CostForecast(7200.0, (3000.0, 20000.0), 1e9, (4e8, 3e9), 500, False, "cones")
    CostForecast(about 2.0 h on one core (50.0 min to 5.6 h), 1e+09 regions, 500 ways, 'cones')
    """

    seconds: float | None
    seconds_interval: tuple[float, float | None]
    regions: float | None
    regions_interval: tuple[float, float | None]
    ways: int
    exact: bool
    method: str

    def __repr__(self) -> str:
        """One line: the time, its spread, the regions."""
        low, high = self.seconds_interval
        if self.seconds is None:
            return f"CostForecast(more than {_time(low)}, no way ended, {self.method!r})"
        if self.exact:
            return (
                f"CostForecast({_time(self.seconds)}, {self.regions:.0f} regions, measured, "
                f"{self.method!r})"
            )
        ends = f"{_time(low)} to {'unknown' if high is None else _time(high)}"
        return (
            f"CostForecast(about {_time(self.seconds)} on one core ({ends}), "
            f"{self.regions:.3g} regions, {self.ways} ways, {self.method!r})"
        )


def _time(seconds: float) -> str:
    for size, unit in ((86400 * 365.25, "years"), (86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:.3g} s"


def predict_cost(
    net: Network,
    domain: Domain | None = None,
    *,
    method: str = "auto",
    time_limit: float = 2.0,
    rng: object = 0,
) -> CostForecast:
    """Forecast what `count` of the activation regions will take.

    Parameters
    ----------
    net : Network
    domain : Domain, optional
        As for `count`.
    method : str, default "auto"
        As for `count`.
    time_limit : float, default 2.0
        Seconds to spend. More give more random ways, and a narrower interval.
    rng : None, int, SeedSequence, BitGenerator or Generator, default 0
        Of the random ways.

    Returns
    -------
    CostForecast

    Raises
    ------
    Unsupported
        Where the count would run by the recursion over flats, which is no tree search; otherwise
        as in `count`.
    InvalidInput, DegenerateInput, TypeError
        As in `count`.
    Interrupted
        On Ctrl-C.

    Notes
    -----
    Guarantee: none; the expected value of the estimate is the true cost of the search on this
    machine, but a finite number of ways may miss what matters. Networks of equal shape differ by
    orders of magnitude, and so do the sub-trees of one network.

    References
    ----------
    D. E. Knuth, "Estimating the efficiency of backtrack programs", Mathematics of Computation 29
    (1975) 121-136.

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = lr.load([([[1.0, 2.0], [0.0, 1.0]], [0.0, 0.5]), ([[1.0, -1.0]], [0.0])])
    >>> forecast = lr.predict_cost(net, lr.Box(-1, 1))
    >>> forecast.exact, forecast.regions
    (True, 3.0)
    """
    run = run_control(
        arithmetic="certified",
        threads=1,
        limit=None,
        time_limit=time_limit,
        cancel=None,
        progress=False,
    )
    if run.time_limit is None or run.time_limit <= 0:
        raise InvalidInput(f"time_limit must be a number of seconds above 0, got {time_limit}")
    seed = int(generator(rng).integers(2**63))
    place, chosen = counting(net, as_domain(domain), method, merged=True)
    if chosen.name == "arrangement":
        raise Unsupported(
            "this count runs by the recursion over flats, whose steps are merged, not searched: "
            "there is no tree to draw ways from. For a forecast of another method name it, as in "
            "method='tree'"
        )
    return _predicted(Search(net, place, chosen.name, True), run.time_limit, seed)


def _predicted(search: Search, seconds: float, seed: int) -> CostForecast:
    """Forecast a search within some seconds; a quarter of them go to simply trying it."""
    start = time.monotonic()
    tried = search.run(Part.whole(), time_limit=seconds / 4)
    if tried.interrupted:
        raise Interrupted
    if tried.status == "complete":
        took, regions = tried.seconds, float(tried.regions)
        return CostForecast(took, (took, took), regions, (regions, regions), 0, True, search.method)
    seen = forecast(search, max(seconds - (time.monotonic() - start), 0.01), seed)
    if seen.interrupted:
        raise Interrupted
    return CostForecast(
        seen.seconds,
        seen.seconds_interval,
        seen.regions,
        seen.regions_interval,
        seen.ways,
        False,
        search.method,
    )
