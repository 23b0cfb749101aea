"""The activations' rows: functions against expressions, symmetry, kinks; quadrature against mpmath; fast values."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

from theory import activations, mean_field
from theory.activations import octaves, quadrature
from theory.conditions import alive
from theory.net import DenseNet, Distribution
from theory.prediction import TheoryError

NAMES = list(activations.TABLE)
X = activations.x
POINTS = [-7.3, -2.2, -0.6, 0.3, 0.9, 2.4, 7.1]
BY_QUADRATURE = ["tanh", "sigmoid", "gelu_tanh", "silu", "mish", "softplus", "softsign"]


@pytest.mark.parametrize("name", NAMES)
def test_functions_are_the_expressions(name: str) -> None:
    """phi and phi' on arrays are the expressions, and phi' is the derivative of phi off the kinks, to rounding."""
    phi = activations.get(name)
    slope = sp.diff(phi.expression, X)
    for point in POINTS:
        at = np.array([point])
        wanted = [float(e.subs(X, sp.Float(point, 40)).doit().evalf(30)) for e in (phi.expression, slope)]
        assert phi.function(at)[0] == pytest.approx(wanted[0], rel=1e-14, abs=1e-300)
        assert phi.slope_function(at)[0] == pytest.approx(wanted[1], rel=1e-13, abs=1e-300)
        assert float(phi.derivative.subs(X, sp.Float(point, 40)).evalf(30)) == pytest.approx(wanted[1], rel=1e-14)


def test_a_wrong_derivative_is_seen() -> None:
    """The planted fault: GELU without its second term is off by half at 1."""
    gelu = activations.get("gelu")
    assert abs(gelu.slope_function(np.ones(1))[0] - float(sp.diff(gelu.expression, X).subs(X, 1))) < 1e-15
    assert abs(activations.get("probit").function(np.ones(1))[0] - gelu.slope_function(np.ones(1))[0]) > 0.1


@pytest.mark.parametrize("name", NAMES)
def test_no_overflow_far_out(name: str) -> None:
    """At |s| up to 1e5 phi and phi' are finite, and nothing overflows on the way (exp: up to 700)."""
    phi = activations.get(name)
    top = 700.0 if name == "exp" else 1e5
    s = np.array([-1e5, -746.0, -40.0, -1e-300, 0.0, 1e-300, 40.0, 700.0, top])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert np.all(np.isfinite(phi.function(s)) & np.isfinite(phi.slope_function(s)))


@pytest.mark.parametrize("name", NAMES)
def test_small_signals_keep_their_digits(name: str) -> None:
    """phi(s) - phi(0) at s = -1e-9 has no cancellation where phi(0) = 0: it is phi'(0-) s, to 1e-8."""
    phi = activations.get(name)
    if phi.function(np.zeros(1))[0] == 0 and name not in ("square", "relu", "relu6"):
        value, slope = phi.function(np.array([-1e-9]))[0], phi.slope_function(np.array([-1e-9]))[0]
        assert value == pytest.approx(-1e-9 * slope, rel=2e-9)


@pytest.mark.parametrize("name", NAMES)
def test_symmetry_zeros_and_kinks(name: str) -> None:
    """Flags are what the functions do: parity, even slopes, where phi is 0, where phi' jumps."""
    phi, s = activations.get(name), np.linspace(0.05, 9, 180)
    up, down = phi.function(s), phi.function(-s)
    assert phi.odd == np.allclose(down, -up, rtol=1e-13, atol=0)
    assert phi.even == np.allclose(down, up, rtol=1e-13, atol=0)
    slopes = phi.slope_function(s), phi.slope_function(-s)
    assert phi.slope_is_even == np.allclose(*slopes, rtol=1e-12, atol=0)
    homogeneous = np.allclose(up, s, rtol=1e-14) and np.allclose(down, down[0] / s[0] * s, rtol=1e-12, atol=0)
    assert (phi.slope is not None) == homogeneous
    if phi.slope is not None:
        assert np.allclose(down, -phi.slope * s, rtol=1e-14)
    assert (
        phi.never_zero
        == (phi.zeros == "never")
        == bool(np.all(up > 0) and np.all(down > 0) and phi.function(0 * s)[0] > 0)
    )
    assert (phi.zeros == "negative") == bool(np.all(down == 0))
    step = 1e-7
    edges = np.array(phi.kinks)
    jumps = np.abs(phi.slope_function(edges + step) - phi.slope_function(edges - step))
    assert np.all(jumps > 1e-3) or name in ("softsign", "elu", "celu")  # phi'' jumps there
    assert np.all(np.abs(phi.function(edges + step) - phi.function(edges - step)) < 1e-5) == phi.continuous


