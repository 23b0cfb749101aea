"""Verdicts: the decision table, the reasons, the rates, and claims that may never be refuted or supported."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from mcverify.errors import InputError
from mcverify.statistics.question import Ladder, LawName, Question, Sample
from mcverify.verdict import judge, judge_ladder

RELU = LawName("relu_ratio", {"n": 128})


def one(question, sample, **rates):
    return judge([question], [sample], **rates)[0]


def ratio_mean(rng, n, count, delta):
    """Sample of `count` ReLU ratios scaled by e^delta, as moments: their sum is drawn from its own law."""
    mean = 4 / (n * count) * rng.standard_gamma(rng.binomial(n * count, 0.5) / 2) * math.exp(delta)
    return Sample(count=count, mean=mean, m2=5 / n * count, m3=0.0, m4=0.0, min=0.0, max=3.0)


def products(rng, n, layers, count):
    x = np.ones(count)
    for _ in range(layers):
        x *= 4 / n * rng.standard_gamma(rng.binomial(n, 0.5, count) / 2)
    return x


OPERATING = [  # networks, departure, percent SUPPORTED, REFUTED
    (1_000, 0.0, 0.0, 0.0),
    (1_000, 0.02, 0.0, 4.1),
    (1_000, 0.05, 0.0, 99.9),
    (5_000, 0.0, 33.6, 0.0),
    (5_000, 0.005, 7.8, 0.1),
    (5_000, 0.01, 0.1, 8.6),
    (5_000, 0.02, 0.0, 98.5),
    (20_000, 0.0, 99.99, 0.0),
    (20_000, 0.005, 66.8, 8.6),
    (20_000, 0.01, 0.1, 98.5),
    (100_000, 0.005, 0.1, 99.9),
]


@pytest.mark.parametrize(("count", "delta", "supported", "refuted"), OPERATING)
def test_operating_characteristic(count, delta, supported, refuted):
    """Counts of 400 verdicts lie in the central 1 - 1e-6 of their binomial, .3 points allowed to the stated rates."""
    question = Question(predicted=1.0, margin=math.expm1(0.01), law=RELU)
    rng = np.random.default_rng(31)
    verdicts = [one(question, ratio_mean(rng, 128, count, delta), refute_budget=1e-6).verdict for _ in range(400)]
    for name, percent in (("SUPPORTED", supported), ("REFUTED", refuted)):
        least = stats.binom.ppf(5e-7, 400, max(percent - 0.3, 0) / 100)
        most = stats.binom.isf(5e-7, 400, min(percent + 0.3, 100) / 100)
        assert least <= verdicts.count(name) <= most, (name, verdicts.count(name))


@pytest.mark.parametrize(("n", "layers", "count"), [(8, 50, 4000), (32, 50, 1000), (32, 20, 10_000), (2, 100, 2000)])
@pytest.mark.parametrize("variance", [True, False])
@pytest.mark.parametrize("keep", [True, False])
def test_deep_narrow_mean_is_never_refuted(n, layers, count, variance, keep):
    """The mean of a cumulative second moment is 1, though nearly every sample's is far below."""
    x = products(np.random.default_rng(6), n, layers, count)
    v = (1 + 5 / n) ** layers - 1 if variance else None
    sample = Sample.of(x)
    found = one(Question(predicted=1.0, margin=0.02, variance=v), sample if keep else replace(sample, values=None))
    assert found.verdict == "UNDECIDED"
    assert found.reason in ("UNDERPOWERED", "OUTSIDE_CLT", "TAIL_DOMINATED", "NO_SCATTER")


def test_false_mean_is_refuted_by_catoni():
    """The same kind of sample with a gain that is off is refuted where the tail allows it."""
    x = products(np.random.default_rng(6), 128, 10, 4000) * 2
    found = one(
        Question(predicted=1.0, margin=0.02, variance=(1 + 5 / 128) ** 10 - 1), Sample.of(x), refute_budget=1e-6
    )
    assert (found.verdict, found.test) == ("REFUTED", "Catoni")
    assert found.low > 0
    assert found.log10_p < -6


