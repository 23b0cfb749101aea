"""Logs of mean squares, for the networks where they are not 0: sums of independent logs (B3, C4, C7, C8, D3).

The mean square of a layer is a product of one `Factor` a layer, so its log is a sum, close to normal at any
depth. All statements need Gaussian weights and homogeneous activations; those that look forward, no biases.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from itertools import accumulate

import sympy as sp

from theory import distributions
from theory.backward import reached_power_sums
from theory.conditions import homogeneous_slope, nonzero_input, output_law, require, slope
from theory.finite_width import (
    Factor,
    log_mean,
    log_variance,
    require_gaussian_backward,
    require_gaussian_forward,
)
from theory.net import DenseNet, Distribution, once_per_net
from theory.prediction import Law, Predicted, Prediction
from theory.symbols import L, N, a, gamma2, l, q, v

LONGEST_LAW = 256
"""Nets of more layers than this have sums of logs without their law, with mean and variance alone."""

ell = sp.Function("ell")
"""ell(n, a) = E log sum_i phi(z_i)^2 over n standard normals, given that it is not 0; log 2 + psi(n/2) at a = 1."""

_IN = sp.Symbol("ell_0", real=True)
"""E log of the mean square of the input; log m_0 for a fixed one."""


def _passed(first: sp.Expr | int, last: sp.Expr) -> sp.Expr:
    return sp.Sum(sp.log(v[q]) + ell(N[q], a[q]), (q, first, last))


_BEHIND = sp.Sum(ell(N[q], a[q]), (q, l, L)) + sp.Sum(sp.log(v[q]), (q, l + 1, L)) + sp.log(gamma2)
EXPRESSIONS = {
    "preactivation": _IN + sp.log(N[0]) + _passed(1, l - 1) + sp.log(v[l]) + ell(N[l], 1) - sp.log(N[l]),
    "activation": _IN + sp.log(N[0]) + _passed(1, l) - sp.log(N[l]),
    "preactivation_gradient": _BEHIND - sp.log(N[l]),
    "activation_gradient": _BEHIND.subs(l, l + 1) + sp.log(v[l + 1]) + ell(N[l], 1) - sp.log(N[l]),
    "weight_gradient": _BEHIND + _IN + sp.log(N[0]) + _passed(1, l - 1) - sp.log(N[l] * N[l - 1]),
}
EXPRESSIONS["bias_gradient"] = EXPRESSIONS["preactivation_gradient"]

s2 = sp.Function("s2")
"""s2(n, a) = Var log sum_i phi(z_i)^2 over n standard normals, given that it is not 0; psi_1(n/2) at a = 1."""
_S_IN = sp.Symbol("s2_0", nonnegative=True)
"""Variance of the log of the mean square of the input; 0 for a fixed one."""


def _spread(first: sp.Expr | int, last: sp.Expr) -> sp.Expr:
    return sp.Sum(s2(N[q], a[q]), (q, first, last))


SPREADS = {
    "preactivation": _S_IN + _spread(1, l - 1) + s2(N[l], 1),
    "activation": _S_IN + _spread(1, l),
    "preactivation_gradient": _spread(l, L),
    "bias_gradient": _spread(l, L),
    "activation_gradient": _spread(l + 1, L) + s2(N[l], 1),
    "weight_gradient": _S_IN + _spread(1, L),
}

ENTRIES = {"preactivation": "C4", "activation": "C4", "weight_gradient": "C8"}
STATEMENTS = {
    "forward": "The log of the mean square is a sum of independent logs, one a layer; each has mean below the log of "
    "its mean, so the typical network falls behind the mean one.",
    "backward": "The log of the mean square of a gradient is a sum of independent logs, one a layer behind it.",
    "weight_gradient": "The log of the squared weight gradient is one sum over all layers of the net: with one width "
    "and variance it has the same law in every layer.",
}
DERIVATIONS = {
    "forward": (
        r"Given $x_{q-1} \neq 0$ the entries of $h_q$ are independent $N(0, v_q |x_{q-1}|^2)$.",
        r"So $|x_q|^2 = v_q |x_{q-1}|^2 Y_q$ with $Y_q = \sum_i \varphi(z_i)^2$ independent of the past.",
        r"For ReLU $Y_q = \chi^2_A$, $A \sim$ Bin$(N_q, \frac12)$, and a network is alive where every $A \geq 1$.",
        r"$E\log\chi^2_n = \log 2 + \psi(\frac n2)$ and Var $\log\chi^2_n = \psi_1(\frac n2)$; for ReLU average over "
        r"$A$; logs of layers add.",
    ),
    "backward": (
        r"The signs of $g$ make the masks independent of what they mask: fair coins, given that the layer is reached.",
        r"$\delta_q = \varphi'(h_q) \odot W_{q+1}^T\delta_{q+1}$ has "
        r"$|\delta_q|^2 = v_{q+1}|\delta_{q+1}|^2 Y_q$, and $|\delta_L|^2 = \gamma^2 Y_L$.",
        r"$|g_l|^2 = v_{l+1}|\delta_{l+1}|^2\chi^2_{N_l}$.",
        r"Logs add; each $Y$ is given that it is not 0.",
    ),
    "weight_gradient": (
        r"$|\partial\ell/\partial W_l|^2 = |\delta_l|^2|x_{l-1}|^2$, independent given that layer $l$ is reached.",
        r"$|x_{l-1}|^2 = |x_0|^2\prod_{q<l} v_q Y_q$ and $|\delta_l|^2 = \gamma^2\prod_{q \geq l} Y_q\prod_{q>l} v_q$.",
        r"Together $\gamma^2|x_0|^2\prod_{q=1}^L Y_q\prod_{q \neq l} v_q$: every layer's factor once, in every layer.",
        r"Its log is the sum of the logs.",
    ),
}


def log_second_moment(tensor: str, layer: int) -> Prediction:
    """E log of the mean square of a tensor, over the networks where it is not 0.

    `tensor` is preactivation, activation or one of the four gradients.

    >>> log_second_moment("activation", 2).entry
    'C4'
    """
    return _prediction(tensor, layer, "mean", EXPRESSIONS[tensor])


def log_second_moment_variance(tensor: str, layer: int) -> Prediction:
    """Variance of that log over the same networks: the sum of those of the layers."""
    return _prediction(tensor, layer, "variance", SPREADS[tensor])


def _prediction(tensor: str, layer: int, statistic: str, expression: sp.Expr) -> Prediction:
    kind = "forward" if tensor in ("preactivation", "activation") else "backward"
    kind = tensor if tensor == "weight_gradient" else kind
    return Prediction(
        entry=ENTRIES.get(tensor, "C7"),
        statement=STATEMENTS[kind],
        observable=f"{tensor}.log_second_moment",
        layer=layer,
        statistic=statistic,
        expression=expression,
        evaluate=partial(_log_second_moment if statistic == "mean" else _log_variance, tensor, layer),
        assumptions=ASSUMPTIONS[kind],
        reference="Hanin and Nica 2020",
        derivation=DERIVATIONS[kind],
        states=frozenset({"gaussian_projection", "fair_signs"}),
    )


ASSUMPTIONS = {
    "forward": ("Gaussian weights", "no biases", "homogeneous activations", "fixed or Gaussian input"),
    "backward": (
        "Gaussian weights",
        "homogeneous activations",
        "standard Gaussian output gradient, or any fixed one behind a linear output layer",
        "biases none, or symmetric and never 0 (or 0 at times, where no layer before can be dead)",
    ),
    "weight_gradient": (
        "Gaussian weights",
        "no biases",
        "homogeneous activations",
        "fixed or Gaussian input",
        "standard Gaussian output gradient, or any fixed one behind a linear output layer",
    ),
}

Part = tuple[float, float]
"""Mean and variance of a sum of independent logs."""


def _add(one: Part, two: Part) -> Part:
    return one[0] + two[0], one[1] + two[1]


def _of(width: int, rate: float) -> Part:
    factor = Factor(width, rate)
    return log_mean(factor), log_variance(factor)


def _of_tensor(entries: Distribution | tuple[float, ...], width: int) -> tuple[Part, tuple[Factor, ...]]:
    """Log of |y|^2 of fixed values or of a centred Gaussian vector."""
    if not isinstance(entries, Distribution):
        total = math.fsum(value**2 for value in entries)
        require(total > 0, "the input and the output gradient are not 0")
        return (math.log(total), 0.0), ()
    gaussian = distributions.is_gaussian(entries) and distributions.mean(entries) == 0 and entries.variance != 0
    require(gaussian, "a random input or output gradient is Gaussian with mean 0")
    mean, variance = _of(width, 1.0)
    return (math.log(distributions.variance(entries)) + mean, variance), (Factor(width, 1.0),)


@once_per_net
def _forward(net: DenseNet) -> list[Part]:
    """Log of |x_l|^2, l = 0..L, up to the first layer that is not homogeneous."""
    require(nonzero_input(net) == 1, "the input is not 0")
    steps = [_of_tensor(net.one_input, net.widths[0])[0]]
    for k in range(1, net.depth + 1):
        rate = slope(net, k)
        if rate is None or not distributions.is_gaussian(net.weight(k)):
            break
        mean, variance = _of(net.widths[k], rate)
        steps.append((math.log(distributions.variance(net.weight(k))) + mean, variance))
    return list(accumulate(steps, _add))


@once_per_net
def _backward(net: DenseNet) -> list[Part]:
    """Log of |delta_{L-k}|^2, k = 0, 1, ..., as far as the conditions hold."""
    steps: list[Part] = []
    for k in range(net.depth, 0, -1):
        rate = slope(net, k)
        if rate is None:
            break
        if k == net.depth:
            steps.append(_first_delta(net, rate)[0])
            continue
        if not distributions.is_gaussian(net.weight(k + 1)):
            break
        mean, variance = _of(net.widths[k], rate)
        steps.append((math.log(distributions.variance(net.weight(k + 1))) + mean, variance))
    return list(accumulate(steps, _add))


def _first_delta(net: DenseNet, rate: float) -> tuple[Part, tuple[Factor, ...]]:
    part, factors = _of_tensor(output_law(net), net.widths[-1])
    if rate == 1:
        return part, factors
    law = output_law(net)
    require(isinstance(law, Distribution), "the output gradient is standard Gaussian")
    assert isinstance(law, Distribution)
    mean, variance = _of(net.widths[-1], rate)
    return (math.log(distributions.variance(law)) + mean, variance), (Factor(net.widths[-1], rate),)


def log_of_square(net: DenseNet, tensor: str, layer: int) -> Part:
    """Mean and variance of the log of the sum of squares."""
    n = net.widths[layer]
    if tensor == "activation":
        require_gaussian_forward(net, layer, layer)
        return _forward(net)[layer]
    if tensor == "preactivation":
        require_gaussian_forward(net, layer, layer - 1)
        mean, variance = _add(_forward(net)[layer - 1], _of(n, 1.0))
        return mean + math.log(distributions.variance(net.weight(layer))), variance
    if tensor == "weight_gradient":
        require_gaussian_forward(net, layer - 1, layer - 1)
        return _add(_forward(net)[layer - 1], _delta(net, layer))
    if tensor == "activation_gradient":
        if layer == net.depth:
            return _of_tensor(output_law(net), n)[0]
        require(distributions.is_gaussian(net.weight(layer + 1)), "the weights are Gaussian")
        mean, variance = _add(_delta(net, layer + 1), _of(n, 1.0))
        return mean + math.log(distributions.variance(net.weight(layer + 1))), variance
    return _delta(net, layer)


def _delta(net: DenseNet, layer: int) -> Part:
    reached_power_sums(net, "preactivation_gradient", layer)  # the conditions of C7
    require_gaussian_backward(net, layer)
    return _backward(net)[net.depth - layer]


def _log_second_moment(tensor: str, layer: int, net: DenseNet) -> Predicted:
    mean, variance = log_of_square(net, tensor, layer)
    require(variance > 0, "the value is random")
    size = net.widths[layer] * (net.widths[layer - 1] if tensor == "weight_gradient" else 1)
    return Predicted(value=mean - math.log(size), variance=variance, law=_law(net, tensor, layer), log=True)


def _log_variance(tensor: str, layer: int, net: DenseNet) -> Predicted:
    variance = log_of_square(net, tensor, layer)[1]
    require(variance > 0, "the value is random")
    return Predicted(value=variance)


def _law(net: DenseNet, tensor: str, layer: int) -> Law | None:
    return log_law(factors_of(net, tensor, layer)) if net.depth <= LONGEST_LAW else None


def factors_of(net: DenseNet, tensor: str, layer: int) -> list[Factor]:
    """Every factor of the value, those of the input and the output gradient included."""
    if tensor == "activation" and layer == 0:
        return list(_of_tensor(net.one_input, net.widths[0])[1])
    entering = _of_tensor(net.one_input, net.widths[0])[1] if tensor not in BACKWARD_ALONE else ()
    before = [*entering, *_layers(net, range(1, layer))] if tensor not in BACKWARD_ALONE else []
    own = Factor(net.widths[layer], 1.0)
    if tensor == "preactivation":
        return [*before, own]
    if tensor == "activation":
        return [*before, *_layers(net, [layer])]
    if tensor == "activation_gradient":
        if layer == net.depth:
            return list(_of_tensor(output_law(net), net.widths[-1])[1])
        return [own, *_behind(net, layer + 1)]
    return [*before, *_behind(net, layer)]


BACKWARD_ALONE = ("preactivation_gradient", "bias_gradient", "activation_gradient")


def _behind(net: DenseNet, layer: int) -> list[Factor]:
    last = _first_delta(net, homogeneous_slope(net, net.depth))[1]
    return [*_layers(net, range(layer, net.depth)), *last]


def _layers(net: DenseNet, layers: Iterable[int]) -> list[Factor]:
    return [Factor(net.widths[k], homogeneous_slope(net, k)) for k in layers]


def log_law(factors: list[Factor]) -> Law | None:
    """The law of a sum of logs of independent factors about its mean; None where two slopes besides 1 differ.

    >>> log_law([Factor(8, 0.0), Factor(4, 0.0)]).parameters
    {'widths': (8, 4)}
    >>> log_law([Factor(8, 1.0), Factor(4, 0.0)]).parameters
    {'widths': (4,), 'linear_widths': (8,)}
    """
    linear = tuple(factor.width for factor in factors if abs(factor.slope) == 1)
    bent = [factor for factor in factors if abs(factor.slope) != 1]
    slopes = {abs(factor.slope) for factor in bent}
    if not bent:
        return Law("log_linear", widths=linear) if linear else None
    if len(slopes) > 1:
        return None
    widths, rate = tuple(factor.width for factor in bent), slopes.pop()
    more = {"linear_widths": linear} if linear else {}
    return Law("log_relu", widths=widths, **more) if rate == 0 else Law("log_leaky", widths=widths, slope=rate, **more)
