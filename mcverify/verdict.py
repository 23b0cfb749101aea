"""From questions and samples to verdicts: SUPPORTED, REFUTED or UNDECIDED, with the reason and what to do next.

All questions of one call form one family: false refutation of any of them has at most the probability
`refute_budget` (Holm); each false support has at most `support_level`. A false SUPPORTED or REFUTED is never
traded for a missing one: what cannot be tested is UNDECIDED with a reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mcverify.errors import InputError
from mcverify.statistics.choose import evidence
from mcverify.statistics.equivalence import Allowance, allowance
from mcverify.statistics.evidence import Evidence, Refusal
from mcverify.statistics.ladder import ladder_evidence
from mcverify.statistics.multiplicity import holm, step_levels
from mcverify.statistics.power import (
    BLOCK,
    LARGEST,
    Levels,
    detectable,
    networks_for,
    refute_reach,
    slack,
    support_reach,
)
from mcverify.statistics.question import Ladder, Question, Sample
from mcverify.statistics.units import unit_variance

AnyQuestion = Question | Ladder
AnySample = Sample | Sequence[Sample]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is decided of one question, and the numbers that decide it.

    Attributes:
        verdict: "SUPPORTED", "REFUTED" or "UNDECIDED".
        reason: Code: why UNDECIDED, or "SMALL" for a refuted departure inside the margin; else empty.
        estimate: Of the mean or variance over networks; of a ladder, the limit's departure.
        delta: Departure from the prediction, on the question's scale.
        low, high: Bounds of delta at the family's level of refutation.
        support_low, support_high: Bounds of delta at the level of support (two one-sided limits).
        test: Name of the test.
        log10_p: Two-sided p of |delta| <= what the theory allows, after Holm; NaN where nothing was tested.
        replicates: Networks used.
        replicates_needed: Networks that would decide, where a number would; else None.
        detectable: Smallest departure that these networks refute with the declared power.
        guards: What the guards saw, by name; the numbers of the reasons are here.
    """

    verdict: str
    reason: str = ""
    estimate: float = math.nan
    delta: float = math.nan
    low: float = -math.inf
    high: float = math.inf
    support_low: float = -math.inf
    support_high: float = math.inf
    test: str = ""
    log10_p: float = math.nan
    replicates: int = 0
    replicates_needed: int | None = None
    detectable: float = math.nan
    guards: Mapping[str, float] = field(default_factory=dict)


def judge(
    questions: Sequence[AnyQuestion],
    samples: Sequence[AnySample],
    *,
    refute_budget: float = 1e-2,
    support_level: float = 1e-3,
    power: float = 0.999,
) -> list[Verdict]:
    """The verdicts of one family of questions, in order.

    Args:
        questions: Questions; a `Ladder` for a claim about infinite width.
        samples: One a question; for a ladder, one a width.
        refute_budget: Probability that any true claim of the family is refuted.
        support_level: Probability that a claim that departs by its margin or more is supported, each.
        power: Probability that the numbers of networks in the verdicts leave no true claim of the family undecided.

    >>> from mcverify.statistics.question import LawName
    >>> question = Question(predicted=1.0, margin=0.1, law=LawName("linear_ratio", {"n": 64}))
    >>> balanced = Sample.of([0.9, 1.1] * 500)
    >>> [verdict.verdict for verdict in judge([question], [balanced])]
    ['SUPPORTED']
    """
    levels = Levels(refute_budget, support_level, power, claims=len(questions))
    pairs = list(zip(questions, samples, strict=True))
    found = [_evidence(question, sample, levels) for question, sample in pairs]
    allowed = [_allowance(question) for question in questions]
    log_p = [_log_p(one, limits) for one, limits in zip(found, allowed, strict=True)]
    adjusted = holm(log_p)
    steps = step_levels(adjusted, refute_budget)
    rows = zip(questions, found, allowed, adjusted, steps, strict=True)
    return [_decide(*row, levels) for row in rows]


