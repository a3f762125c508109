# SPDX-License-Identifier: MIT
"""What the package answers with: counts, bounds and sampled counts.

Three kinds of number are never mixed: a `Bound` follows from a theorem, a `RegionCount` was counted
(its `kind` and `status` say how sure it is), a `SampleCount` was observed in samples. Region
numbers are Python integers of any size; as text they appear as decimal strings, written in
parts because Python refuses to convert integers above 4,300 digits in one piece.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from ._numbers import (
    checked_int,
    decimal_string,
    json_log10,
    log10,
    short_number,
)
from ._sample_count import SampleCount
from .errors import InvalidInput

__all__ = ["Bound", "Bounds", "NotApplicable", "Order", "RegionCount", "SampleCount"]

Kind = Literal["exact", "lower", "upper", "estimate"]
BoundKind = Literal["lower", "upper", "exact"]
Status = Literal["complete", "limit", "time_limit", "cancelled"]
Arithmetic = Literal["certified", "modular", "float"]
Of = Literal["maximum", "average", "network"]
Interval = tuple[int, int | None]
"""Low and high end of a range of region numbers; a high end of None means: no limit is known."""


def _one_of(name: str, value: str, allowed: object) -> None:
    names = get_args(allowed)
    if value not in names:
        raise InvalidInput(f"{name} must be one of {', '.join(names)}, got {value!r}")


def _checked_range(name: str, value: Interval | None) -> Interval | None:
    if value is None:
        return None
    low = checked_int(f"{name}[0]", value[0])
    high = None if value[1] is None else checked_int(f"{name}[1]", value[1])
    if high is not None and high < low:
        raise InvalidInput(f"{name} must have low <= high, got ({low}, {high})")
    return (low, high)


def _range_texts(value: Interval | None) -> list[str | None] | None:
    if value is None:
        return None
    return [decimal_string(value[0]), None if value[1] is None else decimal_string(value[1])]


def _range_repr(value: Interval) -> str:
    high = "unlimited" if value[1] is None else short_number(value[1])
    return f"({short_number(value[0])}, {high})"


@dataclass(frozen=True, repr=False)
class Bound:
    """One number that a theorem gives.

    Parameters
    ----------
    name : str
        Name of the bound, unique within a `Bounds`.
    kind : {"lower", "upper", "exact"}
        ``"exact"``: the theorem gives the number itself, a lower and an upper bound in one.
    of : {"maximum", "average", "network"}
        What is bounded: the largest number over all weights, its mean over random weights, or the
        number of this very network.
    value : int
        The bound, in regions; an exact integer of any size.
    reference : str
        Paper and theorem, or the short proof.
    assumptions : tuple of str
        What must hold, in words. It was checked where it can be checked.
    rigorous : bool, default True
        False where the statement is taken from the literature without a proof or a constant that
        we could confirm; such a number never becomes `Bounds.lower` or `Bounds.upper`.

    Examples
    --------
    >>> Bound("trivial", "upper", "maximum", 2**80, "one bit per unit")
    Bound('trivial': maximum <= 1.209e+24)
    """

    name: str
    kind: BoundKind
    of: Of
    value: int
    reference: str
    assumptions: tuple[str, ...] = ()
    rigorous: bool = True

    def __post_init__(self) -> None:
        """Check the fields once."""
        _one_of("kind", self.kind, BoundKind)
        _one_of("of", self.of, Of)
        object.__setattr__(self, "value", checked_int("value", self.value))
        object.__setattr__(self, "assumptions", tuple(self.assumptions))

    @property
    def log10(self) -> float:
        """Decimal logarithm of the value."""
        return log10(self.value)

    @property
    def is_lower(self) -> bool:
        """Whether the number is a lower bound (an exact one is)."""
        return self.kind != "upper"

    @property
    def is_upper(self) -> bool:
        """Whether the number is an upper bound (an exact one is)."""
        return self.kind != "lower"

    def __repr__(self) -> str:
        """One line: name, what is bounded, direction and value."""
        sign = {"lower": ">=", "upper": "<=", "exact": "="}[self.kind]
        doubt = "" if self.rigorous else ", not confirmed"
        return f"Bound({self.name!r}: {self.of} {sign} {short_number(self.value)}{doubt})"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types; the value is a decimal string beside its logarithm."""
        return {
            "name": self.name,
            "kind": self.kind,
            "of": self.of,
            "value": decimal_string(self.value),
            "log10": json_log10(self.value),
            "reference": self.reference,
            "assumptions": list(self.assumptions),
            "rigorous": self.rigorous,
        }


