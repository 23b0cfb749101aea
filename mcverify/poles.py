"""Where an expression is infinite: at zeros of what it divides by or takes the logarithm of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from mcverify.expression_code import function_of
from mcverify.expression_forms import Log1p, rewritten

Array = NDArray[np.float64]

GRID = np.arange(-137.3, 137.3, 0.0113)
"""Where zeros are looked for, off round numbers; two zeros between neighbours are missed."""

NEARER = 10.0 ** -np.arange(3, 10)
"""Distances from a zero at which an infinite expression keeps growing."""

HALVINGS = 60
SHRINKS = 0.9  # a step of growth over the one before; a function that stays finite has about 0.1
GOLDEN = 0.6180339887498949


def pole_of(phi: Callable[[Any, Any], Any], expression: sp.Expr) -> float | None:
    """A point between -137 and 137 at which an expression is infinite, or None.

    Args:
        phi: The expression as a function phi(h, a).
        expression: In the symbol `expression_forms.x`.

    >>> from mcverify.expression_forms import x
    >>> phi = lambda h, a: 1 / np.cos(h)
    >>> round(abs(pole_of(phi, 1 / sp.cos(x))) % np.pi, 6), pole_of(lambda h, a: np.sinc(h), sp.sin(x) / x)
    (1.570796, None)
    """
    with np.errstate(all="ignore"):
        found = np.concatenate([np.empty(0), *(zeros(function_of(part)) for part in _suspects(rewritten(expression)))])
        poles = [float(zero) for zero in found if _grows(phi, zero)]
    return min(poles, key=lambda pole: (abs(pole), -pole), default=None)


def _suspects(form: sp.Expr) -> Iterator[sp.Expr]:
    """What must not be 0, once each."""
    parts = set()
    for part in sp.preorder_traversal(form):
        if isinstance(part, sp.Pow) and part.exp.could_extract_minus_sign():
            parts.add(part.base)
        elif isinstance(part, sp.log):
            parts.add(part.args[0])
        elif isinstance(part, Log1p):
            parts.add(1 + part.args[0])
    yield from sorted((part for part in parts if part.free_symbols), key=sp.default_sort_key)


def zeros(function: Callable[[Any], Any]) -> Array:
    """Zeros of a function on the grid: where its sign changes, and where |f| has a least value.

    >>> [round(float(zero), 9) for zero in zeros(lambda h: (h - 1) * (h - 2) ** 2)]
    [1.0, 2.0]
    """
    values = function(GRID)
    changes = np.flatnonzero(np.sign(values[:-1]) * np.sign(values[1:]) <= 0)
    size = np.abs(values)
    least = 1 + np.flatnonzero((size[1:-1] <= size[:-2]) & (size[1:-1] <= size[2:]))
    touching = [_least(function, GRID[least - 1], GRID[least + 1])] if len(least) else []
    crossing = [_crossing(function, GRID[changes], GRID[changes + 1])] if len(changes) else []
    found = np.sort(np.concatenate([np.empty(0), *crossing, *touching]))
    tiny = np.abs(function(found)) <= 1e-7 * (1 + np.median(size[np.isfinite(size)]))
    found = found[tiny]
    apart: Array = found[np.diff(found, prepend=-np.inf) > 1e-6]
    return apart


def _crossing(function: Callable[[Any], Any], low: Array, high: Array) -> Array:
    sign = np.sign(function(low))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        left = np.sign(function(middle)) == sign
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    return high


def _least(function: Callable[[Any], Any], low: Array, high: Array) -> Array:
    for _ in range(2 * HALVINGS):
        width = GOLDEN * (high - low)
        left = np.abs(function(high - width)) <= np.abs(function(low + width))
        low, high = np.where(left, low, high - width), np.where(left, low + width, high)
    return (low + high) / 2


def _grows(phi: Callable[[Any, Any], Any], zero: float) -> bool:
    """Whether |phi| grows without slowing down as a zero comes nearer, from one side or the other."""
    for side in (-1, 1):
        size = np.abs(phi(zero + side * NEARER, 0.0))
        steps = np.diff(size)
        finite = np.all(np.isfinite(size))
        if not finite or (np.all(steps > 0) and np.all(steps[1:] >= SHRINKS * steps[:-1])):
            return True
    return False
