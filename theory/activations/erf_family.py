"""Closed forms of erf, the normal distribution function and GELU: arcsines, by Price's theorem (MF-09).

With A = 1 + q1, B = 1 + q2, arcsines are taken as atan2, which keeps its digits near 0 and near +-1.
"""

from __future__ import annotations

import math

from theory.activations.closed import Closed, determinant


def erf() -> Closed:
    """V(q) = (2/pi) asin(2q/(1 + 2q)).

    >>> erf().derivative_second_moment(0.0) * math.pi
    4.0
    """

    def kernel(q1: float, q2: float, q12: float) -> float:
        return 2 / math.pi * math.atan2(2 * q12, math.sqrt(_root(q1, q2, q12)))

    def second_moment_slope(q: float, order: int) -> float:
        first = 4 / (math.pi * (1 + 2 * q) * math.sqrt(1 + 4 * q))
        return first if order == 1 else -first * (2 / (1 + 2 * q) + 2 / (1 + 4 * q))

    return Closed(
        second_moment=lambda q: 2 / math.pi * math.atan2(2 * q, math.sqrt(1 + 4 * q)),
        derivative_mean=lambda q: 2 / math.sqrt(math.pi * (1 + 2 * q)),
        derivative_second_moment=lambda q: 4 / (math.pi * math.sqrt(1 + 4 * q)),
        derivative_power_mean=lambda q, k: (2 / math.sqrt(math.pi)) ** k / math.sqrt(1 + 2 * k * q),
        second_moment_slope=second_moment_slope,
        derivative_second_moment_slope=lambda q, k: (
            4 / math.pi * (-2 * (1 + 4 * q) ** -1.5 if k == 1 else 12 * (1 + 4 * q) ** -2.5)
        ),
        kernel=kernel,
        derivative_kernel=lambda q1, q2, q12: 4 / (math.pi * math.sqrt(_root(q1, q2, q12))),
    )


def _root(q1: float, q2: float, q12: float) -> float:
    """(1 + 2 q1)(1 + 2 q2) - 4 q12^2."""
    return 1 + 2 * (q1 + q2) + 4 * determinant(q1, q2, q12)


def probit() -> Closed:
    """V(q) = 1/4 + asin(q/(1 + q))/(2 pi) of the normal distribution function.

    >>> probit().mean(3.0)
    0.5
    """

    def second_moment_slope(q: float, order: int) -> float:
        first = 1 / (2 * math.pi * (1 + q) * math.sqrt(1 + 2 * q))
        return first if order == 1 else -first * (1 / (1 + q) + 1 / (1 + 2 * q))

    return Closed(
        mean=lambda q: 0.5,
        second_moment=lambda q: 0.25 + _turn(q, math.sqrt(1 + 2 * q)),
        derivative_mean=lambda q: 1 / math.sqrt(2 * math.pi * (1 + q)),
        derivative_second_moment=lambda q: 1 / (2 * math.pi * math.sqrt(1 + 2 * q)),
        derivative_power_mean=lambda q, k: (2 * math.pi) ** (-k / 2) / math.sqrt(1 + k * q),
        second_moment_slope=second_moment_slope,
        derivative_second_moment_slope=lambda q, k: (
            (-((1 + 2 * q) ** -1.5) if k == 1 else 3 * (1 + 2 * q) ** -2.5) / (2 * math.pi)
        ),
        kernel=lambda q1, q2, q12: _turn(_root_of_one(q1, q2, q12), -q12),
        derivative_kernel=lambda q1, q2, q12: 1 / (2 * math.pi * _root_of_one(q1, q2, q12)),
        variance=lambda q: _turn(q, math.sqrt(1 + 2 * q)),
    )


def _turn(y: float, x: float) -> float:
    return math.atan2(y, x) / (2 * math.pi)


def _root_of_one(q1: float, q2: float, q12: float) -> float:
    """sqrt(A B - q12^2)."""
    return math.sqrt(1 + q1 + q2 + determinant(q1, q2, q12))


def gelu() -> Closed:
    """x Phi(x): V(q) = q/4 + q asin(q/(1 + q))/(2 pi) + q^2/(pi (1 + q) sqrt(1 + 2q)).

    >>> gelu().mean(1.0) == 1 / math.sqrt(4 * math.pi)
    True
    """

    def second_moment(q: float) -> float:
        root = math.sqrt(1 + 2 * q)
        return q * (0.25 + _turn(q, root) + q / (math.pi * (1 + q) * root))

    def derivative_second_moment(q: float) -> float:
        root = math.sqrt(1 + 2 * q)
        return 0.25 + _turn(q, root) + q / (math.pi * root) * (1 / (1 + q) + 1 / (2 * (1 + 2 * q)))

    def kernel(q1: float, q2: float, q12: float) -> float:
        root = _root_of_one(q1, q2, q12)
        return _numerator(q1, q2, q12) / (2 * math.pi * root) + q12 * _turn(root, -q12)

    def derivative_kernel(q1: float, q2: float, q12: float) -> float:
        root = _root_of_one(q1, q2, q12)
        inner = 2 * q12 * (1 / (1 + q1) + 1 / (1 + q2)) - q12 + q12 * _numerator(q1, q2, q12) / root**2
        return inner / (2 * math.pi * root) + _turn(root, -q12)

    return Closed(
        mean=lambda q: q / math.sqrt(2 * math.pi * (1 + q)),
        second_moment=second_moment,
        derivative_mean=lambda q: 0.5,
        derivative_second_moment=derivative_second_moment,
        kernel=kernel,
        derivative_kernel=derivative_kernel,
    )


def _numerator(q1: float, q2: float, q12: float) -> float:
    """q1 q2 - q12^2 + q12^2 (1/A + 1/B)."""
    return determinant(q1, q2, q12) + q12**2 * (1 / (1 + q1) + 1 / (1 + q2))
