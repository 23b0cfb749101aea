"""Laws of logs of norms, by second routes: mpmath, binomial sums, Laplace transforms, simulated networks.

Kolmogorov-Smirnov with M draws: a right law exceeds 3.2 / sqrt(M) with probability 2 exp(-2 3.2^2) = 3e-9, and a law
whose distance is d exceeds it but for probability about 2 exp(-2 (d sqrt(M) - 3.2)^2).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import mpmath as mp
import numpy as np
import numpy.typing as npt
import pytest
from scipy import integrate, special, stats

from mcverify.statistics import laws as tables
from theory import laws, logs, products
from theory.finite_width import Factor, log_mean, log_moments_by_laplace, log_variance
from theory.laws import LogLaw
from theory.laws.steps import SUMMED, _density, gamma_cumulant, shares, step
from theory.net import DenseNet, Distribution
from theory.prediction import TheoryError

Array = npt.NDArray[np.float64]
KS = 3.2
COUNT = 20_000


def net(widths: tuple[int, ...], slope: float, *, gain: float | None = None, x: object = None) -> DenseNet:
    top = 2 / (1 + slope**2) if gain is None else gain
    return DenseNet(
        widths,
        "leaky_relu",
        {"negative_slope": slope},
        weights=tuple(Distribution("normal", top / n) for n in widths[:-1]),
        input=tuple(float(k + 1) for k in range(widths[0])) if x is None else x,  # type: ignore[arg-type]
    )


def ks(sample: Array, cdf: Callable[[Array], Array]) -> float:
    """sqrt(M) sup |F_M - F|."""
    F = cdf(np.sort(sample))
    steps = np.arange(sample.size + 1) / sample.size
    return float(math.sqrt(sample.size) * max((steps[1:] - F).max(), (F - steps[:-1]).max()))


def simulate(one: DenseNet, seed: int, count: int = COUNT) -> dict[tuple[str, int], Array]:
    """Sums of squares, one a network, by plain NumPy; with J u for u = e_1."""
    rng, slope = np.random.default_rng(seed), one.phi(1).parameters["negative_slope"]
    if isinstance(one.input, Distribution):
        x = rng.normal(0, math.sqrt(one.input.variance or 0.0), (count, one.widths[0]))
    else:
        x = np.tile(np.array(one.input), (count, 1))
    u = np.tile(np.eye(one.widths[0])[0], (count, 1))
    xs, weights, rates = [x], [np.zeros(0)], [np.zeros(0)]
    found = {}
    for k in range(1, one.depth + 1):
        shape = (count, one.widths[k], one.widths[k - 1])
        weights.append(rng.normal(0, math.sqrt(one.weight(k).variance or 0.0), shape))
        h = np.einsum("rij,rj->ri", weights[k], xs[-1])
        rates.append(np.where(h > 0, 1.0, slope * (h != 0)))
        xs.append(rates[k] * h)
        u = rates[k] * np.einsum("rij,rj->ri", weights[k], u)
        found["preactivation", k] = (h**2).sum(axis=1)
        found["activation", k], found["jacobian", k] = (xs[-1] ** 2).sum(axis=1), (u**2).sum(axis=1)
    g = rng.normal(size=(count, one.widths[-1]))
    for k in range(one.depth, 0, -1):
        delta = rates[k] * g
        found["preactivation_gradient", k] = (delta**2).sum(axis=1)
        found["weight_gradient", k] = found["preactivation_gradient", k] * (xs[k - 1] ** 2).sum(axis=1)
        g = np.einsum("rij,ri->rj", weights[k], delta)
        found["activation_gradient", k - 1] = (g**2).sum(axis=1)
    return found


def log_alive(squares: Array) -> Array:
    return np.log(squares[squares > 0])


# Numbers


@pytest.mark.entry("B3", "C6")
@pytest.mark.parametrize("n", [1, 2, 5, 40, 3000])
def test_one_linear_layer_is_log_chi_square(n: int) -> None:
    """Distribution, survival, density and quantiles against SciPy's chi-square, tails with relative digits."""
    law, exact = LogLaw.of([Factor(n, 1.0)]), stats.chi2(n)
    x = law.mean + law.std * np.linspace(-7, 6, 53)
    assert np.abs(law.cdf(x) - exact.cdf(np.exp(x))).max() < 1e-12
    assert np.abs(law.pdf(x) - exact.pdf(np.exp(x)) * np.exp(x)).max() < 1e-11 / law.std
    above = x[exact.sf(np.exp(x)) > 1e-60]
    assert np.allclose(law.sf(above), exact.sf(np.exp(above)), rtol=1e-9, atol=0)
    below = x[exact.cdf(np.exp(x)) > 1e-25]
    assert np.allclose(law.cdf(below), exact.cdf(np.exp(below)), rtol=1e-9, atol=0)
    p = np.array([1e-15, 1e-6, 0.3, 0.5, 0.99, 1 - 1e-9])
    assert np.allclose(np.exp(law.ppf(p)), exact.ppf(p), rtol=1e-7)
    assert law.error < 1e-11