def test_log_claims_of_deep_nets():
    """The log of the same deep narrow product is decided exactly; E log taken for log E is refuted."""
    widths = (32,) * 20
    law = LawName("log_relu", {"widths": widths})
    logs = np.log(products(np.random.default_rng(5), 32, 20, 20_000))
    typical = 20 * -0.08252
    found = one(Question(predicted=typical, margin=0.1, scale="log", law=law), Sample.of(logs, log=True))
    assert found.verdict == "SUPPORTED"
    few = Sample.of(logs[:150], log=True)
    assert one(Question(predicted=0.0, margin=0.1, scale="log", law=law), few, refute_budget=1e-6).verdict == "REFUTED"


def test_same_verdict_from_moments_alone():
    """Exact laws need no raw values."""
    y = products(np.random.default_rng(1), 128, 1, 20_000)
    question = Question(predicted=1.0, margin=0.02, law=RELU)
    full = one(question, Sample.of(y))
    assert full == one(question, replace(Sample.of(y), values=None))
    assert full.verdict == "SUPPORTED"


def test_small_departure_of_an_exact_theory():
    """An exact theory has no right to a departure inside the margin, but to rounding it has."""
    question = Question(predicted=1.0, margin=0.1, law=LawName("linear_ratio", {"n": 1000}))
    exact = Sample(count=10**6, mean=1.01, m2=2000.0, m3=0.0, m4=0.0, min=0.5, max=1.5)
    found = one(question, exact)
    assert (found.verdict, found.reason) == ("REFUTED", "SMALL")
    rounded = replace(exact, mean=1 + 9e-7, count=10**15)
    assert one(question, rounded).verdict == "SUPPORTED"
    assert one(question, replace(rounded, mean=1 + 3e-6)).verdict == "REFUTED"


def test_leading_order():
    """A theory with a known next term may depart by 1.5 of it and the margin; it is supported where that is small."""
    question = Question(
        predicted=1.0, margin=0.05, law=RELU, exactness="LEADING_ORDER", next_order=(0.02, 1), width=128.0
    )
    rng = np.random.default_rng(2)
    assert one(question, ratio_mean(rng, 128, 50_000, 0.02)).verdict == "SUPPORTED"
    assert one(question, ratio_mean(rng, 128, 50_000, 0.10)).verdict == "REFUTED"
    wide = one(replace(question, next_order=(0.2, 1)), ratio_mean(rng, 128, 50_000, 0.2))
    assert (wide.verdict, wide.reason) == ("UNDECIDED", "WIDTH_TOO_SMALL")
    assert wide.guards["width_too_small"] == pytest.approx(128 * 0.3 / math.log1p(0.05))


def test_infinite_width_needs_a_ladder():
    """At one width a claim about the limit is neither refuted nor supported."""
    for exactness in ("INFINITE_WIDTH", "LEADING_ORDER"):
        question = Question(predicted=1.0, margin=0.02, law=RELU, exactness=exactness)
        found = one(question, ratio_mean(np.random.default_rng(0), 128, 50_000, 0.5))
        assert (found.verdict, found.reason) == ("UNDECIDED", "WIDTH_LADDER_NEEDED")


@pytest.mark.parametrize(("bound", "sign"), [("upper", 1), ("lower", -1)])
def test_bounds_have_one_side(bound, sign):
    """A bound is refuted on its far side only, and supported however far inside the truth lies."""
    question = Question(predicted=1.0, margin=0.02, law=RELU, exactness="BOUND", bound=bound)
    rng = np.random.default_rng(3)
    assert one(question, ratio_mean(rng, 128, 20_000, -0.5 * sign)).verdict == "SUPPORTED"
    assert one(question, ratio_mean(rng, 128, 20_000, 0.0)).verdict == "SUPPORTED"
    assert one(question, ratio_mean(rng, 128, 20_000, 0.05 * sign)).verdict == "REFUTED"


def ladder_samples(rng, limit, slope, curvature=0.0):
    widths = (16, 32, 64, 128, 256)
    means = [math.exp(limit + slope / n + curvature / n**2) for n in widths]
    return widths, [Sample.of(rng.normal(m, 0.1, 4000)) for m in means]


