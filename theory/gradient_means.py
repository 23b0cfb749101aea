"""Means of gradients, which are 0 (catalogue A8), with their scatter."""

from __future__ import annotations

import math
from functools import partial

import sympy as sp

from theory import distributions
from theory.backward import reached_power_sums, second_moment_of
from theory.conditions import (
    fixed_input,
    homogeneous_slope,
    layer_is_gaussian,
    no_biases,
    output_law,
    require,
    symmetric_layer,
)
from theory.existence import require_gradient_mean, require_mean
from theory.forward import power_sums_of
from theory.net import DenseNet, Distribution
from theory.prediction import Law, Predicted, Prediction, TheoryError


def gradient_mean(tensor: str, layer: int) -> Prediction:
    """Every gradient has mean 0 with a symmetric output gradient, for any activation."""
    return Prediction(
        entry="A8",
        statement="Gradients have mean 0, whatever the activation, when the output gradient is symmetric about 0 and "
        "independent of the network.",
        observable=f"{tensor}.mean",
        layer=layer,
        expression=sp.Integer(0),
        evaluate=partial(_gradient_mean, tensor, layer),
        assumptions=("dloss/dx_L and its negative have one law, independent of the network", "gradients have a mean"),
        derivation=(
            r"Every gradient of the network is linear in $g_L = \partial\ell/\partial x_L$.",
            r"$g_L$ and $-g_L$ have one law whatever the weights: so has every gradient.",
            r"A variable with the law of its negative has mean 0.",
            r"For homogeneous activations entries are uncorrelated: the mean over $N_l$ entries of $g_l$ or "
            r"$\delta_l$ has variance $E g_l^2 / N_l$ or $E\delta_l^2 / N_l$.",
            r"The mean over $\delta_i x_j$ is a product of means, independent given that the layer is reached.",
        ),
    )


def _gradient_mean(tensor: str, layer: int, net: DenseNet) -> Predicted:
    law = output_law(net)
    symmetric = isinstance(law, Distribution) and distributions.is_symmetric(law)
    require(symmetric, "the output gradient is symmetric about 0 and independent of the network")
    require_gradient_mean(net, layer + 1 if tensor == "activation_gradient" else layer)
    if tensor == "weight_gradient":
        require_mean(net, layer - 1)
    try:
        variance = _mean_variance(net, tensor, layer)
    except TheoryError:
        variance = None
    normal = tensor == "activation_gradient" and layer == net.depth and isinstance(law, Distribution)
    if normal and variance and isinstance(law, Distribution) and distributions.is_gaussian(law):
        return Predicted(value=0.0, variance=variance, law=Law("normal_mean", std=math.sqrt(variance)))
    return Predicted(value=0.0, variance=variance)


def _mean_variance(net: DenseNet, tensor: str, layer: int) -> float:
    second = second_moment_of(net, tensor, layer)
    if tensor != "weight_gradient":
        return second / net.widths[layer]
    delta = reached_power_sums(net, "preactivation_gradient", layer).mean / net.widths[layer]
    return delta * squared_mean(net, layer - 1)


def squared_mean(net: DenseNet, layer: int) -> float:
    """E (mean of x_l over its units)^2, where entries of h_l are Gaussian, or a direction's, or phi is odd.

    Given the past, E phi(h_i) phi(h_j) = (1 - a)^2 E h^2 / (2 pi) for i != j, for directions as for Gaussians:
    both are of degree 2.
    """
    n = net.widths[layer]
    if layer == 0:
        law = net.one_input
        if not isinstance(law, Distribution):
            return (math.fsum(law) / n) ** 2
        return distributions.mean(law) ** 2 + distributions.variance(law) / n
    second = power_sums_of(net, "activation", layer).mean
    if net.phi(layer).odd and symmetric_layer(net, layer):
        return second / n
    q1 = power_sums_of(net, "preactivation", layer).mean
    if layer == 1 and fixed_input(net) and layer_is_gaussian(net, 1):
        return (second + (n - 1) * net.phi(1).mean(q1).value ** 2) / n
    turned = not distributions.is_iid(net.weight(layer)) and no_biases(net, layer, layer)
    require(turned or layer_is_gaussian(net, layer), f"the weights of layer {layer} are Gaussian or orthogonal")
    return (second + (n - 1) * (1 - homogeneous_slope(net, layer)) ** 2 * q1 / (2 * math.pi)) / n