@pytest.mark.entry("C6")
@pytest.mark.parametrize("n", [1, 3, 30, 200])
def test_one_relu_layer_is_a_binomial_sum(n: int) -> None:
    """P(Y <= y | Y > 0) as a sum over the number of units on."""
    law = LogLaw.of([Factor(n, 0.0)])
    k = np.arange(1, n + 1)
    weight = stats.binom.pmf(k, n, 0.5) / (1 - 0.5**n)
    x = law.mean + law.std * np.linspace(-5, 4, 37)
    exact = stats.chi2(k[:, None]).cdf(np.exp(x)).T @ weight
    assert np.abs(law.cdf(x) - exact).max() < 1e-12
    assert law.alive == pytest.approx(1 - 0.5**n, rel=1e-15)


@pytest.mark.entry("C4", "C6")
@pytest.mark.parametrize(("slope", "n"), [(0.3, 1), (0.3, 2), (0.05, 3), (-0.6, 6)])
def test_one_leaky_layer_by_convolution(slope: float, n: int) -> None:
    """P(chi2_A + a^2 chi2_(n-A) <= y) by SciPy's adaptive quadrature over one of the two, summed over A."""
    law = LogLaw.of([Factor(n, slope)])
    for x in law.mean + law.std * np.array([-2.0, -0.5, 0.4, 1.5]):
        y, total = math.exp(x), 0.0
        for k in range(n + 1):
            p = math.comb(n, k) / 2**n
            if k in (0, n):
                total += p * stats.chi2.cdf(y if k else y / slope**2, n)
                continue

            def inner(t: float, k: int = k, y: float = y) -> float:  # t^2 = chi2_k: no pole at 0
                return 2 * t * stats.chi2.pdf(t * t, k) * stats.chi2.cdf((y - t * t) / slope**2, n - k)

            total += p * integrate.quad(inner, 0, math.sqrt(y), epsabs=1e-12, epsrel=1e-11, limit=400)[0]
        assert float(law.cdf(x)) == pytest.approx(total, abs=1e-9)


@pytest.mark.entry("C6")
def test_two_layers_by_bessel_functions() -> None:
    """chi2_2 times chi2_2: P(product > y) = sqrt(y) K_1(sqrt(y)) in closed form."""
    law = LogLaw.of([Factor(2, 1.0)], times=2)
    x = law.mean + law.std * np.linspace(-4, 3.5, 31)
    y = np.exp(x / 2)
    assert np.allclose(law.sf(x), y * special.k1(y), rtol=1e-10, atol=0)
    wrong = LogLaw.of([Factor(2, 1.0), Factor(3, 1.0)])
    assert np.abs(wrong.sf(x) - y * special.k1(y)).max() > 0.05


