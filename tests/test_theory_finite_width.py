"""Laws of one layer's factor, by second routes: sums over active units, mpmath, the Laplace transform."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
from scipy import special

from theory import logs, products
from theory.catalogue import lookup
from theory.finite_width import (
    Factor,
    log_mean,
    log_moments_by_laplace,
    log_variance,
)
from theory.net import DenseNet, Distribution


def relu_by_sums(n: int) -> tuple[float, float]:
    """E log chi2_A and its variance, A ~ Bin(n,1/2) given A >= 1, in mpmath."""
    total = 1 - mp.mpf(2) ** -n
    weights = [mp.binomial(n, a) / mp.mpf(2) ** n / total for a in range(1, n + 1)]
    psi = [mp.digamma(mp.mpf(a) / 2) for a in range(1, n + 1)]
    mean = sum(w * s for w, s in zip(weights, psi, strict=True))
    spread = sum(w * (mp.psi(1, mp.mpf(a) / 2) + (psi[a - 1] - mean) ** 2) for a, w in enumerate(weights, 1))
    return float(mean + mp.log(2)), float(spread)


@pytest.mark.entry("C4")
@pytest.mark.parametrize("n", [1, 2, 7, 64, 300])
def test_relu_logs_are_binomial_sums(n: int) -> None:
    """C4 in floats against mpmath."""
    mean, spread = relu_by_sums(n)
    assert log_mean(Factor(n, 0.0)) == pytest.approx(mean, rel=1e-12, abs=1e-12)
    assert log_variance(Factor(n, 0.0)) == pytest.approx(spread, rel=1e-12)


@pytest.mark.entry("C4")
def test_relu_log_expansions() -> None:
    """E log(2Y/n) = -5/(2n) - 49/(12 n^2) and Var = 5/n + 37/(2n^2), to order n^-3; not the linear values."""
    n = 2000
    mean = log_mean(Factor(n, 0.0)) - math.log(n / 2)
    assert mean == pytest.approx(-5 / (2 * n) - 49 / (12 * n**2), abs=30 / n**3)
    assert log_variance(Factor(n, 0.0)) == pytest.approx(5 / n + 37 / (2 * n**2), abs=200 / n**3)
    assert abs(mean + 1 / n) > 1 / n


@pytest.mark.entry("B3", "C4")
@pytest.mark.parametrize("n", [1, 2, 9, 400])
def test_laplace_route_gives_digammas(n: int) -> None:
    """At slope 1 the integral must give log 2 + psi(n/2) and psi_1(n/2)."""
    mean, spread = log_moments_by_laplace(Factor(n, 1.0))
    assert mean == pytest.approx(math.log(2) + special.digamma(n / 2), rel=1e-11, abs=1e-11)
    assert spread == pytest.approx(float(special.polygamma(1, n / 2)), rel=1e-9)


@pytest.mark.entry("C4")
@pytest.mark.parametrize("slope", [0.01, 0.3, -0.5])
@pytest.mark.parametrize("n", [1, 3])
def test_leaky_logs_by_beta_mixture(slope: float, n: int) -> None:
    """Log chi2_n plus log(a^2 + (1-a^2) B), B ~ Beta(A/2, (n-A)/2), by mpmath's quadrature over B."""
    square = mp.mpf(slope) ** 2
    log_u = [(mp.mpf(2) ** -n, mp.log(square), mp.log(square) ** 2), (mp.mpf(2) ** -n, mp.mpf(0), mp.mpf(0))]
    for a in range(1, n):
        p, r = mp.mpf(a) / 2, mp.mpf(n - a) / 2

        def moment(k: int, p: mp.mpf = p, r: mp.mpf = r) -> mp.mpf:
            # B = sin^2(t) takes the end points' powers away
            density = lambda t: 2 * mp.sin(t) ** (2 * p - 1) * mp.cos(t) ** (2 * r - 1) / mp.beta(p, r)  # noqa: E731
            f = lambda t: mp.log(square + (1 - square) * mp.sin(t) ** 2) ** k * density(t)  # noqa: E731
            return mp.quad(f, [0, 0.003, 0.03, 0.3, mp.pi / 2])

        log_u.append((mp.binomial(n, a) / mp.mpf(2) ** n, moment(1), moment(2)))
    mean = sum(w * one for w, one, _ in log_u)
    spread = sum(w * two for w, _, two in log_u) - mean**2
    factor = Factor(n, slope)
    assert log_mean(factor) == pytest.approx(float(mean + mp.log(2) + mp.digamma(mp.mpf(n) / 2)), rel=1e-10)
    assert log_variance(factor) == pytest.approx(float(spread + mp.psi(1, mp.mpf(n) / 2)), rel=1e-10)


