"""Networks of any activation without their matrices: O(n) normals a layer, exact in law for Gaussian weights.

Given x, W x is sqrt(v) |x| times a standard normal vector; given that too, W^T delta is known along x, and a normal
vector of length sqrt(v) |delta| across it (`templates.projections`). So the vectors of forward and backward have the
law that Gaussian matrices give them, jointly over all layers. Biases, inputs and given gradients are those of `cpu`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, partial
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from mcverify.kernels import Block, cpu
from mcverify.kernels.cpu import VECTOR_SCALARS, Array, Source
from mcverify.kernels.generated import load
from mcverify.network import Network
from mcverify.rng.streams import BACKWARD_DIRECTION, FORWARD_DIRECTION, INPUT, key

KEEP_BYTES = 1 << 26
"""Vectors of all layers of a chunk are kept up to this size; beyond, a layer is computed again on the way back."""

CHUNK_BYTES = 1 << 28
"""Of what a chunk holds beside them."""

LANE_BYTES = 1 << 19
"""Of one vector of a chunk, while 64 networks go side by side: it passes the caches several times."""

KEPT_UNIT_BYTES, UNIT_BYTES, LAYER_BYTES = 20, 100, 700
"""For each network: of a unit that is kept, of a unit of the widest layer, of the statistics of a layer."""


def simulate_block(net: Network, seed: int, first: int, count: int) -> Block:
    """Networks first .. first + count - 1 of a seed; columns of weights are NaN.

    >>> simulate_block(Network(widths=(2, 3)), seed=0, first=0, count=5).values.shape
    (5, 48)
    """
    plan = Plan(net, key(seed, net.canonical), min(lanes_of(net), count))
    with np.errstate(all="ignore"):
        return cpu.in_chunks(partial(Chunk, plan), plan, first, count)


def lanes_of(net: Network) -> int:
    """How many networks go side by side: as many as the caches and, where deep, a bounded memory allow."""
    lanes, widest = 512, max(net.widths)
    while lanes > 64 and 8 * widest * lanes > LANE_BYTES:
        lanes //= 2
    while lanes > 8 and (UNIT_BYTES * widest + LAYER_BYTES * net.depth) * lanes > CHUNK_BYTES:
        lanes //= 2
    return lanes


@dataclass(frozen=True)
class Plan(cpu.Plan):
    """What all networks of a block share."""

    @cached_property
    def projections(self) -> ModuleType:
        """Kernels of W x and W^T delta."""
        return load("projections", VECTOR_SCALARS)

    @cached_property
    def forward_directions(self) -> list[Source]:
        """Those of W_1 x_0 .. W_L x_{L-1}."""
        return self._sources(FORWARD_DIRECTION)

    @cached_property
    def backward_directions(self) -> list[Source]:
        """Those of W_1^T delta_1 .. W_L^T delta_L."""
        return self._sources(BACKWARD_DIRECTION)

    def _sources(self, kind: int) -> list[Source]:
        return [Source(law, kind, layer, self.bits) for layer, law in enumerate(self.net.weight_laws, 1)]

    @cached_property
    def stds(self) -> list[float]:
        """Mantissas of the standard deviations of W_1..W_L; the exponents are those of the sources."""
        return [math.frexp(law.std)[0] for law in self.net.weight_laws]


@dataclass(frozen=True)
class Layer:
    """What the way back needs of a layer: the direction of W x, phi'(h) and x = phi(h)."""

    z: NDArray[np.float32]
    derivatives: Array
    x: Array


