"""Each activation and its derivative as functions phi(h, a) and phi'(h, a), float64.

The same text runs on NumPy arrays and compiled; only + - * /, comparisons and the bits of numbers, so that the result
is that of any IEEE machine. `a` is the activation's parameter, if it has one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

EXP_PER_LN2 = 1.4426950408889634
EXP_LN2_HIGH, EXP_LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
EXP_SMALLEST = -708.0
EXP_ROUNDER = 6755399441055744.0  # 1.5 2^52: adding it leaves the nearest integer in the lowest bits
EXP_TAYLOR = (
    *(1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040, 1 / 40320, 1 / 362880, 1 / 3628800, 1 / 39916800),
    *(1 / 479001600, 1 / 6227020800),
)
EXP_BIAS, EXP_MANTISSA_BITS = np.int64(1023), np.int64(52)


def power_of_two_near(y: Any) -> tuple[Any, Any]:
    """K, the integer nearest to y / log 2, and 2^k, for -708 <= y <= 0."""
    t = np.float64(y) * EXP_PER_LN2 + EXP_ROUNDER
    power = np.int64(np.int64(np.float64(t).view(np.int64) + EXP_BIAS) << EXP_MANTISSA_BITS).view(np.float64)
    return t - EXP_ROUNDER, power


def expm1_of_rest(r: Any) -> Any:
    """exp(r) - 1 for |r| <= log(2) / 2: Taylor's series, whose next term is below 1e-17 of it."""
    t = EXP_TAYLOR
    end = r * (r * (r * (r * (r * t[11] + t[10]) + t[9]) + t[8]) + t[7]) + t[6]
    return r + r * r * (r * (r * (r * (r * (r * (r * end + t[5]) + t[4]) + t[3]) + t[2]) + t[1]) + t[0])


def exp_parts(y: Any) -> tuple[Any, Any]:
    """exp(y) and exp(y) - 1, each to a few roundings, for y <= 0; exp(y) is 0 below y = -708."""
    bounded = np.maximum(y, EXP_SMALLEST)
    k, power = power_of_two_near(bounded)
    part = expm1_of_rest((bounded - k * EXP_LN2_HIGH) - k * EXP_LN2_LOW)
    return (power * part + power) * np.float64(y >= EXP_SMALLEST), power * part + (power - 1.0)


def linear(h: Any, a: Any) -> Any:
    """H."""
    return h * 1.0


def linear_derivative(h: Any, a: Any) -> Any:
    """1, and NaN where h is."""
    return 1.0 + 0.0 * np.float64(np.isnan(h))


def relu(h: Any, a: Any) -> Any:
    """max(h, 0)."""
    return np.maximum(h, 0.0)


def relu_derivative(h: Any, a: Any) -> Any:
    """1 where h > 0, else 0 (at h = 0 too)."""
    return 1.0 * np.float64(h > 0.0)


def leaky_relu(h: Any, a: Any) -> Any:
    """H where h > 0, else a h."""
    return np.maximum(h, 0.0) + a * np.minimum(h, 0.0)


def leaky_relu_derivative(h: Any, a: Any) -> Any:
    """1 where h > 0, else a (at h = 0 too)."""
    return a + (1.0 - a) * np.float64(h > 0.0)


def tanh(h: Any, a: Any) -> Any:
    """Hyperbolic tangent: (1 - e) / (1 + e) with e = exp(-2 |h|), and the sign of h."""
    _, less_one = exp_parts(-2.0 * np.abs(h))
    return (1.0 - 2.0 * np.float64(h < 0.0)) * (-less_one / (2.0 + less_one))


def tanh_derivative(h: Any, a: Any) -> Any:
    """1 / cosh(h)^2 = 4 e / (1 + e)^2 with e = exp(-2 |h|): no cancellation where it is small."""
    e, _ = exp_parts(-2.0 * np.abs(h))
    return 4.0 * e / ((1.0 + e) * (1.0 + e))


def sigmoid(h: Any, a: Any) -> Any:
    """1 / (1 + exp(-h)), from e = exp(-|h|)."""
    e, _ = exp_parts(-np.abs(h))
    return (e + (1.0 - e) * np.float64(h > 0.0)) / (1.0 + e)


def sigmoid_derivative(h: Any, a: Any) -> Any:
    """E / (1 + e)^2 with e = exp(-|h|)."""
    e, _ = exp_parts(-np.abs(h))
    return e / ((1.0 + e) * (1.0 + e))
