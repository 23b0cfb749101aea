"""Closed forms of the sine, the exponential and the square."""

from __future__ import annotations

import math

from theory.activations.closed import Closed, absolute_moment


def sine() -> Closed:
    """V(q) = (1 - e^(-2q))/2, D(q) = (1 + e^(-2q))/2, K = e^(-(q1 + q2)/2) sinh q12.

    >>> sine().second_moment(1e-9) == 1e-9 * (1 - 1e-9)
    True
    """

    def fourth(q: float, k: int) -> float | None:
        a = -math.expm1(-2 * q)
        return a**2 * (6 - a * (4 - a)) / 8 if k == 4 else None

    def slope_fourth(q: float, k: int) -> float | None:
        return (3 + 4 * math.exp(-2 * q) + math.exp(-8 * q)) / 8 if k == 4 else None

    def kernel(q1: float, q2: float, q12: float) -> float:
        size = _largest(q1, q2, q12) * -math.expm1(-2 * abs(q12)) / 2
        return math.copysign(size, q12)

    return Closed(
        second_moment=lambda q: -math.expm1(-2 * q) / 2,
        power_mean=fourth,
        derivative_mean=lambda q: math.exp(-q / 2),
        derivative_second_moment=lambda q: (1 + math.exp(-2 * q)) / 2,
        derivative_power_mean=slope_fourth,
        second_moment_slope=lambda q, k: math.exp(-2 * q) * (-2) ** (k - 1),
        derivative_second_moment_slope=lambda q, k: -math.exp(-2 * q) * (-2) ** (k - 1),
        kernel=kernel,
        derivative_kernel=lambda q1, q2, q12: _largest(q1, q2, q12) * (1 + math.exp(-2 * abs(q12))) / 2,
    )


def _largest(q1: float, q2: float, q12: float) -> float:
    """e^(|q12| - (q1 + q2)/2), at most 1."""
    return math.exp(min(0.0, math.fsum([abs(q12), -q1 / 2, -q2 / 2])))


def exponential() -> Closed:
    """E e^(ks) = e^(k^2 q/2); log V(q) = 2q where V overflows.

    >>> exponential().log_second_moment(1e8)
    200000000.0
    """

    def power_mean(q: float, k: int) -> float:
        return math.exp(k**2 * q / 2)

    def kernel(q1: float, q2: float, q12: float) -> float:
        return math.exp(math.fsum([q1 / 2, q2 / 2, q12]))

    def slope(q: float, k: int) -> float:
        return float(2**k) * math.exp(2 * q)

    return Closed(
        power_mean=power_mean,
        derivative_power_mean=power_mean,
        second_moment=lambda q: power_mean(q, 2),
        derivative_second_moment=lambda q: power_mean(q, 2),
        second_moment_slope=slope,
        derivative_second_moment_slope=slope,
        kernel=kernel,
        derivative_kernel=kernel,
        log_second_moment=lambda q: 2 * q,
        variance=lambda q: math.exp(q) * math.expm1(q),
    )


def square() -> Closed:
    """V(q) = 3 q^2, D(q) = 4 q, K = q1 q2 + 2 q12^2.

    >>> square().kernel(2.0, 2.0, 2.0) == square().second_moment(2.0)
    True
    """
    return Closed(
        power_mean=lambda q, k: absolute_moment(2 * k) * q**k,
        second_moment=lambda q: 3 * q**2,
        derivative_second_moment=lambda q: 4 * q,
        derivative_power_mean=lambda q, k: 2.0**k * absolute_moment(k) * q ** (k // 2) if k % 2 == 0 else 0.0,
        second_moment_slope=lambda q, k: 6 * q if k == 1 else 6.0,
        derivative_second_moment_slope=lambda q, k: 4.0 if k == 1 else 0.0,
        kernel=lambda q1, q2, q12: q1 * q2 + 2 * q12**2,
        derivative_kernel=lambda q1, q2, q12: 4 * q12,
        variance=lambda q: 2 * q**2,
    )
