"""Laws of ratios and of logs: numbers, tails against plain sums, moments against draws."""

import math

import numpy as np
import pytest
from scipy import special, stats
from scipy.integrate import quad

from mcverify.errors import InputError
from mcverify.statistics.laws import law
from mcverify.statistics.ratio_laws import mixture

ALL = [
    ("linear_ratio", {"n": 8}),
    ("relu_ratio", {"n": 8}),
    ("relu_ratio_backward", {"n": 8}),
    ("half_beta", {"n": 8, "m": 16}),
    ("half_beta", {"n": 8, "m": 2, "alive": 1}),
    ("leaky_ratio", {"n": 8, "slope": 0.1}),
    ("log_linear", {"widths": (8, 16)}),
    ("log_relu", {"widths": (16, 32, 32)}),
    ("log_leaky", {"widths": (8, 8), "slope": 0.2}),
    ("log_relu", {"widths": (16, 32), "linear_widths": (8, 8)}),
    ("log_leaky", {"widths": (8,), "slope": 0.2, "linear_widths": (4,)}),
    ("normal_mean", {"std": 0.3}),
]


def draw(name, parameters, rng, count):  # noqa: PLR0911
    """Values of a law straight from its definition."""
    n, slope = parameters.get("n", 0), parameters.get("slope", 0.0)
    if name == "normal_mean":
        return rng.normal(0, parameters["std"], count)
    if name.startswith("log_"):
        total = np.zeros(count)
        for width in parameters["widths"]:
            positive = np.full(count, width) if name == "log_linear" else rng.binomial(width, 0.5, count)
            total += np.log(chi2(rng, positive) + slope**2 * chi2(rng, width - positive))
        return total + sum(np.log(chi2(rng, np.full(count, width))) for width in parameters.get("linear_widths", ()))
    b = rng.binomial(n, 0.5, 4 * count)
    if name == "linear_ratio":
        return chi2(rng, np.full(count, n)) / n
    if name == "relu_ratio":
        return 2 / n * chi2(rng, b[:count])
    if name == "relu_ratio_backward":
        return 2 / n * chi2(rng, b[b > 0][:count]) * (1 - 0.5**n)
    if name == "leaky_ratio":
        return 2 / (n * (1 + slope**2)) * (chi2(rng, b) + slope**2 * chi2(rng, n - b))[:count]
    m = parameters["m"]
    k = rng.binomial(m, 0.5, 4 * count)
    k = (k[k > 0] if parameters.get("alive") else k)[:count]
    on, off = chi2(rng, k), chi2(rng, m - k)
    share = 2 * on / (on + off)
    return chi2(rng, np.full(count, n)) / n * share * (1 - 0.5**m if parameters.get("alive") else 1)


def chi2(rng, degrees):
    return 2 * rng.standard_gamma(degrees / 2)


@pytest.mark.parametrize(("name", "parameters"), ALL)
def test_moments_and_cdf_of_draws(name, parameters):
    """Mean, variance, and the distribution function at 5 points: each |z| < 4.9, so a right law fails in 7e-6."""
    one = law(name, **parameters)
    x = draw(name, parameters, np.random.default_rng(7), 40000)
    if one.location and name != "normal_mean":
        x = x - expected_log(name, parameters)
    d = x - one.mean
    assert abs(d.mean()) < 4.9 * math.sqrt(one.variance / x.size)
    assert abs((d**2).mean() - one.variance) < 4.9 * one.variance * math.sqrt((one.kurtosis - 1) / x.size)
    points = one.mean + math.sqrt(one.variance) * np.array([-1.5, -0.5, 0.0, 1.0, 2.0])
    p = one.cdf(points)
    seen = (x[:, None] <= points).mean(axis=0)
    assert np.all(np.abs(seen - p) < 4.9 * np.sqrt(p * (1 - p) / x.size) + 1e-12)


def expected_log(name, parameters):
    total = sum(special.psi(width / 2) + math.log(2) for width in parameters.get("linear_widths", ()))
    for width in parameters["widths"]:
        k = np.arange(1, width + 1)
        w = stats.binom.pmf(k, width, 0.5)
        if name == "log_linear":
            total += special.psi(width / 2) + math.log(2)
        elif name == "log_relu":
            total += float(w @ (special.psi(k / 2) + math.log(2)) / w.sum())
        else:
            total += mean_log_leaky(width, parameters["slope"])
    return total