@dataclass(frozen=True, repr=False)
class Order:
    """A theorem on growth: how a number behaves, up to constants that are not known.

    Parameters
    ----------
    name : str
        Name of the theorem.
    kind : {"lower", "upper", "exact"}
        Direction; ``"exact"``: both directions (big Theta).
    of : {"maximum", "average", "network"}
        What is bounded, as in `Bound`.
    order : str
        The statement as a formula, with the numbers of this architecture put in.
    reference : str
        Paper and theorem.
    assumptions : tuple of str
        What must hold, in words.

    Examples
    --------
    >>> growth = Order("Raghu 2017", "upper", "maximum", "O(16^(2 * 3))", "Theorem 1")
    >>> growth, growth.value
    (Order('Raghu 2017': maximum O(16^(2 * 3))), None)
    """

    name: str
    kind: BoundKind
    of: Of
    order: str
    reference: str
    assumptions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the fields once."""
        _one_of("kind", self.kind, BoundKind)
        _one_of("of", self.of, Of)
        object.__setattr__(self, "assumptions", tuple(self.assumptions))

    @property
    def value(self) -> None:
        """None: an order is no number."""
        return None

    def __repr__(self) -> str:
        """One line: name, what is bounded, and the order."""
        return f"Order({self.name!r}: {self.of} {self.order})"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types; the value is null."""
        return {
            "name": self.name,
            "kind": self.kind,
            "of": self.of,
            "value": None,
            "order": self.order,
            "reference": self.reference,
            "assumptions": list(self.assumptions),
        }


@dataclass(frozen=True)
class NotApplicable:
    """A bound that gives no number here, and why.

    Parameters
    ----------
    name : str
        Name of the bound.
    reason : str
        The precondition that fails, or the limit that was met.

    Examples
    --------
    >>> NotApplicable("Serra 2018", "needs a chain of layers").reason
    'needs a chain of layers'
    """

    name: str
    reason: str

    def to_dict(self) -> dict[str, str]:
        """Return the fields as JSON types."""
        return {"name": self.name, "reason": self.reason}


