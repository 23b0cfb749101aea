"""Logarithms of tail probabilities that never underflow: normal, gamma, beta, t, binomial.

`scipy.special` gives each tail down to 1e-290; farther out the continued fractions of Lentz's method run in
logs (Numerical Recipes, sections 6.2 and 6.4). All functions take and return floats.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from scipy import special

SMALLEST = 1e-290  # below this a double tail loses digits or is 0
TINY = 1e-300


def log_normal_sf(z: float) -> float:
    """Log P(Z > z) of a standard normal.

    >>> round(log_normal_sf(200.0), 3)
    -20006.217
    """
    return float(special.log_ndtr(-z))


def normal_quantile_log(log_p: float) -> float:
    """The z with log P(Z > z) = log_p, from the log of the tail.

    >>> round(normal_quantile_log(math.log(0.025)), 6)
    1.959964
    """
    return -float(special.ndtri_exp(log_p))


def normal_quantile(alpha: float) -> float:
    """The z with P(Z > z) = alpha.

    >>> round(normal_quantile(0.005), 4)
    2.5758
    """
    return -float(special.ndtri(alpha))


def log_gamma_sf(a: float, x: float) -> float:
    """Log P(X > x), X ~ Gamma(a, 1); a chi-square of k degrees is 2 Gamma(k/2).

    >>> round(log_gamma_sf(1.0, 5000.0), 6)
    -5000.0
    """
    if x <= 0:
        return 0.0
    plain = float(special.gammaincc(a, x))
    if plain > SMALLEST:
        return math.log(plain)
    return _log_gamma_kernel(a, x) - math.log(_lentz(_upper_gamma_terms(a, x)))


def log_gamma_cdf(a: float, x: float) -> float:
    """Log P(X <= x), X ~ Gamma(a, 1).

    >>> round(log_gamma_cdf(1e4, 10.0), 3)  # near 1e4 log 10 - 10 - log Gamma(1e4 + 1)
    -59093.076
    """
    if x <= 0:
        return -math.inf
    plain = float(special.gammainc(a, x))
    if plain > SMALLEST:
        return math.log(plain)
    total = term = 1.0
    k = a
    while term > 1e-17 * total:
        k += 1
        term *= x / k
        total += term
    return _log_gamma_kernel(a, x) - math.log(a) + math.log(total)


def log_beta_cdf(a: float, b: float, x: float) -> float:
    """Log I_x(a, b): log P(X <= x), X ~ Beta(a, b).

    >>> round(log_beta_cdf(1000.0, 1.0, 0.01), 6), round(1000 * math.log(0.01), 6)
    (-4605.170186, -4605.170186)
    """
    if x <= 0 or x >= 1:
        return -math.inf if x <= 0 else 0.0
    plain = float(special.betainc(a, b, x))
    if plain > SMALLEST:
        return math.log(plain)
    front = a * math.log(x) + b * math.log1p(-x) - math.log(a) - _log_beta(a, b)
    return front - math.log(_lentz(_beta_terms(a, b, x)))


def log_t_sf(t: float, df: float) -> float:
    """Log P(T > t), Student t of `df` degrees of freedom.

    >>> round(log_t_sf(3.0, 5), 6) == round(math.log(0.015049623948731284), 6)
    True
    """
    if t < 0:
        return math.log1p(-math.exp(log_t_sf(-t, df)))
    ratio = t / math.sqrt(df)  # squares of t may overflow
    x = 1 / (1 + ratio**2) if ratio < 1e150 else 0.0
    if x == 0.0:
        return -math.inf
    return log_beta_cdf(df / 2, 0.5, x) - math.log(2)


def log_binomial_sf(k: int, n: int, p: float) -> float:
    """Log P(X >= k), X ~ Bin(n, p).

    >>> round(math.exp(log_binomial_sf(3, 3, 0.5)), 6)
    0.125
    """
    if k <= 0:
        return 0.0
    return -math.inf if k > n else log_beta_cdf(k, n - k + 1, p)


def log_binomial_cdf(k: int, n: int, p: float) -> float:
    """Log P(X <= k), X ~ Bin(n, p).

    >>> round(math.exp(log_binomial_cdf(0, 3, 0.5)), 6)
    0.125
    """
    if k >= n:
        return 0.0
    return -math.inf if k < 0 else log_beta_cdf(n - k, k + 1, 1 - p)


def two_sided(log_above: float, log_below: float) -> float:
    """Log p of a two-sided test from its two one-sided ones: min(1, 2 min(p, p')).

    >>> two_sided(-1000.0, 0.0) == math.log(2) - 1000.0
    True
    """
    return min(0.0, math.log(2) + min(log_above, log_below))


def _log_gamma_kernel(a: float, x: float) -> float:
    return a * math.log(x) - x - math.lgamma(a)


def _log_beta(a: float, b: float) -> float:
    return float(special.betaln(a, b))


def _upper_gamma_terms(a: float, x: float) -> Iterator[tuple[float, float]]:
    """Terms (numerator, denominator) of Gamma(a, x) e^x x^-a = 1/(x+1-a - 1(1-a)/(x+3-a - ...))."""
    yield 1.0, x + 1 - a
    i = 1
    while True:
        yield -i * (i - a), x + 2 * i + 1 - a
        i += 1


def _beta_terms(a: float, b: float, x: float) -> Iterator[tuple[float, float]]:
    """Terms of the continued fraction 1 + d_1/(1 + d_2/(1 + ...)) of I_x(a, b); converges for x < (a+1)/(a+b+2)."""
    yield 1.0, 1.0
    m = 0
    while True:
        yield -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)), 1.0
        m += 1
        yield m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), 1.0


def _lentz(terms: Iterator[tuple[float, float]]) -> float:
    """b_0 + a_1/(b_1 + a_2/(b_2 + ...)) by Lentz's method; a_0 is ignored."""
    value = next(terms)[1] or TINY
    c, d = value, 0.0
    while True:
        a, b = next(terms)
        d = 1 / ((b + a * d) or TINY)
        c = (b + a / c) or TINY
        value *= c * d
        if abs(c * d - 1) < 1e-15:
            return value
