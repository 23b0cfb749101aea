"""Laws of one-step ratios relative to their mean: Y = (chi2_n / n) C, C a mixing variable independent of chi2_n.

For ReLU layers C = 2B with B ~ Beta(K/2, (m-K)/2), K ~ Bin(m, 1/2): the share of a Gaussian vector's square that
falls on its K positive entries. Then K(s) = log sum_j p_j (1 - 2 c_j s/n)^(-n/2) over quadrature nodes of C.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy import special

from mcverify.statistics.saddlepoint import Array, MeanLaw

NODES = 300
REACH = 20.0  # standard deviations of the angle that the nodes span


@lru_cache(maxsize=512)
def half_beta_nodes(m: int) -> tuple[Array, Array]:
    """Nodes b and weights of B, the atoms at 0 and 1 first; b = sin^2 of an angle, in which the density is smooth.

    >>> b, p = half_beta_nodes(32)
    >>> round(float(p @ b), 12), round(float(p @ b**2), 12) == round((32 + 5) / (4 * (32 + 2)), 12)
    (0.5, True)
    """
    reach = min(math.pi / 4, REACH * 0.87 / math.sqrt(m))
    x, weight = np.polynomial.legendre.leggauss(NODES)
    angle = math.pi / 4 + reach * x
    k = np.arange(1, m)[:, None]
    log_share = special.gammaln(m + 1) - special.gammaln(k + 1) - special.gammaln(m - k + 1) - m * math.log(2)
    log_density = (k - 1) * np.log(np.sin(angle)) + (m - k - 1) * np.log(np.cos(angle)) + math.log(2)
    density = np.exp(log_share + log_density - special.betaln(k / 2, (m - k) / 2)).sum(axis=0)
    b = np.concatenate([[0.0, 1.0], np.sin(angle) ** 2])
    p = np.concatenate([[0.5**m, 0.5**m], reach * weight * density])
    return b, p / p.sum()


def linear_ratio(n: int) -> MeanLaw:
    """Y ~ chi2_n / n.

    >>> linear_ratio(8).variance
    0.25
    """
    return mixture("linear_ratio", n, np.ones(1), np.ones(1))


def relu_ratio(n: int) -> MeanLaw:
    """Y ~ (2/n) chi2_B, B ~ Bin(n, 1/2): 0 with probability 2^-n.

    >>> round(relu_ratio(128).variance * 128, 9)
    5.0
    """
    return _with_counts(half_beta(n, n, name="relu_ratio"), n, first=0)


def relu_ratio_backward(n: int) -> MeanLaw:
    """The law of `relu_ratio` given B >= 1, relative to its mean."""
    return _with_counts(half_beta(n, n, alive=1, name="relu_ratio_backward"), n, first=1)


def half_beta(n: int, m: int, alive: int = 0, name: str = "half_beta") -> MeanLaw:
    """Y ~ (chi2_n / n) 2B, B ~ Beta(K/2, (m-K)/2), K ~ Bin(m, 1/2), given K >= 1 if `alive`, relative to its mean.

    >>> law = half_beta(64, 128)
    >>> round(law.variance + 1, 12) == round((1 + 2 / 64) * (128 + 5) / (128 + 2), 12)
    True
    """
    b, p = half_beta_nodes(m)
    return mixture(name, n, b[1:], p[1:]) if alive else mixture(name, n, b, p)


def leaky_ratio(n: int, slope: float) -> MeanLaw:
    """Y ~ (chi2_B + slope^2 chi2_(n-B)) 2/(n (1 + slope^2)), B ~ Bin(n, 1/2).

    >>> round(leaky_ratio(64, 1.0).variance, 12) == 2 / 64
    True
    """
    b, p = half_beta_nodes(n)
    return mixture("leaky_ratio", n, slope**2 + (1 - slope**2) * b, p)


def mixture(name: str, n: int, c: Array, p: Array) -> MeanLaw:
    """Y = (chi2_n / n) C relative to its mean, C = c[j] with probability proportional to p[j]."""
    p = p / p.sum()
    c = c / (p @ c)
    moments = [float(p @ c**r) * math.prod(1 + 2 * i / n for i in range(r)) for r in range(5)]
    variance, third, fourth = _central(moments)
    c, p = c[p > 0], p[p > 0]
    alive = c > 0
    shape, scale = n / 2, 2 * c[alive] / n
    log_p, log_atom = np.log(p[alive]), math.log(p[~alive].sum()) if p[~alive].any() else -math.inf

    def cumulants(s: float) -> tuple[float, float, float]:
        log_one = np.log1p(-scale * s)
        above = -np.expm1(log_one)  # scale s
        K = _log_of_sum(log_p, log_atom, -shape * log_one)
        tilted = np.exp(log_p - shape * log_one - K)
        first = shape * scale / (1 - above)
        mean = float(tilted @ first)
        spread = float(tilted @ ((first - mean) ** 2 + first**2 / shape)) + mean**2 * (1 - float(tilted.sum()))
        return K - s, mean - 1, spread

    def density(x: Array) -> Array:
        y = np.asarray(x, dtype=np.float64)[..., None] / scale
        log_density = special.xlogy(shape - 1, y) - y - special.gammaln(shape)
        return np.asarray((np.exp(log_density) / scale) @ p[alive], dtype=np.float64)

    def cdf(x: Array) -> Array:
        y = np.maximum(np.asarray(x, dtype=np.float64), 0)[..., None] / scale
        below = special.gammainc(shape, y) @ p[alive] + float(p[~alive].sum())
        return np.where(np.asarray(x) < 0, 0.0, below)

    return MeanLaw(
        name=name,
        location=False,
        variance=variance,
        skewness=third / variance**1.5,
        kurtosis=fourth / variance**2,
        cumulants=cumulants,
        domain=(-math.inf, 1 / float(scale.max())),
        density=density,
        cdf=cdf,
        atom=float(p[~alive].sum()),
    )


def _log_of_sum(log_p: Array, log_atom: float, exponent: Array) -> float:
    """log(sum p e^exponent + atom): through expm1 near 0, in logs where the sum would vanish or overflow."""
    if np.abs(exponent).max() < 0.5:
        return math.log1p(float(np.exp(log_p) @ np.expm1(exponent)))
    return float(np.logaddexp(special.logsumexp(log_p + exponent), log_atom))


def _with_counts(law: MeanLaw, n: int, first: int) -> MeanLaw:
    """The same law with density and cdf as sums over the number B of positive entries, exact near 0 too."""
    b = np.arange(first, n + 1)
    log_p = special.gammaln(n + 1) - special.gammaln(b + 1) - special.gammaln(n - b + 1) - n * math.log(2)
    p = np.exp(log_p) / np.exp(log_p).sum()
    scale = 2 / float(p @ b)  # Y = (scale/2) chi2_b
    shape, weight, atom = b[b > 0] / 2, p[b > 0], float(p[b == 0].sum())

    def density(x: Array) -> Array:
        y = np.asarray(x, dtype=np.float64)[..., None] / scale
        log_density = special.xlogy(shape - 1, y) - y - special.gammaln(shape)
        return np.asarray(np.exp(log_density) @ weight / scale, dtype=np.float64)

    def cdf(x: Array) -> Array:
        y = np.maximum(np.asarray(x, dtype=np.float64), 0)[..., None] / scale
        return np.where(np.asarray(x) < 0, 0.0, special.gammainc(shape, y) @ weight + atom)

    return replace(law, density=density, cdf=cdf)


def _central(raw: list[float]) -> tuple[float, float, float]:
    """Second to fourth central moments from raw ones of mean 1."""
    return raw[2] - 1, raw[3] - 3 * raw[2] + 2, raw[4] - 4 * raw[3] + 6 * raw[2] - 3
