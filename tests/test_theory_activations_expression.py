"""Activations that a user writes as sympy expressions: kinks, symmetry, derivative, integrals, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy as sp

from theory import activations
from theory.activations import of_expression
from theory.net import DenseNet, Distribution
from theory.prediction import TheoryError

s = sp.Symbol("s", real=True)
h = sp.Symbol("h")  # no assumption
OWN_FORM = {
    "leaky_relu": sp.Max(h, sp.Rational(1, 100) * h),
    "relu6": sp.Min(sp.Max(0, h), 6),
    "hardtanh": (sp.Abs(h + 1) - sp.Abs(h - 1)) / 2,
    "gelu": h * (1 + sp.erf(h / sp.sqrt(2))) / 2,
    "silu": h / (1 + sp.exp(-h)),
    "elu": sp.Max(h, 0) + sp.Min(0, sp.exp(h) - 1),
    "sigmoid": (1 + sp.tanh(h / 2)) / 2,
    "softsign": h / (1 + sp.Abs(h)),
    "abs": h * sp.sign(h),
    "relu": h * sp.Heaviside(h),
}


@pytest.mark.parametrize("name", list(activations.TABLE))
def test_a_row_of_the_table_written_as_an_expression(name: str) -> None:
    """Flags are those of the row, and M, V, D and a kernel agree to 1e-12 though the closed forms are not used."""
    row = activations.get(name)
    own = of_expression(row.expression.subs(activations.x, s), name)
    flags = ("kinks", "slope", "odd", "even", "slope_is_even", "continuous")
    assert [getattr(own, flag) for flag in flags] == [getattr(row, flag) for flag in flags]
    same = {"origin": {"isolated"}, "never": {"never", "isolated"}}.get(row.zeros, {row.zeros})
    assert row.slope is not None or own.zeros in same
    for q in (0.2, 3.0):
        for method in ("mean", "second_moment", "derivative_second_moment"):
            mine, table = getattr(own, method)(q).value, getattr(row, method)(q).value
            assert mine == pytest.approx(table, rel=1e-12, abs=1e-15)
    assert own.kernel(1.0, 2.0, 0.9).value == pytest.approx(row.kernel(1.0, 2.0, 0.9).value, rel=1e-11)
    assert own.derivative_kernel(1.0, 2.0, 0.9).value == pytest.approx(
        row.derivative_kernel(1.0, 2.0, 0.9).value, rel=1e-11
    )


@pytest.mark.parametrize("name", OWN_FORM)
def test_other_forms_of_the_same_function(name: str) -> None:
    """Max, Min, Abs, sign and Heaviside give the integrals and kinks of the table's Piecewise."""
    row, own = activations.get(name), of_expression(OWN_FORM[name])
    assert own.kinks == row.kinks
    assert own.odd == row.odd
    assert own.slope == row.slope
    assert own.continuous
    assert own.second_moment(0.9).value == pytest.approx(row.second_moment(0.9).value, rel=1e-12)
    assert own.derivative_second_moment(0.9).value == pytest.approx(row.derivative_second_moment(0.9).value, rel=1e-12)
    points = np.array([-3.0, -0.4, 0.2, 1.7, 8.0])
    np.testing.assert_allclose(own.function(points), row.function(points), rtol=1e-13, atol=1e-16)
    np.testing.assert_allclose(own.slope_function(points), row.slope_function(points), rtol=1e-13, atol=1e-16)


@pytest.mark.entry("MF-10")
def test_swish_with_another_slope() -> None:
    """x sigma(1.7 x): V(q) = V_silu(1.7^2 q)/1.7^2, D likewise; beta = 1.71 is told apart."""
    beta = 1.7
    swish, silu = of_expression(h / (1 + sp.exp(-beta * h))), activations.get("silu")
    q = 0.8
    assert swish.second_moment(q).value == pytest.approx(silu.second_moment(beta**2 * q).value / beta**2, rel=1e-12)
    assert swish.derivative_second_moment(q).value == pytest.approx(
        silu.derivative_second_moment(beta**2 * q).value, rel=1e-12
    )
    other = of_expression(h / (1 + sp.exp(-1.71 * h)))
    assert abs(other.second_moment(q).value / swish.second_moment(q).value - 1) > 1e-4


