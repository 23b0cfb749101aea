"""When a z or t test may be used: skewness, kurtosis and single values must not decide its far tail.

A skewness g inflates the level a of a two-sided test by I = cosh(c g z^3 / (6 sqrt N)), z = z_(1-a/2); c is 1
where the variance is predicted and 2 where it is estimated from the same sample. An excess kurtosis k inflates a
z test by exp(k z^4 / (24 N)).
"""

from __future__ import annotations

import math

import numpy as np

from mcverify.statistics.evidence import Refusal
from mcverify.statistics.question import Sample
from mcverify.statistics.saddlepoint import Array
from mcverify.statistics.tails import normal_quantile

LARGEST_SHARE = 0.1  # of the sum, for one network
SHARDS = 40
DOUBTS = 3.0  # standard errors added to an estimated skewness


def inflation_allowed(alpha: float) -> float:
    """Largest tolerated inflation of a level.

    >>> inflation_allowed(1e-2), inflation_allowed(1e-6)
    (1.2, 2.0)
    """
    return 1.2 if alpha >= 1e-3 else 2.0


def inflation(skewness: float, count: int, alpha: float, studentised: bool) -> float:
    """Factor by which skewness inflates the level alpha.

    >>> round(inflation(1.0, 1000, 1e-2, studentised=True), 3)
    1.016
    """
    z = normal_quantile(alpha / 2)
    exponent = (2 if studentised else 1) * abs(skewness) * z**3 / (6 * math.sqrt(count))
    return math.cosh(min(exponent, 700.0))


def networks_for_skewness(skewness: float, alpha: float, studentised: bool) -> int:
    """Networks at which the inflation is allowed: (c g z^3 / (6 arccosh I_max))^2.

    >>> networks_for_skewness(1.0, 1e-2, studentised=True)
    84
    """
    z = normal_quantile(alpha / 2)
    root = (2 if studentised else 1) * abs(skewness) * z**3 / (6 * math.acosh(inflation_allowed(alpha)))
    return math.ceil(min(root**2, 1e15))


def skewness_guard(skewness: float, count: int, alpha: float, studentised: bool) -> Refusal | None:
    """OUTSIDE_CLT where skewness inflates the level too much."""
    factor = inflation(skewness, count, alpha, studentised)
    if factor <= inflation_allowed(alpha):
        return None
    return Refusal("OUTSIDE_CLT", factor, networks_for_skewness(skewness, alpha, studentised))


def kurtosis_guard(excess: float, count: int, alpha: float) -> Refusal | None:
    """OUTSIDE_CLT where kurtosis inflates the level of a z test too much."""
    z = normal_quantile(alpha / 2)
    factor = math.exp(min(max(excess, 0.0) * z**4 / (24 * count), 700.0))
    allowed = inflation_allowed(alpha)
    if factor <= allowed:
        return None
    return Refusal("OUTSIDE_CLT", factor, math.ceil(min(excess * z**4 / (24 * math.log(allowed)), 1e15)))


def tail_guard(values: Array | None, sample: Sample) -> Refusal | None:
    """TAIL_DOMINATED where one network holds more than a tenth of the sum of non-negative values."""
    low, high, total = (
        (sample.min, sample.max, sample.mean * sample.count)
        if values is None
        else (float(values.min()), float(values.max()), float(values.sum()))
    )
    if low < 0 or total <= 0 or high <= LARGEST_SHARE * total or high - low <= 1e-3 * high:
        return None
    return Refusal("TAIL_DOMINATED", high / total)


def skewness_bound(values: Array | None, sample: Sample) -> float:
    """Skewness that the guard uses: |estimate| + 3 jackknife standard errors, or a bound from the moments alone.

    Without the values: |E d^3| <= max|d| E d^2, so |g| <= max|d|/std.

    >>> x = np.random.default_rng(0).exponential(size=4000)
    >>> 2.0 < skewness_bound(x, Sample.of(x)) < 3.0
    True
    """
    if sample.m2 <= 0:
        return math.inf
    if values is None:
        std = math.sqrt(sample.m2 / sample.count)
        return max(sample.max - sample.mean, sample.mean - sample.min) / std
    estimate, error = jackknife_skewness(values)
    return abs(estimate) + DOUBTS * error


def jackknife_skewness(values: Array) -> tuple[float, float]:
    """Sample skewness and its standard error by leaving out shards (up to 40) of consecutive values."""
    shards = min(SHARDS, values.size)
    d = values - values.mean()
    d = d / np.abs(d).max()
    d = d / math.sqrt(float((d**2).mean()))
    edges = np.linspace(0, values.size, shards, endpoint=False).astype(int)
    counts = np.diff(np.append(edges, values.size))
    sums = np.stack([np.add.reduceat(d**r, edges) for r in (1, 2, 3)])
    left = sums.sum(axis=1, keepdims=True) - sums
    m1, m2, m3 = left / (values.size - counts)
    variance = m2 - m1**2
    if float(variance.min()) <= 0:
        return math.inf, 0.0
    without = (m3 - 3 * m1 * m2 + 2 * m1**3) / variance**1.5
    error = math.sqrt((shards - 1) / shards * float(((without - without.mean()) ** 2).sum()))
    return float((d**3).mean()), error
