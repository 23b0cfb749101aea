"""W x and W^T delta of Gaussian matrices that are not drawn, over many networks at once.

Given x, W x = std |x| xi; given x and xi too, with u = x / |x|, W^T delta is fixed along u by xi and free across it:
std (u (xi . delta) + |delta| (xi' - u (u . xi'))). The xi and xi' are standard normal vectors; where x = 0 nothing is
fixed. Entry i of network `lane` stands at [i * lanes + lane].
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mcverify.kernels.templates.jit import kernel, scalar
from mcverify.kernels.templates.powers import OK, OVERFLOW, rescale


@scalar
def length(second: Any, size: int) -> Any:
    """The norm of a vector of which the mean square is known."""
    return np.sqrt(np.float64(size) * second)


@scalar
def multiply_unit(h: Any, z: Any, factor: Any) -> None:
    """One unit: h = z factor, for each lane."""
    for lane in range(h.size):
        h[lane] = np.float64(z[lane]) * factor[lane]


@kernel
def forward(h: Any, z: Any, n_in: int, lanes: int, std: float, x_second: Any) -> None:
    """Set h to W x: std |x| z, z standard normal.

    Args:
        h: (n_out lanes) float64. z: (n_out lanes) float32.
        x_second: (lanes) mean squares of x, which has n_in entries.
    """
    factor = np.empty(lanes)
    for lane in range(lanes):
        factor[lane] = std * length(x_second[lane], n_in)
    for at in range(0, h.size, lanes):
        multiply_unit(h[at : at + lanes], z[at : at + lanes], factor)


@scalar
def add_dot(total: Any, z: Any, v: Any) -> None:
    """One unit of a scalar product, for each lane."""
    for lane in range(total.size):
        total[lane] += np.float64(z[lane]) * v[lane]


@scalar
def combine_unit(g: Any, z: Any, x: Any, across: Any, along: Any) -> None:
    """One unit: g = z across + x along, for each lane."""
    for lane in range(g.size):
        g[lane] = np.float64(z[lane]) * across[lane] + x[lane] * along[lane]


@kernel
def backward(
    g: Any, x: Any, z: Any, delta: Any, fresh: Any, lanes: int, std: float, x_second: Any, delta_second: Any,
    mean: Any, second: Any, fourth: Any, exponent: Any, kinds: Any,
) -> None:  # fmt: skip
    """Set g to W^T delta, given that W x = std |x| z, and `rescale` it.

    Args:
        g, x: (n_in lanes) float64. z: (n_out lanes) float32. delta: (n_out lanes) float64.
        fresh: (n_in lanes) float32, standard normal: what W^T delta does that W x says nothing of.
        x_second, delta_second: (lanes) mean squares.
    """
    n_in, n_out = x.size // lanes, delta.size // lanes
    forced, chance, across, along = np.zeros(lanes), np.zeros(lanes), np.empty(lanes), np.empty(lanes)
    for at in range(0, delta.size, lanes):
        add_dot(forced, z[at : at + lanes], delta[at : at + lanes])
    for at in range(0, x.size, lanes):
        add_dot(chance, fresh[at : at + lanes], x[at : at + lanes])
    for lane in range(lanes):
        norm, size = length(x_second[lane], n_in), length(delta_second[lane], n_out)
        inverse = 0.0 if norm == 0.0 else 1.0 / norm
        across[lane] = std * size
        along[lane] = std * (forced[lane] - size * (chance[lane] * inverse)) * inverse
    for at in range(0, g.size, lanes):
        combine_unit(g[at : at + lanes], fresh[at : at + lanes], x[at : at + lanes], across, along)
    rescale(g, lanes, mean, second, fourth, exponent)
    for lane in range(lanes):
        if kinds[lane] == OK and not np.isfinite(second[lane]):
            kinds[lane] = OVERFLOW
