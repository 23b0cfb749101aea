"""The closed forms derived: by sympy's integrals, and by Price's theorem dK/dq12 = K' where those do not finish."""

from __future__ import annotations

import pytest
import sympy as sp

from theory import activations

q, q1, q2, t = sp.symbols("q q1 q2 t", positive=True)
s = sp.Symbol("s", real=True)
SAMPLE = [(0.3, 0.7, 0.2), (2.0, 1.1, 0.9), (5.0, 0.5, 1.2)]
DENSITY = sp.exp(-(s**2) / (2 * q)) / sp.sqrt(2 * sp.pi * q)


def gauss(f: sp.Expr, low: sp.Expr = -sp.oo, high: sp.Expr = sp.oo) -> sp.Expr:
    """E f(s) over low < s < high, s of variance q."""
    return sp.simplify(sp.integrate(f * DENSITY, (s, low, high)))


def agree(expression: sp.Expr, form: object, rel: float = 1e-12) -> None:
    """The derived expression and the module's number agree at three variances."""
    for value in (0.3, 2.0, 7.0):
        assert form(value).value == pytest.approx(float(expression.subs(q, sp.Rational(str(value))).evalf(30)), rel=rel)  # type: ignore[operator]


@pytest.mark.entry("MF-09", "MF-10")
@pytest.mark.parametrize(
    ("name", "negative", "positive"),
    [("relu", 0 * s, s), ("abs", -s, s), ("linear", s, s), ("exp", sp.exp(s), sp.exp(s)), ("square", s**2, s**2)],
)
def test_by_integration(name: str, negative: sp.Expr, positive: sp.Expr) -> None:
    """V, D, M and E phi^4 by sympy's own integrals over the two half lines."""
    phi = activations.get(name)
    for power, form in ((1, phi.mean), (2, phi.second_moment), (4, lambda v: phi.power_mean(v, 4))):
        agree(gauss(negative**power, -sp.oo, 0) + gauss(positive**power, 0, sp.oo), form)
    below, above = sp.diff(negative, s) ** 2, sp.diff(positive, s) ** 2
    agree(gauss(below, -sp.oo, 0) + gauss(above, 0, sp.oo), phi.derivative_second_moment)


@pytest.mark.entry("MF-10")
def test_elu_by_integration() -> None:
    """E (e^s - 1)^k over s < 0 as a sum of erfc, for ELU with alpha = 1: M, V, D, E phi^4."""
    elu = activations.get("elu")
    exponential = {k: gauss(sp.exp(k * s), -sp.oo, 0) for k in range(1, 5)}
    exponential[0] = sp.Rational(1, 2)
    for k, form in ((1, elu.mean), (2, elu.second_moment), (4, lambda v: elu.power_mean(v, 4))):
        below = sum(sp.binomial(k, j) * (-1) ** (k - j) * exponential[j] for j in range(k + 1))
        agree(gauss(s**k, 0, sp.oo) + below, form, rel=1e-11)
    agree(sp.Rational(1, 2) + exponential[2], elu.derivative_second_moment)


@pytest.mark.entry("MF-10")
def test_clipped_by_integration() -> None:
    """hardtanh and ReLU6: the cut Gaussian's moments and two tails."""
    hard, six = activations.get("hardtanh"), activations.get("relu6")
    agree(gauss(s**2, -1, 1) + 2 * gauss(sp.Integer(1), 1, sp.oo), hard.second_moment)
    agree(gauss(sp.Integer(1), -1, 1), hard.derivative_second_moment)
    agree(gauss(s**4, -1, 1) + 2 * gauss(sp.Integer(1), 1, sp.oo), lambda v: hard.power_mean(v, 4))
    agree(gauss(s, 0, 6) + 6 * gauss(sp.Integer(1), 6, sp.oo), six.mean)
    agree(gauss(s**2, 0, 6) + 36 * gauss(sp.Integer(1), 6, sp.oo), six.second_moment)


@pytest.mark.entry("MF-10")
def test_sine_by_integration() -> None:
    """V, D and E sin^4 of the sine."""
    sine = activations.get("sine")
    agree(gauss(sp.sin(s) ** 2), sine.second_moment)
    agree(gauss(sp.cos(s) ** 2), sine.derivative_second_moment)
    agree(gauss(sp.expand(sp.sin(s) ** 4).rewrite(sp.exp).expand()), lambda v: sine.power_mean(v, 4))


def pair_mean_of_gaussians(a: sp.Expr, b: sp.Expr, c12: sp.Expr) -> sp.Expr:
    """E e^(-(a u^2 + b v^2)/2) = det(1 + Sigma diag(a, b))^(-1/2)."""
    sigma = sp.Matrix([[q1, c12], [c12, q2]])
    return 1 / sp.sqrt((sp.eye(2) + sigma * sp.diag(a, b)).det())


def same_kernel(name: str, kernel: sp.Expr, slope: sp.Expr | None = None) -> None:
    phi = activations.get(name)
    for values in SAMPLE:
        point = dict(zip((q1, q2, t), values, strict=True))
        if values[2] ** 2 >= values[0] * values[1]:
            continue
        assert phi.kernel(*values).value == pytest.approx(float(kernel.subs(point).evalf(20)), rel=1e-12)
        if slope is not None:
            assert phi.derivative_kernel(*values).value == pytest.approx(float(slope.subs(point).evalf(20)), rel=1e-12)


