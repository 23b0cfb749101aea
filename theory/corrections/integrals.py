"""Gaussian integrals of one activation and their derivatives in q, all from one set of nodes.

With s = sqrt(q) z and z ~ N(0, 1), d^j/dq^j E F(s) = E F(s) He_2j(z) / (2q)^j: no derivative of F is needed, so kinks
are harmless.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numpy.polynomial import hermite_e

from theory.activations import Activation
from theory.activations.quadrature import edges, legendre
from theory.prediction import TheoryError

Array = npt.NDArray[np.float64]

ORDERS = 5
"""Derivatives of order 0..4."""
_REACH = 14.0
_RELATIVE = 1e-9


@dataclass(frozen=True)
class Integrals:
    """Means over s = sqrt(q) z, each an array of its derivatives of order 0..4 in q.

    Attributes:
        M, V, V4: E phi, E phi^2, E phi^4.
        D: E phi'^2.
        P: E phi^2 phi'^2.
        V6, V8, P4, D4: E phi^6, E phi^8, E phi^4 phi'^2, E phi'^4 (the value alone).
    """

    M: Array
    V: Array
    V4: Array
    D: Array
    P: Array
    V6: float
    V8: float
    P4: float
    D4: float

    @property
    def spread(self) -> Array:
        """E phi^4 - (E phi^2)^2, the variance of phi^2, with two derivatives."""
        V, V4 = self.V, self.V4
        return np.array([V4[0] - V[0] ** 2, V4[1] - 2 * V[0] * V[1], V4[2] - 2 * V[1] ** 2 - 2 * V[0] * V[2], 0.0, 0.0])

    @property
    def third(self) -> float:
        """The third central moment of phi^2."""
        return float(self.V6 - 3 * self.V4[0] * self.V[0] + 2 * self.V[0] ** 3)


@lru_cache(maxsize=1 << 12)
def integrals(activation: Activation, q: float) -> Integrals:
    """All of them at one q > 0.

    Raises:
        TheoryError: if q is not positive and finite, or an integral does not reach nine digits.

    >>> from theory import activations
    >>> [round(float(value), 12) for value in integrals(activations.get("relu"), 2.0).V[:2]]
    [1.0, 0.5]
    """
    if not 0 < q < math.inf:
        raise TheoryError(f"corrections in 1/width need a signal: 0 < q < inf, here q = {q!r}.")
    fine, coarse = (_moments(activation, q, order) for order in (40, 28))
    if not np.all(np.isfinite(fine[1])) or np.any(np.abs(fine[0] - coarse[0]) > _RELATIVE * fine[1]):
        raise TheoryError(f"the Gaussian integrals of {activation.name} at q = {q!r} do not reach nine digits.")
    unit = (2 * q) ** -np.arange(ORDERS)
    table = fine[0] * unit
    M, V, V4, D, P = table[:5]
    V6, V8, P4, D4 = (float(row[0]) for row in table[5:])
    return Integrals(M, V, V4, D, P, V6, V8, P4, D4)


def _moments(activation: Activation, q: float, order: int) -> tuple[Array, Array]:
    """E F(s) He_2j(z) for each F (rows) and j (columns), and the same of absolute values."""
    std = math.sqrt(q)
    splits = edges(std, activation.kinks, -_REACH * std, _REACH * std)
    nodes, weights = legendre(order)
    half, middle = (splits[1:] - splits[:-1])[:, None] / 2, (splits[1:] + splits[:-1])[:, None] / 2
    z = ((middle + half * nodes) / std).ravel()
    density = (half * weights).ravel() / std * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    with np.errstate(all="ignore"):
        y2, d2 = activation.function(z * std) ** 2, activation.slope_function(z * std) ** 2
        y = activation.function(z * std)
        rows = np.stack([y, y2, y2**2, d2, y2 * d2, y2**3, y2**4, y2**2 * d2, d2**2]) * density
    even = np.stack([hermite_e.hermeval(z, [0] * (2 * j) + [1]) for j in range(ORDERS)])
    edge = np.abs(rows[:, [0, -1]]).max(axis=1)
    absolute = np.abs(rows) @ np.abs(even).T
    if not np.all(np.isfinite(rows)) or np.any(edge > 1e-15 * absolute[:, 0]):
        raise TheoryError(
            f"{activation.name} grows too fast for the moments that the correction at q = {q!r} needs: E phi^8 is "
            "infinite or beyond 14 standard deviations."
        )
    return rows @ even.T, absolute
