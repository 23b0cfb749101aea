"""From claims and verdicts to the rows of an outcome, each with what a report says beside it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mcverify.claim import Check, Claim, Measurement, expected_of, margin_of
from mcverify.outcome import COLUMNS, Judged
from mcverify.sentences import residual_sentence, sentence
from mcverify.statistics.question import Question

if TYPE_CHECKING:
    from mcverify.bridge import Asked
    from mcverify.verdict import Verdict


def judged_claim(study: str, claim: Claim, asked: tuple[Asked, ...], verdict: Verdict, margin: float | None) -> Judged:
    """The row of a statistical claim."""
    question: Question = asked[0].question
    own_margin = margin_of(claim, margin)
    row = _row(
        claim=claim.name,
        study=study,
        observable=claim.observable.name,
        layer=claim.observable.layer,
        statistic=claim.statistic,
        kind=claim.kind,
        expected=str(expected_of(claim)),
        exactness=question.exactness,
        predicted=question.predicted if len(asked) == 1 else math.nan,
        estimate=verdict.estimate,
        delta=verdict.delta,
        low=verdict.low,
        high=verdict.high,
        support_low=verdict.support_low,
        support_high=verdict.support_high,
        margin=own_margin,
        test=verdict.test,
        log10_p=verdict.log10_p,
        verdict=verdict.verdict,
        reason=verdict.reason,
        replicates=verdict.replicates,
        replicates_needed=verdict.replicates_needed,
        detectable=verdict.detectable,
    )
    prediction = asked[0].prediction
    return Judged(
        claim=claim,
        row=row,
        network=_network_label(claim),
        formula=_latex(asked[0]),
        derivation=prediction.derivation if prediction else (),
        assumptions=prediction.assumptions if prediction else (),
        reference=prediction.reference if prediction else "",
        sentence=sentence(verdict, own_margin, question.scale),
    )


def judged_check(study: str, check: Check, seed: int) -> Judged:
    """The row of an identity: computed here, supported if its largest residual is within the bound of rounding."""
    residual = check.compute(seed)
    verdict = "SUPPORTED" if residual.largest <= residual.bound else "REFUTED"  # a NaN is not within
    row = _row(
        claim=check.name,
        study=study,
        kind=check.kind,
        expected=str(expected_of(check)),
        exactness="EXACT",
        predicted=0.0,
        estimate=residual.largest,
        delta=residual.largest,
        margin=residual.bound,
        test="largest residual",
        verdict=verdict,
        replicates=residual.draws,
    )
    return Judged(claim=check, row=row, sentence=residual_sentence(verdict, row))


def judged_measurement(study: str, measurement: Measurement, seed: int) -> Judged:
    """The row of a number that is reported and not judged."""
    value = measurement.compute(seed)
    row = _row(
        claim=measurement.name,
        study=study,
        kind=measurement.kind,
        expected="",
        estimate=value,
        verdict="REPORTED",
    )
    return Judged(claim=measurement, row=row, sentence=f"{value:.6g} {measurement.unit}".rstrip() + ".")


def _row(**given: object) -> dict[str, object]:
    unset: dict[str, object] = {
        "observable": "",
        "layer": None,
        "statistic": "",
        "exactness": "",
        "test": "",
        "reason": "",
        "replicates": None,
        "replicates_needed": None,
    }
    return {column: given.get(column, unset.get(column, math.nan)) for column in COLUMNS}


def _network_label(claim: Claim) -> str:
    if len(claim.networks) == 1:
        return claim.networks[0].label
    return f"{claim.networks[0].label} to {claim.networks[-1].label}"


def _latex(asked: Asked) -> str:
    from theory import notation

    if asked.prediction is None:
        import sympy as sp

        return str(sp.latex(sp.Float(asked.question.predicted, 6)))
    return notation.latex(asked.prediction.expression)
