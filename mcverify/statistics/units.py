"""The numbers whose mean is tested: one network's value, or its squared distance from the centre for a variance."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from mcverify.statistics.laws import of
from mcverify.statistics.question import Question, Sample


def units(question: Question, sample: Sample) -> Sample:
    """The sample of units; without raw values their third and fourth moments are unknown and NaN.

    >>> question = Question(predicted=1.0, margin=0.1, statistic="variance", center=0.0)
    >>> units(question, Sample.of([1.0, -2.0])).mean
    2.5
    """
    if question.statistic == "mean":
        return sample
    center = sample.mean if question.center is None else question.center
    bias = 1.0 if question.center is not None or sample.count < 2 else sample.count / (sample.count - 1)
    if sample.values is not None:
        with np.errstate(all="ignore"):
            squares = Sample.of(bias * (sample.values - center) ** 2)
        lost = {**sample.nonfinite, **squares.nonfinite}
        return replace(squares, dead=sample.dead, undefined=sample.undefined, nonfinite=lost)
    shift = sample.mean - center
    mean = bias * (sample.m2 / sample.count + shift * shift)
    square = shift * shift
    fourth = sample.m4 + 4 * shift * sample.m3 + 6 * square * sample.m2 + sample.count * square * square
    reach = max(abs(sample.max - center), abs(sample.min - center))
    return replace(
        sample,
        mean=mean,
        m2=max(0.0, bias**2 * fourth - sample.count * mean * mean),
        m3=np.nan,
        m4=np.nan,
        min=0.0,
        max=bias * reach * reach,
    )


def mirrored(question: Question, sample: Sample) -> tuple[Question, Sample]:
    """Question and sample with their signs changed, for a negative prediction on the relative scale."""
    values = None if sample.values is None else -sample.values
    flipped = replace(sample, mean=-sample.mean, m3=-sample.m3, min=-sample.max, max=-sample.min, values=values)
    return replace(question, predicted=-question.predicted), flipped


def predicted_variance(question: Question) -> float | None:
    """Variance of one network's unit, as stated or from the law; None where nothing says it.

    >>> from mcverify.statistics.question import LawName
    >>> law = LawName("linear_ratio", {"n": 8})
    >>> predicted_variance(Question(predicted=2.0, margin=0.1, law=law))
    1.0
    """
    if question.variance is not None:
        return question.variance
    if question.law is not None and question.law.name == "bernoulli":
        p = float(question.law.parameters["p"])
        return p * (1 - p) if question.statistic == "mean" else None
    law = of(question.law)
    if law is None:
        return None
    if question.statistic == "variance":
        return question.predicted * question.predicted * (law.kurtosis - 1)
    return law.variance * (1.0 if law.location else question.predicted * question.predicted)


def unit_std(question: Question, variance: float) -> float:
    """Standard deviation of one network's unit, at least what rounding makes of it.

    >>> unit_std(Question(predicted=2.0, margin=0.1), 0.25)
    0.5
    """
    size = {"relative": abs(question.predicted), "log": 1.0, "zero": 0.0}[question.scale]
    return max(math.sqrt(variance), question.rounding * size)


def relative_variance(question: Question, variance: float) -> float:
    """Variance over the square of the prediction; inf where that overflows."""
    relative = math.sqrt(variance) / abs(question.predicted)
    return relative * relative


def unit_variance(question: Question) -> float | None:
    """Variance of delta times the number of networks, from the prediction; None where nothing says it."""
    variance = predicted_variance(question)
    if variance is None or question.scale == "log":
        return variance
    return relative_variance(question, variance) if question.scale == "relative" else 1.0