def mean_log_leaky(n, slope):
    """E log(chi2_B + a^2 chi2_(n-B)) = E log chi2_n + E log(a^2 + (1-a^2) B), by adaptive quadrature for each count."""
    total = special.psi(n / 2) + math.log(2)
    for k in range(n + 1):
        w = stats.binom.pmf(k, n, 0.5)
        if k in (0, n):
            total += w * (math.log(slope**2) if k == 0 else 0.0)
        else:
            total += w * quad(log_share, 0, math.pi / 2, (n, k, slope), limit=200)[0]
    return total


def log_share(angle, n, k, slope):
    log = math.log(slope**2 + (1 - slope**2) * math.sin(angle) ** 2)
    return log * 2 * math.sin(angle) ** (k - 1) * math.cos(angle) ** (n - k - 1) / special.beta(k / 2, (n - k) / 2)


@pytest.mark.parametrize(("name", "parameters"), ALL)
def test_densities_are_derivatives(name, parameters):
    """The density is the derivative of the distribution function: differences agree to the rule's own error."""
    one = law(name, **parameters)
    x = one.mean + math.sqrt(one.variance) * np.linspace(-1.4, 3, 101)
    x = x[x > 0.1] if not one.location else x
    h = 1e-3 * math.sqrt(one.variance)
    slope = (one.cdf(x + h) - one.cdf(x - h)) / (2 * h)
    assert np.allclose(one.density(x), slope, rtol=1e-4, atol=1e-6 / math.sqrt(one.variance))


@pytest.mark.parametrize("n", [8, 32, 128])
def test_relu_moments(n):
    """E Y^2 to E Y^4 of the ReLU ratio are the polynomials in 1/n."""
    one = law("relu_ratio", n=n)
    third, fourth = 1 + 15 / n + 44 / n**2, 1 + 30 / n + 251 / n**2 + 558 / n**3
    assert one.variance == pytest.approx(5 / n, rel=1e-12)
    assert one.skewness * one.variance**1.5 == pytest.approx(third - 3 * (1 + 5 / n) + 2, rel=1e-10)
    assert one.kurtosis * one.variance**2 == pytest.approx(fourth - 4 * third + 6 * (1 + 5 / n) - 3, rel=1e-9)


@pytest.mark.parametrize("s", [-30.0, -1.0, 0.01, 5.0, 20.0])
def test_cumulants_have_their_closed_forms(s):
    """The quadrature's K, K', K'' are n log((1+A)/2), 2A^3/(1+A), 4A^5(3+2A)/(n(1+A)^2), A = (1-4s/n)^-1/2."""
    n = 128
    A = (1 - 4 * s / n) ** -0.5
    K, first, second = law("relu_ratio", n=n).cumulants(s)
    assert pytest.approx(n * math.log((1 + A) / 2) - s, rel=1e-7) == K
    assert first == pytest.approx(2 * A**3 / (1 + A) - 1, rel=1e-7)
    assert second == pytest.approx(4 * A**5 * (3 + 2 * A) / (n * (1 + A) ** 2), rel=1e-7)
    a = 0.3
    c = 2 / (n * (1 + a * a))
    units = n * math.log(((1 - 2 * c * s) ** -0.5 + (1 - 2 * c * a * a * s) ** -0.5) / 2)
    assert law("leaky_ratio", n=n, slope=a).cumulants(s)[0] == pytest.approx(units - s, rel=1e-7)


def plain_log_sf(n, count, y):
    """Log P(mean of count ReLU ratios >= y): log-sum-exp over the binomial of nN trials."""
    k = np.arange(1, n * count + 1)
    return float(special.logsumexp(stats.binom.logpmf(k, n * count, 0.5) + stats.chi2.logsf(y * n * count / 2, k)))


@pytest.mark.parametrize(("n", "count"), [(8, 100), (32, 100), (32, 20)])
@pytest.mark.parametrize("y", [0.85, 0.97, 1.0, 1.002, 1.01, 1.1, 1.5])
def test_saddlepoint_agrees_with_plain_sum(n, count, y):
    """The fast tail differs from the plain one by less than 1e-4 in log p, near the mean too."""
    assert law("relu_ratio", n=n).log_sf(y, count) == pytest.approx(plain_log_sf(n, count, y), abs=1e-4)


