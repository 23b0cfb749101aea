"""Catoni's test of a mean when a bound v of the variance is known; valid at every N for any law.

phi(y) = sign(y) log(1 + |y| + y^2/2), l = log(2/a), s = sqrt(2 l/(N v)); the mean m is rejected at level a iff
|sum phi(s (x - m))| > N s^2 v/2 + l = 2 l (Catoni 2012). For values that are never negative the standard deviation
is taken to scale with m, so that s (x - m) = s (x/m - 1) with the relative variance for v.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from mcverify.statistics.evidence import Evidence, departure, mean_at
from mcverify.statistics.question import Question, Sample
from mcverify.statistics.saddlepoint import Array
from mcverify.statistics.units import relative_variance, unit_std

FARTHEST = 200.0  # nats, or ranges of the sample, beyond which a limit counts as infinite
LARGEST = 700.0  # nats whose exponential is a float


def influence(y: Array) -> float:
    """Sum of phi over (N,) values.

    >>> influence(np.array([-1.0, 1.0, 0.0]))
    0.0
    """
    size = np.minimum(np.abs(y), 1e150)
    return float(np.copysign(np.log1p(size + size * size / 2), y).sum())


def catoni(question: Question, unit: Sample, variance: float, level: float) -> Evidence:
    """Test of the mean of raw values of variance at most `variance` if the prediction is right.

    Args:
        level: Two-sided level for which log p is sharpest; log p holds at any level.

    >>> x = np.random.default_rng(1).exponential(size=2000)
    >>> found = catoni(Question(predicted=1.0, margin=0.1), Sample.of(x), 1.0, 1e-6)
    >>> found.log_p(0.0) > math.log(1e-6), found.interval(1e-6)[0] < 0 < found.interval(1e-6)[1]
    (True, True)
    """
    if unit.values is None:
        raise ValueError("Catoni's test needs the raw values")
    scales = question.scale == "relative" and question.predicted > 0 and unit.min >= 0
    family = _scale_family if scales else _shift_family
    axis = family(question, unit, variance)
    l_test = math.log(2 / level)
    return Evidence(
        test="Catoni",
        estimate=unit.mean,
        delta=departure(question, unit.mean, unit_std(question, variance)),
        count=unit.count,
        log_above=lambda d: min(0.0, l_test - axis.total(axis.of_departure(d), l_test)),
        log_below=lambda d: min(0.0, l_test + axis.total(axis.of_departure(d), l_test)),
        interval=lambda alpha: (_limit(axis, math.log(2 / alpha), 1), _limit(axis, math.log(2 / alpha), -1)),
        unit_variance=1.0 if question.scale == "zero" else axis.variance,
        catoni=True,
    )


@dataclass(frozen=True)
class Axis:
    """Candidates t for the mean, on which the sum of phi falls; the sample mean is at t = 0.

    Attributes:
        variance: Of one network's departure.
        spread: Of one network's t.
        count: Networks.
        farthest: |t| beyond which a limit counts as infinite.
        total: (t, l) -> sum of phi(s (x - m)).
        of_departure, to_departure: Between t and delta.
    """

    variance: float
    spread: float
    count: int
    farthest: float
    total: Callable[[float, float], float]
    of_departure: Callable[[float], float]
    to_departure: Callable[[float], float]


def _scale_family(question: Question, unit: Sample, variance: float) -> Axis:
    """Means m = center exp(t) whose standard deviation scales along."""
    center = unit.mean if unit.mean > 0 else question.predicted
    y = (np.zeros(0) if unit.values is None else unit.values) / center
    relative = unit_std(question, variance) / question.predicted
    v, shift = relative * relative, math.log(question.predicted) - math.log(center)
    reach = FARTHEST + abs(shift)

    def scaled(t: float) -> Array:
        with np.errstate(over="ignore", under="ignore"):
            return np.minimum(y * math.exp(min(t, LARGEST)), 1e300)

    return Axis(
        variance=v,
        spread=v,
        count=unit.count,
        farthest=reach,
        total=lambda t, l: influence(_scale(l, unit.count, v) * (scaled(-max(-reach, min(reach, t))) - 1)),
        of_departure=lambda d: d + shift,
        to_departure=lambda t: t - shift,
    )


def _shift_family(question: Question, unit: Sample, variance: float) -> Axis:
    """Means m = center + t std of the same variance."""
    std = unit_std(question, variance)
    with np.errstate(over="ignore", under="ignore"):
        y = np.clip(((np.zeros(0) if unit.values is None else unit.values) - unit.mean) / std, -1e300, 1e300)
    return Axis(
        variance=relative_variance(question, variance) if question.scale == "relative" else variance,
        spread=1.0,
        count=unit.count,
        farthest=FARTHEST * max(1.0, (unit.max - unit.min) / std),
        total=lambda t, l: influence(_scale(l, unit.count, 1.0) * (y - t)),
        of_departure=lambda d: (mean_at(question, d, std) - unit.mean) / std,
        to_departure=lambda t: departure(question, unit.mean + t * std, std),
    )


def _scale(l: float, count: int, variance: float) -> float:
    """Catoni's s."""
    return math.sqrt(2 * l / (count * variance))


def _limit(axis: Axis, l: float, side: int) -> float:
    """The delta at which the sum is 2 l above (side 1: the lower limit) or below (side -1: the upper) zero."""

    def f(t: float) -> float:
        return axis.total(t, l) - 2 * side * l

    here = 0.0
    value = f(here)
    direction = 1 if value > 0 else -1
    step = min(axis.farthest / 64, 1.1 * math.sqrt(2 * l * axis.spread / axis.count))
    while abs(here) < axis.farthest:
        there = here + direction * step
        reached = f(there)
        if value * reached <= 0:
            return axis.to_departure(float(optimize.brentq(f, here, there, xtol=1e-4 * step, rtol=1e-12)))
        here, value, step = there, reached, 2 * step
    return direction * math.inf
