"""The log of one layer's factor, log Y, through its cumulant function log E exp(s (log Y - E log Y)).

Y = sum_i phi(z_i)^2 over n standard normals is chi2_n times c, where c = a^2 + (1 - a^2) B is the share that the
negative slope a leaves of a uniform direction; B ~ Beta(A/2, (n-A)/2) and A ~ Binomial(n, 1/2) units are positive.
With B = e^{2w}/(1 + e^{2w}) the density of w is analytic in a strip and decays exponentially: the trapezoidal rule
in w converges geometrically. A narrow ReLU layer is the sum over A of chi2_A instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import special

from theory.finite_width import Factor

Array = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

SUMMED = 400
"""ReLU layers up to this width are sums over the number of positive units; wider ones use the nodes in w."""
LEAST = 1e-30  # weight of a component that is left out: tails below that have no digits of their own
STIRLING = 20.0  # real part from which the remainder of Stirling's series is below 1e-15
SERIES = 0.25  # |x| below which log(1 + x) - x is summed: 34 terms reach 1e-21


@dataclass(frozen=True, eq=False)
class Step:
    """log Y given Y > 0: a mixture over j of shift_j + log Gamma(shape_j) about its own mean.

    Attributes:
        weight: (j,) probabilities.
        shape: (j,) or (1,) shapes of the gamma variables.
        centre: (j,) means of the components, about the mean of all.
        mean: E log Y.
        lowest: E Y^s is finite for s > -lowest.
    """

    weight: Array
    shape: Array
    centre: Array
    mean: float
    lowest: float

    @property
    def variance(self) -> float:
        """Var log Y."""
        return float(self.weight @ (self.centre**2 + special.polygamma(1, self.shape)))

    def cumulant(self, s: Complex) -> Complex:
        """log E exp(s (log Y - mean)) at (k,) complex s with real parts above -lowest; modulo 2 pi i."""
        terms = gamma_cumulant(self.shape[:, None], s) + self.centre[:, None] * s
        if self.centre.size == 1:
            return np.asarray(terms[0], dtype=np.complex128)
        top = np.maximum(terms.real.max(axis=0), 0.0)
        scaled = self.weight @ np.exp(terms - top)
        small = np.abs(terms).max(axis=0) < 0.5  # through expm1, lest the sum of 10,000 layers add up roundings
        near = np.log1p(self.weight @ np.expm1(np.where(small, terms, 0.0)))
        return np.where(small, near, np.log(np.where(small, 1.0, scaled)) + top)

    def power(self, s: float) -> float:
        """E [Y^s given Y > 0].

        >>> round(step(Factor(3, 1.0)).power(1.0), 12)
        3.0
        """
        return math.exp(s * self.mean + float(self.cumulant(np.array([s], dtype=np.complex128))[0].real))


@lru_cache(maxsize=1024)
def step(factor: Factor) -> Step:
    """The step of one factor.

    >>> one = step(Factor(2, 0.0))  # log chi2_1 with weight 2/3, log chi2_2 with weight 1/3
    >>> round(one.power(1.0), 12)  # (2/3) 1 + (1/3) 2
    1.333333333333
    """
    n, square = factor.width, factor.slope**2
    if square == 1:
        return _step(np.ones(1), np.array([n / 2]), np.zeros(1))
    if square == 0 and n <= SUMMED:
        active = np.arange(1, n + 1)
        return _step(np.exp(_log_binomials(n, active)), active / 2, np.zeros(n))
    weight, log_share = shares(n, factor.slope)
    return _step(weight, np.array([n / 2]), log_share)


def shares(n: int, slope: float, counts: bool = False) -> tuple[Array, Array]:
    """Probabilities and log c of the share c = a^2 + (1 - a^2) B, given c > 0; with `counts`, weighted by A/n.

    >>> weight, log_share = shares(5, 0.3)
    >>> round(float(weight @ np.exp(log_share)), 12)  # (1 + a^2)/2
    0.545
    """
    square = slope**2
    w, density = _density(n, counts)
    one, zero = (1.0, 0.0) if counts else (0.5**n, 0.5**n)
    one = 0.5**n if counts else one
    weight = np.concatenate([density, [one, zero]])
    below = np.logaddexp(math.log(square), 2 * w) if square > 0 else 2 * w
    log_share = np.concatenate([below - np.logaddexp(0.0, 2 * w), [0.0, math.log(square) if square > 0 else 0.0]])
    if square == 0:
        weight, log_share = weight[:-1], log_share[:-1]
    return weight / (1.0 if counts else weight.sum()), log_share


def _density(n: int, counts: bool) -> tuple[Array, Array]:
    """Nodes w and their probabilities times the spacing, over 1 <= A <= n - 1."""
    if n == 1:
        return np.zeros(0), np.zeros(0)
    spread = math.sqrt(3 / n)
    reach, spacing = (40.0, min(0.125, 0.3 * spread)) if n < 60 else (25 * spread, min(0.08, spread / 4))
    w = np.arange(-math.ceil(reach / spacing), math.ceil(reach / spacing) + 1) * spacing
    half = 12 * math.sqrt(n) + 40
    active = np.arange(max(1, math.floor(n / 2 - half)), min(n - 1, math.ceil(n / 2 + half)) + 1)
    log_q = _log_mixed_beta(n, active)
    shape = -n / 2 * np.log1p(2 * np.sinh(w / 2) ** 2)
    density = np.zeros(w.size)
    weighted = np.zeros(w.size)
    for start in range(0, active.size, 4096):
        part = active[start : start + 4096]
        terms = np.exp(np.outer(w, part - n / 2) + shape[:, None] + log_q[start : start + 4096])
        density += terms.sum(axis=1)
        weighted += terms @ (part / n)
    scale = (1 - 2 * 0.5**n) / density.sum()
    found = weighted if counts else density
    return np.asarray(w, dtype=np.float64), np.asarray(found * scale, dtype=np.float64)


def _log_mixed_beta(n: int, active: npt.NDArray[np.int64]) -> Array:
    """log of binomial(n, A) / B(A/2, (n-A)/2) up to a constant, by its ratios: no cancellation at n = 10^6."""
    a = active[:-1]
    ratio = np.log((n - a) / (a + 1)) - _half_step(a / 2) + _half_step((n - a - 1) / 2)
    total = np.concatenate([[0.0], np.cumsum(ratio)])
    return np.asarray(total - total.max(), dtype=np.float64)


def _half_step(a: Array) -> Array:
    """log Gamma(a + 1/2) - log Gamma(a)."""
    step_up = gamma_cumulant(a, np.array(0.5, dtype=np.complex128)).real
    return np.asarray(step_up + special.digamma(a) / 2, dtype=np.float64)


def _log_binomials(n: int, active: npt.NDArray[np.int64]) -> Array:
    log_weight = special.gammaln(n + 1) - special.gammaln(active + 1) - special.gammaln(n - active + 1)
    return np.asarray(log_weight - special.logsumexp(log_weight), dtype=np.float64)


def _step(weight: Array, shape: Array, log_share: Array) -> Step:
    keep = weight > LEAST
    weight, log_share = weight[keep] / weight[keep].sum(), log_share[keep]
    shape = shape[keep] if shape.size > 1 else shape
    means = special.digamma(shape) + log_share
    middle = float(weight @ means)
    return Step(weight, shape, np.asarray(means - middle), middle + math.log(2), float(shape.min()))


def gamma_cumulant(shape: Array, s: Complex) -> Complex:
    """log Gamma(a + s) - log Gamma(a) - s psi(a), without cancellation for large a.

    By Stirling's series in x = s/a: (a - 1/2)(log(1+x) - x) + s log(1+x) + x/(12a) - x/(120a^3) + x/(252a^5)
    + R(a + s) - R(a), with R(z) = 1/(12z) - 1/(360z^3) + 1/(1260z^5) - 1/(1680z^7).
    """
    a, s = np.broadcast_arrays(np.asarray(shape, dtype=np.float64), s)
    wide = (a > STIRLING) & (a + s.real > STIRLING)
    if not wide.any():
        return _plain(a, s)
    big, small = np.where(wide, a, 100.0), np.where(wide, s, 0.0)
    x = np.asarray(small / big, dtype=np.complex128)
    log_part = _log1p_minus(x)
    drift = x / (12 * big) - x / (120 * big**3) + x / (252 * big**5)
    found = (big - 0.5) * log_part + small * (log_part + x) + drift + _remainder(big + small) - _remainder(big)
    if wide.all():
        return np.asarray(found, dtype=np.complex128)
    return np.where(wide, found, _plain(a, s))


def _plain(a: Array, s: Complex) -> Complex:
    return np.asarray(special.loggamma(a + s) - special.gammaln(a) - s * special.digamma(a), dtype=np.complex128)


def _remainder(z: Complex | Array) -> Complex:
    inverse = 1 / z
    square = inverse * inverse
    return np.asarray(inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680))))


def _log1p_minus(x: Complex) -> Complex:
    """log(1 + x) - x."""
    small = np.abs(x) < SERIES
    y = np.where(small, x, 0.0)
    total = np.zeros_like(y)
    for k in range(34, 1, -1):
        total = total * y + (1 if k % 2 else -1) / k
    return np.where(small, total * y * y, np.log1p(np.where(small, 0.0, x)) - x)
