"""Fixed points of the maps of lengths and correlations, and their stability (catalogue E1, E8, MF-02, MF-03).

Roots are bracketed on a grid over many decades and polished; there may be none, several, or every q may be one:
`FixedPoints` says which, and why where there is none. A point is attracting, repelling, or half-stable
(approached from one side only).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import pairwise

import numpy as np
from scipy import optimize

from theory.activations import Activation
from theory.mean_field.maps import (
    Phi,
    activation_of,
    check,
    chi_1,
    correlation_gap,
    correlation_map_slope,
    require_continuous,
    variance_map,
    variance_map_slope,
)
from theory.prediction import TheoryError

GRID = np.linspace(math.log(1e-12), math.log(1e12), 481)
"""Logs of the q that are scanned: 20 a decade, as far as V can be evaluated."""
_STEP, _FAR = math.log(1e6), math.log(1e294)
FLAT = 1e-11
"""A relative excess below this is rounding."""


class Stability(StrEnum):
    """What a map does near its fixed point."""

    ATTRACTING = "attracting"
    REPELLING = "repelling"
    HALF_STABLE = "half-stable"


@dataclass(frozen=True)
class FixedPoint:
    """A fixed point, the slope of the map there, and whether it attracts.

    A slope of 1 in size with `stability` attracting: the approach is algebraic, not exponential.
    """

    value: float
    slope: float
    stability: Stability


@dataclass(frozen=True)
class FixedPoints:
    """All fixed points of a map in ascending order.

    Attributes:
        points: Those found.
        everywhere: Every value is a fixed point; `points` is empty then.
        reason: A sentence that says what was found.
    """

    points: tuple[FixedPoint, ...]
    everywhere: bool
    reason: str

    @property
    def attracting(self) -> tuple[FixedPoint, ...]:
        """Those that attract from every side."""
        return tuple(point for point in self.points if point.stability == Stability.ATTRACTING)


def length_fixed_points(phi: Phi, sw2: float, sb2: float = 0.0) -> FixedPoints:
    """All q >= 0 with sw2 V(q) + sb2 = q, q = 0 included where it is one (E1).

    Between 1e-12 and 1e12, or as far as V can be evaluated; beyond, where lengths still grow at 1e12 or fall at 1e-12,
    as far as the next fixed point. The roots are those of the excess
    (sw2 V(q) + sb2)/q - 1, whose sign says whether q grows.

    >>> print(length_fixed_points("silu", 3.0).reason)
    q = 0 is attracting, q = 0.681969 is repelling
    >>> print(length_fixed_points("relu", 2.0).reason)
    every q is a fixed point: phi is homogeneous, and the layer keeps lengths
    >>> print(length_fixed_points("relu", 2.0, 0.1).reason)
    there is none: sw2 V(q) + sb2 > q, and q grows without bound
    """
    check(sw2, sb2)
    activation = activation_of(phi)
    excess = partial(_excess, activation, sw2, sb2)
    grid, values = _scan(excess)
    still = sb2 == 0 and float(activation.function(np.zeros(1))[0]) == 0
    if values[0] < 0 and not still:
        grid, values = _further(excess, grid, values, -1)
    if values[-1] > 0:
        grid, values = _further(excess, grid, values, 1)
    if not values.any():
        return FixedPoints((), True, "every q is a fixed point: phi is homogeneous, and the layer keeps lengths")
    slope = partial(variance_map_slope, activation, sw2=sw2)
    roots = _roots(excess, grid, values) + _tangencies(activation, sw2, sb2, grid, values)
    points = [_point(math.exp(s), slope(math.exp(s)), signs) for s, signs in roots]
    if still:
        first = values[np.flatnonzero(values)[0]]
        points.append(_point(0.0, sw2 * square_slope_at_0(activation), (-first, first)))
    unbounded = activation.closed.linear and sw2 * activation.second_moment_value(1.0) >= 1
    reason = _says("q", points) if points else _UNBOUNDED if unbounded else _none(grid, values)
    return FixedPoints(tuple(sorted(points, key=lambda p: p.value)), False, reason)


_UNBOUNDED = "there is none: sw2 V(q) + sb2 > q, and q grows without bound"


def _none(grid: np.ndarray, values: np.ndarray) -> str:
    sign = ">" if values[values != 0][-1] > 0 else "<"
    low, high = math.exp(grid[0]), math.exp(grid[-1])
    return f"none is found from q = {low:.3g} to {high:.3g}: sw2 V(q) + sb2 {sign} q there"


def _further(
    excess: Callable[[float], float], grid: np.ndarray, values: np.ndarray, way: int
) -> tuple[np.ndarray, np.ndarray]:
    """The grid continued upwards (1) or downwards (-1) by steps of 1e6 to a change of sign, or as far as floats go."""
    logs, found = list(grid)[::way], list(values)[::way]
    while abs(logs[-1]) < _FAR:
        value = or_nan(excess, logs[-1] + way * _STEP)
        if math.isnan(value):
            break
        logs.append(logs[-1] + way * _STEP)
        found.append(float(_without_rounding([value])[0]))
        if (found[-1] < 0) != (found[-2] < 0):
            break
    return np.array(logs[::way]), np.array(found[::way])


def _says(name: str, points: list[FixedPoint]) -> str:
    ordered = sorted(points, key=lambda p: p.value)
    return ", ".join(f"{name} = {point.value:.6g} is {point.stability}" for point in ordered)


def _excess(activation: Activation, sw2: float, sb2: float, log_q: float) -> float:
    q = math.exp(log_q)
    return (sw2 * activation.second_moment_value(q) + sb2) / q - 1


def _scan(excess: Callable[[float], float]) -> tuple[np.ndarray, np.ndarray]:
    """A grid as far as the excess can be evaluated, and its values there, rounding set to 0.

    The grid is 32 times finer where the excess changes sign or comes near 0 and turns: roots may lie close together.
    """
    start, values = evaluable(excess, GRID)
    if not values:
        raise TheoryError(f"the map of lengths cannot be evaluated at q = {math.exp(GRID[0]):.0e}.")
    coarse = _without_rounding(values)
    sizes, signs = np.abs(coarse), np.sign(coarse)
    dips = (sizes[1:-1] <= sizes[:-2]) & (sizes[1:-1] <= sizes[2:]) & (sizes[:-2] > 0) & (sizes[2:] > 0)
    near = {int(i) + 1 for i in np.flatnonzero(dips)} | {int(i) for i in np.flatnonzero(signs[:-1] * signs[1:] < 0)}
    cells = {i + k for i in near for k in (-2, -1, 0, 1) if 0 <= i + k < len(values) - 1}
    grid = GRID[start : start + len(values)]
    extra = {s: excess(s) for i in cells for s in np.linspace(grid[i], grid[i + 1], 33)[1:-1]}
    everything = sorted([*zip(grid, values, strict=True), *extra.items()])
    return np.array([s for s, _ in everything]), _without_rounding([value for _, value in everything])


def evaluable(function: Callable[[float], float], grid: np.ndarray) -> tuple[int, list[float]]:
    """Where the first run of the grid without NaN starts, and the values there: 1 - cos(x) has no digits at 1e-12."""
    start, values = 0, list[float]()
    for i, s in enumerate(grid):
        value = or_nan(function, s)
        if not math.isnan(value):
            start = start if values else i
            values.append(value)
        elif values:
            break
    return start, values


def _without_rounding(values: list[float]) -> np.ndarray:
    return np.array([value if abs(value) > FLAT else 0.0 for value in values])


def or_nan(function: Callable[[float], float], s: float) -> float:
    """The value, or NaN where it cannot be evaluated or is not finite."""
    try:
        value = float(function(s))
    except (TheoryError, OverflowError, ZeroDivisionError):
        return math.nan
    return value if math.isfinite(value) else math.nan


Signs = tuple[float, float]
"""Signs of the excess below and above a root."""


def _roots(excess: Callable[[float], float], grid: np.ndarray, values: np.ndarray) -> list[tuple[float, Signs]]:
    """Roots between grid points of opposite sign; between them there may be points that are 0 to rounding."""
    known = np.flatnonzero(values)
    found = []
    for i, j in pairwise(known):
        if (values[i] < 0) != (values[j] < 0):
            found.append((_polish(excess, grid[i], grid[j]), (values[i], values[j])))
    return found


def _polish(function: Callable[[float], float], low: float, high: float) -> float:
    return float(optimize.brentq(function, low, high, xtol=1e-15, rtol=8.9e-16))


def _tangencies(
    activation: Activation, sw2: float, sb2: float, grid: np.ndarray, values: np.ndarray
) -> list[tuple[float, Signs]]:
    """Where the excess comes near 0 and turns between grid points: it touches 0 (chi_q = 1), or crosses it twice."""
    excess = partial(_excess, activation, sw2, sb2)

    def tilt(log_q: float) -> float:
        q = math.exp(log_q)
        return variance_map_slope(activation, q, sw2) - variance_map(activation, q, sw2, sb2) / q

    found: list[tuple[float, Signs]] = []
    sizes, ups = np.abs(values), values > 0
    for i in range(1, len(values) - 1):
        turns = sizes[i] <= min(sizes[i - 1], sizes[i + 1]) and sizes[i] < 0.1 and ups[i - 1] == ups[i + 1]
        low, high = grid[i - 1], grid[i + 1]
        if not turns or 0 in (values[i - 1], values[i + 1]) or (tilt(low) > 0) == (tilt(high) > 0):
            continue
        s, sign = _polish(tilt, low, high), values[i - 1]
        if abs(excess(s)) < FLAT:
            found.append((s, (sign, sign)))
        elif (excess(s) > 0) != ups[i - 1] and (values[i] == 0 or ups[i] == ups[i - 1]):
            found += [(_polish(excess, low, s), (sign, -sign)), (_polish(excess, s, high), (-sign, sign))]
    return found


def _point(value: float, slope: float, signs: Signs) -> FixedPoint:
    below, above = signs
    if abs(slope - 1) > 1e-7:
        return FixedPoint(value, slope, Stability.ATTRACTING if abs(slope) < 1 else Stability.REPELLING)
    if below > 0 > above:
        return FixedPoint(value, slope, Stability.ATTRACTING)
    return FixedPoint(value, slope, Stability.REPELLING if below < 0 < above else Stability.HALF_STABLE)


def square_slope_at_0(activation: Activation) -> float:
    """lim V(q)/q = (phi'(0+)^2 + phi'(0-)^2)/2 as q -> 0, where phi(0) = 0; infinite where phi jumps there.

    >>> square_slope_at_0(activation_of("relu")), square_slope_at_0(activation_of("gelu"))
    (0.5, 0.25)
    """
    near = np.array([1e-300, -1e-300])
    if not activation.continuous and np.max(np.abs(activation.function(near))) > 1e-150:
        return math.inf
    right, left = activation.slope_function(near)
    return float(right**2 + left**2) / 2


def fixed_points(phi: Phi, sw2: float, sb2: float = 0.0) -> list[float]:
    """The q > 0 with sw2 V(q) + sb2 = q; empty where there is none or every q is one (see `length_fixed_points`).

    >>> fixed_points("tanh", 1.0), [round(x, 6) for x in fixed_points("tanh", (5 / 3) ** 2)]
    ([], [1.17848])
    """
    return [point.value for point in length_fixed_points(phi, sw2, sb2).points if point.value > 0]


def q_star(phi: Phi, sw2: float, sb2: float = 0.0, start: float | None = None) -> float:
    """The attracting fixed point of lengths; given `start`, the one that its orbit approaches (E1).

    Raises:
        TheoryError: if every q is a fixed point, none attracts, or several do and no `start` is given.

    >>> round(q_star("tanh", (5 / 3) ** 2), 6)
    1.17848
    >>> q_star("relu", 2.0)
    Traceback (most recent call last):
    theory.prediction.TheoryError: there is no one q*: every q is a fixed point: phi is homogeneous, and ...
    """
    found = length_fixed_points(phi, sw2, sb2)
    if found.everywhere:
        raise TheoryError(f"there is no one q*: {found.reason}.")
    if start is not None:
        return _approached(activation_of(phi), found, sw2, sb2, start)
    if len(found.attracting) != 1:
        which = "several fixed points attract" if found.attracting else "no fixed point was found that attracts"
        hint = " Give `start`, a first q." if found.points else ""
        raise TheoryError(f"{which} from both sides: {found.reason}.{hint}")
    return found.attracting[0].value


def _approached(activation: Activation, found: FixedPoints, sw2: float, sb2: float, start: float) -> float:
    """V grows with q or not: the orbit decides. It moves towards the next point, or away for good."""
    check(sw2, sb2, start)
    q = start
    for _ in range(10_000):
        ahead = sw2 * activation.second_moment_value(q) + sb2
        if not 1e-100 < ahead < 1e100 or abs(ahead / q - 1) < 1e-13:
            break
        q = ahead
    ways = [p for p in found.points if p.stability != Stability.REPELLING]
    ways = [p for p in ways if (p.value < q) == (ahead < q) or math.isclose(p.value, q, rel_tol=1e-6)]
    if not ways:
        raise TheoryError(f"from q = {start} the orbit approaches no fixed point: {found.reason}.")
    return min(ways, key=lambda p: abs(p.value - q)).value


# Correlations


_ANGLES = np.concatenate([np.geomspace(1e-4, 0.3, 15)[:-1], np.linspace(0.3, math.pi, 37)])


def correlation_fixed_points(phi: Phi, sw2: float, sb2: float = 0.0, q: float | None = None) -> FixedPoints:
    """All c in [-1, 1] with C(c) = c at lengths q (`q_star` unless given); c = 1 always is one (MF-02).

    C'(1) = chi_1: c = 1 attracts if chi_1 < 1, repels if chi_1 > 1; at chi_1 = 1 what C does nearby decides.

    >>> print(correlation_fixed_points("relu", 2.0, q=1.0).reason)
    c = 1 is attracting
    >>> print(correlation_fixed_points("erf", 4.0).reason)
    c = -1 is repelling, c = 0 is attracting, c = 1 is repelling
    """
    activation = activation_of(phi)
    require_continuous(activation)
    q = q_star(activation, sw2, sb2) if q is None else q
    if q == 0:
        raise TheoryError("correlations have no map at q* = 0: `sw2` is too small to keep a signal. Give `q`.")

    def spread(angle: float) -> float:
        return correlation_gap(activation, angle, q, sw2, sb2) / (2 * math.sin(angle / 2) ** 2) - 1

    values = np.array([spread(t) for t in _ANGLES])
    values[np.abs(values) < 1e-9] = 0.0
    known = values[values != 0]
    if not len(known):
        return FixedPoints((), True, "every c is a fixed point: phi is linear")
    slope = partial(correlation_map_slope, activation, q=q, sw2=sw2, sb2=sb2)
    points = []
    for angle, signs in _roots(spread, _ANGLES, values):
        c = math.cos(angle) if abs(angle - math.pi / 2) > 1e-12 else 0.0
        points.append(_point(c, slope(c), signs))
    at_1 = chi_1(activation, q, sw2) * q / variance_map(activation, q, sw2, sb2)
    points.append(_point(1.0, at_1, (-known[0], known[0])))
    if values[-1] == 0:
        points.append(_point(-1.0, slope(-1.0), (known[-1], -known[-1])))
    return FixedPoints(tuple(sorted(points, key=lambda p: p.value)), False, _says("c", points))


def c_star(phi: Phi, sw2: float, sb2: float = 0.0, q: float | None = None) -> float:
    """The attracting correlation at q* (MF-02).

    Raises:
        TheoryError: if there is no q*, or not one attracting correlation.

    >>> c_star("tanh", 0.5, 0.1), round(c_star("erf", 4.0), 9)
    (1.0, 0.0)
    """
    found = correlation_fixed_points(phi, sw2, sb2, q)
    if len(found.attracting) != 1:
        raise TheoryError(f"there is no one attracting correlation: {found.reason}.")
    return found.attracting[0].value