@pytest.mark.entry("C6")
@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])
def test_gil_pelaez_gives_the_same(slope: float) -> None:
    """1/2 - (1/pi) int Im(e^{-itx} phi(t))/t dt on the real line, midpoint rule, from `characteristic` alone."""
    law = LogLaw.of([Factor(9, slope)], 0.7, times=5)
    h = 0.02 / law.std
    t = np.asarray((np.arange(4000) + 0.5) * h, dtype=np.float64)
    for x in law.mean + law.std * np.array([-2.5, 0.0, 1.0, 2.5]):
        value = 0.5 - float((np.exp(-1j * t * x) * law.characteristic(t) / t).imag.sum() * h / math.pi)
        assert float(law.cdf(x)) == pytest.approx(value, abs=1e-10)


@pytest.mark.entry("C6")
def test_characteristic_function_is_that_of_the_mixture() -> None:
    """E[2^{it} Gamma(A/2 + it)/Gamma(A/2)] over A ~ Bin(n, 1/2) given A >= 1, in mpmath."""
    n, t = 6, 0.9
    total = sum(
        mp.binomial(n, k) * mp.mpf(2) ** (1j * t) * mp.gamma(mp.mpf(k) / 2 + 1j * t) / mp.gamma(mp.mpf(k) / 2)
        for k in range(1, n + 1)
    ) / (mp.mpf(2) ** n - 1)
    found = LogLaw.of([Factor(n, 0.0)]).characteristic(t)[0]
    assert abs(complex(total) - found) < 1e-13


@pytest.mark.entry("C4")
@pytest.mark.parametrize("slope", [0.0, 0.01, 0.5])
@pytest.mark.parametrize("n", [1, 2, 7, 61, 900])
def test_moments_by_laplace_transforms(slope: float, n: int) -> None:
    """E log Y and Var log Y from E e^{-tY}, which never sees A or B; ReLU by mpmath's own integral."""
    one = step(Factor(n, slope))
    if slope:
        mean, variance = log_moments_by_laplace(Factor(n, slope))
    else:
        dead = mp.mpf(2) ** -n

        def difference(s: mp.mpf) -> mp.mpf:  # in s = log t: no singularity at 0
            t = mp.e**s
            return mp.e**-t - (((1 + 1 / mp.sqrt(1 + 2 * t)) / 2) ** n - dead) / (1 - dead)

        centre = -float(mp.log(n))
        mean = float(mp.quad(difference, [-60, centre - 8, centre - 2, centre, centre + 2, 0, 8, 40, 120]))
        variance = log_variance(Factor(n, 0.0))
    assert one.mean == pytest.approx(mean, abs=1e-9)
    assert one.variance == pytest.approx(variance, rel=1e-8)


@pytest.mark.entry("C2", "C4")
@pytest.mark.parametrize("slope", [0.0, 0.3])
@pytest.mark.parametrize("n", [2, 59, 61, SUMMED, SUMMED + 1, 10**4, 10**6])
def test_powers_are_the_moments(slope: float, n: int) -> None:
    """E Y, E Y^2 and E Y^3 from the cumulant function: n c2, C2's ratio, and the polynomial of the third moment."""
    one, c2, c4, c6 = step(Factor(n, slope)), *((1 + slope**k) / 2 for k in (2, 4, 6))
    alive = 1 - 0.5**n if slope == 0 else 1.0
    raw = (n * c2, n * (n - 1) * c2**2 + 3 * n * c4)
    third = n * (n - 1) * (n - 2) * c2**3 + 3 * n * (n - 1) * 3 * c4 * c2 + 15 * n * c6
    for k, expected in enumerate((*raw, third), 1):
        assert one.power(float(k)) * alive == pytest.approx(expected, rel=1e-12)


