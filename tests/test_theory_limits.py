"""Limits of sampling by a second route: enumeration in fractions, quadrature, mixtures of chi-squares."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import sympy as sp
from scipy import integrate, special, stats

from theory import activations, limits, mean_field
from theory.corrections import forward
from theory.corrections.signal import signal_of
from theory.net import DenseNet, Distribution
from theory.prediction import TheoryError


def chi_square_mixture(n: int) -> tuple[float, float]:
    """E Y^2/(E Y)^2 - 1 and Var log Y given Y > 0, Y = chi2_A, A ~ Bin(n, 1/2), by sums over A."""
    weights = [math.comb(n, a) / 2**n for a in range(n + 1)]
    mean = sum(w * a for a, w in enumerate(weights))
    second = sum(w * a * (a + 2) for a, w in enumerate(weights))
    alive = 1 - weights[0]
    logs = [w / alive * special.digamma(a / 2) for a, w in enumerate(weights) if a]
    squares = [
        w / alive * (special.digamma(a / 2) ** 2 + special.polygamma(1, a / 2)) for a, w in enumerate(weights) if a
    ]
    return second / mean**2 - 1, sum(squares) - sum(logs) ** 2


@pytest.mark.entry("G1", "C2")
@pytest.mark.parametrize("widths", [(3,), (8, 8, 8), (5, 20, 11)])
def test_relative_variance_and_log_spread_of_relu(widths: tuple[int, ...]) -> None:
    """Products of mixtures, layer by layer; the linear constant 2 for 5 is refuted."""
    parts = [chi_square_mixture(n) for n in widths]
    assert limits.relative_variance(widths) == pytest.approx(math.prod(1 + p for p, _ in parts) - 1, rel=1e-12)
    assert limits.log_spread(widths) == pytest.approx(sum(s for _, s in parts), rel=1e-10)
    assert limits.relative_variance(widths, slope=1.0) != pytest.approx(limits.relative_variance(widths), rel=0.3)


@pytest.mark.entry("G1")
@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0, -1.0])
def test_relative_variance_of_any_slope(slope: float) -> None:
    """Fourth over squared second moment of phi(z) by quadrature: 1 + (ratio - 1)/n a layer; the formula agrees."""

    def moment(k: int) -> float:
        return integrate.quad(
            lambda z: (z if z > 0 else slope * z) ** k * math.exp(-z * z / 2) / math.sqrt(2 * math.pi),
            -14,
            14,
            points=[0],
        )[0]

    ratio = moment(4) / moment(2) ** 2
    assert limits.relative_variance([7] * 3, slope) == pytest.approx((1 + (ratio - 1) / 7) ** 3 - 1, rel=1e-9)
    with pytest.raises(TheoryError, match="at least one unit"):
        limits.relative_variance([3, 0])


@pytest.mark.entry("G1")
def test_spread_is_about_5_over_n() -> None:
    """s^2 n/L = 5 + 37/(2n) + O(n^-2) for ReLU, 2 + 2/n + O(n^-2) for linear layers: the rest falls 16-fold at 4n."""
    for slope, (first, second) in ((0.0, (5.0, 18.5)), (1.0, (2.0, 2.0))):
        rest = [limits.log_spread([n] * 4, slope) * n / 4 - first - second / n for n in (200, 800)]
        assert rest[0] / rest[1] == pytest.approx(16, rel=0.1)
        assert abs(rest[0]) < second / 200 / 5


@pytest.mark.entry("G1")
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("s2", [4.0, 9.0])
def test_moments_are_carried_by_rare_values(order: int, s2: float) -> None:
    """Lognormal: what a sample of M holds (up to the 1/M tail) carries about half of E Y^k at M = exp(k^2 s^2/2)."""
    s = math.sqrt(s2)

    def carried(networks: float) -> float:
        """Share of E Y^k below the level that one of so many networks exceeds, by quadrature over the normal."""
        top = stats.norm.isf(1 / networks)
        part = integrate.quad(
            lambda z: math.exp(order * s * z - z * z / 2 - order**2 * s2 / 2) / math.sqrt(2 * math.pi),
            -12,
            top,
            limit=200,
        )[0]
        return float(part)

    needed = limits.networks_for_moment(s2, order)
    assert 0.1 < carried(needed) < 0.6
    assert carried(50 * needed) > 0.55
    assert carried(math.sqrt(needed)) < 0.2
    if order == 2:
        assert limits.moment_may_be_estimated(math.ceil(50 * needed), s2)
        assert not limits.moment_may_be_estimated(math.floor(49 * needed), s2)
    assert not limits.moment_may_be_estimated(10**300, 400.0)
    for wrong, words in ((-1.0, "not negative"), (1401.0, "use the log")):
        with pytest.raises(TheoryError, match=words):
            limits.networks_for_moment(wrong)


@pytest.mark.entry("G1", "G5")
def test_errors_by_enumerating_samples() -> None:
    """All samples of 2 to 5 from a skewed law, in fractions: error of the mean, and of the unbiased variance."""
    values = (Fraction(0), Fraction(1), Fraction(5))
    mean = sum(values) / 3
    variance = sum((x - mean) ** 2 for x in values) / 3
    kurtosis = sum((x - mean) ** 4 for x in values) / 3 / variance**2
    for size in (2, 3, 4, 5):
        means, variances = [], []
        for sample in product(values, repeat=size):
            centre = sum(sample) / size
            means.append(centre)
            variances.append(sum((x - centre) ** 2 for x in sample) / (size - 1))
        count = len(means)
        error_of_mean = sum((m - mean) ** 2 for m in means) / count / mean**2
        error = sum((v - variance) ** 2 for v in variances) / count / variance**2
        found = limits.relative_error_of_mean(float(variance / mean**2), size)
        assert found**2 == pytest.approx(float(error_of_mean), rel=1e-13)
        exact = limits.relative_error_of_variance(float(kurtosis), size, exact=True)
        assert exact**2 == pytest.approx(float(error), rel=1e-13)
        leading = limits.relative_error_of_variance(float(kurtosis), size) ** 2
        assert exact**2 - leading == pytest.approx(2 / (size * (size - 1)), rel=1e-10)
    with pytest.raises(TheoryError, match="kurtosis=0"):
        limits.relative_error_of_variance(0.5, 10)


@pytest.mark.entry("G6")
def test_networks_to_see_a_shift() -> None:
    """At that number the standard error is the shift over k, one fewer is not enough; critical tanh needs 6n/l."""
    shift, variance, k = 0.013, 0.4, 2.5
    networks = limits.networks_to_see(shift, variance, k)
    assert k * math.sqrt(variance / networks) <= shift < k * math.sqrt(variance / (networks - 1))
    n, layer = sp.symbols("n l", positive=True)
    spread, correction = sp.Rational(2, 3) * layer / n, -layer / (3 * n)
    assert sp.simplify(spread / correction**2 - 6 * n / layer) == 0
    assert limits.networks_at_critical_tanh(128, 8) == float((6 * n / layer).subs({n: 128, layer: 8}))
    with pytest.raises(TheoryError, match="no number"):
        limits.networks_to_see(0.0, 1.0)


def chain(width: int, layers: int, count: int) -> np.ndarray:
    """G at the last layer of tanh nets, E w^2 = 1/width, by the chain of single numbers: one normal a unit."""
    rng = np.random.default_rng(7)
    g = np.ones(count)
    for _ in range(layers - 1):
        for part in np.array_split(np.arange(count), 1 + count // 10_000):
            z = rng.standard_normal((part.size, width))
            g[part] = np.mean(np.tanh(np.sqrt(g[part])[:, None] * z) ** 2, axis=1)
    return g


@pytest.mark.entry("G7", "G6", "E4", "NC-5")
def test_infinite_width_is_refuted_where_the_correction_is_not() -> None:
    """tanh, width 128, layer 6, as many nets as make eps_l 12 errors: 8 from q_l, under 4 from q_l + eps_l."""
    width, layer = 128, 6
    net = DenseNet(
        (width,) * (layer + 1),
        activations.get("tanh"),
        weights=(Distribution("normal", 1 / width),) * layer,
        input=(1.0,) * width,
    )
    signal = signal_of(net, layer)
    count = limits.networks_to_see(signal.shift[0], signal.scatter[0], 12.0)
    values = chain(width, layer, count)
    error = values.std() / math.sqrt(count)
    limit = mean_field.second_moment("preactivation", layer).at(net).value
    corrected = forward.mean("preactivation", "second_moment", layer).at(net).value
    assert abs(values.mean() - limit) > 8 * error
    assert abs(values.mean() - corrected) < 4 * error
