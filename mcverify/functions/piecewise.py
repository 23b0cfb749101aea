"""Activations of straight pieces and of one division."""

from __future__ import annotations

from typing import Any

import numpy as np

SOFTSIGN_LARGEST = 1e300


def linear(h: Any, a: Any) -> Any:
    """H."""
    return h * 1.0


def linear_derivative(h: Any, a: Any) -> Any:
    """1, and NaN where h is."""
    return 1.0 + 0.0 * np.float64(np.isnan(h))


def relu(h: Any, a: Any) -> Any:
    """max(h, 0)."""
    return np.maximum(h, 0.0)


def relu_derivative(h: Any, a: Any) -> Any:
    """1 where h > 0, else 0 (at h = 0 too)."""
    return 1.0 * np.float64(h > 0.0)


def leaky_relu(h: Any, a: Any) -> Any:
    """H where h > 0, else a h."""
    return np.maximum(h, 0.0) + a * np.minimum(h, 0.0)


def leaky_relu_derivative(h: Any, a: Any) -> Any:
    """1 where h > 0, else a (at h = 0 too)."""
    return a + (1.0 - a) * np.float64(h > 0.0)


def absolute(h: Any, a: Any) -> Any:
    """|h|."""
    return np.abs(h) * 1.0


def absolute_derivative(h: Any, a: Any) -> Any:
    """1 where h > 0, else -1 (at h = 0 too)."""
    return 2.0 * np.float64(h > 0.0) - 1.0


def relu6(h: Any, a: Any) -> Any:
    """H between 0 and 6, else the nearer of them."""
    return np.minimum(np.maximum(h, 0.0), 6.0)


def relu6_derivative(h: Any, a: Any) -> Any:
    """1 where 0 < h < 6, else 0."""
    return np.float64(h > 0.0) * np.float64(h < 6.0)


def hardtanh(h: Any, a: Any) -> Any:
    """H between -1 and 1, else the nearer of them."""
    return np.minimum(np.maximum(h, -1.0), 1.0)


def hardtanh_derivative(h: Any, a: Any) -> Any:
    """1 where -1 < h < 1, else 0."""
    return np.float64(h > -1.0) * np.float64(h < 1.0)


def square(h: Any, a: Any) -> Any:
    """h^2."""
    return np.float64(h) * h


def square_derivative(h: Any, a: Any) -> Any:
    """2 h."""
    return 2.0 * np.float64(h)


def softsign(h: Any, a: Any) -> Any:
    """H / (1 + |h|)."""
    bounded = np.minimum(np.maximum(np.float64(h), -SOFTSIGN_LARGEST), SOFTSIGN_LARGEST)
    return bounded / (1.0 + np.abs(bounded))


def softsign_derivative(h: Any, a: Any) -> Any:
    """1 / (1 + |h|)^2."""
    root = 1.0 / (1.0 + np.abs(np.float64(h)))
    return root * root