@pytest.mark.entry("C4")
def test_wide_relu_layers_are_the_same_by_nodes_and_by_sums() -> None:
    """At one width the two forms agree; the nodes' total is (1 - 2^{1-n}) before it is normalised (n = 2: sech)."""
    weight, log_share = shares(200, 0.0)
    mean = math.log(2) + special.digamma(100) + float(weight @ log_share)
    assert mean == pytest.approx(log_mean(Factor(200, 0.0)), abs=1e-13)
    w, density = _density(2, False)
    assert np.allclose(density / density.sum(), (w[1] - w[0]) / (math.pi * np.cosh(w)), rtol=1e-10)


@pytest.mark.entry("C6")
def test_gamma_differences_do_not_cancel() -> None:
    """log Gamma(a+s) - log Gamma(a) - s psi(a) against mpmath at 40 digits, relative 1e-11 of s^2/(2a)."""
    with mp.workdps(40):
        for a in (0.5, 7.0, 21.0, 1e3, 5e5):
            for s in (0.3 + 2j, -0.2 + 9j, 5 - 40j):
                exact = mp.loggamma(mp.mpf(a) + mp.mpc(s)) - mp.loggamma(a) - mp.mpc(s) * mp.digamma(a)
                found = gamma_cumulant(np.array(a), np.array(s))
                turns = round((complex(found).imag - float(exact.imag)) / (2 * math.pi))
                assert abs(complex(found) - complex(exact) - 2j * math.pi * turns) < 1e-11 * max(abs(s) ** 2 / a, 0.1)


@pytest.mark.entry("C6")
@pytest.mark.parametrize("factor", [Factor(10**6, 0.0), Factor(10**6, 0.01), Factor(30, 0.0), Factor(1, 1.0)])
def test_ten_thousand_layers(factor: Factor) -> None:
    """Equal factors are one: depth 10^4 takes no time, is monotone, within its stated error of Edgeworth's series."""
    start = time.perf_counter()
    law = LogLaw.of([factor], times=10_000)
    z = np.linspace(-6, 6, 241)
    F = law.cdf(law.mean + law.std * z)
    assert time.perf_counter() - start < 5
    assert law.error < 1e-9
    assert np.all(np.diff(F) > -1e-15)
    one = step(factor)
    third = float(one.weight @ (one.centre**3 + 3 * one.centre * special.polygamma(1, one.shape))) + float(
        one.weight @ (special.polygamma(2, one.shape) * np.ones(one.weight.size))
    )
    skew = third / one.variance**1.5 / 100
    edgeworth = special.ndtr(z) - skew * (z**2 - 1) / 6 * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    assert np.abs(F - edgeworth).max() < 3e-4  # the next terms, 1/depth
    assert np.abs(F - special.ndtr(z)).max() > abs(skew) / 20


@pytest.mark.entry("C6")
def test_the_simulators_tables_give_the_same() -> None:
    """The statistics' own laws, which share a name and parameters alone: two programs, one law."""
    for factors in (
        [Factor(16, 0.0)] * 3,
        [Factor(8, 1.0), Factor(4, 1.0)],
        [Factor(8, 0.2)] * 2,
        [Factor(8, 1.0), Factor(16, 0.0), Factor(16, 0.0)],
        [Factor(8, 1.0), Factor(6, 0.2)],
    ):
        named = logs.log_law(factors)
        assert named is not None
        table, law = tables.law(named.name, **named.parameters), LogLaw.of(factors)
        y = law.std * np.linspace(-3, 3, 25)
        assert np.abs(table.cdf(y) - law.cdf(law.mean + y)).max() < 1e-5
        assert table.variance == pytest.approx(law.variance, rel=1e-8)
    assert np.abs(table.cdf(y) - LogLaw.of(factors[:1]).cdf(LogLaw.of(factors[:1]).mean + y)).max() > 0.01


# Networks


