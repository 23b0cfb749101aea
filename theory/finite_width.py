"""Laws at finite width: products of independent chi-squares (catalogue B3, C4, C6, C7, C8, D3-D7).

With Gaussian weights and no biases |x_l|^2 = |x_0|^2 prod v_q Y_q with independent Y_q = sum_i phi(z_i)^2 over
the N_q units: chi2 with N_q degrees of freedom for linear layers, with Binomial(N_q, 1/2) for ReLU. A `Factor`
is one Y. Logs are given for networks whose value is not 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special

from theory import distributions
from theory.conditions import (
    all_gaussian,
    all_homogeneous,
    no_biases,
    output_law,
    require,
    slope,
)
from theory.net import DenseNet, Distribution


@dataclass(frozen=True, order=True)
class Factor:
    """Y = sum_i phi(z_i)^2 over `width` standard normals; phi has `slope` on the negative side."""

    width: int
    slope: float


# Logs


def log_mean(factor: Factor) -> float:
    """E log Y given Y > 0.

    >>> abs(log_mean(Factor(2, 1.0)) - math.log(2) + np.euler_gamma) < 1e-15
    True
    """
    return _log_moments(factor)[0]


def log_variance(factor: Factor) -> float:
    """Var log Y given Y > 0.

    >>> abs(log_variance(Factor(2, 1.0)) - math.pi**2 / 6) < 1e-14
    True
    """
    return _log_moments(factor)[1]


@lru_cache(maxsize=4096)
def _log_moments(factor: Factor) -> tuple[float, float]:
    n = factor.width
    if factor.slope == 1:
        return math.log(2) + float(special.digamma(n / 2)), float(special.polygamma(1, n / 2))
    if factor.slope == 0:
        return _relu_log_moments(n)
    from theory.laws.steps import step  # which needs `Factor`

    one = step(factor)
    return one.mean, one.variance


def _relu_log_moments(n: int) -> tuple[float, float]:
    """C4: E log Y = log 2 + E psi(A/2), Var log Y = E psi_1(A/2) + Var psi(A/2), A ~ Bin(n,1/2) given A >= 1."""
    reach = 12 * math.sqrt(n) + 40
    active = np.arange(max(1, math.floor(n / 2 - reach)), min(n, math.ceil(n / 2 + reach)) + 1)
    log_weight = special.gammaln(n + 1) - special.gammaln(active + 1) - special.gammaln(n - active + 1)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    psi = special.digamma(active / 2)
    mean = float(weight @ psi)
    variance = float(weight @ special.polygamma(1, active / 2) + weight @ (psi - mean) ** 2)
    return math.log(2) + mean, variance


def log_moments_by_laplace(factor: Factor) -> tuple[float, float]:
    """The same from the Laplace transform alone, for slopes other than 0 (C4).

    For E ~ Exp(1) independent of Y, P(E/Y > t) = E e^{-tY}; so X = log E - log Y has survival function
    s -> E exp(-e^s Y) = [((1 + 2t)^{-1/2} + (1 + 2 a^2 t)^{-1/2})/2]^n at t = e^s, mean -gamma - E log Y and
    variance pi^2/6 + Var log Y. The density of X is analytic: the trapezoidal rule converges geometrically.

    >>> exact = math.log(2) + special.digamma(3 / 2), special.polygamma(1, 3 / 2)
    >>> np.allclose(log_moments_by_laplace(Factor(3, 1.0)), exact, rtol=0, atol=1e-12)
    True
    """
    n, square = factor.width, factor.slope**2
    centre = -math.log(n * (1 + square) / 2)
    right = 80 / n + 40 - min(0.0, math.log(square))
    s = np.arange(centre - 45, centre + right, 0.03125)
    t = np.exp(s)
    one, two = 1 / (1 + 2 * t), 1 / (1 + 2 * square * t)
    near_0 = (np.expm1(np.log(one) / 2) + np.expm1(np.log(two) / 2)) / 2
    log_mean_root = np.where(t < 1, np.log1p(np.maximum(near_0, -0.9)), np.log((one**0.5 + two**0.5) / 2))
    log_density = (n - 1) * log_mean_root + math.log(n / 2) + s
    density = np.exp(log_density) * (one**1.5 + square * two**1.5)
    density /= density.sum()
    mean = float(density @ s)
    return -float(np.euler_gamma) - mean, float(density @ (s - mean) ** 2) - math.pi**2 / 6


def require_gaussian_forward(net: DenseNet, last: int, last_activation: int) -> None:
    """The conditions of B3 and C4: Gaussian weights up to layer `last`, no biases, homogeneous activations."""
    require(all_gaussian(net, 1, last), "the weights are Gaussian")
    require(no_biases(net, 1, last), "there are no biases")
    require(all_homogeneous(net, 1, last_activation), "activations are homogeneous (linear, relu, leaky_relu)")


def require_gaussian_backward(net: DenseNet, layer: int) -> None:
    """The conditions of C7's law of |delta_l|^2: Gaussian weights behind, Gaussian g where it is masked."""
    require(all_gaussian(net, layer + 1, net.depth), "the weights behind the layer are Gaussian")
    require(all_homogeneous(net, layer, net.depth), "activations are homogeneous (linear, relu, leaky_relu)")
    law = output_law(net)
    if slope(net, net.depth) != 1:
        gaussian = isinstance(law, Distribution) and distributions.is_gaussian(law) and distributions.mean(law) == 0
        require(gaussian, "the output gradient is standard Gaussian")
