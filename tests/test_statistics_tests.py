"""Size, intervals and guards of each test; a test that is not used behind its guard is shown to be needed."""

import math

import numpy as np
import pytest
from scipy import special, stats
from statsmodels.stats.multitest import multipletests

from mcverify.errors import InputError
from mcverify.statistics import guards
from mcverify.statistics.binomial import binomial
from mcverify.statistics.catoni import catoni, influence
from mcverify.statistics.choose import evidence
from mcverify.statistics.multiplicity import holm, step_levels
from mcverify.statistics.power import Levels
from mcverify.statistics.question import Ladder, LawName, Question, Sample
from mcverify.statistics.studentised import hall, hall_inverse, t_test
from mcverify.statistics.units import units
from mcverify.statistics.unseen import log_below_bound

MEAN_LOG_8 = float(special.psi(4)) + math.log(2)  # E log chi2_8
ONE_PERCENT = Levels(refute_budget=1e-2)


def products(rng, n, layers, count):
    """Cumulative ReLU ratios: products of (2/n) chi2_Bin(n, 1/2)."""
    x = np.ones(count)
    for _ in range(layers):
        x *= 4 / n * rng.standard_gamma(rng.binomial(n, 0.5, count) / 2)
    return x


def rejections(question, draw, repetitions, seed):
    """How many of the samples are rejected at 1 %, and how many a guard keeps from the test."""
    rng = np.random.default_rng(seed)
    found = [evidence(question, Sample.of(draw(rng)), ONE_PERCENT) for _ in range(repetitions)]
    used = [one for one in found if one.no_refutation is None]
    return sum(one.log_p(0.0) <= math.log(0.01) for one in used), len(found) - len(used)


SIZES = [
    (
        "exact ratio",
        Question(predicted=1.0, margin=0.1, law=LawName("relu_ratio", {"n": 8})),
        lambda r: products(r, 8, 1, 100),
    ),
    (
        "exact log",
        Question(predicted=MEAN_LOG_8, margin=0.1, scale="log", law=LawName("log_linear", {"widths": (8,)})),
        lambda r: np.log(2 * r.standard_gamma(4, 60)),
    ),
    ("t", Question(predicted=1.0, margin=0.1), lambda r: r.normal(1, 1, 300)),
    ("z on logs", Question(predicted=0.0, margin=0.1, scale="log", variance=1.0), lambda r: r.normal(0, 1, 200)),
    (
        "zero",
        Question(predicted=0.0, margin=0.1, scale="zero", law=LawName("normal_mean", {"std": 2.0})),
        lambda r: r.normal(0, 2, 50),
    ),
    (
        "variance",
        Question(predicted=4.0, margin=0.1, statistic="variance", center=0.0, law=LawName("normal_mean", {"std": 2.0})),
        lambda r: r.normal(0, 2, 50),
    ),
]


@pytest.mark.parametrize(("name", "question", "draw"), SIZES, ids=lambda v: v if isinstance(v, str) else "")
def test_size_at_one_percent(name, question, draw):
    """Rejections of a true claim at 1 % in 2000 samples lie in the central 1 - 1e-5 of Bin(2000, .01)."""
    low, high = stats.binom.interval(1 - 1e-5, 2000, 0.01)
    rejected, kept = rejections(question, draw, 2000, seed=11)
    assert kept <= 20, name
    assert low <= rejected <= high, name


@pytest.mark.parametrize(("name", "question", "draw"), SIZES, ids=lambda v: v if isinstance(v, str) else "")
def test_size_tells_a_reversed_inequality(name, question, draw):
    """The planted fault: rejecting where p is large is seen at once."""
    rng = np.random.default_rng(5)
    wrong = sum(evidence(question, Sample.of(draw(rng)), ONE_PERCENT).log_p(0.0) > math.log(0.01) for _ in range(200))
    assert wrong > stats.binom.isf(1e-9, 200, 0.01)


@pytest.mark.parametrize(("n", "layers", "count"), [(8, 1, 100), (8, 10, 400), (32, 20, 1000), (32, 50, 1000)])
def test_catoni_never_exceeds_its_level(n, layers, count):
    """Heavy-tailed cumulative means: at most 1 % rejections (binomial band 1e-6), where a plain t test has far more."""
    question = Question(predicted=1.0, margin=0.1, variance=(1 + 5 / n) ** layers - 1)
    rejected, kept = rejections(question, lambda r: products(r, n, layers, count), 500, seed=3)
    assert kept == 0
    assert rejected <= stats.binom.isf(1e-6, 500, 0.01)


def test_unguarded_t_rejects_the_truth():
    """At n = 32, L = 50, N = 1000 a t test at 1 % rejects a fifth of the time; the guard forbids it."""
    rng = np.random.default_rng(2)
    question = Question(predicted=1.0, margin=0.1)
    samples = [products(rng, 32, 50, 1000) for _ in range(200)]
    assert sum(stats.ttest_1samp(x, 1.0).pvalue <= 0.01 for x in samples) > 20
    assert all(t_test(question, Sample.of(x), ONE_PERCENT).no_refutation is not None for x in samples[:50])


