"""What departure a theory may have (slack), and what departure still supports it (margin), by exactness class."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mcverify.statistics.evidence import Evidence, Refusal
from mcverify.statistics.question import KAPPA, Question


@dataclass(frozen=True)
class Allowance:
    """Refuted when certainly beyond the slack, supported when certainly within the margin; one side for bounds.

    Attributes:
        side: 0 both sides, +1 an upper bound (only larger values refute), -1 a lower bound.
        no_support: What forbids support whatever the sample says.
    """

    slack: float
    margin: float
    side: int = 0
    no_support: Refusal | None = None

    def log_p(self, evidence: Evidence) -> float:
        """Log p of a departure within the slack."""
        if self.side:
            return evidence.log_above(self.slack) if self.side > 0 else evidence.log_below(-self.slack)
        return evidence.log_p(self.slack)

    def supports(self, evidence: Evidence, level: float) -> bool:
        """Whether one-sided limits at `level` lie inside the margin."""
        low, high = evidence.interval(2 * level)
        return (self.side < 0 or high < self.margin) and (self.side > 0 or low > -self.margin)


def allowance(question: Question, *, on_ladder: bool = False) -> Allowance:
    """Slack and margin of a question.

    >>> allowance(Question(predicted=1.0, margin=0.02, exactness="LEADING_ORDER", next_order=(0.01, 1))).slack > 0.03
    True
    """
    D, U = question.departure_margin, question.rounding
    if on_ladder:
        return Allowance(D, D)
    if question.exactness == "EXACT":
        return Allowance(U, D)
    if question.exactness == "BOUND":
        away = question.scale == "relative" and question.predicted < 0  # delta grows as the estimate falls
        return Allowance(U, D, side=1 if (question.bound == "upper") != away else -1)
    if question.next_order is None or question.exactness == "INFINITE_WIDTH":
        return Allowance(math.inf, D, no_support=Refusal("WIDTH_LADDER_NEEDED"))
    size, order = abs(question.next_order[0]), question.next_order[1]
    finite = (1 + KAPPA) * size
    wide = Refusal("WIDTH_TOO_SMALL", (question.width or 1.0) * (finite / D) ** (1 / order)) if finite > D else None
    return Allowance(finite + D, finite + D, no_support=wide)