@pytest.mark.entry("MF-09", "MF-10")
def test_erf_by_price() -> None:
    """K' = (4/pi) E e^(-u^2 - v^2) is a determinant, and K its integral from q12 = 0, where K = 0: an arcsine."""
    slope = 4 / sp.pi * pair_mean_of_gaussians(2, 2, t)
    stated = 2 / sp.pi * sp.asin(2 * t / sp.sqrt((1 + 2 * q1) * (1 + 2 * q2)))
    assert stated.subs(t, 0) == 0
    assert sp.simplify(sp.diff(stated, t) ** 2 / slope**2) == 1
    same_kernel("erf", stated, slope)


@pytest.mark.entry("MF-09")
def test_probit_by_price() -> None:
    """K' = E e^(-u^2/2 - v^2/2)/(2 pi); K = 1/4 at q12 = 0."""
    slope = pair_mean_of_gaussians(1, 1, t) / (2 * sp.pi)
    stated = sp.Rational(1, 4) + sp.asin(t / sp.sqrt((1 + q1) * (1 + q2))) / (2 * sp.pi)
    assert stated.subs(t, 0) == sp.Rational(1, 4)
    assert sp.simplify(sp.diff(stated, t) ** 2 / slope**2) == 1
    same_kernel("probit", stated, slope)


@pytest.mark.entry("MF-09")
def test_gelu_by_price() -> None:
    """phi'' = (2 - s^2) p(s): two derivatives of K in q12 leave a Gaussian, and K, K' at q12 = 0 are M M and 1/4."""
    j, k = sp.symbols("j k", positive=True)
    base = pair_mean_of_gaussians(j, k, t) / (2 * sp.pi)
    # E u^2 e^(-j u^2/2) = -2 d/dj, so (2 - u^2)(2 - v^2) acts as (2 + 2 d/dj)(2 + 2 d/dk) at j = k = 1
    second = (4 * base + 4 * sp.diff(base, j) + 4 * sp.diff(base, k) + 4 * sp.diff(base, j, k)).subs({j: 1, k: 1})
    A, B = 1 + q1, 1 + q2
    R = sp.sqrt(A * B - t**2)
    stated = (
        (q1 * q2 - q1 * t**2 / A + t**2 / B) / (2 * sp.pi * R) + t / 4 + t * sp.asin(t / sp.sqrt(A * B)) / (2 * sp.pi)
    )
    difference = sp.diff(stated, t, 2) - second
    for values in SAMPLE:
        point = dict(zip((q1, q2, t), map(sp.Rational, map(str, values)), strict=True))
        assert abs(difference.subs(point).evalf(40)) < 1e-35
    assert sp.simplify(sp.diff(stated, t).subs(t, 0) - sp.Rational(1, 4)) == 0
    means = q1 * q2 / (2 * sp.pi * sp.sqrt(A * B))  # M(q) = E s Phi(s) = q E p(s) = q/sqrt(2 pi (1 + q)), by Stein
    assert sp.simplify(stated.subs(t, 0) - means) == 0
    same_kernel("gelu", stated, sp.diff(stated, t))
    V = stated.subs({q1: q, q2: q, t: q})
    agree(V, activations.get("gelu").second_moment)
    agree(sp.diff(stated, t).subs({q1: q, q2: q, t: q}), activations.get("gelu").derivative_second_moment)


@pytest.mark.entry("MF-09")
def test_relu_by_price() -> None:
    """K'' = E delta(u) delta(v) = 1/(2 pi sqrt(q1 q2 - q12^2)); K' = 1/4 and K = sqrt(q1 q2)/(2 pi) at q12 = 0."""
    r = t / sp.sqrt(q1 * q2)
    stated = sp.sqrt(q1 * q2) * (sp.sqrt(1 - r**2) + r * (sp.pi - sp.acos(r))) / (2 * sp.pi)
    second = 1 / (2 * sp.pi * sp.sqrt(q1 * q2 - t**2))
    assert sp.simplify(sp.diff(stated, t, 2) - second).equals(0)
    assert sp.simplify(sp.diff(stated, t).subs(t, 0)) == sp.Rational(1, 4)
    assert sp.simplify(stated.subs(t, 0) - sp.sqrt(q1 * q2) / (2 * sp.pi)) == 0
    same_kernel("relu", stated, sp.diff(stated, t))


@pytest.mark.entry("MF-09")
def test_sine_and_exp_by_characteristic_functions() -> None:
    """E e^(i(u +- v)) = e^(-(q1 + q2 +- 2 q12)/2) gives both kernels of the sine, and the exponential's."""
    plus, minus = (sp.exp(-(q1 + q2 + sign * 2 * t) / 2) for sign in (1, -1))
    same_kernel("sine", (minus - plus) / 2, (minus + plus) / 2)
    both = sp.exp((q1 + q2 + 2 * t) / 2)
    same_kernel("exp", both, both)
    same_kernel("square", q1 * q2 + 2 * t**2, 4 * t)


def test_a_wrong_form_is_seen() -> None:
    """The planted fault: GELU without t/4 has the same second derivative, and fails the value at q12 = 0 of K'."""
    with pytest.raises(AssertionError):
        same_kernel("gelu", q1 * q2 / (2 * sp.pi * sp.sqrt((1 + q1) * (1 + q2) - t**2)))
