"""Two-point kernels: against Mehler's series, Monte-Carlo-free identities, and their limits at c = 0 and c = +-1."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from scipy import integrate

from theory import activations
from theory.activations import pairs
from theory.prediction import TheoryError

NAMES = list(activations.TABLE)
TERMS = 48


@cache
def rule(q: float, kinks: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Nodes z and weights for N(0, 1) on narrow panels split at the kinks, none of them the theory's."""
    std = math.sqrt(q)
    edges = np.unique(np.concatenate([np.linspace(-13, 13, 105), [k / std for k in kinks if abs(k) < 13 * std]]))
    nodes, weights = np.polynomial.legendre.leggauss(40)
    half = np.diff(edges) / 2
    z = ((edges[1:] + edges[:-1]) / 2)[:, None] + half[:, None] * nodes
    return z.ravel(), ((half[:, None] * weights) * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)).ravel()


def hermite_coefficients(phi: activations.Activation, q: float, *, slope: bool) -> np.ndarray:
    """a_n = E f(sqrt(q) z) He_n(z)/sqrt(n!) for n < 48."""
    z, w = rule(q, phi.kinks)
    f = (phi.slope_function if slope else phi.function)(math.sqrt(q) * z) * w
    before, here, found = np.zeros_like(z), np.ones_like(z), []
    for n in range(TERMS):
        found.append(float(np.sum(f * here)))
        before, here = here, (z * here - math.sqrt(n) * before) / math.sqrt(n + 1)
    return np.array(found)


def by_mehler(phi: activations.Activation, q1: float, q2: float, c: float, *, slope: bool = False) -> float:
    """K = sum a_n(q1) a_n(q2) c^n: Mehler's formula."""
    first, second = (hermite_coefficients(phi, q, slope=slope) for q in (q1, q2))
    return float(np.sum(first * second * c ** np.arange(TERMS)))


@pytest.mark.entry("MF-09", "MF-10")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("q1", "q2", "c"), [(1.0, 1.0, 0.5), (0.3, 2.5, -0.55), (6.0, 1e-3, 0.4)])
def test_kernels_are_mehlers_series(name: str, q1: float, q2: float, c: float) -> None:
    """K and K' to 1e-10; c^48 is below 1e-12. K with c 0.2 % off is told apart."""
    phi, q12 = activations.get(name), c * math.sqrt(q1 * q2)
    for slope, kernel, moment in (
        (False, phi.kernel, phi.second_moment),
        (True, phi.derivative_kernel, phi.derivative_second_moment),
    ):
        scale = math.sqrt(moment(q1).value * moment(q2).value)
        wanted = by_mehler(phi, q1, q2, c, slope=slope)
        assert kernel(q1, q2, q12).value == pytest.approx(wanted, rel=1e-10, abs=1e-11 * scale)
        other = by_mehler(phi, q1, q2, c * 1.002, slope=slope)
        assert slope or abs(other - wanted) > 1e-7 * scale


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("q", [1e-6, 0.7, 50.0])
def test_limits_at_0_and_at_1(name: str, q: float) -> None:
    """K(q, q, q) = V(q), K(q1, q2, 0) = M M, K(q, q, -q) = E phi(s) phi(-s); the same of phi'; K is symmetric."""
    phi = activations.get(name)
    assert phi.kernel(q, q, q).value == pytest.approx(phi.second_moment(q).value, rel=1e-10)
    assert phi.derivative_kernel(q, q, q).value == pytest.approx(phi.derivative_second_moment(q).value, rel=1e-10)
    assert phi.kernel(q, 2 * q, 0.0).value == pytest.approx(phi.mean(q).value * phi.mean(2 * q).value, rel=1e-10)
    anti = phi.gaussian_mean(lambda s, y, dy: y * phi.function(-s), q)
    scale = phi.second_moment(q).value
    assert phi.kernel(q, q, -q).value == pytest.approx(anti.value, rel=1e-9, abs=1e-10 * scale)
    assert phi.kernel(q, 3 * q, q / 2).value == phi.kernel(3 * q, q, q / 2).value
    if phi.odd:
        assert phi.kernel(q, q, -q / 3).value == pytest.approx(-phi.kernel(q, q, q / 3).value, rel=1e-10)
    assert phi.kernel(0.0, q, 0.0).value == pytest.approx(phi.function(np.zeros(1))[0] * phi.mean(q).value, rel=1e-10)


@pytest.mark.entry("MF-09")
@pytest.mark.parametrize("name", NAMES)
def test_price(name: str) -> None:
    """dK/dq12 = K': the integral of K' from q12 = 0.2 to 0.9 is the difference of K, to 1e-9."""
    phi = activations.get(name)
    step = phi.kernel(1.0, 1.3, 0.9).value - phi.kernel(1.0, 1.3, 0.2).value
    nodes, weights = np.polynomial.legendre.leggauss(12)
    total = sum(
        0.35 * w * phi.derivative_kernel(1.0, 1.3, 0.55 + 0.35 * t).value for t, w in zip(nodes, weights, strict=True)
    )
    assert total == pytest.approx(step, rel=1e-9)


