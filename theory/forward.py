"""Moments of preactivations and activations (catalogue A3-A7, A9, A10, A14, A22, B1, B2, B4, C1-C3, C5).

One function a statement; each returns a `Prediction` for one layer, in the symbols of `theory.symbols`, where
`l` is that layer. Values come from the recursion of `theory.power_sums`, exact at every width for homogeneous
activations; with Gaussian weights and a fixed input the first layer is exact for every activation. Beyond
that a layer carries its value at infinite width, and statements that need exactness refuse.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial
from typing import NamedTuple

import sympy as sp

from theory import distributions, power_sums
from theory.activations import Activation
from theory.conditions import (
    all_homogeneous,
    fixed_input,
    gaussian_biases,
    homogeneous_slope,
    layer_is_gaussian,
    no_biases,
    require,
    slope,
    symmetric_layer,
    zero_mean_weights,
)
from theory.net import DenseNet, once_per_net
from theory.partitions import UNKNOWN, of_entries
from theory.power_sums import PowerSums, known
from theory.prediction import Law, Predicted, Prediction, TheoryError
from theory.symbols import F, N, S, beta, c2_of, c4_of, l, m, m0, q, v

HE = "He et al. 2015, section 2.2"
FACTS = frozenset({"gaussian_projection", "fair_signs"})
SYMMETRIC = (
    "weights independent, zero mean, one variance a layer, any law symmetric about 0; or Haar-orthogonal",
    "biases independent, symmetric about 0, or none",
    "activation homogeneous: phi(s) = s for s > 0, a s for s < 0",
)

HAAR = ("weights of the layer Haar-orthogonal, without biases", *SYMMETRIC)


class Layer(NamedTuple):
    """Power sums of h_l and x_l, and whether they hold at every width; why not known, if they are not."""

    h: PowerSums | None
    x: PowerSums | None
    h_exact: bool
    x_exact: bool
    problem: TheoryError | None = None


@once_per_net
def states(net: DenseNet) -> list[Layer]:
    """The power sums of every layer, 0..L; after a layer that is not known none is."""
    first = power_sums.of_tensor(net.one_input, net.widths[0])
    layers = [Layer(None, first, False, True)]
    for k in range(1, net.depth + 1):
        layers.append(_next(net, k, layers[-1]))
    return layers


def _next(net: DenseNet, k: int, before: Layer) -> Layer:
    if before.x is None:
        return Layer(None, None, False, False, before.problem)
    try:
        require(zero_mean_weights(net, k), f"the weights of layer {k} are random with mean 0")
        h = power_sums.multiply(before.x, net.widths[k], net.weight(k), net.bias(k))
    except TheoryError as error:
        return Layer(None, None, False, False, error)
    try:
        x, exact = _activated(net, k, h)
    except TheoryError as error:
        return Layer(h, None, before.x_exact, False, error)
    return Layer(h, x, before.x_exact, exact and before.x_exact)


def _activated(net: DenseNet, k: int, h: PowerSums) -> tuple[PowerSums, bool]:
    rate = slope(net, k)
    if rate is not None:
        symmetric = rate == 1 or symmetric_layer(net, k)
        require(symmetric, f"weights and biases of layer {k} are symmetric about 0")
        return power_sums.activate(h, rate), True
    require(math.isfinite(h.mean), "the second moment stays finite")
    require(gaussian_biases(net, k), f"the biases of layer {k} are Gaussian or absent")
    phi = net.phi(k)
    second = phi.second_moment_value(h.mean) if net.is_deep else phi.second_moment(h.mean).value
    exact = k == 1 and fixed_input(net) and layer_is_gaussian(net, k)
    if not exact:
        return PowerSums(second, h.width, UNKNOWN), False
    return PowerSums(second, h.width, of_entries(h.width, _entry_cumulants(phi, h.mean, second))), True


def _entry_cumulants(phi: Activation, q1: float, second: float) -> tuple[float, float, float]:
    """`distributions.cumulants` of phi(sqrt(q_1) z); NaN where an integral cannot be had."""
    moments = []
    for k in (2, 3, 4):
        try:
            moments.append(phi.power_mean(q1, 2 * k).value / second**k)
        except (TheoryError, OverflowError, ZeroDivisionError):  # the last: second^k is too small for a float
            moments.append(math.nan)
    return distributions.even_cumulants(*moments)


def power_sums_of(net: DenseNet, tensor: str, layer: int, *, exact: bool = True) -> PowerSums:
    """Power sums of `preactivation`, `activation` or `input` of a layer.

    Raises:
        TheoryError: where they are not known, or (given `exact`) hold at infinite width alone.
    """
    state = states(net)[layer]
    sums, holds = (state.h, state.h_exact) if tensor == "preactivation" else (state.x, state.x_exact)
    if sums is None:
        raise type(state.problem or TheoryError())(str(state.problem))
    require(holds or not exact, "every layer before is exact at finite width (homogeneous)")
    require(2.0**-1000 < sums.mean < 2.0**1000, "the value is one that a float can hold; take the log")
    return sums


# Second moments


@lru_cache
def _signal(biases: bool) -> sp.Expr:
    """E h_l^2 of a homogeneous net in closed form."""
    chain = sp.Product(N[q - 1] * v[q], (q, 1, l)) * sp.Product(c2_of(q), (q, 1, l - 1))
    if not biases:
        return m0 * chain
    j = sp.Symbol("j", integer=True, positive=True)
    later = sp.Product(N[q - 1] * v[q] * c2_of(q - 1), (q, j + 1, l))
    return m0 * chain + sp.Sum(beta[j] * later, (j, 1, l))


@lru_cache
def _activation_signal(biases: bool) -> sp.Expr:
    return c2_of(l) * _signal(biases)


_THROUGH = (
    (
        r"Signs of $h$ are fair, so $E\varphi(h)^2 = \frac{1+a^2}{2} E h^2$: one half for ReLU.",
        r"Hence $E h_l^2 = v_l N_{l-1} \frac{1+a^2}{2} E h_{l-1}^2 + \beta_l$ for $l \geq 2$, "
        r"and $E h_1^2 = v_1 N_0 E x_0^2 + \beta_1$.",
    ),
    (r"No activation comes before layer 1: $E h_1^2 = v_1 N_0 E x_0^2 + \beta_1$.",),
)
"""The end of the derivation of E h_l^2: for layers behind others, and for layer 1."""


def preactivation_second_moment(layer: int, *, biases: bool = False) -> Prediction:
    """E h_l^2 of a homogeneous net: halved at each ReLU before, none before layer 1 (A4, A7, A14, B1, B4).

    >>> preactivation_second_moment(3).entry
    'A14'
    """
    return Prediction(
        entry="A4" if layer == 1 else "A14",
        statement="The second moment of a preactivation is the fan-in times the weight variance times the "
        "second moment before, times (1 + a^2)/2 for every activation passed"
        + (", plus the bias variance." if biases else "."),
        observable="preactivation.second_moment",
        layer=layer,
        expression=_signal(biases),
        evaluate=partial(_second_moment, "preactivation", layer, biases),
        assumptions=("weights independent of what they multiply, zero mean, any law",) if layer == 1 else SYMMETRIC,
        reference="elementary" if layer == 1 else HE,
        derivation=(
            r"$h_i = \sum_j w_{ij} x_j + b_i$ with independent zero-mean weights and biases.",
            r"Cross terms have mean 0, so $E h_i^2 = v_l \sum_j E x_j^2 + \beta_l$; the $x_j$ may be dependent.",
            *_THROUGH[layer == 1],
        ),
        states=FACTS,
    )


def activation_second_moment(layer: int, *, biases: bool = False) -> Prediction:
    """E x_l^2 of a homogeneous net, dead networks included (A7, C1)."""
    return Prediction(
        entry="C1",
        statement="The second moment of an activation is (1 + a^2)/2 times that of its preactivation, at every "
        "width, networks with dead layers included.",
        observable="activation.second_moment",
        layer=layer,
        expression=_activation_signal(biases),
        evaluate=partial(_second_moment, "activation", layer, biases),
        assumptions=SYMMETRIC,
        reference=HE,
        derivation=(
            r"Flipping the signs of row $i$ of $W_l$ and of $b_i$ flips $h_i$ and changes no law.",
            r"So $E\varphi(h_i)^2 = \frac12 E h_i^2 + \frac{a^2}{2} E h_i^2 = \frac{1+a^2}{2} E h_i^2$.",
            r"With $E h_l^2 = v_l N_{l-1} E x_{l-1}^2 + \beta_l$ the product over layers follows.",
        ),
        states=FACTS,
    )


def _second_moment(tensor: str, layer: int, biases: bool, net: DenseNet) -> Predicted:
    if not biases:
        require(no_biases(net, 1, layer), "there are no biases")
    last = layer if tensor == "activation" else layer - 1
    require(all_homogeneous(net, 1, last), "activations are homogeneous (linear, relu, leaky_relu)")
    sums = power_sums_of(net, tensor, layer)
    return Predicted(value=sums.mean, variance=known(sums.variance), law=_one_factor_law(net, tensor, layer))


def _one_factor_law(net: DenseNet, tensor: str, layer: int) -> Law | None:
    """The law of |h_1|^2 or |x_1|^2 over its mean, for a fixed input: entries iid N(0, q_1)."""
    if layer != 1 or not (fixed_input(net) and layer_is_gaussian(net, 1)):
        return None
    rate = 1.0 if tensor == "preactivation" else homogeneous_slope(net, 1)
    return ratio_law(net.widths[1], rate)


def ratio_law(width: int, rate: float) -> Law:
    """The law of mean_i phi(z_i)^2 / ((1 + a^2)/2) for `width` standard normals z_i."""
    if rate == 1:
        return Law("linear_ratio", n=width)
    return Law("relu_ratio", n=width) if rate == 0 else Law("leaky_ratio", n=width, slope=rate)


# Fourth moments and variances


def fourth_moment(tensor: str, layer: int, *, orthogonal: bool = False) -> Prediction:
    """E h_l^4 or E x_l^4 of one entry, any kurtosis, from the power sums of the layer before (B2, OR-01, OR-04)."""
    return Prediction(
        entry=_entry(tensor, orthogonal),
        statement="The fourth moment of an entry follows from E|x|^4 of the layer before alone."
        if orthogonal
        else "The fourth moment of an entry follows from E|x|^2, E|x|^4 and E sum x_j^4 of the layer before; "
        "the kurtosis of the weights enters only through the last.",
        observable=f"{tensor}.fourth_moment",
        layer=layer,
        expression=_quartic(tensor, orthogonal)[2],
        evaluate=partial(_fourth_moment, tensor, layer, orthogonal),
        assumptions=_quartic_assumptions(tensor, layer, orthogonal),
        derivation=_quartic_steps(tensor, layer, orthogonal),
        states=FACTS,
    )


def second_moment_variance(tensor: str, layer: int, *, orthogonal: bool = False) -> Prediction:
    """Variance over networks of the mean square of a layer, any kurtosis (B2, C2, OR-01, OR-04)."""
    return Prediction(
        entry=_entry(tensor, orthogonal),
        statement="The mean square of a layer scatters from network to network: its variance is "
        "(1 - 1/N) E h_i^2 h_j^2 + E h_i^4 / N - (E h_i^2)^2, each from the layer before.",
        observable=f"{tensor}.second_moment",
        layer=layer,
        statistic="variance",
        expression=_variance(tensor, orthogonal),
        evaluate=partial(_second_moment_variance, tensor, layer, orthogonal),
        assumptions=_quartic_assumptions(tensor, layer, orthogonal),
        reference="Saxe et al. 2014" if orthogonal else "Hanin and Rolnick 2018, for the Gaussian case",
        derivation=_quartic_steps(tensor, layer, orthogonal),
        states=FACTS,
    )


def _entry(tensor: str, orthogonal: bool) -> str:
    return ("OR-01" if tensor == "preactivation" else "OR-04") if orthogonal else "B2"


RECURSION = (
    r"Write $m, S, F$ for $E|x|^2, E|x|^4, E\sum_j x_j^4$ of the layer before.",
    r"Given $x$ the rows are independent: $E h_i^2 h_j^2 = v^2 S + 2 v \beta m + \beta^2$.",
    r"Expanding the sum, $E h_i^4 = 3 v^2 S + (\kappa-3) v^2 F + 6 v \beta m + \kappa_b \beta^2$.",
    r"Fair signs give $E\varphi(h_i)^2\varphi(h_j)^2 = (\frac{1+a^2}{2})^2 E h_i^2 h_j^2$ and "
    r"$E\varphi(h_i)^4 = \frac{1+a^4}{2} E h_i^4$.",
    r"Sum over the $N$ entries: $S' = N(N-1) E\varphi_i^2\varphi_j^2 + N E\varphi_i^4$ and $F' = N E\varphi_i^4$.",
)


TURNED = (
    r"$W_l$ turns $x$ into a uniform direction: $h_i = |x|$ times the gain times coordinate $u_i$ of a uniform "
    r"direction in $n$ dimensions, independent of $x$; $n = \max(N_l, N_{l-1})$, and the squared gain is $v n$.",
    r"$u = z/|z|$ for Gaussian $z$, independent of $|z|$: $E u_i^4 = \frac{3}{n(n+2)}$ and "
    r"$E u_i^2 u_j^2 = \frac{1}{n(n+2)}$.",
    r"With $S = E|x|^4$ of the layer before: $E h_i^4 = \frac{3 n v^2}{n+2} S$ and "
    r"$E h_i^2 h_j^2 = \frac{n v^2}{n+2} S$.",
    r"Flipping signs of rows changes no law, so signs are fair: $E\varphi(h_i)^2\varphi(h_j)^2 = "
    r"(\frac{1+a^2}{2})^2 E h_i^2 h_j^2$ and $E\varphi(h_i)^4 = \frac{1+a^4}{2} E h_i^4$.",
    r"The mean square has second moment $(1 - \frac1N) E\varphi_i^2\varphi_j^2 + \frac1N E\varphi_i^4$: "
    r"without $\varphi$ and with $N_l \geq N_{l-1}$ that of $|x|^2$ alone, as lengths are kept.",
)


_MEAN_SQUARE = r"The mean square has second moment $(1 - \frac1N) E h_i^2 h_j^2 + \frac1N E h_i^4$."


def _quartic_assumptions(tensor: str, layer: int, orthogonal: bool) -> tuple[str, ...]:
    """Those of fourth moments; of h_1 no activation is asked anything."""
    laws = HAAR if orthogonal else (*SYMMETRIC, "weights with a fourth moment")
    first = tensor == "preactivation" and layer == 1
    return tuple(law for law in laws if law != SYMMETRIC[-1]) if first else laws


def _quartic_steps(tensor: str, layer: int, orthogonal: bool) -> tuple[str, ...]:
    steps = TURNED if orthogonal else RECURSION
    return (*steps[:3], _MEAN_SQUARE) if tensor == "preactivation" and layer == 1 else steps


@lru_cache
def _quartic(tensor: str, orthogonal: bool) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """E y_i^2, E y_i^2 y_j^2, E y_i^4 of h_l or x_l from the layer before."""
    if orthogonal:
        e2, e22, e4 = power_sums.symbolic_turned(v[l], sp.Max(N[l], N[l - 1]), m[l - 1], S[l - 1])
    else:
        e2, e22, e4 = power_sums.symbolic_entry(l, m[l - 1], S[l - 1], F[l - 1])
    if tensor == "preactivation":
        return e2, e22, e4
    return c2_of(l) * e2, c2_of(l) ** 2 * e22, c4_of(l) * e4


@lru_cache
def _variance(tensor: str, orthogonal: bool) -> sp.Expr:
    e2, e22, e4 = _quartic(tensor, orthogonal)
    return (1 - 1 / N[l]) * e22 + e4 / N[l] - e2**2


def _require_quartic(tensor: str, layer: int, orthogonal: bool, net: DenseNet) -> None:
    kind = "orthogonal" if orthogonal else "independent"
    require(distributions.is_iid(net.weight(layer)) != orthogonal, f"the weights of layer {layer} are {kind}")
    if tensor == "activation":
        homogeneous_slope(net, layer)
    power_sums.require_fourth_moments(net, layer)


def _fourth_moment(tensor: str, layer: int, orthogonal: bool, net: DenseNet) -> Predicted:
    _require_quartic(tensor, layer, orthogonal, net)
    sums = power_sums_of(net, tensor, layer)
    value = sums.fourth_moment
    require(math.isfinite(value) and value > 0, "the fourth moment is one that a float can hold")
    return Predicted(value=value, variance=known(sums.fourth_moment_variance))


def _second_moment_variance(tensor: str, layer: int, orthogonal: bool, net: DenseNet) -> Predicted:
    _require_quartic(tensor, layer, orthogonal, net)
    sums = power_sums_of(net, tensor, layer)
    require(math.isfinite(sums.variance), "the variance is one that a float can hold")
    require(sums.variance > 0, "the mean square is random")
    return Predicted(value=sums.variance, variance=known(sums.squared_departure_variance))


# Statements about whole nets, for studies


def kept_from_layer(first: int, layer: int) -> Prediction:
    """E h_l^2 is what it was at layer `first`: true of critical nets, false of others (A16)."""
    start = _signal(False).subs(l, first)
    return Prediction(
        entry="A16",
        statement=f"The second moment of the preactivations is still that of layer {first}.",
        observable="preactivation.second_moment",
        layer=layer,
        expression=start,
        evaluate=partial(_kept, first, layer),
        assumptions=(*SYMMETRIC, "each factor v_l N_{l-1} (1 + a^2)/2 is 1"),
        reference=HE,
        derivation=(
            r"$E h_l^2 = v_l N_{l-1} \frac{1+a^2}{2} E h_{l-1}^2$ at every width.",
            r"With $v_l = \frac{2}{(1+a^2) N_{l-1}}$ (gain $\sqrt{2/(1+a^2)}$) each factor is 1.",
            r"So the second moment never changes in the mean.",
        ),
        states=FACTS,
    )


def _kept(first: int, layer: int, net: DenseNet) -> Predicted:
    start = power_sums_of(net, "preactivation", first)
    try:
        variance = known(power_sums_of(net, "preactivation", layer).variance)
    except TheoryError:
        variance = None
    return Predicted(value=start.mean, variance=variance)


def variance_of_product(mean_a: sp.Expr, var_a: sp.Expr, mean_b: sp.Expr, var_b: sp.Expr) -> sp.Expr:
    """V(AB) for independent A and B, or Cov(A,B) = Cov(A^2,B^2) = 0 (A3).

    >>> ea, va, eb, vb = sp.symbols("E_A V_A E_B V_B")
    >>> sp.expand(variance_of_product(ea, va, eb, vb))
    E_A**2*V_B + E_B**2*V_A + V_A*V_B
    """
    return var_a * (var_b + mean_b**2) + var_b * mean_a**2
