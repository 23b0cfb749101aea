"""Numbers of networks and detectable departures."""

import math

import numpy as np
import pytest
from statsmodels.stats.power import NormalIndPower

from mcverify.statistics.ladder import networks_per_width
from mcverify.statistics.power import (
    Levels,
    detectable,
    networks_needed,
    refute_reach,
    smallest_detectable,
    support_reach,
)
from mcverify.statistics.question import Ladder, LawName, Question

GATE = Levels(refute_budget=1e-6)


def ratio(n):
    return Question(predicted=1.0, margin=math.expm1(0.01), law=LawName("relu_ratio", {"n": n}))


def log_ratio(n):
    return Question(predicted=0.0, margin=0.01, scale="log", law=LawName("log_relu", {"widths": (n,)}))


@pytest.mark.parametrize(("n", "networks"), [(32, 113_085), (128, 25_634)])
def test_networks_needed_of_log_ratios(n, networks):
    """D = .01, one test at 1e-6 with power .999, rounded up."""
    assert networks_needed(log_ratio(n), GATE, block=1) == networks


def test_reach_is_the_normal_power_oracle():
    """The two-sided z test of this power needs what statsmodels says, within the far tail that it also counts."""
    effect = 0.1
    oracle = NormalIndPower(ddof=0).solve_power(effect_size=effect, alpha=1e-6, power=0.999, ratio=0)
    assert (refute_reach(GATE) / effect) ** 2 == pytest.approx(oracle, rel=1e-6)


@pytest.mark.parametrize(("count", "departure"), [(1000, 0.050), (5000, 0.0223), (20000, 0.0112), (100000, 0.005)])
def test_detectable(count, departure):
    """Smallest departures at n = 128, as planned and as seen."""
    assert smallest_detectable(ratio(128), count, GATE) == pytest.approx(departure, rel=0.02)
    assert detectable(5 / 128, count, GATE, catoni=False) == pytest.approx(smallest_detectable(ratio(128), count, GATE))


@pytest.mark.parametrize(
    ("budget", "claims", "factor"), [(1e-2, 1, 1.0), (1e-2, 100, 1.80), (1e-6, 1, 2.56), (1e-6, 1000, 3.67)]
)
def test_cost_of_many_claims(budget, claims, factor):
    """Sample factor against one test at 1e-2, power .9."""
    levels = Levels(refute_budget=budget, claims=claims, power=1 - 0.1 * claims)  # so that each misses 0.1
    base = Levels(refute_budget=1e-2, power=0.9)
    assert (refute_reach(levels) / refute_reach(base)) ** 2 == pytest.approx(factor, abs=0.006)


def test_catoni_costs_more():
    """Catoni's factor over z is 1.60 at 1e-2 and 1.21 at 1e-6, for the half-width alone."""
    for alpha, factor in ((1e-2, 1.60), (1e-6, 1.21)):
        half = Levels(refute_budget=alpha, power=0.5)
        assert (refute_reach(half, catoni=True) / refute_reach(half)) ** 2 == pytest.approx(factor, abs=0.01)
    raw = Question(predicted=1.0, margin=math.expm1(0.01), variance=5 / 128)
    assert networks_needed(raw, GATE) > networks_needed(ratio(128), GATE)


def test_leading_order_plans_with_the_slack_left():
    """D_n - |c|/n = D + |c|/(2n) is left for chance."""
    question = Question(
        predicted=1.0, margin=math.expm1(0.01), variance=1.0, exactness="LEADING_ORDER", next_order=(0.004, 1)
    )
    expected = (max(refute_reach(GATE, True), support_reach(GATE, True)) / 0.012) ** 2
    assert networks_needed(question, GATE, block=1) == math.ceil(expected)


def test_unknowable_and_unreachable():
    """Without any variance there is no plan; a measured one gives it."""
    bare = Question(predicted=1.0, margin=0.02)
    assert networks_needed(bare, GATE) is None
    assert networks_needed(bare, GATE, measured=0.04) % 256 == 0
    assert math.isnan(smallest_detectable(bare, 100, GATE))


def test_ladder_plans_with_the_variance_of_the_limit():
    """The variance of the limit is the intercept's entry of (X'WX)^-1, written out for two unknowns."""
    widths = np.array([16.0, 32, 64, 128, 256])
    rungs = tuple(Question(predicted=1.0, margin=0.02, variance=5 / n) for n in widths)
    w, x = widths / 5, 1 / widths
    variance = (w @ x**2) / (w.sum() * (w @ x**2) - (w @ x) ** 2)
    planned = networks_per_width(Ladder(widths=tuple(widths), questions=rungs), GATE, block=1)
    assert planned == math.ceil(variance * (refute_reach(GATE) / math.log1p(0.02)) ** 2)
