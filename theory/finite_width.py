"""Laws at finite width: products of independent chi-squares (catalogue B3, C4, C6, C7, C8, D3-D7).

With Gaussian weights and no biases |x_l|^2 = |x_0|^2 prod v_q Y_q with independent Y_q = sum_i phi(z_i)^2 over
the N_q units: chi2 with N_q degrees of freedom for linear layers, with Binomial(N_q, 1/2) for ReLU. A `Factor`
is one Y. Logs are given for networks whose value is not 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np
from scipy import special

from theory import distributions
from theory.conditions import (
    all_gaussian,
    all_homogeneous,
    gate,
    homogeneous_slope,
    no_biases,
    output_law,
    require,
    slope,
)
from theory.net import DenseNet, Distribution, once_per_net
from theory.prediction import TheoryError


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
    return log_moments_by_laplace(factor)


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


# Central moments of products


@dataclass(frozen=True)
class CentralMoments:
    """E (R - 1)^k for k = 2, 3, 4 of a random factor R of mean 1."""

    second: float = 0.0
    third: float = 0.0
    fourth: float = 0.0

    def __mul__(self, other: CentralMoments) -> CentralMoments:
        """Those of the product of two independent factors; every sum is of small numbers of one size."""
        x2, x3, x4 = self.second, self.third, self.fourth
        y2, y3, y4 = other.second, other.third, other.fourth
        cube = 1 + 3 * x2 + x3
        return CentralMoments(
            x2 + (1 + x2) * y2,
            x3 + 3 * (2 * x2 + x3) * y2 + cube * y3,
            x4 + 6 * (x2 + 2 * x3 + x4) * y2 + 4 * (3 * x2 + 3 * x3 + x4) * y3 + (1 + 6 * x2 + 4 * x3 + x4) * y4,
        )

    @property
    def squared_departure_variance(self) -> float:
        """Var (R - 1)^2."""
        return self.fourth - self.second * self.second


def from_raw(n: int, second: float, third: float, fourth: float) -> CentralMoments:
    """Of a mean of n independent terms of mean 1, from a term's raw moments."""
    u2 = second - 1
    u3 = third - 3 * second + 2
    u4 = fourth - 4 * third + 6 * second - 3
    return CentralMoments(u2 / n, u3 / n**2, (u4 + 3 * (n - 1) * u2**2) / n**3)


@lru_cache(maxsize=4096)
def central_moments(factor: Factor) -> CentralMoments:
    """Those of Y / E Y.

    >>> central_moments(Factor(10, 1.0)).second, central_moments(Factor(10, 0.0)).second
    (0.2, 0.5)
    """
    a = factor.slope
    c2, c4, c6, c8 = ((1 + a**k) / 2 for k in (2, 4, 6, 8))
    return from_raw(factor.width, 3 * c4 / c2**2, 15 * c6 / c2**3, 105 * c8 / c2**4)


def tensor_central_moments(entries: Distribution | tuple[float, ...], width: int) -> CentralMoments:
    """Those of the mean square of given values (none) or of independent entries, over its mean."""
    if not isinstance(entries, Distribution):
        return CentralMoments()
    return from_raw(width, *(distributions.relative_moment(entries, k) for k in (2, 3, 4)))


def gate_central_moments(chance: float) -> CentralMoments:
    """Those of I/p for an event I of probability p."""
    if chance == 1:
        return CentralMoments()
    odds = (1 - chance) / chance
    return CentralMoments(odds, odds * (1 - 2 * chance) / chance, odds * ((1 - chance) ** 3 / chance**2 + chance))


@once_per_net
def _forward_moments(net: DenseNet) -> list[CentralMoments]:
    start = tensor_central_moments(net.input, net.widths[0])
    return _chain([start, *(central_moments(f) for f in _factors(net))])


@once_per_net
def _backward_moments(net: DenseNet) -> list[CentralMoments]:
    """Entry k: of |delta_{L-k}|^2 over its mean, given that its layer is reached."""
    start = tensor_central_moments(output_law(net), net.widths[-1])
    factors = [central_moments(f) for f in reversed(_factors(net))]
    last = homogeneous_slope(net, net.depth)
    if last != 1:
        start = factors[0]  # a mask of Gaussian entries is one factor, not two
    return _chain([start, *factors[1:]])


def _chain(moments: Sequence[CentralMoments]) -> list[CentralMoments]:
    return list(accumulate(moments, lambda x, y: x * y))


def _factors(net: DenseNet) -> list[Factor]:
    """One factor a layer up to the first that is not homogeneous."""
    rates = [slope(net, k) for k in range(1, net.depth + 1)]
    return [Factor(net.widths[k + 1], rate if rate is not None else math.nan) for k, rate in enumerate(rates)]


def squared_departure_variance(net: DenseNet, tensor: str, layer: int) -> float | None:
    """Variance over networks of (second moment - its mean)^2, Gaussian homogeneous nets without biases.

    None where it is not known.
    """
    try:
        mean, moments = _mean_and_moments(net, tensor, layer)
    except TheoryError:
        return None
    square = mean * mean
    value = square * square * moments.squared_departure_variance
    return value if math.isfinite(value) and value > 0 else None


def _mean_and_moments(net: DenseNet, tensor: str, layer: int) -> tuple[float, CentralMoments]:
    from theory import backward, forward

    if tensor in ("preactivation", "activation"):
        require_gaussian_forward(net, layer, layer if tensor == "activation" else layer - 1)
        moments = _forward_moments(net)[layer - 1 if tensor == "preactivation" else layer]
        if tensor == "preactivation":
            moments = moments * central_moments(Factor(net.widths[layer], 1.0))
        return forward.power_sums_of(net, tensor, layer).mean, moments
    mean = backward.second_moment_of(net, tensor, layer)
    if tensor == "weight_gradient":
        require_gaussian_forward(net, layer - 1, layer - 1)
        behind = _forward_moments(net)[layer - 1]
        return mean, behind * _given_reached(net, layer)
    if tensor == "activation_gradient":
        if layer == net.depth:
            return mean, tensor_central_moments(output_law(net), net.widths[-1])
        require(distributions.is_gaussian(net.weight(layer + 1)), "the weights are Gaussian")
        moments = _given_reached(net, layer + 1) * central_moments(Factor(net.widths[layer], 1.0))
        return mean, moments * gate_central_moments(gate(net, layer))
    return mean, _given_reached(net, layer) * gate_central_moments(gate(net, layer - 1))


def _given_reached(net: DenseNet, layer: int) -> CentralMoments:
    require_gaussian_backward(net, layer)
    return _backward_moments(net)[net.depth - layer]


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