@pytest.mark.parametrize(
    ("limit", "slope", "curvature", "verdict", "reason"),
    [
        (0.0, 2.0, 0.0, "SUPPORTED", ""),
        (0.1, 2.0, 0.0, "REFUTED", ""),
        (0.0, 0.0, 200.0, "UNDECIDED", "LACK_OF_FIT"),
        (0.5, 0.0, 200.0, "REFUTED", ""),
    ],
)
def test_width_ladder(limit, slope, curvature, verdict, reason):
    """The limit is judged, not the finite widths; a wrong order shows as lack of fit."""
    widths, samples = ladder_samples(np.random.default_rng(4), limit, slope, curvature)
    rungs = tuple(Question(predicted=1.0, margin=0.05, exactness="INFINITE_WIDTH") for _ in widths)
    found = judge_ladder(Ladder(widths=widths, questions=rungs), samples)
    assert (found.verdict, found.reason) == (verdict, reason)
    assert found.replicates == 20_000
    if not curvature:
        assert abs(found.guards["slope"] - slope) < 4.9 * found.guards["slope_std"]
    with pytest.raises(InputError, match="one sample a width"):
        judge([Ladder(widths=widths, questions=rungs)], [samples[0]])


def test_reasons():
    """Each sample that cannot be tested says why."""
    x = np.random.default_rng(0).normal(1, 0.1, 500)
    good = Sample.of(x)
    question = Question(predicted=1.0, margin=0.5)
    assert one(question, good).verdict == "SUPPORTED"
    cases = {
        "NONFINITE": (question, replace(good, nonfinite={"overflow": 2})),
        "DEAD": (question, replace(good, dead=3)),
        "NO_VARIANCE_PREDICTED": (replace(question, variance_exists=False), good),
        "NO_DATA": (question, Sample.of([])),
        "NO_SCATTER": (question, Sample.of(np.zeros(500))),
        "OUTSIDE_CLT": (question, Sample.of(np.exp(3 * np.random.default_rng(1).normal(size=500)))),
        "UNDERPOWERED": (replace(question, margin=1e-3), good),
    }
    for reason, (asked, sample) in cases.items():
        found = one(asked, sample)
        assert (found.verdict, found.reason) == ("UNDECIDED", reason)
    assert one(*cases["UNDERPOWERED"]).replicates_needed > 500
    assert one(*cases["OUTSIDE_CLT"]).replicates_needed > 500
    assert one(*cases["NONFINITE"]).guards["nonfinite"] == 2
    assert one(replace(question, undeclared_dead_ok=True), replace(good, dead=3)).verdict == "SUPPORTED"


def test_constants():
    """A number that is predicted to have no scatter is right or wrong for certain; else no scatter decides nothing."""
    twos = Sample.of(np.full(256, 2.0))
    for predicted in (2.0, 2.1, -2.0, 1e-200, 1e200):
        found = one(Question(predicted=predicted, margin=0.01), twos)
        assert (found.verdict, found.reason) == ("UNDECIDED", "NO_SCATTER")
    assert one(Question(predicted=2.0, margin=0.01, variance=0.0), twos).verdict == "SUPPORTED"
    off = one(Question(predicted=2.1, margin=0.01, variance=0.0), twos)
    assert (off.verdict, off.log10_p) == ("REFUTED", -math.inf)
    zero = Question(predicted=0.0, margin=0.01, scale="zero")
    assert one(zero, Sample.of(np.zeros(256))).reason == "NO_SCATTER"
    assert one(replace(zero, variance=0.0), Sample.of(np.zeros(256))).verdict == "SUPPORTED"
    assert one(replace(zero, variance=0.0), Sample.of(np.ones(256))).verdict == "REFUTED"
    noise = Sample.of(2.0 + 1e-8 * np.random.default_rng(0).normal(size=256))
    for variance in (0.0, 1e-17):
        assert one(Question(predicted=2.0, margin=0.01, variance=variance), noise).verdict == "SUPPORTED"
        assert one(Question(predicted=2.1, margin=0.01, variance=variance), noise).verdict == "REFUTED"


