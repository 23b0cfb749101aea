"""Gradients that depend on the network: a fixed g behind a mask, the gradient of a loss (catalogue C9, C10).

Gaussian weights, no biases, homogeneous activations. Every g_l is split along x_l and across it. Along: x_l . g_l is
the same in every layer (Euler), so the squared component is (x_L . g_L)^2 / |x_l|^2, a product of layers' factors.
Across: W_l^T delta_l is an independent Gaussian there, with v_l |delta_l|^2 in each of N_{l-1} - 1 directions. Both
recursions are exact at every width.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np
import sympy as sp

from theory import backward, distributions, forward, power_sums
from theory.conditions import (
    alive,
    all_gaussian,
    all_homogeneous,
    homogeneous_slope,
    no_biases,
    output_law,
    require,
    slope,
)
from theory.laws.steps import shares
from theory.net import DenseNet, Distribution, HalfSquaredError
from theory.power_sums import known
from theory.prediction import Predicted, Prediction, TheoryError
from theory.symbols import L, N, S, a, c2_of, c4_of, l, m, v

across = sp.IndexedBase("u", real=True)
"""u[l]: E of the square of g_l in one direction across x_l, given x_l != 0."""
excess = sp.IndexedBase("e", real=True)
"""e[l]: what the square along x_l has more, given x_l != 0."""
kept = sp.IndexedBase("rho_kept", positive=True)
"""rho[l]: E of the share of the square along x_l that the mask keeps: P(not all units off) for ReLU, 1 for linear."""
chance = sp.IndexedBase("P", positive=True)
"""P[l]: P(x_l != 0)."""
G1, G2 = sp.Symbol("G_1", real=True), sp.Symbol("G_2", positive=True)
"""Sum of the entries of dloss/dx_L (G_1^2 is E of its square where it is random), and (E of the) sum of squares."""
along_loss, across_loss = sp.IndexedBase("A_loss", positive=True), sp.IndexedBase("B_loss", nonnegative=True)
"""A[l], B[l]: E of the square of g_l along and across x_l, over |x_l|^2, for the target 0."""
target = sp.IndexedBase("Y_loss", nonnegative=True)
"""Y[l]: the same quantity for a fixed output gradient equal to the target (C7, C8)."""

BASIS = ("Gaussian weights from the layer on", "no biases from the layer on", "homogeneous activations")


# A fixed output gradient behind a mask (C9)


def fixed_gradient(tensor: str, layer: int) -> Prediction:
    """E g_l^2, E delta_l^2 or E dW_l^2 where g_L is fixed, or has a mean, and layer L has a mask (C9).

    >>> fixed_gradient("activation_gradient", 1).entry
    'C9'
    """
    return Prediction(
        entry="C9",
        statement="A fixed output gradient into a masked output layer is no halving: W_L and the mask share h_L, which "
        "adds ((sum g)^2 - |g|^2)(1-a)^2/(2 pi) along x_{L-1}; the rest is carried back layer by layer.",
        observable=f"{tensor}.second_moment",
        layer=layer,
        expression=_fixed_expression(tensor),
        evaluate=partial(_fixed_second_moment, tensor, layer),
        assumptions=(*BASIS, "dloss/dx_L is fixed, or has independent entries of one law, independent of the network"),
        derivation=(
            r"Split row $i$ of $W_L$ along $x_{L-1}$, $\sqrt{v_L}\, z_i$ with $h_i = \sqrt{v_L}|x_{L-1}| z_i$, and "
            r"across it; the part across is independent of the mask.",
            r"Across: $u_{L-1} = v_L\frac{1+a^2}{2}|g|^2$ in each direction.",
            r"Along: $v_L E(\sum_i g_i\varphi(z_i))^2 = u_{L-1} + e_{L-1}$, and $E\varphi(z) = (1-a)/\sqrt{2\pi}$ "
            r"gives $e_{L-1} = v_L\frac{(1-a)^2}{2\pi}((\sum g)^2 - |g|^2)$.",
            r"$x_l\cdot g_l = h_{l+1}\cdot\delta_{l+1} = x_{l+1}\cdot g_{l+1}$: the square along $x_{l-1}$ is that "
            r"along $x_l$ times $|x_l|^2/|x_{l-1}|^2$, mean $v_l N_l\frac{1+a^2}{2}$.",
            r"The mask keeps the mean share $\rho_l$ along $x_l$ and $\frac{1+a^2}{2}N_l - \rho_l$ of all directions "
            r"across: $E|\delta_l|^2 = N_l\frac{1+a^2}{2} u_l + \rho_l e_l$.",
            r"So $u_{l-1} = v_l(N_l\frac{1+a^2}{2} u_l + \rho_l e_l)$ and "
            r"$e_{l-1} = v_l(N_l\frac{1+a^2}{2} - \rho_l)e_l$; networks with $x_l = 0$ have 0.",
        ),
        states=frozenset({"gaussian_projection"}),
    )


@lru_cache
def _fixed_expression(tensor: str) -> sp.Expr:
    along = v[L] * (1 - a[L]) ** 2 / (2 * sp.pi) * (G1**2 - G2)
    if tensor == "activation_gradient":
        last = v[L] * c2_of(L) * G2 + along / N[L - 1]
        return chance[l] * sp.Piecewise((last, sp.Eq(l, L - 1)), (across[l] + excess[l] / N[l], True))
    behind = sp.Piecewise((c2_of(L) * G2, sp.Eq(l, L)), (N[l] * c2_of(l) * across[l] + kept[l] * excess[l], True))
    return behind * (m[l - 1] / (N[l] * N[l - 1]) if tensor == "weight_gradient" else chance[l - 1] / N[l])


def _fixed_second_moment(tensor: str, layer: int, net: DenseNet) -> Predicted:
    rate = homogeneous_slope(net, net.depth)
    require(rate != 1, "the output layer has a mask (behind a linear one see C7)")
    _require_basis(net, tensor, layer)
    total = _output_sums(net)[0]
    if tensor == "activation_gradient":
        require(layer < net.depth, "the layer lies before the output")
        one, more = fixed_split(net, layer)
        value = _chance(net, layer) * (one + more / net.widths[layer])
        return Predicted(value=_held(value), variance=_fixed_variance(net, layer, value))
    if layer == net.depth:
        delta = (1 + rate**2) / 2 * total
    else:
        one, more = fixed_split(net, layer)
        n, own = net.widths[layer], homogeneous_slope(net, layer)
        delta = n * (1 + own**2) / 2 * one + kept_along(n, own) * more
    n = net.widths[layer]
    if tensor == "weight_gradient":
        x = forward.power_sums_of(net, "activation", layer - 1)
        return Predicted(value=_held(delta / n * x.mean), variance=_last_variance(net, layer, x.excess, delta * x.mean))
    value = delta / n * _chance(net, layer - 1)
    return Predicted(value=_held(value), variance=_last_variance(net, layer, 0.0, delta, _chance(net, layer - 1)))


def fixed_split(net: DenseNet, layer: int) -> tuple[float, float]:
    """u_l and e_l of a masked output layer, l < L: see `fixed_gradient`.

    >>> he = (Distribution("normal", 1.0),) * 2
    >>> net = DenseNet((1, 1, 2), "relu", weights=he, input=(1.0,), output_gradient=(1.0, -1.0))
    >>> u, e = fixed_split(net, 1)  # along x_1, of N_1 = 1 dimension: E (z_1+ - z_2+)^2 = 1 - 1/pi
    >>> round(u, 12), round(u + e - (1 - 1 / math.pi), 12)
    (1.0, 0.0)
    """
    total, pairs = _output_sums(net)
    last = homogeneous_slope(net, net.depth)
    variance = distributions.variance(net.weight(net.depth))
    one, more = variance * (1 + last**2) / 2 * total, variance * (1 - last) ** 2 / (2 * math.pi) * pairs
    for k in range(net.depth - 1, layer, -1):
        n, rate = net.widths[k], homogeneous_slope(net, k)
        variance, c2, share = distributions.variance(net.weight(k)), (1 + rate**2) / 2, kept_along(n, rate)
        one, more = variance * (n * c2 * one + share * more), variance * (n * c2 - share) * more
    return one, more


@lru_cache(maxsize=1024)
def kept_along(width: int, rate: float) -> float:
    """rho: E |phi'(h) * x|^2 / |x|^2 over h with a uniform direction, x = phi(h); 1 + a^2 - a^2 E 1/c (see `laws`).

    >>> kept_along(3, 0.0), kept_along(8, 1.0)
    (0.875, 1.0)
    >>> round(kept_along(1, 0.5), 12)  # x has the mask's own factor: (1 + a^2)/2
    0.625
    """
    square = rate**2
    if square == 1:
        return 1.0
    if square == 0:
        return -math.expm1(-width * math.log(2))
    weight, log_share = shares(width, rate)
    return 1 + square - square * float(weight @ np.exp(-log_share))


def _output_sums(net: DenseNet) -> tuple[float, float]:
    """E sum g_i^2 and E of the sum of g_i g_j over i != j."""
    law, n = output_law(net), net.widths[-1]
    if isinstance(law, Distribution):
        require(distributions.mean(law) != 0, "the output gradient is fixed or has a mean (without one see C7)")
        require(distributions.is_iid(law), "the entries of the output gradient are independent")
        return n * distributions.raw_moment(law, 1), n * (n - 1) * distributions.mean(law) ** 2
    total = math.fsum(g * g for g in law)
    require(total > 0, "the output gradient is not 0")
    return total, math.fsum(law) ** 2 - total


def _chance(net: DenseNet, layer: int) -> float:
    """P(x_l != 0) where a mask behind turns x_l = 0 into a gradient of 0."""
    found = alive(net)[layer]
    require(not math.isnan(found), "the probability that the signal dies before the layer is known")
    blocked = any(slope(net, k) == 0 for k in range(layer + 1, net.depth + 1))
    require(found == 1 or blocked, "the input is not 0, or a ReLU blocks gradients where it is")
    require(found > 0, "a signal reaches the layer")
    return found


def _require_basis(net: DenseNet, tensor: str, layer: int) -> None:
    first = layer + 1 if tensor == "activation_gradient" else layer
    require(all_gaussian(net, first, net.depth), "the weights from the layer on are Gaussian")
    require(no_biases(net, first, net.depth), "there are no biases from the layer on")
    require(all_homogeneous(net, first, net.depth), "activations from the layer on are homogeneous")
    _chance(net, first - 1)


def _held(value: float) -> float:
    require(2.0**-1000 < value < 2.0**1000, "the value is one that a float can hold")
    return value


def _fixed_variance(net: DenseNet, layer: int, value: float) -> float | None:
    """Over networks, of |g_{L-1}|^2/N_{L-1} with a fixed g: from T = sum g_i phi(z_i) and D = sum g_i^2 phi'(z_i)^2."""
    law = output_law(net)
    if layer != net.depth - 1 or isinstance(law, Distribution):
        return None
    rate, n = homogeneous_slope(net, net.depth), net.widths[layer]
    c2, c4, one = (1 + rate**2) / 2, (1 + rate**4) / 2, (1 - rate) / math.sqrt(2 * math.pi)
    p1, p2, p3, p4 = (math.fsum(g**k for g in law) for k in (1, 2, 3, 4))
    cube = 2 * (1 - rate**3) / math.sqrt(2 * math.pi)
    k2, k3 = c2 - one**2, cube - 3 * one * c2 + 2 * one**3
    k4 = 3 * c4 - 4 * one * cube - 3 * c2**2 + 12 * one**2 * c2 - 6 * one**4
    first, second, third, fourth = one * p1, k2 * p2, k3 * p3, k4 * p4
    T4 = fourth + 4 * third * first + 3 * second**2 + 6 * second * first**2 + first**4
    D2 = c2**2 * (p2**2 - p4) + c4 * p4
    mixed = one * (1 - rate**3) / math.sqrt(2 * math.pi)  # E phi times E phi'^2 phi
    DT2 = c4 * p4 + 2 * mixed * (p3 * p1 - p4) + c2 * (k2 * (p2**2 - p4))
    DT2 += c2 * one**2 * (p1**2 * p2 - 2 * p1 * p3 + p4)
    square = (n * n - 1) * D2 + 2 * (n - 1) * DT2 + T4
    variance = distributions.variance(net.weight(net.depth))
    return known(_chance(net, layer) * (variance / n) ** 2 * square - value**2)


