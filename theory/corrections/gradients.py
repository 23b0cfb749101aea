"""Statements about the mean squares of gradients to order 1/width, any activation, Gaussian weights (E6, E7).

With independent entries of the output gradient, E |J^T g|^2 = gamma^2 E |J|_F^2: the energy of a gradient that comes
back is that of tangents sent forward, which `tangents` follows.
"""

from __future__ import annotations

import math
from functools import partial

import sympy as sp

from theory import distributions
from theory.conditions import all_gaussian, all_homogeneous, output_law, output_mask_is_blind, require
from theory.corrections import tangents
from theory.corrections.forward import ASSUMES, K, Values, eps, left_out, q_
from theory.corrections.integrals import integrals
from theory.corrections.signal import signal_of
from theory.net import DenseNet, Distribution
from theory.power_sums import of_tensor
from theory.prediction import Exactness, Predicted, Prediction, TheoryError
from theory.symbols import L, N, beta, gamma2, l, v

c, dc, dcdq = (sp.IndexedBase(name, real=True) for name in ("c", "Delta_c", "c_1"))
"""c[l], Delta_c[l]: of a tangent in front of layer l, what reaches the output at infinite width, and its shift."""

_EXPRESSIONS = {
    "activation_gradient": gamma2 * N[L] * v[l + 1] * (c[l + 1] + dc[l + 1]),
    "preactivation_gradient": gamma2 * N[L] / N[l] * (c[l] + dc[l]),
    "weight_gradient": gamma2
    * N[L]
    / (N[l] * N[l - 1] * v[l])
    * ((q_[l] - beta[l]) * (c[l] + dc[l]) + eps[l] * c[l] + K[l] * dcdq[l]),
}
_EXPRESSIONS["bias_gradient"] = _EXPRESSIONS["preactivation_gradient"]

_CHAIN = (
    r"Let $g_L$ have independent entries of variance $\gamma^2$ and mean 0. For a Jacobian $J$, "
    r"$E_g|J^T g_L|^2 = \gamma^2|J|_F^2 = \gamma^2 E_t|J t|^2$ with a tangent $t$ of independent entries, variance 1.",
    r"Tangents obey $t_{k+1} = W_{k+1}(\varphi'(h_k) \odot t_k)$; given the past the pairs $(h_{k,i}, t_{k,i})$ are "
    r"independent Gaussian with variances $G, T$ and covariance $\beta$.",
    r"Write $c = E T$ at infinite width, $\Delta c$ for its shift, $C$ = Cov$(T, G)$, $B = E\beta^2$; each but $c$ is "
    r"of order $1/n$. With $s = N_k v_{k+1}$, $\chi = s D(q_k)$ and $E F(h) t^2 = T\,E F + 2\beta^2 (E F)'$:",
    r"$c_+ = \chi c$, $\Delta c_+ = \chi\Delta c + \chi'(C + c\,\varepsilon + 2B) + \frac12 c\,\chi'' K$,",
    r"$C_+ = s V'(\chi C + c\chi' K) + \frac{s^2}{N_k} c\,(E\varphi^2\varphi'^2 - V D)$,",
    r"$B_+ = (s V')^2 B + \frac{s^2}{N_k} c\,E\varphi^2\varphi'^2$, "
    r"with $\varepsilon, K$ of the forward pass.",
)
_END = {
    "activation_gradient": r"$E|g_l|^2$: start in front of layer $l+1$ with $t = W_{l+1} u$, tied to $h_{l+1}$: "
    r"$c = 1$, $C = 0$, $B = (q_{l+1} - \beta_{l+1})/N_l$; per entry $\gamma^2 N_L v_{l+1} (c + \Delta c)$ in the end.",
    "preactivation_gradient": r"$E|\delta_l|^2$: start in front of layer $l$ with $c = 1$, $C = B = 0$; per entry "
    r"$\gamma^2 \frac{N_L}{N_l}(c + \Delta c)$ at the output, where the last factor is $D(q_L)$ without weights.",
    "weight_gradient": r"$|\partial\ell/\partial W_l|^2 = |\delta_l|^2|x_{l-1}|^2$ and "
    r"$|x_{l-1}|^2 = (G_l - \beta_l)/v_l$: start as for $\delta_l$, and Cov$(T, G_l) = K_l\,dc/dq_l$ at the output.",
}
_END["bias_gradient"] = _END["preactivation_gradient"]


