"""exp, and what is made of it: tanh, sigmoid, and hyperbolic functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcverify.functions.bits import select

EXP_PER_LN2 = 1.4426950408889634
EXP_LN2_HIGH, EXP_LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
EXP_SMALLEST = -708.0
EXP_LEAST, EXP_GREATEST = -746.0, 710.0  # beyond these exp is 0 or infinite
EXP_ROUNDER = 6755399441055744.0  # 1.5 2^52: adding it leaves the nearest integer in the lowest bits
EXP_TAYLOR = (
    *(1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040, 1 / 40320, 1 / 362880, 1 / 3628800, 1 / 39916800),
    *(1 / 479001600, 1 / 6227020800),
)
EXP_BIAS, EXP_MANTISSA_BITS = np.int64(1023), np.int64(52)
EXPM1_ALL = 40.0  # above this, exp(x) - 1 is exp(x)


def power_of_two_near(y: Any) -> tuple[Any, Any]:
    """K, the integer nearest to y / log 2, and 2^k, for -708 <= y <= 708."""
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


def exp(h: Any, a: Any) -> Any:
    """Exponential, through all of float64: infinite above 709.78, gradually to 0 below -708."""
    bounded = np.minimum(np.maximum(h, EXP_LEAST), EXP_GREATEST)
    half, power = power_of_two_near(0.5 * bounded)
    k, _ = power_of_two_near(bounded)
    other = power * select(k > half + half, 2.0, 1.0) * select(k < half + half, 0.5, 1.0)
    part = expm1_of_rest((bounded - k * EXP_LN2_HIGH) - k * EXP_LN2_LOW)
    return (power * part + power) * other


def exp_derivative(h: Any, a: Any) -> Any:
    """exp(h)."""
    return exp(h, a)


def expm1(x: Any) -> Any:
    """exp(x) - 1."""
    bounded = np.minimum(np.maximum(x, EXP_SMALLEST), EXPM1_ALL)
    k, power = power_of_two_near(bounded)
    part = expm1_of_rest((bounded - k * EXP_LN2_HIGH) - k * EXP_LN2_LOW)
    return select(x > EXPM1_ALL, exp(x, 0.0), power * part + (power - 1.0))


def sinh(x: Any) -> Any:
    """Hyperbolic sine: no cancellation at 0, and right up to the largest numbers."""
    size = np.abs(x)
    e, root = expm1(np.minimum(size, EXPM1_ALL)), exp(0.5 * size, 0.0)
    value = select(size > EXPM1_ALL, 0.5 * root * root, 0.5 * (e + e / (1.0 + e)))
    return (1.0 - 2.0 * np.float64(x < 0.0)) * value


def cosh(x: Any) -> Any:
    """Hyperbolic cosine."""
    size = np.abs(x)
    e, root = exp(np.minimum(size, EXPM1_ALL), 0.0), exp(0.5 * size, 0.0)
    return select(size > EXPM1_ALL, 0.5 * root * root, 0.5 * (e + 1.0 / e))


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
