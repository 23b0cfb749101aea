"""A quantity that is predicted to have no scatter: it is the predicted one up to rounding, or it is not."""

from __future__ import annotations

import math

from mcverify.statistics.evidence import Evidence, departure
from mcverify.statistics.question import Question, Sample


def is_constant(question: Question, unit: Sample) -> bool:
    """Whether all units are the same number up to rounding.

    >>> is_constant(Question(predicted=2.0, margin=0.1), Sample.of([2.0, 2.0, 2.0]))
    True
    """
    if unit.max == unit.min:
        return True
    scale = max(abs(unit.max), abs(unit.min), abs(question.predicted))
    return unit.max - unit.min <= question.rounding * scale


def constant(question: Question, unit: Sample) -> Evidence:
    """Evidence of a number that must be the same in every network: certain on either side of rounding.

    Only for a predicted variance of 0; a sample without scatter does not show that there is none.
    """
    delta = departure(question, unit.mean)
    return Evidence(
        test="constant",
        estimate=unit.mean,
        delta=delta,
        count=unit.count,
        log_above=lambda d: -math.inf if delta > d else 0.0,
        log_below=lambda d: -math.inf if delta < d else 0.0,
        interval=lambda alpha: (delta, delta),
        unit_variance=0.0,
    )
