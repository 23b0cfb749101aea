"""Which networks are simulated, and how many of each: fixed before anything is drawn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcverify.bridge import Asked, ask
from mcverify.claim import Claim, expected_of
from mcverify.errors import InputError
from mcverify.statement import Expected
from mcverify.statistics import ladder, power
from mcverify.statistics.question import Ladder, Question
from mcverify.statistics.units import unit_variance
from mcverify.study import SHARES, Study

if TYPE_CHECKING:
    from mcverify.kernels import Backend
    from mcverify.network import Network
    from mcverify.observables import Observable
    from theory.prediction import Predicted

SUITE_BUDGET = 1e-6
"""Probability that any true claim of the whole shipped suite is refuted, or any control by chance."""

SUPPORT_LEVEL = 1e-3
"""Probability that one claim which is off by the margin is supported all the same."""

SUITE_MISS = 1e-3
"""Probability that the planned networks leave any true claim of a study undecided."""

MARGIN_FACTOR = {"quick": 2.0, "standard": 1.0, "thorough": 0.5}
"""What a budget does to the margins that studies declare."""

MAX_NETWORKS = 2**21
"""Replicates drawn at most of one network: storing and testing them costs time too, however small they are."""

MAX_WEIGHTS = 3e9
"""Weights drawn at most for one network's cell; a claim that needs more comes out UNDECIDED and says how many."""


GUESSED_SCATTER = 10.0
"""Relative variance, times the width, of a value whose scatter the theory does not know: twice that of a ReLU layer
with Gaussian weights. A guess; the test itself measures the scatter."""

GUESSED_SCATTER_OF_SQUARES = 12.0
"""The same of the squared departure from the mean, at any width: some six times that of a Gaussian value."""

LARGEST_GAP = 0.5
"""Departure from which on a false claim is planned like this one: a few networks more are cheaper than a close call."""


@dataclass(frozen=True)
class Family:
    """The claims of one study that share a false-alarm budget: those expected to hold, or those to be refuted."""

    claims: tuple[Claim, ...]
    asked: tuple[tuple[Asked, ...], ...]  # one a network of each claim
    budget: float

    @property
    def levels(self) -> power.Levels:
        """The error rates of the family."""
        return power.Levels(self.budget, SUPPORT_LEVEL, 1 - SUITE_MISS, len(self.claims))

    @property
    def questions(self) -> list[Question | Ladder]:
        """One a claim: of its network, or of its ladder."""
        return [question_of(claim, asked) for claim, asked in zip(self.claims, self.asked, strict=True)]


@dataclass
class Wanted:
    """One network to be simulated: how many replicates, and which columns keep every network's value if they fit.

    A column is True if a test needs its single values: no law is known whose tails moments decide.
    """

    network: Network
    replicates: int = 0
    columns: dict[Observable, bool] = field(default_factory=dict)


def question_of(claim: Claim, asked: Sequence[Asked]) -> Question | Ladder:
    """The one question of a claim."""
    if len(asked) == 1:
        return asked[0].question
    widths = tuple(float(max(network.widths[1:])) for network in claim.networks)
    return Ladder(widths=widths, questions=tuple(one.question for one in asked))


def families(study: Study, *, margin: float | None, budget: str) -> tuple[Family, Family]:
    """The two families of a study, with the questions of their claims; every mistake in one error.

    Raises:
        InputError: listing each claim whose prediction cannot be had.
    """
    default = default_margin(study, margin, budget)
    found: dict[bool, list[tuple[Claim, tuple[Asked, ...]]]] = {True: [], False: []}
    mistakes: list[InputError] = []
    for claim in study.all_claims:
        if isinstance(claim, Claim):
            try:
                asked = tuple(ask(claim, network, default) for network in claim.networks)
            except InputError as error:
                mistakes.append(error)
                continue
            found[expected_of(claim) is Expected.REFUTED].append((claim, asked))
    if mistakes:
        kind = type(mistakes[0]) if len(mistakes) == 1 else InputError
        raise kind("\n".join(str(error) for error in mistakes))
    share = SUITE_BUDGET / SHARES
    return _family(found[False], share), _family(found[True], share)


def default_margin(study: Study, margin: float | None, budget: str) -> float | None:
    """The margin of a study's claims that declare none: the one asked for, else the study's by the budget."""
    if margin is not None or study.margin is None:
        return margin
    return study.margin * MARGIN_FACTOR[budget]


def _family(pairs: list[tuple[Claim, tuple[Asked, ...]]], budget: float) -> Family:
    return Family(tuple(claim for claim, _ in pairs), tuple(asked for _, asked in pairs), budget)