def second_moment(tensor: str, layer: int) -> Prediction:
    """E of the mean square of a gradient to order 1/width (E6; E7 for weights).

    >>> second_moment("weight_gradient", 2).entry
    'E7'
    """
    return Prediction(
        entry="E7" if tensor == "weight_gradient" else "E6",
        statement="At finite width a gradient is not independent of the activations that it passes: its energy has, "
        "beside the product of N v D(q), a term of order 1/N from the scatter of G and from shared weights.",
        observable=f"{tensor}.second_moment",
        layer=layer,
        expression=_EXPRESSIONS[tensor],
        evaluate=partial(_second_moment, tensor, layer),
        exactness=Exactness.LEADING_ORDER,
        assumptions=(
            *ASSUMES,
            "Gaussian weights from the layer on",
            "dloss/dx_L independent of the network, with entries of mean 0 unless phi' of the output is even",
        ),
        reference="Roberts, Yaida and Hanin 2022; Hanin and Nica 2020, for ReLU",
        derivation=(*_CHAIN, _END[tensor]),
        next_order=partial(_left_out, tensor, layer),
    )


def orders(tensor: str, layer: int, net: DenseNet) -> Values:
    """The mean square of one entry at infinite width, its 1/n term, and its 1/n^2 term.

    Raises:
        TheoryError: where the expansion does not hold.
    """
    first = _first(tensor, layer)
    require(first <= net.depth, "the layer is behind some weights")
    require(all_gaussian(net, first, net.depth), f"the weights of layers {first} to {net.depth} are Gaussian")
    require(not all_homogeneous(net, 1, net.depth), "some activation is not homogeneous; for others see C7")
    require(output_mask_is_blind(net), "dloss/dx_L has entries of mean 0, or phi' of the output is even")
    signal, bias = signal_of(net, first), distributions.raw_moment(net.bias(first), 1)
    v_, n = distributions.variance(net.weight(first)), net.widths
    energy = of_tensor(output_law(net), n[-1]).mean * n[-1]
    if tensor == "activation_gradient":
        start, unit = tangents.start(signal, bias, tied_to=n[layer]), energy * v_
    elif tensor == "weight_gradient":
        start, unit = tangents.start(signal, bias, weighted=True), energy / (n[layer] * n[layer - 1] * v_)
    else:
        start, unit = tangents.start(signal), energy / n[layer]
    found = tangents.output_mean(net, start, first) * unit
    require(bool(0 < found[0] < math.inf), "the energy is positive, and one that a float can hold")
    return float(found[0]), float(found[1]), float(found[2])


def _first(tensor: str, layer: int) -> int:
    """The layer in front of which the tangent starts."""
    return layer + 1 if tensor == "activation_gradient" else layer


def _second_moment(tensor: str, layer: int, net: DenseNet) -> Predicted:
    leading, first, second = orders(tensor, layer, net)
    require(
        max(abs(first), abs(second)) <= leading / 4,
        "the terms of order 1/width and 1/width^2 are small against the value (a quarter at most)",
    )
    value = leading + first
    relative = relative_scatter(tensor, layer, net)
    return Predicted(value=value, variance=None if relative is None else relative * value**2)


def _left_out(tensor: str, layer: int, net: DenseNet) -> tuple[float, int]:
    leading, first, second = orders(tensor, layer, net)
    return left_out(signal_of(net, net.depth), leading + first, second), 2


def relative_scatter(tensor: str, layer: int, net: DenseNet) -> float | None:
    """Variance over networks of a gradient's mean square over its mean squared, at leading order; None if not known.

    E |J^T g|^4 = (tr J J^T)^2 + 2 tr (J J^T)^2 for a standard Gaussian g is E |J u|^4 for a standard Gaussian tangent
    u; another kurtosis of g adds (kappa - 3) sum_i (J J^T)_ii^2.
    """
    law, first = output_law(net), _first(tensor, layer)
    if not isinstance(law, Distribution) or distributions.mean(law) != 0 or distributions.is_zero(law):
        return None
    try:
        flat = distributions.kurtosis(law) - 3
    except TheoryError:
        return None
    I = integrals(net.phi(net.depth), signal_of(net, net.depth).q)
    found = tangents.output_scatter(net, first, 2 / net.widths[layer] if tensor == "activation_gradient" else 0.0)
    relative = found.variance / found.mean**2 + flat / net.widths[-1] * I.D4 / float(I.D[0]) ** 2
    if tensor == "weight_gradient":
        signal = signal_of(net, layer)
        strength, scatter = signal.q - distributions.raw_moment(net.bias(layer), 1), signal.scatter[0]
        relative += scatter / strength * (2 * found.slope / found.mean + 1 / strength)
    return relative