def _last_variance(net: DenseNet, layer: int, more: float, mean: float, reached: float = 1.0) -> float | None:
    """Of |delta_L|^2/N_L with a fixed g, times |x_{L-1}|^2/N_{L-1} of relative variance `more` for the weights."""
    law = output_law(net)
    if layer != net.depth or isinstance(law, Distribution):
        return None
    rate, n = homogeneous_slope(net, layer), net.widths[layer]
    p2, p4 = (math.fsum(g**k for g in law) for k in (2, 4))
    relative = ((1 + rate**4) / 2 / ((1 + rate**2) / 2) ** 2 - 1) * p4 / p2**2
    value = (mean / n) ** 2 * reached * ((1 + relative) * (1 + more) - reached)
    return known(value) if value > 0 else None


# The gradient of half the squared error (C10)


def loss_gradient(tensor: str, layer: int) -> Prediction:
    """E g_l^2, E delta_l^2 or E dW_l^2 for the loss |x_L - y|^2/2 with y fixed (C10).

    >>> loss_gradient("weight_gradient", 2).observable
    'weight_gradient.second_moment'
    """
    return Prediction(
        entry="C10",
        statement="The gradient of a loss depends on the weights that it passes: its second moment exceeds the product "
        "rule, by a factor that does not tend to 1 with the width.",
        observable=f"{tensor}.second_moment",
        layer=layer,
        expression=_loss_expression(tensor),
        evaluate=partial(_loss_second_moment, tensor, layer),
        assumptions=(*BASIS, "loss |x_L - y|^2/2, y fixed", "a linear output layer, or y = 0"),
        reference="elementary; compare Yang 2020 for the limit",
        derivation=(
            r"$g_L = x_L - y$. Terms odd in $y$ change sign with $W_L$ (linear output) and have mean 0; the term in "
            r"$|y|^2$ is that of a fixed output gradient, $Y_l$.",
            r"For $y = 0$: $x_l\cdot g_l = |x_L|^2$ in every layer (Euler), so the square along $x_l$ is "
            r"$|x_L|^4/|x_l|^2 = A_l|x_l|^2$ in the mean, $A_{l-1} = v_l^2 E Y^2 A_l$, $A_L = 1$, with "
            r"$E Y^2 = N_l(N_l-1)c_2^2 + 3 N_l c_4$ and $c_k = \frac{1+a^k}{2}$.",
            r"With $|x_l|^2 = v_l|x_{l-1}|^2 Y$ the mask keeps $Y\rho = \sum\varphi'(z)^4 z^2$, mean $N_l c_4$, along "
            r"$x_l$ and $N_l(N_l-1) c_2^2$ in all directions across: $E|\delta_l|^2 = D_l|x_{l-1}|^2$, "
            r"$D_l = v_l N_l(c_4 A_l + c_2^2 B_l)$.",
            r"Across $x_{l-1}$: $B_{l-1} = v_l(N_{l-1}-1) D_l$, $B_L = 0$, for the sum over directions.",
            r"$E|g_l|^2 = E|x_l|^2 (A_l + B_l) + Y_l$, $E|\delta_l|^2 = E|x_{l-1}|^2 D_l + Y_l$ and "
            r"$E|\partial\ell/\partial W_l|^2 = E|x_{l-1}|^4 D_l + Y_l$.",
        ),
        states=frozenset({"gaussian_projection", "fair_signs"}),
    )


