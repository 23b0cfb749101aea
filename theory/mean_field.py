"""Infinite width: the maps of second moments, their fixed points, gains (catalogue E1, E2, MF-01, GN-01, TR-01, TR-03).

q_l = E h_l^2; a layer maps q to sw2 V(q) + sb2 with sw2 = N v, and gradients by chi_1 = sw2 D(q). As integrals
these are exact; as statements about networks they hold as widths grow, with an error of order 1/N, except for
the first steps of a fixed input through Gaussian weights, which are exact.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import sympy as sp
from scipy import optimize

from theory import activations, distributions, forward
from theory.conditions import (
    all_homogeneous,
    fixed_input,
    gaussian_biases,
    layer_is_gaussian,
    output_law,
    output_mask_is_blind,
    reached,
    require,
    slope,
    symmetric_layer,
    zero_mean_weights,
)
from theory.net import DenseNet, once_per_net
from theory.power_sums import known, of_tensor
from theory.prediction import Exactness, Predicted, Prediction, TheoryError
from theory.symbols import L, N, beta, gamma2, l, q, v

P16 = "Poole et al. 2016; Schoenholz et al. 2017"
V, D, M = sp.Function("V"), sp.Function("D"), sp.Function("M")
V4 = sp.Function("V4")
"""V4(q) = E phi(sqrt(q) z)^4."""
q_ = sp.IndexedBase("Q", positive=True)
"""Q[l]: E h_l^2, q_l of the texts."""

MAPS = (
    "weights independent, zero mean, any law",
    "biases Gaussian, or none",
    "widths large against depth: the value holds to order 1/N",
)
ONE_STEP = ("Gaussian weights in layer 1, Gaussian biases or none", "fixed input")


# The maps as functions


def variance_map(name: str, q: float, sw2: float = 1.0, sb2: float = 0.0) -> float:
    """sw2 V(q) + sb2, the next layer's E h^2 (E1).

    >>> variance_map("relu", 1.0, sw2=2.0)
    1.0
    """
    return sw2 * activations.second_moment(name, q).value + sb2


def chi_1(name: str, q: float, sw2: float = 1.0) -> float:
    """sw2 D(q): what a layer multiplies the energy of gradients by (E2).

    >>> chi_1("relu", 7.0, sw2=2.0)
    1.0
    """
    return sw2 * activations.derivative_second_moment(name, q).value


def variance_map_slope(name: str, q: float) -> float:
    """V'(q) = E[(z^2 - 1) phi(sqrt(q) z)^2] / (2 q), without a derivative of phi (E2).

    >>> round(variance_map_slope("relu", 2.0), 12)
    0.5
    """
    if (rate := activations.by_name(name).slope()) is not None:
        return (1 + rate**2) / 2
    function = activations.by_name(name).function
    assert function is not None
    return activations.gaussian_mean(lambda s: (s**2 / q - 1) * function(s) ** 2, q).value / (2 * q)


def gains(name: str) -> dict[str, float]:
    """Gains at q = 1 that preserve E h^2, the energy of gradients, and the centred variance (GN-01).

    >>> sorted(gains("relu").items())[0]
    ('backward', 1.4142135623730951)
    """
    second = activations.second_moment(name, 1.0).value
    centre = activations.mean(name, 1.0).value
    return {
        "forward": second**-0.5,
        "backward": activations.derivative_second_moment(name, 1.0).value ** -0.5,
        "centred": (second - centre**2) ** -0.5,
    }


def fixed_points(name: str, sw2: float, sb2: float = 0.0) -> list[float]:
    """The q > 0 with sw2 V(q) + sb2 = q between 1e-8 and 1e8; empty where there is none or every q is one.

    >>> fixed_points("tanh", 1.0), [round(x, 6) for x in fixed_points("tanh", (5 / 3) ** 2)]
    ([], [1.17848])
    """

    def excess(log_q: float) -> float:
        q = math.exp(log_q)
        return variance_map(name, q, sw2, sb2) / q - 1

    grid = np.linspace(math.log(1e-8), math.log(1e8), 400)
    values = np.array([excess(s) for s in grid])
    values[np.abs(values) < 1e-12] = 0.0
    crossings = np.flatnonzero(values[:-1] * values[1:] < 0)
    return [math.exp(optimize.brentq(excess, grid[i], grid[i + 1], xtol=1e-14)) for i in crossings]


def length_map(name: str, q1: float, sw2: float, sb2: float, layers: int) -> list[float]:
    """q_1, ..., q_layers of equal layers (E1, MF-01).

    >>> length_map("relu", 1.0, 2.0, 0.0, 3)
    [1.0, 1.0, 1.0]
    """
    orbit = [q1]
    for _ in range(layers - 1):
        orbit.append(variance_map(name, orbit[-1], sw2, sb2))
    return orbit


def sigmoid_slope(s: float) -> float:
    """sigma'(s) = 1/(4 cosh(s/2)^2): even, largest at 0, where it is 1/4 (A17).

    >>> sigmoid_slope(0.0), round(sigmoid_slope(4.0), 6)
    (0.25, 0.017663)
    """
    decay = math.exp(-abs(s))
    return decay / (1 + decay) ** 2


def goldilocks(edge: float, layers: int) -> tuple[float, float]:
    """Least and greatest product of sigmoid slopes over `layers` layers that stay in [-edge, edge] (TR-01).

    >>> low, high = goldilocks(4.0, 10)
    >>> f"{low:.1e} {high:.1e}"
    '3.0e-18 9.5e-07'
    """
    return sigmoid_slope(edge) ** layers, 0.25**layers


def weight_gradient_growth(name: str, q: float) -> float:
    """V(q)/(q D(q)): E|dW_{l+1}|^2 / E|dW_l|^2 for equal widths and variances without biases (TR-03).

    >>> weight_gradient_growth("relu", 3.0)
    1.0
    """
    second = activations.second_moment(name, q).value
    return second / (q * activations.derivative_second_moment(name, q).value)


# Statements about networks


_MAP = N[l - 1] * v[l] * V(q_[l - 1]) + beta[l]
_ONE_STEP = {
    ("activation", "second_moment"): V(q_[l]),
    ("activation", "mean"): M(q_[l]),
    ("activation", "fourth_moment"): V4(q_[l]),
    ("preactivation", "second_moment"): _MAP,
}
_RATIO = _MAP / q_[l - 1]
_CHI = {
    "activation_gradient": N[l + 1] * v[l + 1] * D(q_[l + 1]),
    "preactivation_gradient": N[l + 1] * v[l + 1] * D(q_[l]),
}
_CHI["bias_gradient"] = _CHI["preactivation_gradient"]


def one_step(tensor: str, statistic_of: str, layer: int) -> Prediction:
    """Exact moments of one layer of a fixed input through Gaussian weights, any activation (E1, MF-01).

    `tensor` is preactivation (layers 1 and 2) or activation (layer 1); `statistic_of` is second_moment,
    fourth_moment or, for activations, mean.
    """
    return Prediction(
        entry="E1",
        statement="The entries of the first layer of a fixed input are independent N(0, q_1): their means over phi "
        "are Gaussian integrals, exact at every width, and so is the next layer's second moment.",
        observable=f"{tensor}.{statistic_of}",
        layer=layer,
        expression=_ONE_STEP[tensor, statistic_of],
        evaluate=partial(_one_step, tensor, statistic_of, layer),
        assumptions=ONE_STEP,
        reference=P16,
        derivation=(
            r"Given $x_0$, $h_{1,i}$ are independent $N(0, q_1)$ with $q_1 = v_1|x_0|^2 + \beta_1$.",
            r"So $E\varphi(h_{1,i})^2 = V(q_1)$, with variance $(E\varphi^4 - V^2)/N_1$ of the mean over units.",
            r"$E h_2^2 = v_2 N_1 V(q_1) + \beta_2$, as $W_2$ is independent of $x_1$.",
        ),
        states=frozenset({"gaussian_projection"}),
    )


def _one_step(tensor: str, statistic_of: str, layer: int, net: DenseNet) -> Predicted:
    sums = forward.power_sums_of(net, tensor, layer)
    if statistic_of == "second_moment":
        return Predicted(value=sums.mean, variance=known(sums.variance))
    require(layer == 1 and fixed_input(net) and layer_is_gaussian(net, 1), "layer 1 is Gaussian, its input fixed")
    name, parameters = net.phi(1)
    q1 = forward.power_sums_of(net, "preactivation", 1).mean
    if statistic_of == "fourth_moment":
        return Predicted(value=activations.power_mean(name, q1, 4, parameters).value)
    mean = activations.mean(name, q1, parameters).value
    return Predicted(value=mean, variance=(sums.mean - mean**2) / net.widths[1])


def second_moment(tensor: str, layer: int) -> Prediction:
    """E h_l^2 or E x_l^2 at infinite width by the length map (E1, MF-01)."""
    return Prediction(
        entry="E1",
        statement="At large width E h^2 follows the length map q -> N v V(q) + beta, and E x^2 = V(q).",
        observable=f"{tensor}.second_moment",
        layer=layer,
        expression=_MAP if tensor == "preactivation" else _ONE_STEP[tensor, "second_moment"],
        evaluate=partial(_second_moment, tensor, layer),
        exactness=Exactness.INFINITE_WIDTH,
        assumptions=MAPS,
        reference=P16,
        derivation=(
            r"Given the layer before, $h_{l,i}$ are independent $N(0, G_l)$, $G_l = v_l|x_{l-1}|^2 + \beta_l$.",
            r"$E[G_{l+1} \mid G_l] = N_l v_{l+1} V(G_l) + \beta_{l+1}$ exactly.",
            r"$G_l$ is a mean over $N_{l-1}$ units: as widths grow it stops fluctuating, and $G_l \to q_l$.",
            r"Hence $q_{l+1} = N_l v_{l+1} V(q_l) + \beta_{l+1}$.",
        ),
    )


def _second_moment(tensor: str, layer: int, net: DenseNet) -> Predicted:
    return Predicted(value=forward.power_sums_of(net, tensor, layer, exact=False).mean)


def preactivation_ratio(layer: int) -> Prediction:
    """q_l / q_{l-1} at infinite width (E1)."""
    return Prediction(
        entry="E1",
        statement="At large width the second moments of neighbouring layers have the ratio of the length map.",
        observable="preactivation.ratio",
        layer=layer,
        expression=_RATIO,
        evaluate=partial(_preactivation_ratio, layer),
        exactness=Exactness.INFINITE_WIDTH,
        assumptions=MAPS,
        reference=P16,
        derivation=(
            r"Both second moments converge to $q_l$ and $q_{l-1}$ as widths grow.",
            r"So does their ratio, to $q_l/q_{l-1}$.",
            r"$q_l = N_{l-1} v_l V(q_{l-1}) + \beta_l$.",
        ),
    )


def _preactivation_ratio(layer: int, net: DenseNet) -> Predicted:
    after, before = (forward.power_sums_of(net, "preactivation", k, exact=False).mean for k in (layer, layer - 1))
    return Predicted(value=after / before)


_CHIS = sp.Product(N[q] * v[q] * D(q_[q]), (q, l + 1, L))
_GRADIENTS = {
    "activation_gradient": gamma2 * _CHIS,
    "preactivation_gradient": gamma2 * D(q_[l]) * _CHIS,
    "bias_gradient": gamma2 * D(q_[l]) * _CHIS,
    "weight_gradient": gamma2 * D(q_[l]) * _CHIS * sp.Symbol("E_x2", positive=True),
}


def gradient_second_moment(tensor: str, layer: int) -> Prediction:
    """Mean square of a gradient at infinite width: a product of chi_1 (E2, TR-03).

    In the expression of weight gradients `E_x2` stands for E x_{l-1}^2.
    """
    return Prediction(
        entry="TR-03" if tensor == "weight_gradient" else "E2",
        statement="At large width each layer multiplies the energy of gradients by N v D(q)"
        + ("; a weight's gradient is the product of delta_l and x_{l-1}." if tensor == "weight_gradient" else "."),
        observable=f"{tensor}.second_moment",
        layer=layer,
        expression=_GRADIENTS[tensor],
        evaluate=partial(_gradient, tensor, layer),
        exactness=Exactness.INFINITE_WIDTH,
        assumptions=(
            *MAPS,
            "dloss/dx_L independent of the network, with entries of mean 0 unless phi' of the output is even",
        ),
        reference="Schoenholz et al. 2017; Yang 2020",
        derivation=(
            r"$\delta_l = \varphi'(h_l) \odot g_l$ and $g_{l-1} = W_l^T\delta_l$.",
            r"As widths grow $g_l$ behaves as if independent of $h_l$: $E\delta_l^2 = D(q_l) E g_l^2$.",
            r"$E g_{l-1}^2 = N_l v_l E\delta_l^2$, so a layer multiplies by $\chi_1 = N_l v_l D(q_l)$.",
            r"$E(\delta_i x_j)^2 = E\delta_l^2 E x_{l-1}^2$ in the same limit.",
        ),
    )


@once_per_net
def gradient_energies(net: DenseNet) -> list[float]:
    """E g_l^2 of an entry for l = 0..L at infinite width; NaN below a layer without a value."""
    law = output_law(net)
    energies = [math.nan] * (net.depth + 1)
    energies[-1] = of_tensor(law, net.widths[-1]).mean
    for k in range(net.depth, 0, -1):
        if not zero_mean_weights(net, k) or (k == net.depth and not output_mask_is_blind(net)):
            break
        factor = net.widths[k] * distributions.variance(net.weight(k))
        energies[k - 1] = energies[k] * factor * _slope_energy(net, k)
    return energies


def _slope_energy(net: DenseNet, layer: int) -> float:
    """D(q_l) of a q_l that is not 0; NaN where it is not known."""
    rate = slope(net, layer)
    if rate == 1:
        return 1.0
    name, parameters = net.phi(layer)
    try:
        sums = forward.power_sums_of(net, "preactivation", layer, exact=False)
        if rate is not None:
            return (1 + rate**2) / 2 if symmetric_layer(net, layer) else math.nan
        require(gaussian_biases(net, layer), "biases are Gaussian or absent")
    except TheoryError:
        return math.nan
    return activations.derivative_second_moment(name, sums.mean, parameters).value


def _gradient(tensor: str, layer: int, net: DenseNet) -> Predicted:
    require(not all_homogeneous(net, 1, net.depth), "some activation is not homogeneous; for others see C7")
    value = gradient_energies(net)[layer]
    if tensor != "activation_gradient":
        value *= _slope_energy(net, layer)
    if tensor == "weight_gradient":
        value *= forward.power_sums_of(net, "activation", layer - 1, exact=False).mean
    require(math.isfinite(value) and value > 0, "second moments are known, and such that a float can hold")
    return Predicted(value=value)


def first_gradient(tensor: str) -> Prediction:
    """delta_1 of a one-layer net with a fixed input: the mask is a Gaussian integral, exact at every width (E2)."""
    return Prediction(
        entry="E2",
        statement="With one layer, Gaussian weights and a fixed input, E delta^2 = gamma^2 D(q_1) at every width.",
        observable=f"{tensor}.second_moment",
        layer=1,
        expression=gamma2 * D(q_[1]),
        evaluate=partial(_first_gradient, tensor),
        assumptions=(*ONE_STEP, "one layer", "dloss/dx_1 independent of the network"),
        reference=P16,
        derivation=(
            r"$\delta = \varphi'(h_1) \odot g$ with $g$ independent of $h_1$.",
            r"$h_{1,i} \sim N(0, q_1)$, so $E\varphi'(h_1)^2 = D(q_1)$.",
            r"The product has second moment $\gamma^2 D(q_1)$.",
        ),
        states=frozenset({"gaussian_projection"}),
    )


def _first_gradient(tensor: str, net: DenseNet) -> Predicted:
    require(net.depth == 1, "the net has one layer")
    require(fixed_input(net) and layer_is_gaussian(net, 1), "layer 1 is Gaussian and its input fixed")
    require(reached(net, 1) == 1, "the input or the biases are not 0")
    return Predicted(value=of_tensor(output_law(net), net.widths[1]).mean * _slope_energy(net, 1))


def gradient_ratio(tensor: str, layer: int) -> Prediction:
    """Ratio of gradient energies of neighbouring layers at infinite width: chi_1 (E2)."""
    return Prediction(
        entry="E2",
        statement="At large width the energies of the gradients of neighbouring layers have the ratio N v D(q).",
        observable=f"{tensor}.ratio",
        layer=layer,
        expression=_CHI[tensor],
        evaluate=partial(_gradient_ratio, tensor, layer),
        exactness=Exactness.INFINITE_WIDTH,
        assumptions=(
            *MAPS,
            "dloss/dx_L independent of the network, with entries of mean 0 unless phi' of the output is even",
        ),
        reference="Schoenholz et al. 2017; Yang 2020",
        derivation=(
            r"Both energies converge as widths grow, and so does their ratio.",
            r"$E g_l^2 = N_{l+1} v_{l+1} E\delta_{l+1}^2$ and $E\delta_l^2 = D(q_l) E g_l^2$.",
            r"One step back multiplies by $\chi_1 = N v D(q)$.",
        ),
    )


def _gradient_ratio(tensor: str, layer: int, net: DenseNet) -> Predicted:
    require(not all_homogeneous(net, 1, net.depth), "some activation is not homogeneous; for others see A15")
    energies, at = gradient_energies(net), layer + 1 if tensor == "activation_gradient" else layer
    factor = net.widths[layer + 1] * distributions.variance(net.weight(layer + 1))
    value = factor * _slope_energy(net, at)
    require(math.isfinite(energies[layer]) and math.isfinite(value) and value > 0, "second moments are known")
    return Predicted(value=value)
