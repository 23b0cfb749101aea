"""The very tensors that a replicate of a network uses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcverify.checks import integer
from mcverify.distributions import Law
from mcverify.network import Network
from mcverify.rng import draws
from mcverify.rng.streams import BIAS, INPUT, OUTPUT_GRADIENT, WEIGHT, key


def realize(net: Network, seed: int = 0, replicate: int = 0) -> dict[str, Any]:
    """All random parts of one replicate, float32.

    Returns:
        `weights`, a list of (fan_out, fan_in) arrays, layer 1 first; `biases`, a list of (fan_out,) arrays; `input`
        (N_0,); `output_gradient` (N_L,), or None where a loss gives it: x_L - target.

    Raises:
        InputError: if `seed` or `replicate` is not a whole number from 0, or the network has several inputs.

    >>> tensors = realize(Network(widths=(3, 4, 2), weights="he_normal"), seed=0, replicate=17)
    >>> [w.shape for w in tensors["weights"]], tensors["input"].shape
    ([(4, 3), (2, 4)], (3,))
    """
    net.require_one_input()
    bits = key(integer("seed", seed, low=0), net.canonical)
    r = integer("replicate", replicate, low=0)
    weights, biases = [], []
    for layer in range(1, net.depth + 1):
        law, shape = net.weight_laws[layer - 1], (net.widths[layer], net.widths[layer - 1])
        weights.append(draws.matrix(law, shape, WEIGHT, layer, r, bits) * np.float32(law.std))
        biases.append(vector(net.bias_laws[layer - 1], net.widths[layer], BIAS, layer, r, bits))
    return {
        "weights": weights,
        "biases": biases,
        "input": given(net.input_law, net.input_values, net.widths[0], INPUT, 0, r, bits),
        "output_gradient": (
            None
            if net.target is not None
            else given(
                net.output_gradient_law,
                net.output_gradient_values,
                net.widths[-1],
                OUTPUT_GRADIENT,
                net.depth,
                r,
                bits,
            )
        ),
    }


def vector(law: Law, size: int, kind: int, layer: int, replicate: int, bits: draws.Key) -> NDArray[np.float32]:
    """A bias, input or gradient of this law."""
    z = draws.standardised(law, size, kind, layer, replicate, bits)
    return z * np.float32(law.std) + np.float32(law.mean)


def given(
    law: Law | None, values: tuple[float, ...] | None, size: int, kind: int, layer: int, replicate: int, bits: draws.Key
) -> NDArray[np.float32]:
    """The vector drawn from `law`, or the `values` themselves where there is none."""
    if law is None:
        return np.array(values, dtype=np.float32)
    return vector(law, size, kind, layer, replicate, bits)
