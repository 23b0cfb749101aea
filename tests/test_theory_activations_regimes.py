"""Activations where formulas break: jumps, poles, steps, powers, narrow exponentials, nearly parallel inputs."""

from __future__ import annotations

import math
import time

import mpmath as mp
import pytest
import sympy as sp

from theory import mean_field
from theory.activations import get, of_expression
from theory.prediction import TheoryError

s = sp.Symbol("s", real=True)
SIGN, STEP = of_expression(sp.sign(s)), of_expression(sp.Heaviside(s))


@pytest.mark.parametrize(
    "expression", [sp.Piecewise((s, s > 0)), sp.Derivative(sp.sin(s), s), sp.Integral(sp.exp(-(s**2)), s)]
)
def test_unfinished_expressions_are_refused(expression: sp.Expr) -> None:
    """A Piecewise without its last branch and what has to be carried out first: TheoryError, not an error of sympy."""
    with pytest.raises(TheoryError, match=r"nan at|doit"):
        of_expression(expression)


def test_zero_almost_everywhere_is_refused() -> None:
    """1 at 0 alone has no second moment to divide by."""
    with pytest.raises(TheoryError, match="0 almost everywhere"):
        of_expression(sp.Piecewise((1, sp.Eq(s, 0)), (0, True)))


def test_poles_within_bounded_functions_are_jumps() -> None:
    """atan(1/x) and tanh(1/x) jump at 0, exp(-1/x^2) does not; the roots of 1 - cos(x) are too many."""
    for function in (sp.atan, sp.tanh):
        found = of_expression(function(1 / s))
        assert (found.kinks, found.continuous) == ((0.0,), False)
    flat = of_expression(sp.exp(-1 / s**2))
    assert (flat.kinks, flat.continuous) == ((0.0,), True)
    assert of_expression(sp.sqrt(1 + s**2)).kinks == ()
    with pytest.raises(TheoryError, match="infinitely many kinks"):
        of_expression(sp.sqrt(1 - sp.cos(s)))


def test_wide_exponents_do_not_hang() -> None:
    """exp(-100 (x - 100)^2) expands to powers of 20,000, which sympy's factoring does not survive."""
    before = time.process_time()
    bump = of_expression(sp.tanh(s) / 1000 + sp.exp(-100 * (s - 100) ** 2))
    assert time.process_time() - before < 10
    q = 1e4
    alone = math.exp(-200 * 100**2 / (1 + 400 * q)) / math.sqrt(1 + 400 * q)
    both = 2e-3 * math.exp(-100 * 100**2 / (1 + 200 * q)) / math.sqrt(1 + 200 * q)  # tanh is 1 under the bump
    assert bump.second_moment(q).value == pytest.approx(
        alone + both + 1e-6 * get("tanh").second_moment(q).value, rel=1e-11
    )


@pytest.mark.entry("E2")
@pytest.mark.parametrize("q", [1e-12, 0.7, 1e12])
@pytest.mark.parametrize(
    ("expression", "p", "square"),
    [(2 * sp.Max(0, s), 1, 2), (-s, 1, 1), (sp.Max(0, s) ** 2, 2, 0.5), (s**3, 3, 1), (sp.sign(s), 0, 1)],
)
def test_powers_have_exact_moments(expression: sp.Expr, p: int, square: float, q: float) -> None:
    """V = c q^p E z^2p, D = p^2 c q^(p-1) E z^(2p-2) and their derivatives, 0 included, that quadrature cannot tell."""
    phi = of_expression(expression)
    moment = math.prod(range(1, 2 * p, 2))
    v = square * moment
    d = p**2 * square * math.prod(range(1, 2 * p - 2, 2))
    for order, value in enumerate((phi.second_moment(q).value, *(phi.second_moment_slope(q, k).value for k in (1, 2)))):
        assert value == pytest.approx(v * math.prod(range(p, p - order, -1)) * q ** (p - order), rel=1e-14, abs=0)
    slopes = (phi.derivative_second_moment_slope(q, k).value for k in (1, 2))
    for order, value in enumerate((phi.derivative_second_moment(q).value, *slopes)):
        falling = math.prod(range(p - 1, p - 1 - order, -1))
        assert value == pytest.approx(d * falling * q ** (p - 1 - order) if d else 0, rel=1e-14, abs=0)


def test_what_is_nearly_a_power_is_none() -> None:
    """Planted: x^3 + 1e-20 x and a power with a kink elsewhere keep their quadrature."""
    for other in (s**3 + sp.Rational(1, 10**20) * s, sp.Piecewise((s, s < 3), (2 * s, True))):
        assert of_expression(other).closed.second_moment is None
    with pytest.raises(TheoryError, match=r"reaches|infinite"):
        of_expression(sp.sqrt(sp.Abs(s))).derivative_second_moment(1.0)


def test_far_steps_are_not_zero() -> None:
    """P(h > 2) at q = 0.01 is 20 standard deviations away, 2.8e-89."""
    far = of_expression(sp.Heaviside(s - 2)).second_moment(0.01)
    assert far.value == pytest.approx(math.erfc(2 / math.sqrt(0.02)) / 2, rel=1e-9, abs=0)


