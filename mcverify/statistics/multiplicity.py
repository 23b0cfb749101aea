"""Holm's step-down method in logs, for p-values that a float cannot hold."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def holm(log_p: Sequence[float]) -> list[float]:
    """Logs of Holm's adjusted p-values, in order.

    >>> [round(x, 3) for x in holm([-1000.0, -0.1, -5.0])]
    [-998.901, -0.1, -4.307]
    """
    m, adjusted, running = len(log_p), [0.0] * len(log_p), -math.inf
    for rank, i in enumerate(np.argsort(np.asarray(log_p, dtype=np.float64), kind="stable")):
        running = max(running, min(0.0, math.log(m - rank) + log_p[i]))
        adjusted[int(i)] = running
    return adjusted


def step_levels(adjusted: Sequence[float], budget: float) -> list[float]:
    """Level at which Holm tests each claim: budget/(m - rank) of a rejected one, that of the first kept for the rest.

    >>> step_levels([math.log(1e-9), 0.0], 1e-2)
    [0.005, 0.01]
    """
    m = len(adjusted)
    order = [int(i) for i in np.argsort(np.asarray(adjusted, dtype=np.float64), kind="stable")]
    rejected = sum(value <= math.log(budget) for value in adjusted)
    levels = [0.0] * m
    for rank, i in enumerate(order):
        levels[i] = budget / (m - min(rank, rejected))
    return levels