@lru_cache
def _loss_expression(tensor: str) -> sp.Expr:
    if tensor == "activation_gradient":
        return (m[l] * (along_loss[l] + across_loss[l]) + target[l]) / N[l]
    delta = v[l] * N[l] * (c4_of(l) * along_loss[l] + c2_of(l) ** 2 * across_loss[l])
    if tensor == "weight_gradient":
        return (S[l - 1] * delta + target[l]) / (N[l] * N[l - 1])
    return (m[l - 1] * delta + target[l]) / N[l]


def loss_split(net: DenseNet, layer: int) -> tuple[float, float, float]:
    """A_l, B_l and D_l of `loss_gradient`; D_0 is 0.

    >>> loss_split(DenseNet((2, 3), "linear", weights=(Distribution("normal", 1.0),)), 0)[:2]  # N_1 (N_1 + N_0 + 1)
    (15.0, 3.0)
    """
    along, across_all = 1.0, 0.0
    for k in range(net.depth, -1, -1):
        if k == 0:
            return along, across_all, 0.0
        n, rate, variance = net.widths[k], homogeneous_slope(net, k), distributions.variance(net.weight(k))
        c2, c4 = (1 + rate**2) / 2, (1 + rate**4) / 2
        delta = variance * n * (c4 * along + c2**2 * across_all)
        if k == layer:
            return along, across_all, delta
        along *= variance**2 * (n * (n - 1) * c2**2 + 3 * n * c4)
        across_all = variance * (net.widths[k - 1] - 1) * delta
    raise AssertionError(layer)


