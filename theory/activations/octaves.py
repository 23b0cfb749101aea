"""A function of q as polynomials in log q, an octave each: a microsecond a value, for orbits of thousands of layers.

Gaussian integrals are analytic in log q, so that interpolation in Chebyshev points converges like 9^-degree on
an octave. An octave is built when it has been asked for a few times; it is checked against the integral between the
points, and left to the integral where it misses.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

_DEGREE = 16
_VISITS = 3
_TOLERANCE = 4e-13


class Octaves:
    """The values of `exact` by interpolation, relative error at most about 1e-12.

    >>> roots = Octaves(lambda q: q**0.5)
    >>> max(abs(roots(2 + k / 50) ** 2 - 2 - k / 50) for k in range(50)) < 1e-12
    True
    """

    def __init__(self, exact: Callable[[float], float]) -> None:
        self.exact = exact
        self.visits: dict[int, int] = {}
        self.pieces: dict[int, list[float] | None] = {}

    def __call__(self, q: float) -> float:
        """The value at q; directly by the integral where q is 0, or its octave is new or is not smooth."""
        mantissa, octave = math.frexp(q)
        piece = self.pieces.get(octave)
        if piece is None:
            if octave in self.pieces or not 0 < q < math.inf or not self._is_due(octave):
                return self.exact(q)
            piece = self.pieces[octave] = self._build(octave)
            if piece is None:
                return self.exact(q)
        t = 2 * math.log2(mantissa) + 1
        value = 0.0
        for coefficient in piece:
            value = value * t + coefficient
        return value

    def _is_due(self, octave: int) -> bool:
        self.visits[octave] = self.visits.get(octave, 0) + 1
        return self.visits[octave] > _VISITS

    def _build(self, octave: int) -> list[float] | None:
        """Coefficients of the powers of t in [-1, 1], highest first; None if they miss the integral."""
        t = np.cos(math.pi * (np.arange(_DEGREE + 1) + 0.5) / (_DEGREE + 1))
        checks = np.array([-1.0, -0.71, -0.13, 0.42, 0.93])
        try:
            values, wanted = ([self.exact(2.0 ** (octave + (s - 1) / 2)) for s in points] for points in (t, checks))
        except ValueError:
            return None
        chebyshev = np.polynomial.chebyshev.Chebyshev.fit(t, values, _DEGREE, domain=[-1, 1])
        powers = chebyshev.convert(kind=np.polynomial.Polynomial)
        if not np.all(np.abs(powers(checks) - wanted) <= _TOLERANCE * np.abs(wanted)):
            return None
        return [float(c) for c in powers.coef[::-1]]
