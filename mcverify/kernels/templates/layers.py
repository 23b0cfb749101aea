"""One activation over the vectors of many networks: forward, and backward through it."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcverify.functions.piecewise import relu as phi
from mcverify.functions.piecewise import relu_derivative as derivative
from mcverify.kernels.templates.jit import kernel, scalar
from mcverify.kernels.templates.powers import (
    DEAD,
    LARGEST_POWER,
    NAN,
    OK,
    OVERFLOW,
    UNDERFLOW,
    power_of_two,
    rescale,
)


@scalar
def apply(x: Any, h: Any, factor: Any, active: Any, a: float) -> None:
    """One unit: x = phi(h factor), h becomes phi'(h factor), active counts h > 0, for each lane."""
    for lane in range(h.size):
        argument = h[lane] * factor[lane]
        active[lane] += np.float64(argument > 0.0)
        x[lane] = phi(argument, a)
        h[lane] = derivative(argument, a)


@kernel
def activate(
    x: Any, h: Any, lanes: int, a: float, homogeneous: bool, flat: bool, h_second: Any, h_exponent: Any, active: Any,
    alive: Any, mean: Any, second: Any, fourth: Any, exponent: Any, kinds: Any,
) -> None:  # fmt: skip
    """Set x to phi(h) and h to phi'(h), and measure x; h is h 2^h_exponent, and x is x 2^exponent.

    Args:
        flat: Whether phi is 0 on an interval.
        active: Share of entries of h above 0, written; alive: whether x is anything but zeros, written.
        kinds: What became of each network; the first event stays.
    """
    factor = np.ones(lanes)
    for lane in range(lanes):
        exponent[lane] = h_exponent[lane] if homogeneous else 0
        if not homogeneous:
            factor[lane] = power_of_two(h_exponent[lane])
    active[:] = 0
    for at in range(0, h.size, lanes):
        apply(x[at : at + lanes], h[at : at + lanes], factor, active, a)
    for lane in range(lanes):
        active[lane] /= np.float64(h.size // lanes)
    rescale(x, lanes, mean, second, fourth, exponent)
    for lane in range(lanes):
        alive[lane] = 0.0 if second[lane] == 0 else 1.0
        if kinds[lane] == OK:
            kinds[lane] = event(homogeneous, flat, h_second[lane], h_exponent[lane], second[lane])


@scalar
def event(homogeneous: bool, flat: bool, h_second: float, h_exponent: int, x_second: float) -> int:
    """What an activation did to a network."""
    if not np.isfinite(h_second) or (not homogeneous and h_exponent > LARGEST_POWER):
        return OVERFLOW
    if np.isnan(x_second):
        return NAN
    if x_second > 0:
        return OK
    lost = h_exponent < -LARGEST_POWER if flat else h_second > 0
    return UNDERFLOW if lost and not homogeneous else DEAD


@scalar
def multiply(g: Any, derivatives: Any) -> None:
    """Elementwise, in place."""
    for k in range(g.size):
        g[k] *= derivatives[k]


@kernel
def through(
    g: Any, derivatives: Any, lanes: int, flat: bool, g_second: Any, g_exponent: Any,
    mean: Any, second: Any, fourth: Any, exponent: Any, kinds: Any,
) -> None:  # fmt: skip
    """Make g into delta = phi'(h) g and measure it; g is g 2^g_exponent, and delta is delta 2^exponent.

    Args:
        flat: Whether phi' is 0 on an interval, or never lost to 0.
    """
    multiply(g, derivatives)
    exponent[:] = g_exponent
    rescale(g, lanes, mean, second, fourth, exponent)
    for lane in range(lanes):
        if kinds[lane] == OK and g_second[lane] > 0 and second[lane] == 0 and not flat:
            kinds[lane] = UNDERFLOW
