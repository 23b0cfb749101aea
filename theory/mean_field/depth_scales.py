"""How fast lengths and correlations settle: exponential depth scales, and powers at criticality (MF-03, MF-08, E3).

Off criticality a departure from a fixed point shrinks as exp(-l/xi). Where the slope of the map is 1 it shrinks
as a power of the depth, which `Algebraic` holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import sympy as sp

from theory import activations
from theory.activations import Activation
from theory.mean_field.fixed_points import c_star, q_star, square_slope_at_0
from theory.mean_field.maps import (
    Phi,
    activation_of,
    chi_1,
    correlation_map_slope,
    require_continuous,
    variance_map,
    variance_map_slope,
)
from theory.prediction import TheoryError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Algebraic:
    """coefficient * l^-power, asymptotically in the depth l.

    >>> Algebraic(4.0, 2.0).at(10)
    0.04
    """

    coefficient: float
    power: float

    def at(self, layer: int) -> float:
        """The value at a layer."""
        return float(self.coefficient * layer**-self.power)


def depth_scale(rate: float) -> float:
    """-1/log|rate|: layers in which a departure shrinks by e, given what one layer multiplies it by (MF-03).

    Raises:
        TheoryError: if the rate is not below 1 in size: nothing shrinks exponentially.

    >>> round(depth_scale(math.exp(-0.1)), 9), depth_scale(0.0)
    (10.0, 0.0)
    """
    if not abs(rate) < 1 - 1e-9:
        kind = "at 1 the approach is algebraic" if abs(abs(rate) - 1) <= 1e-9 else "above 1 departures grow"
        raise TheoryError(f"a depth scale needs a rate below 1 in size, here {rate:.9g}: {kind}.")
    return 0.0 if rate == 0 else -1 / math.log(abs(rate))


def xi_q(phi: Phi, sw2: float, sb2: float = 0.0, start: float | None = None) -> float:
    """-1/log chi_q(q*), the depth scale of lengths at the attracting q* (MF-03).

    Raises:
        TheoryError: if there is no one q*, or chi_q = 1 there.

    >>> round(xi_q("relu", 1.0, 0.1), 9) == round(1 / math.log(2), 9)
    True
    """
    q = q_star(phi, sw2, sb2, start)
    rate = variance_map_slope(phi, q, sw2) if q > 0 else sw2 * square_slope_at_0(activation_of(phi))
    return depth_scale(rate)


def xi_c(phi: Phi, sw2: float, sb2: float = 0.0, q: float | None = None) -> float:
    """-1/log(sw2 E phi'(u) phi'(v)) at the attracting c*, the depth scale of correlations (MF-03).

    Where c* = 1 the rate is chi_1, which is also that of the energy |g|^2 of gradients, not of |g|.

    Raises:
        TheoryError: if there is no q* > 0 or no c*, or the rate is 1 there (edge of chaos: see `correlation_decay`).

    >>> round(xi_c("erf", 4.0), 3)
    5.962
    """
    q = q_star(phi, sw2, sb2) if q is None else q
    c = c_star(phi, sw2, sb2, q)
    return depth_scale(correlation_map_slope(phi, c, q, sw2, sb2))


# Powers at criticality


def correlation_decay(phi: Phi, q: float, sw2: float, sb2: float = 0.0) -> Algebraic:
    """1 - c_l for large l where chi_1 = 1 at a fixed point q (MF-08).

    Jumps J of phi' at kinks k make 1 - C = u - b u^(3/2), b = sw2 sqrt(2)/(3 pi) sum J^2 exp(-k^2/2q), with
    u = 1 - c, and u_l ~ 4/(b l)^2. Without jumps 1 - C = u - (C''(1)/2) u^2, C''(1) = sw2 q E phi''^2, and
    u_l ~ 2/(C''(1) l).

    Raises:
        TheoryError: if q is no fixed point, or chi_1 is not 1 there, or phi is linear.

    >>> relu = correlation_decay("relu", 1.0, 2.0)
    >>> round(relu.coefficient / math.pi**2, 12), relu.power
    (4.5, 2.0)
    """
    activation = activation_of(phi)
    if abs(variance_map(activation, q, sw2, sb2) / q - 1) > 1e-8 or abs(chi_1(activation, q, sw2) - 1) > 1e-8:
        raise TheoryError(f"q = {q}, sw2 = {sw2}, sb2 = {sb2} is no point of the edge of chaos: see `edge_point`.")
    require_continuous(activation)
    if activation.closed.linear and activation.odd:
        raise TheoryError("a linear activation keeps every correlation: nothing decays.")
    jumps = _squared_jumps(activation, q)
    if jumps > 1e-12:
        return Algebraic(4 / (sw2 * math.sqrt(2) / (3 * math.pi) * jumps) ** 2, 2.0)
    return Algebraic(2 / (sw2 * q * second_derivative_energy(activation, q)), 1.0)


def _squared_jumps(activation: Activation, q: float) -> float:
    """Sum over kinks of J^2 exp(-k^2/2q), J the jump of phi'; a bend of phi' is no jump."""
    total = 0.0
    for kink in activation.kinks:
        step = 1e-9 * max(1.0, abs(kink))
        right, left = activation.slope_function(np.array([kink + step, kink - step]))
        if abs(jump := float(right - left)) > 1e-6:
            total += jump**2 * math.exp(-(kink**2) / (2 * q))
    return total


def second_derivative_energy(phi: Phi, q: float) -> float:
    """E phi''(sqrt(q) z)^2, for phi' without jumps (MF-08).

    Raises:
        TheoryError: if phi or phi' jumps: phi'' is then no function.

    >>> round(second_derivative_energy("sine", 0.5), 9) == round((1 - math.exp(-1)) / 2, 9)
    True
    """
    activation = activation_of(phi)
    require_continuous(activation)
    if _squared_jumps(activation, math.inf) > 0:
        raise TheoryError(f"E phi''^2 needs a phi' without jumps; that of {activation.name} has one.")
    function = _second_derivative(activation)
    return activation.gaussian_mean(lambda s, y, dy: function(s) ** 2, q).value


@lru_cache(maxsize=256)
def _second_derivative(activation: Activation) -> Callable[[Array], Array]:
    second = sp.diff(activation.derivative, activations.x)
    second = second.replace(sp.DiracDelta, lambda *_: sp.Integer(0))
    plain = sp.lambdify(activations.x, second, ["numpy", "scipy"])
    return lambda s: np.asarray(plain(s) * np.ones_like(s), dtype=np.float64)