@pytest.mark.entry("B3", "C4", "C6", "C7", "C8")
@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0], ids=["relu", "leaky", "linear"])
def test_laws_of_simulated_networks(slope: float) -> None:
    """KS of every norm of a narrow net; a law of the neighbouring layer, and one of linear layers, are refuted."""
    one = net((3, 4, 3, 5), slope)
    found = simulate(one, 21)
    cases = {
        ("activation", 3): laws.log_norm(one, 3),
        ("preactivation", 2): laws.log_norm(one, 2, "preactivation"),
        ("preactivation_gradient", 1): laws.log_gradient(one, 1),
        ("activation_gradient", 1): laws.log_gradient(one, 1, "activation_gradient"),
        ("weight_gradient", 2): laws.log_weight_gradient(one, 2),
        ("jacobian", 3): laws.log_jacobian(one),
    }
    for key, law in cases.items():
        sample = log_alive(found[key])
        assert ks(sample, law.cdf) < KS, key
        assert (sample.mean() - law.mean) / (law.std / math.sqrt(sample.size)) == pytest.approx(0, abs=5.5)
    sample = log_alive(found["activation", 3])
    assert ks(sample, laws.log_norm(one, 2).cdf) > KS
    if slope == 0:
        linear = net((3, 4, 3, 5), 1.0, gain=2.0)
        shifted = laws.log_norm(linear, 3)
        assert ks(sample - sample.mean(), lambda x: shifted.cdf(x + shifted.mean)) > KS


@pytest.mark.entry("C6")
def test_gaussian_inputs_are_one_more_linear_factor() -> None:
    """KS with x_0 ~ N(0, 0.5 I) and ReLU layers, the mixed sum; the law of a fixed input of that norm is refuted."""
    one = net((3, 6, 6), 0.0, x=Distribution("normal", 0.5))
    sample = log_alive(simulate(one, 22)["activation", 2])
    assert ks(sample, laws.log_norm(one, 2).cdf) < KS
    fixed = net((3, 6, 6), 0.0, x=(math.sqrt(1.5), 0.0, 0.0))
    assert ks(sample, laws.log_norm(fixed, 2).cdf) > KS


@pytest.mark.entry("C8")
def test_weight_gradients_have_one_law() -> None:
    """log v_l |dW_l|^2 has one law; |delta_l|^2 |x_l|^2 has not that law (dependent)."""
    one = net((4, 6, 3, 5), 0.0)
    rows = [laws.log_weight_gradient(one, k) for k in (1, 2, 3)]
    p = np.array([0.01, 0.5, 0.9])
    shifted = [row.ppf(p) + math.log(one.weight(k).variance or 0.0) for k, row in enumerate(rows, 1)]
    assert np.allclose(shifted, shifted[0], atol=1e-11)
    found = simulate(one, 23)
    alike = [log_alive(found["weight_gradient", k]) for k in (1, 3)]
    assert ks(alike[0], rows[0].cdf) < KS
    assert ks(log_alive(found["preactivation_gradient", 1] * found["activation", 1]), rows[0].cdf) > KS


