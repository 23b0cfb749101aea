"""Signs of units: means, zero or not, the share of active units, networks that die (catalogue A4, A24, C5)."""

from __future__ import annotations

import math
from functools import partial

import sympy as sp

from theory import distributions
from theory.conditions import (
    alive,
    all_relu,
    fair_signs,
    fixed_input,
    homogeneous_slope,
    layer_is_gaussian,
    no_biases,
    nonzero_input,
    reached,
    require,
    slope,
    symmetric_layer,
    zero_mean_weights,
)
from theory.existence import require_mean
from theory.finite_width import Factor, require_gaussian_forward
from theory.forward import power_sums_of
from theory.laws.steps import step
from theory.net import DenseNet, Distribution
from theory.power_sums import known
from theory.prediction import Law, Predicted, Prediction, TheoryError
from theory.symbols import N, a, l, q, r, v


def preactivation_mean(layer: int) -> Prediction:
    """E h_l is the mean of the biases, 0 without, for every activation (A4)."""
    return Prediction(
        entry="A4",
        statement="Preactivations have mean 0 (the mean of the biases), whatever the activation that has a mean.",
        observable="preactivation.mean",
        layer=layer,
        expression=sp.Integer(0),
        evaluate=partial(_preactivation_mean, layer),
        assumptions=(
            "weights independent of what they multiply, zero mean, any law",
            "biases of mean 0",
            "the activations of the layer before have a mean",
        ),
        derivation=(
            r"$E h_i = \sum_j E w_{ij} E x_j + E b_i$, as $W_l$ is independent of $x_{l-1}$.",
            r"$E w_{ij} = 0$, so $E h_i = E b_i$.",
            r"Different rows are uncorrelated: the mean over a layer has variance $E h_l^2 / N_l$.",
        ),
    )


def _preactivation_mean(layer: int, net: DenseNet) -> Predicted:
    require(zero_mean_weights(net, layer), f"the weights of layer {layer} are random with mean 0")
    require(distributions.mean(net.bias(layer)) == 0, "the biases have mean 0")
    require_mean(net, layer - 1)
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
        assumptions=("phi(-s) = -phi(s)", "weights and biases of the layer symmetric about 0", "E|x_l| is finite"),
        derivation=(
            r"Flipping the signs of row $i$ of $W_l$ and of $b_i$ flips $h_i$ and changes no law.",
            r"So $h_i$ and $-h_i$ have one law, and $E\varphi(h_i) = -E\varphi(h_i) = 0$ for odd $\varphi$.",
            r"Rows flip one at a time: $E x_i x_j = 0$, and the mean over a layer has variance $E x_l^2/N_l$.",
        ),
    )


def _activation_mean(layer: int, net: DenseNet) -> Predicted:
    require(net.phi(layer).odd, "the activation is odd")
    require(symmetric_layer(net, layer), "weights and biases of the layer are symmetric about 0")
    require(zero_mean_weights(net, layer), f"the weights of layer {layer} are random with mean 0")
    require_mean(net, layer)
    try:
        variance = power_sums_of(net, "activation", layer).mean / net.widths[layer]
    except TheoryError:
        return Predicted(value=0.0)
    normal = layer == 1 and fixed_input(net) and layer_is_gaussian(net, 1) and slope(net, 1) == 1
    law = Law("normal_mean", std=math.sqrt(variance)) if normal else None
    return Predicted(value=0.0, variance=variance, law=law)


rho = sp.Function("rho")
"""rho(n, a) = E sqrt(sum_i phi(z_i)^2), z_i standard normal, 0 included; sqrt(2) Gamma((n+1)/2)/Gamma(n/2) at a = 1."""
input_norm = sp.Symbol("X_0", positive=True)
"""E |x_0|."""


_HOMOGENEOUS_MEAN = (
    (1 - a[l]) * sp.sqrt(v[l] / (2 * sp.pi)) * input_norm * sp.Product(sp.sqrt(v[q]) * rho(N[q], a[q]), (q, 1, l - 1))
)


