"""Where a Gaussian integral of an activation has a closed form, that form as a function of plain numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

One = Callable[[float], float]
Powers = Callable[[float, int], float | None]
Two = Callable[[float, float, float], float]
Given = Callable[[npt.NDArray[np.float64], float], npt.NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Closed:
    """Closed forms in q > 0; None where there is none. A form of a power may return None for powers it lacks.

    Attributes:
        mean: M(q) = E phi(s), with s = sqrt(q) z.
        second_moment: V(q) = E phi(s)^2.
        power_mean: E phi(s)^k of (q, k).
        derivative_mean: E phi'(s).
        derivative_second_moment: D(q) = E phi'(s)^2.
        derivative_power_mean: E phi'(s)^k of (q, k).
        second_moment_slope: The k-th derivative of V of (q, k).
        derivative_second_moment_slope: The k-th derivative of D of (q, k).
        kernel: E phi(u) phi(v) of (q1, q2, q12).
        derivative_kernel: E phi'(u) phi'(v).
        log_second_moment: log V(q), where V itself overflows.
        variance: V(q) - M(q)^2.
        given: E phi(m + d z) of (m, d), for arrays m: the mean of phi(v) given the other of a pair.
        derivative_given: E phi'(m + d z).
        linear: Whether V(q) is a multiple of q, as phi is c s with one c on either side of 0.
    """

    mean: One | None = None
    second_moment: One | None = None
    power_mean: Powers | None = None
    derivative_mean: One | None = None
    derivative_second_moment: One | None = None
    derivative_power_mean: Powers | None = None
    second_moment_slope: Powers | None = None
    derivative_second_moment_slope: Powers | None = None
    kernel: Two | None = None
    derivative_kernel: Two | None = None
    log_second_moment: One | None = None
    variance: One | None = None
    given: Given | None = None
    derivative_given: Given | None = None
    linear: bool = False


NONE = Closed()
"""An activation without closed forms."""


def absolute_moment(k: int) -> float:
    """E |z|^k of a standard Gaussian.

    >>> absolute_moment(4)
    3.0
    """
    if k % 2 == 0:
        return float(math.prod(range(1, k, 2)))
    return math.prod(range(2, k, 2)) * math.sqrt(2 / math.pi)


def homogeneous(a: float) -> Closed:
    """phi(s) = s for s > 0 and a s for s < 0: all powers, and the arc-cosine kernels (MF-09).

    >>> homogeneous(0.0).kernel(1.0, 1.0, 0.0) * 2 * math.pi
    1.0
    """

    def power_mean(q: float, k: int) -> float:
        root = math.sqrt(q) if k % 2 else 1.0
        return (1 + (-a) ** k) / 2 * absolute_moment(k) * q ** (k // 2) * root

    def c(k: int) -> float:
        return (1 + a**k) / 2

    def kernel(q1: float, q2: float, q12: float) -> float:
        scale = math.sqrt(q1) * math.sqrt(q2)
        r, root = correlation(q1, q2, q12)
        relu = scale * (root + r * math.atan2(root, -r)) / (2 * math.pi)
        return (1 - a) ** 2 * relu + a * q12

    def derivative_kernel(q1: float, q2: float, q12: float) -> float:
        r, root = correlation(q1, q2, q12)
        return (1 - a) ** 2 * math.atan2(root, -r) / (2 * math.pi) + a

    return Closed(
        mean=lambda q: (1 - a) * math.sqrt(q / (2 * math.pi)),
        second_moment=lambda q: c(2) * q,
        power_mean=power_mean,
        derivative_mean=lambda q: (1 + a) / 2,
        derivative_second_moment=lambda q: c(2),
        derivative_power_mean=lambda q, k: c(k),
        second_moment_slope=lambda q, k: c(2) if k == 1 else 0.0,
        derivative_second_moment_slope=lambda q, k: 0.0,
        kernel=kernel,
        derivative_kernel=derivative_kernel,
        variance=lambda q: q * (c(2) - (1 - a) ** 2 / (2 * math.pi)),
        linear=True,
    )


def power_law(above: float, below: float, p: float) -> Closed:
    """phi(s) = above s^p for s > 0 and below |s|^p for s < 0, 2p an integer: V(q) = V(1) q^p.

    D is a power too, unless p = 1/2, where it is infinite; at p = 0 it is 0, as phi' is.

    >>> power_law(1.0, 1.0, 2.0).second_moment(3.0)
    27.0
    """
    square, k = (above**2 + below**2) / 2, round(2 * p)
    second = _power(square * absolute_moment(k), p)
    slope = None if k == 1 else _power(p**2 * square * absolute_moment(max(k - 2, 0)), p - 1)
    return Closed(
        second_moment=lambda q: second(q, 0),
        second_moment_slope=second,
        derivative_second_moment=(lambda q: slope(q, 0)) if slope else None,
        derivative_second_moment_slope=slope,
        linear=p == 1,
    )


def _power(factor: float, p: float) -> Callable[[float, int], float]:
    """The derivatives of factor q^p, of (q, order)."""

    def derivative(q: float, order: int) -> float:
        falling = factor * math.prod(p - j for j in range(order))
        return falling * math.pow(q, p - order) if falling else 0.0

    return derivative


def correlation(q1: float, q2: float, q12: float) -> tuple[float, float]:
    """r = q12 / sqrt(q1 q2) within [-1, 1], and sqrt(1 - r^2) without loss near 1.

    >>> correlation(4.0, 1.0, 2.0)
    (1.0, 0.0)
    """
    scale = math.sqrt(q1) * math.sqrt(q2)
    return min(1.0, max(-1.0, q12 / scale)), math.sqrt(determinant(q1, q2, q12)) / scale


def determinant(q1: float, q2: float, q12: float) -> float:
    """q1 q2 - q12^2 without cancellation near q12 = sqrt(q1 q2); at least 0.

    >>> determinant(2.0, 2.0, 1.0)
    3.0
    """
    if q1 == q2:
        return max(0.0, (q1 - q12) * (q1 + q12))
    try:
        return max(0.0, float(Fraction(q1) * Fraction(q2) - Fraction(q12) ** 2))
    except OverflowError:
        return math.inf
