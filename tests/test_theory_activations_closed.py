"""Closed forms of V, D, M and fourth moments against 50-digit quadrature by mpmath, from q = 1e-8 to 1e4."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

from theory import activations
from theory.activations import erf_family, piecewise
from theory.activations.closed import determinant

X = activations.x
CASES: dict[str, tuple[str, dict[str, float]]] = {
    "relu": ("relu", {}),
    "leaky_relu": ("leaky_relu", {"negative_slope": 0.2}),
    "abs": ("abs", {}),
    "relu6": ("relu6", {}),
    "hardtanh": ("hardtanh", {}),
    "erf": ("erf", {}),
    "probit": ("probit", {}),
    "gelu": ("gelu", {}),
    "elu": ("elu", {}),
    "elu 0.3": ("elu", {"alpha": 0.3}),
    "selu": ("selu", {}),
    "celu 4": ("celu", {"alpha": 4.0}),  # 1/4 is a float: 4 (e^(s/4) - 1) has slope 1 at 0 exactly
    "sine": ("sine", {}),
    "exp": ("exp", {}),
    "square": ("square", {}),
}
VARIANCES = [1e-8, 1e-4, 0.04, 0.3, 1.0, 20.0, 1e4]
Scalar = Callable[[mp.mpf], mp.mpf]


def functions(phi: activations.Activation) -> tuple[Scalar, Scalar]:
    """phi and phi' to 50 digits."""
    expression = phi.expression.rewrite(sp.Piecewise)
    return tuple(sp.lambdify(X, e, "mpmath") for e in (expression, sp.diff(expression, X)))  # type: ignore[return-value]


def gauss(f: Scalar, q: float, kinks: tuple[float, ...]) -> mp.mpf:
    """E f(sqrt(q) z) to some 20 digits or more, in s, in 50-digit arithmetic."""
    with mp.workdps(50):
        std = mp.sqrt(mp.mpf(q))
        top = 16 * std
        bends = {s * std * w for w in (1, 3, 6, 10) for s in (-1, 1)}
        bends |= {s * mp.mpf(2) ** k for k in range(-1, 9) for s in (-1, 1)} | {mp.mpf(k) for k in kinks} | {mp.mpf(0)}
        edges = sorted({-top, top} | {b for b in bends if abs(b) < top})
        return sum(
            mp.quad(lambda s: f(s) * mp.npdf(s, 0, std), [a, b], method="gauss-legendre", maxdegree=5)
            for a, b in itertools.pairwise(edges)
        )


def skips(name: str, q: float) -> bool:
    """exp overflows at 1e4 and needs a shifted range at 20; the sine turns hundreds of times at 1e4."""
    return name in ("exp", "sine") and q > 1


@pytest.mark.entry("MF-09", "MF-10")
@pytest.mark.parametrize("q", VARIANCES)
@pytest.mark.parametrize("case", CASES)
def test_closed_forms_agree_with_quadrature(case: str, q: float) -> None:
    """V, D, M, E phi' and the fourth moments to 1e-12 relative."""
    name, parameters = CASES[case]
    if skips(name, q):
        pytest.skip("tested against its own formula below")
    phi = activations.get(name, parameters)
    f, slope = functions(phi)
    for label, integral, integrand in (
        ("M", phi.mean(q), f),
        ("V", phi.second_moment(q), lambda s: f(s) ** 2),
        ("E phi^4", phi.power_mean(q, 4), lambda s: f(s) ** 4),
        ("E phi'", phi.derivative_mean(q), slope),
        ("D", phi.derivative_second_moment(q), lambda s: slope(s) ** 2),
        ("E phi'^4", phi.derivative_power_mean(q, 4), lambda s: slope(s) ** 4),
    ):
        exact = gauss(integrand, q, phi.kinks)
        floor = 1e-13 if case == "selu" and label == "M" else 1e-30  # M(1) = 0
        assert integral.value == pytest.approx(float(exact), rel=1e-12, abs=floor), (label, q)


