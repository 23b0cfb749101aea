"""Moments of gradients (catalogue A5, A8, A11-A13, A15, C7, C8).

delta_l = dloss/dh_l = phi'(h_l) * g_l, g_l = dloss/dx_l = W_{l+1}^T delta_{l+1}, dW_l = delta_l x_{l-1}^T,
db_l = delta_l. The output gradient g_L is independent of the network. Power sums are given that the layer is
reached (x_{l-1} != 0 where the next mask is that of a ReLU without biases); `gate` is the probability of that.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial

import sympy as sp

from theory import central_moments, distributions, forward, power_sums
from theory.central_moments import CentralMoments
from theory.conditions import (
    all_homogeneous,
    gate,
    homogeneous_slope,
    no_biases,
    output_law,
    require,
    require_backward,
)
from theory.forward import FACTS, ratio_law
from theory.net import ZERO, DenseNet, Distribution, once_per_net
from theory.power_sums import PowerSums, known
from theory.prediction import Law, Predicted, Prediction, TheoryError
from theory.symbols import F, Fd, L, N, S, Sd, c2_of, gamma2, gamma4, kappa, l, m, md, p, q, v

HE = "He et al. 2015, section 2.2; Hanin 2018"
STANDARD = (
    "weights independent, symmetric about 0, without atoms (linear layers: any law of mean 0)",
    "biases none, or symmetric and never 0 (or 0 at times, where no layer before can be dead)",
    "activation homogeneous: phi(s) = s for s > 0, a s for s < 0; phi'(0) = 0 for ReLU",
    "dloss/dx_L has independent symmetric entries and is independent of the network (linear output layers: any law)",
)
TENSORS = ("preactivation_gradient", "activation_gradient", "weight_gradient", "bias_gradient")


@once_per_net
def states(net: DenseNet) -> dict[tuple[str, int], PowerSums | str]:
    """Power sums of g_l and delta_l given that they are reached, or why they are not known."""
    found: dict[tuple[str, int], PowerSums | str] = {}
    try:
        sums: PowerSums | str = power_sums.of_tensor(output_law(net), net.widths[-1])
    except TheoryError as error:
        sums = str(error)
    for k in range(net.depth, -1, -1):
        found["activation_gradient", k] = sums
        if k == 0:
            break
        masked = _masked(net, k, sums)
        found["preactivation_gradient", k] = masked
        sums = masked if isinstance(masked, str) else _sent_back(net, k, masked)
    return found


def _masked(net: DenseNet, k: int, g: PowerSums | str) -> PowerSums | str:
    if isinstance(g, str):
        return g
    try:
        require_backward(net, k)
        return power_sums.activate(g, homogeneous_slope(net, k))
    except TheoryError as error:
        return str(error)


def _sent_back(net: DenseNet, k: int, delta: PowerSums) -> PowerSums | str:
    try:
        return power_sums.multiply(delta, net.widths[k - 1], net.weight(k), ZERO)
    except TheoryError as error:
        return str(error)


def reached_power_sums(net: DenseNet, tensor: str, layer: int) -> PowerSums:
    """Power sums of g_l or delta_l given that the layer is reached.

    Raises:
        TheoryError: where they are not known.
    """
    sums = states(net)["preactivation_gradient" if tensor == "bias_gradient" else tensor, layer]
    if isinstance(sums, str):
        raise TheoryError(sums)
    return sums


def chance_reached(net: DenseNet, tensor: str, layer: int) -> float:
    """The probability p of the symbols for g_l (p[l]) or delta_l (p[l-1])."""
    return gate(net, layer if tensor == "activation_gradient" else layer - 1)


def second_moment_of(net: DenseNet, tensor: str, layer: int) -> float:
    """The mean square of an entry of a gradient, over all networks."""
    if tensor == "weight_gradient":
        delta = reached_power_sums(net, "preactivation_gradient", layer)
        value = delta.mean * forward.power_sums_of(net, "activation", layer - 1).mean
    else:
        value = reached_power_sums(net, tensor, layer).mean * chance_reached(net, tensor, layer)
    require(2.0**-1000 < value < 2.0**1000, "the value is one that a float can hold; take the log")
    return value


# Second moments

_BACK = sp.Product(N[q] * v[q] * c2_of(q), (q, l + 1, L))

_G = gamma2 * _BACK * p[l]
_DELTA = gamma2 * c2_of(l) * _BACK * p[l - 1]


@lru_cache
def _weight_gradient(biases: bool) -> sp.Expr:
    """E delta_l^2, given that layer l is reached, times E x_{l-1}^2."""
    before = forward.activation_second_moment(1, biases=biases).expression.subs(l, l - 1)
    return gamma2 * c2_of(l) * _BACK * before


def activation_gradient_second_moment(layer: int) -> Prediction:
    """E g_l^2 with standard g (A5, A8, A15, C7)."""
    return Prediction(
        entry="A15",
        statement="Back through a layer the second moment of the gradient is multiplied by fan-out times weight "
        "variance times (1 + a^2)/2; ReLU nets without biases lose the dead ones, P(x_l != 0).",
        observable="activation_gradient.second_moment",
        layer=layer,
        expression=_G,
        evaluate=partial(_second_moment, "activation_gradient", layer),
        assumptions=STANDARD,
        reference=HE,
        derivation=(
            r"$g_l = W_{l+1}^T(\varphi'(h_{l+1}) \odot g_{l+1})$; the sum over paths of products of squares remains.",
            r"Flipping the signs of $g$ shows that the mask $\varphi'(h_{l+1})$ is independent of what it masks.",
            r"Given $x_l \neq 0$ each mask is a fair coin: $E\varphi'(h)^2 = \frac{1+a^2}{2}$.",
            r"Given that unit $i$ of layer $l+1$ is on, the next layer is reached: only $P(x_l \neq 0)$ remains.",
            r"So $E g_l^2 = \gamma^2 p_l \prod_{q=l+1}^L N_q v_q \frac{1+a^2}{2}$, with $p_l = 1$ unless ReLU.",
        ),
        states=FACTS,
    )


def preactivation_gradient_second_moment(layer: int, tensor: str = "preactivation_gradient") -> Prediction:
    """E delta_l^2, which is E db_l^2 too (A11, C7)."""
    return Prediction(
        entry="A11" if tensor == "bias_gradient" else "C7",
        statement="The gradient of a preactivation (and of a bias) has (1 + a^2)/2 times the second moment of that "
        "of the activation, in networks that reach the layer.",
        observable=f"{tensor}.second_moment",
        layer=layer,
        expression=_DELTA,
        evaluate=partial(_second_moment, tensor, layer),
        assumptions=STANDARD,
        reference=HE,
        derivation=(
            r"$\delta_l = \varphi'(h_l) \odot g_l$ and $\partial\ell/\partial b_l = \delta_l$.",
            r"Given $x_{l-1} \neq 0$ the mask is a fair coin, independent of $g_l$: "
            r"$E\delta_l^2 = \frac{1+a^2}{2} E g_l^2$.",
            r"Over all networks multiply by $p_{l-1} = P(x_{l-1} \neq 0)$; linear layers have factor 1.",
        ),
        states=FACTS,
    )


def weight_gradient_second_moment(layer: int, *, biases: bool = False) -> Prediction:
    """E dW_l^2: gradient and activation are independent given that the layer is reached (A12, A13, C8)."""
    return Prediction(
        entry="C8",
        statement="The second moment of a weight's gradient is that of delta_l, given that the layer is reached, "
        "times that of x_{l-1}: proportional to 1/(N_l N_{l-1} v_l) across the layers of one net.",
        observable="weight_gradient.second_moment",
        layer=layer,
        expression=_weight_gradient(biases and layer > 1),
        evaluate=partial(_weight_gradient_second_moment, layer, biases),
        assumptions=STANDARD,
        reference="Glorot and Bengio 2010, for linear layers; Hanin and Nica 2020",
        derivation=(
            r"$\partial\ell/\partial w_{ij} = \delta_i x_j$, so "
            r"$|\partial\ell/\partial W_l|^2 = |\delta_l|^2 |x_{l-1}|^2$.",
            r"Given $x_{l-1} \neq 0$ the law of $|\delta_l|^2$ does not depend on $x_{l-1}$: they are independent.",
            r"Where $x_{l-1} = 0$ both sides are 0, so $E|\partial\ell/\partial W_l|^2 = "
            r"E[|\delta_l|^2 \mid x_{l-1} \neq 0] E|x_{l-1}|^2$, without a factor $P$.",
            r"Insert the two products; the forward one stops at layer $l-1$.",
        ),
        states=FACTS,
    )


def _second_moment(tensor: str, layer: int, net: DenseNet) -> Predicted:
    value = second_moment_of(net, tensor, layer)
    return Predicted(
        value=value, variance=known(_variance(net, tensor, layer)), law=_one_factor_law(net, tensor, layer)
    )


def _weight_gradient_second_moment(layer: int, biases: bool, net: DenseNet) -> Predicted:
    require(biases or no_biases(net, 1, layer - 1), "there are no biases before the layer")
    homogeneous = all_homogeneous(net, 1, layer - 1)
    require(homogeneous, "activations before the layer are homogeneous (linear, relu, leaky_relu)")
    return _second_moment("weight_gradient", layer, net)


def _scatter(net: DenseNet, tensor: str, layer: int) -> CentralMoments:
    """Central moments over networks of a mean square, over its mean: those that do not reach the layer count."""
    if tensor == "weight_gradient":
        delta = reached_power_sums(net, "preactivation_gradient", layer)
        return delta.central * forward.power_sums_of(net, "activation", layer - 1).central
    event = central_moments.of_event(chance_reached(net, tensor, layer))
    return reached_power_sums(net, tensor, layer).central * event


def _variance(net: DenseNet, tensor: str, layer: int) -> float:
    mean = second_moment_of(net, tensor, layer)
    return power_sums.scaled(_scatter(net, tensor, layer).second, mean, mean)


def _one_factor_law(net: DenseNet, tensor: str, layer: int) -> Law | None:
    """Where one chi-square makes the value: g_L, and delta_L of a layer that is always reached."""
    law = output_law(net)
    gaussian = isinstance(law, Distribution) and distributions.is_gaussian(law) and distributions.mean(law) == 0
    if layer != net.depth or not gaussian or tensor == "weight_gradient":
        return None
    if tensor == "activation_gradient":
        return ratio_law(net.widths[-1], 1.0)
    reached = chance_reached(net, tensor, layer) == 1
    return ratio_law(net.widths[-1], homogeneous_slope(net, layer)) if reached else None


# Fourth moments and variances

RECURSION = (
    r"Write $m, S, F$ for $E|g|^2, E|g|^4, E\sum g_j^4$ given that the layer is reached.",
    r"The mask multiplies them: $m \to c_2 m$, $S \to c_2^2 (S - F) + c_4 F$, $F \to c_4 F$, "
    r"$c_k = \frac{1+a^k}{2}$.",
    r"$W^T$ onto $N$ entries: $E g_i^2 g_j^2 = v^2 S$ and $E g_i^4 = 3 v^2 S + (\kappa-3) v^2 F$.",
    r"Networks that do not reach the layer have 0: multiply moments by $p$ before taking the variance.",
)
TURNED = (
    r"$g_l$ has the law of $W^T D g$: fair coins in $D$, independent of $W$, as flipping the signs of rows of a Haar "
    r"matrix changes no law (C7).",
    r"So given $\delta_{l+1}$, $g_l$ is $|\delta_{l+1}|$ times the gain times $N_l$ coordinates of a uniform direction "
    r"in $n$ dimensions; $n = \max(N_l, N_{l+1})$, and the squared gain is $v n$.",
    r"Coordinates of a direction have $E u_i^4 = \frac{3}{n(n+2)}$ and $E u_i^2 u_j^2 = \frac{1}{n(n+2)}$.",
    r"With $S = E|\delta|^4$: $E g_i^4 = \frac{3 n v^2}{n+2} S$ and $E g_i^2 g_j^2 = \frac{n v^2}{n+2} S$.",
    r"Networks that do not reach the layer have 0: multiply moments by $p$ before taking the variance.",
)


def fourth_moment(tensor: str, layer: int, *, orthogonal: bool = False) -> Prediction:
    """The fourth moment of one entry of a gradient (C7, C8; OR-01 for g_l behind an orthogonal layer)."""
    return Prediction(
        entry=_entry(tensor, orthogonal),
        statement="Fourth moments of gradients follow from E|g|^2, E|g|^4 and E sum g_j^4 of the layer behind.",
        observable=f"{tensor}.fourth_moment",
        layer=layer,
        expression=_fourth_expression(tensor, orthogonal),
        evaluate=partial(_fourth_moment, tensor, layer, orthogonal),
        assumptions=(*STANDARD, "weights with a fourth moment"),
        derivation=TURNED if orthogonal else RECURSION,
        states=FACTS,
    )


def second_moment_variance(tensor: str, layer: int, *, orthogonal: bool = False) -> Prediction:
    """Variance over networks of the mean square of a gradient (C7, C8; OR-01 for g_l behind an orthogonal layer)."""
    return Prediction(
        entry=_entry(tensor, orthogonal),
        statement="The mean square of a gradient scatters from network to network by its recursion of fourth moments.",
        observable=f"{tensor}.second_moment",
        layer=layer,
        statistic="variance",
        expression=_variance_expression(tensor, orthogonal),
        evaluate=partial(_second_moment_variance, tensor, layer, orthogonal),
        assumptions=(*STANDARD, "weights with a fourth moment"),
        reference="Hanin and Nica 2020, for Gaussian weights",
        derivation=TURNED if orthogonal else RECURSION,
        states=FACTS,
    )


def _entry(tensor: str, orthogonal: bool) -> str:
    return "OR-01" if orthogonal else "C8" if tensor == "weight_gradient" else "C7"


def _sent_expression(orthogonal: bool) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """E g_i^2, E g_i^2 g_j^2, E g_i^4 of layer l given reached, from delta_{l+1}."""
    variance = v[l + 1]
    if orthogonal:
        return power_sums.symbolic_turned(variance, sp.Max(N[l], N[l + 1]), md[l + 1], Sd[l + 1])
    fourth = 3 * variance**2 * Sd[l + 1] + (kappa[l + 1] - 3) * variance**2 * Fd[l + 1]
    return variance * md[l + 1], variance**2 * Sd[l + 1], fourth


@lru_cache
def _fourth_expression(tensor: str, orthogonal: bool) -> sp.Expr:
    if tensor == "weight_gradient":
        return Fd[l] * F[l - 1] / (N[l] * N[l - 1])
    if tensor == "activation_gradient":
        return sp.Piecewise((gamma4, sp.Eq(l, L)), (p[l] * _sent_expression(orthogonal)[2], True))
    return p[l - 1] * Fd[l] / N[l]


@lru_cache
def _variance_expression(tensor: str, orthogonal: bool) -> sp.Expr:
    if tensor == "weight_gradient":
        return (Sd[l] * S[l - 1] - (md[l] * m[l - 1]) ** 2) / (N[l] * N[l - 1]) ** 2
    if tensor == "activation_gradient":
        e2, e22, e4 = _sent_expression(orthogonal)
        sent = p[l] * ((1 - 1 / N[l]) * e22 + e4 / N[l]) - (p[l] * e2) ** 2
        return sp.Piecewise(((gamma4 - gamma2**2) / N[l], sp.Eq(l, L)), (sent, True))
    return (p[l - 1] * Sd[l] - (p[l - 1] * md[l]) ** 2) / N[l] ** 2


def _require_moments(net: DenseNet, tensor: str, layer: int) -> None:
    power_sums.require_fourth_moments(net, net.depth, layer + 1, biases=False)
    if tensor == "weight_gradient":
        power_sums.require_fourth_moments(net, layer - 1)
    law = output_law(net)
    if isinstance(law, Distribution):
        distributions.kurtosis(law)


def _require_law_behind(net: DenseNet, tensor: str, layer: int, orthogonal: bool) -> None:
    """The expressions of g_l hold for independent weights behind it, or for orthogonal ones; others for both."""
    if tensor == "activation_gradient" and layer < net.depth:
        independent = distributions.is_iid(net.weight(layer + 1))
        kind = "orthogonal" if orthogonal else "independent"
        require(independent != orthogonal, f"the weights of layer {layer + 1} are {kind}")


def _fourth_moment(tensor: str, layer: int, orthogonal: bool, net: DenseNet) -> Predicted:
    _require_law_behind(net, tensor, layer, orthogonal)
    _require_moments(net, tensor, layer)
    if tensor == "weight_gradient":
        delta = reached_power_sums(net, "preactivation_gradient", layer)
        x = forward.power_sums_of(net, "activation", layer - 1)
        value, one, two = delta.fourth_moment * x.fourth_moment, delta.fourth_moment_excess, x.fourth_moment_excess
    else:
        sums, chance = reached_power_sums(net, tensor, layer), chance_reached(net, tensor, layer)
        value, one, two = sums.fourth_moment * chance, sums.fourth_moment_excess, (1 - chance) / chance
    require(math.isfinite(value) and value > 0, "the fourth moment is known, and one that a float can hold")
    return Predicted(value=value, variance=known(power_sums.scaled(one + two + one * two, value, value)))


def _second_moment_variance(tensor: str, layer: int, orthogonal: bool, net: DenseNet) -> Predicted:
    _require_law_behind(net, tensor, layer, orthogonal)
    _require_moments(net, tensor, layer)
    mean, scatter = second_moment_of(net, tensor, layer), _scatter(net, tensor, layer)
    value = power_sums.scaled(scatter.second, mean, mean)
    require(math.isfinite(value) and value > 0, "the variance is positive, known, and one that a float can hold")
    spread = power_sums.scaled(scatter.squared_departure_variance, *(mean,) * 4)
    return Predicted(value=value, variance=known(spread))
