"""Vectors of many networks side by side, scaled by powers of two and measured; compiled into what makes them.

Entry i of network `lane` stands at [i * lanes + lane], float64; the vector's true value is v 2^exponent, network by
network. Each loop over lanes writes few arrays, so that LLVM can tell them apart and vectorises it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

NOTHING = -(1 << 40)
"""Exponent of a vector of zeros."""

OK, DEAD, UNDERFLOW, OVERFLOW, NAN = 0, 1, 2, 3, 4
LARGEST_POWER = 1000


def power_of_two(exponent: Any) -> Any:
    """2^exponent; 0 below 2^-1000, 2^1000 above that."""
    bounded = min(max(exponent, -LARGEST_POWER), LARGEST_POWER)
    power = np.int64(np.int64(bounded + 1023) << 52).view(np.float64)
    return power if exponent >= -LARGEST_POWER else 0.0


def top_exponent(top: Any) -> Any:
    """The k for which a positive number is in [1/2, 1) 2^k, at least -1000; 0 for infinity."""
    k = np.int64(np.float64(top).view(np.int64) >> 52) - 1022
    return max(k, -LARGEST_POWER) if top < np.inf else 0


def raise_top(v: Any, top: Any) -> None:
    """One unit: the largest size of v, NaN left out, for each lane."""
    for lane in range(v.size):
        if abs(v[lane]) > top[lane]:  # noqa: PLR1730  (max would keep this from vectorising)
            top[lane] = abs(v[lane])


def scale_and_add(v: Any, factor: Any, s1: Any, s2: Any) -> None:
    """One unit: multiply v by its factor, and add v, v^2, for each lane."""
    for lane in range(v.size):
        scaled = v[lane] * factor[lane]
        v[lane] = scaled
        s1[lane] += scaled
        s2[lane] += scaled * scaled


def add_fourth(v: Any, s4: Any) -> None:
    """One unit: add v^4, for each lane."""
    for lane in range(v.size):
        square = v[lane] * v[lane]
        s4[lane] += square * square


def divide(s: Any, n: Any) -> None:
    """Divide each by n."""
    for lane in range(s.size):
        s[lane] /= n


def rescale(v: Any, lanes: int, mean: Any, second: Any, fourth: Any, exponent: Any) -> None:
    """Bring the largest |v| of each network into [1/2, 1), and its exponent along; write means of v, v^2, v^4.

    Args:
        mean, second, fourth: (lanes) float64, of the scaled entries.
        exponent: (lanes) int64; NOTHING where all entries are 0.
    """
    top, factor = np.zeros(lanes), np.empty(lanes)
    for at in range(0, v.size, lanes):
        raise_top(v[at : at + lanes], top)
    for lane in range(lanes):
        k = top_exponent(top[lane])
        factor[lane] = power_of_two(-k)
        exponent[lane] = exponent[lane] + k if top[lane] > 0 else NOTHING
    mean[:] = 0
    second[:] = 0
    fourth[:] = 0
    for at in range(0, v.size, lanes):
        scale_and_add(v[at : at + lanes], factor, mean, second)
        add_fourth(v[at : at + lanes], fourth)
    n = np.float64(v.size // lanes)
    divide(mean, n)
    divide(second, n)
    divide(fourth, n)