def test_the_printed_forms_lose_their_digits() -> None:
    """Planted: ELU by its printed form at q = 1e-8, hardtanh at 1e8 and erf's asin at 1e-12 miss by far more."""
    from scipy import special

    q = 1e-8
    printed = q / 2 + special.erfcx(math.sqrt(2 * q)) / 2 - special.erfcx(math.sqrt(q / 2)) + 0.5
    assert abs(printed / activations.get("elu").second_moment(q).value - 1) > 1e-11
    q = 1e8
    clipped = q * (math.erf(1 / math.sqrt(2 * q)) - math.sqrt(2 / (math.pi * q)) * math.exp(-1 / (2 * q)))
    exact = q * special.gammainc(1.5, 1 / (2 * q))
    assert abs(clipped / exact - 1) > 1e-9
    assert abs((1 - math.exp(-2e-10)) / 2 / activations.get("sine").second_moment(1e-10).value - 1) > 1e-8


@pytest.mark.parametrize("name", list(activations.TABLE))
@pytest.mark.parametrize("q", [1e-8, 1e-3, 1e3, 1e8])
def test_stable_from_1e_minus_8_to_1e8(name: str, q: float) -> None:
    """Every integral is a positive finite number with a small error; exp gives log V where V overflows."""
    phi = activations.get(name)
    if name == "exp" and q > 300:
        assert phi.log_second_moment(q) == 2 * q
        return
    for integral in (phi.second_moment(q), phi.derivative_second_moment(q), phi.power_mean(q, 4)):
        assert 0 <= integral.value < math.inf
        assert integral.error <= 1e-9 * integral.value
    assert phi.kernel(q, q, q).value == pytest.approx(phi.second_moment(q).value, rel=1e-9)
    assert abs(phi.mean(q).value) <= math.sqrt(phi.second_moment(q).value) * (1 + 1e-12)


@pytest.mark.entry("MF-09")
def test_large_variances_reach_their_limits() -> None:
    """As q grows hardtanh, erf and tanh become the sign, GELU and ELU the ReLU, and the sine a fair phase."""
    q = 1e8
    for name in ("hardtanh", "erf", "tanh"):
        assert 1 - activations.get(name).second_moment(q).value == pytest.approx(0, abs=3e-4)
    for name in ("gelu", "elu", "silu", "softplus", "selu"):
        scale = 1.0507009873554805 if name == "selu" else 1
        assert activations.get(name).second_moment(q).value == pytest.approx(scale**2 * q / 2, rel=1e-3)
    assert activations.get("sine").second_moment(q).value == 0.5
    assert activations.get("relu6").second_moment(q).value == pytest.approx(18, rel=1e-2)


def test_series_meet_the_sums_where_they_change() -> None:
    """ELU's series below b = 1/2 and its erfcx above agree where they meet."""
    for k in (1, 2, 3, 4):
        low, high = piecewise.below(0.5, k), piecewise.below(0.5 + 1e-13, k)
        assert low == pytest.approx(high, rel=3e-12)
    assert piecewise.bent(0.5) == pytest.approx(piecewise.bent(0.5 + 1e-13), rel=3e-12)


@pytest.mark.entry("MF-09")
def test_arcsines_near_parallel_inputs() -> None:
    """1 - c of 1e-14 is not lost: K(q, q, q) - K(q, q, q - d) = d K'(q) for erf and GELU; the determinant is q d."""
    q, d = 3.0, 3e-9
    assert determinant(q, q, q - d) == pytest.approx(2 * q * d, rel=1e-6)
    for form in (erf_family.erf(), erf_family.probit(), erf_family.gelu()):
        assert form.kernel is not None
        assert form.derivative_kernel is not None
        d = 1e-6
        step = form.kernel(q, q, q) - form.kernel(q, q, q - d)
        assert step == pytest.approx(d * form.derivative_kernel(q, q, q - d / 2), rel=1e-8)


def test_sine_at_large_variances() -> None:
    """K of the sine does not overflow, and is half a Gaussian in the difference of the two phases."""
    sine = activations.get("sine")
    for q, gap in ((1e3, 2.0), (1e8, 0.5)):
        assert sine.kernel(q, q, q - gap).value == pytest.approx(math.exp(-gap) / 2, rel=1e-7)
    assert np.isclose(sine.power_mean(1e-8, 4).value, 3e-16, rtol=1e-7)
