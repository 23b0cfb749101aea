"""Integrals over a Gaussian by Gauss-Legendre panels: split where the integrand bends, halved until two rules agree."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from theory.prediction import TheoryError

Array = npt.NDArray[np.float64]
Function = Callable[[Array], Array]

RELATIVE = 1e-9
"""The relative error that an integral must reach; where it can't, it is refused."""
_ORDERS = (32, 24)
_REACH = 14.0  # standard deviations; the density is then 1e-43
_ROUNDING = 4e-16
_MOST = 4000  # panels at one level


@dataclass(frozen=True)
class Integral:
    """A Gaussian integral: its value and an estimate of its absolute error.

    >>> Integral(0.5, 1e-16).value
    0.5
    """

    value: float
    error: float


@dataclass(frozen=True)
class Sums:
    """An integral with its error, and the integral of the absolute value, to which rounding is relative."""

    value: float
    error: float
    absolute: float


@cache
def legendre(order: int) -> tuple[Array, Array]:
    """Nodes and weights of the Gauss-Legendre rule on [-1, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(order)
    return nodes, weights


def check_variance(q: float, what: str = "a second moment") -> None:
    """Refuse what no second moment is.

    Raises:
        TheoryError: if q is negative, infinite or NaN.
    """
    if not (0 <= q < math.inf):
        raise TheoryError(f"{what} is finite and not negative, here {q!r}.")


def gaussian(function: Function, q: float, kinks: Sequence[float] = ()) -> Sums:
    """E function(sqrt(q) z) with z ~ N(0, 1), for q > 0.

    Panels are split at 0, at the kinks and at 1, 2, 4, ... on either side of 0, both in units of s = sqrt(q) z
    (large q makes tanh a step) and of z (the Gaussian). They reach 14 standard deviations, and further for what
    grows like an exponential.

    Raises:
        TheoryError: if the integrand is not a number somewhere, or the integral is infinite or overflows.

    >>> f"{gaussian(lambda s: s**2, 3.0).value:.12f}"
    '3.000000000000'
    """
    std = math.sqrt(q)

    def integrand(s: Array) -> Array:
        with np.errstate(all="ignore"):
            values = function(s)
            return np.asarray(values * np.exp(-((s / std) ** 2) / 2) / (std * math.sqrt(2 * math.pi)))

    reach, total = 0.0, Sums(0.0, 0.0, 0.0)
    while reach < 38:
        further = reach + 4.0 if reach else _REACH
        shells = [(-further, -reach), (reach, further)] if reach else [(-further, further)]
        parts = [adaptive(integrand, edges(std, kinks, low * std, high * std)) for low, high in shells]
        total = add(total, *parts)
        reach = further
        edge = np.abs(integrand(np.array([-reach * std, reach * std]))) * std
        if total.absolute and edge.max() <= 1e-20 * total.absolute:
            return total
    if not total.absolute:
        return total
    raise TheoryError(f"the integral over a Gaussian of variance {q!r} is infinite, or one that a float cannot hold.")


def add(*sums: Sums) -> Sums:
    """The sum of integrals over parts."""
    return Sums(sum(p.value for p in sums), sum(p.error for p in sums), sum(p.absolute for p in sums))


def edges(std: float, kinks: Sequence[float], low: float, high: float) -> Array:
    """Where panels between `low` and `high` are split; units of s."""
    top = max(abs(low), abs(high))
    bends = [2.0**k for k in range(-1, max(0, math.ceil(math.log2(top))) + 1)]
    bends += [std * 2.0**k for k in range(-2, 4)]
    points = np.array(sorted({0.0, *kinks, *bends, *(-b for b in bends)}))
    inside = points[(points > low) & (points < high)]
    return np.concatenate([[low], inside, [high]])


def adaptive(integrand: Function, splits: Array, goal: float = 2e-15, levels: int = 40) -> Sums:
    """The integral over the panels between `splits`; panels on which two rules differ are halved.

    `goal` is the difference on one panel that is let be, relative to the whole integral of the absolute value.

    Raises:
        TheoryError: if the integrand is not a number somewhere.
    """
    low, high = splits[:-1], splits[1:]
    value, error, absolute = 0.0, 0.0, 0.0
    for level in range(levels):
        fine, coarse, size = _panels(integrand, low, high)
        difference = np.abs(fine - coarse)
        scale = absolute + float(size.sum())
        bad = difference > goal * scale
        if level == levels - 1 or low.size > _MOST:
            bad[:] = False
        value += float(fine[~bad].sum())
        error += float(difference[~bad].sum())
        absolute += float(size[~bad].sum())
        if not bad.any():
            break
        middle = (low[bad] + high[bad]) / 2
        low, high = np.concatenate([low[bad], middle]), np.concatenate([middle, high[bad]])
    return Sums(value, error + _ROUNDING * absolute, absolute)


def _panels(integrand: Function, low: Array, high: Array) -> tuple[Array, Array, Array]:
    """Each panel by the fine and by the coarse rule, and the integral of the absolute value."""
    middle, half = (low + high)[:, None] / 2, (high - low)[:, None] / 2
    rules = [legendre(order) for order in _ORDERS]
    s = np.concatenate([middle + half * nodes for nodes, _ in rules], axis=1)
    values = integrand(s)
    if np.any(np.isnan(values)):
        raise TheoryError(f"the integrand is not a number at {s[np.isnan(values)][0]:.6g}.")
    if np.any(np.isinf(values)):
        at = s[np.isinf(values)][0]
        raise TheoryError(
            f"the Gaussian integral is infinite, or more than a float can hold: it overflows at {at:.6g}."
        )
    n = _ORDERS[0]
    fine = (values[:, :n] * rules[0][1]).sum(axis=1) * half[:, 0]
    coarse = (values[:, n:] * rules[1][1]).sum(axis=1) * half[:, 0]
    size = (np.abs(values[:, :n]) * rules[0][1]).sum(axis=1) * half[:, 0]
    return fine, coarse, size
