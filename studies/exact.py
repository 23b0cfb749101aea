"""What exact checks need: the tensors of one replicate in float64, and a plain forward pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mcverify import Network, realize

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Draw:
    """Weights of layers 1..L, input (N_0,) and output gradient (N_L,) of one replicate."""

    weights: list[Array]
    input: Array
    output_gradient: Array


def draw(net: Network, seed: int, replicate: int) -> Draw:
    """The tensors that a replicate uses."""
    tensors: dict[str, Any] = realize(net, seed, replicate)
    return Draw(
        [np.asarray(matrix, dtype=np.float64) for matrix in tensors["weights"]],
        np.asarray(tensors["input"], dtype=np.float64),
        np.asarray(tensors["output_gradient"], dtype=np.float64),
    )


def forward(weights: list[Array], x: Array, phi: Callable[[Array], Array]) -> tuple[list[Array], list[Array]]:
    """Preactivations h_1..h_L and activations x_0..x_L of a network without biases."""
    h, a = [], [x]
    for matrix in weights:
        h.append(matrix @ a[-1])
        a.append(phi(h[-1]))
    return h, a
