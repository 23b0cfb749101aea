"""How low a mean may lie by chance where rare large networks may not have been drawn.

A few networks that hold much of a mean are missing from most samples, and no guard can see in a sample what is not in
it. So where nothing predicts the variance of values that are never negative, an estimate below the prediction m
refutes it only by a bound that holds for every such law with E X^2 <= (1 + v) m^2: as e^-x <= 1 - x + x^2/2 for
x >= 0, log P(mean of N <= m (1 - y)) <= -N y^2/(2 (1 + v)) (Maurer 2003).
"""

from __future__ import annotations

import math

from mcverify.statistics.question import Sample

LEAST_VARIANCE = 1.0
"""Relative variance v that an unseen tail may always have: a standard deviation as large as the mean."""

INFLATION = 4.0
"""The variance of the sample may be too small by this factor: a standard deviation of twice the sample's."""


def log_below_bound(unit: Sample, ratio: float) -> float:
    """Bound on log P(a mean as low as the sample's) where it is `ratio` times the true one.

    v is 1, or 4 times the sample's relative variance where that is more.

    >>> log_below_bound(Sample.of([0.5, 0.4, 0.6] * 1000), 0.5)
    -187.5
    """
    if ratio >= 1:
        return 0.0
    relative = math.sqrt(unit.variance) / unit.mean if unit.mean > 0 else 0.0
    v = max(LEAST_VARIANCE, INFLATION * (relative * relative))
    return -unit.count * (1 - max(ratio, 0.0)) ** 2 / (2 * (1 + v))
