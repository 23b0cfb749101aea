"""What a test hands to a verdict: estimate, departure, tails and intervals as functions, and what forbids their use."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mcverify.statistics.question import Question
from mcverify.statistics.tails import two_sided

FARTHEST = 700.0  # nats whose exponential is a float

Interval = Callable[[float], tuple[float, float]]


@dataclass(frozen=True)
class Refusal:
    """Why a test may not be used, and how many networks would allow it.

    Attributes:
        reason: OUTSIDE_CLT, TAIL_DOMINATED, NONFINITE, DEAD, NO_VARIANCE_PREDICTED, WIDTH_LADDER_NEEDED,
            NO_SCATTER, NO_DATA or LACK_OF_FIT.
        number: What the reason measures: inflation of the level, share of the sum, count, log10 p.
        networks_needed: Networks that would do, where a number would.
    """

    reason: str
    number: float = math.nan
    networks_needed: int | None = None


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A test of one question on one sample.

    Attributes:
        test: Name of the test.
        estimate: Mean or variance over networks.
        delta: Its departure from the prediction.
        count: Networks used.
        log_above: d -> log p of "delta <= d", small when the sample lies above.
        log_below: d -> log p of "delta >= d", small when the sample lies below.
        interval: alpha -> bounds of delta at level 1 - alpha.
        unit_variance: s^2, variance of delta times the number of networks; NaN where unknown.
        catoni: The test needs Catoni's number of networks, not a normal's.
        no_refutation, no_support: What forbids to refute, to support; None where nothing does.
        numbers: What was seen on the way, by name.
    """

    test: str
    estimate: float
    delta: float
    count: int
    log_above: Callable[[float], float]
    log_below: Callable[[float], float]
    interval: Interval
    unit_variance: float = math.nan
    catoni: bool = False
    no_refutation: Refusal | None = None
    no_support: Refusal | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)

    def log_p(self, slack: float) -> float:
        """Log of the two-sided p of |delta| <= slack."""
        return two_sided(self.log_above(slack), self.log_below(-slack))


def nothing(refusal: Refusal, *, estimate: float = math.nan, delta: float = math.nan, count: int = 0) -> Evidence:
    """Evidence that decides nothing, with the reason."""
    return Evidence(
        test="none",
        estimate=estimate,
        delta=delta,
        count=count,
        log_above=lambda d: 0.0,
        log_below=lambda d: 0.0,
        interval=lambda alpha: (-math.inf, math.inf),
        no_refutation=refusal,
        no_support=refusal,
        numbers={refusal.reason.lower(): refusal.number},
    )


def departure(question: Question, estimate: float, unit_std: float = 1.0) -> float:
    """The delta of an estimate on the question's scale; -inf where a ratio is not positive.

    >>> round(departure(Question(predicted=2.0, margin=0.1), 2.2), 6) == round(math.log(1.1), 6)
    True
    """
    if question.scale == "relative":
        ratio = estimate / question.predicted
        return math.log(ratio) if ratio > 0 else -math.inf
    difference = estimate - question.predicted
    if question.scale == "log" or difference == 0 or unit_std == 0:
        return difference
    return difference / unit_std


def relative_at(question: Question, estimate: float, d: float) -> float:
    """The estimate over the mean that departs by d from the prediction, on the relative scale; inf at overflow."""
    return estimate / question.predicted * math.exp(max(-FARTHEST, min(-d, FARTHEST)))


def mean_at(question: Question, d: float, unit_std: float = 1.0) -> float:
    """The mean that departs by d from the prediction: the inverse of `departure`."""
    if question.scale == "relative":
        return question.predicted * math.exp(min(d, FARTHEST))
    return question.predicted + d * (1.0 if question.scale == "log" else unit_std or 1.0)