def test_negative_and_zero_predictions():
    """Signs do not matter; a zero is judged in standard deviations of one network."""
    x = np.random.default_rng(8).normal(-2.0, 0.5, 20_000)
    assert one(Question(predicted=-2.0, margin=0.02, variance=0.25), Sample.of(x)).verdict == "SUPPORTED"
    assert one(Question(predicted=-2.2, margin=0.02, variance=0.25), Sample.of(x)).verdict == "REFUTED"
    assert one(Question(predicted=2.0, margin=0.02, variance=0.25), Sample.of(x)).verdict == "REFUTED"
    bound = Question(predicted=-2.2, margin=0.02, variance=0.25, exactness="BOUND", bound="lower")
    assert one(bound, Sample.of(x)).verdict == "SUPPORTED"
    assert one(bound, Sample.of(x)).estimate == pytest.approx(-2.0, abs=0.02)
    assert one(replace(bound, bound="upper"), Sample.of(x)).verdict == "REFUTED"
    zero = Question(predicted=0.0, margin=0.1, scale="zero", variance=0.25)
    assert one(zero, Sample.of(x + 2)).verdict == "SUPPORTED"
    assert one(zero, Sample.of(x + 2.1)).delta == pytest.approx(0.2, abs=0.04)


def test_variances():
    """The variance over networks, with a law, with a predicted variance, and with neither."""
    x = np.random.default_rng(9).normal(1.0, 0.5, 40_000)
    asked = {"predicted": 0.25, "margin": 0.1, "statistic": "variance"}
    for extra in (
        {"center": 1.0, "law": LawName("normal_mean", {"std": 0.5})},
        {"center": 1.0, "variance": 2 * 0.25**2},
        {"center": 1.0},
        {},
    ):
        right = Question(**asked, **extra)
        assert one(right, Sample.of(x)).verdict == "SUPPORTED"
        assert one(right, replace(Sample.of(x), values=None)).verdict in ("SUPPORTED", "UNDECIDED")
        assert one(replace(right, predicted=0.3), Sample.of(x)).verdict == "REFUTED"


def test_alive_counts():
    """One dead network too many is seen at once, where dying is as rare as 2^-128."""
    alive = LawName("bernoulli", {"p": 1.0, "dead": 2.0**-128})
    question = Question(predicted=1.0, margin=0.02, law=alive)
    assert one(question, Sample.of(np.ones(5000))).verdict == "SUPPORTED"
    assert one(question, Sample.of(np.append(np.ones(4999), 0.0)), refute_budget=1e-6).verdict == "REFUTED"
    half = Question(predicted=0.9375, margin=0.1, law=LawName("bernoulli", {"p": 0.9375}))
    rng = np.random.default_rng(2)
    assert one(half, Sample.of(rng.binomial(1, 0.9375, 4000))).verdict == "SUPPORTED"
    assert one(half, Sample.of(rng.binomial(1, 0.99, 4000))).verdict == "REFUTED"


@pytest.mark.parametrize("law", [LawName("bernoulli", {"p": 0.97}), None])
@pytest.mark.parametrize(
    ("predicted", "verdict"),
    [(0.97, "SUPPORTED"), (0.5, "REFUTED"), (0.9, "REFUTED"), (0.99999, "REFUTED"), (1.2, "REFUTED")],
)
def test_false_shares_are_refuted(law, predicted, verdict):
    """The predicted share is tested, whatever the theory's own law says; without a law a low side needs a gross one."""
    x = Sample.of(np.random.default_rng(3).binomial(1, 0.97, 8000).astype(float))
    found = one(Question(predicted=predicted, margin=0.02, law=law), x, refute_budget=1e-6)
    assert found.verdict == (verdict if law or predicted < 0.99999 else "UNDECIDED")