@dataclass(frozen=True, repr=False)
class Bounds:
    """All bounds that apply to an architecture or to a network, best ones first at hand.

    Parameters
    ----------
    bounds : tuple of Bound
        The bounds that hold.
    not_applicable : tuple of NotApplicable
        The bounds that give no number, each with its reason.
    subject : {"architecture", "network"}
        For an architecture `lower` and `upper` bound the maximum over all weights; for a network
        they bound the number of this network, and `lower_of_maximum` is kept apart.
    dim : int
        Dimension of the domain, which takes the place of the input dimension.
    orders : tuple of Order
        Theorems that say how the number grows, without giving one.

    Examples
    --------
    >>> one = Bound("trivial lower", "lower", "network", 1, "the domain is not empty")
    >>> four = Bound("trivial", "upper", "maximum", 4, "one bit per unit")
    >>> result = Bounds((one, four), subject="network", dim=2)
    >>> result.upper.value, result["trivial lower"].value, len(result)
    (4, 1, 2)
    """

    bounds: tuple[Bound, ...]
    not_applicable: tuple[NotApplicable, ...] = ()
    subject: Literal["architecture", "network"] = "architecture"
    dim: int = 0
    orders: tuple[Order, ...] = ()

    def __post_init__(self) -> None:
        """Check the fields once."""
        _one_of("subject", self.subject, Literal["architecture", "network"])
        object.__setattr__(self, "bounds", tuple(self.bounds))
        object.__setattr__(self, "orders", tuple(self.orders))
        object.__setattr__(self, "not_applicable", tuple(self.not_applicable))

    def __len__(self) -> int:
        """Return the number of bounds."""
        return len(self.bounds)

    def __iter__(self) -> Iterator[Bound]:
        """Iterate over the bounds."""
        return iter(self.bounds)

    def __getitem__(self, key: int | str) -> Bound:
        """Return a bound by position or by name."""
        if isinstance(key, str):
            for bound in self.bounds:
                if bound.name == key:
                    return bound
            for missing in self.not_applicable:
                if missing.name == key:
                    raise KeyError(f"{key!r} is not applicable: {missing.reason}")
            if any(order.name == key for order in self.orders):
                raise KeyError(f"{key!r} is an order, not a number; it is in `orders`")
            raise KeyError(f"no bound {key!r}; there are {[bound.name for bound in self.bounds]}")
        return self.bounds[key]

    def __contains__(self, key: object) -> bool:
        """Whether a bound, or a bound of that name, is there."""
        return any(key == bound or key == bound.name for bound in self.bounds)

    @property
    def _rigorous(self) -> list[Bound]:
        return [bound for bound in self.bounds if bound.rigorous]

    @property
    def upper(self) -> Bound | None:
        """Smallest number that the maximum (hence every network) does not exceed."""
        # An upper bound of an average says nothing about the largest value.
        wanted = ("maximum",) if self.subject == "architecture" else ("maximum", "network")
        found = [bound for bound in self._rigorous if bound.is_upper and bound.of in wanted]
        return min(found, key=lambda bound: bound.value, default=None)

    @property
    def lower(self) -> Bound | None:
        """Largest proved lower bound: of the maximum, or of this network."""
        if self.subject == "architecture":
            return self.lower_of_maximum
        found = [bound for bound in self._rigorous if bound.is_lower and bound.of == "network"]
        return max(found, key=lambda bound: bound.value, default=None)

    @property
    def lower_of_maximum(self) -> Bound | None:
        """Largest number that some choice of weights reaches for certain."""
        # The maximum is at least the average and at least any one network's number.
        found = [bound for bound in self._rigorous if bound.is_lower]
        return max(found, key=lambda bound: bound.value, default=None)

    def __repr__(self) -> str:
        """One line: the best lower and upper bound."""
        low = "none" if self.lower is None else short_number(self.lower.value)
        high = "none" if self.upper is None else short_number(self.upper.value)
        return f"Bounds({self.subject}, dim={self.dim}, lower={low}, upper={high}, n={len(self)})"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON types; region numbers are decimal strings."""
        best = {"lower": self.lower, "upper": self.upper, "lower_of_maximum": self.lower_of_maximum}
        return {
            "subject": self.subject,
            "dim": self.dim,
            **{key: None if value is None else value.name for key, value in best.items()},
            "bounds": [bound.to_dict() for bound in self.bounds],
            "orders": [order.to_dict() for order in self.orders],
            "not_applicable": [missing.to_dict() for missing in self.not_applicable],
        }


@dataclass(frozen=True, repr=False)
class RegionCount:
    """A number of regions, what was counted and how sure it is.

    ``int(result)`` works only where `kind` is ``"exact"`` and `status` is ``"complete"``; `value`
    is always readable. Two results are equal when they say the same; the time and the work that
    they took do not matter. A result is never equal to a number, and has no order: a lower bound of
    12 is no 12. Compare ``int(result)``, or `value` where a bound is meant.

    Parameters
    ----------
    value : int
        The number of regions.
    what : str
        What was counted: ``"activation"``, ``"linear"``, ``"affine"`` or ``"chamber"``.
    kind : {"exact", "lower", "upper", "estimate"}
        What the number is to the truth. ``"exact"`` needs an `error_probability`.
    status : {"complete", "limit", "time_limit", "cancelled"}
        How the call ended.
    method : str
        Name of the method that ran.
    arithmetic : {"certified", "modular", "float"}
        How decisions were taken.
    error_probability : float or None
        Proved bound on the chance that the engine's own random draws spoilt the number; None where
        nothing is proved (floating point).
    interval : tuple of int, or None
        Low and high end; None as high end means no limit is known.
    confidence : float or None
        Confidence of `interval`; 1.0 is rigorous.
    bracket : tuple of int, or None
        Rigorous low and high end.
    seconds : float
        Time taken.
    work : dict of str to number
        Work counters (cells visited, linear programs, exact fall-backs).
    related : dict of str to Bound
        Numbers that belong beside this one, for example ``"published formula"``.
    reference : str
        Source of the method or theorem.
    version : str
        Version of the package that counted.

    Examples
    --------
    >>> count = RegionCount(15, what="activation", method="one_layer_scan")
    >>> count
    RegionCount(15, what='activation', exact, complete, method='one_layer_scan', certified)
    >>> int(count), count.interval, count.to_dict()["value"]
    (15, (15, 15), '15')
    """

    value: int
    what: str = "activation"
    kind: Kind = "exact"
    status: Status = "complete"
    method: str = ""
    arithmetic: Arithmetic = "certified"
    error_probability: float | None = 0.0
    interval: Interval | None = None
    confidence: float | None = None
    bracket: Interval | None = None
    seconds: float = field(default=0.0, compare=False)
    work: Mapping[str, Any] = field(default_factory=dict, compare=False)
    related: Mapping[str, Bound] = field(default_factory=dict, hash=False)
    reference: str = ""
    version: str = ""

    def __post_init__(self) -> None:
        """Check the fields once and fill in what an exact or one-sided number implies."""
        _one_of("kind", self.kind, Kind)
        _one_of("status", self.status, Status)
        _one_of("arithmetic", self.arithmetic, Arithmetic)
        if self.kind == "exact" and self.error_probability is None:
            raise InvalidInput(
                "kind='exact' needs an error_probability (0.0 for certified arithmetic), got None; "
                "a number without one is kind='estimate'"
            )
        put = object.__setattr__
        put(self, "value", checked_int("value", self.value))
        put(self, "interval", _checked_range("interval", self.interval))
        put(self, "bracket", _checked_range("bracket", self.bracket))
        put(self, "work", dict(self.work))
        put(self, "related", dict(self.related))
        implied = self._implied_interval()
        if implied is None or self.error_probability is None:
            return
        if self.error_probability == 0.0 and self.bracket is None:
            put(self, "bracket", implied)
        if self.interval is None:
            put(self, "interval", implied)
            # 1 - 2**-61 would round to 1.0, which is kept for what is rigorous.
            sure = 1.0 - self.error_probability
            unsure = self.error_probability > 0.0
            put(self, "confidence", min(sure, math.nextafter(1.0, 0.0)) if unsure else 1.0)

    def _implied_interval(self) -> Interval | None:
        if self.kind == "exact" and self.status == "complete":
            return (self.value, self.value)
        if self.kind in ("exact", "lower"):
            return (self.value, None)
        return (0, self.value) if self.kind == "upper" else None

    @property
    def log10(self) -> float:
        """Decimal logarithm of the value (minus infinity for zero)."""
        return log10(self.value)

    def __int__(self) -> int:
        """Return the number where it is the number: kind exact, status complete."""
        if self.kind == "exact" and self.status == "complete":
            return self.value
        raise InvalidInput(
            f"int() needs kind='exact' and status='complete', got kind={self.kind!r} and "
            f"status={self.status!r}; read .value, .interval or .bracket instead"
        )

    def __repr__(self) -> str:
        """One line; at most 20 digits of a number are shown."""
        parts = [short_number(self.value), f"what={self.what!r}", self.kind, self.status]
        parts += [f"method={self.method!r}", self.arithmetic]
        if self.interval is not None and self.kind != "exact":
            parts.append(f"interval={_range_repr(self.interval)}")
        return f"RegionCount({', '.join(parts)})"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types; region numbers are decimal strings.

        Examples
        --------
        >>> import json
        >>> found = json.loads(json.dumps(RegionCount(2**70).to_dict()))
        >>> found["value"], round(found["log10"], 3), found["kind"], found["interval"][1]
        ('1180591620717411303424', 21.072, 'exact', '1180591620717411303424')
        """
        return {
            "value": decimal_string(self.value),
            "log10": json_log10(self.value),
            "what": self.what,
            "kind": self.kind,
            "status": self.status,
            "method": self.method,
            "arithmetic": self.arithmetic,
            "error_probability": self.error_probability,
            "interval": _range_texts(self.interval),
            "confidence": self.confidence,
            "bracket": _range_texts(self.bracket),
            "seconds": self.seconds,
            "work": dict(self.work),
            "related": {name: bound.to_dict() for name, bound in self.related.items()},
            "reference": self.reference,
            "version": self.version,
        }
