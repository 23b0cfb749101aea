"""The plain simulator: one network at a time, weights as matrices, sums in float64. Slow, and plainly right.

h_l = W_l x_{l-1} + b_l, x_l = phi(h_l); delta_l = phi'(h_l) * g_l, g_{l-1} = W_l^T delta_l, dW_l = delta_l x_{l-1}^T.
Weights, biases and vectors are float32. A vector is kept as v 2^e, e an integer, with the largest |v| in [1/2, 1);
only an activation that is not homogeneous sees its true argument.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcverify.kernels import DEAD, NAN, OK, OVERFLOW, UNDERFLOW, Block
from mcverify.kernels.columns import Powers, columns_of, empty_powers
from mcverify.network import Network
from mcverify.realize import given
from mcverify.rng import draws
from mcverify.rng.streams import BIAS, INPUT, OUTPUT_GRADIENT, WEIGHT, key

name = "reference"
assumes: frozenset[str] = frozenset()
version = 1

Vector = NDArray[np.float32]
NOTHING = -(1 << 40)
"""Exponent of a vector of zeros."""


def simulate_block(net: Network, seed: int, first: int, count: int) -> Block:
    """Networks first .. first + count - 1 of a seed.

    >>> simulate_block(Network(widths=(2, 3)), seed=0, first=0, count=5).values.shape
    (5, 48)
    """
    powers = empty_powers(net.depth, count)
    extra = {name: np.zeros((net.depth, count)) for name in ("active_fraction", "alive")}
    kinds = np.zeros(count, np.uint8)
    bits = key(seed, net.canonical)
    with np.errstate(all="ignore"):
        for column in range(count):
            kinds[column] = _One(net, first + column, bits, column, powers, extra).run()
    return Block(columns_of(net.depth, powers, extra), kinds)


class _One:
    """One network: its vectors, and where its statistics go."""

    def __init__(
        self,
        net: Network,
        replicate: int,
        bits: draws.Key,
        column: int,
        powers: dict[str, Powers],
        extra: dict[str, NDArray[np.float64]],
    ) -> None:
        self.net, self.replicate, self.bits = net, replicate, bits
        self.column, self.powers, self.extra = column, powers, extra
        self.weights: list[tuple[NDArray[np.float64], int]] = []
        self.preactivations: list[Vector] = []
        self.kind = OK

    def run(self) -> int:
        """Forward and backward; returns the network's kind."""
        gradient = self.forward()
        self.backward(*gradient)
        return self.kind

    def forward(self) -> tuple[Vector, int]:
        """Every layer; returns dL/dx_L."""
        net = self.net
        x, e = self.draw("input", net.input_law, net.input_values, net.widths[0], INPUT, 0), 0
        self.record("input", 0, x, e)
        for layer in range(1, net.depth + 1):
            w, w_exponent = self.draw_weights(layer)
            b, b_exponent = self.draw_biases(layer)
            common = common_exponent((x, e + w_exponent), (b, b_exponent))
            b = shift(b, b_exponent - common)
            h = (w @ shift(x, e + w_exponent - common).astype(np.float64) + b).astype(np.float32)
            x, e = self.activate(layer, h, common)
        return self.output_gradient(x, e)

    def activate(self, layer: int, h: Vector, e: int) -> tuple[Vector, int]:
        """x_l = phi(h_l), with its exponent."""
        phi = self.net.activation_of(layer)
        self.record("preactivation", layer - 1, h, e)
        self.extra["active_fraction"][layer - 1, self.column] = np.mean(h > 0)
        true = h if phi.homogeneous else shift(h, e)
        x, e = phi(true), e if phi.homogeneous else 0
        self.preactivations.append(true)
        self.record("activation", layer - 1, x, e)
        self.extra["alive"][layer - 1, self.column] = np.any(x != 0)
        if not np.all(np.isfinite(true)):
            self.mark(OVERFLOW)
        elif np.any(np.isnan(x)):
            self.mark(NAN)
        elif not np.any(x):
            self.mark(UNDERFLOW if np.any(h) and not phi.homogeneous else DEAD)
        return x, e

    def backward(self, g: Vector, e: int) -> None:
        """Every layer from the last, given dL/dx_L = g 2^e."""
        net = self.net
        self.record("output_gradient", 0, g, e)
        self.record("activation_gradient", net.depth, g, e)
        for layer in range(net.depth, 0, -1):
            common = common_exponent((g, e))
            g, e = shift(g, e - common), common
            phi, h = net.activation_of(layer), self.preactivations[layer - 1]
            delta = g * phi.derivative(h)
            if np.any(g) and not np.any(delta) and not phi.homogeneous:
                self.mark(UNDERFLOW)
            for tensor in ("preactivation_gradient", "bias_gradient"):
                self.record(tensor, layer - 1, delta, e)
            w, w_exponent = self.weights[layer - 1]
            g, e = (w.T @ delta.astype(np.float64)).astype(np.float32), e + w_exponent
            self.record("activation_gradient", layer - 1, g, e)
            if not np.all(np.isfinite(g)):
                self.mark(OVERFLOW)
            self.record_outer(layer)

    def record_outer(self, layer: int) -> None:
        """The powers of dW_l = delta_l x_{l-1}^T: products of theirs."""
        here = slice(layer - 1, layer)
        before = self.powers["input"] if layer == 1 else self.powers["activation"][layer - 2 : layer - 1]
        product = self.powers["preactivation_gradient"][here].outer(before)
        for field in ("mean", "second", "fourth", "exponent"):
            target = getattr(self.powers["weight_gradient"], field)
            target[layer - 1, self.column] = getattr(product, field)[0, self.column]

    def output_gradient(self, x: Vector, e: int) -> tuple[Vector, int]:
        """dL/dx_L and its exponent."""
        net = self.net
        if net.target is None:
            law, values = net.output_gradient_law, net.output_gradient_values
            return self.draw("output_gradient", law, values, net.widths[-1], OUTPUT_GRADIENT, net.depth), 0
        target = np.array(net.target, np.float32)
        common = common_exponent((x, e), (target, 0))
        return shift(x, e - common) - shift(target, -common), common

    def draw(self, name: str, law: Any, values: Any, size: int, kind: int, layer: int) -> Vector:
        """The input or the output gradient."""
        return given(law, values, size, kind, layer, self.replicate, self.bits)

    def draw_weights(self, layer: int) -> tuple[NDArray[np.float64], int]:
        """W_l as float32 values, with an exponent."""
        net = self.net
        law, shape = net.weight_laws[layer - 1], (net.widths[layer], net.widths[layer - 1])
        std, exponent = split(law.std)
        w = draws.matrix(law, shape, WEIGHT, layer, self.replicate, self.bits) * std
        self.record("weight", layer - 1, w, exponent)
        self.weights.append((w.astype(np.float64), exponent))
        return self.weights[-1]

    def draw_biases(self, layer: int) -> tuple[Vector, int]:
        """b_l with an exponent."""
        law = self.net.bias_laws[layer - 1]
        std, exponent = split(law.std)
        b = draws.standardised(law, self.net.widths[layer], BIAS, layer, self.replicate, self.bits) * std
        self.record("bias", layer - 1, b, exponent)
        return b, exponent

    def record(self, tensor: str, row: int, v: Vector, exponent: int) -> None:
        """Keep the means of v, v^2, v^4."""
        wide = v.astype(np.float64)
        target = self.powers[tensor]
        target.mean[row, self.column] = np.mean(wide)
        target.second[row, self.column] = np.mean(wide**2)
        target.fourth[row, self.column] = np.mean(wide**4)
        target.exponent[row, self.column] = exponent

    def mark(self, kind: int) -> None:
        """Set the kind, unless something happened before."""
        if self.kind == OK:
            self.kind = kind


def split(std: float) -> tuple[np.float32, int]:
    """A standard deviation as mantissa in [1/2, 1), float32, and exponent.

    >>> split(0.75), split(3.0)
    ((np.float32(0.75), 0), (np.float32(0.75), 2))
    """
    mantissa, exponent = np.frexp(std)
    return np.float32(mantissa), int(exponent)


def common_exponent(*parts: tuple[Vector, int]) -> int:
    """The exponent e for which the largest |v| 2^-e is in [1/2, 1); 0 where all are zeros."""
    largest = max(_exponent_of(v, e) for v, e in parts)
    return 0 if largest == NOTHING else largest


def _exponent_of(v: Vector, e: int) -> int:
    size = np.max(np.abs(v))
    return e + int(np.frexp(size)[1]) if size > 0 and np.isfinite(size) else NOTHING


def shift(v: Vector, exponent: int) -> Vector:
    """The vector v 2^exponent, rounded once."""
    factor = np.ldexp(1.0, int(np.clip(exponent, -1000, 1000)))
    result: Vector = (v.astype(np.float64) * factor).astype(np.float32)
    return result
