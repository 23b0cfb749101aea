"""How many networks a measurement needs: dead ones, and means carried by rare networks (catalogue C5, G1, G4)."""

from __future__ import annotations

import math

from scipy import special

from theory import backward, forward
from theory.conditions import alive, all_relu, fair_signs, no_biases, nonzero_input, require
from theory.laws.networks import log_gradient, log_norm, log_weight_gradient
from theory.limits import RULE, networks_for_moment
from theory.net import DenseNet
from theory.prediction import TheoryError

FORWARD = ("preactivation", "activation")


def dead_probability(net: DenseNet, layer: int) -> float:
    """P(x_l = 0) = 1 - prod (1 - 2^-N_q) of a ReLU net without biases, accurate where it is tiny (C5).

    >>> from theory.net import Distribution
    >>> net = DenseNet((64, 64, 64), "relu", weights=(Distribution("normal", 1 / 32),) * 2)
    >>> dead_probability(net, 2) == 2 * 2.0**-64
    True
    """
    require(no_biases(net, 1, layer), "there are no biases")
    return dead_jacobian_probability(net, layer)


def dead_jacobian_probability(net: DenseNet, layer: int) -> float:
    """P(dx_l/dx_0 = 0): some layer has no positive unit, with continuous symmetric biases as well (C5)."""
    require(all_relu(net, 1, layer), "every activation is ReLU")
    require(nonzero_input(net) == 1, "the input is not 0")
    fair = all(fair_signs(net, k) for k in range(1, layer + 1))
    require(fair, "weights and biases are symmetric, and no preactivation is tied at 0")
    blind = no_biases(net, 1, layer) or not math.isnan(alive(net)[layer])
    require(blind, "the probability that each layer is reached is known")
    return -math.expm1(math.fsum(math.log1p(-(0.5 ** net.widths[k])) for k in range(1, layer + 1)))


def networks_for_alive(probability: float, count: int, failure: float = 1e-6) -> int:
    """The fewest networks of which `count` are alive, each with the given probability, but for chance `failure` (G4).

    >>> networks_for_alive(0.5, 1, 1e-3)  # 2^-10 < 1e-3
    10
    >>> networks_for_alive(1.0, 500)
    500
    """
    if not (0 < probability <= 1 and count >= 1 and 0 < failure < 1):
        raise TheoryError(f"a probability in (0, 1] and a count from 1 on are needed: {probability=}, {count=}.")
    if probability == 1:
        return count

    def too_few(networks: int) -> bool:
        return float(special.bdtr(count - 1, networks, probability)) > failure

    low, high = count - 1, count
    while too_few(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if too_few(middle) else (low, middle)
    return high


def relative_variance(net: DenseNet, layer: int, tensor: str = "activation") -> float:
    """Var S / (E S)^2 of the mean square S over networks: M of them have relative error sqrt(this / M) (G1).

    prod (1 + 5/N_q) - 1 for a ReLU net with Gaussian weights and a fixed input, prod (1 + 2/N_q) - 1 for a linear one;
    dead networks included.

    >>> from theory.net import Distribution
    >>> net = DenseNet((10,) * 3, "relu", weights=(Distribution("normal", 0.2),) * 2, input=(1.0,) * 10)
    >>> round(relative_variance(net, 2), 12)
    1.25
    """
    if tensor in FORWARD:
        value = forward.power_sums_of(net, tensor, layer).excess
    else:
        statement = backward.second_moment_variance(tensor, layer)
        value = statement.at(net).value / backward.second_moment_of(net, tensor, layer) ** 2
    require(math.isfinite(value), "the input and every law have a fourth moment")
    return value


def networks_for_mean(net: DenseNet, layer: int, tensor: str = "activation") -> float:
    """50 exp(2 s^2), s^2 = Var log |.|^2: with fewer networks use the log (G1). In floats: it may exceed any integer.

    >>> from theory.net import Distribution
    >>> net = DenseNet((100,) * 11, "relu", weights=(Distribution("normal", 0.02),) * 10, input=(1.0,) * 100)
    >>> round(networks_for_mean(net, 10))  # s^2 a little above 5 L / n = 1/2
    141
    """
    if tensor == "weight_gradient":
        law = log_weight_gradient(net, layer)
    else:
        law = log_norm(net, layer, tensor) if tensor in FORWARD else log_gradient(net, layer, tensor)
    return RULE * networks_for_moment(law.variance, order=2)
