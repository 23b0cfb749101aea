"""Gaussian integrals of activations, against mpmath; derivatives against sympy."""

from __future__ import annotations

import mpmath as mp
import pytest
import sympy as sp

from theory import activations, mean_field
from theory.prediction import TheoryError

FUNCTIONS = {
    "tanh": (mp.tanh, lambda s: mp.sech(s) ** 2),
    "sigmoid": (lambda s: 1 / (1 + mp.exp(-s)), lambda s: mp.sech(s / 2) ** 2 / 4),
    "relu": (lambda s: max(s, 0), lambda s: mp.mpf(s > 0)),
    "leaky_relu": (lambda s: s if s > 0 else mp.mpf("0.01") * s, lambda s: 1 if s > 0 else mp.mpf("0.01")),
}


def by_mpmath(function: object, q: float) -> float:
    """The integral over s = sqrt(q) z with panels of mpmath's own rule."""
    std = mp.sqrt(q)
    edges = [e for e in (0, 0.5, 1, 2, 4, 8, 16, 32) if e < 12 * std] + [0.3 * std, std, 3 * std, 12 * std]
    edges = sorted({mp.mpf(e) for e in edges})
    with mp.workdps(30):
        return float(mp.quad(lambda s: (function(s) + function(-s)) * mp.npdf(s, 0, std), edges))  # type: ignore[operator]


@pytest.mark.parametrize("name", list(FUNCTIONS))
@pytest.mark.parametrize("q", [1e-6, 0.05, 1.0, 30.0, 1e4])
def test_integrals_agree_with_mpmath(name: str, q: float) -> None:
    """V, D, M and E phi^4 to 1e-12, from a weak signal to a saturated one, within the error that is reported."""
    phi, slope = FUNCTIONS[name]
    for integral, function in (
        (activations.second_moment(name, q), lambda s: phi(s) ** 2),
        (activations.power_mean(name, q, 4), lambda s: phi(s) ** 4),
        (activations.mean(name, q), phi),
        (activations.derivative_second_moment(name, q), lambda s: slope(s) ** 2),
    ):
        exact = by_mpmath(function, q)
        assert integral.value == pytest.approx(exact, rel=1e-12, abs=1e-25)
        assert integral.error <= 1e-12 * max(abs(exact), 1e-13)


def test_reported_error_grows_on_a_kink_between_panels() -> None:
    """A kink away from 0 shows in the reported error: the estimate is not blind."""
    kinked = activations.gaussian_mean(lambda s: abs(s - 0.77), 1.0)
    assert kinked.error > 1e-6


@pytest.mark.parametrize("name", ["linear", "relu", "leaky_relu", "tanh", "sigmoid"])
def test_derivatives_are_those_of_the_expressions(name: str) -> None:
    """Phi' is the derivative of phi off the kink."""
    activation = activations.TABLE[name]
    for point in (sp.Rational(-7, 5), sp.Rational(3, 10), sp.Integer(2)):
        slope = sp.diff(activation.expression, activations.x).subs(activations.x, point)
        assert sp.simplify(slope - activation.derivative.subs(activations.x, point)) == 0


def test_unknown_activation_is_named() -> None:
    """An activation that is not in the table is refused by name."""
    with pytest.raises(TheoryError, match="'swish'"):
        activations.by_name("swish")


def test_variance_map_slope_is_a_derivative() -> None:
    """V' without phi' is the difference quotient of V."""
    q, step = 0.7, 1e-5
    V = [activations.second_moment("tanh", q + d).value for d in (-step, step)]
    assert mean_field.variance_map_slope("tanh", q) == pytest.approx((V[1] - V[0]) / (2 * step), rel=1e-8)


def test_gains_and_fixed_points() -> None:
    """GN-01: one gain for ReLU, two for tanh; torch's 5/3 has a fixed point where chi_1 > 1 (GN-02)."""
    relu, tanh = mean_field.gains("relu"), mean_field.gains("tanh")
    assert relu["forward"] == pytest.approx(relu["backward"], rel=1e-14)
    assert tanh["forward"] > tanh["backward"] > 1
    (q,) = mean_field.fixed_points("tanh", (5 / 3) ** 2)
    assert mean_field.variance_map("tanh", q, (5 / 3) ** 2) == pytest.approx(q, rel=1e-12)
    assert mean_field.chi_1("tanh", q, (5 / 3) ** 2) > 1
    assert mean_field.chi_1("sigmoid", 1e-9) == pytest.approx(1 / 16, rel=1e-8)


def test_weak_signal_series_of_tanh() -> None:
    """A7: V(q)/q = 1 - 2q + 17 q^2/3 - ... for small q."""
    q = 1e-3
    assert activations.second_moment("tanh", q).value / q == pytest.approx(1 - 2 * q + 17 * q**2 / 3, abs=30 * q**3)
