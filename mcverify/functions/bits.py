"""Choices without branches, and numbers in two parts, by the bits of float64."""

from __future__ import annotations

from typing import Any

import numpy as np

LOW_BITS = np.int64((1 << 27) - 1)


def select(condition: Any, then: Any, otherwise: Any) -> Any:
    """`then` where the condition holds, else `otherwise`; the other one may be anything, NaN too."""
    mask = np.int64(np.int64(0) - np.int64(condition))
    kept = np.float64(then).view(np.int64) & mask
    return np.int64(kept | (np.float64(otherwise).view(np.int64) & ~mask)).view(np.float64)


def leading(x: Any) -> Any:
    """Keep the first 26 bits of a number; products of two such numbers are exact."""
    return np.int64(np.float64(x).view(np.int64) & ~LOW_BITS).view(np.float64)


def product_rest(x: Any, y: Any, product: Any) -> Any:
    """What rounding lost in product = x y (Dekker)."""
    u, v = leading(x), leading(y)
    return ((u * v - product) + u * (y - v) + (x - u) * v) + (x - u) * (y - v)


def sum_rest(x: Any, y: Any, total: Any) -> Any:
    """What rounding lost in total = x + y (Knuth)."""
    part = total - x
    return (x - (total - part)) + (y - part)
