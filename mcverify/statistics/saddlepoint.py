"""Tails of the mean of N independent values from their cumulant function (Lugannani and Rice 1980), in logs.

With K(s) = log E exp(s Y), K'(s) = y, w = sign(s) sqrt(2N (s y - K(s))) and u = s sqrt(N K''(s)):
P(mean > y) = 1 - Phi(w) + phi(w) (1/u - 1/w).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

Array = npt.NDArray[np.float64]
NEAR_MEAN = 0.05  # |w| below which 1/u - 1/w is 0/0 and its limit is taken
LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True)
class MeanLaw:
    """A law of one network's value, known by its cumulant function; tails are those of the mean of N values.

    Attributes:
        name: Name in the table of laws.
        location: True for laws about their mean (0), False for laws relative to their mean (1).
        variance, skewness, kurtosis: Of one value; kurtosis is 3 for a Gaussian.
        cumulants: s -> (K, K', K''), about the mean (K'(0) = 0).
        domain: Open interval of s where K is finite.
        density: (k,) values -> (k,) density of one value.
        cdf: (k,) values -> (k,) distribution function of one value.
        atom: P(value = 0) of a ratio.
    """

    name: str
    location: bool
    variance: float
    skewness: float
    kurtosis: float
    cumulants: Callable[[float], tuple[float, float, float]]
    domain: tuple[float, float]
    density: Callable[[Array], Array]
    cdf: Callable[[Array], Array]
    atom: float = 0.0

    @property
    def mean(self) -> float:
        """Mean of one value: 0 of a location family, 1 of a scale family."""
        return 0.0 if self.location else 1.0

    def log_sf(self, y: float, count: int) -> float:
        """Log P(mean of `count` values >= y)."""
        if not self.location and y <= 0:
            return 0.0
        s = self._saddle(y - self.mean)
        return self.log_tail(s, count) if s > 0 else _log1mexp(self.log_tail(s, count))

    def log_cdf(self, y: float, count: int) -> float:
        """Log P(mean of `count` values <= y)."""
        if not self.location and y <= 0:
            return count * math.log(self.atom) if self.atom > 0 and y == 0 else -math.inf
        s = self._saddle(y - self.mean)
        return self.log_tail(s, count) if s <= 0 else _log1mexp(self.log_tail(s, count))

    def quantiles(self, alpha: float, count: int) -> tuple[float, float]:
        """Values that the mean of `count` falls below, above, with probability alpha/2 each."""
        low, high = (self.mean + self.cumulants(self._tilt(alpha / 2, count, sign))[1] for sign in (-1, 1))
        return low, high

    def log_tail(self, s: float, count: int) -> float:
        """Log of the tail beyond K'(s): the upper one for s > 0, the lower one for s <= 0."""
        K, y, K2 = self.cumulants(s)
        w = math.sqrt(max(0.0, 2 * count * (s * y - K)))
        u = abs(s) * math.sqrt(count * K2)
        if w < NEAR_MEAN:
            correction = (-1 if s > 0 else 1) * self.skewness / (6 * math.sqrt(count))
        elif u < 1e-150:  # nothing left beyond an atom
            return -(w**2) / 2
        else:
            correction = 1 / u - 1 / w
        mills = math.sqrt(math.pi / 2) * float(special.erfcx(w / math.sqrt(2)))
        tail = mills + correction
        return -(w**2) / 2 + min(0.0, math.log(tail) - LOG_SQRT_2PI if tail > 0 else 0.0)

    def _saddle(self, y: float) -> float:
        """The s with K'(s) = y, y about the mean."""
        if y == 0:
            return 0.0
        return self._root(lambda s: self.cumulants(s)[1] - y, y / self.variance)

    def _tilt(self, alpha: float, count: int, sign: int) -> float:
        """The s with a tail of alpha beyond K'(s)."""
        target = math.log(alpha)
        first = sign * float(-special.ndtri(alpha)) / math.sqrt(self.variance * count)
        return self._root(lambda s: sign * (target - self.log_tail(s, count)), first)

    def _root(self, f: Callable[[float], float], first: float) -> float:
        """Root of an increasing f on the side of 0 where `first` lies."""
        edge = self.domain[1] if first > 0 else self.domain[0]
        sign = math.copysign(1.0, first)
        near, far = 0.0, first
        for _ in range(200):
            if sign * far >= sign * edge:
                far = (near + edge) / 2
            if far in (near, edge):
                break
            if sign * f(far) >= 0:
                return float(optimize.brentq(f, near, far, xtol=1e-14 * abs(far), rtol=1e-12))
            near, far = far, 2 * far
        return near


def _log1mexp(log_p: float) -> float:
    """log(1 - exp(log_p))."""
    return math.log(-math.expm1(log_p)) if log_p < 0 else -math.inf
