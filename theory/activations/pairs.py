"""Integrals over a Gaussian pair: E f(u) f(v), the kernels of two inputs.

With z1, z2 independent and c the correlation, u = sqrt(q1) z1 and v = sqrt(q2) (c z1 + sqrt(1 - c^2) z2). Smooth
functions at moderate q: the trapezoidal rule in both, which converges exponentially. Others: v given u is
Gaussian, its mean of f by panels split at the kinks, and panels in u that are halved until two rules agree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np

from theory.activations.closed import Given, correlation
from theory.activations.quadrature import Array, Function, Sums, adaptive, edges, gaussian, legendre

_REACH = 9.5  # standard deviations
_SMOOTH = 40.0  # largest variance for the trapezoidal rule
_INNER = (16, 12)
_CLOSED_FROM = 1e-6  # least variance at which a closed inner mean keeps its digits
_GOAL = 1e-13


def pair(
    f: Function, q1: float, q2: float, q12: float, kinks: Sequence[float] = (), given: Given | None = None
) -> Sums:
    """E f(u) f(v), u and v Gaussian with variances q1, q2 > 0 and covariance q12.

    `given` is the mean of f(m + d z) of (m, d) where it is known in closed form.

    Raises:
        TheoryError: if the integral is infinite or an integrand is not a number.

    >>> f"{pair(np.tanh, 1.0, 1.0, 0.5).value:.10f}"
    '0.1863244132'
    """
    high, low = max(q1, q2), min(q1, q2)
    c, root = correlation(high, low, q12)
    if root == 0:
        ratio = math.copysign(math.sqrt(low / high), c)
        return gaussian(lambda s: f(s) * f(ratio * s), high, [*kinks, *(k / ratio for k in kinks)])
    if not kinks and high <= _SMOOTH:
        sums = _trapezoid(f, high, low, c, root)
        if sums is not None:
            return sums
    if given is not None and low > _CLOSED_FROM:
        sums = _conditioned(f, high, low, c, root, kinks, given)
        return Sums(sums.value, sums.error + 1e-13 * sums.absolute, sums.absolute)
    inner = (partial(_means, f, kinks, order) for order in _INNER)
    fine, coarse = (_conditioned(f, high, low, c, root, kinks, means) for means in inner)
    return Sums(fine.value, fine.error + abs(fine.value - coarse.value), fine.absolute)


def _trapezoid(f: Function, q1: float, q2: float, c: float, root: float) -> Sums | None:
    """By steps of 1/2, 1/4, ... until two agree; None if they don't, or if the ends are not small."""
    before = math.inf
    for k in range(2, 7):
        n = int(_REACH * 2**k)
        z = np.arange(-n, n + 1) / 2**k
        weight = np.exp(-(z**2) / 2) / (2**k * math.sqrt(2 * math.pi))
        with np.errstate(all="ignore"):
            along = f(math.sqrt(q1) * z) * weight
            across = f(math.sqrt(q2) * (c * z[:, None] + root * z)) * weight
        inner = across.sum(axis=1)
        terms = along * inner
        value, size = float(terms.sum()), float(np.abs(along) @ np.abs(across).sum(axis=1))
        ends = max(abs(terms[0]), abs(terms[-1]), float(np.abs(along) @ (np.abs(across[:, 0]) + np.abs(across[:, -1]))))
        if not math.isfinite(value) or ends > 1e-17 * size:
            return None
        if abs(value - before) <= 1e-12 * size:
            return Sums(value, abs(value - before) + 4e-16 * size, size)
        before = value
    return None


def _conditioned(
    f: Function, q1: float, q2: float, c: float, root: float, kinks: Sequence[float], given: Given
) -> Sums:
    """E f(u) E[f(v) | u]; the inner mean bends where its centre passes a kink, over a width of its own spread."""
    std, slope, spread = math.sqrt(q1), c * math.sqrt(q2 / q1), math.sqrt(q2) * root
    bends = [*kinks]
    if slope:
        width = spread / abs(slope)
        bends += [k / slope + side * width * w for k in [0.0, *kinks] for w in (0, 1, 3, 8) for side in (-1, 1)]

    def integrand(u: Array) -> Array:
        with np.errstate(all="ignore"):
            density = np.exp(-((u / std) ** 2) / 2) / (std * math.sqrt(2 * math.pi))
            inner = given(slope * u.ravel(), spread).reshape(u.shape)
            return np.asarray(f(u) * density * inner)

    end = _REACH * std
    return adaptive(integrand, edges(std, bends, -end, end), goal=_GOAL)


def _means(f: Function, kinks: Sequence[float], order: int, centres: Array, spread: float) -> Array:
    """E f(m + spread z) for each centre m, by panels split at the kinks and at the bends of the Gaussian and of f."""
    widest = float(np.max(np.abs(centres))) + _REACH * spread
    steps = [2.0**k for k in range(-1, max(0, math.ceil(math.log2(widest))) + 1)] if widest > 0.5 else []
    fixed = np.array(sorted({0.0, *kinks, *steps, *(-b for b in steps)}))
    own = np.broadcast_to([-_REACH, -6.0, -3.0, -1.0, 1.0, 3.0, 6.0, _REACH], (centres.size, 8))
    splits = np.concatenate([own, (fixed - centres[:, None]) / spread], axis=1)
    splits = np.sort(np.clip(splits, -_REACH, _REACH), axis=1)
    used = np.any(np.diff(splits, axis=1) > 0, axis=0)
    low, high = splits[:, :-1][:, used, None], splits[:, 1:][:, used, None]
    nodes, weights = legendre(order)
    half = (high - low) / 2
    z = (high + low) / 2 + half * nodes
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return np.asarray((f(centres[:, None, None] + spread * z) * density * (half * weights)).sum(axis=(1, 2)))