def test_certain_shares():
    """A share of 1 or of 0 is refuted by one network; a share that no probability has by any."""
    law = LawName("bernoulli", {"p": 0.5})
    ones, mixed = Sample.of(np.ones(400)), Sample.of(np.append(np.ones(399), 0.0))
    sure = Question(predicted=1.0, margin=0.02, law=law)
    assert [one(sure, x, refute_budget=1e-6).verdict for x in (ones, mixed)] == ["SUPPORTED", "REFUTED"]
    never = Question(predicted=0.0, margin=0.02, scale="zero", law=law)
    flipped = Sample.of(1 - mixed.values)
    assert [one(never, x, refute_budget=1e-6).verdict for x in (Sample.of(np.zeros(400)), flipped)] == [
        "SUPPORTED",
        "REFUTED",
    ]
    for predicted in (1.01, -0.5, 1e200, -1e-200):
        assert one(replace(sure, predicted=predicted), mixed).verdict == "REFUTED"


def test_low_side_without_a_variance():
    """A small departure below is left open where a rare large network could explain it; a gross one is refuted."""
    x = Sample.of(np.random.default_rng(4).normal(1.0, 0.1, 3000))
    found = one(Question(predicted=1.05, margin=0.02), x, refute_budget=1e-6)
    assert (found.verdict, found.reason) == ("UNDECIDED", "NO_VARIANCE_PREDICTED")
    assert one(Question(predicted=0.95, margin=0.02), x, refute_budget=1e-6).verdict == "REFUTED"
    assert one(Question(predicted=2.0, margin=0.02), x, refute_budget=1e-8).verdict == "REFUTED"
    assert one(Question(predicted=1.0, margin=0.02), x, refute_budget=1e-6).verdict == "SUPPORTED"


@pytest.mark.parametrize("size", [5e-324, 1e-200, 1e-161, 1.0, 1e161, 1.7e308])
@pytest.mark.parametrize("scale", ["relative", "log", "zero"])
@pytest.mark.parametrize("statistic", ["mean", "variance"])
def test_predictions_of_any_size_get_a_verdict(size, scale, statistic):
    """No finite prediction, variance or sample raises or warns, and none far from the sample is supported."""
    rng = np.random.default_rng(1)
    samples = [Sample.of(x * rng.normal(1, 0.1, 50)) for x in (1e-320, 1e-200, 1.0, -1.0, 1e200, 1e307)]
    samples += [replace(sample, values=None) for sample in samples[1:4]]
    laws = (None, LawName("relu_ratio", {"n": 8}), LawName("bernoulli", {"p": 0.5}))
    for sign in (1, -1):
        for variance in (None, 0.0, 1.0, 1e308):
            asked = [
                Question(
                    predicted=sign * size, margin=0.1, scale=scale, statistic=statistic, variance=variance, law=law
                )
                for law in laws
            ]
            for sample in samples:
                for question in asked:
                    found = one(question, sample)
                    near = 0.5 < abs(sample.mean / size) < 2 if size < 1e300 else True
                    assert found.verdict != "SUPPORTED" or scale != "relative" or statistic != "mean" or near


def test_family_spends_its_budget_once():
    """Of 60 families of 50 true claims at most 10 % refute any (band 1e-5); tested alone, nearly all do."""
    rng = np.random.default_rng(13)
    question = Question(predicted=1.0, margin=0.02, law=RELU)
    families = [[ratio_mean(rng, 128, 256, 0.0) for _ in range(50)] for _ in range(60)]
    any_refuted = sum(
        any(v.verdict == "REFUTED" for v in judge([question] * 50, f, refute_budget=0.1)) for f in families
    )
    alone = sum(any(one(question, s, refute_budget=0.1).verdict == "REFUTED" for s in f) for f in families[:10])
    assert any_refuted <= stats.binom.isf(1e-5, 60, 0.1)
    assert alone >= 8


def test_verdict_and_interval_agree():
    """A claim is refuted exactly where its interval at the level that it was tested at misses zero."""
    rng = np.random.default_rng(17)
    question = Question(predicted=1.0, margin=0.02, law=RELU)
    deltas = rng.uniform(-0.03, 0.03, 60)
    verdicts = judge([question] * 60, [ratio_mean(rng, 128, 5000, d) for d in deltas], refute_budget=0.01)
    outside = [v.low > 1.01e-6 or v.high < -1.01e-6 for v in verdicts]
    assert outside == [v.verdict == "REFUTED" for v in verdicts]
    assert 5 < sum(outside) < 55