@pytest.mark.parametrize("name", ["relu", "hardtanh", "relu6", "elu", "softsign", "tanh", "gelu", "gelu_tanh", "erf"])
@pytest.mark.parametrize("gap", [1e-4, 1e-8, 1e-12])
def test_nearly_parallel_inputs(name: str, gap: float) -> None:
    """1 - c = 1e-4 to 1e-12: q - q12 = E(u - v)^2/2, so V - K = E(phi(u) - phi(v))^2/2, without cancellation.

    The right side from u, v = (s +- d)/sqrt(2), s and d independent; kinks smear over d, to first order in sqrt(gap).
    """
    q = 1.5
    phi, q12 = activations.get(name), q * (1 - gap)
    lost = q - q12
    spread, slope = math.sqrt(lost), phi.derivative_second_moment(q).value
    lack = phi.second_moment(q).value - phi.kernel(q, q, q12).value
    assert lack == pytest.approx(lost * slope, rel=2 * spread + 1e-2 * gap, abs=4e-15 + 1e-11 * lost)
    turned = slope - phi.derivative_kernel(q, q, q12).value
    jumps = sum(
        float(phi.slope_function(np.array([k + 1e-9]))[0] - phi.slope_function(np.array([k - 1e-9]))[0]) ** 2
        * math.exp(-(k**2) / (2 * q))
        / math.sqrt(2 * math.pi * q)
        for k in phi.kinks
    )  # E (1[u > k] - 1[v > k])^2 = E|u - v| p(k), with E|u - v| = sqrt(2/pi) sqrt(2 lost)
    first = jumps * math.sqrt(2 * lost) * math.sqrt(2 / math.pi) / 2
    assert turned == pytest.approx(first, rel=6 * spread, abs=5 * lost + 1e-9)


def test_hardtanh_against_the_bivariate_normal() -> None:
    """K' of hardtanh is P(|u| < 1, |v| < 1): by SciPy's cubature of the density, at c = 0.95."""
    q1, q2, q12 = 0.8, 1.7, 0.95 * math.sqrt(0.8 * 1.7)
    det = q1 * q2 - q12**2

    def density(v: float, u: float) -> float:
        return math.exp(-(q2 * u**2 - 2 * q12 * u * v + q1 * v**2) / (2 * det)) / (2 * math.pi * math.sqrt(det))

    inside = integrate.dblquad(density, -1, 1, -1, 1, epsabs=1e-11, epsrel=1e-11)[0]
    assert activations.get("hardtanh").derivative_kernel(q1, q2, q12).value == pytest.approx(inside, rel=1e-9)


def test_two_rules_agree_where_both_hold() -> None:
    """Smooth functions by the trapezoidal rule and by panels: one value; wrong spread is seen."""
    for c in (-0.9, 0.1, 0.999):
        fast = pairs.pair(np.tanh, 3.0, 0.4, c * math.sqrt(1.2))
        slow = pairs.pair(np.tanh, 3.0, 0.4, c * math.sqrt(1.2), (0.1,))
        wrong = pairs.pair(np.tanh, 3.0, 0.44, c * math.sqrt(1.2))
        assert fast.value == pytest.approx(slow.value, rel=1e-12)
        assert abs(wrong.value - slow.value) > 1e-5


@pytest.mark.parametrize("name", ["hardtanh", "relu6", "elu", "selu", "celu"])
@pytest.mark.parametrize(
    ("q1", "q2", "c"), [(1.0, 2.0, -0.7), (1e4, 1e4, 0.99), (3.0, 1e-5, 0.3), (0.5, 0.5, 1 - 1e-10)]
)
def test_closed_inner_means_agree_with_panels(name: str, q1: float, q2: float, c: float) -> None:
    """E f(v) given u in closed form and by panels give one kernel to 1e-10, within the errors that are reported."""
    phi, q12 = activations.get(name), c * math.sqrt(q1 * q2)
    for f, given in ((phi.function, phi.closed.given), (phi.slope_function, phi.closed.derivative_given)):
        fast, slow = pairs.pair(f, q1, q2, q12, phi.kinks, given), pairs.pair(f, q1, q2, q12, phi.kinks)
        assert abs(fast.value - slow.value) <= 1e-10 * abs(slow.value)
        assert abs(fast.value - slow.value) <= 5 * (fast.error + slow.error)


def test_pairs_that_do_not_exist_are_refused() -> None:
    """A covariance above sqrt(q1 q2), and an integral that is infinite, name themselves."""
    with pytest.raises(TheoryError, match="no pair has variances"):
        activations.get("relu").kernel(1.0, 1.0, -1.001)
    with pytest.raises(TheoryError, match="exp"):
        activations.get("exp").kernel(1e6, 1e6, 1e5)
