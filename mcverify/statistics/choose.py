"""Which test a question gets: the first of a ladder that its prediction and its sample allow.

1. a law is predicted: exact; 2. mean and variance are predicted: Catoni on raw values, z on logs and on zero-mean
values (Catoni where its guard refuses), certainty where the variance is 0; 3. the mean alone: the binomial of zeros
and ones, else Student's t behind its guard; 4. else nothing.
"""

from __future__ import annotations

import math
from dataclasses import replace

from mcverify.statistics.binomial import binomial, is_binary
from mcverify.statistics.catoni import catoni
from mcverify.statistics.constant import constant, is_constant
from mcverify.statistics.evidence import Evidence, Refusal, departure, nothing
from mcverify.statistics.exact import exact, normal_variance
from mcverify.statistics.laws import of
from mcverify.statistics.normal import z_test
from mcverify.statistics.power import Levels
from mcverify.statistics.question import NamedLaw, Question, Sample
from mcverify.statistics.studentised import t_test
from mcverify.statistics.units import mirrored, predicted_variance, units

FEWEST = 8  # values for a test that estimates the scatter


def evidence(question: Question, sample: Sample, levels: Levels) -> Evidence:
    """The test of a question on its sample.

    >>> evidence(Question(predicted=1.0, margin=0.1, variance=0.1), Sample.of([0.9, 1.1] * 50), Levels()).test
    'Catoni'
    """
    refusal = obstacle(question, sample)
    if refusal is not None:
        return nothing(refusal, count=sample.count)
    if question.law is not None and question.law.name == "bernoulli" and question.statistic == "mean":
        return _by_share(question, sample, question.law)
    if question.scale == "relative" and question.predicted < 0 and question.statistic == "mean":
        found = evidence(*mirrored(question, sample), levels)
        return replace(found, estimate=-found.estimate)
    unit = units(question, sample)
    lost = obstacle(question, unit)
    if lost is not None:
        return nothing(lost, count=unit.count)
    return _by_law(question, unit) or _by_variance(question, unit, levels) or _by_mean(question, unit, levels)


def obstacle(question: Question, sample: Sample) -> Refusal | None:
    """What forbids any test of this sample: values that are not finite, dead networks, no values, no variance."""
    lost = sum(sample.nonfinite.values())
    if lost or math.isinf(sample.mean):
        return Refusal("NONFINITE", lost or sample.count)
    if sample.dead and not question.undeclared_dead_ok:
        return Refusal("DEAD", sample.dead)
    if not question.variance_exists:
        return Refusal("NO_VARIANCE_PREDICTED")
    return Refusal("NO_DATA", sample.count) if sample.count == 0 else None


def _by_share(question: Question, sample: Sample, law: NamedLaw) -> Evidence:
    # 1 - p of the law is the more precise one, but only of a prediction that is the law's.
    same = question.predicted == float(law.parameters["p"])
    return binomial(question, sample, law.parameters.get("dead") if same else None)


def _by_law(question: Question, unit: Sample) -> Evidence | None:
    if question.law is None or question.law.name == "bernoulli":
        return None
    law = of(question.law)
    if law is None:
        return None
    if question.statistic == "variance":
        centred = question.center is not None
        return normal_variance(question, unit) if law.name == "normal_mean" and centred else None
    fits = law.location or question.scale == "relative"
    return exact(question, unit, law) if fits and law.variance > 0 else None


def _by_variance(question: Question, unit: Sample, levels: Levels) -> Evidence | None:
    variance = predicted_variance(question)
    if variance is None:
        return None
    if variance <= 0:
        return constant(question, unit) if is_constant(question, unit) else None
    if question.scale == "relative" and unit.values is not None:
        return catoni(question, unit, variance, levels.refute)
    found = z_test(question, unit, variance, levels)
    if found.no_refutation is not None and unit.values is not None:
        return catoni(question, unit, variance, levels.refute)
    return found


def _by_mean(question: Question, unit: Sample, levels: Levels) -> Evidence:
    if unit.max == unit.min:
        # No scatter in a sample is no proof of none: a rare other network may hold the whole mean.
        delta = departure(question, unit.mean)
        return nothing(Refusal("NO_SCATTER", 0.0), estimate=unit.mean, delta=delta, count=unit.count)
    if question.scale == "relative" and 0 < question.predicted < 1 and question.statistic == "mean" and is_binary(unit):
        return binomial(question, unit, bounded=False)
    if unit.count < FEWEST or not math.isfinite(unit.m2) or unit.m2 <= 0:
        return nothing(Refusal("NO_DATA", unit.count, 256), estimate=unit.mean, count=unit.count)
    return t_test(question, unit, levels)
