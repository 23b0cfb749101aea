"""Laws of logs of squared norms in Gaussian networks and products (catalogue B3, C4, C6, C7, C8, D3-D6).

Each takes a network (or the size of a product) and gives a `LogLaw`: of log |x_l|^2, |g_l|^2 and so on, sums over
entries, given that they are not 0. They need Gaussian weights and homogeneous activations; those that look forward,
no biases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from theory import distributions, logs
from theory.conditions import homogeneous_slope, nonzero_input, require
from theory.finite_width import Factor, require_gaussian_forward
from theory.laws.log_law import LogLaw
from theory.net import DenseNet
from theory.prediction import TheoryError
from theory.ratios import relative_variance


def log_norm(net: DenseNet, layer: int, tensor: str = "activation") -> LogLaw:
    """Law of log |x_l|^2 (or log |h_l|^2) given that it is not 0 (B3, C4, C6).

    >>> from theory.net import Distribution
    >>> net = DenseNet((4, 1), "relu", weights=(Distribution("normal", 0.25),), input=(1.0,) * 4)
    >>> law = log_norm(net, 1)  # log z^2 given z > 0
    >>> round(law.mean, 6), law.alive, round(float(law.cdf(0.0)), 6)
    (-1.270363, 0.5, 0.682689)
    """
    return _of_tensor(net, tensor, layer)


def log_gradient(net: DenseNet, layer: int, tensor: str = "preactivation_gradient") -> LogLaw:
    """Law of log |delta_l|^2 (or, as `activation_gradient`, log |g_l|^2) given that it is not 0 (C7)."""
    return _of_tensor(net, tensor, layer)


def log_weight_gradient(net: DenseNet, layer: int) -> LogLaw:
    """Law of log |dW_l|_F^2 given that it is not 0: but for -log v_l the same in every layer (C8)."""
    return _of_tensor(net, "weight_gradient", layer)


def log_jacobian(net: DenseNet, layer: int | None = None) -> LogLaw:
    """Law of log |J u|^2 for a fixed unit vector u, J = dx_l/dx_0: that of log |x_l|^2 - log |x_0|^2 (C7).

    The masks are those of x_0, not of u: given their signs they are independent of the rest, fair coins in either
    case. u = x_0 gives J x_0 = x_l.
    """
    last = net.depth if layer is None else layer
    require_gaussian_forward(net, last, last)
    require(nonzero_input(net) == 1, "the input is not 0")
    scale = math.fsum(math.log(distributions.variance(net.weight(k))) for k in range(1, last + 1))
    return LogLaw.of([Factor(net.widths[k], homogeneous_slope(net, k)) for k in range(1, last + 1)], scale)


def _of_tensor(net: DenseNet, tensor: str, layer: int) -> LogLaw:
    mean = logs.log_of_square(net, tensor, layer)[0]
    law = LogLaw.of(logs.factors_of(net, tensor, layer))
    return LogLaw(law.factors, mean - law.mean, 1.0, law.alive)


# Limits


@dataclass(frozen=True)
class NormalLimit:
    """N(mean, variance), the limit of a log at fixed L/n, with its distance from the exact law.

    Attributes:
        mean: -B/2 at criticality.
        variance: B, the sum over layers of the relative variance of one factor (5/N for ReLU, 2/N linear).
        distance: sup |F - Phi| against the exact law at these widths, by a grid of 801 points over 4 std.
    """

    mean: float
    variance: float
    distance: float

    def cdf(self, x: float) -> float:
        """P(N <= x)."""
        return float(special.ndtr((x - self.mean) / math.sqrt(self.variance)))


def normal_limit(net: DenseNet, layer: int) -> NormalLimit:
    """Limit of log(|x_l|^2 N_0 / (N_l |x_0|^2)) as widths and depth grow together: N(drift - B/2, B) (C6).

    B = sum (6 (1+a^4)/(1+a^2)^2 - 1)/N_q; the drift sum log(N_{q-1} v_q (1+a^2)/2) is 0 at criticality. INFINITE_WIDTH
    with L/n fixed (Hanin and Nica 2020); `distance` says how far it is from the exact law at these widths.

    >>> from theory.net import Distribution
    >>> def net(n):
    ...     return DenseNet((n,) * 5, "relu", weights=(Distribution("normal", 2 / n),) * 4, input=(1.0,) * n)
    >>> round(normal_limit(net(64), 4).variance, 6), normal_limit(net(256), 4).distance < 0.01
    (0.3125, True)
    """
    require(layer >= 1, "at least one layer is passed")
    law = log_jacobian(net, layer)
    spread = drift = 0.0
    for k in range(1, layer + 1):
        a = homogeneous_slope(net, k)
        spread += relative_variance(float(net.widths[k]), a)
        drift += math.log(net.widths[k - 1] * distributions.variance(net.weight(k)) * (1 + a**2) / 2)
    mean, std = drift - spread / 2, math.sqrt(spread)
    x = mean + std * np.linspace(-4, 4, 801)
    exact = law.cdf(x + math.log(net.widths[layer] / net.widths[0]))
    return NormalLimit(mean, spread, float(np.abs(exact - special.ndtr((x - mean) / std)).max()))


# Products of k independent n x n Gaussian matrices


def product_log_norm(n: int, k: int, variance: float = 1.0) -> LogLaw:
    """Law of log |M v|^2 - log |v|^2: k independent log(sigma^2 chi2_n) (D3).

    >>> law = product_log_norm(4, 101)
    >>> round(law.mean / 2, 3), round(law.std / 2, 3)  # of log |M v|
    (56.355, 4.035)
    """
    _check_product(n, k, variance)
    return LogLaw.of([Factor(n, 1.0)], k * math.log(variance), times=k)


def product_log_entry(n: int, k: int, variance: float = 1.0) -> LogLaw:
    """Law of log M_ij^2: k - 1 independent log(sigma^2 chi2_n) and one log(sigma^2 chi2_1) (D4)."""
    _check_product(n, k, variance)
    return LogLaw.of([Factor(n, 1.0)] * (k - 1) + [Factor(1, 1.0)], k * math.log(variance))


def product_log_volume(n: int, k: int, variance: float = 1.0, frame: int | None = None) -> LogLaw:
    """Law of the log growth of the volume of m given vectors; of log |det M| for m = n (D5).

    Its mean is k times the sum of the first m Lyapunov exponents at every k, not only in the limit (D6).

    >>> round(product_log_volume(1, 1).variance, 6)  # log |z|: pi^2 / 8
    1.233701
    """
    m = n if frame is None else frame
    _check_product(n, k, variance)
    require(1 <= m <= n, f"a frame has between 1 and {n} vectors")
    return LogLaw.of([Factor(n - i, 1.0) for i in range(m)], k * m * math.log(variance) / 2, scale=0.5, times=k)


def _check_product(n: int, k: int, variance: float) -> None:
    if n < 1 or k < 1 or not (variance > 0 and math.isfinite(variance)):
        raise TheoryError(f"a product needs n >= 1, k >= 1 and a positive variance; here {n=}, {k=}, {variance=}.")
