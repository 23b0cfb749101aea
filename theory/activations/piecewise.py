"""Closed forms of what is linear up to a ceiling (hardtanh, ReLU6), and of ELU, SELU and CELU.

Moments of a cut Gaussian are incomplete gamma functions: E |z|^k over |z| < a is E |z|^k times P((k + 1)/2, a^2/2).
E e^(cs) over s < 0 is erfcx(c sqrt(q/2))/2, which does not overflow; differences of these are series at small q.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import special

from theory.activations.closed import Closed, absolute_moment

Array = npt.NDArray[np.float64]

_TERMS = 36


def clipped(top: float, sides: int) -> Closed:
    """s up to `top` and 0 below 0 (sides = 1), or s between -top and top (sides = 2; even powers only).

    >>> round(clipped(1.0, 2).derivative_second_moment(0.5), 12) == round(math.erf(1.0), 12)
    True
    """
    share, low = sides / 2, 0.0 if sides == 1 else -top

    def power_mean(q: float, k: int) -> float:
        w = top**2 / (2 * q)
        inside = math.pow(math.sqrt(q), k) * absolute_moment(k) * float(special.gammainc((k + 1) / 2, w))
        return share * float(inside + math.pow(top, k) * math.erfc(math.sqrt(w)))

    def within(q: float) -> float:
        return share * math.erf(top / math.sqrt(2 * q))

    def second_moment_slope(q: float, order: int) -> float:
        w = top**2 / (2 * q)
        if order == 1:
            return share * float(special.gammainc(1.5, w))
        return -share * 2 * w * math.sqrt(w) * math.exp(-w) / (math.sqrt(math.pi) * q)

    def derivative_second_moment_slope(q: float, order: int) -> float:
        w = top**2 / (2 * q)
        first = -share * math.sqrt(w / math.pi) * math.exp(-w) / q
        return first if order == 1 else first * (w - 1.5) / q

    return Closed(
        mean=(lambda q: power_mean(q, 1)) if sides == 1 else None,
        second_moment=lambda q: power_mean(q, 2),
        power_mean=power_mean,
        derivative_mean=within,
        derivative_second_moment=within,
        derivative_power_mean=lambda q, k: within(q),
        second_moment_slope=second_moment_slope,
        derivative_second_moment_slope=derivative_second_moment_slope,
        given=lambda m, d: low + _above(m - low, d) - _above(m - top, d),
        derivative_given=lambda m, d: special.ndtr((m - low) / d) - special.ndtr((m - top) / d),
    )


def exponential_below(scale: float, alpha: float, rate: float) -> Closed:
    """scale s above 0, scale alpha (e^(rate s) - 1) below; V(q) = scale^2 (q/2 + alpha^2 E(e^(rate s) - 1)^2 [s < 0]).

    >>> round(exponential_below(1.0, 1.0, 1.0).derivative_second_moment(1e-16), 6)
    1.0
    """

    def power_mean(q: float, k: int) -> float:
        b = rate * math.sqrt(q)
        if k == 1:
            return scale * ((1 - alpha * rate) * math.sqrt(q / (2 * math.pi)) + alpha * bent(b))
        return scale**k * (math.sqrt(q) ** k * absolute_moment(k) / 2 + alpha**k * below(b, k))

    def derivative_power_mean(q: float, k: int) -> float:
        return scale**k * (1 + (alpha * rate) ** k * float(special.erfcx(k * rate * math.sqrt(q / 2)))) / 2

    return Closed(
        mean=lambda q: power_mean(q, 1),
        second_moment=lambda q: power_mean(q, 2),
        power_mean=power_mean,
        derivative_mean=lambda q: derivative_power_mean(q, 1),
        derivative_second_moment=lambda q: derivative_power_mean(q, 2),
        derivative_power_mean=derivative_power_mean,
        given=lambda m, d: scale * (_above(m, d) + alpha * (_decayed(rate, m, d) - special.ndtr(-m / d))),
        derivative_given=lambda m, d: scale * (special.ndtr(m / d) + alpha * rate * _decayed(rate, m, d)),
    )


def _above(m: Array, d: float) -> Array:
    """E max(m + d z, 0) = m Phi(m/d) + d p(m/d)."""
    return np.asarray(m * special.ndtr(m / d) + d * np.exp(-((m / d) ** 2) / 2) / math.sqrt(2 * math.pi))


def _decayed(rate: float, m: Array, d: float) -> Array:
    """E e^(rate v) over v < 0, v = m + d z; by erfcx where e^(rate m + rate^2 d^2/2) could overflow."""
    a = m / d + rate * d
    far = np.exp(-((m / d) ** 2) / 2) * special.erfcx(np.maximum(a, 0) / math.sqrt(2)) / 2
    near = np.exp(np.where(a > 0, 0, rate * m + (rate * d) ** 2 / 2)) * special.ndtr(-a)
    return np.where(a > 0, far, near)


def below(b: float, k: int) -> float:
    """E (e^(bz) - 1)^k over z < 0.

    The sum of erfcx cancels at small b; (e^x - 1)^k = k! sum S(n, k) x^n/n! with Stirling numbers S does not.

    >>> round(below(1e-4, 2) / 0.5e-8, 3)
    1.0
    """
    if b > 0.5:
        terms = (math.comb(k, j) * (-1) ** (k - j) * float(special.erfcx(j * b / math.sqrt(2))) for j in range(k + 1))
        return math.fsum(terms) / 2
    return _series(-b, k, _coefficients(k))


def bent(b: float) -> float:
    """E (e^(bz) - 1 - bz) over z < 0."""
    if b > 0.5:
        return (float(special.erfcx(b / math.sqrt(2))) - 1) / 2 + b / math.sqrt(2 * math.pi)
    return _series(-b, 2, _bent_coefficients())


def _series(t: float, first: int, coefficients: tuple[float, ...]) -> float:
    """The sum of c_n t^(first + n)."""
    value = 0.0
    for coefficient in reversed(coefficients):
        value = value * t + coefficient
    return value * t**first


@cache
def _coefficients(k: int) -> tuple[float, ...]:
    """k! S(n, k) E |z|^n/(2 n!) for n = k, k + 1, ..."""
    return tuple(math.factorial(k) * _stirling(n, k) * _share(n) for n in range(k, k + _TERMS))


@cache
def _bent_coefficients() -> tuple[float, ...]:
    return tuple(_share(n) for n in range(2, _TERMS))


@cache
def _share(n: int) -> float:
    """E |z|^n/n! over z < 0."""
    return absolute_moment(n) / (2 * math.factorial(n))


@cache
def _stirling(n: int, k: int) -> int:
    """Number of ways to part n things into k sets."""
    if k in (0, n):
        return int(n == k)
    return 0 if k > n else k * _stirling(n - 1, k) + _stirling(n - 1, k - 1)
