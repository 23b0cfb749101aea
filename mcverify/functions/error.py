"""erf, the normal distribution function, and gelu."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcverify.functions.bits import leading, select
from mcverify.functions.exponential import exp_parts

ERF_FAR = 40.0  # exp(-h^2 / 2) is 0 from 37.7 on
ERF_NEAR = 0.5
ROOT_HALF, PER_ROOT_2PI = 0.7071067811865476, 0.3989422804014327
TWO_PER_ROOT_PI = 1.1283791670955126
ERF_TAYLOR = (
    *(-1 / 3, 1 / 10, -1 / 42, 1 / 216, -1 / 1320, 1 / 9360),
    *(-1 / 75600, 1 / 685440, -1 / 6894720, 1 / 76204800, -1 / 918086400, 1 / 11975040000),
)
"""Of erf(x) sqrt(pi) / (2 x) in x^2, after the 1; the next term is below 1e-18 where |x| < 1/2."""

ERFCX_CENTRE = 3.0
ERFCX = (
    *(1.2530080582697296, -0.13562110612458117, -0.0475622943534492, 0.1296451587027594),
    *(-0.11927366341538638, 0.0683080273440099, -0.02377051491717134, 0.0025293918156939696),
    *(0.0018886903449991718, -0.0007798322696543306, -0.00010515971958448065, 0.0001250993424583729),
    *(4.949196649968345e-06, -2.0100542268525612e-05, -7.308281468783614e-07, 3.472370944977168e-06),
    *(3.5576086684080595e-07, -6.166011460398726e-07, -1.4047654315428462e-07, 1.0183620603842736e-07),
    *(4.1064013667940355e-08, -1.3312919661038687e-08, -8.217595058711455e-09, 9.862533510345587e-10),
    8.393734858690877e-10,
)
"""Of (1 + 2x) exp(x^2) erfc(x) in t = (x - 3) / (x + 3): its Chebyshev series in t up to T_24, error 2e-17."""


def erfcx(x: Any) -> Any:
    """exp(x^2) erfc(x) for 0 <= x <= 40."""
    c, t = ERFCX, (x - ERFCX_CENTRE) / (x + ERFCX_CENTRE)
    end = t * (t * (t * (t * (t * (t * c[24] + c[23]) + c[22]) + c[21]) + c[20]) + c[19]) + c[18]
    end = t * (t * (t * (t * (t * (t * end + c[17]) + c[16]) + c[15]) + c[14]) + c[13]) + c[12]
    end = t * (t * (t * (t * (t * (t * end + c[11]) + c[10]) + c[9]) + c[8]) + c[7]) + c[6]
    end = t * (t * (t * (t * (t * (t * end + c[5]) + c[4]) + c[3]) + c[2]) + c[1]) + c[0]
    return end / (1.0 + 2.0 * x)


def exp_minus_square(size: Any, scale: Any) -> Any:
    """exp(-scale x^2) for 0 <= x <= 40 and scale 1 or 1/2; x^2 is taken in two parts, to lose no digit of the tail."""
    first = leading(size)
    e, _ = exp_parts(-scale * first * first)
    rest = scale * (size - first) * (size + first)
    return e * (1.0 - rest * (1.0 - rest * (0.5 - rest * (1 / 6))))


def erf_parts(x: Any) -> tuple[Any, Any]:
    """erf(x), right for small x, and erfc(|x|), right for large ones."""
    size = np.minimum(np.abs(np.float64(x)), ERF_FAR)
    tail = exp_minus_square(size, 1.0) * erfcx(size)
    near = np.minimum(size, ERF_NEAR)
    z, t = near * near, ERF_TAYLOR
    end = z * (z * (z * (z * (z * (z * t[11] + t[10]) + t[9]) + t[8]) + t[7]) + t[6]) + t[5]
    series = z * (z * (z * (z * (z * (z * end + t[4]) + t[3]) + t[2]) + t[1]) + t[0])
    start = TWO_PER_ROOT_PI * size * (1.0 + series)
    return (1.0 - 2.0 * np.float64(x < 0.0)) * select(size < ERF_NEAR, start, 1.0 - tail), tail


def erf(h: Any, a: Any) -> Any:
    """The error function."""
    value, _ = erf_parts(h)
    return value


def erfc(x: Any) -> Any:
    """1 - erf(x), to its last digits where it is small."""
    value, tail = erf_parts(x)
    return select(x < ERF_NEAR, 1.0 - value, tail)


def erf_derivative(h: Any, a: Any) -> Any:
    """2 exp(-h^2) / sqrt(pi)."""
    return TWO_PER_ROOT_PI * exp_minus_square(np.minimum(np.abs(np.float64(h)), ERF_FAR), 1.0)


def normal_parts(h: Any) -> tuple[Any, Any]:
    """P(z <= h) of a standard normal z, and its density sqrt(2 pi) left out."""
    size = np.minimum(np.abs(np.float64(h)), ERF_FAR)
    bell = exp_minus_square(size, 0.5)
    tail = 0.5 * bell * erfcx(ROOT_HALF * size)
    return select(h > 0.0, 1.0 - tail, tail), bell


def probit(h: Any, a: Any) -> Any:
    """P(z <= h) of a standard normal z."""
    value, _ = normal_parts(h)
    return value


def probit_derivative(h: Any, a: Any) -> Any:
    """exp(-h^2 / 2) / sqrt(2 pi)."""
    _, bell = normal_parts(h)
    return PER_ROOT_2PI * bell


def gelu(h: Any, a: Any) -> Any:
    """H P(z <= h)."""
    value, _ = normal_parts(h)
    return np.maximum(np.float64(h), -ERF_FAR) * value


def gelu_derivative(h: Any, a: Any) -> Any:
    """P(z <= h) + h exp(-h^2 / 2) / sqrt(2 pi); passes through 0 at -0.75."""
    value, bell = normal_parts(h)
    return value + np.minimum(np.maximum(np.float64(h), -ERF_FAR), ERF_FAR) * (PER_ROOT_2PI * bell)
