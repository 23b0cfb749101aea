"""A fresh run agrees with the reference report: a statistical regression test.

The baseline is the estimates of reports/reference/results.json. Fresh networks (another seed) give fresh estimates of
the same means; the difference has the error of both. False alarm: 1e-6 in all, shared over the rows by Bonferroni.
Power: a shift of a mean by its margin (5 %) is seen in most rows, as the planted one shows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mcverify import plan, sampling
from mcverify.claim import Claim
from mcverify.kernels import backend
from mcverify.statistics.guards import skewness_guard
from mcverify.statistics.tails import normal_quantile
from mcverify.store import Store
from mcverify.study import Study, find

BASELINE = Path(__file__).parent.parent / "reports" / "reference" / "results.json"
STUDIES = ("relu_halving", "xavier_compromise")
REPLICATES = 1024
FALSE_ALARM = 1e-6


def recorded() -> dict[tuple[str, str], dict[str, Any]]:
    """Rows of the baseline by study and claim."""
    return {(row["study"], row["claim"]): row for row in json.loads(BASELINE.read_text())["rows"]}


def plain_claims(study: Study) -> list[Claim]:
    """Claims about a mean on one network."""
    found = [claim for claim in study.all_claims if isinstance(claim, Claim)]
    return [claim for claim in found if len(claim.networks) == 1 and claim.statistic == "mean"]


def fresh(study: Study, seed: int) -> sampling.Samples:
    """Networks of another seed for all of them."""
    families = plan.families(study, margin=None, budget="standard")
    with Store.open(None) as store:
        return sampling.simulate_cells(
            plan.wanted(families, REPLICATES, backend("cpu")), store, seed, "cpu", None, None
        )


def scores(study: Study, samples: sampling.Samples, shift: float = 1.0) -> dict[str, float]:
    """(fresh - recorded)/error of every claim whose values are not too skewed for a normal test at this level."""
    rows, found = recorded(), {}
    for claim in plain_claims(study):
        row, sample = rows.get((study.id, claim.name)), samples.of(claim)
        assert row is not None, f"{claim.name} is not in the baseline; make the reference report again"
        assert not isinstance(sample, list)
        error = math.sqrt(sample.variance * (1 / sample.count + 1 / row["replicates"]))
        skewness = abs(sample.m3 / sample.count) / max((sample.m2 / sample.count) ** 1.5, 1e-300)
        if error > 0 and skewness_guard(skewness, sample.count, FALSE_ALARM, studentised=True) is None:
            found[claim.name] = (sample.mean * shift - row["estimate"]) / error
    return found


def critical(counts: Sequence[Mapping[str, float]]) -> float:
    return normal_quantile(FALSE_ALARM / 2 / sum(map(len, counts)))


@pytest.mark.parametrize("name", STUDIES)
def test_fresh_run_agrees_with_the_reference(name: str) -> None:
    """No claim's fresh estimate departs from the recorded one by more than chance allows."""
    study = find(name)
    found = scores(study, fresh(study, seed=20260101))
    assert len(found) > 20
    assert {claim: z for claim, z in found.items() if abs(z) > critical([found])} == {}


def test_a_shift_is_seen() -> None:
    """Fresh estimates 12 % too large disagree in more than half of the rows."""
    study = find(STUDIES[1])
    found = scores(study, fresh(study, seed=20260101), shift=1.12)
    assert sum(abs(z) > critical([found]) for z in found.values()) > len(found) / 2


def test_the_reference_is_as_expected() -> None:
    """Every verdict of the reference report is the expected one, in all studies that ship."""
    document = json.loads(BASELINE.read_text())
    assert document["counts"]["contradicted"] == document["counts"]["open"] == 0
    judged = [row for row in document["rows"] if row["kind"] != "report"]
    assert all(row["verdict"] == row["expected"] for row in judged)
