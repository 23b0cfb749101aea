"""The plain simulator: one network at a time, weights as matrices. Slow, and plainly right.

h_l = W_l x_{l-1} + b_l, x_l = phi(h_l); delta_l = phi'(h_l) * g_l, g_{l-1} = W_l^T delta_l, dW_l = delta_l x_{l-1}^T.
Weights, biases, inputs and given gradients are float32 (the tensors of `realize`); all that is computed from them is
float64 and never rounded to float32, so that sums which cancel keep their digits. A vector is kept as v 2^e, e an
integer, with the largest |v| in [1/2, 1); only an activation that is not homogeneous sees its true argument.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcverify.kernels import DEAD, NAN, OK, OVERFLOW, UNDERFLOW, Block
from mcverify.kernels.columns import Powers, columns_of, empty_powers
from mcverify.network import Network
from mcverify.observables import names
from mcverify.realize import given
from mcverify.rng import draws
from mcverify.rng.streams import BIAS, INPUT, OUTPUT_GRADIENT, WEIGHT, key

name = "reference"
assumes: frozenset[str] = frozenset()
version = 2

Vector = NDArray[np.float64]
NOTHING = -(1 << 40)
"""Exponent of a vector of zeros."""

LARGEST_POWER = 1000
"""Of the powers of two that vectors are multiplied by; 2^-1000 of something is lost in any sum."""


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
        self.backward(*self.forward())
        return self.kind

    def forward(self) -> tuple[Vector, int]:
        """Every layer; returns dL/dx_L."""
        net = self.net
        x, e = self.given("input", net.input_law, net.input_values, net.widths[0], INPUT, 0)
        for layer in range(1, net.depth + 1):
            w, w_exponent = self.draw_weights(layer)
            b, b_exponent = self.draw_biases(layer)
            common = max(e + w_exponent, b_exponent)
            h = w @ scaled(x, e + w_exponent - common) + scaled(b, b_exponent - common)
            x, e = self.activate(layer, *self.record("preactivation", layer - 1, h, common))
        return self.output_gradient(x, e)

    def activate(self, layer: int, h: Vector, e: int) -> tuple[Vector, int]:
        """x_l = phi(h_l), with its exponent."""
        phi = self.net.activation_of(layer)
        true = h if phi.homogeneous else scaled(h, e)
        self.preactivations.append(true)
        self.extra["active_fraction"][layer - 1, self.column] = np.mean(true > 0)
        x, x_exponent = self.record("activation", layer - 1, phi(true), e if phi.homogeneous else 0)
        self.extra["alive"][layer - 1, self.column] = np.any(x != 0)
        if not np.all(np.isfinite(h)) or (not phi.homogeneous and e > LARGEST_POWER):
            self.mark(OVERFLOW)
        elif np.any(np.isnan(x)):
            self.mark(NAN)
        elif not np.any(x):
            lost = e < -LARGEST_POWER if phi.flat else np.any(h)
            self.mark(UNDERFLOW if lost and not phi.homogeneous else DEAD)
        return x, x_exponent

    def backward(self, g: Vector, e: int) -> None:
        """Every layer from the last, given dL/dx_L = g 2^e."""
        net = self.net
        self.record("activation_gradient", net.depth, g, e)
        for layer in range(net.depth, 0, -1):
            phi, h = net.activation_of(layer), self.preactivations[layer - 1]
            delta = g * phi.derivative(h)
            if np.any(g) and not np.any(delta) and not (phi.homogeneous or phi.flat):
                self.mark(UNDERFLOW)
            for tensor in ("preactivation_gradient", "bias_gradient"):
                scaled_delta, delta_exponent = self.record(tensor, layer - 1, delta, e)
            w, w_exponent = self.weights[layer - 1]
            g, e = self.record("activation_gradient", layer - 1, w.T @ scaled_delta, delta_exponent + w_exponent)
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
            return self.given("output_gradient", law, values, net.widths[-1], OUTPUT_GRADIENT, net.depth)
        target, target_exponent = normalised(np.array(net.target), 0)
        common = max(e, target_exponent)
        difference = scaled(x, e - common) - scaled(target, target_exponent - common)
        return self.record("output_gradient", 0, difference, common)

    def given(self, tensor: str, law: Any, values: Any, size: int, kind: int, layer: int) -> tuple[Vector, int]:
        """The input or the output gradient."""
        return self.record(tensor, 0, given(law, values, size, kind, layer, self.replicate, self.bits), 0)

    def draw_weights(self, layer: int) -> tuple[NDArray[np.float64], int]:
        """W_l as float32 values, with an exponent."""
        net = self.net
        law, shape = net.weight_laws[layer - 1], (net.widths[layer], net.widths[layer - 1])
        std, exponent = split(law.std)
        w = (draws.matrix(law, shape, WEIGHT, layer, self.replicate, self.bits) * std).astype(np.float64)
        self.measure("weight", layer - 1, w, exponent)
        self.weights.append((w, exponent))
        return w, exponent

    def draw_biases(self, layer: int) -> tuple[Vector, int]:
        """b_l with an exponent."""
        law = self.net.bias_laws[layer - 1]
        std, exponent = split(law.std)
        b = draws.standardised(law, self.net.widths[layer], BIAS, layer, self.replicate, self.bits) * std
        return self.record("bias", layer - 1, b, exponent)

    def record(self, tensor: str, row: int, v: NDArray[Any], exponent: int) -> tuple[Vector, int]:
        """Measure a vector; returns it normalised."""
        v, exponent = normalised(v.astype(np.float64), exponent)
        self.measure(tensor, row, v, exponent)
        return v, exponent

    def measure(self, tensor: str, row: int, v: NDArray[np.float64], exponent: int) -> None:
        """Keep the means of v, v^2, v^4."""
        target = self.powers[tensor]
        target.mean[row, self.column] = np.mean(v)
        target.second[row, self.column] = np.mean(v**2)
        target.fourth[row, self.column] = np.mean(v**4)
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


def normalised(v: Vector, exponent: int) -> tuple[Vector, int]:
    """The same vector v 2^exponent with its largest |v| in [1/2, 1), unless that is 0 or infinite.

    >>> normalised(np.array([3.0, -8.0]), 1)
    (array([ 0.1875, -0.5   ]), 5)
    """
    top = np.max(np.abs(v), initial=0, where=~np.isnan(v))
    if top == 0:
        return v, NOTHING
    shift = max(int(np.frexp(top)[1]), -LARGEST_POWER) if np.isfinite(top) else 0
    return scaled(v, -shift), exponent + shift


def scaled(v: Vector, exponent: int) -> Vector:
    """The vector v 2^exponent; zeros below 2^-1000, 2^1000 above that."""
    if exponent < -LARGEST_POWER:
        return 0.0 * v
    result: Vector = v * np.ldexp(1.0, min(exponent, LARGEST_POWER))
    return result