def test_kinks_are_roots_and_jumps_are_seen() -> None:
    """Kinks sit where the arguments change sign, wherever that is; a step is not continuous."""
    assert of_expression(sp.Max(s**2 - 2, 0)).kinks == pytest.approx((-math.sqrt(2), math.sqrt(2)))
    assert of_expression(sp.Piecewise((s, s < -1), (2 * s + 1, s < 3), (7, True))).kinks == (-1.0, 3.0)
    assert of_expression(sp.Max(sp.exp(s) - 3, 0)).kinks == pytest.approx((math.log(3),))
    step = of_expression(sp.Heaviside(s - sp.Rational(1, 2)) + s)
    assert step.kinks == (0.5,)
    assert not step.continuous
    assert step.slope_function(np.array([0.0, 1.0])).tolist() == [1.0, 1.0]
    assert step.second_moment(1.0).value == pytest.approx(
        1 + 2 * math.exp(-1 / 8) / math.sqrt(2 * math.pi) + math.erfc(0.5 / math.sqrt(2)) / 2, rel=1e-12
    )


def test_homogeneous_expressions_get_exact_statements() -> None:
    """Max(x, 0.3 x) has slope 0.3 and closed forms; 2 Max(x, 0) and Max(x, 0) + 1e-9 x^2 are not homogeneous."""
    leaky = of_expression(sp.Max(s, sp.Rational(3, 10) * s))
    assert leaky.slope == pytest.approx(0.3)
    assert leaky.power_mean(2.0, 4).value == pytest.approx(12 * (1 + 0.3**4) / 2)
    assert of_expression(2 * sp.Max(s, 0)).slope is None
    assert of_expression(sp.Max(s, 0) + 1e-9 * s**2).slope is None
    net = DenseNet((3, 3), leaky, weights=(Distribution("normal", 1.0),))
    assert net.phi(1) is leaky
    assert hash(net.phi(1)) == hash(of_expression(sp.Max(s, sp.Rational(3, 10) * s)))


def test_stable_forms_are_used() -> None:
    """exp(x) - 1 and log(1 + exp(x)) neither cancel at 1e-12 nor overflow at 1e4."""
    tiny, far = np.array([1e-12]), np.array([1e4])
    assert of_expression(sp.Piecewise((s, s > 0), (sp.exp(s) - 1, True))).function(-tiny)[0] == pytest.approx(
        -1e-12, rel=1e-11
    )
    softplus = of_expression(sp.log(1 + sp.exp(s)))
    assert softplus.function(far)[0] == 1e4
    assert softplus.slope_function(far)[0] == 1
    assert of_expression(sp.tanh(s) ** 2 + sp.exp(-(s**2))).second_moment(1e8).error < 1e-9


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (sp.Integer(3), "no symbol"),
        (s * sp.Symbol("b"), "the symbols b, s"),
        ("tanh(x)", "a sympy expression"),
        (3.0, "a sympy expression"),
        (sp.I * s, "complex"),
        (sp.log(s), "nan at"),
        (sp.sqrt(s), "nan at"),
        (1 / s, "at 0"),
        (sp.Abs(s) ** sp.Rational(-1, 2), "at 0"),
        (sp.exp(s**2), r"E phi\(sqrt\(q\) z\)\^2 is infinite for q >= 0\.25"),
        (sp.exp(s**2 / 10) + s, r"infinite for q >= 2\.5"),
        (sp.sinh(s**3), "infinite for every q > 0"),
        (sp.Abs(sp.sin(s)), "kinks"),
        (sp.floor(s), "infinitely many jumps"),
        (sp.Max(s, sp.tanh(s) + sp.Rational(1, 10)), "kinks"),
        (sp.Symbol("p", positive=True) ** 2, "all real numbers"),
        (1 / (s - sp.Rational(7, 10)), "reaches|overflows|infinite"),
        (sp.Function("f")(s), "evaluated|derivative"),
    ],
)
def test_what_is_no_activation_is_refused(expression: object, message: str) -> None:
    """Each refusal names what is wrong."""
    with pytest.raises(TheoryError, match=message):
        of_expression(expression)  # type: ignore[arg-type]


def test_moderate_growth_is_allowed() -> None:
    """exp and sinh are square-integrable at every q, a polynomial too; where a float overflows it is said."""
    growing = of_expression(sp.exp(s) + s**3)
    assert growing.second_moment(1.0).value == pytest.approx(
        math.exp(2) + 15 + 2 * math.exp(0.5) * (3 + 1), rel=1e-11
    )  # E s^3 e^s = e^(1/2) E (z + 1)^3
    assert of_expression(sp.sinh(s)).second_moment(20.0).value == pytest.approx(math.expm1(40) / 2, rel=1e-11)
    with pytest.raises(TheoryError, match="infinite, or more than a float can hold"):
        growing.second_moment(1e5)
