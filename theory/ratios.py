"""Ratios of the second moments of neighbouring layers: the factor of one layer (catalogue A14, A15, C2, G2).

Every ratio is given that its denominator is not 0. With Gaussian weights ratios of different layers are
independent, and each has a law of one layer's widths alone.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TypeVar

import numpy as np
import sympy as sp

from theory import distributions
from theory.backward import reached_power_sums
from theory.conditions import (
    alive,
    all_gaussian,
    homogeneous_slope,
    no_biases,
    nonzero_input,
    output_law,
    ratio_gate,
    require,
    shows_alive,
    symmetric_layer,
    zero_mean_weights,
)
from theory.forward import FACTS, HE, SYMMETRIC, ratio_law
from theory.laws.steps import shares
from theory.net import DenseNet, Distribution
from theory.power_sums import known
from theory.prediction import Law, MissingMomentError, Predicted, Prediction
from theory.symbols import N, c2_of, l, t, v
from theory.symbols import a as alpha

_H = N[l - 1] * v[l] * c2_of(l - 1)
_X = N[l - 1] * v[l] * c2_of(l)
_DELTA = N[l + 1] * v[l + 1] * c2_of(l) * t[l]
_G = N[l + 1] * v[l + 1] * c2_of(l + 1) * t[l + 1]

Quantity = TypeVar("Quantity", float, sp.Expr)
GIVEN = "given that the denominator is not 0"


def preactivation_ratio(layer: int) -> Prediction:
    """Mean of |h_l|^2/N_l over |h_{l-1}|^2/N_{l-1}, l >= 2: the halving of one ReLU layer (A14)."""
    return Prediction(
        entry="A14",
        statement="One layer multiplies the second moment of the preactivations by fan-in times weight variance "
        "times (1 + a^2)/2, whatever came before.",
        observable="preactivation.ratio",
        layer=layer,
        expression=_H,
        evaluate=partial(_preactivation_ratio, layer),
        assumptions=(*SYMMETRIC, "no biases", GIVEN),
        reference=HE,
        derivation=(
            r"Given $x_{l-1}$, $E|h_l|^2 = N_l v_l |x_{l-1}|^2$.",
            r"Given the sizes $|h_{l-1,i}|$ their signs are fair: $E|x_{l-1}|^2 = \frac{1+a^2}{2}|h_{l-1}|^2$.",
            r"So the ratio has mean $v_l N_{l-1}\frac{1+a^2}{2}$ whatever $h_{l-1} \neq 0$ is.",
            r"Gaussian weights: $|h_l|^2 / (v_l|x_{l-1}|^2) \sim \chi^2_{N_l}$, and $h_{l-1}$ has a uniform direction: "
            r"$|x_{l-1}|^2/|h_{l-1}|^2 = a^2 + (1-a^2) B$, $B \sim$ Beta$(\frac K2, \frac{N_{l-1}-K}{2})$ with "
            r"$K \sim$ Bin$(N_{l-1}, \frac12)$ units on.",
        ),
        states=FACTS,
    )


def _preactivation_ratio(layer: int, net: DenseNet) -> Predicted:
    rate = _forward_conditions(net, layer, layer - 1)
    require(no_biases(net, layer - 1, layer), "there are no biases")
    require(zero_mean_weights(net, layer - 1), f"the weights of layer {layer - 1} are random with mean 0")
    n, before = net.widths[layer], net.widths[layer - 1]
    value = before * distributions.variance(net.weight(layer)) * (1 + rate**2) / 2
    if rate == 1:
        return _with_scatter(net, layer, value, 1 + 2 / n, ratio_law(n, 1.0))
    gaussian = distributions.is_gaussian(net.weight(layer)) and distributions.is_gaussian(net.weight(layer - 1))
    if not gaussian:
        return Predicted(value=value)
    relative = (1 + 2 / n) * (1 + (_rho(rate) - 1) * 3 / (before + 2))
    law = Law("half_beta", n=n, m=before) if rate == 0 else None
    return Predicted(value=value, variance=known(value * value * (relative - 1)), law=law)


def activation_ratio(layer: int) -> Prediction:
    """Mean of |x_l|^2/N_l over |x_{l-1}|^2/N_{l-1} (C1, C2, G2)."""
    return Prediction(
        entry="C2",
        statement="One layer multiplies the second moment of the activations by fan-in times weight variance times "
        "(1 + a^2)/2, whatever came before; factors of different layers are uncorrelated.",
        observable="activation.ratio",
        layer=layer,
        expression=_X,
        evaluate=partial(_activation_ratio, layer),
        assumptions=(*SYMMETRIC, "no biases", GIVEN),
        reference="Hanin and Rolnick 2018",
        derivation=(
            r"Given $x_{l-1} \neq 0$, $E h_i^2 = v_l |x_{l-1}|^2$ and signs are fair.",
            r"So $E|x_l|^2 = N_l \frac{1+a^2}{2} v_l |x_{l-1}|^2$.",
            r"Gaussian weights: $|x_l|^2 / (v_l |x_{l-1}|^2) = \sum_i \varphi(z_i)^2$, for ReLU $\chi^2_A$ with "
            r"$A \sim$ Bin$(N_l, \frac12)$.",
            r"Relative variance $\left(6\frac{1+a^4}{(1+a^2)^2} - 1\right)/N_l$: $5/N_l$ for ReLU, "
            r"$2/N_l$ for linear layers.",
        ),
        states=FACTS,
    )


def _activation_ratio(layer: int, net: DenseNet) -> Predicted:
    rate = _forward_conditions(net, layer, layer)
    require(no_biases(net, layer, layer), "there are no biases")
    n = net.widths[layer]
    value = net.widths[layer - 1] * distributions.variance(net.weight(layer)) * (1 + rate**2) / 2
    return _with_scatter(net, layer, value, 1 + (3 * _rho(rate) - 1) / n, ratio_law(n, rate))


def _forward_conditions(net: DenseNet, layer: int, activation: int) -> float:
    require(zero_mean_weights(net, layer), f"the weights of layer {layer} are random with mean 0")
    require(nonzero_input(net) > 0, "the input is not 0")
    rate = homogeneous_slope(net, activation)
    require(
        rate == 1 or symmetric_layer(net, activation),
        f"the weights of layer {activation} are symmetric about 0",
    )
    return rate


def _rho(rate: float) -> float:
    """c4 / c2^2."""
    return 2 * (1 + rate**4) / (1 + rate**2) ** 2


def _with_scatter(net: DenseNet, layer: int, value: float, relative: float, law: Law | None) -> Predicted:
    """Value with the Gaussian second moment: exact, or a bound where the kurtosis of layer `layer` is at most 3."""
    weight = net.weight(layer)
    variance = known(value * value * (relative - 1))
    if distributions.is_gaussian(weight):
        return Predicted(value=value, variance=variance, law=law)
    try:
        bound = distributions.is_iid(weight) and distributions.kurtosis(weight) <= 3
    except MissingMomentError:
        bound = False
    return Predicted(value=value, variance=variance if bound else None, variance_is_bound=bound)


STANDARD = (
    "weights symmetric about 0 and without atoms (linear layers: any law of mean 0)",
    "biases none, or symmetric and never 0 (or 0 at times, where no layer before can be dead)",
    "activation homogeneous; phi'(0) = 0 for ReLU",
    "dloss/dx_L has independent symmetric entries and is independent of the network (linear output layers: any law)",
    GIVEN,
)
CONDITIONED = (
    r"A denominator that is not 0 came through layer $l+1$ and so implies $x_l \neq 0$ when that is ReLU: "
    r"the units on are Bin$(N_l, \frac12)$ given at least one, mean $\frac{N_l}{2(1-2^{-N_l})}$."
)


def preactivation_gradient_ratio(layer: int, tensor: str = "preactivation_gradient") -> Prediction:
    """Mean of |delta_l|^2/N_l over |delta_{l+1}|^2/N_{l+1}, l < L; biases have the same gradients (A15)."""
    return Prediction(
        entry="A11" if tensor == "bias_gradient" else "A15",
        statement="Back through one layer the second moment of delta is multiplied by fan-out times weight variance "
        "times (1 + a^2)/2, over 1 - 2^-N for ReLU layers without biases.",
        observable=f"{tensor}.ratio",
        layer=layer,
        expression=_DELTA,
        evaluate=partial(_preactivation_gradient_ratio, layer),
        assumptions=STANDARD,
        reference="He et al. 2015; Hanin 2018",
        derivation=(
            r"$\delta_l = \varphi'(h_l) \odot W_{l+1}^T \delta_{l+1}$, and "
            r"$E|W_{l+1}^T\delta|^2 = N_l v_{l+1} |\delta|^2$.",
            r"The mask is independent of what it masks, with fair signs.",
            CONDITIONED,
            r"Gaussian weights: $|\delta_l|^2 / (v_{l+1}|\delta_{l+1}|^2) \sim \chi^2_B$, $B$ the units on.",
        ),
        states=FACTS,
    )


def _preactivation_gradient_ratio(layer: int, net: DenseNet) -> Predicted:
    rate, factor = _backward_conditions(net, layer + 1, layer)
    n = net.widths[layer]
    value = net.widths[layer + 1] * distributions.variance(net.weight(layer + 1)) * (1 + rate**2) / 2 * factor
    relative = (1 + (3 * _rho(rate) - 1) / n) / factor
    law = ratio_law(n, rate) if factor == 1 and (rate != 0 or not shows_alive(net, layer)) else None
    if rate == 0 and shows_alive(net, layer):
        law = Law("relu_ratio_backward", n=n)
    return _with_scatter(net, layer + 1, value, relative, law)


def activation_gradient_ratio(layer: int) -> Prediction:
    """Mean of |g_l|^2/N_l over |g_{l+1}|^2/N_{l+1}, l < L (A15)."""
    return Prediction(
        entry="A15",
        statement="Back through one layer the second moment of the gradient is multiplied by fan-out times weight "
        "variance times (1 + a^2)/2, over 1 - 2^-N for ReLU layers without biases.",
        observable="activation_gradient.ratio",
        layer=layer,
        expression=_G,
        evaluate=partial(_activation_gradient_ratio, layer),
        assumptions=STANDARD,
        reference="He et al. 2015; Hanin 2018",
        derivation=(
            r"$g_l = W_{l+1}^T(\varphi'(h_{l+1}) \odot g_{l+1})$, and $E|W_{l+1}^T\delta|^2 = N_l v_{l+1}|\delta|^2$.",
            r"The mask is independent of $g_{l+1}$, with fair signs: it keeps $\frac{1+a^2}{2}$ in the mean.",
            CONDITIONED.replace("l+1", "l+2").replace("x_l ", "x_{l+1} ").replace("N_l", "N_{l+1}"),
            r"Gaussian weights: $\chi^2_{N_l}$ times the share $a^2 + (1-a^2) B$ that the mask keeps of a uniform "
            r"direction, $B \sim$ Beta$(\frac K2, \frac{N_{l+1}-K}{2})$.",
        ),
        states=FACTS,
    )


def _activation_gradient_ratio(layer: int, net: DenseNet) -> Predicted:
    rate, factor = _backward_conditions(net, layer + 1, layer + 1)
    n, behind = net.widths[layer], net.widths[layer + 1]
    value = behind * distributions.variance(net.weight(layer + 1)) * (1 + rate**2) / 2 * factor
    if rate == 1:
        return _with_scatter(net, layer + 1, value, 1 + 2 / n, ratio_law(n, 1.0))
    if not (distributions.is_gaussian(net.weight(layer + 1)) and _uniform_direction(net, layer + 1)):
        return Predicted(value=value)
    relative = (1 + 2 / n) * (1 + (_rho(rate) - 1) * 3 / (behind + 2)) / factor
    law = None
    if rate == 0 and shows_alive(net, layer + 1):
        law = Law("half_beta", n=n, m=behind, alive=1)
    elif rate == 0 and factor == 1:
        law = Law("half_beta", n=n, m=behind)
    return Predicted(value=value, variance=known(value * value * (relative - 1)), law=law)


class inverse_mean(sp.Function):  # noqa: N801  (a function in formulas)
    """kappa(n, a) = E [sum_i phi'(z_i)^2 / sum_i phi(z_i)^2] over n standard normals: n/(n - 2) at a = 1."""

    @classmethod
    def eval(cls, n: sp.Expr, a: sp.Expr) -> sp.Expr | None:
        """A number where both arguments are numbers."""
        return sp.Float(mean_of_inverse(int(n), float(a)), 17) if n.is_Number and a.is_Number else None


@lru_cache(maxsize=1024)
def mean_of_inverse(width: int, rate: float) -> float:
    """E of sum phi'(z_i)^2 / sum phi(z_i)^2 for a slope that is not 0: E [(A + a^2 (n - A)) / c] / (n - 2).

    >>> mean_of_inverse(5, 1.0)
    1.6666666666666667
    """
    require(width > 2, "the layer has more than 2 units: the mean of the ratio is infinite")
    square = rate**2
    if square == 1:
        return width / (width - 2)
    require(rate != 0, "no layer may have 1 or 2 units on alone, as ReLU layers do: the mean of the ratio is infinite")
    weight, log_share = shares(width, rate)
    counted, _ = shares(width, rate, counts=True)
    return width * float((square * weight + (1 - square) * counted) @ np.exp(-log_share)) / (width - 2)


_WEIGHT_RATIO = N[l + 1] * v[l + 1] / (N[l - 1] * v[l]) * inverse_mean(N[l], alpha[l])


def weight_gradient_ratio(layer: int) -> Prediction:
    """Mean of |dW_l|^2/(N_l N_{l-1}) over |dW_{l+1}|^2/(N_{l+1} N_l), l < L; linear and leaky layers (C8)."""
    return Prediction(
        entry="C8",
        statement="The squared weight gradients of neighbouring layers have the same factors but one: the same masks "
        "on two independent Gaussian vectors; infinite in the mean for ReLU.",
        observable="weight_gradient.ratio",
        layer=layer,
        expression=_WEIGHT_RATIO,
        evaluate=partial(_weight_gradient_ratio, layer),
        assumptions=(*STANDARD, "Gaussian weights in layers l and l + 1", "no biases in layer l", "N_l > 2, a not 0"),
        derivation=(
            r"$|\partial\ell/\partial W_l|^2 = |\delta_l|^2|x_{l-1}|^2$.",
            r"$|x_l|^2 = v_l|x_{l-1}|^2\sum_i\varphi(z_i)^2$ with $z = h_l/(\sqrt{v_l}|x_{l-1}|)$ standard normal.",
            r"$|\delta_l|^2 = v_{l+1}|\delta_{l+1}|^2\sum_i\varphi'(z_i)^2\xi_i^2$, with $\xi = W_{l+1}^T\delta_{l+1}/"
            r"(\sqrt{v_{l+1}}|\delta_{l+1}|)$ standard normal and independent of $z$: along $x_l$ by the fair signs of "
            r"$\delta_{l+1}$, across as $W_{l+1}$ is Gaussian.",
            r"So the ratio of sums is $\frac{v_{l+1}}{v_l}\sum\varphi'(z_i)^2\xi_i^2/\sum\varphi(z_i)^2$, with mean "
            r"$\frac{v_{l+1}}{v_l} E[\sum\varphi'(z_i)^2/\sum\varphi(z_i)^2]$: "
            r"$\frac{N_l}{N_l-2}$ for linear layers.",
            r"For ReLU one unit is on with positive probability, and $E\,1/\chi^2_1 = \infty$.",
        ),
        states=FACTS,
    )


def _weight_gradient_ratio(layer: int, net: DenseNet) -> Predicted:
    reached_power_sums(net, "preactivation_gradient", layer)  # the conditions on every layer from here on
    _require_gradient(net)
    rate = homogeneous_slope(net, layer)
    require(all_gaussian(net, layer, layer + 1), "the weights of layers l and l + 1 are Gaussian")
    require(no_biases(net, layer, layer), "layer l has no biases")
    require(alive(net)[layer - 1] == 1, "a signal always reaches the layer")
    n, variances = net.widths[layer], [distributions.variance(net.weight(k)) for k in (layer, layer + 1)]
    scale = net.widths[layer + 1] * variances[1] / (net.widths[layer - 1] * variances[0])
    mean = mean_of_inverse(n, rate)
    variance = None
    if rate == 1 and n > 4:
        variance = known((scale * mean) ** 2 * ((n + 2) * (n - 2) / (n * (n - 4)) - 1))
    return Predicted(value=scale * mean, variance=variance)


def _backward_conditions(net: DenseNet, lowest: int, masked: int) -> tuple[float, float]:
    """Slope of the masking layer and what conditioning on the denominator does to its mask (t of the symbols)."""
    reached_power_sums(net, "preactivation_gradient", masked)  # the conditions on every layer from here on
    _require_gradient(net)
    require(zero_mean_weights(net, lowest), f"the weights of layer {lowest} are random with mean 0")
    rate, factor = homogeneous_slope(net, masked), ratio_gate(net, masked)
    require(factor > 0, "the probability that a layer is dead is known")
    return rate, factor


def _require_gradient(net: DenseNet) -> None:
    law = output_law(net)
    nonzero = distributions.zero_probability(law) < 1 if isinstance(law, Distribution) else any(law)
    require(nonzero, "the output gradient is not always 0: no network has the ratio")


def _uniform_direction(net: DenseNet, layer: int) -> bool:
    """Whether g_l is a Gaussian vector given its length."""
    if layer < net.depth:
        return distributions.is_gaussian(net.weight(layer + 1))
    law = output_law(net)
    return isinstance(law, Distribution) and distributions.is_gaussian(law) and distributions.mean(law) == 0


def relative_variance(width: Quantity, slope: Quantity) -> Quantity:
    """Relative variance of one layer's factor with Gaussian weights, in numbers or in symbols (C2).

    >>> n = sp.Symbol("n", positive=True)
    >>> relative_variance(n, sp.Integer(0)), relative_variance(n, sp.Integer(1))
    (5/n, 2/n)
    """
    return (6 * (1 + slope**4) / (1 + slope**2) ** 2 - 1) / width
