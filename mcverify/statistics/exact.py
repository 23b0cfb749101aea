"""Exact test of a mean whose law is known: its family is shifted or scaled until the sample is in its tail."""

from __future__ import annotations

import math

from mcverify.statistics.evidence import Evidence, departure, mean_at, relative_at
from mcverify.statistics.question import Question, Sample
from mcverify.statistics.ratio_laws import linear_ratio
from mcverify.statistics.saddlepoint import MeanLaw
from mcverify.statistics.units import relative_variance


def exact(question: Question, unit: Sample, law: MeanLaw) -> Evidence:
    """Test of the mean of `unit.count` independent values of the law; needs no raw values.

    >>> from mcverify.statistics.ratio_laws import relu_ratio
    >>> unit = Sample.of([0.9, 1.2, 1.1, 0.8])
    >>> round(exact(Question(predicted=1.0, margin=0.02), unit, relu_ratio(32)).log_p(0.0), 2)
    -0.05
    """
    std = math.sqrt(law.variance)

    def relative(d: float) -> float:
        return unit.mean - mean_at(question, d, std) if law.location else relative_at(question, unit.mean, d)

    def interval(alpha: float) -> tuple[float, float]:
        low, high = law.quantiles(alpha, unit.count)
        if law.location:
            return departure(question, unit.mean - high, std), departure(question, unit.mean - low, std)
        return departure(question, unit.mean / high), departure(question, unit.mean / low) if low > 0 else math.inf

    return Evidence(
        test=f"exact {law.name}",
        estimate=unit.mean,
        delta=departure(question, unit.mean, std),
        count=unit.count,
        log_above=lambda d: law.log_sf(relative(d), unit.count),
        log_below=lambda d: law.log_cdf(relative(d), unit.count),
        interval=interval,
        unit_variance=_unit_variance(question, law),
    )


def normal_variance(question: Question, unit: Sample) -> Evidence:
    """Test of the variance of normal values about a known mean: sum of squares over variance is chi2_N."""
    return exact(question, unit, linear_ratio(1))


def _unit_variance(question: Question, law: MeanLaw) -> float:
    if not law.location or question.scale == "log":
        return law.variance
    return relative_variance(question, law.variance) if question.scale == "relative" else 1.0