def test_plain_sum_tells_a_wrong_law():
    """The comparison would see a variance that is off by 1 %: a different mixture fails it."""
    wrong = mixture("wrong", 32, np.array([1.0, 0.2]), np.array([0.5, 0.5]))
    assert abs(wrong.log_sf(1.1, 100) - plain_log_sf(32, 100, 1.1)) > 0.1


@pytest.mark.parametrize("n", [8, 16, 32, 64, 128, 512])
def test_log_relu_numbers(n):
    """Values of n Var log Y / 5 by the digamma sums."""
    expected = {8: 1.995, 16: 1.343, 32: 1.136, 64: 1.062, 128: 1.030, 512: 1.007}[n]
    assert law("log_relu", widths=(n,)).variance * n / 5 == pytest.approx(expected, abs=6e-4)


@pytest.mark.parametrize(("name", "parameters"), ALL)
@pytest.mark.parametrize("alpha", [1e-2, 1e-6])
def test_quantiles_invert_tails(name, parameters, alpha):
    """Quantiles of the mean leave alpha/2 beyond them."""
    one = law(name, **parameters)
    low, high = one.quantiles(alpha, 500)
    assert one.log_sf(high, 500) == pytest.approx(math.log(alpha / 2), abs=1e-6)
    assert one.log_cdf(low, 500) == pytest.approx(math.log(alpha / 2), abs=1e-6)


def test_one_network_in_its_own_tail():
    """The tail of a single network is its distribution function, to 3 % at 1e-4 (worst case of the saddlepoint)."""
    for name, parameters in ALL:
        one = law(name, **parameters)
        high = one.quantiles(2e-4, 1)[1]
        assert 1 - one.cdf(np.array([high]))[0] == pytest.approx(1e-4, rel=0.03), name


def test_far_tails_stay_finite():
    """A mean that is off by half in 100 000 networks has a log p, not -inf."""
    assert -1e7 < law("relu_ratio", n=128).log_cdf(0.5, 100_000) < -23026
    assert law("relu_ratio", n=4).log_cdf(0.0, 100) == pytest.approx(-400 * math.log(2))
    assert law("linear_ratio", n=4).log_cdf(0.0, 100) == -math.inf


@pytest.mark.parametrize("n", [1, 2, 3, 1074, 1075, 1100, 2000, 4096])
def test_widths_of_any_size(n):
    """Widths at which 2^-n is 0, or no share lies between 0 and 1, have laws with finite numbers of the right mean."""
    for one in (law("half_beta", n=n, m=n), law("relu_ratio", n=n), law("leaky_ratio", n=n, slope=0.1)):
        assert one.cumulants(0.0)[:2] == pytest.approx((0, 0), abs=1e-9)
        assert one.log_sf(1.5, 100) < one.log_sf(1.1, 100) < 0
    assert law("half_beta", n=n, m=n).atom == pytest.approx(2.0**-n, rel=1e-12)


def test_unknown_laws_are_named():
    """A wrong name or parameter is an error that says so."""
    with pytest.raises(InputError, match="did you mean 'relu_ratio'"):
        law("relu_rato", n=3)
    with pytest.raises(InputError, match="does not take"):
        law("relu_ratio", width=3)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("linear_ratio", {"n": 128}),
        ("relu_ratio", {"n": 32}),
        ("relu_ratio_backward", {"n": 16}),
        ("half_beta", {"n": 128, "m": 64}),
        ("leaky_ratio", {"n": 16, "slope": 0.1}),
    ],
)
def test_tails_at_any_departure(name: str, parameters: dict[str, float]) -> None:
    """From 1e-8 to 1e6 times the mean, log tails are numbers that fall with the distance from the mean."""
    ratio = law(name, **parameters)
    for count in (1, 256, 50_000):
        below = [ratio.log_cdf(y, count) for y in (1e-8, 1e-3, 0.05, 0.5, 0.99)]
        above = [ratio.log_sf(y, count) for y in (1e6, 20.0, 2.0, 1.01)]
        for tail in (below, above):
            assert all(math.isfinite(log_p) for log_p in tail)
            assert tail == sorted(tail)
