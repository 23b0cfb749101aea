"""What exact checks need: the tensors of one replicate in float64, and plain forward and backward passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mcverify import Network, realize

Array = npt.NDArray[np.float64]
Function = Callable[[Array], Array]


@dataclass(frozen=True)
class Draw:
    """Weights and biases of layers 1..L, input (N_0,) and output gradient (N_L,) of one replicate."""

    weights: list[Array]
    biases: list[Array]
    input: Array
    output_gradient: Array


def draw(net: Network, seed: int, replicate: int) -> Draw:
    """The tensors that a replicate uses."""
    tensors: dict[str, Any] = realize(net, seed, replicate)
    return Draw(
        [np.asarray(matrix, dtype=np.float64) for matrix in tensors["weights"]],
        [np.asarray(vector, dtype=np.float64) for vector in tensors["biases"]],
        np.asarray(tensors["input"], dtype=np.float64),
        np.asarray(tensors["output_gradient"], dtype=np.float64),
    )


def forward(
    weights: Sequence[Array], x: Array, phi: Function, biases: Sequence[Array] | None = None
) -> tuple[list[Array], list[Array]]:
    """Preactivations h_1..h_L and activations x_0..x_L; without biases if none are given."""
    h, a = [], [x]
    for index, matrix in enumerate(weights):
        h.append(matrix @ a[-1] + (0.0 if biases is None else biases[index]))
        a.append(phi(h[-1]))
    return h, a


def backward(
    weights: Sequence[Array], h: Sequence[Array], output_gradient: Array, slope: Function
) -> tuple[list[Array], list[Array]]:
    """Gradients g_0..g_L with respect to the activations and delta_1..delta_L with respect to the preactivations."""
    g: list[Array] = [output_gradient]
    delta: list[Array] = []
    for matrix, one in zip(reversed(weights), reversed(h), strict=True):
        delta.insert(0, slope(one) * g[0])
        g.insert(0, matrix.T @ delta[0])
    return g, delta


def tanh_slope(h: Array) -> Array:
    """The derivative of tanh."""
    return 1 - np.tanh(h) ** 2


def relative(found: Array, expected: Array) -> float:
    """Largest difference over the largest expected entry."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())
