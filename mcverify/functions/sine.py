"""Sine and cosine."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcverify.functions.bits import select

SINE_PER_QUARTER = 0.6366197723675814  # 2 / pi
SINE_ROUNDER = 6755399441055744.0  # 1.5 2^52: adding it leaves the nearest integer in the lowest bits
SINE_PARTS = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21)
"""pi / 2 as a sum; the first two have 33 bits, so that their products with whole numbers below 2^20 are exact."""

SINE_FAR = 1125899906842624.0  # 2^50
SINE_EIGHTH = 0.7853981633974484
SINE_TAYLOR = (
    *(-1 / 6, 1 / 120, -1 / 5040, 1 / 362880, -1 / 39916800, 1 / 6227020800, -1 / 1307674368000),
    1 / 355687428096000,
)
COSINE_TAYLOR = (
    *(1 / 24, -1 / 720, 1 / 40320, -1 / 3628800, 1 / 479001600, -1 / 87178291200, 1 / 20922789888000),
    -1 / 6402373705728000,
)


def sine_parts(x: Any) -> tuple[Any, Any]:
    """sin(x) and cos(x), by Cody and Waite's reduction to |r| <= pi / 4 and Taylor's series.

    To a few roundings for |x| <= 1.6e6, above that to 4e-16 |x|, and NaN from 2^50 = 1.1e15 on.
    """
    rounded = np.float64(x) * SINE_PER_QUARTER + SINE_ROUNDER
    quarter = np.float64(rounded).view(np.int64)
    k, p = rounded - SINE_ROUNDER, SINE_PARTS
    r = ((x - k * p[0]) - k * p[1]) - k * p[2]
    r = np.minimum(np.maximum(r, -SINE_EIGHTH), SINE_EIGHTH)
    z, s, c = r * r, SINE_TAYLOR, COSINE_TAYLOR
    end = z * (z * (z * (z * s[7] + s[6]) + s[5]) + s[4]) + s[3]
    sine = r + r * z * (z * (z * (z * end + s[2]) + s[1]) + s[0])
    end = z * (z * (z * (z * c[7] + c[6]) + c[5]) + c[4]) + c[3]
    cosine = 1.0 - 0.5 * z + z * z * (z * (z * (z * end + c[2]) + c[1]) + c[0])
    odd, far = (quarter & 1) == 1, select(np.abs(x) < SINE_FAR, 0.0, np.nan)
    sine_sign = 1.0 - np.float64(quarter & 2)
    cosine_sign = 1.0 - np.float64((quarter + 1) & 2)
    return sine_sign * select(odd, cosine, sine) + far, cosine_sign * select(odd, sine, cosine) + far


def sine(h: Any, a: Any) -> Any:
    """sin(h)."""
    value, _ = sine_parts(h)
    return value


def sine_derivative(h: Any, a: Any) -> Any:
    """cos(h)."""
    _, value = sine_parts(h)
    return value
