"""Products of random matrices by a second route: enumeration, identities, simulation with |z| < 5.5 (4e-8 each)."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import sympy as sp

from theory import products

Array = np.ndarray
N, K, VARIANCE, COUNT = 3, 4, 0.7, 20_000


def draws(n: int = N, k: int = K, seed: int = 1) -> Array:
    """(COUNT, n, n) products of k Gaussian matrices."""
    rng = np.random.default_rng(seed)
    found = np.broadcast_to(np.eye(n), (COUNT, n, n))
    for _ in range(k):
        found = rng.normal(0, math.sqrt(VARIANCE), (COUNT, n, n)) @ found
    return found


def z_of_mean(values: Array, mean: float) -> float:
    return float((values.mean() - mean) / (values.std(ddof=1) / math.sqrt(values.size)))


def z_of_variance(values: Array, variance: float) -> float:
    return z_of_mean((values - values.mean()) ** 2 * values.size / (values.size - 1), variance)


@pytest.mark.entry("D1", "A18")
def test_mean_square_by_enumeration() -> None:
    """All 256 pairs of 2 x 2 sign matrices: the means of |M|_F^2 and of a squared entry are exact (D1)."""
    signs = [np.reshape(entries, (2, 2)) for entries in product((-1.0, 1.0), repeat=4)]
    squares = np.array([(a @ b) ** 2 for a, b in product(signs, signs)])
    assert squares.sum(axis=(1, 2)).mean() == products.frobenius_second_moment(2, 2, 1.0)
    assert squares[:, 0, 1].mean() == products.mean_square_entry(2, 2, 1.0)


@pytest.mark.entry("D3", "D4", "D5", "A18")
@pytest.mark.parametrize(
    ("measure", "predicted"),
    [
        (lambda m: np.log(np.sum(m[:, :, 0] ** 2, axis=1)), products.log_norm(N, K, VARIANCE)),
        (lambda m: np.log(m[:, 1, 2] ** 2), products.log_entry(N, K, VARIANCE)),
        (lambda m: np.log(np.abs(np.linalg.det(m))), products.log_volume(N, K, VARIANCE)),
        (
            lambda m: np.log(np.linalg.norm(np.cross(m[:, :, 0], m[:, :, 1]), axis=1)),
            products.log_volume(N, K, VARIANCE, frame=2),
        ),
    ],
    ids=["log norm (D3)", "log entry (D4)", "log determinant (D5)", "log area (D5)"],
)
def test_logs(measure: Callable[[Array], Array], predicted: tuple[float, float]) -> None:
    """Mean and variance of the log over simulated products; a mean off by 8 % of the spread is caught."""
    values = measure(draws())
    assert abs(z_of_mean(values, predicted[0])) < 5.5
    assert abs(z_of_variance(values, predicted[1])) < 5.5
    assert abs(z_of_mean(values, predicted[0] + 0.08 * math.sqrt(predicted[1]))) > 5.5


@pytest.mark.entry("D6")
def test_lyapunov_exponents() -> None:
    """The first is the growth of a vector, all together that of the volume, per factor (D6)."""
    exponents = products.lyapunov_exponents(N, VARIANCE)
    assert exponents[0] == pytest.approx(products.log_norm(N, 1, VARIANCE)[0] / 2, rel=1e-13)
    assert sum(exponents) == pytest.approx(products.log_volume(N, 1, VARIANCE)[0], rel=1e-13)
    assert exponents == sorted(exponents, reverse=True)


@pytest.mark.entry("D7")
def test_critical_scales() -> None:
    """At one the mean square is kept, at the other the mean of the log (D7)."""
    scales = products.critical_std(5)
    assert products.frobenius_second_moment(5, 7, scales["mean_square"] ** 2) == pytest.approx(5, rel=1e-13)
    assert products.log_norm(5, 7, scales["typical"] ** 2)[0] == pytest.approx(0, abs=1e-13)
    assert products.log_norm(5, 7, scales["mean_square"] ** 2)[0] < 0


@pytest.mark.entry("C10", "D2", "NC-17")
def test_loss_gradient() -> None:
    """|P^T (P x - y)|^2 of simulated linear chains (C10, by the recursion of D2); the independence rule is off."""
    rng, widths, variances = np.random.default_rng(2), (3, 4, 2), (0.5, 0.8)
    first = rng.normal(0, math.sqrt(variances[0]), (COUNT, 4, 3))
    chain = rng.normal(0, math.sqrt(variances[1]), (COUNT, 2, 4)) @ first
    x, y = np.array([1.0, -0.5, 2.0]), np.array([0.3, 1.0])
    g = np.einsum("rji,rj->ri", chain, chain @ x - y)
    predicted = products.loss_gradient_second_moment(widths, variances, float(x @ x), float(y @ y))
    values = np.sum(g**2, axis=1)
    assert abs(z_of_mean(values, predicted)) < 5.5
    by_independence = math.prod(n * v for n, v in zip((3, 4), variances, strict=True)) * float(
        np.mean(np.sum((chain @ x - y) ** 2, axis=1))
    )
    assert abs(z_of_mean(values, by_independence)) > 5.5


@pytest.mark.entry("A2")
def test_singular_value_bounds() -> None:
    """Every singular value of AB is within them, and its condition; eigenvalues do no such thing (A2)."""
    rng = np.random.default_rng(3)
    for _ in range(200):
        a, b = rng.normal(size=(2, 4, 4))
        s, sa, sb = (np.linalg.svd(matrix, compute_uv=False) for matrix in (a @ b, a, b))
        (low, high), (_, condition) = products.singular_value_bounds(list(sa), list(sb))
        assert low * (1 - 1e-12) <= s.min() <= s.max() <= high * (1 + 1e-12)
        assert s.max() / s.min() <= condition * (1 + 1e-9)


@pytest.mark.entry("A6")
def test_xavier_factors() -> None:
    """Forward and backward factor at given widths are n_in v and n_out v (A6)."""
    forward, backward = products.xavier_factors(sp.Integer(24), sp.Integer(72))
    assert (forward, backward) == (sp.Rational(1, 2), sp.Rational(3, 2))