@pytest.mark.entry("C6")
def test_normal_limit() -> None:
    """N(-B/2, B): the distance to the exact law falls with the width at L/n fixed."""

    def critical(n: int, depth: int) -> DenseNet:
        return net((n,) * (depth + 1), 0.0)

    distances = [laws.normal_limit(critical(n, n // 4), n // 4).distance for n in (16, 64, 256)]
    assert distances[0] > 1.7 * distances[1] > 2.5 * distances[2] > 0
    limit = laws.normal_limit(critical(64, 16), 16)
    assert (limit.mean, limit.variance) == pytest.approx((-0.625, 1.25))
    assert limit.cdf(-0.625) == 0.5
    law = laws.log_norm(critical(64, 16), 16)
    start = math.log(sum(float(k + 1) ** 2 for k in range(64)))
    assert law.mean - start == pytest.approx(-0.625, abs=0.05)
    assert law.variance == pytest.approx(1.25, rel=0.1)


@pytest.mark.entry("D3", "D4", "D5", "D6")
def test_products_of_matrices() -> None:
    """KS of log norm, log entry, log volume of 2-frames, log |det| of products of four 3 x 3 Gaussians."""
    rng, n, k, variance = np.random.default_rng(24), 3, 4, 0.6
    M = np.broadcast_to(np.eye(n), (COUNT, n, n))
    for _ in range(k):
        M = rng.normal(0, math.sqrt(variance), (COUNT, n, n)) @ M
    cases = {
        "norm": (np.log(np.sum(M[:, :, 0] ** 2, axis=1)), laws.product_log_norm(n, k, variance)),
        "entry": (np.log(M[:, 1, 2] ** 2), laws.product_log_entry(n, k, variance)),
        "area": (
            np.log(np.linalg.norm(np.cross(M[:, :, 0], M[:, :, 1]), axis=1)),
            laws.product_log_volume(n, k, variance, frame=2),
        ),
        "determinant": (np.log(np.abs(np.linalg.det(M))), laws.product_log_volume(n, k, variance)),
    }
    for name, (sample, law) in cases.items():
        assert ks(sample, law.cdf) < KS, name
        assert ks(sample, laws.product_log_norm(n, k, variance).cdf) > 2 * KS or name == "norm"
    assert ks(cases["norm"][0], laws.product_log_norm(n, k, 0.65).cdf) > KS
    exponents = products.lyapunov_exponents(n, variance)
    for m in (1, 2, 3):
        volume = laws.product_log_volume(n, k, variance, frame=m)
        assert volume.mean == pytest.approx(k * sum(exponents[:m]), rel=1e-12)
        assert (volume.mean, volume.variance) == pytest.approx(products.log_volume(n, k, variance, m), rel=1e-12)


@pytest.mark.entry("C6")
@pytest.mark.parametrize("slope", [3e-3, 1e-4, 1e-8, 1e6])
@pytest.mark.parametrize("n", [10, 40, 59, 60, 80])
def test_slopes_near_0_have_a_far_component(slope: float, n: int) -> None:
    """All units negative: 2^-n of the law lies 2 log a away, and must not outweigh the rest; against the binomial sum.

    With A >= 1 units positive a^2 chi2_(n-A) is negligible: Y is chi2_A, or a^2 chi2_n with probability 2^-n.
    """
    small = min(slope, 1 / slope)
    law, x = LogLaw.of([Factor(n, slope)]), np.linspace(-1.5, 1, 26)
    k, above = np.arange(1, n + 1), math.log(max(1.0, slope) ** 2)
    y = n / 2 * np.exp(x)
    exact = stats.chi2(k[:, None]).cdf(y).T @ stats.binom.pmf(k, n, 0.5) + 0.5**n * stats.chi2(n).cdf(y / small**2)
    bound = 1e-12 + n**2 * small**2  # a^2 chi2_(n-A) moves y by less than that share
    assert np.abs(law.cdf(np.log(y) + above) - exact).max() < bound
    assert law.error < 1e-9


# Sample sizes


@pytest.mark.entry("C5", "G4")
def test_dead_networks() -> None:
    """Counts of dead nets against the binomial at 1e-6 each side; 2^-64 keeps its digits; networks that are needed."""
    one = net((3, 3, 2, 3), 0.0)
    chance = laws.dead_probability(one, 3)
    assert chance == pytest.approx(1 - (1 - 2**-3) ** 2 * (1 - 2**-2), rel=1e-14)
    dead = int((simulate(one, 25)["activation", 3] == 0).sum())
    assert 1e-6 < stats.binom.cdf(dead, COUNT, chance) < 1 - 1e-6
    assert not 1e-6 < stats.binom.cdf(dead, COUNT, 1 - (1 - 2**-3) ** 3) < 1 - 1e-6
    assert laws.dead_probability(net((4, 64), 0.0), 1) == 2.0**-64
    need = laws.networks_for_alive(1 - chance, 1000, 1e-4)
    assert stats.binom.cdf(999, need, 1 - chance) <= 1e-4 < stats.binom.cdf(999, need - 1, 1 - chance)
    biased = DenseNet((2, 2, 2), "relu", weights=(Distribution("normal", 1.0),) * 2,
                      biases=(Distribution("normal", 0.1),) * 2)  # fmt: skip
    assert laws.dead_jacobian_probability(biased, 2) == pytest.approx(1 - 0.75**2, rel=1e-14)
    with pytest.raises(TheoryError, match="no biases"):
        laws.dead_probability(biased, 2)


@pytest.mark.entry("G1", "A12")
def test_relative_variances() -> None:
    """(1+5/n)^L - 1 for ReLU, (1+2/n)^L - 1 linear, the same for |dW_l|_F^2 in every layer; what M networks give."""
    n, depth = 12, 5
    for slope, excess in ((0.0, 5), (1.0, 2)):
        one = net((n,) * (depth + 1), slope)
        expected = (1 + excess / n) ** depth - 1
        assert laws.relative_variance(one, depth) == pytest.approx(expected, rel=1e-12)
        for layer in (1, 3, 5):
            assert laws.relative_variance(one, layer, "weight_gradient") == pytest.approx(expected, rel=1e-12)
        need = laws.networks_for_mean(one, depth)
        assert need == pytest.approx(50 * math.exp(2 * laws.log_norm(one, depth).variance), rel=1e-12)
    assert laws.relative_variance(net((n,) * 6, 0.0), 5) != pytest.approx((1 + 2 / n) ** 5 - 1, rel=0.1)
    deep = net((10,) * 1001, 0.0)
    with pytest.raises(TheoryError, match="use the log"):
        laws.networks_for_mean(deep, 1000)


@pytest.mark.entry("G2", "C2")
@pytest.mark.parametrize(("slope", "excess"), [(0.0, 5.0), (1.0, 2.0)])
def test_layer_ratios_are_complete(slope: float, excess: float) -> None:
    """Mean 1 at criticality, variance 5/N or 2/N, and the law: KS of simulated ratios where the layer is reached."""
    from theory.ratios import activation_ratio

    one = net((3, 5, 8), slope)
    predicted = activation_ratio(2).at(one)
    assert predicted.law is not None
    assert predicted.variance == pytest.approx((excess / 8) * predicted.value**2, rel=1e-12)
    found = simulate(one, 26)
    ratio = (found["activation", 2] / 8)[found["activation", 1] > 0]
    ratio = ratio / (found["activation", 1] / 5)[found["activation", 1] > 0] / predicted.value
    table = tables.law(predicted.law.name, **predicted.law.parameters)
    assert ks(ratio[ratio > 0], lambda y: (table.cdf(y) - table.atom) / (1 - table.atom)) < KS
    other = tables.law("linear_ratio" if slope == 0 else "relu_ratio", n=8)
    assert ks(ratio, other.cdf) > KS


@pytest.mark.entry("C6", "D5")
def test_refusals() -> None:
    """Uniform weights, biases, smooth activations, constants, impossible frames and probabilities."""
    uniform = DenseNet((3, 3), "relu", weights=(Distribution("uniform", 1.0),), input=(1.0,) * 3)
    smooth = DenseNet((3, 3), "tanh", weights=(Distribution("normal", 1.0),), input=(1.0,) * 3)
    for other, words in ((uniform, "Gaussian"), (smooth, "homogeneous")):
        with pytest.raises(TheoryError, match=words):
            laws.log_norm(other, 1)
    with pytest.raises(TheoryError, match="between 1 and 3"):
        laws.product_log_volume(3, 2, frame=4)
    with pytest.raises(TheoryError, match="k >= 1"):
        laws.product_log_norm(3, 0)
    with pytest.raises(TheoryError, match="between 0 and 1"):
        laws.product_log_norm(3, 1).ppf(1.0)
    with pytest.raises(TheoryError, match="constant"):
        laws.log_norm(net((3, 3), 0.0), 0)
