"""The edge of chaos: where gradients keep their energy at a fixed point of lengths (catalogue MF-04, MF-05).

A fixed point q with chi_1 = 1 has sw2 = 1/D(q) and sb2 = q - V(q)/D(q): the edge is a curve in q, with those q
alone that need no negative variance of biases. A point of it may repel lengths (chi_q > 1), and is then out
of reach; where chi_1 = chi_q = 1 it is half-stable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import sympy as sp
from scipy import optimize

from theory.activations import Activation
from theory.mean_field.fixed_points import Stability, evaluable, or_nan
from theory.mean_field.maps import Phi, activation_of, slope_energy
from theory.prediction import TheoryError

GRID = np.linspace(math.log(1e-10), math.log(1e10), 401)
"""Logs of the q that are scanned: 20 a decade."""
FLAT = 1e-9
"""sb2/q below this in size is rounding."""


@dataclass(frozen=True)
class EdgePoint:
    """One point of the edge of chaos.

    Attributes:
        q: The fixed point of lengths.
        sw2: Fan-in times weight variance, 1/D(q).
        sb2: Variance of biases, q - V(q)/D(q).
        chi_q: Slope of the map of lengths there.
        stability: Of q: attracting for chi_q < 1, repelling for chi_q > 1, half-stable for 1.
    """

    q: float
    sw2: float
    sb2: float
    chi_q: float
    stability: Stability


@dataclass(frozen=True)
class Edge:
    """The whole edge, as far as it was searched.

    Attributes:
        intervals: Ranges of q with sb2 >= 0, within 1e-10..1e10 and as far as V and D can be evaluated;
            a homogeneous phi has one, and one point of the plane.
        reason: A sentence that says what it is, or why there is none.
    """

    intervals: tuple[tuple[float, float], ...]
    reason: str


def edge_point(phi: Phi, q: float) -> EdgePoint:
    """The point of the edge whose lengths are q (MF-04).

    Raises:
        TheoryError: where it would need biases of negative variance.

    >>> point = edge_point("tanh", 0.5)
    >>> round(point.sw2, 6), round(point.sb2, 6), str(point.stability)
    (1.687975, 0.038041, 'attracting')
    >>> edge_point("softplus", 1.0)
    Traceback (most recent call last):
    theory.prediction.TheoryError: softplus has no edge of chaos at q = 1: it would need sb2 = -2.14... < 0.
    """
    activation = activation_of(phi)
    energy = slope_energy(activation, q)
    share = _bias_share(activation, q)
    if share < -FLAT:
        raise TheoryError(
            f"{activation.name} has no edge of chaos at q = {q:.6g}: it would need sb2 = {share * q:.6g} < 0."
        )
    rate = activation.second_moment_slope(q).value / energy
    if abs(rate - 1) <= 1e-9:
        stability = Stability.HALF_STABLE
    else:
        stability = Stability.ATTRACTING if rate < 1 else Stability.REPELLING
    sb2 = max(0.0, share * q) if abs(share) > 1e-14 else 0.0
    return EdgePoint(q, 1 / energy, sb2, rate, stability)


def _bias_share(activation: Activation, q: float) -> float:
    """sb2/q = 1 - V(q)/(q D(q)) of the edge at q."""
    if _homogeneous(activation):
        return 0.0
    return 1 - activation.second_moment_value(q) / (q * activation.derivative_second_moment_value(q))


def _homogeneous(activation: Activation) -> bool:
    """Whether V is D q at every q: phi(s) = c s with one c on either side of 0, as of 2 max(0, x)."""
    return activation.slope is not None or activation.closed.linear


def edge(phi: Phi) -> Edge:
    """Where the edge of chaos exists, or why there is none (MF-04).

    >>> print(edge("relu").reason)
    the edge is one point, sw2 = 2, sb2 = 0: every q is a fixed point there
    >>> print(edge("softplus").reason)
    there is none: softplus would need biases of negative variance at every q from 1e-10 to 1e+10
    """
    activation = activation_of(phi)
    grid, shares = _shares(activation)
    if not len(grid):
        slope_energy(activation, math.exp(GRID[0]))
        raise TheoryError(f"V and D of {activation.name} cannot be evaluated at q = {math.exp(GRID[0]):.0e}.")
    if _homogeneous(activation):
        sw2 = 1 / activation.derivative_second_moment(1.0).value
        reason = f"the edge is one point, sw2 = {sw2:.6g}, sb2 = 0: every q is a fixed point there"
        return Edge(((math.exp(GRID[0]), math.exp(GRID[-1])),), reason)
    if not (shares > FLAT).any():
        span = f"{math.exp(grid[0]):.3g} to {math.exp(grid[-1]):.3g}"
        return Edge(
            (), f"there is none: {activation.name} would need biases of negative variance at every q from {span}"
        )
    intervals = _intervals(activation, grid, shares)
    spans = " and ".join(f"{low:.6g} to {high:.6g}" for low, high in intervals)
    searched = f"of those from {math.exp(grid[0]):.3g} to {math.exp(grid[-1]):.6g}, which were searched"
    return Edge(intervals, f"the edge is the curve (1/D(q), q - V(q)/D(q)), q from {spans} ({searched})")


def _shares(activation: Activation) -> tuple[np.ndarray, np.ndarray]:
    start, values = evaluable(lambda t: _bias_share(activation, math.exp(t)), GRID)
    return GRID[start : start + len(values)], np.array(values)


def _intervals(activation: Activation, grid: np.ndarray, shares: np.ndarray) -> tuple[tuple[float, float], ...]:
    """Runs of the grid without a negative share; their ends polished where the sign changes."""

    def share(log_q: float) -> float:
        return _bias_share(activation, math.exp(log_q))

    good = shares >= -FLAT
    starts = np.flatnonzero(good & ~np.concatenate([[False], good[:-1]]))
    ends = np.flatnonzero(good & ~np.concatenate([good[1:], [False]]))
    found = []
    for i, j in zip(starts, ends, strict=True):
        if not (shares[i : j + 1] > FLAT).any():
            continue  # rounding about 0 next to a negative stretch
        low = grid[i] if i == 0 or shares[i] < FLAT else optimize.brentq(share, grid[i - 1], grid[i], xtol=1e-13)
        last = len(grid) - 1
        high = grid[j] if j == last or shares[j] < FLAT else optimize.brentq(share, grid[j], grid[j + 1], xtol=1e-13)
        found.append((math.exp(low), math.exp(high)))
    return tuple(found)


def edge_for_biases(phi: Phi, sb2: float) -> list[EdgePoint]:
    """The points of the edge with this variance of biases, in order of q: none, one or several (MF-04).

    Without biases the end q -> 0 of a curve is no point: small signals then fall algebraically (E3).

    >>> [round(point.sw2, 6) for point in edge_for_biases("tanh", 0.05)]
    [1.760955]
    """
    activation = activation_of(phi)
    if _homogeneous(activation):
        return [edge_point(activation, 1.0)] if sb2 == 0 else []
    if sb2 <= 0:
        raise TheoryError(f"`sb2={sb2}`: give a positive variance of biases; sb2 = 0 is an end of `edge`.")

    def missing(log_q: float) -> float:
        return _bias_share(activation, math.exp(log_q)) * math.exp(log_q) / sb2 - 1

    grid, shares = _shares(activation)
    values = shares * np.exp(grid) / sb2 - 1
    at = np.flatnonzero(values[:-1] * values[1:] < 0)
    roots = [optimize.brentq(missing, grid[i], grid[i + 1], xtol=1e-14) for i in at]
    return [edge_point(activation, math.exp(s)) for s in roots]


_Q = sp.Symbol("q", positive=True)
_CLOSED: dict[str, tuple[sp.Expr, sp.Expr]] = {
    "erf": (
        sp.pi / 4 * sp.sqrt(1 + 4 * _Q),
        _Q - sp.sqrt(1 + 4 * _Q) * sp.asin(2 * _Q / (1 + 2 * _Q)) / 2,
    ),
    "sine": (1 + sp.tanh(_Q), _Q - sp.tanh(_Q)),
}


def edge_closed_form(phi: Phi) -> tuple[sp.Expr, sp.Expr]:
    """(sw2, sb2) of the edge in the symbol q where there is a closed form (MF-04).

    Raises:
        TheoryError: for other activations.

    >>> edge_closed_form("sine")
    (tanh(q) + 1, q - tanh(q))
    >>> edge_closed_form("relu")
    (2, 0)
    """
    activation = activation_of(phi)
    if activation.slope is not None:
        return sp.nsimplify(2 / (1 + sp.Rational(str(activation.slope)) ** 2)), sp.Integer(0)
    if activation.name not in _CLOSED:
        raise TheoryError(f"no closed form of the edge of {activation.name} is known; see `edge_point`.")
    return _CLOSED[activation.name]


def half_stable_points(phi: Phi) -> list[EdgePoint]:
    """The points with chi_1 = chi_q = 1, where E phi phi'' = 0 (MF-05): of gelu, silu and mish, not of elu or selu.

    For gelu q = (3 + sqrt(17))/2. An activation that is homogeneous has nothing else, and is refused.

    Raises:
        TheoryError: if there is none, with the reason.

    >>> [point] = half_stable_points("gelu")
    >>> round(point.q, 9) == round((3 + math.sqrt(17)) / 2, 9), round(point.sw2, 6), round(point.sb2, 6)
    (True, 1.983058, 0.172922)
    """
    activation = activation_of(phi)
    if _homogeneous(activation):
        raise TheoryError(f"{activation.name} is homogeneous: chi_1 = chi_q at every q, and no one point stands out.")

    def tilt(log_q: float) -> float:
        q = math.exp(log_q)
        return activation.second_moment_slope(q).value / activation.derivative_second_moment(q).value - 1

    values = np.array([or_nan(tilt, s) for s in GRID])
    values[np.abs(values) < 1e-8] = math.nan  # the limit q -> 0 of a linear regime, or rounding
    known = np.flatnonzero(np.isfinite(values))
    pairs = [(i, j) for i, j in pairwise(known) if values[i] * values[j] < 0 and j - i <= 2]
    roots = [math.exp(optimize.brentq(tilt, GRID[i], GRID[j], xtol=1e-14)) for i, j in pairs]
    if not roots:
        raise TheoryError(f"{activation.name} has no half-stable point: chi_q and chi_1 differ from q = 1e-10 to 1e10.")
    points = [edge_point(activation, q) for q in roots if _bias_share(activation, q) >= 0]
    if not points:
        raise TheoryError(f"{activation.name} has none: where chi_q = chi_1, biases would need a negative variance.")
    return points
