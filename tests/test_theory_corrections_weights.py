"""F1, F2, F3: one layer of weights that are not Gaussian, against sums over every outcome."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from theory import activations
from theory.activations.quadrature import Array
from theory.corrections.weights import (
    kurtosis_corrected_mean,
    kurtosis_share,
    skewed_halving,
    tie_probability,
    tied_halving,
)
from theory.prediction import TheoryError


def binomial_mean(f: object, n: int) -> float:
    """E f(h) of Rademacher weights on n inputs of 1/sqrt(n): h = (2B - n)/sqrt(n), B ~ Bin(n, 1/2)."""
    h = (2 * np.arange(n + 1) - n) / math.sqrt(n)
    chance = np.array([float(Fraction(math.comb(n, k), 2**n)) for k in range(n + 1)])
    return float(chance @ f(h))  # type: ignore[operator]


def tanh_squared(s: Array, y: Array, dy: Array) -> Array:
    return np.asarray(y**2)


@pytest.mark.entry("F1")
def test_kurtosis_correction_against_binomial_sums() -> None:
    """E tanh(h)^2 for signs: what is left falls like 1/n^2; without the term, or with its sign turned, like 1/n."""
    tanh, rest, plain_rest = activations.get("tanh"), [], []
    for n in (50, 100, 200, 400):
        exact = binomial_mean(lambda h: np.tanh(h) ** 2, n)
        plain, term = kurtosis_corrected_mean(tanh, tanh_squared, 1.0, 1.0, kurtosis_share((1.0,) * n))
        rest.append(exact - plain - term)
        plain_rest.append(exact - plain)
        assert abs(exact - plain - term) < 0.1 * abs(exact - plain)
        assert abs(exact - plain + term) > abs(exact - plain)
    for k in range(3):
        assert rest[k] / rest[k + 1] == pytest.approx(4, rel=0.1)
        assert plain_rest[k] / plain_rest[k + 1] == pytest.approx(2, rel=0.1)


@pytest.mark.entry("F1")
def test_kurtosis_correction_is_exact_for_quartics() -> None:
    """E h^4 = 3 q^2 + (kappa - 3) v^2 sum x^4 on uneven inputs, by all 2^6 sign patterns."""
    x, v = (1.0, -0.5, 2.0, 0.3, 1.1, -0.7), 0.4
    signs = np.array(list(itertools.product([-1.0, 1.0], repeat=6))) * math.sqrt(v)
    exact = float(((signs @ np.array(x)) ** 4).mean())
    q = v * sum(a * a for a in x)
    found = kurtosis_corrected_mean(
        activations.get("linear"), lambda s, y, dy: np.asarray(s**4), q, 1.0, kurtosis_share(x)
    )
    assert sum(found) == pytest.approx(exact, rel=1e-10)
    assert found[0] != pytest.approx(exact, rel=1e-2)
    with pytest.raises(TheoryError, match="not 0"):
        kurtosis_share((0.0, 0.0))


@pytest.mark.entry("F2")
@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 10])
def test_ties_by_enumeration(n: int) -> None:
    """P(h = 0), forward and backward halving over all 2^n sign patterns; plain halving back is false for even n."""
    h = np.array(list(itertools.product([-1, 1], repeat=n))).sum(axis=1)
    relu2, mask = np.where(h > 0, h, 0) ** 2, h > 0
    assert tie_probability(n) == (h == 0).mean()
    forward, backward = tied_halving(n)
    assert forward == relu2.sum() / (h**2).sum()
    assert backward == mask.mean()
    assert (backward != 0.5) == (n % 2 == 0)


@pytest.mark.entry("F2")
def test_ties_of_many_inputs() -> None:
    """C(n, n/2)/2^n ~ sqrt(2/(pi n)) in long sums, where 2^n is beyond a float."""
    assert tie_probability(4000) == pytest.approx(math.sqrt(2 / (math.pi * 4000)), rel=1e-4)
    with pytest.raises(TheoryError, match="at least one input"):
        tie_probability(0)


@pytest.mark.entry("F3")
def test_skewed_halving_against_a_two_point_law() -> None:
    """w = b with chance p, else -c: binomial sums; the rest falls like 1/n, that of halving like n^-1/2."""
    p = 0.2
    b, c = math.sqrt((1 - p) / p), math.sqrt(p / (1 - p))  # mean 0, variance 1
    skew = p * b**3 - (1 - p) * c**3
    rest, halving = [], []
    for n in (100, 400, 1600):
        k = np.arange(n + 1)
        log = [math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in k]
        chance = np.exp(np.array(log) + k * math.log(p) + (n - k) * math.log1p(-p))
        h = b * k - c * (n - k)
        assert chance @ h**2 == pytest.approx(n, rel=1e-9)
        exact = float(chance @ np.maximum(h, 0) ** 2) / n
        stated = skewed_halving(skew, (1.0,) * n)
        rest.append(abs(exact - stated) * n)
        halving.append(abs(exact - 0.5) * math.sqrt(n))
        assert abs(exact - stated) < 0.1 * abs(exact - 0.5)
        assert abs(exact - (1 - stated)) > abs(exact - 0.5)  # the sign of the skewness matters
    assert max(rest) < 1
    assert halving[0] == pytest.approx(halving[2], rel=0.1)
    assert halving[0] == pytest.approx(skew * math.sqrt(2 / math.pi) / 6, rel=0.1)


@pytest.mark.entry("F3")
def test_skewness_of_h_depends_on_the_inputs() -> None:
    """sum x^3/|x|^3: inputs of both signs cancel, one input keeps all."""
    assert skewed_halving(2.0, (1.0, -1.0)) == 0.5
    assert skewed_halving(2.0, (3.0,)) == pytest.approx(0.5 * (1 + 2 * math.sqrt(2 / math.pi) / 3))
    with pytest.raises(TheoryError, match="not 0"):
        skewed_halving(1.0, (0.0,))
