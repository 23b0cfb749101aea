"""log, log(1 + x), the inverse hyperbolic sine, and softplus."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcverify.functions.bits import select, sum_rest
from mcverify.functions.exponential import exp_parts, sigmoid

LOG_LN2_HIGH, LOG_LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
LOG_LN2, LOG_ARCSINH_FAR = 0.6931471805599453, 1e9
LOG_ROOT_HALF_BITS = np.int64(0x3FE6A09E667F3BCD)  # of sqrt(1/2)
LOG_SMALLEST, LOG_RAISE = 2.2250738585072014e-308, 54.0
LOG_TAYLOR = (1 / 3, 1 / 5, 1 / 7, 1 / 9, 1 / 11, 1 / 13, 1 / 15, 1 / 17, 1 / 19, 1 / 21, 1 / 23)


def log(x: Any) -> Any:
    """k log 2 + 2 artanh(s), s = (m - 1) / (m + 1), for x = m 2^k with m in [sqrt(1/2), sqrt(2)).

    Taylor's series of artanh: the next term is below 1e-18 of it. NaN below 0, -infinity at 0.
    """
    small = np.float64(x < LOG_SMALLEST)
    bits = np.float64(x * (1.0 + small * (18014398509481984.0 - 1.0))).view(np.int64)
    power = np.int64(np.int64(bits - LOG_ROOT_HALF_BITS) >> 52)
    f = np.int64(bits - np.int64(power << 52)).view(np.float64) - 1.0
    s = f / (2.0 + f)
    z, t = s * s, LOG_TAYLOR
    end = z * (z * (z * (z * (z * t[10] + t[9]) + t[8]) + t[7]) + t[6]) + t[5]
    series = z * (z * (z * (z * (z * (z * end + t[4]) + t[3]) + t[2]) + t[1]) + t[0])
    k = np.float64(power) - LOG_RAISE * small
    value = k * LOG_LN2_HIGH + (k * LOG_LN2_LOW + (2.0 * s + 2.0 * s * series))
    return select(x < np.inf, select(x > 0.0, value, select(x == 0.0, -np.inf, np.nan)), x)


def log1p(x: Any) -> Any:
    """log(1 + x), right for small x: log(w) + (1 + x - w) / w with w the rounded 1 + x."""
    w = 1.0 + np.float64(x)
    value = log(w)
    return select(np.abs(value) < np.inf, value + sum_rest(1.0, x, w) / w, value)


def arcsinh(x: Any) -> Any:
    """Inverse hyperbolic sine: log(1 + |x| + x^2 / (1 + sqrt(1 + x^2))), with the sign of x."""
    size = np.abs(np.float64(x))
    bounded = np.minimum(size, LOG_ARCSINH_FAR)
    square = bounded * bounded
    value = log1p(bounded + square / (1.0 + np.sqrt(1.0 + square)))
    return (1.0 - 2.0 * np.float64(x < 0.0)) * select(size > LOG_ARCSINH_FAR, log(size) + LOG_LN2, value)


def softplus(h: Any, a: Any) -> Any:
    """log(1 + exp(h)) = max(h, 0) + log(1 + exp(-|h|))."""
    e, _ = exp_parts(-np.abs(h))
    return np.maximum(h, 0.0) + log1p(e)


def softplus_derivative(h: Any, a: Any) -> Any:
    """The sigmoid."""
    return sigmoid(h, a)
