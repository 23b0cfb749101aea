"""Activations and their functions against mpmath at 50 digits, at their limits, and compiled."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest

from mcverify.activations import activations, read_activation
from mcverify.functions import arctangent, error, exponential, gated, logarithm, piecewise, sine
from mcverify.kernels import generated

MODULES = (piecewise, exponential, logarithm, gated, error, sine, arctangent)
POSITIVE = np.concatenate([np.linspace(1e-3, 40, 700), np.geomspace(1e-300, 1e-3, 60)])
H = np.concatenate([-POSITIVE[::-1], POSITIVE])
LIMITS = np.array([-np.inf, -1e300, -800.0, 0.0, 800.0, 1e300, np.inf])
SMALLEST = 1e-304  # what is smaller may be 0

Exact = Callable[[Any], Any]
SCALE, ALPHA = mp.mpf(1.0507009873554805), mp.mpf(1.6732632423543772)


def logistic(h: Any) -> Any:
    return 1 / (1 + mp.exp(-h))


def normal(h: Any) -> Any:
    return mp.erfc(-h / mp.sqrt(2)) / 2


def density(h: Any) -> Any:
    return mp.exp(-h * h / 2) / mp.sqrt(2 * mp.pi)


def gate(h: Any) -> Any:
    """(1 + tanh(u)) / 2 of gelu_tanh."""
    return logistic(2 * mp.sqrt(2 / mp.pi) * (h + mp.mpf("0.044715") * h**3))


def gate_slope(h: Any) -> Any:
    return gate(h) * gate(-h) * 2 * mp.sqrt(2 / mp.pi) * (1 + 3 * mp.mpf("0.044715") * h * h)


def softplus(h: Any) -> Any:
    return mp.log1p(mp.exp(h))


EXACT: dict[str, tuple[Exact, Exact]] = {
    "linear": (lambda h: h, lambda h: mp.mpf(1)),
    "relu": (lambda h: max(h, 0), lambda h: mp.mpf(h > 0)),
    "leaky_relu": (lambda h: h if h > 0 else mp.mpf(0.01) * h, lambda h: mp.mpf(1 if h > 0 else 0.01)),
    "prelu": (lambda h: h if h > 0 else h / 4, lambda h: mp.mpf(1 if h > 0 else 0.25)),
    "abs": (abs, lambda h: mp.mpf(1 if h > 0 else -1)),
    "relu6": (lambda h: min(max(h, 0), 6), lambda h: mp.mpf(0 < h < 6)),
    "hardtanh": (lambda h: min(max(h, -1), 1), lambda h: mp.mpf(-1 < h < 1)),
    "tanh": (mp.tanh, lambda h: 1 / mp.cosh(h) ** 2),
    "sigmoid": (logistic, lambda h: logistic(h) * logistic(-h)),
    "erf": (mp.erf, lambda h: 2 * mp.exp(-h * h) / mp.sqrt(mp.pi)),
    "probit": (normal, density),
    "gelu": (lambda h: h * normal(h), lambda h: normal(h) + h * density(h)),
    "gelu_tanh": (lambda h: h * gate(h), lambda h: gate(h) + h * gate_slope(h)),
    "silu": (lambda h: h * logistic(h), lambda h: logistic(h) * (1 + h * logistic(-h))),
    "mish": (
        lambda h: h * mp.tanh(softplus(h)),
        lambda h: mp.tanh(softplus(h)) + h * logistic(h) / mp.cosh(softplus(h)) ** 2,
    ),
    "elu": (lambda h: h if h > 0 else mp.expm1(h), lambda h: mp.mpf(1) if h > 0 else mp.exp(h)),
    "selu": (
        lambda h: SCALE * (h if h > 0 else ALPHA * mp.expm1(h)),
        lambda h: SCALE * (mp.mpf(1) if h > 0 else ALPHA * mp.exp(h)),
    ),
    "celu": (lambda h: h if h > 0 else mp.expm1(h), lambda h: mp.mpf(1) if h > 0 else mp.exp(h)),
    "softplus": (softplus, logistic),
    "softsign": (lambda h: h / (1 + abs(h)), lambda h: 1 / (1 + abs(h)) ** 2),
    "sine": (mp.sin, mp.cos),
    "exp": (mp.exp, mp.exp),
    "square": (lambda h: h * h, lambda h: 2 * h),
}
OTHERS: dict[str, tuple[Callable[[Any], Any], Exact]] = {
    "expm1": (exponential.expm1, mp.expm1),
    "sinh": (exponential.sinh, mp.sinh),
    "cosh": (exponential.cosh, mp.cosh),
    "log": (lambda h: logarithm.log(np.abs(h)), lambda h: mp.log(abs(h))),
    "log1p": (lambda h: logarithm.log1p(np.abs(h)), lambda h: mp.log1p(abs(h))),
    "log1p of negatives": (lambda h: logarithm.log1p(-np.abs(h) / 41), lambda h: mp.log1p(-abs(h) / 41)),
    "arcsinh": (logarithm.arcsinh, mp.asinh),
    "erfc": (error.erfc, mp.erfc),
    "arctan": (arctangent.arctan, mp.atan),
}


def largest_error(ours: Callable[[Any], Any], exact: Exact, h: Any = H) -> float:
    """The largest error in units of what is allowed: 1e-14 of the value, or 1e-15 where that is more."""
    worst = 0.0
    with np.errstate(all="ignore"), mp.workdps(50):
        for argument, value in zip(h, ours(h), strict=True):
            true = exact(mp.mpf(float(argument)))
            near_zero = 1e-15 if abs(true) < 0.1 and abs(argument) > 0.1 and abs(argument) < 4 else 0.0
            allowed = max(mp.mpf("1e-14") * abs(true), near_zero, SMALLEST)
            worst = max(worst, float(abs(mp.mpf(float(value)) - true) / allowed))
    return worst


@pytest.mark.parametrize("name", activations)
def test_values_and_derivatives(name: str) -> None:
    """phi and phi' to 1e-14 of their values for 1e-300 <= |h| <= 40, or to 1e-15 about a zero between 0.1 and 4."""
    activation = read_activation("activation", name)
    assert largest_error(activation, EXACT[name][0]) < 1
    assert largest_error(activation.derivative, EXACT[name][1]) < 1


