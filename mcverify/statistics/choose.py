"""Which test a question gets: the first of a ladder that its prediction and its sample allow.

1. a law is predicted: exact; 2. mean and variance are predicted: Catoni on raw values, z on logs and on zero-mean
values (Catoni where its guard refuses); 3. the mean alone: Student's t behind its guard; 4. else nothing.
"""

from __future__ import annotations

import math
from dataclasses import replace

from mcverify.statistics.binomial import binomial
from mcverify.statistics.catoni import catoni
from mcverify.statistics.constant import constant, is_constant
from mcverify.statistics.evidence import Evidence, Refusal, departure, nothing
from mcverify.statistics.exact import exact, normal_variance
from mcverify.statistics.laws import of
from mcverify.statistics.normal import z_test
from mcverify.statistics.power import Levels
from mcverify.statistics.question import Question, Sample
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
    if question.scale == "relative" and question.predicted < 0 and question.statistic == "mean":
        found = evidence(*mirrored(question, sample), levels)
        return replace(found, estimate=-found.estimate)
    unit = units(question, sample)
    return _by_law(question, sample, unit) or _by_variance(question, unit, levels) or _by_mean(question, unit, levels)


def obstacle(question: Question, sample: Sample) -> Refusal | None:
    """What forbids any test of this sample: values that are not finite, dead networks, no values, no variance."""
    lost = sum(sample.nonfinite.values())
    if lost:
        return Refusal("NONFINITE", lost)
    if sample.dead and not question.undeclared_dead_ok:
        return Refusal("DEAD", sample.dead)
    if not question.variance_exists:
        return Refusal("NO_VARIANCE_PREDICTED")
    return Refusal("NO_DATA", sample.count) if sample.count == 0 else None


def _by_law(question: Question, sample: Sample, unit: Sample) -> Evidence | None:
    if question.law is None:
        return None
    if question.law.name == "bernoulli":
        p, dead = float(question.law.parameters["p"]), question.law.parameters.get("dead")
        return binomial(question, sample, p, dead) if question.statistic == "mean" else None
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
    if variance is None or not variance > (question.rounding * abs(question.predicted)) ** 2:
        return None
    if question.scale == "relative" and unit.values is not None:
        return catoni(question, unit, variance, levels.refute)
    found = z_test(question, unit, variance, levels)
    if found.no_refutation is not None and unit.values is not None:
        return catoni(question, unit, variance, levels.refute)
    return found


def _by_mean(question: Question, unit: Sample, levels: Levels) -> Evidence:
    if is_constant(question, unit) and (unit.count >= FEWEST or question.variance is not None):
        # All networks dead also looks constant, but a rare live one may hold the whole mean.
        if unit.max == unit.min == 0 and question.predicted != 0 and question.variance is None:
            return nothing(Refusal("NO_SCATTER", 0.0), estimate=0.0, delta=departure(question, 0.0), count=unit.count)
        return constant(question, unit)
    if unit.count < FEWEST or not math.isfinite(unit.m2) or unit.m2 <= 0:
        return nothing(Refusal("NO_DATA", unit.count, 256), estimate=unit.mean, count=unit.count)
    return t_test(question, unit, levels)