class Chunk(cpu._Chunk):
    """Some networks side by side."""

    plan: Plan

    def forward(self) -> None:
        """x_0, and every layer."""
        net = self.net
        self.input = self.drawn_or_given("input", net.input_law, net.input_values, INPUT, 0)
        keeps = KEPT_UNIT_BYTES * sum(net.widths[1:]) * self.lanes <= KEEP_BYTES
        self.kept: dict[int, Layer] = {}
        for index in range(1, net.depth + 1):
            layer = self.layer(index)
            if keeps:
                self.kept[index] = layer
        self.x = layer.x.copy()

    def layer(self, index: int) -> Layer:
        """A layer, computed from the norm of the one before it; the same bits each time."""
        if index in self.kept:
            return self.kept[index]
        net = self.net
        z, h = self.preactivation(index)
        phi, x, active = net.activation_of(index), np.empty_like(h), self.extra["active_fraction"][index - 1]
        _, second, _, exponent = self.powers["preactivation"].rows(index - 1)
        alive, rows = self.extra["alive"][index - 1], self.powers["activation"].rows(index - 1)
        about = (self.lanes, phi.constant, phi.homogeneous, phi.flat, second, exponent, active, alive)
        self.plan.activations[index - 1].activate(x, h, *about, *rows, self.kinds)
        return Layer(z, h, x)

    def preactivation(self, index: int) -> tuple[NDArray[np.float32], Array]:  # type: ignore[override]
        """The direction of W_l x_{l-1}, and h_l."""
        plan, (fan_in, fan_out) = self.plan, self.net.widths[index - 1 : index + 1]
        _, before, _, before_exponent = self.before(index)
        rows, source = self.powers["preactivation"].rows(index - 1), plan.forward_directions[index - 1]
        z, h = source.draw(fan_out, self.first, self.lanes), np.empty(fan_out * self.lanes)
        plan.projections.forward(h, z, fan_in, self.lanes, plan.stds[index - 1], before)
        np.add(before_exponent, source.exponent, out=rows[3])
        self.add_biases(index, h, rows[3])
        plan.vectors.measure(h, self.lanes, *rows)
        return z, h

    def before(self, index: int) -> tuple[Array, Array, Array, NDArray[np.int64]]:
        """Mean, second, fourth and exponent of x_{l-1}."""
        return self.powers["input"].rows(0) if index == 1 else self.powers["activation"].rows(index - 2)

    def add_biases(self, index: int, h: Array, exponent: NDArray[np.int64]) -> None:
        """Add b_l to h, at a common exponent."""
        source, width, rows = self.plan.biases[index - 1], self.net.widths[index], self.powers["bias"].rows(index - 1)
        if source.law.is_zero:
            return
        b = np.empty(width * self.lanes)
        self.plan.vectors.widen(b, source.draw(width, self.first, self.lanes), source.std, np.float32(0))
        rows[3][:] = source.exponent
        self.plan.vectors.measure(b, self.lanes, *rows)
        common = np.empty_like(exponent)
        self.plan.vectors.align(h, exponent, b, rows[3], self.lanes, common)
        h += b
        exponent[:] = common

    def backward(self) -> None:
        """Every layer from the last."""
        net, lanes = self.net, self.lanes
        self.powers["weight"].mean[:] = self.powers["weight"].second[:] = self.powers["weight"].fourth[:] = np.nan
        above = self.layer(net.depth)
        for index in range(net.depth, 0, -1):
            phi = net.activation_of(index)
            _, second, _, exponent = self.powers["activation_gradient"].rows(index)
            rows = self.powers["preactivation_gradient"].rows(index - 1)
            self.plan.activations[index - 1].through(
                self.g, above.derivatives, lanes, phi.homogeneous or phi.flat, second, exponent, *rows, self.kinds
            )
            below = self.layer(index - 1) if index > 1 else Layer(above.z, above.derivatives, self.input)
            self.g = self.pulled(index, above.z, below.x)
            above = below

    def pulled(self, index: int, z: NDArray[np.float32], x: Array) -> Array:
        """g_{l-1} = W_l^T delta_l, given x_{l-1} and the direction of W_l x_{l-1}."""
        plan, source = self.plan, self.plan.backward_directions[index - 1]
        g, delta = np.empty_like(x), self.powers["preactivation_gradient"].rows(index - 1)
        fresh, means = source.draw(self.net.widths[index - 1], self.first, self.lanes), self.before(index)
        rows = self.powers["activation_gradient"].rows(index - 1)
        np.add(delta[3], source.exponent, out=rows[3])
        lengths = (means[1], delta[1])
        plan.projections.backward(g, x, z, self.g, fresh, self.lanes, plan.stds[index - 1], *lengths, *rows, self.kinds)
        return g
