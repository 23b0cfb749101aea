"""Student's t behind the guards, with Hall's correction for skewness as a cross-check.

Hall (1992): t' = t + g t^2/(3 sqrt N) + g^2 t^3/(27 N) + g/(6 sqrt N). It is a perfect cube up to a constant, so it
inverts in closed form. The larger p of the two and the hull of the two intervals are used.

Values that are never negative refute a prediction from below only by the bound of `unseen` too: what a large rare
network would add is not in a sample that lacks it, nor in its guards. Else NO_VARIANCE_PREDICTED. Support, and the
intervals, are Student's.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from mcverify.statistics.equivalence import allowance
from mcverify.statistics.evidence import Evidence, Refusal, departure, mean_at, relative_at
from mcverify.statistics.guards import inflation, skewness_bound, skewness_guard, tail_guard
from mcverify.statistics.power import Levels
from mcverify.statistics.question import Question, Sample
from mcverify.statistics.tails import log_t_sf
from mcverify.statistics.unseen import log_below_bound

FARTHEST = 1e100  # a t whose cube is a float


def hall(t: float, skewness: float, count: int) -> float:
    """Hall's t of a t statistic.

    >>> hall(2.0, 0.0, 100)
    2.0
    """
    g = skewness / math.sqrt(count)
    return t + g * t**2 / 3 + g**2 * t**3 / 27 + g / 6


def hall_inverse(corrected: float, skewness: float, count: int) -> float:
    """The t whose Hall's t is `corrected`.

    >>> round(hall_inverse(hall(2.5, 1.3, 400), 1.3, 400), 9)
    2.5
    """
    g = skewness / math.sqrt(count)
    if abs(g) < 1e-9:
        return corrected
    return 3 / g * (float(np.cbrt(1 + g * (corrected - g / 6))) - 1)


def t_test(question: Question, unit: Sample, levels: Levels) -> Evidence:
    """Test of the mean of values about whose scatter nothing is predicted.

    >>> x = np.random.default_rng(3).normal(1.0, 0.1, 1000)
    >>> t_test(Question(predicted=1.0, margin=0.02), Sample.of(x), Levels()).no_refutation is None
    True
    """
    std = math.sqrt(unit.variance)
    error = std / math.sqrt(unit.count)
    df = unit.count - 1
    one_sided = question.scale == "relative" and unit.min >= 0
    skewness = skewness_bound(unit.values, unit)
    g = unit.m3 / unit.count
    for _ in range(3):
        g /= math.sqrt(unit.m2 / unit.count)
    g = g if math.isfinite(g) else 0.0

    def pair(d: float) -> tuple[float, float]:
        t = max(-FARTHEST, min((unit.mean - mean_at(question, d, std)) / error, FARTHEST))
        return t, hall(t, g, unit.count)

    def log_t_below(d: float) -> float:
        return max(log_t_sf(-t, df) for t in pair(d))

    def log_below(d: float) -> float:
        return max(
            log_t_below(d), log_below_bound(unit, relative_at(question, unit.mean, d)) if one_sided else -math.inf
        )

    def unseen(level: float) -> Refusal | None:
        d, limit = -allowance(question).slack, math.log(level / 2)
        return Refusal("NO_VARIANCE_PREDICTED") if log_t_below(d) <= limit < log_below(d) else None

    def interval(alpha: float) -> tuple[float, float]:
        q = float(-special.stdtrit(df, alpha / 2))
        edges = [t for side in (q, -q) for t in (side, hall_inverse(side, g, unit.count))]
        return (
            departure(question, unit.mean - max(edges) * error, std),
            departure(question, unit.mean - min(edges) * error, std),
        )

    def refusal(level: float) -> Refusal | None:
        found = skewness_guard(skewness, unit.count, level, studentised=True)
        return found or (tail_guard(unit.values, unit) if question.scale == "relative" else None)

    relative = std / unit.mean if unit.mean else math.nan
    return Evidence(
        test="t",
        estimate=unit.mean,
        delta=departure(question, unit.mean, std),
        count=unit.count,
        log_above=lambda d: max(log_t_sf(t, df) for t in pair(d)),
        log_below=log_below,
        interval=interval,
        unit_variance={"relative": relative * relative, "log": std * std, "zero": 1.0}[question.scale],
        no_refutation=refusal(levels.refute) or unseen(levels.refute),
        no_support=refusal(2 * levels.support_level),
        numbers=_numbers(unit, skewness, levels, pair(0.0), df),
    )


def _numbers(unit: Sample, skewness: float, levels: Levels, pair: tuple[float, float], df: int) -> dict[str, float]:
    plain, corrected = (log_t_sf(abs(t), df) for t in pair)
    return {
        "inflation": inflation(skewness, unit.count, levels.refute, studentised=True),
        "skewness": skewness,
        "hall_log10_ratio": (plain - corrected) / math.log(10),
    }