def wanted(all_families: Iterable[Family], replicates: int | None, backend: Backend) -> dict[Network, Wanted]:
    """The networks to simulate; each as often as its most demanding claim needs, up to the cap."""
    found: dict[Network, Wanted] = {}
    for family in all_families:
        for claim, asked in zip(family.claims, family.asked, strict=True):
            needed = replicates or _needed(family, claim, asked)
            for network, one in zip(claim.networks, asked, strict=True):
                cell = found.setdefault(network, Wanted(network))
                needs_values = one.question.law is None or claim.statistic == "variance"
                cell.columns[claim.observable] = needs_values or cell.columns.get(claim.observable, False)
                cell.replicates = max(cell.replicates, replicates or min(needed, cap(network, backend)))
    return found


def _needed(family: Family, claim: Claim, asked: Sequence[Asked]) -> int:
    """Networks that decide a claim with the family's error rates, by the predicted scatter of one network's value."""
    question = question_of(claim, asked)
    if expected_of(claim) is Expected.UNDECIDED:
        return 1
    if isinstance(question, Ladder):
        needed = ladder.networks_per_width(question, family.levels)
    elif expected_of(claim) is Expected.REFUTED:
        needed = _to_refute(question, asked[0], family.levels)
    else:
        needed = power.networks_needed(question, family.levels)
    if needed is not None:
        return needed
    narrowest = min(min(network.widths[1:]) for network in claim.networks)
    higher = claim.statistic == "variance" or claim.observable.statistic == "fourth_moment"
    s2 = GUESSED_SCATTER_OF_SQUARES if higher else GUESSED_SCATTER / narrowest
    return power.networks_for(s2, asked[0].question.departure_margin, power.refute_reach(family.levels))


def _to_refute(question: Question, asked: Asked, levels: power.Levels) -> int | None:
    """Networks that refute a false claim, whose departure from the theory is known."""
    s2 = unit_variance(question)
    if s2 is None or asked.truth is None:
        return power.networks_needed(question, levels)
    gap = _gap(question, asked.truth[1])
    reach = power.refute_reach(levels, power.needs_catoni(question))
    return power.networks_for(s2, min(gap, LARGEST_GAP), reach) if gap else None


def _gap(question: Question, true: Predicted) -> float:
    """How far a claim is from the theory, on the scale of its departure."""
    if question.scale == "log":
        return abs(true.value - question.predicted)
    if question.scale == "zero":
        return abs(true.value) / math.sqrt(true.variance) if true.variance else math.inf
    ratio = true.value / question.predicted
    return abs(math.log(ratio)) if ratio > 0 else math.inf


def refuse_circles(all_families: Iterable[Family], backend: Backend) -> None:
    """Refuse a claim on a simulator that assumes what its prediction follows from: it would only agree with itself.

    Raises:
        InputError: naming the claim, the fact and a backend that assumes nothing; or for a network that the backend
            cannot simulate.
    """
    for family in all_families:
        for claim, asked in zip(family.claims, family.asked, strict=True):
            stated = set().union(*(facts for one in asked for facts in _facts(one)))
            assumed = frozenset[str]().union(*(backend.assumes_for(network) for network in claim.networks))
            shared = sorted(stated & assumed)
            if shared:
                raise InputError(
                    f"`backend={backend.name!r}` assumes {', '.join(shared)}, from which the prediction of claim "
                    f"{claim.name!r} follows; give backend='cpu', which assumes nothing."
                )


def refuse_unmeasured(all_families: Iterable[Family], backend: Backend) -> None:
    """Refuse a claim on a simulator that does not measure its observable.

    Raises:
        InputError: naming the claim, the observable and a backend that measures it; or for a network that the backend
            cannot simulate.
    """
    for family in all_families:
        for claim in family.claims:
            for network in claim.networks:
                if claim.observable.name not in backend.measures(network):
                    raise InputError(
                        f"`backend={backend.name!r}` does not measure {claim.observable.name} on {network.label!r}, "
                        f"of which claim {claim.name!r} speaks; give backend='cpu', which measures everything."
                    )


def _facts(asked: Asked) -> Iterator[frozenset[str]]:
    """What the claim's value, and what the theory's value and scatter of the same observable, follow from."""
    if asked.prediction:
        yield asked.prediction.states
    if asked.truth:
        yield asked.truth[0].states


def cap(network: Network, backend: Backend) -> int:
    """Most replicates of a network: the work of `MAX_WEIGHTS` in all, no more than `MAX_NETWORKS`, at least 1024."""
    return min(MAX_NETWORKS, max(1024, math.floor(MAX_WEIGHTS / backend.work(network))))
