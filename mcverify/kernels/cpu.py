"""The fast simulator: many networks side by side, compiled by Numba; weights are drawn and consumed, never all stored.

The same arithmetic as `reference`, with sums of products in float32 (four chains of every fourth term) and of powers
in float64. Backward draws the same weights again. Every network's bits depend on (seed, replicate) alone.
"""

from __future__ import annotations

import math
from itertools import pairwise
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from mcverify.activations import Activation
from mcverify.distributions import Law
from mcverify.kernels import Block
from mcverify.kernels.columns import Powers, empty_powers, n_columns, ratio_parts
from mcverify.kernels.generated import load
from mcverify.network import Network
from mcverify.observables import TENSORS, statistics_of
from mcverify.rng.streams import BIAS, INPUT, OUTPUT_GRADIENT, WEIGHT, key, stream

name = "cpu"
assumes: frozenset[str] = frozenset()
version = 1

Array = NDArray[np.float64]
Flat = NDArray[np.float32]
Exponents = NDArray[np.int64]
TILE = 4096
STATE_BYTES = 1 << 27
SCALARS = ("mcverify.rng.philox", "mcverify.rng.variates")


def simulate_block(net: Network, seed: int, first: int, count: int) -> Block:
    """Networks first .. first + count - 1 of a seed.

    >>> simulate_block(Network(widths=(2, 3)), seed=0, first=0, count=5).values.shape
    (5, 48)
    """
    lanes = lanes_of(net)
    bits = key(seed, net.canonical)
    block = Block(np.empty((count, n_columns(net.depth))), np.zeros(count, np.uint8))
    for start in range(0, count, lanes):
        part = slice(start, min(start + lanes, count))
        chunk = _Chunk(net, bits, first + start, block.kinds[part])
        chunk.run()
        chunk.write_columns(block.values[part])
    return block


def lanes_of(net: Network) -> int:
    """How many networks go side by side: many where they are small, fewer where their vectors leave the caches."""
    lanes = 256 if max(net.widths) <= 64 else 64
    units = sum(net.widths)
    if any(law.name == "orthogonal" for law in net.weight_laws):
        units += max(a * b for a, b in pairwise(net.widths))
    while lanes > 16 and 4 * units * lanes > STATE_BYTES:
        lanes //= 2
    return 16 if max(net.widths) > 4096 else lanes


def weights_module(law: Law) -> ModuleType:
    """The compiled kernels of a law."""
    variate = "normal" if law.name == "orthogonal" else law.name
    wide = "np.float64" if law.name in ("student_t", "laplace") else "np.float32"
    settings = (f"variate = {variate}", f"PER_BLOCK = {law.per_block}", f"WIDE = {wide}")
    return load("weights", SCALARS, settings)


def layers_module(activation: Activation) -> ModuleType:
    """The compiled kernels of an activation."""
    settings = (f"phi = {activation.name}", f"derivative = {activation.name}_derivative")
    return load("layers", ("mcverify.functions",), settings)


