"""The limit of infinite width from several finite ones: weighted regression of the departures on 1/n^k."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcverify.statistics.choose import obstacle
from mcverify.statistics.evidence import Evidence, Refusal, departure, nothing
from mcverify.statistics.guards import skewness_bound, skewness_guard, tail_guard
from mcverify.statistics.power import BLOCK, Levels, networks_for, refute_reach, support_reach
from mcverify.statistics.question import Ladder, Question, Sample
from mcverify.statistics.saddlepoint import Array
from mcverify.statistics.tails import log_gamma_sf, log_normal_sf, normal_quantile
from mcverify.statistics.units import unit_variance, units


@dataclass(frozen=True)
class Rung:
    """One width: departure, its standard error, and what forbids to take it as normal."""

    delta: float
    error: float
    no_refutation: Refusal | None
    no_support: Refusal | None


@dataclass(frozen=True)
class Fit:
    """Coefficients of 1, n^-k (, n^-2k), their standard errors, and the lack of fit."""

    coefficients: Array
    errors: Array
    log_p_fit: float


def fit(widths: Sequence[float], deltas: Sequence[float], errors: Sequence[float], order: float, curved: bool) -> Fit:
    """Weighted least squares with known errors; the squared standardised residuals are chi-square.

    >>> found = fit([10, 20, 40, 80, 160], [0.1, 0.05, 0.025, 0.0125, 0.00625], [0.01] * 5, 1, False)
    >>> bool(abs(found.coefficients[0]) < 1e-12), round(float(found.coefficients[1]), 9), found.log_p_fit
    (True, 1.0, 0.0)
    """
    from statsmodels.regression.linear_model import WLS

    x = np.asarray(widths, dtype=np.float64) ** -order
    design = np.stack([np.ones_like(x), x, x**2][: 3 if curved else 2], axis=1)
    se = np.asarray(errors, dtype=np.float64)
    solved = WLS(np.asarray(deltas), design, weights=1 / se**2).fit(cov_type="fixed scale")
    residual = (np.asarray(deltas) - design @ solved.params) / se
    freedom = len(x) - design.shape[1]
    log_p = log_gamma_sf(freedom / 2, float((residual**2).sum()) / 2)
    return Fit(np.asarray(solved.params), np.asarray(solved.bse), log_p if abs(log_p) > 1e-12 else 0.0)


def networks_per_width(ladder: Ladder, levels: Levels, *, block: int = BLOCK) -> int | None:
    """Networks of each width, in whole blocks, that decide on the limit with the declared power; None if unknowable.

    >>> rungs = tuple(Question(predicted=1.0, margin=0.05, variance=1 / n) for n in (16, 32, 64, 128, 256))
    >>> networks_per_width(Ladder(widths=(16, 32, 64, 128, 256), questions=rungs), Levels())
    256
    """
    s2 = [unit_variance(question) for question in ladder.questions]
    if not all(s2):
        return None
    limit = fit(ladder.widths, [0.0] * len(s2), [math.sqrt(one or 0.0) for one in s2], ladder.order, ladder.curved)
    reach = max(refute_reach(levels), support_reach(levels))
    return networks_for(float(limit.errors[0]) ** 2, ladder.questions[0].departure_margin, reach, block)


def ladder_evidence(ladder: Ladder, samples: Sequence[Sample], levels: Levels) -> Evidence:
    """Test of the limit's departure."""
    used = sum(sample.count for sample in samples)
    for question, sample in zip(ladder.questions, samples, strict=True):
        refusal = obstacle(question, sample)
        if refusal is None and (sample.count < 2 or sample.m2 <= 0):
            refusal = Refusal("NO_DATA", sample.count)
        if refusal is not None:
            return nothing(refusal, count=used)
    rungs = [rung(question, sample, levels) for question, sample in zip(ladder.questions, samples, strict=True)]
    broken = next((r.no_refutation for r in rungs if r.no_refutation), None)
    if not all(math.isfinite(r.delta) and r.error > 0 for r in rungs):
        return nothing(broken or Refusal("NO_SCATTER"), count=used)
    deltas, errors = [r.delta for r in rungs], [r.error for r in rungs]
    found = fit(ladder.widths, deltas, errors, ladder.order, ladder.curved)
    no_support = next((r.no_support for r in rungs if r.no_support), None)
    if found.log_p_fit > math.log(levels.miss):
        return _evidence(found, found, used, broken, no_support)
    lacking = Refusal("LACK_OF_FIT", found.log_p_fit / math.log(10))
    second = fit(ladder.widths, deltas, errors, ladder.order, curved=True)
    unfit = lacking if second.log_p_fit <= math.log(levels.miss) else None
    return _evidence(found, second, used, broken or unfit, lacking)


def rung(question: Question, sample: Sample, levels: Levels) -> Rung:
    """Departure at one width with its standard error by the delta method."""
    unit = units(question, sample)
    std = math.sqrt(unit.variance)
    per_network = {"relative": std / abs(unit.mean) if unit.mean else math.inf, "log": std, "zero": 1.0}
    skewness = skewness_bound(unit.values, unit)
    tail = tail_guard(unit.values, unit) if question.scale == "relative" else None
    guards = [
        skewness_guard(skewness, unit.count, level, studentised=True) or tail
        for level in (levels.refute, 2 * levels.support_level)
    ]
    error = per_network[question.scale] / math.sqrt(unit.count)
    return Rung(departure(question, unit.mean, std), error, guards[0], guards[1])


def _evidence(
    found: Fit, second: Fit, used: int, no_refutation: Refusal | None, no_support: Refusal | None
) -> Evidence:
    """Evidence on the limit; a second fit, with the next order too, must agree where the first one lacks fit."""
    fits = [(float(one.coefficients[0]), float(one.errors[0])) for one in (found, second)]

    def interval(alpha: float) -> tuple[float, float]:
        z = normal_quantile(alpha / 2)
        return min(limit - z * error for limit, error in fits), max(limit + z * error for limit, error in fits)

    limit, error = fits[0]
    return Evidence(
        test="width ladder",
        estimate=limit,
        delta=limit,
        count=used,
        log_above=lambda d: max(log_normal_sf((limit - d) / error) for limit, error in fits),
        log_below=lambda d: max(log_normal_sf((d - limit) / error) for limit, error in fits),
        interval=interval,
        unit_variance=error**2 * used,
        no_refutation=no_refutation,
        no_support=no_support,
        numbers={
            "slope": float(found.coefficients[1]),
            "slope_std": float(found.errors[1]),
            "lack_of_fit_log10_p": found.log_p_fit / math.log(10),
        },
    )
