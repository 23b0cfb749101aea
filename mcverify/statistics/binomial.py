"""Exact binomial test of a share of networks, such as those that are alive.

Rounding may move the odds of the rarer outcome by the slack, relatively: a share within 1e-16 of 1 stays testable.
"""

from __future__ import annotations

import math

from scipy import special

from mcverify.statistics.evidence import Evidence, departure
from mcverify.statistics.question import Question, Sample
from mcverify.statistics.tails import log_binomial_cdf, log_binomial_sf

LEAST = 2.0**-54  # of a probability that a float rounds to 0 or to 1


def binomial(question: Question, sample: Sample, p: float, q: float | None = None) -> Evidence:
    """Test that `sample`, of zeros and ones, has P(1) = p.

    Args:
        q: 1 - p, where p rounds it away.

    >>> found = binomial(Question(predicted=0.5, margin=0.1), Sample.of([1.0, 1.0, 1.0, 0.0]), 0.5)
    >>> round(found.log_p(0.0), 6) == round(math.log(2 * 5 / 16), 6)
    True
    """
    n = sample.count
    ones = round(sample.mean * n)
    odds = max(p, LEAST) / (max(1 - p, LEAST) if q is None else max(q, 1e-300))
    log_odds = math.log(odds)

    def log_above(d: float) -> float:
        low, high = _probabilities(log_odds + max(d, 0.0))
        return log_binomial_sf(ones, n, high) if high <= 0.5 else log_binomial_cdf(n - ones, n, low)

    def log_below(d: float) -> float:
        low, high = _probabilities(log_odds + min(d, 0.0))
        return log_binomial_cdf(ones, n, high) if high <= 0.5 else log_binomial_sf(n - ones, n, low)

    def interval(alpha: float) -> tuple[float, float]:
        low = float(special.betaincinv(ones, n - ones + 1, alpha / 2)) if ones else 0.0
        high = float(special.betaincinv(ones + 1, n - ones, 1 - alpha / 2)) if ones < n else 1.0
        return departure(question, low), departure(question, high)

    return Evidence(
        test="exact binomial",
        estimate=sample.mean,
        delta=departure(question, sample.mean),
        count=n,
        log_above=log_above,
        log_below=log_below,
        interval=interval,
        unit_variance=(1 - p) / p if p > 0 else math.inf,
        numbers={"zeros": n - ones},
    )


def _probabilities(log_odds: float) -> tuple[float, float]:
    """P(0) and P(1) of given log odds, each with full relative precision."""
    return float(special.expit(-log_odds)), float(special.expit(log_odds))
