"""Gradients through one nonlinear layer between linear ones, exactly at every width (E5)."""

from __future__ import annotations

from functools import partial

import sympy as sp

from theory import distributions, forward
from theory.activations import Activation
from theory.conditions import fixed_input, held, layer_is_gaussian, output_law, output_mask_is_blind, require, slope
from theory.net import DenseNet
from theory.power_sums import of_tensor
from theory.prediction import Predicted, Prediction, TheoryError
from theory.symbols import L, N, gamma2, m0, v
from theory.symbols import q as running

D, Z = sp.Function("D"), sp.Function("Z")
q1, share = sp.IndexedBase("Q", positive=True)[1], sp.Symbol("r_1", positive=True)
_BEHIND = gamma2 * sp.Product(N[running] * v[running], (running, 2, L))


def jacobian_second_moment(
    activation: Activation, widths: tuple[int, int, int], v1: float, v2: float, square: float, bias: float = 0.0
) -> float:
    """E |dy/dx|_F^2 of y = W_2 phi(W_1 x + b), Gaussian W_1 and b, W_2 of any law of mean 0 (E5).

    N_2 v_2 N_1 v_1 [(N_0 - r) E phi'^2 + r E z^2 phi'^2] with r = v_1 |x|^2 / q, q = v_1 |x|^2 + bias.

    Args:
        activation: phi.
        widths: N_0, N_1, N_2.
        v1: Variance of a weight of W_1; `v2` of W_2.
        v2: The same of W_2.
        square: |x|^2.
        bias: Variance of an entry of b.

    Raises:
        TheoryError: if q is 0.

    >>> from theory import activations
    >>> jacobian_second_moment(activations.get("relu"), (4, 8, 2), 0.5, 0.25, 4.0)
    4.0
    """
    n0, n1, n2 = widths
    return n2 * v2 * n1 * v1 * _entries(activation, n0, v1 * square, bias)


def _entries(activation: Activation, n0: int, signal: float, bias: float) -> float:
    """(N_0 - r) E phi'^2 + r E z^2 phi'^2."""
    q = signal + bias
    if not q > 0:
        raise TheoryError(f"the Jacobian of one hidden layer needs a signal: |x|^2 or the bias is not 0; here q = {q}.")
    r = signal / q
    free = activation.derivative_second_moment(q).value
    tied = activation.gaussian_mean(lambda s, y, dy: s**2 / q * dy**2, q).value
    return (n0 - r) * free + r * tied


_EXPRESSIONS = {
    "activation_gradient": _BEHIND * N[1] * v[1] * (D(q1) + share / N[0] * (Z(q1) - D(q1))),
    "preactivation_gradient": _BEHIND * D(q1),
    "bias_gradient": _BEHIND * D(q1),
    "weight_gradient": _BEHIND * D(q1) * m0,
}


def second_moment(tensor: str, layer: int) -> Prediction:
    """E g_0^2, E delta_1^2 or E dW_1^2 of a net whose layers behind the first are linear (E5).

    `activation_gradient` is stated of layer 0 and the others of layer 1; every other layer is refused.
    """
    return Prediction(
        entry="E5",
        statement="Through one nonlinear layer the energy of a gradient is known at every width: the direction of the "
        "input sees the mask that it made, the N_0 - 1 others do not.",
        observable=f"{tensor}.second_moment",
        layer=layer,
        expression=_EXPRESSIONS[tensor],
        evaluate=partial(_second_moment, tensor, layer),
        assumptions=(
            "layers behind the first are linear, with independent weights of mean 0 and any law",
            "Gaussian weights in layer 1, Gaussian biases or none",
            "fixed input",
            "dloss/dx_L independent of the network (one layer: with entries of mean 0 unless phi' is even)",
        ),
        derivation=(
            r"Linear layers multiply: $E g_1^2 = \gamma^2\prod_{k=2}^L N_k v_k$, with $g_1$ independent of $W_1$, and "
            r"its entries uncorrelated.",
            r"$g_0 = W_1^T(\varphi'(h_1) \odot g_1)$, so $E|g_0|^2 = E g_1^2\,N_1\,E\varphi'(h)^2|w|^2$ for a row $w$.",
            r"$h = w\cdot x_0 + b \sim N(0, q_1)$. Of the $N_0$ directions of $w$ only that of $x_0$ meets $h$: with "
            r"$r_1 = v_1|x_0|^2/q_1$ it is $\sqrt{v_1 r_1}\,z$ plus an independent part, $z = h/\sqrt{q_1}$.",
            r"So $E\varphi'^2|w|^2 = v_1[(N_0 - r_1)E\varphi'^2 + r_1 E z^2\varphi'^2]$, where $D = E\varphi'^2$ and "
            r"$Z = E z^2\varphi'^2$; for homogeneous $\varphi$ both are equal.",
            r"$\delta_1 = \varphi'(h_1) \odot g_1$ and $\partial\ell/\partial W_1 = \delta_1 x_0^T$.",
        ),
        states=frozenset({"gaussian_projection"}),
    )


def _second_moment(tensor: str, layer: int, net: DenseNet) -> Predicted:
    require(layer == (0 if tensor == "activation_gradient" else 1), "the gradient is that of the first layer")
    require(all(slope(net, k) == 1 for k in range(2, net.depth + 1)), "every layer behind the first is linear")
    require(fixed_input(net) and layer_is_gaussian(net, 1), "layer 1 is Gaussian and its input fixed")
    behind = of_tensor(output_law(net), net.widths[-1]).mean
    if net.depth == 1 and tensor == "activation_gradient":
        require(output_mask_is_blind(net), "dloss/dx_L has entries of mean 0, or phi' of the output is even")
    for k in range(2, net.depth + 1):
        law = net.weight(k)
        require(distributions.mean(law) == 0 and law.name != "constant", f"the weights of layer {k} have mean 0")
        behind *= net.widths[k] * distributions.variance(law)
    n0, bias = net.widths[0], distributions.raw_moment(net.bias(1), 1)
    q = forward.power_sums_of(net, "preactivation", 1).mean
    if tensor == "activation_gradient":
        each = _entries(net.phi(1), n0, q - bias, bias) / n0
        return Predicted(value=held(behind * net.widths[1] * distributions.variance(net.weight(1)) * each))
    value = behind * net.phi(1).derivative_second_moment(q).value
    return Predicted(value=held(value if tensor != "weight_gradient" else value * of_tensor(net.one_input, n0).mean))
