"""Derivatives in q of V and D at small q, from Taylor coefficients: the Gaussian quadrature cancels there."""

from __future__ import annotations

from functools import lru_cache

import mpmath as mp
import sympy as sp

from theory.activations.closed import absolute_moment
from theory.activations.quadrature import Sums

_TERMS = 12


@lru_cache(maxsize=256)
def moment_coefficients(function: sp.Expr, x: sp.Symbol) -> tuple[float, ...]:
    """The c_n of E f(sqrt(q) z)^2 = sum c_n q^n, an asymptotic series, n < 12; f is analytic at 0.

    c_n is the coefficient of s^(2n) in f(s)^2 times E z^(2n).

    >>> s = sp.Symbol("s")
    >>> [round(c, 12) for c in moment_coefficients(sp.tanh(s), s)[:3]]
    [0.0, 1.0, -2.0]
    """
    with mp.workdps(80):
        f = sp.lambdify(x, function, "mpmath")
        taylor = mp.taylor(lambda s: f(s) ** 2, 0, 2 * _TERMS - 2)
        return tuple(float(mp.re(taylor[2 * n])) * absolute_moment(2 * n) for n in range(_TERMS))


def derivative(coefficients: tuple[float, ...], q: float, order: int) -> Sums:
    """The first or second derivative of the series at q; the last term is the estimate of its error.

    >>> derivative((0.0, 1.0, -2.0, 0.0), 0.01, 1).value
    0.96
    """
    factors = [(n if order == 1 else n * (n - 1)) * c for n, c in enumerate(coefficients)]
    terms = [factor * q ** (n - order) for n, factor in enumerate(factors) if n >= order]
    size = sum(map(abs, terms))
    return Sums(sum(terms), max(abs(t) for t in terms[-2:]) + 1e-15 * size, size)
