"""Laws of the log of a product of one-step ratios about their mean: sums of independent log chi-squares.

A layer of ReLU gives log chi2_A, A ~ Bin(n, 1/2) given A >= 1; a linear one log chi2_n; a leaky one
log chi2_n + log(slope^2 + (1 - slope^2) B), B as in `ratio_laws`. Each is a mixture over j of
d_j + log(2 Gamma_(a_j)), with K(s) = log sum_j p_j exp(s d_j) Gamma(a_j + s)/Gamma(a_j).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import special

from mcverify.statistics.ratio_laws import half_beta_nodes
from mcverify.statistics.saddlepoint import Array, MeanLaw

NEGLIGIBLE = 1e-25  # weight of a component that no sample here can hold
FREQUENCIES, STEP = 1000, 0.08  # of inversions, the step in units of 1/std


@dataclass(frozen=True, eq=False)
class Step:
    """One layer's log ratio: mixture of shift + log Gamma(shape), with weights p.

    Attributes:
        cumulants: kappa_1 to kappa_4.
    """

    p: Array
    shape: Array
    shift: Array
    cumulants: tuple[float, float, float, float]

    def tilted(self, s: float) -> tuple[float, float, float]:
        """K, K', K'' at s, not centred."""
        log_terms = s * self.shift + special.gammaln(self.shape + s) - special.gammaln(self.shape)
        top = float(log_terms.max())
        weight = self.p * np.exp(log_terms - top)
        total = float(weight.sum())
        weight = weight / total
        first = self.shift + special.psi(self.shape + s)
        mean = float(weight @ first)
        spread = float(weight @ ((first - mean) ** 2 + special.zeta(2, self.shape + s)))
        return top + math.log(total), mean, spread

    def transform(self, t: Array) -> npt.NDArray[np.complex128]:
        """Characteristic function at (k,) frequencies, about the mean."""
        it = 1j * t[:, None]
        terms = special.loggamma(self.shape + it) - special.gammaln(self.shape) + it * (self.shift - self.cumulants[0])
        return np.asarray(np.exp(terms) @ self.p, dtype=np.complex128)


def log_linear(widths: Iterable[int]) -> MeanLaw:
    """Sum over layers of log chi2_n.

    >>> round(log_linear((64, 64)).variance, 9) == round(2 * float(special.polygamma(1, 32)), 9)
    True
    """
    return _sum("log_linear", [(_linear_step, widths)])


def log_relu(widths: Iterable[int], linear_widths: Iterable[int] = ()) -> MeanLaw:
    """Sum over layers of log chi2_A, A ~ Bin(n, 1/2) given A >= 1; log chi2_n for the linear widths.

    >>> round(log_relu((32,)).variance * 32 / 5, 3)
    1.136
    """
    return _sum("log_relu", [(_relu_step, widths), (_linear_step, linear_widths)])


def log_leaky(widths: Iterable[int], slope: float, linear_widths: Iterable[int] = ()) -> MeanLaw:
    """Sum over layers of log(chi2_B + slope^2 chi2_(n-B)), B ~ Bin(n, 1/2); log chi2_n for the linear widths.

    >>> round(log_leaky((16,), 1.0).variance, 9) == round(log_linear((16,)).variance, 9)
    True
    """
    return _sum("log_leaky", [(lambda n: _leaky_step(n, slope), widths), (_linear_step, linear_widths)])


@lru_cache(maxsize=512)
def _linear_step(n: int) -> Step:
    return _step(np.ones(1), np.array([n / 2]), np.zeros(1))


@lru_cache(maxsize=512)
def _relu_step(n: int) -> Step:
    k = np.arange(1, n + 1)
    log_p = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1) - n * math.log(2)
    p = np.exp(log_p)
    return _step(p, k / 2, np.zeros(n))


@lru_cache(maxsize=512)
def _leaky_step(n: int, slope: float) -> Step:
    b, p = half_beta_nodes(n)
    c = slope**2 + (1 - slope**2) * b
    alive = c > 0
    return _step(p[alive], np.full(int(alive.sum()), n / 2), np.log(c[alive]))


def _step(p: Array, shape: Array, shift: Array) -> Step:
    keep = p > NEGLIGIBLE
    p, shape, shift = p[keep] / p[keep].sum(), shape[keep], shift[keep]
    first, second, third, fourth = (shift + special.psi(shape), *(special.polygamma(r, shape) for r in (1, 2, 3)))
    mean = float(p @ first)
    d = first - mean
    m2 = float(p @ (d**2 + second))
    m3 = float(p @ (d**3 + 3 * d * second + third))
    m4 = float(p @ (d**4 + 6 * d**2 * second + 4 * d * third + fourth + 3 * second**2))
    return Step(p, shape, shift, (mean, m2, m3, m4 - 3 * m2**2))


def _sum(name: str, kinds: Iterable[tuple[Callable[[int], Step], Iterable[int]]]) -> MeanLaw:
    """The law of a sum over layers, of one kind of step or more; equal widths are computed once."""
    steps = [(step(n), times) for step, widths in kinds for n, times in sorted(Counter(int(n) for n in widths).items())]
    mean, variance, third, fourth = (sum(times * one.cumulants[r] for one, times in steps) for r in range(4))

    def cumulants(s: float) -> tuple[float, float, float]:
        parts = [(times, one.tilted(s)) for one, times in steps]
        K, first, second = (sum(times * part[r] for times, part in parts) for r in range(3))
        return K - s * mean, first - mean, second

    def transform(t: Array) -> npt.NDArray[np.complex128]:
        total = np.ones(t.size, dtype=np.complex128)
        for one, times in steps:
            total *= one.transform(t) ** times
        return total

    lowest = min(float(one.shape.min()) for one, _ in steps)
    return MeanLaw(
        name=name,
        location=True,
        variance=variance,
        skewness=third / variance**1.5,
        kurtosis=3 + fourth / variance**2,
        cumulants=cumulants,
        domain=(-lowest, math.inf),
        density=lambda x: _density(transform, variance, x),
        cdf=lambda x: _cdf(transform, variance, x),
    )


def _frequencies(variance: float) -> tuple[Array, float]:
    """Midpoints of a grid of frequencies that reaches where the transform is negligible, and their spacing."""
    step = STEP / math.sqrt(variance)
    return np.asarray((np.arange(FREQUENCIES) + 0.5) * step, dtype=np.float64), step


def _density(transform: Callable[[Array], npt.NDArray[np.complex128]], variance: float, x: Array) -> Array:
    """Density at (k,) x by inversion: (1/pi) int_0^inf Re(exp(-itx) phi(t)) dt."""
    t, step = _frequencies(variance)
    phi = transform(t)
    return np.asarray((np.exp(-1j * np.outer(x, t)) @ phi).real * step / math.pi, dtype=np.float64)


def _cdf(transform: Callable[[Array], npt.NDArray[np.complex128]], variance: float, x: Array) -> Array:
    """Distribution function at (k,) x by Gil-Pelaez: 1/2 - (1/pi) int_0^inf Im(exp(-itx) phi(t))/t dt."""
    t, step = _frequencies(variance)
    phi = transform(t) / t
    return np.asarray(0.5 - (np.exp(-1j * np.outer(x, t)) @ phi).imag * step / math.pi, dtype=np.float64)
