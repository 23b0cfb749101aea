"""z test of a mean with predicted variance, behind the guards of skewness and kurtosis."""

from __future__ import annotations

import math

from mcverify.statistics.evidence import Evidence, Refusal, departure, mean_at, relative_at
from mcverify.statistics.guards import inflation, kurtosis_guard, skewness_bound, skewness_guard, tail_guard
from mcverify.statistics.power import Levels
from mcverify.statistics.question import Question, Sample
from mcverify.statistics.tails import log_normal_sf, normal_quantile
from mcverify.statistics.units import relative_variance, unit_std


def z_test(question: Question, unit: Sample, variance: float, levels: Levels) -> Evidence:
    """Test of the mean of values whose variance is predicted; raw ones, or logs.

    For values that are never negative the standard deviation scales with the mean.

    >>> unit = Sample.of([0.3, -0.1, 0.2, 0.0, 0.1, -0.2])
    >>> round(z_test(Question(predicted=0.0, margin=0.1, scale="log"), unit, 0.04, Levels()).delta, 3)
    0.05
    """
    std = unit_std(question, variance)
    scaled = question.scale == "relative" and question.predicted > 0 and unit.min >= 0
    error = std / math.sqrt(unit.count) / (question.predicted if scaled else 1.0)
    skewness = skewness_bound(unit.values, unit)
    excess = unit.count * (unit.m4 / unit.m2 / unit.m2) - 3 if unit.values is not None and unit.m2 > 0 else 0.0
    excess = math.inf if math.isnan(excess) else excess

    def z(d: float) -> float:
        if scaled:
            return (relative_at(question, unit.mean, d) - 1) / error
        return (unit.mean - mean_at(question, d, std)) / error

    def interval(alpha: float) -> tuple[float, float]:
        reach = normal_quantile(alpha / 2) * error
        if scaled:
            low, high = unit.mean / (1 + reach), unit.mean / (1 - reach) if reach < 1 else math.inf
        else:
            low, high = unit.mean - reach, unit.mean + reach
        return departure(question, low, std), departure(question, high, std)

    def refusal(level: float) -> Refusal | None:
        found = skewness_guard(skewness, unit.count, level, studentised=False)
        found = found or kurtosis_guard(excess, unit.count, level)
        return found or (tail_guard(unit.values, unit) if scaled else None)

    v = relative_variance(question, variance) if question.scale == "relative" else variance
    return Evidence(
        test="z",
        estimate=unit.mean,
        delta=departure(question, unit.mean, std),
        count=unit.count,
        log_above=lambda d: log_normal_sf(z(d)),
        log_below=lambda d: log_normal_sf(-z(d)),
        interval=interval,
        unit_variance=1.0 if question.scale == "zero" else v,
        no_refutation=refusal(levels.refute),
        no_support=refusal(2 * levels.support_level),
        numbers={"inflation": inflation(skewness, unit.count, levels.refute, studentised=False), "skewness": skewness},
    )