@pytest.mark.entry("MF-10")
@pytest.mark.parametrize("c", [-0.99999999, -0.999999, 0.5, 0.9999999999])
@pytest.mark.parametrize(("q1", "q2"), [(1.0, 2.0), (3e8, 5.0), (7.0, 7.0)])
def test_nearly_parallel_inputs_of_two_lengths(q1: float, q2: float, c: float) -> None:
    """Arcsine and arc-cosine kernels to 60 digits, at the very covariance given; sqrt(q1) sqrt(q2) in floats misses."""
    q12 = c * math.sqrt(q1 * q2)
    with mp.workdps(60):
        r = mp.mpf(q12) / mp.sqrt(mp.mpf(q1) * q2)
        t = mp.acos(r)
        step = float(mp.mpf(1) / 4 + mp.asin(r) / (2 * mp.pi))
        squared = float(
            mp.mpf(q1) * q2 / (2 * mp.pi) * (3 * mp.sin(t) * mp.cos(t) + (mp.pi - t) * (1 + 2 * mp.cos(t) ** 2))
        )
        relu = float(mp.sqrt(mp.mpf(q1) * q2) / (2 * mp.pi) * (mp.sin(t) + (mp.pi - t) * mp.cos(t)))
    assert STEP.kernel(q1, q2, q12).value == pytest.approx(step, rel=1e-11)
    assert of_expression(sp.Max(0, s) ** 2).kernel(q1, q2, q12).value == pytest.approx(squared, rel=1e-11, abs=0)
    assert get("relu").kernel(q1, q2, q12).value == pytest.approx(relu, rel=1e-11, abs=1e-16 * math.sqrt(q1 * q2))


# The mean field of such


@pytest.mark.entry("MF-02")
def test_steps_have_no_slope_of_correlations() -> None:
    """1 - C = 2t/pi for the sign, also at 1e-4, where Price's theorem would give 0; slopes are refused."""
    for angle in (1e-4, 0.5):
        assert mean_field.correlation_gap(SIGN, angle, 1.0, 1.0) == pytest.approx(2 * angle / math.pi, rel=1e-8)
    for refused in (
        lambda: mean_field.correlation_gap(SIGN, 1e-9, 1.0, 1.0),
        lambda: mean_field.correlation_map_slope(SIGN, 0.3, 1.0, 1.0),
        lambda: mean_field.c_star(SIGN, 1.0, q=1.0),
    ):
        with pytest.raises(TheoryError, match="without jumps"):
            refused()


@pytest.mark.entry("E1")
def test_a_jump_at_0_repels() -> None:
    """The sign has V = 1 at every q > 0, so q = 0 is left at once and q = sw2 is reached in one layer."""
    zero, one = mean_field.length_fixed_points(SIGN, 3.0).points
    assert (zero.value, zero.slope, str(zero.stability)) == (0.0, math.inf, "repelling")
    assert (one.value, one.slope) == (pytest.approx(3.0), 0.0)
    assert mean_field.q_star(SIGN, 3.0) == pytest.approx(3.0)


@pytest.mark.entry("GN-01", "MF-04")
def test_no_gradient_passes_a_step() -> None:
    """D = 0: gains, edge and growth say so."""
    for refused in (
        lambda: mean_field.gains(STEP),
        lambda: mean_field.edge_point(SIGN, 1.0),
        lambda: mean_field.edge(SIGN),
        lambda: mean_field.backward_factor(SIGN, 1.0),
    ):
        with pytest.raises(TheoryError, match="no gradient passes"):
            refused()


@pytest.mark.entry("MF-04", "MF-05")
def test_multiples_of_homogeneous_functions_have_an_edge() -> None:
    """2 max(0, x): sw2 = 1/2, sb2 = 0, as ReLU with 4 sw2; -x is linear and keeps every correlation."""
    twice, minus = of_expression(2 * sp.Max(0, s)), of_expression(-s)
    assert "one point, sw2 = 0.5, sb2 = 0" in mean_field.edge(twice).reason
    assert "one point, sw2 = 1, sb2 = 0" in mean_field.edge(minus).reason
    assert (mean_field.edge_point(twice, 3.0).sw2, mean_field.edge_point(twice, 3.0).sb2) == (0.5, 0.0)
    with pytest.raises(TheoryError, match="homogeneous"):
        mean_field.half_stable_points(twice)
    decay, relu = mean_field.correlation_decay(twice, 1.0, 0.5), mean_field.correlation_decay("relu", 1.0, 2.0)
    assert decay.coefficient == pytest.approx(relu.coefficient)
    with pytest.raises(TheoryError, match="linear"):
        mean_field.correlation_decay(minus, 1.0, 1.0)


@pytest.mark.entry("GN-01", "TR-02")
def test_centred_variances_do_not_cancel() -> None:
    """sigma(s) - 1/2 is s/4 at small s: variance q/16, of which V - M^2 in floats keeps four digits at 1e-12."""
    q = 1e-12
    assert mean_field.gains("sigmoid", q)["centred"] == pytest.approx(4, rel=1e-10)
    assert mean_field.profile("sigmoid", q, 1.0, layers=1).activation_std[0] == pytest.approx(2.5e-7, rel=1e-10)
    sigmoid = get("sigmoid")
    lossy = sigmoid.second_moment(q).value - sigmoid.mean(q).value ** 2
    assert abs(16 * lossy / q - 1) > 1e-6


@pytest.mark.entry("E1")
def test_small_lengths_without_digits_are_left_out() -> None:
    """1 - cos(x) has V = 3/2 - 2 e^(-q/2) + e^(-2q)/2, which a float loses at 1e-12; its fixed points lie far above."""
    flat = of_expression(1 - sp.cos(s))
    with pytest.raises(TheoryError, match="reaches"):
        flat.second_moment(1e-12)
    zero, low, high = mean_field.length_fixed_points(flat, 3.0).points
    assert (zero.value, str(zero.stability)) == (0.0, "attracting")
    for q in (low.value, high.value):
        assert 3 * (1.5 - 2 * math.exp(-q / 2) + math.exp(-2 * q) / 2) == pytest.approx(q, rel=1e-11)
    assert (str(low.stability), str(high.stability)) == ("repelling", "attracting")