def test_unknown_names_and_parameters_are_refused() -> None:
    """An activation or parameter that is not in the table is named, and so is a value out of range."""
    with pytest.raises(TheoryError, match="'swish'"):
        activations.get("swish")
    with pytest.raises(TheoryError, match="relu has no parameter 'negative_slope'"):
        activations.get("relu", {"negative_slope": 0.1})
    with pytest.raises(TheoryError, match="alpha of celu is a positive finite number"):
        activations.get("celu", {"alpha": -1.0})
    with pytest.raises(TheoryError, match="not negative"):
        activations.get("tanh").second_moment(-1.0)
    with pytest.raises(TheoryError, match="covariance"):
        activations.get("tanh").kernel(1.0, 1.0, 1.1)


def test_activations_are_values() -> None:
    """Equal parameters give one activation that can be a key; leaky with slope 1 is linear in all but its name."""
    assert activations.get("elu") == activations.get("elu", {"alpha": 1.0}) != activations.get("elu", {"alpha": 2.0})
    assert len({activations.get("elu"), activations.get("elu", {"alpha": 1}), activations.get("celu")}) == 2
    one = activations.get("leaky_relu", {"negative_slope": 1.0})
    assert one.odd
    assert one.kinks == ()
    assert one.second_moment(2.0).value == 2.0


@pytest.mark.entry("C5")
def test_where_an_activation_dies() -> None:
    """ReLU6 dies like ReLU; GELU and leaky ReLU never do; a sigmoid revives; of clipped negatives nothing is known."""

    def chances(activation: str | activations.Activation) -> list[float]:
        return alive(DenseNet((3, 2, 2), activation, weights=(Distribution("normal", 1.0),) * 2))

    assert chances("relu6") == chances("relu") == [1.0, 0.75, 0.5625]
    assert chances("gelu") == chances("prelu") == chances("sine") == chances("sigmoid") == [1.0, 1.0, 1.0]
    s = sp.Symbol("s", real=True)
    assert math.isnan(chances(activations.of_expression(sp.Max(sp.Abs(s) - 1, 0)))[1])
    assert chances(activations.of_expression(sp.Max(s, 0) / (1 + s**2)))[1] == 0.75


def mp_function(expression: sp.Expr) -> object:
    return sp.lambdify(X, expression, "mpmath")


def by_mpmath(integrand: object, q: float, digits: int = 30) -> mp.mpf:
    """E integrand(sqrt(q) z) by mpmath's own rule, folded at 0."""
    with mp.workdps(digits):
        std = mp.sqrt(mp.mpf(q))
        edges = [mp.mpf(2) ** k for k in range(-2, 8) if mp.mpf(2) ** k < 13 * std]
        edges = sorted(
            {mp.mpf(0), *edges, 6, *(std * mp.mpf(w) for w in ("0.3", 1, 3, 6, 14))} - {6 if std * 14 < 6 else None}
        )
        return mp.quad(lambda s: (integrand(s) + integrand(-s)) * mp.npdf(s, 0, std), edges)  # type: ignore[operator]


@pytest.mark.parametrize("name", BY_QUADRATURE)
@pytest.mark.parametrize("q", [1e-7, 0.05, 1.0, 1e4])
def test_integrals_agree_with_mpmath(name: str, q: float) -> None:
    """V, D, M and E phi^4 to 1e-12, from a weak signal to a saturated one, within the error that is reported."""
    activation = activations.get(name)
    phi, slope = mp_function(activation.expression), mp_function(sp.diff(activation.expression, X))
    for integral, integrand in (
        (activation.second_moment(q), lambda s: phi(s) ** 2),  # type: ignore[operator]
        (activation.power_mean(q, 4), lambda s: phi(s) ** 4),  # type: ignore[operator]
        (activation.mean(q), phi),
        (activation.derivative_second_moment(q), lambda s: slope(s) ** 2),  # type: ignore[operator]
    ):
        exact = float(by_mpmath(integrand, q))
        assert integral.value == pytest.approx(exact, rel=1e-12, abs=1e-25)
        assert integral.error <= 1e-12 * max(abs(exact), 1e-13)


