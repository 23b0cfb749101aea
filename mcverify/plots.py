"""The data of a report's plots: profiles by layer, and distributions with the predicted law where it is known."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mcverify.bridge import to_theory
from mcverify.claim import Claim
from mcverify.outcome import Histogram, Profile
from mcverify.statistics import laws
from theory import catalogue
from theory.prediction import Prediction

if TYPE_CHECKING:
    from mcverify.network import Network
    from mcverify.sampling import Samples
    from mcverify.statement import Statement
    from mcverify.study import Study

PROFILES_PER_STATEMENT = 2
BINS = 40


def profiles(study: Study, samples: Samples) -> tuple[Profile, ...]:
    """For each statement that claims two layers or more of one network: that observable at all layers."""
    found = []
    for statement in study.statements:
        by_network = _claims_by_network(study, statement)
        several = [claims for claims in by_network.values() if len(claims) > 1]
        found += [_profile(statement, claims, samples) for claims in several[:PROFILES_PER_STATEMENT]]
    return tuple(found)


def _claims_by_network(study: Study, statement: Statement) -> dict[tuple[Network, str], list[Claim]]:
    groups: dict[tuple[Network, str], list[Claim]] = {}
    for claim in study.all_claims:
        if isinstance(claim, Claim) and claim.statement is statement and _is_plain(claim):
            groups.setdefault((claim.networks[0], claim.observable.name), []).append(claim)
    return groups


def _is_plain(claim: Claim) -> bool:
    return len(claim.networks) == 1 and claim.statistic == "mean"


def _profile(statement: Statement, claims: list[Claim], samples: Samples) -> Profile:
    network, observable = claims[0].networks[0], claims[0].observable.name
    layers, means, errors = samples.profile(network, observable)
    dense = to_theory(network)
    looked_up = [catalogue.lookup(dense, observable, layer, "mean") for layer in layers]
    predicted = tuple(found[1].value if found else math.nan for found in looked_up)
    stated = {claim.observable.layer: _stated(claim) for claim in claims}
    return Profile(
        network=network.label,
        observable=observable,
        statement=statement.key,
        layers=tuple(layers),
        predicted=predicted,
        claimed=tuple(stated.get(layer, math.nan) for layer in layers),
        simulated=means,
        standard_error=errors,
        replicates=samples.replicates(network),
    )


def _stated(claim: Claim) -> float:
    """What a claim says, where it is not the theory's own prediction."""
    if isinstance(claim.prediction, str):
        return math.nan
    if isinstance(claim.prediction, Prediction):
        return claim.prediction.at(to_theory(claim.networks[0])).value
    return float(claim.prediction)


def histograms(study: Study, samples: Samples) -> tuple[Histogram, ...]:
    """For each statement: the first of its claims whose law is known, as values over networks beside that law."""
    found = []
    for statement in study.statements:
        for claim in study.all_claims:
            if isinstance(claim, Claim) and claim.statement is statement and len(claim.networks) == 1:
                histogram = _histogram(statement, claim, samples)
                if histogram is not None:
                    found.append(histogram)
                    break
    return tuple(found)


def _histogram(statement: Statement, claim: Claim, samples: Samples) -> Histogram | None:
    network, observable = claim.networks[0], claim.observable
    truth = catalogue.lookup(to_theory(network), observable.name, observable.layer, "mean")
    values = samples.values(network, observable)
    if truth is None or truth[1].law is None or values is None or values.size < 200:
        return None
    values = values[np.isfinite(values)]
    law, centre = laws.of(truth[1].law), truth[1].value
    if law is None:
        return None
    edges = np.quantile(values, [0.001, 0.999])
    edges = np.linspace(edges[0], edges[1], BINS + 1)
    counts, _ = np.histogram(values, bins=edges)
    x = np.linspace(edges[0], edges[-1], 200)
    density = law.density(x - centre) if law.location else law.density(x / centre) / abs(centre)
    return Histogram(
        network=network.label,
        observable=observable.name,
        layer=observable.layer,
        statement=statement.key,
        edges=tuple(map(float, edges)),
        density=tuple(map(float, counts / values.size / np.diff(edges))),
        law_x=tuple(map(float, x)),
        law_density=tuple(map(float, density)),
        law=truth[1].law.name,
        replicates=int(values.size),
    )
