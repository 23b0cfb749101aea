"""The studies that ship: how statements hang together, and that every exact check can fail.

Deterministic but for the draws of the checks, which hold (or fail) on every draw; nothing is tested statistically here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from mcverify.bridge import ask
from mcverify.claim import Check, Claim, Measurement, Residual, expected_of
from mcverify.network import Network
from mcverify.rows import judged_check
from mcverify.statement import Expected, Role, Statement
from mcverify.study import SHIPPED, Study, find
from studies import backprop, forward_variance, matrices, sigmoids, xavier_compromise
from studies.exact import Array, tanh_slope

Compute = Callable[[int], Residual]
STUDIES = {name: find(name) for name in SHIPPED}
SEED = 1  # other draws than those of the reference report

each_study = pytest.mark.parametrize("study", STUDIES.values(), ids=SHIPPED)
each_statement = pytest.mark.parametrize(
    ("study", "statement"),
    [(study, s) for study in STUDIES.values() for s in study.statements],
    ids=lambda x: x.key if isinstance(x, Statement) else x.id,
)


@each_study
def test_keys_name_one_statement(study: Study) -> None:
    """No two statements share a key; each is of letters, digits and dashes, and each claim starts with its own."""
    found: dict[str, Statement] = {}
    for claim in study.all_claims:
        assert claim.statement is not None
        assert found.setdefault(claim.statement.key, claim.statement) is claim.statement
    assert all(re.fullmatch(r"[a-z][a-z0-9-]*", key) for key in found)


@each_study
def test_controls(study: Study) -> None:
    """There is a control; claims of statements that are false on purpose are controls, and no others are."""
    assert study.controls
    assert all(claim.statement is not None and claim.statement.role is Role.CONTROL for claim in study.controls)
    assert all(claim.statement is not None and claim.statement.role is not Role.CONTROL for claim in study.claims)


@each_statement
def test_false_statements_are_corrected(study: Study, statement: Statement) -> None:
    """What a source says and is refuted names what is true instead; a correction exists and is expected to hold."""
    by_key = {one.key: one for one in study.statements}
    if statement.correction is not None:
        assert by_key[statement.correction].expected is Expected.SUPPORTED
    if statement.role is Role.SOURCE:
        assert statement.source is not None
        assert (statement.expected is Expected.REFUTED) == (statement.correction is not None)
    assert statement.role is not Role.CONTROL or statement.expected is Expected.REFUTED


@each_statement
def test_text(study: Study, statement: Statement) -> None:
    """Each statement says what and why, in a few lines, names its entry, and marks its mathematics."""
    assert re.fullmatch(r"[A-F]\d+|TR-\d\d", statement.entry)
    for text in (statement.says, statement.why):
        assert 20 < len(text) < 360
        assert text.endswith((".", "?", ".)"))
        assert text.count("$") % 2 == 0
        assert not re.search(r"[\\^]|_\{", re.sub(r"\$[^$]*\$|`[^`]*`", "", text))
    names = [study.title, *(claim.name for claim in study.all_claims if claim.statement is statement)]
    assert not any("$" in name for name in names)


EXACT_CLAIMS = [
    (study, claim)
    for study in STUDIES.values()
    for claim in study.all_claims
    if isinstance(claim, Claim) and len(claim.networks) == 1 and expected_of(claim) is not Expected.UNDECIDED
]


def departure(study: Study, claim: Claim) -> float:
    """Of what a claim says from what the theory derives: relative, or a difference for logs; NaN where it is silent."""
    asked = ask(claim, claim.networks[0], study.margin)
    if asked.truth is None:
        return math.nan
    true, said = asked.truth[1].value, asked.question.predicted
    return said - true if asked.question.scale == "log" or true == 0 else said / true - 1


@each_study
def test_claims_agree_with_theory_where_they_should(study: Study) -> None:
    """Claims that should hold say what the theory derives (but for dead layers of 16 units); others are off by 5 %."""
    for owner, claim in EXACT_CLAIMS:
        if owner is study:
            off = abs(departure(study, claim))
            assert not math.isnan(off), claim.name
            if expected_of(claim) is Expected.SUPPORTED:
                assert off < 1e-4, claim.name
            else:
                assert off > 0.05, claim.name


def missing_term(a: forward_variance.Values, b: forward_variance.Values) -> Fraction:
    """The rule for a product without its third term."""
    return forward_variance.three_terms(a, b) - forward_variance.three_terms([a[0]] * len(a), b)


def lower_slope(h: Array) -> Array:
    """A derivative of tanh that is 1 % too small."""
    return 0.99 * tanh_slope(h)


LECUN = (Network(widths=(4, 8), weights="lecun_normal"),)

PLANTED: dict[str, dict[str, Compute]] = {
    "forward_variance": {
        "product-rule": partial(forward_variance.product_rule_residual, rule=missing_term),
        "product-rule-two-terms": partial(
            forward_variance.product_rule_residual, rule=forward_variance.two_terms, dependent=True
        ),
        "product-of-dependent": forward_variance.product_rule_residual,
        "small-signals": partial(forward_variance.small_signal_residual, slope=1.9),
    },
    "relu_halving": {},
    "xavier_compromise": {
        "cannot-satisfy-both": partial(xavier_compromise.counterexamples, conditions=lambda *_: False),
        "square": partial(xavier_compromise.not_square, conditions=xavier_compromise.average),
        "compromise": partial(xavier_compromise.average_residual, networks=LECUN),
    },
    "gradient_variance": {
        "forward-pass": partial(backprop.forward_residual, biases=False),
        "backward-pass": partial(backprop.activation_gradient_residual, slope=lower_slope),
        "parameter-gradients": partial(backprop.parameter_gradient_residual, slope=lower_slope),
        "recursion": partial(backprop.recursion_residual, printed=False),
        "recursion-corrected": partial(backprop.recursion_residual, printed=True),
        "weight-gradient-entry": partial(backprop.linear_regime_residual, phi=np.tanh),
        "bias-gradient": partial(backprop.linear_regime_residual, parameter="bias", phi=np.tanh),
        "euler": partial(backprop.euler_residual, phi=np.tanh, slope=tanh_slope),
    },
    "exploding_products": {
        "number-of-matrices": matrices.chain_rule_residual,
        "composition": partial(matrices.composition_residual, reverse=True),
        "chain-rule": partial(matrices.chain_rule_residual, printed=True),
        "eigenvalues": partial(matrices.radius_excess, a=np.diag([2.0, 1.0])),
        "singular-values": partial(matrices.singular_value_excess, values=matrices.eigenvalue_sizes),
        "bounds-for-products: eigenvalues": partial(matrices.positive_excess, positive=False),
        "bounds-for-products: condition": partial(matrices.condition_excess, values=matrices.eigenvalue_sizes),
        "printed-matrix": partial(matrices.rank_one_residual, matrix=np.round(matrices.PRINTED, -18)),
        "ill-conditioned": partial(matrices.left_by_layers, ill_conditioned=False),
        "saturated": partial(matrices.left_by_saturated, weight=40.0),
    },
    "vanishing_sigmoid": {
        "definition": partial(sigmoids.definition_residual, f=np.tanh),
        "misprint": sigmoids.definition_residual,
        "threshold-like": partial(sigmoids.threshold_excess, rate=1.1),
        "snippet": partial(sigmoids.snippet_residual, activation="tanh"),
        "derivative": partial(sigmoids.derivative_residual, f=lambda x: sigmoids.slope(1.01 * x)),
        "vanishes-far-out": partial(sigmoids.exponential_excess, rate=1.1),
        "vanishes-when-small": partial(sigmoids.slope_at, x=20.0),
        "inside-the-zone": partial(sigmoids.zone_excess, gain=10.0),
        "sixteenfold": partial(sigmoids.bound_excess, largest_slope=0.2),
        "outside-the-zone": partial(sigmoids.outside_excess, edge=4.2),
        "relu-positive": partial(sigmoids.relu_slope_residual, activation="tanh"),
    },
    "default_initializations": {},
}
"""For each check, by the start of its name, the same computation of something for which the answer is the opposite."""

CHECKS = [(study, claim) for study in STUDIES.values() for claim in study.all_claims if isinstance(claim, Check)]
each_check = pytest.mark.parametrize(("study", "check"), CHECKS, ids=[f"{s.id}-{c.name}" for s, c in CHECKS])


def planted(study: Study, check: Check) -> Compute:
    """The planted computation with the longest name that starts the check's."""
    starts = [start for start in PLANTED[study.id] if re.match(re.escape(start) + r"\b(?!-)", check.name)]
    return PLANTED[study.id][max(starts, key=len)]