def test_unknown_kinks_and_jumps_are_found() -> None:
    """A kink between panels is closed in on, to its error; a panel left whole would be wrong by 1e-3."""
    exact = math.sqrt(2 / math.pi) * math.exp(-(0.77**2) / 2) + 0.77 * math.erf(0.77 / math.sqrt(2))
    kinked = quadrature.gaussian(lambda s: abs(s - 0.77), 1.0)
    assert kinked.value == pytest.approx(exact, rel=1e-13)
    assert abs(kinked.value - exact) <= kinked.error
    whole = quadrature.adaptive(
        lambda s: np.abs(s - 0.77) * np.exp(-(s**2) / 2) / math.sqrt(2 * math.pi), np.array([-9.0, 0, 9]), levels=1
    )
    assert whole.error > 1e-4
    assert abs(whole.value - exact) > 1e-5


def test_noise_and_divergence_are_refused() -> None:
    """What no rule can integrate to 1e-9 is refused, with the activation, q and the error that was reached."""
    tanh = activations.get("tanh")
    with pytest.raises(TheoryError, match=r"tanh at q = 1.0 reaches a relative error of"):
        tanh.gaussian_mean(lambda s, y, dy: np.sin(1e7 * s**2) + y**2, 1.0)
    with pytest.raises(TheoryError, match="infinite"):
        tanh.gaussian_mean(lambda s, y, dy: np.exp(s**2 / 2 + np.abs(s)), 1.0)
    with pytest.raises(TheoryError, match="take it in logs"):
        activations.get("exp").second_moment(1e6)
    assert activations.get("exp").log_second_moment(1e8) == 2e8
    assert activations.get("exp").log_second_moment(3.0) == math.log(activations.get("exp").second_moment(3.0).value)


@pytest.mark.entry("A17")
def test_slope_of_the_sigmoid() -> None:
    """sigma' = sigma (1 - sigma) = 1/(4 cosh^2(x/2)): even, largest at 0, where it is 1/4, about e^-|x| far out."""
    sigmoid, s = activations.get("sigmoid"), np.linspace(-40, 40, 401)
    by_cosh = 1 / (4 * np.cosh(s / 2) ** 2)
    np.testing.assert_allclose(sigmoid.slope_function(s), by_cosh, rtol=1e-13)
    assert sp.simplify(sigmoid.derivative - sp.diff(sigmoid.expression, X)) == 0
    assert sp.simplify((sigmoid.derivative - 1 / (4 * sp.cosh(X / 2) ** 2)).rewrite(sp.exp)) == 0
    assert sigmoid.slope_function(np.zeros(1))[0] == 0.25 == sigmoid.slope_function(s).max()
    assert sigmoid.slope_function(np.array([-300.0]))[0] == pytest.approx(math.exp(-300), rel=1e-13)
    assert sigmoid.derivative_second_moment(2.0).value < 1 / 16
    np.testing.assert_allclose([mean_field.sigmoid_slope(x) for x in s], by_cosh, rtol=1e-13)


@pytest.mark.entry("GN-03")
def test_selu_keeps_mean_0_and_second_moment_1() -> None:
    """V(1) = 1 and M(1) = 0 with selu's constants, attracting: V'(1) < 1. Another alpha moves both by 1e-3."""
    selu = activations.get("selu")
    assert selu.second_moment(1.0).value == pytest.approx(1, abs=1e-13)
    assert selu.mean(1.0).value == pytest.approx(0, abs=1e-13)
    assert selu.second_moment_slope(1.0).value < 1 < selu.derivative_second_moment(1.0).value
    off = activations.get("elu", {"alpha": 1.675})
    assert abs(1.0507009873554805**2 * off.second_moment(1.0).value - 1) > 2e-4
    assert abs(off.mean(1.0).value) > 2e-4


