"""Activations made of exp(h): silu, mish, and the exponential linear units."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcverify.functions.bits import product_rest, select, sum_rest
from mcverify.functions.exponential import exp_parts

GATE_FAR = 800.0  # exp(-h) is 0 from here on
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
SELU_SCALE_ALPHA = 1.7580993408473768  # their product
GELU_A, GELU_A_LOW = 1.5957691216057308, -9.96930880911092e-17  # 2 sqrt(2/pi), in two parts
GELU_B, GELU_B_LOW = 0.07135481627260025, -6.175149918155315e-19  # 0.044715 times that


def bounded_gate(h: Any) -> Any:
    """H, from -800 to 800; a factor times infinity would be NaN."""
    return np.minimum(np.maximum(np.float64(h), -GATE_FAR), GATE_FAR)


def silu(h: Any, a: Any) -> Any:
    """H / (1 + exp(-h))."""
    low = np.maximum(np.float64(h), -GATE_FAR)
    e, _ = exp_parts(-np.abs(low))
    return low * ((e + (1.0 - e) * np.float64(low > 0.0)) / (1.0 + e))


def silu_derivative(h: Any, a: Any) -> Any:
    """S (1 + h (1 - s)) with the sigmoid s; passes through 0 at -1.28."""
    t = bounded_gate(h)
    e, _ = exp_parts(-np.abs(t))
    s, rest = select(t > 0.0, 1.0, e) / (1.0 + e), select(t > 0.0, e, 1.0) / (1.0 + e)
    return s * (1.0 + t * rest)


def mish_parts(t: Any) -> tuple[Any, Any]:
    """tanh(log(1 + exp(t))) = n / (n + 2), n = exp(2t) + 2 exp(t), and its derivative, from e = exp(-|t|)."""
    e, _ = exp_parts(-np.abs(t))
    up = t > 0.0
    below = select(up, 1.0 + 2.0 * e * (1.0 + e), 2.0 + e * (2.0 + e))
    value = select(up, 1.0 + 2.0 * e, e * (2.0 + e)) / below
    return value, 4.0 * select(up, e * e, e) * (1.0 + e) / (below * below)


def mish(h: Any, a: Any) -> Any:
    """H tanh(log(1 + exp(h)))."""
    low = np.maximum(np.float64(h), -GATE_FAR)
    value, _ = mish_parts(low)
    return low * value


def mish_derivative(h: Any, a: Any) -> Any:
    """T + h t' with t = tanh(log(1 + exp(h))); passes through 0 at -1.19."""
    t = bounded_gate(h)
    value, slope = mish_parts(t)
    return value + t * slope


def elu(h: Any, a: Any) -> Any:
    """H where h > 0, else a (exp(h) - 1)."""
    _, less_one = exp_parts(np.minimum(h, 0.0))
    return np.maximum(h, 0.0) + a * less_one


def elu_derivative(h: Any, a: Any) -> Any:
    """1 where h > 0, else a exp(h) (at h = 0 too)."""
    e, _ = exp_parts(np.minimum(h, 0.0))
    return select(h > 0.0, 1.0, a * e)


def selu(h: Any, a: Any) -> Any:
    """1.0507 h where h > 0, else 1.0507 1.6733 (exp(h) - 1)."""
    _, less_one = exp_parts(np.minimum(h, 0.0))
    return SELU_SCALE * np.maximum(h, 0.0) + SELU_SCALE_ALPHA * less_one


def selu_derivative(h: Any, a: Any) -> Any:
    """1.0507 where h > 0, else 1.0507 1.6733 exp(h) (at h = 0 too)."""
    e, _ = exp_parts(np.minimum(h, 0.0))
    return select(h > 0.0, SELU_SCALE, SELU_SCALE_ALPHA * e)


def celu(h: Any, a: Any) -> Any:
    """H where h > 0, else a (exp(h / a) - 1)."""
    _, less_one = exp_parts(np.minimum(h, 0.0) / a)
    return np.maximum(h, 0.0) + a * less_one


def celu_derivative(h: Any, a: Any) -> Any:
    """1 where h > 0, else exp(h / a)."""
    e, _ = exp_parts(np.minimum(h, 0.0) / a)
    return e * 1.0


def gelu_tanh_gate(t: Any) -> tuple[Any, Any]:
    """(1 + tanh(u)) / 2 = sigmoid(2u) and its derivative in 2u, 2u = t (A + B t^2) kept in two parts.

    A rounding of 2u would cost |2u| roundings of the tail.
    """
    square = t * t
    cubic = GELU_B * square
    cubic_rest = product_rest(GELU_B, square, cubic) + GELU_B * product_rest(t, t, square) + GELU_B_LOW * square
    factor = GELU_A + cubic
    factor_rest = sum_rest(GELU_A, cubic, factor) + (cubic_rest + GELU_A_LOW)
    twice = t * factor
    rest = product_rest(t, factor, twice) + t * factor_rest
    e, _ = exp_parts(-np.abs(twice))
    up = np.float64(t > 0.0)
    e *= 1.0 + (1.0 - 2.0 * up) * rest
    return (e + (1.0 - e) * up) / (1.0 + e), e / ((1.0 + e) * (1.0 + e))


def gelu_tanh(h: Any, a: Any) -> Any:
    """H (1 + tanh(sqrt(2/pi) (h + 0.044715 h^3))) / 2."""
    low = np.maximum(np.float64(h), -GATE_FAR)
    gate, _ = gelu_tanh_gate(np.minimum(low, GATE_FAR))
    return low * gate


def gelu_tanh_derivative(h: Any, a: Any) -> Any:
    """G + h g' with the gate g; passes through 0 at -0.75."""
    t = bounded_gate(h)
    gate, slope = gelu_tanh_gate(t)
    return gate + t * slope * (GELU_A + 3.0 * GELU_B * t * t)
