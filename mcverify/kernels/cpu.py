"""The fast simulator: many networks side by side, compiled by Numba.

The same arithmetic as `reference`: weights, biases, inputs and given gradients are float32, all that is computed from
them is float64. Weights of small networks are kept between forward and backward, others drawn again. Every network's
bits depend on (seed, replicate) alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcverify.activations import Activation
from mcverify.distributions import Law
from mcverify.kernels import Block
from mcverify.kernels.columns import Powers, empty_powers, n_columns, ratio_parts
from mcverify.kernels.generated import load
from mcverify.kernels.templates.weights import FLUSH
from mcverify.network import Network
from mcverify.observables import TENSORS, names, statistics_of
from mcverify.rng.streams import BIAS, INPUT, OUTPUT_GRADIENT, WEIGHT, key, stream

name = "cpu"
assumes: frozenset[str] = frozenset()
version = 2

Array = NDArray[np.float64]
Exponents = NDArray[np.int64]
TILE = 4096
PADDING = 8  # keeps rows of 512 networks from meeting in the same cache sets
STATE_BYTES = 1 << 27
STORE_BYTES = 12 << 20
VECTOR_SCALARS = ("mcverify.kernels.templates.powers",)
SCALARS = ("mcverify.rng.philox", "mcverify.rng.variates", *VECTOR_SCALARS)
OUTPUT_SCALARS = ("mcverify.functions.log_scaled",)
GIVEN = (
    "given_phi, given_derivative = scalar(given_phi), scalar(given_derivative)",
    *("@scalar", "def phi(h, a):", "    return np.float64(given_phi(h))"),
    *("@scalar", "def derivative(h, a):", "    return np.float64(given_derivative(h))"),
)
"""Lines that make the functions of one argument, which a user gave, those of the template."""


def work(net: Network) -> float:
    """Its weights."""
    return float(net.n_weights)


def measures(net: Network) -> frozenset[str]:
    """Every observable."""
    return frozenset(names())


def assumes_for(net: Network) -> frozenset[str]:
    """Nothing."""
    return assumes


def simulate_block(net: Network, seed: int, first: int, count: int) -> Block:
    """Networks first .. first + count - 1 of a seed.

    >>> simulate_block(Network(widths=(2, 3)), seed=0, first=0, count=5).values.shape
    (5, 48)
    """
    plan = Plan(net, key(seed, net.canonical), min(lanes_of(net), count))
    return in_chunks(partial(_Chunk, plan), plan, first, count)


def in_chunks(chunk_of: Callable[[int, NDArray[np.uint8]], _Chunk], plan: Plan, first: int, count: int) -> Block:
    """A block, as many networks at a time as the plan puts side by side; `chunk_of` makes those from one on."""
    block = Block(np.empty((count, n_columns(plan.net.depth))), np.zeros(count, np.uint8))
    for start in range(0, count, plan.lanes):
        part = slice(start, min(start + plan.lanes, count))
        chunk = chunk_of(first + start, block.kinds[part])
        chunk.run()
        chunk.write_columns(block.values[part])
    return block


def lanes_of(net: Network) -> int:
    """How many networks go side by side: many where they are small, fewer where their vectors leave the caches."""
    widest = max(net.widths)
    lanes = 512 if widest <= 16 else 64
    while lanes > 64 and not stores(net, lanes):
        lanes //= 2
    units = sum(net.widths)
    if any(law.name == "orthogonal" for law in net.weight_laws):
        units += max(a * b for a, b in pairwise(net.widths))
    while lanes > 16 and 8 * units * lanes > STATE_BYTES:
        lanes //= 2
    return 16 if widest > 4096 else lanes


def stores(net: Network, lanes: int) -> bool:
    """Whether weights are kept between forward and backward, because they fit the caches."""
    return 4 * net.n_weights * lanes <= STORE_BYTES


def weights_module(law: Law) -> ModuleType:
    """The compiled kernels of a law."""
    variate = "normal" if law.name == "orthogonal" else law.name
    wide = "np.float64" if law.name in ("student_t", "laplace") else "np.float32"
    settings = (f"variate = {variate}", f"PER_BLOCK = {law.per_block}", f"WIDE = {wide}")
    return load("weights", SCALARS, settings)


def layers_module(activation: Activation) -> ModuleType:
    """The compiled kernels of an activation."""
    form = activation.form
    if form.given is None:
        settings = (f"phi = {form.phi.__name__}", f"derivative = {form.derivative.__name__}")
        return load("layers", (form.phi.__module__, *VECTOR_SCALARS), settings)
    phi, derivative, digest = form.given
    made = (*GIVEN, f"# phi and derivative are those of {digest}")
    return load("layers", VECTOR_SCALARS, made, (("given_phi", phi), ("given_derivative", derivative)))


def split(std: float) -> tuple[np.float32, int]:
    """A standard deviation as mantissa in [1/2, 1), float32, and exponent."""
    mantissa, exponent = math.frexp(std)
    return np.float32(mantissa), exponent


def quads(size: int) -> int:
    """The next multiple of 4."""
    return -(-size // 4) * 4


class Source:
    """A tensor's law, ready to draw from: its kernels, what they are called with, and its scale."""

    def __init__(self, law: Law, kind: int, layer: int, bits: tuple[np.uint64, np.uint64]) -> None:
        self.law, self.kernels, self.where = law, weights_module(law), stream(kind, layer)
        self.bits, self.constants = bits, law.constants
        self.std, self.exponent = split(law.std)

    def counter(self, first: int) -> tuple[Any, ...]:
        """Second counter word, first replicate, key, constants: the arguments of every kernel that draws."""
        return (self.where, first, *self.bits, *self.constants)

    def draw(self, size: int, first: int, lanes: int) -> NDArray[np.float32]:
        """Standardised variates, with room for a whole last quad."""
        z = np.zeros(quads(size) * lanes, np.float32)
        self.kernels.draw(z, 0, size, lanes, *self.counter(first))
        return z


