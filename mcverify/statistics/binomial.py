"""Exact binomial test of a share of networks, such as those that are alive.

Rounding may move the odds of the rarer outcome by the slack, relatively: a share within 1e-16 of 1 stays testable.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from mcverify.statistics.evidence import Evidence, departure, relative_at
from mcverify.statistics.question import Question, Sample
from mcverify.statistics.tails import log_binomial_cdf, log_binomial_sf
from mcverify.statistics.unseen import log_below_bound

LEAST = 2.0**-54  # of a probability that a float rounds to 0 or to 1


def is_binary(sample: Sample) -> bool:
    """Whether all values are known and are zeros and ones."""
    return sample.values is not None and bool(np.isin(sample.values, (0.0, 1.0)).all())


def binomial(question: Question, sample: Sample, q: float | None = None, *, bounded: bool = True) -> Evidence:
    """Test that `sample`, of zeros and ones, has P(1) = p, the predicted one; one value refutes a p outside [0, 1].

    Args:
        q: 1 - p, where p rounds it away.
        bounded: No value but 0 and 1 is possible. Else the values are only known to be non-negative: then
            P(X >= 1) <= p still (Markov), and a low share refutes by `log_below_bound` alone.

    >>> found = binomial(Question(predicted=0.5, margin=0.1), Sample.of([1.0, 1.0, 1.0, 0.0]))
    >>> round(found.log_p(0.0), 6) == round(math.log(2 * 5 / 16), 6)
    True
    """
    n = sample.count
    ones = round(sample.mean * n)
    stated = question.predicted
    p = min(max(stated, 0.0), 1.0)
    possible = -question.rounding <= stated <= 1 + question.rounding
    odds = max(p, LEAST) / (max(1 - p, LEAST) if q is None else max(q, 1e-300))
    log_odds = math.log(odds)

    def log_above(d: float) -> float:
        low, high = _probabilities(log_odds + max(d, 0.0))
        return log_binomial_sf(ones, n, high) if high <= 0.5 else log_binomial_cdf(n - ones, n, low)

    def log_below(d: float) -> float:
        if not possible:
            return -math.inf
        low, high = _probabilities(log_odds + min(d, 0.0))
        found = log_binomial_cdf(ones, n, high) if high <= 0.5 else log_binomial_sf(n - ones, n, low)
        return found if bounded else max(found, log_below_bound(sample, relative_at(question, sample.mean, d)))

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
        unit_variance=p * (1 - p) if question.scale != "relative" else (1 - p) / p if p > 0 else math.inf,
        numbers={"zeros": n - ones},
    )


def _probabilities(log_odds: float) -> tuple[float, float]:
    """P(0) and P(1) of given log odds, each with full relative precision."""
    return float(special.expit(-log_odds)), float(special.expit(log_odds))