def judge_ladder(ladder: Ladder, samples: Sequence[Sample], **rates: float) -> Verdict:
    """The verdict of one ladder alone; rates as in `judge`."""
    return judge([ladder], [samples], **rates)[0]


def _evidence(question: AnyQuestion, sample: AnySample, levels: Levels) -> Evidence:
    if isinstance(question, Ladder) and not isinstance(sample, Sample):
        return ladder_evidence(question, sample, levels)
    if isinstance(question, Question) and isinstance(sample, Sample):
        return evidence(question, sample, levels)
    raise InputError("`samples`: a ladder takes one sample a width, any other question one sample.")


def _allowance(question: AnyQuestion) -> Allowance:
    if isinstance(question, Ladder):
        return allowance(question.questions[0], on_ladder=True)
    return allowance(question)


def _log_p(found: Evidence, allowed: Allowance) -> float:
    """Log p that counts for refutation: 0 where a guard or a missing ladder forbids to refute."""
    if found.no_refutation is not None or math.isinf(allowed.slack):
        return 0.0
    return allowed.log_p(found)


def _decide(
    question: AnyQuestion, found: Evidence, allowed: Allowance, adjusted: float, step: float, levels: Levels
) -> Verdict:
    low, high = found.interval(2 * step if allowed.side else step)
    support_low, support_high = found.interval(2 * levels.support_level)
    verdict, reason, refusal = _outcome(found, allowed, adjusted, levels)
    needed = refusal.networks_needed if refusal else None
    if reason == "UNDERPOWERED":
        needed = _needed(question, found, allowed, levels)
    guards = dict(found.numbers)
    if refusal is not None and not math.isnan(refusal.number):
        guards[reason.lower()] = refusal.number
    return Verdict(
        verdict=verdict,
        reason=reason,
        estimate=found.estimate,
        delta=found.delta,
        low=low,
        high=high,
        support_low=support_low,
        support_high=support_high,
        test=found.test,
        log10_p=math.nan if _untested(found, allowed) else adjusted / math.log(10),
        replicates=found.count,
        replicates_needed=needed,
        detectable=detectable(found.unit_variance, found.count, levels, found.catoni),
        guards=guards,
    )


def _untested(found: Evidence, allowed: Allowance) -> bool:
    return found.no_refutation is not None or math.isinf(allowed.slack)


def _outcome(found: Evidence, allowed: Allowance, adjusted: float, levels: Levels) -> tuple[str, str, Refusal | None]:
    """Verdict, reason, and the refusal behind it."""
    if not _untested(found, allowed) and adjusted <= math.log(levels.refute_budget):
        return "REFUTED", "SMALL" if abs(found.delta) < allowed.margin else "", None
    no_support = found.no_support or allowed.no_support
    if no_support is None and allowed.supports(found, levels.support_level):
        return "SUPPORTED", "", None
    refusal = no_support or found.no_refutation
    return ("UNDECIDED", refusal.reason, refusal) if refusal else ("UNDECIDED", "UNDERPOWERED", None)


def _needed(question: AnyQuestion, found: Evidence, allowed: Allowance, levels: Levels) -> int | None:
    """Networks that decide: as planned, or (where so many were used) for the departure that was seen."""
    predicted = None if isinstance(question, Ladder) else unit_variance(question)
    s2 = [v for v in (predicted, found.unit_variance) if v is not None and math.isfinite(v)]
    if not s2 or not math.isfinite(found.delta):
        return None
    room = allowed.margin if isinstance(question, Ladder) else slack(question)
    refute, support = refute_reach(levels, found.catoni), support_reach(levels, found.catoni)
    planned = networks_for(max(s2), room, max(refute, support))
    if planned > found.count:
        return planned if planned < LARGEST else None
    inside = networks_for(max(s2), allowed.margin - abs(found.delta), support)
    beyond = networks_for(max(s2), abs(found.delta) - allowed.slack, refute)
    return max(min(inside, beyond), found.count + BLOCK)