def test_catoni_is_its_definition():
    """At the level it was made for, p <= a exactly where |sum phi| > N s^2 v/2 + l; the interval has the same edges."""
    x = np.random.default_rng(8).exponential(size=500) * 1.1
    alpha, v = 1e-3, 1.0
    l = math.log(2 / alpha)
    s = math.sqrt(2 * l / (x.size * v))
    found = catoni(Question(predicted=1.0, margin=0.1), Sample.of(x), v, alpha)
    low, high = found.interval(alpha)
    for edge in (low, high):
        m = math.exp(edge)
        total = influence(s * (x / m - 1))
        assert abs(total) == pytest.approx(x.size * s**2 * v / 2 + l, rel=1e-3)
    assert found.log_p(0.0) <= math.log(alpha) or low < 0 < high
    shifted = catoni(Question(predicted=0.0, margin=0.1, scale="log"), Sample.of(x - 1), v, alpha)
    assert shifted.interval(alpha)[0] < x.mean() - 1 < shifted.interval(alpha)[1]


def test_catoni_of_zeros_and_of_huge_variance():
    """All zeros have no lower limit; with a variance far above the number of networks nothing is excluded above."""
    zeros = catoni(Question(predicted=1.0, margin=0.1), Sample.of(np.zeros(1000)), 0.01, 1e-2)
    assert zeros.interval(1e-2)[0] == -math.inf
    assert zeros.log_p(0.0) < math.log(1e-2)
    wild = catoni(Question(predicted=1.0, margin=0.1), Sample.of(np.full(1000, 0.5)), 1e10, 1e-2)
    assert wild.interval(1e-2)[1] == math.inf
    assert wild.log_p(0.0) == 0.0


def test_variance_of_units():
    """The variance's units: from raw values and from moments alone, about a given centre and about the mean."""
    x = np.random.default_rng(4).normal(3, 2, 400)
    sample = Sample.of(x)
    bare = Sample(
        count=x.size, mean=sample.mean, m2=sample.m2, m3=sample.m3, m4=sample.m4, min=sample.min, max=sample.max
    )
    for center in (3.0, None):
        question = Question(predicted=4.0, margin=0.1, statistic="variance", center=center)
        full, short = units(question, sample), units(question, bare)
        assert short.mean == pytest.approx(full.mean, rel=1e-12)
        assert short.m2 == pytest.approx(full.m2, rel=1e-9)
    assert full.mean == pytest.approx(np.var(x, ddof=1), rel=1e-12)


def test_guard_numbers():
    """g^2/N allowed: .048 (z) and .012 (t) at 1e-2; .0046 and .0011 at 1e-6."""
    for alpha, studentised, limit in (
        (1e-2, False, 0.048),
        (1e-2, True, 0.012),
        (1e-6, False, 0.0046),
        (1e-6, True, 0.0011),
    ):
        needed = guards.networks_for_skewness(10.0, alpha, studentised)
        assert 100 / needed == pytest.approx(limit, rel=0.05)
        assert guards.skewness_guard(10.0, needed + 1, alpha, studentised) is None
        refusal = guards.skewness_guard(10.0, int(needed * 0.98), alpha, studentised)
        assert refusal is not None
        assert refusal.networks_needed == needed


def test_tail_guard_and_moment_bound():
    """A value above a tenth of the sum is seen; the bound from moments is never below the sample's skewness."""
    x = np.append(np.ones(100), 50.0)
    assert guards.tail_guard(x, Sample.of(x)).reason == "TAIL_DOMINATED"
    assert guards.tail_guard(np.ones(5), Sample.of(np.ones(5))) is None
    sample = Sample.of(np.random.default_rng(0).exponential(size=3000))
    assert guards.skewness_bound(None, sample) > guards.jackknife_skewness(sample.values)[0]


def test_kurtosis_guard():
    """A symmetric law of kurtosis 100 may not be z tested at 1e-8 with 1000 networks."""
    assert guards.kurtosis_guard(97.0, 1000, 1e-8).reason == "OUTSIDE_CLT"
    assert guards.kurtosis_guard(3.0, 1000, 1e-8) is None


@pytest.mark.parametrize("skewness", [-2.0, 0.0, 1.5])
def test_hall_inverts(skewness):
    """Hall's t is monotone and its inverse is exact."""
    t = np.linspace(-8, 8, 33)
    values = [hall(float(one), skewness, 500) for one in t]
    assert np.all(np.diff(values) > 0)
    assert [hall_inverse(value, skewness, 500) for value in values] == pytest.approx(list(t), abs=1e-6)


