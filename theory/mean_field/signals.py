"""Statements about signals: moments of preactivations and activations at large width (catalogue E1, MF-01).

q_l = E h_l^2; a layer maps q to N v V(q) + beta. As integrals these are exact; as statements about networks they hold
as widths grow, with an error of order 1/N, except for the first steps of a fixed input through Gaussian weights,
which are exact.
"""

from __future__ import annotations

import math
from functools import partial

import sympy as sp

from theory import forward
from theory.activations import Activation
from theory.conditions import fixed_input, gaussian_biases, held, layer_is_gaussian, require, slope, zero_mean_weights
from theory.mean_field.symbols import MAPS, ONE_STEP, P16, V4, M, V, q_
from theory.net import DenseNet
from theory.power_sums import known, require_fourth_moments
from theory.prediction import Exactness, Predicted, Prediction
from theory.symbols import N, beta, l, v

_MAP = N[l - 1] * v[l] * V(q_[l - 1]) + beta[l]
_ONE_STEP = {
    ("activation", "second_moment"): V(q_[l]),
    ("activation", "mean"): M(q_[l]),
    ("activation", "fourth_moment"): V4(q_[l]),
    ("preactivation", "second_moment"): _MAP,
}
_RATIO = _MAP / q_[l - 1]


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
    q1 = forward.power_sums_of(net, "preactivation", 1).mean
    if statistic_of == "fourth_moment":
        return Predicted(value=held(net.phi(1).power_mean(q1, 4).value), variance=known(sums.fourth_moment_variance))
    return Predicted(value=_mean(net.phi(1), q1), variance=net.phi(1).variance(q1).value / net.widths[1])


def _mean(phi: Activation, q: float) -> float:
    """M(q), 0 where it is rounding: |M| is below the error of the integral, or 1e-15 of the root of V."""
    mean, second = phi.mean(q), phi.second_moment(q).value
    return 0.0 if abs(mean.value) <= max(mean.error, 1e-15 * math.sqrt(second)) else mean.value


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


# Other moments at infinite width


_GAUSSIAN = (
    r"Given $x_{l-1}$, $h_{l,i} = \sum_j w_{ij} x_j + b_i$ sums $N_{l-1}$ independent terms of mean 0.",
    r"As widths grow it tends to a normal of variance $q_l$, where $q_l = N_{l-1} v_l V(q_{l-1}) + \beta_l$ and "
    r"$V(q) = E\varphi(\sqrt{q}z)^2$ for $z \sim N(0,1)$; $q_1 = N_0 v_1 E x_0^2 + \beta_1$.",
)
_X0 = sp.Symbol("E_x0_2", positive=True)


def _limit(observable: str, layer: int, statement: str, expression: sp.Expr, *steps: str) -> Prediction:
    """A statement that follows from h_l ~ N(0, q_l)."""
    return Prediction(
        entry="E1",
        statement=statement,
        observable=observable,
        layer=layer,
        expression=expression,
        evaluate=partial(_VALUES[observable], layer),
        exactness=Exactness.INFINITE_WIDTH,
        assumptions=MAPS,
        reference=P16,
        derivation=(*_GAUSSIAN, *steps),
    )


def activation_mean(layer: int) -> Prediction:
    """E x_l = M(q_l) at infinite width (E1)."""
    return _limit(
        "activation.mean",
        layer,
        "At large width the mean of the activations is the mean of phi over a normal of variance q_l.",
        M(q_[l]),
        r"So $E x_l = E\varphi(\sqrt{q_l}z) = M(q_l)$: for ReLU $\sqrt{q_l/2\pi}$, for odd $\varphi$ 0.",
    )


def fourth_moment(tensor: str, layer: int) -> Prediction:
    """E h_l^4 = 3 q_l^2 and E x_l^4 = V4(q_l) at infinite width (E1)."""
    if tensor == "preactivation":
        step = r"A normal of variance $q$ has $E h^4 = 3 q^2$: kurtosis 3, whatever the law of the weights."
        expression = 3 * q_[l] ** 2
    else:
        step = r"So $E x_l^4 = E\varphi(\sqrt{q_l}z)^4 = V_4(q_l)$."
        expression = V4(q_[l])
    statement = "At large width the fourth moment of an entry is that over a normal of variance q_l."
    return _limit(f"{tensor}.fourth_moment", layer, statement, expression, step)


def active_fraction(layer: int) -> Prediction:
    """Half of the preactivations are positive at infinite width, symmetric weights or not (A24)."""
    return _limit(
        "preactivation.active_fraction",
        layer,
        "At large width half of the preactivations of a layer are positive, whatever the law of the weights.",
        sp.Rational(1, 2),
        r"A normal of mean 0 and variance $q_l > 0$ is positive with probability $\frac12$.",
    )


def activation_ratio(layer: int) -> Prediction:
    """E x_l^2 / E x_{l-1}^2 = V(q_l)/V(q_{l-1}) at infinite width (E1)."""
    return _limit(
        "activation.ratio",
        layer,
        "At large width the second moments of the activations of neighbouring layers have the ratio V(q_l)/V(q_{l-1}).",
        V(q_[1]) / _X0 if layer == 1 else V(q_[l]) / V(q_[l - 1]),
        r"$E x_l^2 = V(q_l)$ in every layer; the input has $E x_0^2$, its mean square.",
        r"Each layer's mean square over units stops fluctuating as widths grow, and so does the ratio of two.",
    )


def _length(net: DenseNet, layer: int) -> float:
    """q_l of a layer whose preactivations are normal as widths grow."""
    require(zero_mean_weights(net, layer), f"the weights of layer {layer} are random with mean 0")
    require(gaussian_biases(net, layer), f"the biases of layer {layer} are Gaussian or absent")
    return forward.power_sums_of(net, "preactivation", layer, exact=False).mean


def _activation_mean(layer: int, net: DenseNet) -> Predicted:
    return Predicted(value=_mean(net.phi(layer), _length(net, layer)))


def _preactivation_fourth(layer: int, net: DenseNet) -> Predicted:
    require_fourth_moments(net, layer)
    return Predicted(value=held(3 * _length(net, layer) ** 2))


def _activation_fourth(layer: int, net: DenseNet) -> Predicted:
    require_fourth_moments(net, layer)
    return Predicted(value=held(net.phi(layer).power_mean(_length(net, layer), 4).value))


def _active_fraction(layer: int, net: DenseNet) -> Predicted:
    _length(net, layer)
    return Predicted(value=0.5)


def _activation_ratio(layer: int, net: DenseNet) -> Predicted:
    if slope(net, layer) is None:
        _length(net, layer)
    after, before = (forward.power_sums_of(net, "activation", k, exact=False).mean for k in (layer, layer - 1))
    require(before > 0, "the layer before is not 0")
    return Predicted(value=after / before)


_VALUES = {
    "activation.mean": _activation_mean,
    "preactivation.fourth_moment": _preactivation_fourth,
    "activation.fourth_moment": _activation_fourth,
    "preactivation.active_fraction": _active_fraction,
    "activation.ratio": _activation_ratio,
}
