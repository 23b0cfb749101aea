"""Binomials and chi-squares of `chain` have their laws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from mcverify.kernels import chain_norms, generated
from mcverify.rng import chi_squares, halves, streams

RATE = 1e-6
"""Probability that right draws fail one test."""


def masses(n: int) -> np.ndarray:
    """P(min(K, n - K) = k) of a table, from its `least` on."""
    table = halves.table(n)
    return np.diff(np.concatenate([[0.0], table.below[:-1], [1.0]]))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 17, 64, 1000, 4096, 65535])
def test_table_of_signs(n: int) -> None:
    """Each mass is that of SciPy to 1e-9, the masses left out are below 1e-18 in all."""
    table = halves.table(n)
    k = table.least + np.arange(len(table.below))
    expected = np.where(2 * k == n, 1, 2) * stats.binom.pmf(k, n, 0.5)
    assert k[-1] == n // 2
    np.testing.assert_allclose(masses(n), expected, rtol=1e-9)
    assert 2 * stats.binom.cdf(table.least - 1, n, 0.5) < 1e-18


def test_table_of_a_million_signs() -> None:
    """Variance n/4 to 1e-9, and few entries."""
    n = 10**6
    table = halves.table(n)
    k = table.least + np.arange(len(table.below))
    assert np.sum(masses(n) * (k - n / 2) ** 2) == pytest.approx(n / 4, rel=1e-9)
    assert len(k) < 6000


@pytest.mark.parametrize("n", [1, 2, 3, 17, 1000])
def test_inversion(n: int) -> None:
    """Words on both sides of each step give the numbers before and after it; the top bit mirrors them."""
    table = halves.table(n)
    for step, below in enumerate(table.below[:-1]):
        if below < 1e-12:  # steps that a shift of one part in a million does not tell apart in 63 bits
            continue
        for shift, index in ((-1e-6, step), (1e-6, step + 1)):
            word = np.uint64(int(below * (1 + shift) * 2**63))
            args = (n, table.least, table.below, table.guide)
            few = halves.positive_signs(word, *args)
            assert few == table.least + index
            assert halves.positive_signs(word | np.uint64(1 << 63), *args) == n - few
    assert halves.positive_signs(np.uint64(2**63 - 1), n, table.least, table.below, table.guide) == n // 2
    assert halves.positive_signs(np.uint64(0), n, table.least, table.below, table.guide) >= table.least


def drawn(k: int, count: int = 200_000, text: tuple[str, str] | None = None) -> np.ndarray:
    """Chi-squares of k degrees of freedom, perhaps with a fault planted."""
    source = generated.source("norms", chain_norms.SCALARS)
    if text:
        assert source.count(text[0]) == 1
        source = source.replace(*text)
    module = generated.imported("mcverify_chi_squares", source)
    square, exponent = np.empty(count), np.empty(count, np.int64)
    module.first_norms(square, exponent, k, 1.0, 0, streams.stream(streams.FORWARD_NORM, 0), 0, *streams.key(5, "{}"))
    return np.asarray(square * 4.0**exponent)


@pytest.mark.parametrize("k", [1, 2, 3, 7, 64, 10**6])
def test_chi_squares(k: int) -> None:
    """Kolmogorov-Smirnov against the law, and the mean of the log within 5 standard errors."""
    values = drawn(k)
    assert stats.kstest(values, stats.chi2(k).cdf).pvalue > RATE
    error = np.sqrt(special.polygamma(1, k / 2) / len(values))
    assert abs(np.log(values).mean() - special.digamma(k / 2) - np.log(2)) < 5 * error


def test_chi_squares_catch_a_missing_rejection() -> None:
    """Planted fault: the first proposal taken whatever it is."""
    values = drawn(2, text=("np.float64(is_clear(ka[lane], za, w2) & is_clear(kb[lane], zb, w3))", "1.0"))
    assert stats.kstest(values, stats.chi2(2).cdf).pvalue < RATE


@pytest.mark.parametrize("k", [2, 3, 5, 20, 1000, 10**6])
def test_what_is_clear_is_accepted(k: int) -> None:
    """1 - SQUEEZE z^4 / d is below the probability of acceptance, wherever it is above 0."""
    d = k / 2 - 1 / 3
    z = np.linspace(-7, 7, 200_001)
    bound = 1 - chi_squares.SQUEEZE * z**4 / d
    z, bound = z[bound > 0], bound[bound > 0]
    y = z / np.sqrt(9 * d)
    log_accept = z**2 / 2 + d * (-3 * y - 3 * y**2 - y**3 + 3 * np.log1p(y))
    assert np.all(bound <= np.exp(log_accept) + 1e-9)