def homogeneous_activation_mean(layer: int) -> Prediction:
    """E x_l of ReLU and leaky nets with Gaussian weights, in every layer: not 0, so Var x_l is below E x_l^2 (A4)."""
    return Prediction(
        entry="A4",
        statement="Activations of ReLU and leaky nets have a mean, (1 - a)/sqrt(2 pi) times the mean norm of what "
        "comes in times the standard deviation of a weight: their variance is below their second moment.",
        observable="activation.mean",
        layer=layer,
        expression=_HOMOGENEOUS_MEAN,
        evaluate=partial(_homogeneous_mean, layer),
        assumptions=("Gaussian weights", "no biases", "homogeneous activations", "fixed or centred Gaussian input"),
        derivation=(
            r"Given $x_{l-1}$ the entries of $h_l$ are independent $N(0, v_l|x_{l-1}|^2)$ and "
            r"$E\varphi(z) = \frac{1-a}{\sqrt{2\pi}}$: $E x_l = \frac{1-a}{\sqrt{2\pi}}\sqrt{v_l}\, E|x_{l-1}|$.",
            r"$|x_q| = \sqrt{v_q}|x_{q-1}|\sqrt{Y_q}$ with independent $Y_q = \sum_i\varphi(z_i)^2$, 0 where all are "
            r"off.",
            r"For ReLU $E\sqrt{Y_q} = \sum_A 2^{-N_q}\binom{N_q}{A}\sqrt2\,\Gamma(\frac{A+1}{2})/\Gamma(\frac A2)$ "
            r"over $A \geq 1$ units on.",
            r"The mean over the layer has second moment $v_l E|x_{l-1}|^2 (\frac{1+a^2}{2N_l} + "
            r"(1 - \frac{1}{N_l})\frac{(1-a)^2}{2\pi})$.",
        ),
        states=frozenset({"gaussian_projection"}),
    )


def _homogeneous_mean(layer: int, net: DenseNet) -> Predicted:
    require_gaussian_forward(net, layer, layer)
    rate, variance = homogeneous_slope(net, layer), distributions.variance(net.weight(layer))
    require(rate != 1, "the activation of the layer is not odd")
    log_norm, squared = _input_norms(net)
    for k in range(1, layer):
        own = homogeneous_slope(net, k)
        one = step(Factor(net.widths[k], own))
        passed = -math.expm1(-net.widths[k] * math.log(2)) if own == 0 else 1.0
        log_norm += math.log(distributions.variance(net.weight(k))) / 2 + math.log(one.power(0.5) * passed)
    require(abs(log_norm) < 300, "the mean norm is one that a float can hold")
    bias = (1 - rate) / math.sqrt(2 * math.pi)
    value = bias * math.sqrt(variance) * math.exp(log_norm)
    before = squared if layer == 1 else power_sums_of(net, "activation", layer - 1).mean * net.widths[layer - 1]
    n = net.widths[layer]
    second = variance * before * ((1 + rate**2) / (2 * n) + (1 - 1 / n) * bias**2)
    return Predicted(value=value, variance=known(max(second - value * value, 0.0)))


def _input_norms(net: DenseNet) -> tuple[float, float]:
    """log E |x_0| and E |x_0|^2."""
    if not isinstance(net.one_input, Distribution):
        squared = math.fsum(x * x for x in net.one_input)
        require(squared > 0, "the input is not 0")
        return math.log(squared) / 2, squared
    centred = distributions.is_gaussian(net.one_input) and distributions.mean(net.one_input) == 0
    require(centred, "the input is fixed, or Gaussian with mean 0")
    variance, n = distributions.variance(net.one_input), net.widths[0]
    return math.log(variance) / 2 + math.log(step(Factor(n, 1.0)).power(0.5)), n * variance


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