@pytest.mark.parametrize("name", OTHERS)
def test_functions_of_expressions(name: str) -> None:
    """The other functions that expressions are printed with, to 1e-14 of their values."""
    assert largest_error(*OTHERS[name]) < 1


def test_sine_of_large_arguments() -> None:
    """To 1e-14 of the value up to 1.6e6, to 4e-16 |h| up to 2^50, NaN above."""
    with mp.workdps(50):
        assert largest_error(read_activation("activation", "sine"), mp.sin, np.linspace(-1.6e6, 1.6e6, 2001)) < 1
        h = np.geomspace(1.7e6, 1e15, 300)
        errors = [abs(mp.mpf(float(y)) - mp.sin(mp.mpf(float(x)))) for x, y in zip(h, sine.sine(h, 0.0), strict=True)]
        assert all(e < 4e-16 * x for e, x in zip(errors, h, strict=True))
    with np.errstate(all="ignore"):
        assert np.all(np.isnan(sine.sine(np.array([2.0**50, 1e300, np.inf]), 0.0)))


def test_exp_through_all_of_float64() -> None:
    """exp from its overflow to the least positive number, as NumPy has it: to an ulp, of 5e-324 where it ends."""
    h = np.linspace(-745, 709.7, 3001)
    assert np.all(np.abs(exponential.exp(h, 0.0) - np.exp(h)) <= 4.5e-16 * np.exp(h) + 5e-324)


def test_comparison_catches_a_lost_digit() -> None:
    """Planted faults: 1 - tanh(h)^2 as it stands, and a coefficient of erfc in single precision."""
    assert largest_error(lambda h: 1 - np.tanh(h) ** 2, EXACT["tanh"][1]) > 100
    kept = error.ERFCX
    try:
        error.ERFCX = (*kept[:9], float(np.float32(kept[9])), *kept[10:])
        assert largest_error(lambda h: error.probit(h, 0.0), normal) > 100
    finally:
        error.ERFCX = kept


ENDS = {
    "tanh": [-1, -1, -1, 0, 1, 1, 1],
    "sigmoid": [0, 0, 0, 0.5, 1, 1, 1],
    "probit": [0, 0, 0, 0.5, 1, 1, 1],
    "erf": [-1, -1, -1, 0, 1, 1, 1],
    "softsign": [-1, -1, -800 / 801, 0, 800 / 801, 1, 1],
    "exp": [0, 0, 0, 1, np.inf, np.inf, np.inf],
    "relu6": [0, 0, 0, 0, 6, 6, 6],
    "hardtanh": [-1, -1, -1, 0, 1, 1, 1],
    "elu": [-1, -1, -1, 0, 800, 1e300, np.inf],
    "softplus": [0, 0, 0, np.log(2), 800, 1e300, np.inf],
    "square": [np.inf, np.inf, 640000, 0, 640000, np.inf, np.inf],
    **{name: [0, 0, 0, 0, 800, 1e300, np.inf] for name in ("gelu", "gelu_tanh", "silu", "mish")},
}
FLAT_ENDS = {
    **dict.fromkeys(("tanh", "sigmoid", "probit", "erf", "relu6", "hardtanh"), (0, 0)),
    **dict.fromkeys(("gelu", "gelu_tanh", "silu", "mish", "elu", "celu", "softplus", "relu"), (0, 1)),
}


@pytest.mark.parametrize("name", ENDS)
def test_limits(name: str) -> None:
    """At infinity and far out phi is what mathematics says."""
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(read_activation("activation", name)(LIMITS), ENDS[name], rtol=1e-15)


