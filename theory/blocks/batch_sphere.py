"""Means over a uniform direction orthogonal to (1, ..., 1): what a normalized unit is over a batch (catalogue AR-05).

For B samples y = sqrt(B) u with u uniform on the unit sphere of the B - 1 dimensions orthogonal to 1. One entry is
y_1 = sqrt(B - 1) sin(s), s of density proportional to cos(s)^(B - 3); given it, y_2 = r y_1 + sqrt((1 - r^2)
(B - 1 - y_1^2)) sin(t), t of density proportional to cos(t)^(B - 4), r = -1/(B - 1).
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from theory.activations import Activation
from theory.prediction import TheoryError

Array = npt.NDArray[np.float64]
RELATIVE = 1e-9
NODES = 48


@dataclass(frozen=True)
class BatchMeans:
    """Means of two entries of y: phi and phi' alone, in products, and weighted by the entries.

    Attributes:
        square: E phi(y_1)^2.
        product: E phi(y_1) phi(y_2).
        slope_square: E phi'(y_1)^2.
        slope_product: E phi'(y_1) phi'(y_2).
        weighted_square: E y_1^2 phi'(y_1)^2.
        weighted_product: E y_1 y_2 phi'(y_1) phi'(y_2).
    """

    square: float
    product: float
    slope_square: float
    slope_product: float
    weighted_square: float
    weighted_product: float


def batch_means(phi: Activation, batch: int) -> BatchMeans:
    """The means for a batch of B >= 4 samples.

    Raises:
        TheoryError: where two grids differ by more than 1e-9 of the size of a mean.

    >>> from theory import activations
    >>> found = batch_means(activations.get("linear"), 5)
    >>> round(found.square, 9), round(found.product, 9)
    (1.0, -0.25)
    """
    with np.errstate(over="ignore", invalid="ignore"):  # what no float holds is refused below
        coarse, fine = _means(phi, batch, NODES), _means(phi, batch, 3 * NODES // 2)
    for rough, value in zip(astuple(coarse), astuple(fine), strict=True):
        if not math.isfinite(value) or abs(rough - value) > RELATIVE * max(abs(value), fine.square, fine.slope_square):
            raise TheoryError(f"`phi={phi.name}`, `batch={batch}`: the mean over the sphere does not settle to 1e-9.")
    return fine


def _panel(low: Array, high: Array, nodes: int) -> tuple[Array, Array]:
    """Nodes and weights on [low, high], one row a pair; a cubic map takes square roots off the ends."""
    points, weights = np.polynomial.legendre.leggauss(nodes)
    bent, stretch = (3 * points - points**3) / 2, 1.5 * (1 - points**2)
    half = (high - low)[..., None] / 2
    return (low + high)[..., None] / 2 + half * bent, half * (weights * stretch)


def _split(cuts: list[Array], shape: tuple[int, ...], nodes: int) -> tuple[Array, Array]:
    """Nodes and weights on [-pi/2, pi/2] cut at the given angles (those outside fall on the ends)."""
    end = np.full(shape, math.pi / 2)
    edges = [-end, *np.sort(np.stack([np.broadcast_to(c, shape) for c in cuts]), axis=0), end] if cuts else [-end, end]
    panels = [_panel(low, high, nodes) for low, high in pairwise(edges)]
    return np.concatenate([x for x, _ in panels], axis=-1), np.concatenate([w for _, w in panels], axis=-1)


def _angle(value: Array) -> Array:
    found: Array = np.arcsin(np.clip(value, -1.0, 1.0))
    return found


def _means(phi: Activation, batch: int, nodes: int) -> BatchMeans:
    r, top = -1 / (batch - 1), math.sqrt(batch - 1)
    cuts = [_angle(np.array(c / top)) for c in _outer_cuts(phi.kinks, batch)]
    cuts.append(np.zeros(()))
    for width in (1.5, 4.0, 8.0):  # phi lives at y of order 1, far from the ends +-sqrt(B - 1)
        cuts += [_angle(np.array(sign * width / top)) for sign in (-1, 1)]
    s, outer = _split(cuts, (), nodes)
    outer = outer * np.cos(s) ** (batch - 3)
    first = top * np.sin(s)
    radius = np.sqrt((1 - r * r) * np.maximum(batch - 1 - first**2, 0.0))
    safe = np.maximum(radius, 1e-300)
    centres = (*phi.kinks, -4.0, -1.5, 0.0, 1.5, 4.0)
    cuts = [_angle((c - r * first) / safe) for c in centres]
    cuts += [_angle(np.full(first.shape, sign * width / top)) for width in (1.5, 4.0, 8.0) for sign in (-1, 1)]
    t, inner = _split(cuts, first.shape, nodes)
    inner = inner * np.cos(t) ** (batch - 4)
    second = r * first[:, None] + radius[:, None] * np.sin(t)
    inner = inner / inner.sum(axis=1, keepdims=True)
    outer = outer / outer.sum()
    f1, d1, f2, d2 = phi.function(first), phi.slope_function(first), phi.function(second), phi.slope_function(second)

    def single(values: Array) -> float:
        return float(outer @ values)

    def double(values: Array, other: Array) -> float:
        return float(outer @ (values * np.sum(inner * other, axis=1)))

    return BatchMeans(
        square=single(f1**2),
        product=double(f1, f2),
        slope_square=single(d1**2),
        slope_product=double(d1, d2),
        weighted_square=single((first * d1) ** 2),
        weighted_product=double(first * d1, second * d2),
    )


def _outer_cuts(kinks: tuple[float, ...], batch: int) -> list[float]:
    """Where y_1 is at a kink, and where y_2 begins to reach one."""
    r = -1 / (batch - 1)
    cuts = list(kinks)
    for c in kinks:
        if batch - 1 > c * c:
            reach = math.sqrt((1 - r * r) * (batch - 1 - c * c))
            cuts += [r * c - reach, r * c + reach]
    return cuts
