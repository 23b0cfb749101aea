"""Each activation and its derivative as scalar functions of (h, a), float32 to float32.

The same text runs on NumPy arrays and compiled. `a` is the activation's parameter, if it has one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

F = np.float32


def linear(h: Any, a: Any) -> Any:
    """H."""
    return h


def linear_derivative(h: Any, a: Any) -> Any:
    """1, and NaN where h is."""
    return F(1) + F(0) * F(np.isnan(h))


def relu(h: Any, a: Any) -> Any:
    """max(h, 0)."""
    return np.maximum(h, F(0))


def relu_derivative(h: Any, a: Any) -> Any:
    """1 where h > 0, else 0 (at h = 0 too)."""
    return F(h > F(0))


def leaky_relu(h: Any, a: Any) -> Any:
    """H where h > 0, else a h."""
    return np.maximum(h, F(0)) + F(a) * np.minimum(h, F(0))


def leaky_relu_derivative(h: Any, a: Any) -> Any:
    """1 where h > 0, else a (at h = 0 too)."""
    return F(a) + (F(1) - F(a)) * F(h > F(0))


def tanh(h: Any, a: Any) -> Any:
    """Hyperbolic tangent, by float64."""
    return F(np.tanh(np.float64(h)))


def tanh_derivative(h: Any, a: Any) -> Any:
    """1 / cosh(h)^2 = 4 e / (1 + e)^2 with e = exp(-2 |h|): no cancellation where it is small."""
    e = np.exp(-2.0 * np.abs(np.float64(h)))
    return F(4.0 * e / ((1.0 + e) * (1.0 + e)))


def sigmoid(h: Any, a: Any) -> Any:
    """1 / (1 + exp(-h)), by float64, from exp(-|h|)."""
    e = np.exp(-np.abs(np.float64(h)))
    return F((e + (1.0 - e) * np.float64(h > F(0))) / (1.0 + e))


def sigmoid_derivative(h: Any, a: Any) -> Any:
    """E / (1 + e)^2 with e = exp(-|h|)."""
    e = np.exp(-np.abs(np.float64(h)))
    return F(e / ((1.0 + e) * (1.0 + e)))
