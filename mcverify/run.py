"""A study from its claims to its verdicts: ask, plan, simulate or resume, judge."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcverify import checks, plan, plots, rows, sampling
from mcverify.blocks import MAX_REPLICATES
from mcverify.claim import Check, Claim, Measurement
from mcverify.engine import Progress
from mcverify.errors import InputError, unknown
from mcverify.kernels import backend as backend_of
from mcverify.outcome import Judged, Outcome, StudyOutcome
from mcverify.store import Store
from mcverify.study import Study, find
from mcverify.verdict import Verdict, judge

if TYPE_CHECKING:
    from mcverify.network import Network


@dataclass(frozen=True)
class Planned:
    """A study with the questions of its two families."""

    study: Study
    families: tuple[plan.Family, plan.Family]


def run(
    studies: str | Path | Study | Sequence[str | Path | Study],
    *,
    margin: float | None = None,
    replicates: int | None = None,
    seed: int = 0,
    backend: str = "auto",
    budget: str = "standard",
    store: str | Path | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    command: str = "",
) -> Outcome:
    """Run studies and judge their claims.

    Args:
        studies: A study, the name of one that ships, the path of a study file, or several of these.
        margin: For claims that declare none; by default that of the study.
        replicates: Networks of every cell; by default as many as the margins and error rates need.
        seed: Of everything that is drawn.
        backend: "cpu", "reference", "chain" for claims that do not follow from what it assumes, or "auto" for "cpu".
        budget: "quick" doubles the studies' margins, "thorough" halves them.
        store: Path of a SQLite store to resume from and to keep blocks in; by default nothing is kept.
        workers: Threads; by default one a core.

    Returns:
        The outcome; what the store holds already is not simulated again.

    Raises:
        InputError: for arguments, studies or claims that cannot be used; nothing is simulated then.
    """
    _check(margin, replicates, seed, budget)
    chosen = [studies] if isinstance(studies, str | Path | Study) else list(studies)
    loaded = [study if isinstance(study, Study) else find(str(study)) for study in chosen]
    if not loaded:
        raise InputError("`studies=[]`: name at least one study.")
    name = "cpu" if backend == "auto" else backend
    planned = [Planned(study, plan.families(study, margin=margin, budget=budget)) for study in loaded]
    families = [family for one in planned for family in one.families]
    simulator = backend_of(name)
    plan.refuse_unmeasured(families, simulator)
    plan.refuse_circles(families, simulator)
    cells = plan.wanted(families, replicates, simulator)
    with Store.open(store) as opened:
        samples = sampling.simulate_cells(cells, opened, seed, name, workers, progress)
        outcomes = tuple(_outcome(one, samples, seed, margin, budget) for one in planned)
    drawn = {network: samples.replicates(network) for network in cells}
    provenance = _provenance(planned, drawn, seed, name, budget, margin)
    return Outcome(studies=outcomes, command=command, provenance=provenance)


def _check(margin: float | None, replicates: int | None, seed: int, budget: str) -> None:
    if margin is not None:
        checks.margin(margin)
    if replicates is not None and (not isinstance(replicates, int) or isinstance(replicates, bool) or replicates < 1):
        raise InputError(f"`replicates={replicates!r}`: give a number of networks, 1 or more.")
    if replicates is not None and replicates > MAX_REPLICATES:
        raise InputError(f"`replicates={replicates}`: give at most {MAX_REPLICATES:,} networks of each kind.")
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**64:
        raise InputError(f"`seed={seed!r}`: give an integer from 0 to 2^64 - 1.")
    if budget not in plan.MARGIN_FACTOR:
        raise unknown("budget", budget, plan.MARGIN_FACTOR)


def _outcome(one: Planned, samples: sampling.Samples, seed: int, margin: float | None, budget: str) -> StudyOutcome:
    study, default = one.study, plan.default_margin(one.study, margin, budget)
    verdicts: dict[int, tuple[Verdict, tuple[Any, ...]]] = {}
    for family in one.families:
        decided = judge(
            family.questions,
            [samples.of(claim) for claim in family.claims],
            refute_budget=family.budget,
            support_level=plan.SUPPORT_LEVEL,
            power=1 - plan.SUITE_MISS,
        )
        for tested, asked, verdict in zip(family.claims, family.asked, decided, strict=True):
            verdicts[id(tested)] = verdict, asked
    judged: list[Judged] = []
    for claim in study.all_claims:
        if isinstance(claim, Claim):
            verdict, asked = verdicts[id(claim)]
            judged.append(rows.judged_claim(study.id, claim, asked, verdict, default))
        elif isinstance(claim, Check):
            judged.append(rows.judged_check(study.id, claim, seed))
        elif isinstance(claim, Measurement):
            judged.append(rows.judged_measurement(study.id, claim, seed))
    return StudyOutcome(
        study=study,
        judged=tuple(judged),
        networks=_networks(study),
        profiles=plots.profiles(study, samples),
        histograms=plots.histograms(study, samples),
        pictures=tuple(draw(seed) for draw in study.pictures),
    )


def _networks(study: Study) -> tuple[Network, ...]:
    found = {network: None for claim in study.all_claims if isinstance(claim, Claim) for network in claim.networks}
    return tuple(found)


def _provenance(
    planned: Sequence[Planned],
    drawn: Mapping[Network, int],
    seed: int,
    backend: str,
    budget: str,
    margin: float | None,
) -> dict[str, Any]:
    weights = sum(count * network.n_weights for network, count in drawn.items())
    return {
        "mcverify": version("mcverify"),
        "studies": [one.study.id for one in planned],
        "seed": seed,
        "backend": backend,
        "budget": budget,
        "margin": margin,
        "levels": {
            "suite_false_refutation": plan.SUITE_BUDGET,
            "family_false_refutation": planned[0].families[0].budget,
            "false_support_per_claim": plan.SUPPORT_LEVEL,
            "suite_miss": plan.SUITE_MISS,
        },
        "networks": [f"{count} of {network.label}" for network, count in drawn.items()],
        "cost": {"networks": sum(drawn.values()), "weights": weights},
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "numba", "scipy", "statsmodels", "sympy")},
        },
        "machine": {"system": platform.system(), "machine": platform.machine(), "cores": os.cpu_count()},
    }