@pytest.mark.entry("C8")
def test_weight_gradient_law_is_the_same_in_every_layer() -> None:
    """C8: v_l |dW_l|^2 has one law; so logs differ by log v_l and the number of entries alone."""
    widths = (4, 6, 3, 5)
    net = DenseNet(widths, "relu", weights=tuple(Distribution("normal", v) for v in (0.3, 0.9, 0.5)), input=(1.0,) * 4)
    rows = [lookup(net, "weight_gradient.log_second_moment", k) for k in (1, 2, 3)]
    shifted = [
        row[1].value + math.log(v * a * b)
        for row, v, a, b in zip(rows, (0.3, 0.9, 0.5), widths[:-1], widths[1:], strict=True)
        if row is not None
    ]
    assert np.allclose(shifted, shifted[0], rtol=0, atol=1e-12)
    assert (
        len({row[1].variance for row in rows if row is not None}) == 3
        or np.ptp([row[1].variance for row in rows if row is not None and row[1].variance]) < 1e-12
    )


@pytest.mark.entry("C6")
def test_log_laws_are_named_where_the_factors_are_of_one_kind() -> None:
    """A fixed input and ReLU: log_relu; a linear net: log_linear; two slopes besides 1: none."""
    he = tuple(Distribution("normal", 0.5) for _ in range(2))
    relu = DenseNet((4, 4, 4), "relu", weights=he, input=(1.0,) * 4)
    linear = DenseNet((4, 4, 4), "linear", weights=he)
    names = [
        (lookup(relu, "activation.log_second_moment", 2), "log_relu", (4, 4)),
        (lookup(relu, "activation_gradient.log_second_moment", 2), "log_linear", (4,)),
        (lookup(linear, "preactivation.log_second_moment", 2), "log_linear", (4, 4, 4)),
    ]
    for found, name, widths in names:
        assert found is not None
        assert found[1].law is not None
        assert (found[1].law.name, found[1].law.parameters["widths"]) == (name, widths)
    mixed = lookup(relu, "preactivation.log_second_moment", 2)
    assert mixed is not None
    assert mixed[1].law is not None
    assert mixed[1].law.parameters == {"widths": (4,), "linear_widths": (4,)}
    assert logs.log_law([Factor(3, 0.2), Factor(3, 0.3)]) is None
    assert logs.log_law([Factor(3, 0.2), Factor(3, 0.2)]).parameters["slope"] == 0.2  # type: ignore[union-attr]


@pytest.mark.entry("C10", "D1", "D2", "D4", "D5")
def test_products_against_sampled_matrices() -> None:
    """D1, D2, D4, D5 and C10 on products of three 3 x 3 Gaussians, 40,000 draws, |z| < 5 each (1e-6 a comparison)."""
    rng = np.random.default_rng(3)
    n, k, variance, draws = 3, 3, 0.5, 40_000
    M = np.broadcast_to(np.eye(n), (draws, n, n))
    for _ in range(k):
        M = math.sqrt(variance) * rng.standard_normal((draws, n, n)) @ M
    gram = np.swapaxes(M, 1, 2) @ M
    trace = np.trace(gram, axis1=1, axis2=2)
    T, Q = products.trace_recursion((n,) * (k + 1), (variance,) * k)
    x, y = np.array([1.0, 0.0, 0.0]), np.array([0.0, 2.0, 0.0])
    g0 = np.einsum("rji,rj->ri", M, M @ x - y)
    for sample, expected in (
        (trace, products.frobenius_second_moment(n, k, variance)),
        (np.log(trace * 0 + M[:, 0, 1] ** 2), products.log_entry(n, k, variance)[0]),
        (np.log(np.abs(np.linalg.det(M))), products.log_volume(n, k, variance)[0]),
        (np.log(np.sum(M[:, :, 0] ** 2, axis=1)), products.log_norm(n, k, variance)[0]),
        (np.trace(gram @ gram, axis1=1, axis2=2) ** 0.0, 1.0),
        (
            (g0**2).sum(axis=1),
            products.loss_gradient_second_moment((n,) * (k + 1), (variance,) * k, 1.0, 4.0),
        ),
    ):
        error = sample.std() / math.sqrt(draws)
        assert abs(sample.mean() - expected) < 5 * error + 1e-12
    assert T > Q > 0
    assert abs(trace.mean() - n * variance**k) > 5 * trace.std() / math.sqrt(draws)