def test_binomial_is_scipys():
    """Two-sided p by doubling, and the Clopper-Pearson interval, near 1 too."""
    ones = np.append(np.ones(990), np.zeros(10))
    found = binomial(Question(predicted=0.98, margin=0.1), Sample.of(ones))
    assert math.exp(found.log_above(0.0)) == pytest.approx(
        stats.binomtest(990, 1000, 0.98, alternative="greater").pvalue
    )
    assert math.exp(found.log_below(0.0)) == pytest.approx(stats.binomtest(990, 1000, 0.98, alternative="less").pvalue)
    exact = stats.binomtest(990, 1000).proportion_ci(0.99, method="exact")
    assert found.interval(0.01) == pytest.approx((math.log(exact.low / 0.98), math.log(exact.high / 0.98)))
    safe = binomial(Question(predicted=1.0, margin=0.1), Sample.of(ones), 2.0**-128)
    assert safe.log_p(1e-6) < -500
    assert binomial(Question(predicted=1.0, margin=0.1), Sample.of(np.ones(1000))).log_p(1e-6) == 0.0


def test_a_true_share_is_refuted_at_most_at_its_level():
    """Zeros and ones without a law: all refutations of a true mean at 1 % in 2000 samples within Bin(2000, .01)."""
    question = Question(predicted=0.98, margin=0.02)
    for count in (8, 32, 256):
        rejected, _ = rejections(question, lambda r, n=count: r.binomial(1, 0.98, n).astype(float), 2000, seed=4)
        assert rejected <= stats.binom.isf(1e-6, 2000, 0.01)


RARE = [(0.01, 0.003, 5.0, 256), (0.01, 0.003, 5.0, 1000), (0.05, 0.02, 1.0, 100), (0.0, 0.001, 30.0, 1000)]


@pytest.mark.parametrize(("scatter", "rate", "jump", "count"), RARE)
def test_unseen_tail_never_refutes(scatter, rate, jump, count):
    """A true mean that rare large networks carry is refuted at 1 % in at most 1 % of samples; by a plain t in more."""
    mean = 1 + rate * jump
    question = Question(predicted=mean, margin=0.02)
    rng = np.random.default_rng(6)
    draws = [1 + rng.normal(0, scatter, count) + jump * (rng.random(count) < rate) for _ in range(400)]
    found = [evidence(question, Sample.of(x), ONE_PERCENT) for x in draws]
    rejected = sum(one.no_refutation is None and one.log_p(0.0) <= math.log(0.01) for one in found)
    assert rejected <= stats.binom.isf(1e-6, 400, 0.01)
    if scatter:
        plain = sum(stats.ttest_1samp(x, mean).pvalue <= 0.01 for x in draws)
        assert plain > stats.binom.isf(1e-6, 400, 0.01)


@pytest.mark.parametrize("draw", ["exponential", "two", "half"])
def test_low_bound_is_a_bound(draw):
    """Over 4000 samples of 50 networks, p <= a for a = .3 and .1 in at most Bin(4000, a): E X^2 <= 2 m^2 in all."""
    rng = np.random.default_rng(3)
    laws = {
        "exponential": rng.exponential(size=(4000, 50)),
        "two": 2.0 * rng.binomial(1, 0.5, (4000, 50)),
        "half": 0.5 + rng.random((4000, 50)),
    }
    p = np.exp([log_below_bound(Sample.of(x), float(x.mean())) for x in laws[draw]])
    for a in (0.3, 0.1):
        assert (p <= a).sum() <= stats.binom.isf(1e-6, 4000, a)
    assert log_below_bound(Sample.of(laws[draw][:10].ravel() / 4), 0.25) < math.log(1e-6)


def test_holm_is_statsmodels():
    """Adjusted p-values agree; far ones stay apart in logs."""
    p = np.random.default_rng(9).uniform(size=40) ** 4
    expected = multipletests(p, method="holm")[1]
    assert np.exp(holm(list(np.log(p)))) == pytest.approx(expected)
    adjusted = holm([-3000.0, -2000.0, -0.5])
    assert adjusted[:2] == [-3000 + math.log(3), -2000 + math.log(2)]
    assert step_levels(adjusted, 0.01) == [0.01 / 3, 0.01 / 2, 0.01]


def test_door():
    """Wrong shapes and meaningless questions are named."""
    with pytest.raises(InputError, match="reduce all axes"):
        Sample.of(np.ones((3, 2)))
    with pytest.raises(InputError, match="margin=0"):
        Question(predicted=1.0, margin=0)
    with pytest.raises(InputError, match="scale='zero'"):
        Question(predicted=0.0, margin=0.1)
    with pytest.raises(InputError, match="none of"):
        Question(predicted=1.0, margin=0.1, exactness="ABOUT")
    with pytest.raises(InputError, match="at least 5 widths"):
        Ladder(widths=(8, 64), questions=(Question(predicted=1.0, margin=0.1),) * 2)