def test_slopes_in_q_are_derivatives() -> None:
    """dV/dq, d2V/dq2 and those of D are difference quotients, whether closed or through Hermite polynomials."""
    q, step = 0.7, 1e-3
    for name in NAMES:
        phi = activations.get(name)
        for value, slope in (
            (phi.second_moment, phi.second_moment_slope),
            (phi.derivative_second_moment, phi.derivative_second_moment_slope),
        ):
            at = [value(q + k * step).value for k in (-2, -1, 0, 1, 2)]
            first = (at[0] - 8 * at[1] + 8 * at[3] - at[4]) / (12 * step)
            second = (-at[0] + 16 * at[1] - 30 * at[2] + 16 * at[3] - at[4]) / (12 * step**2)
            assert slope(q).value == pytest.approx(first, rel=1e-8, abs=1e-11), name
            assert slope(q, 2).value == pytest.approx(second, rel=1e-6, abs=1e-8), name


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus", "silu"])
def test_slopes_at_small_q(name: str) -> None:
    """Derivatives of V and D at q = 1e-6 and 1e-4 by mpmath: of order k, E of the 2k-th derivative of f^2 over 2^k."""
    phi = activations.get(name)
    for f, slope in (
        (phi.expression, phi.second_moment_slope),
        (sp.diff(phi.expression, X), phi.derivative_second_moment_slope),
    ):
        for order in (1, 2):
            g = mp_function(sp.diff(f**2, X, 2 * order))
            for q in (1e-6, 1e-4):
                exact = by_mpmath(g, q) / 2**order
                assert slope(q, order).value == pytest.approx(float(exact), rel=1e-9)


def test_variance_has_no_cancellation() -> None:
    """V - M^2 of the sigmoid at q = 1e-8 is q/16, where the difference of two numbers near 1/4 has lost 9 digits."""
    for name in NAMES:
        phi = activations.get(name)
        assert phi.variance(0.8).value == pytest.approx(
            phi.second_moment(0.8).value - phi.mean(0.8).value ** 2, rel=1e-11
        )
    for name, slope in (("sigmoid", 1 / 4), ("probit", 1 / math.sqrt(2 * math.pi)), ("softplus", 1 / 2)):
        assert activations.get(name).variance(1e-8).value == pytest.approx(1e-8 * slope**2, rel=1e-7)


@pytest.mark.entry("E1")
def test_orbits_are_fast_and_exact() -> None:
    """10 000 layers of tanh ask for fewer than 600 integrals, and each value is the integral's to 1e-12."""
    asked = []

    def exact(q: float) -> float:
        asked.append(q)
        return tanh.second_moment(q).value

    tanh, fast = activations.get("tanh"), octaves.Octaves(exact)
    q, visited = 1.0, []
    for layer in range(10_000):
        visited += [q] if layer % 400 == 0 else []
        q = fast(q)
    assert len(asked) < 600
    for q in visited:
        assert fast(q) == pytest.approx(tanh.second_moment(q).value, rel=2e-12)
    jump = octaves.Octaves(lambda q: 1.0 + (q > 1.3))
    assert [jump(q) for q in np.linspace(1.2, 1.4, 40)] == [1.0 + (q > 1.3) for q in np.linspace(1.2, 1.4, 40)]


@pytest.mark.parametrize("name", NAMES)
def test_fast_values_are_the_integrals(name: str) -> None:
    """second_moment_value and its like agree with the integrals over many octaves, closed or interpolated."""
    phi = activations.get(name)
    for q in np.geomspace(0.4, 90, 90):
        assert phi.second_moment_value(q) == pytest.approx(phi.second_moment(q).value, rel=2e-12)
        assert phi.derivative_second_moment_value(q) == pytest.approx(phi.derivative_second_moment(q).value, rel=2e-12)


def test_variance_map_slope_is_a_derivative() -> None:
    """V' without phi' is the difference quotient of V."""
    q, step = 0.7, 1e-5
    V = [activations.get("tanh").second_moment(q + d).value for d in (-step, step)]
    assert mean_field.variance_map_slope("tanh", q) == pytest.approx((V[1] - V[0]) / (2 * step), rel=1e-8)


@pytest.mark.entry("A7", "A9")
def test_weak_signal_series_of_tanh() -> None:
    """A7: V(q)/q = 1 - 2q + 17 q^2/3 - ... for small q."""
    q = 1e-3
    assert activations.get("tanh").second_moment(q).value / q == pytest.approx(1 - 2 * q + 17 * q**2 / 3, abs=30 * q**3)