@dataclass(frozen=True)
class Plan:
    """What all networks of a block share."""

    net: Network
    bits: tuple[np.uint64, np.uint64]
    lanes: int

    @cached_property
    def kept(self) -> list[NDArray[np.float32]]:
        """Room for the variates of W_1..W_L; empty where they are drawn again."""
        sizes = [fan_in * fan_out for fan_in, fan_out in pairwise(self.net.widths)]
        return [np.empty(quads(size) * self.lanes, np.float32) for size in sizes if stores(self.net, self.lanes)]

    @cached_property
    def rows(self) -> Array:
        """Room for the observables of a chunk, (columns, networks or more)."""
        return np.empty((n_columns(self.net.depth), self.lanes + PADDING))

    @cached_property
    def vectors(self) -> ModuleType:
        """Kernels of vectors."""
        return load("vectors", VECTOR_SCALARS)

    @cached_property
    def activations(self) -> list[ModuleType]:
        """Kernels of phi of layers 1..L."""
        return [layers_module(self.net.activation_of(layer)) for layer in range(1, self.net.depth + 1)]

    @cached_property
    def weights(self) -> list[Source]:
        """W_1..W_L."""
        return [Source(law, WEIGHT, layer, self.bits) for layer, law in enumerate(self.net.weight_laws, 1)]

    @cached_property
    def biases(self) -> list[Source]:
        """b_1..b_L."""
        return [Source(law, BIAS, layer, self.bits) for layer, law in enumerate(self.net.bias_laws, 1)]


