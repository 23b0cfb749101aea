"""Statements about gradients at large width: products of chi_1 = N v D(q) (catalogue E2, TR-03)."""

from __future__ import annotations

import math
from functools import partial

import sympy as sp

from theory import distributions, forward
from theory.conditions import (
    all_homogeneous,
    fixed_input,
    gaussian_biases,
    held,
    layer_is_gaussian,
    output_law,
    output_mask_is_blind,
    reached,
    require,
    slope,
    symmetric_layer,
    zero_mean_weights,
)
from theory.mean_field.symbols import BLIND, MAPS, ONE_STEP, P16, D, V, q_
from theory.net import DenseNet, once_per_net
from theory.power_sums import of_tensor
from theory.prediction import Exactness, Predicted, Prediction, TheoryError
from theory.symbols import L, N, gamma2, l, q, v

_CHI = {
    "activation_gradient": N[l + 1] * v[l + 1] * D(q_[l + 1]),
    "preactivation_gradient": N[l + 1] * v[l + 1] * D(q_[l]),
}
_CHI["bias_gradient"] = _CHI["preactivation_gradient"]

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
        assumptions=(*MAPS, BLIND),
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
    try:
        sums = forward.power_sums_of(net, "preactivation", layer, exact=False)
        if rate is not None:
            return (1 + rate**2) / 2 if symmetric_layer(net, layer) else math.nan
        require(gaussian_biases(net, layer), "biases are Gaussian or absent")
    except TheoryError:
        return math.nan
    phi = net.phi(layer)
    if net.is_deep:
        return phi.derivative_second_moment_value(sums.mean)
    return phi.derivative_second_moment(sums.mean).value


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
    return Predicted(value=held(of_tensor(output_law(net), net.widths[1]).mean * _slope_energy(net, 1)))


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
        assumptions=(*MAPS, BLIND),
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


_WEIGHT_RATIO = N[l + 1] * v[l + 1] * D(q_[l]) * V(q_[l - 1]) / V(q_[l])
_FIRST_WEIGHT_RATIO = N[l + 1] * v[l + 1] * D(q_[l]) * sp.Symbol("E_x0_2", positive=True) / V(q_[l])


def weight_gradient_ratio(layer: int) -> Prediction:
    """E (dW_l)^2 / E (dW_{l+1})^2 per entry at infinite width; q D(q)/V(q) for equal layers without biases (TR-03)."""
    return Prediction(
        entry="TR-03",
        statement="At large width the second moments of the weight gradients of neighbouring layers have the ratio "
        "N v D(q_l) E x_{l-1}^2 / E x_l^2: not 1, unless phi is homogeneous.",
        observable="weight_gradient.ratio",
        layer=layer,
        expression=_WEIGHT_RATIO if layer > 1 else _FIRST_WEIGHT_RATIO,
        evaluate=partial(_weight_gradient_ratio, layer),
        exactness=Exactness.INFINITE_WIDTH,
        assumptions=(*MAPS, BLIND),
        reference="Schoenholz et al. 2017; Yang 2020",
        derivation=(
            r"$dW_l = \delta_l x_{l-1}^T$, where $\delta_l$ is the gradient of the loss at $h_l$.",
            r"As widths grow the factors behave as if independent: $E(dW_l)^2 = E\delta_l^2 \, E x_{l-1}^2$ per entry.",
            r"One layer back, $E\delta_l^2 = D(q_l) N_{l+1} v_{l+1} E\delta_{l+1}^2$, $D(q) = E\varphi'(\sqrt q z)^2$.",
            r"Dividing, $E(dW_l)^2/E(dW_{l+1})^2 = N_{l+1} v_{l+1} D(q_l)\, E x_{l-1}^2/E x_l^2$; $E x_l^2 = V(q_l)$.",
            r"Equal layers without biases have $N v E x_{l-1}^2 = q_l$: the ratio is $q_l D(q_l)/V(q_l)$, "
            r"which is 1 for homogeneous $\varphi$ and at least 1 for odd $\varphi$.",
        ),
    )


def _weight_gradient_ratio(layer: int, net: DenseNet) -> Predicted:
    require(not all_homogeneous(net, 1, net.depth), "some activation is not homogeneous; for others see C8")
    before, after = (forward.power_sums_of(net, "activation", k, exact=False).mean for k in (layer - 1, layer))
    factor = net.widths[layer + 1] * distributions.variance(net.weight(layer + 1))
    value = factor * _slope_energy(net, layer) * before / after
    known = math.isfinite(gradient_energies(net)[layer]) and math.isfinite(value) and value > 0
    require(known, "second moments are known, and the output's mask does not see its gradient")
    return Predicted(value=value)
