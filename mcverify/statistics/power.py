"""How many networks a question needs, and the smallest departure that a number of networks detects.

With s2 the variance of one network's departure, D the margin, a_R the level of one refutation, a_C that of support and
b the miss rate: N = max{(z_(1-a_R/2) + z_(1-b))^2, (z_(1-a_C) + z_(1-b/2))^2} s2/D^2. Catoni's test has
sqrt(2 log(2/a)) for z_(1-a/2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mcverify.statistics.question import KAPPA, Question
from mcverify.statistics.tails import normal_quantile
from mcverify.statistics.units import predicted_variance, unit_variance

BLOCK = 256
LARGEST = 10**15


@dataclass(frozen=True)
class Levels:
    """Error rates of a family of `claims` questions.

    Attributes:
        refute_budget: Probability of any false refutation in the family.
        support_level: Probability of a false support, per claim.
        power: Probability that no true claim of the family is left undecided, at the planned number of networks.

    >>> Levels(refute_budget=1e-2, claims=100).refute
    0.0001
    """

    refute_budget: float = 1e-2
    support_level: float = 1e-3
    power: float = 0.999
    claims: int = 1

    @property
    def refute(self) -> float:
        """Two-sided level of one refutation."""
        return self.refute_budget / max(1, self.claims)

    @property
    def miss(self) -> float:
        """Rate at which one claim may be left undecided."""
        return (1 - self.power) / max(1, self.claims)


def needs_catoni(question: Question) -> bool:
    """Whether the test will be Catoni's: a raw value, or square, with predicted variance but no law of its mean."""
    name = question.law.name if question.law else ""
    lawless = name != "normal_mean" if question.statistic == "variance" else not name
    return question.scale == "relative" and lawless and predicted_variance(question) is not None


def refute_reach(levels: Levels, catoni: bool = False) -> float:
    """Departure, in standard errors, that is refuted with the declared power.

    >>> round(refute_reach(Levels(refute_budget=1e-6)), 3)
    7.982
    """
    a = levels.refute
    return (math.sqrt(2 * math.log(2 / a)) if catoni else normal_quantile(a / 2)) + normal_quantile(levels.miss)


def support_reach(levels: Levels, catoni: bool = False) -> float:
    """Margin, in standard errors, inside which a true claim is supported with the declared power."""
    a = levels.support_level
    return (math.sqrt(2 * math.log(1 / a)) if catoni else normal_quantile(a)) + normal_quantile(levels.miss / 2)


def slack(question: Question) -> float:
    """What the margin leaves for chance: D, or D_n - |c|/n^k where the next order is known."""
    size = abs(question.next_order[0]) if question.next_order and question.exactness == "LEADING_ORDER" else 0.0
    return question.departure_margin + KAPPA * size


def networks_for(s2: float, gap: float, reach: float, block: int = BLOCK) -> int:
    """Networks, in whole blocks, whose standard error is gap/reach.

    >>> networks_for(5 / 128, 0.01, 8.0)
    25088
    """
    if gap <= 0:
        return LARGEST
    return block * max(1, math.ceil(min(reach**2 * s2 / gap**2 / block, LARGEST / block)))


def networks_needed(
    question: Question, levels: Levels, *, measured: float | None = None, catoni: bool | None = None, block: int = BLOCK
) -> int | None:
    """Networks, in whole blocks, at which the question is decided with the declared power; None if none would do.

    Args:
        measured: Variance of one network's departure as seen in a sample; the larger of it and the predicted counts.
        catoni: Which test; by default the one that the question will get.

    >>> from mcverify.statistics.question import LawName
    >>> question = Question(predicted=1.0, margin=0.0100502, law=LawName("relu_ratio", {"n": 128}))
    >>> networks_needed(question, Levels(refute_budget=1e-6))
    25088
    """
    predicted = unit_variance(question)
    known = [s2 for s2 in (predicted, measured) if s2 is not None and math.isfinite(s2)]
    if not known:
        return None
    catoni = needs_catoni(question) if catoni is None else catoni
    reach = max(refute_reach(levels, catoni), support_reach(levels, catoni))
    needed = networks_for(max(known), slack(question), reach, block)
    return needed if needed < LARGEST else None


def smallest_detectable(question: Question, count: int, levels: Levels) -> float:
    """Smallest departure that `count` networks refute with the declared power; NaN where nothing predicts it.

    >>> from mcverify.statistics.question import LawName
    >>> question = Question(predicted=1.0, margin=0.01, law=LawName("relu_ratio", {"n": 128}))
    >>> round(smallest_detectable(question, 5000, Levels(refute_budget=1e-6)), 4)
    0.0223
    """
    s2 = unit_variance(question)
    return math.nan if s2 is None else detectable(s2, count, levels, needs_catoni(question))


def detectable(s2: float, count: int, levels: Levels, catoni: bool) -> float:
    """Smallest departure that `count` networks of variance s2 refute with the declared power.

    >>> round(detectable(5 / 128, 1000, Levels(refute_budget=1e-6), catoni=False), 3)
    0.05
    """
    return refute_reach(levels, catoni) * math.sqrt(s2 / count) if count else math.nan
