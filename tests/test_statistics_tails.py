"""Log tails against mpmath, from 0.5 to 1e-10000 and beyond."""

import math

import mpmath as mp
import pytest
from scipy import stats

from mcverify.statistics import tails

RELATIVE = 1e-8  # of log p


def upper_gamma(a: float, x: float) -> float:
    with mp.workdps(40):
        return float(mp.log(mp.gammainc(a, x, mp.inf, regularized=True)))


def lower_gamma(a: float, x: float) -> float:
    with mp.workdps(40):
        return float(a * mp.log(x) - x - mp.loggamma(a + 1) + mp.log(mp.hyp1f1(1, a + 1, x)))


@pytest.mark.parametrize("a", [0.5, 1.0, 5.0, 64.0, 1000.0])
@pytest.mark.parametrize("factor", [1.01, 1.2, 2.0, 5.0, 50.0])
def test_gamma_tails(a, factor):
    """Both tails of a gamma agree with mpmath in log p."""
    assert tails.log_gamma_sf(a, a * factor) == pytest.approx(upper_gamma(a, a * factor), rel=RELATIVE)
    assert tails.log_gamma_cdf(a, a / factor) == pytest.approx(lower_gamma(a, a / factor), rel=RELATIVE)


@pytest.mark.parametrize("df", [2, 9, 99, 9999])
@pytest.mark.parametrize("t", [0.0, 0.5, 2.0, 20.0, 1000.0])
def test_t_tail(df, t):
    """Student's tail agrees with mpmath in log p, and its lower side is the complement."""
    with mp.workdps(40):
        expected = float(mp.log(mp.betainc(df / 2, 0.5, 0, mp.mpf(df) / (df + mp.mpf(t) ** 2), regularized=True) / 2))
    assert tails.log_t_sf(t, df) == pytest.approx(expected, rel=RELATIVE)
    assert math.exp(tails.log_t_sf(-min(t, 20.0), df)) == pytest.approx(stats.t.cdf(min(t, 20.0), df), rel=1e-9)


@pytest.mark.parametrize(("n", "k", "p"), [(100, 90, 0.5), (1000, 600, 0.1), (10000, 5000, 0.01), (100000, 1, 2**-60)])
def test_binomial_tail(n, k, p):
    """The upper binomial tail agrees with the sum of its terms, and the lower one is its mirror image."""
    with mp.workdps(40):
        total = mp.fsum(
            mp.binomial(n, j) * mp.mpf(p) ** j * (1 - mp.mpf(p)) ** (n - j) for j in range(k, min(n, k + 900) + 1)
        )
        expected = float(mp.log(total))
    assert tails.log_binomial_sf(k, n, p) == pytest.approx(expected, rel=RELATIVE)
    if p > 1e-10:
        assert tails.log_binomial_cdf(n - k, n, 1 - p) == pytest.approx(expected, rel=RELATIVE)


def test_far_tails_beyond_floats():
    """A p of 1e-10000 has a finite log where scipy's own log tail is -inf."""
    x = 10000 * math.log(10)
    assert tails.log_gamma_sf(1.0, x) == pytest.approx(-x, rel=1e-12)
    assert stats.chi2.logsf(2 * x, 2.5) == -math.inf  # the fault that the continued fraction mends
    assert tails.log_normal_sf(250.0) == pytest.approx(float(mp.log(mp.ncdf(-250))), rel=RELATIVE)


def test_quantiles_invert_tails():
    """The normal quantile of a log tail inverts it, far out too."""
    for z in (0.5, 5.0, 60.0):
        assert tails.normal_quantile_log(tails.log_normal_sf(z)) == pytest.approx(z, rel=1e-9)
    assert tails.normal_quantile(0.005) == pytest.approx(2.5758293035489, rel=1e-10)