class _Chunk:
    """Some networks side by side: entry i of network `lane` of a vector stands at [i * lanes + lane]."""

    def __init__(self, net: Network, bits: tuple[np.uint64, np.uint64], first: int, kinds: NDArray[np.uint8]) -> None:
        lanes = len(kinds)
        self.net, self.bits, self.first, self.lanes, self.kinds = net, bits, first, lanes, kinds
        self.vectors = load("vectors")
        self.layers = [layers_module(net.activation_of(layer)) for layer in range(1, net.depth + 1)]
        self.powers = empty_powers(net.depth, lanes)
        self.extra = {name: np.zeros((net.depth, lanes)) for name in ("active_fraction", "alive")}
        self.preactivations: list[Flat] = []
        self.tile = np.zeros(max(TILE, 8 * lanes), np.float32)
        self.zeros = np.zeros(lanes, np.int64)
        self.none, self.none_top = np.zeros(0, np.float32), np.zeros(lanes)

    def run(self) -> None:
        """Forward and backward."""
        self.backward(*self.forward())
        before = Powers.joined(self.powers["input"], self.powers["activation"][:-1])
        self.powers["weight_gradient"] = self.powers["preactivation_gradient"].outer(before)
        self.powers["bias_gradient"] = self.powers["preactivation_gradient"]

    def forward(self) -> tuple[Flat, Exponents, Array]:
        """Every layer; returns dL/dx_L, its exponents and its largest entries."""
        net = self.net
        x, e = self.drawn_or_given(net.input_law, net.input_values, net.widths[0], INPUT, 0), self.zeros
        top = self.record("input", 0, x, e)
        for layer in range(1, net.depth + 1):
            std, w_exponent = split(net.weight_laws[layer - 1].std)
            h, b_exponent, b_top = self.biases(layer)
            common = np.empty_like(e)
            self.vectors.align(x, e + w_exponent, top, h, b_exponent, b_top, self.lanes, common)
            self.multiply(layer, h, x, std, w_exponent)
            x, e, top = self.activate(layer, h, common)
        return self.output_gradient(x, e, top)

    def biases(self, layer: int) -> tuple[Flat, Exponents, Array]:
        """b_l, its exponents and its largest entries."""
        law, width = self.net.bias_laws[layer - 1], self.net.widths[layer]
        std, exponent = split(law.std)
        if law.is_zero:
            self.powers["bias"].exponent[layer - 1] = exponent
            return np.zeros(width * self.lanes, np.float32), self.zeros, self.none_top
        b = self.draw(law, width, BIAS, layer)
        self.vectors.times_plus(b, std, np.float32(0))
        return b, self.zeros + exponent, self.record("bias", layer - 1, b, exponent)

    def multiply(self, layer: int, h: Flat, x: Flat, std: np.float32, exponent: int) -> None:
        """Add W_l x to h; keeps the powers of the weights."""
        fan_in, fan_out = self.net.widths[layer - 1], self.net.widths[layer]
        law = self.net.weight_laws[layer - 1]
        sums = np.zeros(3 * self.lanes)
        tile, drawn = self.weight_tile(layer)
        where = stream(WEIGHT, layer)
        weights_module(law).forward(
            h, x, sums, fan_in, self.lanes, tile, drawn, where, self.first, *self.bits, *law.constants, std
        )
        powers, size = self.powers["weight"], fan_in * fan_out
        for power, target in ((1, powers.mean), (2, powers.second), (4, powers.fourth)):
            part = sums[: self.lanes] if power == 1 else sums[(power // 2) * self.lanes : (power // 2 + 1) * self.lanes]
            target[layer - 1] = part * (float(std) ** power / size)
        powers.exponent[layer - 1] = exponent

    def weight_tile(self, layer: int) -> tuple[Flat, bool]:
        """Room for some weights; for an orthogonal law, all of them, drawn."""
        law = self.net.weight_laws[layer - 1]
        if law.name != "orthogonal":
            return self.tile, False
        fan_in, fan_out = self.net.widths[layer - 1], self.net.widths[layer]
        z = self.draw(law, fan_in * fan_out, WEIGHT, layer, trim=False)
        load("orthogonal").orthogonalize(z, fan_out, fan_in, self.lanes)
        return z, True

    def activate(self, layer: int, h: Flat, e: Exponents) -> tuple[Flat, Exponents, Array]:
        """x_l = phi(h_l), its exponents and its largest entries."""
        phi = self.net.activation_of(layer)
        h_top = true_top = self.record("preactivation", layer - 1, h, e)
        true_mean = self.powers["preactivation"].mean[layer - 1]
        self.vectors.positive_share(h, self.lanes, self.extra["active_fraction"][layer - 1])
        if not phi.homogeneous:
            self.vectors.shift(h, self.lanes, e)
            e = self.zeros
            true_mean, second, fourth, true_top = np.empty((4, self.lanes))
            self.vectors.measure(h, self.lanes, true_mean, second, fourth, true_top)
        x = np.empty_like(h)
        self.layers[layer - 1].activate(x, h, phi.constant)
        self.preactivations.append(h)
        top = self.record("activation", layer - 1, x, e)
        x_mean, alive = self.powers["activation"].mean[layer - 1], self.extra["alive"][layer - 1]
        self.vectors.judge_forward(self.kinds, alive, h_top, true_mean, true_top, x_mean, top, phi.homogeneous)
        return x, e, top

    def output_gradient(self, x: Flat, e: Exponents, top: Array) -> tuple[Flat, Exponents, Array]:
        """dL/dx_L, its exponents and its largest entries."""
        net = self.net
        if net.target is None:
            law, values = net.output_gradient_law, net.output_gradient_values
            g, e = self.drawn_or_given(law, values, net.widths[-1], OUTPUT_GRADIENT, net.depth), self.zeros
        else:
            target = np.repeat(np.array(net.target, np.float32), self.lanes)
            largest = np.full(self.lanes, float(np.max(np.abs(target))))
            g, common = x, np.empty_like(e)
            self.vectors.align(g, e, top, target, self.zeros, largest, self.lanes, common)
            g -= target
            e = common
        return g, e, self.record("output_gradient", 0, g, e)

    def backward(self, g: Flat, e: Exponents, top: Array) -> None:
        """Every layer from the last, given dL/dx_L = g 2^e."""
        net = self.net
        self.record("activation_gradient", net.depth, g, e)
        for layer in range(net.depth, 0, -1):
            common = np.empty_like(e)
            self.vectors.align(g, e, top, self.none, self.zeros, self.none_top, self.lanes, common)
            phi = net.activation_of(layer)
            self.layers[layer - 1].through(g, self.preactivations[layer - 1], phi.constant)
            delta_top = self.record("preactivation_gradient", layer - 1, g, common)
            g, w_exponent = self.multiply_transposed(layer, g)
            e, g_top = common + w_exponent, top
            top = self.record("activation_gradient", layer - 1, g, e)
            mean = self.powers["activation_gradient"].mean[layer - 1]
            self.vectors.judge_backward(self.kinds, g_top, delta_top, mean, top, phi.homogeneous)

    def multiply_transposed(self, layer: int, delta: Flat) -> tuple[Flat, int]:
        """W_l^T delta_l and the exponent that the weights add."""
        fan_in = self.net.widths[layer - 1]
        law = self.net.weight_laws[layer - 1]
        std, exponent = split(law.std)
        g = np.zeros(fan_in * self.lanes, np.float32)
        tile, drawn = self.weight_tile(layer)
        where = stream(WEIGHT, layer)
        weights_module(law).backward(
            g, delta, fan_in, self.lanes, tile, drawn, where, self.first, *self.bits, *law.constants, std
        )
        return g, exponent

    def drawn_or_given(
        self, law: Law | None, values: tuple[float, ...] | None, size: int, kind: int, layer: int
    ) -> Flat:
        """The input or the output gradient of every network."""
        if law is None:
            return np.repeat(np.array(values, np.float32), self.lanes)
        v = self.draw(law, size, kind, layer)
        self.vectors.times_plus(v, np.float32(law.std), np.float32(law.mean))
        return v

    def draw(self, law: Law, size: int, kind: int, layer: int, *, trim: bool = True) -> Flat:
        """Standardised variates, with room for a whole last quad unless `trim`."""
        z = np.zeros(-(-size // 4) * 4 * self.lanes, np.float32)
        where = stream(kind, layer)
        weights_module(law).draw(z, 0, size, self.lanes, where, self.first, *self.bits, *law.constants)
        return z[: size * self.lanes] if trim else z

    def record(self, tensor: str, row: int, v: Flat, exponent: Exponents | int) -> Array:
        """Keep the powers of a vector; returns its largest entries."""
        powers, top = self.powers[tensor], np.empty(self.lanes)
        self.vectors.measure(v, self.lanes, powers.mean[row], powers.second[row], powers.fourth[row], top)
        powers.exponent[row] = exponent
        return top

    def write_columns(self, values: Array) -> None:
        """Every observable into values (lanes, columns): `columns_of`, compiled."""
        at = 0
        for tensor in TENSORS:
            powers = self.powers[tensor]
            n = len(powers.mean)
            self.vectors.moments(values, at, powers.mean, powers.second, powers.fourth, powers.exponent)
            at += 4 * n
            for statistic in statistics_of(tensor)[4:]:
                if statistic in self.extra:
                    part = self.extra[statistic]
                    values[:, at : at + len(part)] = part.T
                    at += len(part)
                else:
                    above, below = ratio_parts(tensor, self.powers)
                    self.vectors.ratios(values, at, above.second, above.exponent, below.second, below.exponent)
                    at += len(above.second)


def split(std: float) -> tuple[np.float32, int]:
    """A standard deviation as mantissa in [1/2, 1), float32, and exponent."""
    mantissa, exponent = math.frexp(std)
    return np.float32(mantissa), exponent
