"""Activations and their derivatives on float64 arrays, without overflow or cancellation."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

Array = npt.NDArray[np.float64]

SELU_LAMBDA = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772
_GELU = math.sqrt(2 / math.pi)


def leaky(s: Array, a: float) -> Array:
    """S above 0, a s below."""
    return np.where(s > 0, s, a * s)


def leaky_slope(s: Array, a: float) -> Array:
    """1 above 0, a below and at 0."""
    return np.where(s > 0, 1.0, a)


def between(s: Array, low: float, high: float) -> Array:
    """1 between low and high, else 0."""
    return np.asarray((s > low) & (s < high), dtype=float)


def tanh_slope(s: Array) -> Array:
    """1 - tanh^2 = 4 sigma(2s) sigma(-2s)."""
    return 4 * sigmoid_slope(2 * s)


def sigmoid(s: Array) -> Array:
    """1/(1 + e^-s)."""
    return np.asarray(special.expit(s))


def sigmoid_slope(s: Array) -> Array:
    """sigma(s) sigma(-s)."""
    return np.asarray(special.expit(s) * special.expit(-s))


def erf(s: Array) -> Array:
    """The error function."""
    return np.asarray(special.erf(s))


def erf_slope(s: Array) -> Array:
    """2/sqrt(pi) e^(-s^2)."""
    return 2 / math.sqrt(math.pi) * np.exp(-(s**2))


def probit(s: Array) -> Array:
    """The normal distribution function."""
    return np.asarray(special.ndtr(s))


def probit_slope(s: Array) -> Array:
    """The normal density."""
    return np.exp(-(s**2) / 2) / math.sqrt(2 * math.pi)


def gelu(s: Array) -> Array:
    """S times the normal distribution function."""
    return s * probit(s)


def gelu_slope(s: Array) -> Array:
    """Phi(s) + s times the normal density."""
    return probit(s) + s * probit_slope(s)


def gelu_tanh(s: Array) -> Array:
    """S (1 + tanh u)/2 = s sigma(2u), with u = sqrt(2/pi) (s + 0.044715 s^3)."""
    return s * sigmoid(2 * _GELU * (s + 0.044715 * s**3))


def gelu_tanh_slope(s: Array) -> Array:
    """sigma(2u) + 2 s u' sigma(2u) sigma(-2u)."""
    u = _GELU * (s + 0.044715 * s**3)
    return sigmoid(2 * u) + 2 * s * _GELU * (1 + 3 * 0.044715 * s**2) * sigmoid_slope(2 * u)


def silu(s: Array) -> Array:
    """S sigma(s)."""
    return s * sigmoid(s)


def silu_slope(s: Array) -> Array:
    """sigma(s) (1 + s sigma(-s))."""
    return sigmoid(s) * (1 + s * sigmoid(-s))


def mish(s: Array) -> Array:
    """S tanh(log(1 + e^s)) = s sigma(s) (1 + r)/(1 + r^2) with r = sigma(-s)."""
    r = sigmoid(-s)
    return silu(s) * (1 + r) / (1 + r**2)


def mish_slope(s: Array) -> Array:
    """The derivative of mish; 1 - tanh^2 = 4 r^2/(1 + r^2)^2."""
    r = sigmoid(-s)
    return sigmoid(s) * ((1 + r) / (1 + r**2) + 4 * s * r**2 / (1 + r**2) ** 2)


def elu(s: Array, alpha: float) -> Array:
    """S above 0, alpha (e^s - 1) below."""
    return np.where(s > 0, s, alpha * np.expm1(np.minimum(s, 0)))


def elu_slope(s: Array, alpha: float) -> Array:
    """1 above 0, alpha e^s below."""
    return np.where(s > 0, 1.0, alpha * np.exp(np.minimum(s, 0)))


def selu(s: Array) -> Array:
    """Elu times lambda."""
    return SELU_LAMBDA * elu(s, SELU_ALPHA)


def selu_slope(s: Array) -> Array:
    """The derivative of selu."""
    return SELU_LAMBDA * elu_slope(s, SELU_ALPHA)


def celu(s: Array, alpha: float) -> Array:
    """S above 0, alpha (e^(s/alpha) - 1) below."""
    return elu(s / alpha, 1.0) * alpha


def celu_slope(s: Array, alpha: float) -> Array:
    """1 above 0, e^(s/alpha) below."""
    return elu_slope(s / alpha, 1.0)


def softplus(s: Array) -> Array:
    """log(1 + e^s)."""
    values: Array = np.logaddexp(0.0, s)
    return values


def softsign(s: Array) -> Array:
    """s/(1 + |s|)."""
    return np.asarray(s / (1 + np.abs(s)))


def softsign_slope(s: Array) -> Array:
    """1/(1 + |s|)^2."""
    return 1 / (1 + np.abs(s)) ** 2


def silu_even(s: Array) -> Array:
    """(silu(s) + silu(-s))/2 = s tanh(s/2)/2."""
    return s * np.tanh(s / 2) / 2


def gelu_tanh_even(s: Array) -> Array:
    """The even part of gelu_tanh, s tanh(u)/2."""
    return s * np.tanh(_GELU * (s + 0.044715 * s**3)) / 2


def mish_even(s: Array) -> Array:
    """The even part of mish, s tanh(s/2)/((1 + r^2)(1 + p^2)) with r = sigma(-s), p = sigma(s)."""
    return s * np.tanh(s / 2) / ((1 + sigmoid(-s) ** 2) * (1 + sigmoid(s) ** 2))