@each_check
def test_check(study: Study, check: Check) -> None:
    """An exact check gives the verdict that is expected of it, on other draws than those of a report."""
    assert judged_check(study.id, check, SEED).row["verdict"] == expected_of(check)


@each_check
def test_check_can_fail(study: Study, check: Check) -> None:
    """The same computation, of something for which the answer is the opposite, gives the opposite verdict."""
    other = Check(check.name, planted(study, check), check.expected, check.statement)
    opposite = Expected.REFUTED if expected_of(check) is Expected.SUPPORTED else Expected.SUPPORTED
    assert judged_check(study.id, other, SEED).row["verdict"] == opposite


@each_study
def test_every_plant_is_used(study: Study) -> None:
    """Each planted computation belongs to one check."""
    used = [planted(study, check) for owner, check in CHECKS if owner is study]
    assert len(used) == len(PLANTED[study.id]) == len({id(one) for one in used})


MEASUREMENTS = [
    (study, claim) for study in STUDIES.values() for claim in study.all_claims if isinstance(claim, Measurement)
]

RANGES: dict[str, tuple[float, float]] = {
    "log-space": (2100.0, 2360.0),  # mean 2232, standard error sqrt(2000 psi_1(2)/64) = 4.5
    "printed-matrix": (-2.1, -2.0),
    "common-in-deep-networks": (0.6, 0.95),  # about 0.77, standard error 0.03
    "snippet": (0.2499, 0.2501),
    "outside-the-zone": (2.9e-18, 3.0e-18),
    "some-layer: share of networks, layers 2 to 2": (0.2, 0.8),  # about 0.5, standard error 0.05
    "some-layer: share of networks, layers 2 to 11": (0.95, 1.0),
    "relu-more-stable: relu": (-0.6, 0.3),  # about -0.15, standard error 0.03
    "relu-more-stable: sigmoid": (-13.0, -9.0),
}
"""What measurements come out near, with several standard errors either side."""


@pytest.mark.parametrize(("study", "measurement"), MEASUREMENTS, ids=[m.name for _, m in MEASUREMENTS])
def test_measurement(study: Study, measurement: Measurement) -> None:
    """A reported number is near what its statement says of it."""
    low, high = next(bounds for start, bounds in RANGES.items() if measurement.name.startswith(start))
    assert low <= measurement.compute(SEED) <= high
