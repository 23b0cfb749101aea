"""Signs of units: means that vanish, the share of active units, networks that die (catalogue A4, A24, C5)."""

from __future__ import annotations

import math
from functools import partial

import sympy as sp

from theory import activations, distributions
from theory.conditions import (
    alive,
    all_relu,
    fair_signs,
    fixed_input,
    layer_is_gaussian,
    no_biases,
    nonzero_input,
    reached,
    require,
    slope,
    symmetric_layer,
    zero_mean_weights,
)
from theory.forward import power_sums_of
from theory.net import DenseNet
from theory.prediction import Law, Predicted, Prediction, TheoryError
from theory.symbols import N, l, q, r


def preactivation_mean(layer: int) -> Prediction:
    """E h_l is the mean of the biases, 0 without, for every activation (A4)."""
    return Prediction(
        entry="A4",
        statement="Preactivations have mean 0 (the mean of the biases), whatever the activation.",
        observable="preactivation.mean",
        layer=layer,
        expression=sp.Integer(0),
        evaluate=partial(_preactivation_mean, layer),
        assumptions=("weights independent of what they multiply, zero mean, any law", "biases of mean 0"),
        derivation=(
            r"$E h_i = \sum_j E w_{ij} E x_j + E b_i$, as $W_l$ is independent of $x_{l-1}$.",
            r"$E w_{ij} = 0$, so $E h_i = E b_i$.",
            r"Different rows are uncorrelated: the mean over a layer has variance $E h_l^2 / N_l$.",
        ),
    )


def _preactivation_mean(layer: int, net: DenseNet) -> Predicted:
    require(zero_mean_weights(net, layer), f"the weights of layer {layer} are random with mean 0")
    require(distributions.mean(net.bias(layer)) == 0, "the biases have mean 0")
    try:
        variance: float | None = power_sums_of(net, "preactivation", layer).mean / net.widths[layer]
    except TheoryError:
        return Predicted(value=0.0)
    assert variance is not None
    normal = layer == 1 and fixed_input(net) and layer_is_gaussian(net, 1)
    return Predicted(value=0.0, variance=variance, law=Law("normal_mean", std=math.sqrt(variance)) if normal else None)


def activation_mean(layer: int) -> Prediction:
    """E x_l = 0 for odd activations of symmetric preactivations."""
    return Prediction(
        entry="A4",
        statement="Activations have mean 0 where phi is odd and the weights and biases are symmetric.",
        observable="activation.mean",
        layer=layer,
        expression=sp.Integer(0),
        evaluate=partial(_activation_mean, layer),
        assumptions=("phi(-s) = -phi(s)", "weights and biases of the layer symmetric about 0"),
        derivation=(
            r"Flipping the signs of row $i$ of $W_l$ and of $b_i$ flips $h_i$ and changes no law.",
            r"So $h_i$ and $-h_i$ have one law, and $E\varphi(h_i) = -E\varphi(h_i) = 0$ for odd $\varphi$.",
            r"Rows flip one at a time: $E x_i x_j = 0$, and the mean over a layer has variance $E x_l^2/N_l$.",
        ),
    )


def _activation_mean(layer: int, net: DenseNet) -> Predicted:
    require(activations.by_name(net.phi(layer)[0]).odd, "the activation is odd")
    require(symmetric_layer(net, layer), "weights and biases of the layer are symmetric about 0")
    require(zero_mean_weights(net, layer), f"the weights of layer {layer} are random with mean 0")
    try:
        variance = power_sums_of(net, "activation", layer).mean / net.widths[layer]
    except TheoryError:
        return Predicted(value=0.0)
    normal = layer == 1 and fixed_input(net) and layer_is_gaussian(net, 1) and slope(net, 1) == 1
    law = Law("normal_mean", std=math.sqrt(variance)) if normal else None
    return Predicted(value=0.0, variance=variance, law=law)


_DEAD = 2 ** (-N[q])
_ALIVE = sp.Product(1 - _DEAD, (q, 1, l))


def alive_probability(layer: int) -> Prediction:
    """P(x_l != 0) of a ReLU net without biases (C5)."""
    return Prediction(
        entry="C5",
        statement="A ReLU net without biases is alive at layer l with probability prod (1 - 2^-N_q).",
        observable="activation.alive",
        layer=layer,
        expression=_ALIVE,
        evaluate=partial(_alive, layer),
        assumptions=(
            "ReLU in every layer up to l",
            "no biases",
            "weights symmetric and without atoms",
            "x_0 not 0",
        ),
        derivation=(
            r"Given $x_{l-1} \neq 0$ no $h_i$ is 0, and their signs are independent fair coins.",
            r"All $N_l$ are negative, and $x_l = 0$, with probability $2^{-N_l}$, whatever came before.",
            r"A dead layer stays dead: $h_{l+1} = W_{l+1} 0 = 0$.",
            r"So $P(x_l \neq 0) = \prod_{q \leq l} (1 - 2^{-N_q})$.",
        ),
        states=frozenset({"fair_signs"}),
    )


def _alive(layer: int, net: DenseNet) -> Predicted:
    require(no_biases(net, 1, layer), "there are no biases")
    require(all_relu(net, 1, layer), "every activation is ReLU")
    require(nonzero_input(net) == 1, "the input is not 0")
    chance = alive(net)[layer]
    require(not math.isnan(chance), "the weights are symmetric and without atoms")
    return Predicted(value=chance, variance=chance * (1 - chance), law=Law("bernoulli", p=chance))


def active_fraction(layer: int) -> Prediction:
    """E of the share of positive preactivations: half of those networks that are reached (A24)."""
    return Prediction(
        entry="A24",
        statement="Half of the units of a layer are positive, in every network that reaches it.",
        observable="preactivation.active_fraction",
        layer=layer,
        expression=r[l] / 2,
        evaluate=partial(_active_fraction, layer),
        assumptions=(
            "weights and biases symmetric about 0",
            "weights without atoms, or biases without atoms",
            "biases none, or never 0 (or 0 at times, where no layer before can be dead)",
        ),
        derivation=(
            r"Given $x_{l-1} \neq 0$ (or biases that are never 0) no $h_i$ is 0 and signs are independent fair coins.",
            r"The number of positive units is then Binomial$(N_l, \frac12)$: share $\frac12$, "
            r"variance $\frac{1}{4 N_l}$.",
            r"A net that died before has none: multiply by the probability $r_l$ of being reached.",
        ),
        states=frozenset({"fair_signs"}),
    )


def _active_fraction(layer: int, net: DenseNet) -> Predicted:
    require(fair_signs(net, layer), "weights and biases are symmetric and no preactivation is tied at 0")
    chance = reached(net, layer)
    require(chance > 0, "the probability that the layer is reached is known, and not 0")
    second = chance * (1 + 1 / net.widths[layer]) / 4
    return Predicted(value=chance / 2, variance=second - chance**2 / 4)