class _Chunk:
    """Some networks side by side: entry i of network `lane` of a vector stands at [i * lanes + lane]."""

    def __init__(self, plan: Plan, first: int, kinds: NDArray[np.uint8]) -> None:
        net, lanes = plan.net, len(kinds)
        self.plan, self.net, self.first, self.lanes, self.kinds = plan, net, first, lanes, kinds
        self.powers = empty_powers(net.depth, lanes)
        self.extra = {name: np.zeros((net.depth, lanes)) for name in ("active_fraction", "alive")}
        self.derivatives: list[Array] = []
        self.drawn: set[int] = set()
        self.room = max(1, TILE // (FLUSH * lanes)) * FLUSH
        self.tile = np.zeros(self.room * lanes, np.float32)

    def run(self) -> None:
        """Forward and backward."""
        self.forward()
        self.output_gradient()
        self.backward()
        before = Powers.joined(self.powers["input"], self.powers["activation"][:-1])
        self.powers["weight_gradient"] = self.powers["preactivation_gradient"].outer(before)
        self.powers["bias_gradient"] = self.powers["preactivation_gradient"]

    def forward(self) -> None:
        """x_0, and every layer."""
        net, plan = self.net, self.plan
        self.x = self.drawn_or_given("input", net.input_law, net.input_values, INPUT, 0)
        exponent = self.powers["input"].exponent[0]
        for layer in range(1, net.depth + 1):
            h = self.preactivation(layer, exponent)
            phi, x, active = net.activation_of(layer), np.empty_like(h), self.extra["active_fraction"][layer - 1]
            _, second, _, h_exponent = self.powers["preactivation"].rows(layer - 1)
            alive, rows = self.extra["alive"][layer - 1], self.powers["activation"].rows(layer - 1)
            about = (self.lanes, phi.constant, phi.homogeneous, phi.flat, second, h_exponent, active, alive)
            plan.activations[layer - 1].activate(x, h, *about, *rows, self.kinds)
            self.derivatives.append(h)
            self.x, exponent = x, rows[3]

    def preactivation(self, layer: int, x_exponent: Exponents) -> Array:
        """h_l = W_l x_{l-1} + b_l."""
        source = self.plan.weights[layer - 1]
        *means, exponent = self.powers["preactivation"].rows(layer - 1)
        h = self.biases(layer, x_exponent + source.exponent, exponent)
        z, *how = self.weights(layer)
        sums, counter = np.empty((3, self.lanes)), source.counter(self.first)
        fan_in = self.net.widths[layer - 1]
        source.kernels.forward(h, self.x, fan_in, self.lanes, z, *how, *counter, source.std, sums, *means, exponent)
        *targets, weight_exponent = self.powers["weight"].rows(layer - 1)
        for target, total, power in zip(targets, sums, (1, 2, 4), strict=True):
            np.multiply(total, float(source.std) ** power, out=target)
        weight_exponent[:] = source.exponent
        return h

    def biases(self, layer: int, product_exponent: Exponents, common: Exponents) -> Array:
        """b_l; it and x_{l-1} are brought to one exponent, written to `common`."""
        source, width, rows = self.plan.biases[layer - 1], self.net.widths[layer], self.powers["bias"].rows(layer - 1)
        b = np.zeros(width * self.lanes)
        if source.law.is_zero:
            common[:] = product_exponent
            return b
        self.plan.vectors.widen(b, source.draw(width, self.first, self.lanes), source.std, np.float32(0))
        rows[3][:] = source.exponent
        self.plan.vectors.measure(b, self.lanes, *rows)
        self.plan.vectors.align(self.x, product_exponent, b, rows[3], self.lanes, common)
        return b

    def weights(self, layer: int) -> tuple[NDArray[np.float32], int, bool, bool]:
        """Room for variates of W_l, how many go in at a time, whether all find a place, whether they are there."""
        plan, source = self.plan, self.plan.weights[layer - 1]
        fan_in, fan_out = self.net.widths[layer - 1 : layer + 1]
        z = plan.kept[layer - 1][: quads(fan_in * fan_out) * self.lanes] if plan.kept else self.tile
        if layer in self.drawn:
            return z, self.room, True, True
        if plan.kept:
            self.drawn.add(layer)
        if source.law.name != "orthogonal":
            return z, self.room, bool(plan.kept), False
        factors = source.draw(fan_in * fan_out, self.first, self.lanes)
        load("orthogonal").orthogonalize(factors, fan_out, fan_in, self.lanes)
        if plan.kept:
            z[:] = factors
        return factors, self.room, True, True

    def output_gradient(self) -> None:
        """dL/dx_L, from x_L where a loss gives it."""
        net, rows = self.net, self.powers["output_gradient"].rows(0)
        if net.target is None:
            law, values = net.output_gradient_law, net.output_gradient_values
            self.g = self.drawn_or_given("output_gradient", law, values, OUTPUT_GRADIENT, net.depth)
        else:
            target, zeros = np.repeat(np.array(net.target, np.float64), self.lanes), np.zeros(self.lanes, np.int64)
            self.plan.vectors.measure(target, self.lanes, *np.empty((3, self.lanes)), zeros)
            x_exponent = self.powers["activation"].exponent[-1]
            self.g = self.x
            self.plan.vectors.align(self.g, x_exponent, target, zeros, self.lanes, rows[3])
            self.g -= target
            self.plan.vectors.measure(self.g, self.lanes, *rows)
        for given, row in zip(rows, self.powers["activation_gradient"].rows(net.depth), strict=True):
            row[:] = given

    def backward(self) -> None:
        """Every layer from the last."""
        net, lanes = self.net, self.lanes
        for layer in range(net.depth, 0, -1):
            phi, source = net.activation_of(layer), self.plan.weights[layer - 1]
            flat = phi.homogeneous or phi.flat
            _, second, _, exponent = self.powers["activation_gradient"].rows(layer)
            rows = self.powers["preactivation_gradient"].rows(layer - 1)
            self.plan.activations[layer - 1].through(
                self.g, self.derivatives[layer - 1], lanes, flat, second, exponent, *rows, self.kinds
            )
            fan_in, delta, (z, *how) = net.widths[layer - 1], self.g, self.weights(layer)
            self.g = np.zeros(fan_in * lanes)
            means = self.powers["activation_gradient"].rows(layer - 1)
            np.add(rows[3], source.exponent, out=means[3])
            counter = source.counter(self.first)
            source.kernels.backward(self.g, delta, fan_in, lanes, z, *how, *counter, source.std, *means, self.kinds)

    def drawn_or_given(
        self, tensor: str, law: Law | None, values: tuple[float, ...] | None, kind: int, layer: int
    ) -> Array:
        """The input or the output gradient of every network, measured."""
        width = self.net.widths[layer]
        if law is None:
            v = np.repeat(np.array(values, np.float32), self.lanes).astype(np.float64)
        else:
            source, v = Source(law, kind, layer, self.plan.bits), np.empty(width * self.lanes)
            z = source.draw(width, self.first, self.lanes)
            self.plan.vectors.widen(v, z, np.float32(law.std), np.float32(law.mean))
        self.plan.vectors.measure(v, self.lanes, *self.powers[tensor].rows(0))
        return v

    def write_columns(self, values: Array) -> None:
        """Every observable into values (lanes, columns): `columns_of`, compiled."""
        output, rows, at = load("output", OUTPUT_SCALARS), self.plan.rows, 0
        for tensor in TENSORS:
            powers = self.powers[tensor]
            output.moments(rows, at, powers.mean, powers.second, powers.fourth, powers.exponent)
            at += 4 * len(powers.mean)
            for statistic in statistics_of(tensor)[4:]:
                if statistic in self.extra:
                    part = self.extra[statistic]
                    rows[at : at + len(part), : self.lanes] = part
                    at += len(part)
                else:
                    above, below = ratio_parts(tensor, self.powers)
                    output.ratios(rows, at, above.second, above.exponent, below.second, below.exponent)
                    at += len(above.second)
        values[:] = rows[:, : self.lanes].T