@pytest.mark.parametrize("name", FLAT_ENDS)
def test_limits_of_derivatives(name: str) -> None:
    """Far out phi' is 0 or 1, never NaN."""
    with np.errstate(all="ignore"):
        slopes = read_activation("activation", name).derivative(LIMITS)
    assert np.all(slopes[:3] == FLAT_ENDS[name][0])
    assert np.all(slopes[4:] == FLAT_ENDS[name][1])


@pytest.mark.parametrize("name", activations)
def test_nan_stays(name: str) -> None:
    """NaN in, NaN out, in arrays and alone."""
    activation = read_activation("activation", name)
    with np.errstate(all="ignore"):
        assert np.isnan(activation(np.float64("nan")))
        assert list(np.isnan(activation(np.array([1.0, np.nan])))) == [False, True]


def of_two_arguments(module: Any) -> list[str]:
    """Names of a module's functions of (h, a)."""
    own = [(name, f) for name, f in vars(module).items() if inspect.isfunction(f) and f.__module__ == module.__name__]
    return [name for name, f in own if list(inspect.signature(f).parameters) == ["h", "a"]]


@pytest.mark.parametrize("module", MODULES[:-1], ids=lambda module: module.__name__.rpartition(".")[2])
def test_compiled_functions_are_the_plain_ones(module: Any) -> None:
    """Each function compiled by Numba, vectorised, gives the very numbers that NumPy gives."""
    names = of_two_arguments(module)
    loops = [
        f"@kernel\ndef run_{name}(h, out, a):\n    for k in range(h.size):\n        out[k] = {name}(h[k], a)\n"
        for name in names
    ]
    compiled = generated.imported("mcverify_test", generated.source("jit", [module.__name__], loops))
    h = np.concatenate([H, 100 * H, LIMITS, [np.nan, -0.0, 1e-320]])
    for name in names:
        out = np.empty_like(h)
        getattr(compiled, f"run_{name}")(h, out, 0.7)
        with np.errstate(all="ignore"):
            assert np.array_equal(out, getattr(module, name)(h, 0.7), equal_nan=True), name


def test_erfcx_coefficients() -> None:
    """The coefficients are the Chebyshev series of (1 + 2x) exp(x^2) erfc(x), computed anew from 80 nodes."""

    def along(t: Any) -> Any:
        x = 3 * (1 + t) / (1 - t)
        return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)

    with mp.workdps(60):
        nodes = [(2 * j + 1) * mp.pi / 160 for j in range(80)]
        values = [along(mp.cos(u)) for u in nodes]
        series = [mp.fsum(v * mp.cos(k * u) for v, u in zip(values, nodes, strict=True)) / 40 for k in range(25)]
        series[0] /= 2
        powers = [mp.mpf(0)] * 25
        before, now = [mp.mpf(1)], [mp.mpf(0), mp.mpf(1)]
        for coefficient in series:
            powers = [p + coefficient * (before[i] if i < len(before) else 0) for i, p in enumerate(powers)]
            doubled = [mp.mpf(0), *(2 * part for part in now)]
            before, now = now, [d - (before[i] if i < len(before) else 0) for i, d in enumerate(doubled)]
    assert tuple(float(part) for part in powers) == error.ERFCX


def test_constants() -> None:
    """Constants in one or more parts add up to what they stand for."""
    with mp.workdps(60):
        sums = [
            (sine.SINE_PARTS, mp.pi / 2, 1e-36),
            ((gated.GELU_A, gated.GELU_A_LOW), 2 * mp.sqrt(2 / mp.pi), 1e-31),
            ((gated.GELU_B, gated.GELU_B_LOW), 2 * mp.sqrt(2 / mp.pi) * mp.mpf("0.044715"), 1e-32),
            ((gated.SELU_SCALE_ALPHA,), SCALE * ALPHA, 2e-16),
            ((exponential.EXP_LN2_HIGH, exponential.EXP_LN2_LOW), mp.log(2), 1e-25),
            ((logarithm.LOG_LN2_HIGH, logarithm.LOG_LN2_LOW), mp.log(2), 1e-25),
            ((error.TWO_PER_ROOT_PI,), 2 / mp.sqrt(mp.pi), 2e-16),
            ((error.PER_ROOT_2PI,), 1 / mp.sqrt(2 * mp.pi), 1e-16),
            ((arctangent.ARCTAN_EIGHTH,), mp.tan(mp.pi / 8), 1e-16),
        ]
        for parts, value, tolerance in sums:
            assert abs(mp.fsum(map(mp.mpf, parts)) - value) < tolerance
    taylor = [float((-1) ** k / (mp.factorial(k) * (2 * k + 1))) for k in range(1, 13)]
    assert tuple(taylor) == error.ERF_TAYLOR
    assert tuple(float((-1) ** k / mp.factorial(2 * k + 1)) for k in range(1, 9)) == sine.SINE_TAYLOR
    assert tuple(float((-1) ** k / mp.factorial(2 * k)) for k in range(2, 10)) == sine.COSINE_TAYLOR
    assert tuple((-1) ** k / (2 * k + 1) for k in range(1, 22)) == arctangent.ARCTAN_TAYLOR