def _loss_second_moment(tensor: str, layer: int, net: DenseNet) -> Predicted:
    loss = net.output_gradient
    if not isinstance(loss, HalfSquaredError):
        raise TheoryError("the statement needs the loss |x_L - y|^2/2; this network has an output gradient of its own.")
    plain = not any(loss.target)
    require(plain or homogeneous_slope(net, net.depth) == 1, "the output layer is linear, or the target is 0")
    first = layer + 1 if tensor == "activation_gradient" else layer
    require(all_gaussian(net, first, net.depth), "the weights from the layer on are Gaussian")
    require(no_biases(net, first, net.depth), "there are no biases from the layer on")
    require(all_homogeneous(net, first, net.depth), "activations from the layer on are homogeneous")
    along, across_all, delta = loss_split(net, layer)
    n = net.widths[layer]
    if tensor == "activation_gradient":
        value = forward.power_sums_of(net, "activation", layer).mean * (along + across_all)
    else:
        x = forward.power_sums_of(net, "activation", layer - 1)
        value = x.mean * x.width * delta / n
        if tensor == "weight_gradient":
            power_sums.require_fourth_moments(net, layer - 1, 0)
            value *= x.mean * (1 + x.excess)
    if not plain:
        fixed = replace(net, output_gradient=loss.target, kept={})
        value += backward.second_moment_of(fixed, tensor, layer)
    return Predicted(value=_held(value))
