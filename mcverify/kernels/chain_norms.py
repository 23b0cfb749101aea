"""Norms of homogeneous networks at O(1) a layer: neither matrices nor vectors, exact in law for Gaussian weights.

Let phi(h) = p h above 0 and q h below, x = x_{l-1}, s^2 the variance of a weight and b^2 that of a bias. Then
h_l = sqrt(s^2 |x|^2 + b^2) xi, and only K ~ Binomial(n, 1/2), the number of positive xi, and two chi-squares matter:
the sum of squares A of these, with K degrees of freedom, and B of the others. Backward, h . delta = x . g = C in
every layer, so that g_l has t = C_l / |x_l| along x_l, and across it r = s |delta_{l+1}| times a normal vector. x_l
lies in the plane of the two directions of active and other units: with (cos, sin) = (p sqrt A, q sqrt B) / |.| and
one normal N,

    |g_l on active units|^2 = (t cos - r N sin)^2 + r^2 chi2(K - 1)
    |g_l on the others|^2   = (t sin + r N cos)^2 + r^2 chi2(n - K - 1),

and |delta_l|^2 is p^2 times the one and q^2 times the other. Without biases C is the same in every layer; with them
x is joined by a constant unit, and C_{l-1} = C_l s^2 |x|^2 / H + |x| b r N' / sqrt H, H = s^2 |x|^2 + b^2. Where
x_l = 0, nothing is along it, and no degree of freedom is lost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from mcverify.distributions import Law
from mcverify.kernels import Block
from mcverify.kernels.columns import Powers, n_columns, ratio_parts
from mcverify.kernels.cpu import OUTPUT_SCALARS, PADDING, VECTOR_SCALARS, Array, Source
from mcverify.kernels.generated import load
from mcverify.network import Network
from mcverify.observables import TENSORS, layers, statistics_of
from mcverify.rng import halves
from mcverify.rng.streams import BACKWARD_NORM, FORWARD_NORM, INPUT, UNITS, key, stream

CHUNK_BYTES, LAYER_BYTES = 1 << 23, 700
SCALARS = (
    "mcverify.rng.philox",
    "mcverify.rng.variates",
    "mcverify.rng.chi_squares",
    "mcverify.rng.halves",
    *VECTOR_SCALARS,
)
FLATTEST = 1e-100
"""Least ratio of two slopes that are not 0: their fourth powers are numbers."""


def takes(net: Network) -> bool:
    """Whether the norms of a network, whose weights are Gaussian, have this law.

    >>> takes(Network(widths=(3, 3), activation="relu")), takes(Network(widths=(3, 3), activation="tanh"))
    (True, False)
    """
    gradient = net.output_gradient_law
    return (
        net.homogeneous
        and all(_is_plain(*slopes(net, layer)) for layer in range(1, net.depth + 1))
        and all(law.is_zero or law.name == "normal" for law in net.bias_laws)
        and gradient is not None
        and gradient.name == "normal"
    )


def slopes(net: Network, layer: int) -> tuple[float, float]:
    """p and q of a layer: phi(h) = p h above 0, q h below."""
    phi = net.activation_of(layer)
    return float(phi(np.float64(1.0))), -float(phi(np.float64(-1.0)))


def _is_plain(p: float, q: float) -> bool:
    least, most = sorted((abs(p), abs(q)))
    return least == 0 or least > FLATTEST * most


def simulate_block(net: Network, seed: int, first: int, count: int) -> Block:
    """Networks first .. first + count - 1 of a seed; columns that are not of norms are NaN.

    >>> net = Network(widths=(20, 1000000, 20), activation="relu", weights="he_normal")
    >>> simulate_block(net, seed=0, first=0, count=5).kinds
    array([0, 0, 0, 0, 0], dtype=uint8)
    """
    plan = Plan(net, key(seed, net.canonical), min(lanes_of(net), count))
    block = Block(np.empty((count, n_columns(net.depth))), np.zeros(count, np.uint8))
    for start in range(0, count, plan.lanes):
        part = slice(start, min(start + plan.lanes, count))
        chunk = _Chunk(plan, first + start, block.kinds[part])
        chunk.run()
        chunk.write_columns(block.values[part])
    return block


def lanes_of(net: Network) -> int:
    """How many networks go side by side."""
    lanes = 512
    while lanes > 16 and LAYER_BYTES * net.depth * lanes > CHUNK_BYTES:
        lanes //= 2
    return lanes


@dataclass(frozen=True)
class Plan:
    """What all networks of a block share."""

    net: Network
    bits: tuple[np.uint64, np.uint64]
    lanes: int

    @cached_property
    def norms(self) -> ModuleType:
        """Kernels of norms."""
        return load("norms", SCALARS)

    @cached_property
    def widths(self) -> NDArray[np.int64]:
        """N_0..N_L."""
        return np.array(self.net.widths, np.int64)

    @cached_property
    def scales(self) -> tuple[Array, NDArray[np.int64]]:
        """Mantissas of standard deviations of weights and biases, p and q, (4, L); the exponents of the first three."""
        numbers, exponents = np.zeros((4, self.net.depth)), np.zeros((3, self.net.depth), np.int64)
        for l, (weight, bias) in enumerate(zip(self.net.weight_laws, self.net.bias_laws, strict=True)):
            p, q = slopes(self.net, l + 1)
            numbers[0, l], exponents[0, l] = math.frexp(weight.std)
            numbers[1, l], exponents[1, l] = (0.0, NEVER) if bias.is_zero else math.frexp(bias.std)
            exponents[2, l] = math.frexp(max(abs(p), abs(q)))[1]
            numbers[2:, l] = [math.ldexp(slope, -int(exponents[2, l])) for slope in (p, q)]
        return numbers, exponents

    @cached_property
    def tables(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], Array, NDArray[np.int64]]:
        """Which table each layer uses; where each starts, its least number, all entries, all guides."""
        sizes = sorted(set(self.net.widths[1:]))
        found = [halves.table(size) for size in sizes]
        which = np.array([sizes.index(width) for width in self.net.widths[1:]], np.int64)
        starts = np.cumsum([0, *(one.below.size for one in found[:-1])]).astype(np.int64)
        least = np.array([one.least for one in found], np.int64)
        below = np.concatenate([one.below for one in found])
        return which, starts, least, below, np.stack([one.guide for one in found])

    @cached_property
    def rows(self) -> Array:
        """Room for the observables of a chunk, (columns, networks or more), NaN where nothing is measured."""
        rows, at = np.full((n_columns(self.net.depth), self.lanes + PADDING), np.nan), 0
        biased = any(not law.is_zero for law in self.net.bias_laws)
        for tensor in TENSORS:
            for statistic in statistics_of(tensor):
                n = len(layers(tensor, statistic, self.net.depth))
                if tensor == "bias" and not biased:
                    rows[at : at + n] = -np.inf if statistic == "log_second_moment" else 0.0
                at += n
        return rows


NEVER = -(1 << 50)
"""Exponent of a bias that is 0."""


class _Chunk:
    """Some networks side by side."""

    def __init__(self, plan: Plan, first: int, kinds: NDArray[np.uint8]) -> None:
        depth, lanes = plan.net.depth, len(kinds)
        self.plan, self.net, self.first, self.lanes, self.kinds = plan, plan.net, first, lanes, kinds
        self.drawn = np.empty((5, depth, lanes))
        self.x, self.h, self.g, self.delta = (_room(depth + extra, lanes) for extra in (1, 0, 1, 0))

    def run(self) -> None:
        """Forward and backward."""
        plan, norms = self.plan, self.plan.norms
        self.draw_input()
        word = [stream(kind, 0) for kind in (UNITS, FORWARD_NORM, BACKWARD_NORM)]
        forward, backward = np.array(word[:2]), np.array([word[0], word[2]])
        where = (self.first, *plan.bits, self.drawn, *self.x)
        norms.forward(plan.widths, *plan.scales, *plan.tables, forward, *where, *self.h, self.kinds)
        law = self.net.output_gradient_law
        mantissa, exponent = math.frexp(law.std if law else 0.0)
        norms.backward(plan.widths, *plan.scales, mantissa, exponent, backward, *where, *self.g, *self.delta)

    def draw_input(self) -> None:
        """|x_0|^2: by a chi-square, or from its entries where these are given or not Gaussian."""
        law, plan, n = self.net.input_law, self.plan, self.net.widths[0]
        square, exponent = self.x[0][0], self.x[1][0]
        if law is not None and law.name == "normal" and law.mean == 0:
            place = (*math.frexp(law.std), stream(FORWARD_NORM, 0), self.first, *plan.bits)
            plan.norms.first_norms(square, exponent, n, *place)
            return
        v, mean, fourth = self.entries(law, n), np.empty(self.lanes), np.empty(self.lanes)
        exponent[:] = 0
        load("vectors", VECTOR_SCALARS).measure(v, self.lanes, mean, square, fourth, exponent)
        mantissa, shift = np.frexp(square * n)
        half = (shift + 1) >> 1
        square[:] = np.ldexp(mantissa, shift - 2 * half)
        exponent += half

    def entries(self, law: Law | None, n: int) -> Array:
        """The input's entries: those of `cpu`."""
        if law is None:
            return np.repeat(np.array(self.net.input_values, np.float32), self.lanes).astype(np.float64)
        z = Source(law, INPUT, 0, self.plan.bits).draw(n, self.first, self.lanes)[: n * self.lanes]
        return (z * np.float32(law.std) + np.float32(law.mean)).astype(np.float64)

    def powers(self) -> dict[str, Powers]:
        """Second moments by tensor; the other powers are not known."""
        n = self.plan.widths[:, np.newaxis]
        x, h, g, delta = (
            Powers(second, second, second, exponent)
            for second, exponent in (
                (self.x[0] / n, self.x[1]),
                (self.h[0] / n[1:], self.h[1]),
                (self.g[0] / n, self.g[1]),
                (self.delta[0] / n[1:], self.delta[1]),
            )
        )
        product, last = delta.outer(x[:-1]), slice(self.net.depth, None)
        return {
            "input": x[:1],
            "preactivation": h,
            "activation": x[1:],
            "preactivation_gradient": delta,
            "activation_gradient": g,
            "weight_gradient": product,
            "bias_gradient": delta,
            "output_gradient": g[last],
        }

    def write_columns(self, values: Array) -> None:
        """What is measured into values (networks, columns)."""
        output, rows, at = load("output", OUTPUT_SCALARS), self.plan.rows, 0
        powers = self.powers()
        extra = {
            "active_fraction": self.drawn[0] / self.plan.widths[1:, np.newaxis],
            "alive": (self.x[0][1:] > 0).astype(np.float64),
        }
        for tensor in TENSORS:
            if tensor in powers:
                output.seconds(rows, at, powers[tensor].second, powers[tensor].exponent)
            at += 4 * len(layers(tensor, "mean", self.net.depth))
            for statistic in statistics_of(tensor)[4:]:
                if statistic in extra:
                    rows[at : at + self.net.depth, : self.lanes] = extra[statistic]
                    at += self.net.depth
                else:
                    above, below = ratio_parts(tensor, powers)
                    output.ratios(rows, at, above.second, above.exponent, below.second, below.exponent)
                    at += len(above.second)
        values[:] = rows[:, : self.lanes].T


def _room(n_layers: int, lanes: int) -> tuple[Array, NDArray[np.int64]]:
    """Room for squared norms and their exponents."""
    return np.empty((n_layers, lanes)), np.empty((n_layers, lanes), np.int64)
