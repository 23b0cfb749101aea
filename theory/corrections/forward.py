"""Statements about preactivations and activations to order 1/width, any activation (E4, MF-06, F1).

Each carries the scatter of one network's value, and, as `next_order`, the size of the terms of the next order: they
are computed, not guessed, except that they are never taken below the square of the relative scatter of G, so that a
term that happens to vanish hides nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import sympy as sp

from theory.conditions import held, require
from theory.corrections.integrals import Integrals, integrals
from theory.corrections.signal import LARGEST_SCATTER, Signal, signal_of
from theory.net import DenseNet
from theory.prediction import Exactness, Predicted, Prediction
from theory.symbols import N, l

PDLT = "Roberts, Yaida and Hanin 2022, chapter 4"
q_, eps, K, A = (sp.IndexedBase(name, positive=name == "Q") for name in ("Q", "epsilon", "K_G", "A"))
"""Q[l]: q_l at infinite width; epsilon[l], K_G[l], A[l]: shift, scatter and fourth cumulant of `signal.Signal`."""
_MEANS = {name: [sp.Function(name + suffix)(q_[l]) for suffix in ("", "_1", "_2")] for name in ("V", "M", "V4")}
_R = _MEANS["V4"][0] - _MEANS["V"][0] ** 2

ASSUMES = (
    "weights independent, zero mean, one variance a layer, with sixth moments (Gaussian: kurtosis term 0)",
    "biases Gaussian, or none",
    "input fixed, or of independent entries with sixth moments",
    f"relative scatter Var G / q^2 at most {LARGEST_SCATTER} in every layer",
)
RECURSION = (
    r"Given $x_{l-1}$ the $h_{l,i}$ are independent with variance $G_l = v_l|x_{l-1}|^2 + \beta_l$ and (Gaussian "
    r"weights) normal; so $G_{l+1} = s\,\frac{1}{N_l}\sum_i \varphi(h_{l,i})^2 + \beta_{l+1}$, $s = N_l v_{l+1}$.",
    r"$E[G_{l+1} \mid G_l] = s V(G_l) + \beta_{l+1}$ exactly, and Var$[G_{l+1} \mid G_l] = "
    r"\frac{s^2}{N_l}(E\varphi^4 - V^2)(G_l)$.",
    r"Write $G_l = q_l + g$ with $E g = \varepsilon_l$ and Var $g = K_l$ of order $1/n$, and expand $V$ about $q_l$: "
    r"$E V(G_l) = V + V'\varepsilon_l + \frac12 V'' K_l$, Var $V(G_l) = V'^2 K_l$.",
    r"Hence $K_{l+1} = (sV')^2 K_l + \frac{s^2}{N_l}(E\varphi^4 - V^2)$ and "
    r"$\varepsilon_{l+1} = s V'\varepsilon_l + \frac{s}{2} V''(K_l + \frac13 A_l)$, all at $q_l$.",
    r"$A_l = (\kappa_l - 3) v_l^2 E\sum_j x_{l-1,j}^4$ is the fourth cumulant of $h$ that weights which are not "
    r"Gaussian leave; it adds $\frac{A_l}{24} E f''''(h) = \frac{A_l}{6} V''$.",
    r"Start: $\varepsilon_1 = 0$; $K_1 = 0$ for a fixed input, $K_1 = v_1^2 N_0$ Var $x_0^2$ for a random one.",
)

Values = tuple[float, float, float]
"""A value in orders 0 (or the leading one), next, and the one left out."""


def _mean_of(function: str, signal: Signal, I: Integrals) -> Values:
    return signal.mean(getattr(I, function))


def _preactivation(signal: Signal, I: Integrals) -> Values:
    return signal.q, *signal.shift


def _preactivation_quartic(signal: Signal, I: Integrals) -> Values:
    (e1, e2), (K1, K2), (A1, A2), q = signal.shift, signal.scatter, signal.flat, signal.q
    return 3 * q**2, 3 * (2 * q * e1 + K1) + A1, 3 * (2 * q * e2 + e1**2 + K2) + A2


def preactivation_scatter(signal: Signal, width: int) -> tuple[float, float]:
    """Variance over networks of the mean square of h over `width` units, orders 1 and 2."""
    (e1, _), (K1, K2), q = signal.shift, signal.scatter, signal.q
    return K1 + 2 * q**2 / width, K2 + (2 * (2 * q * e1 + K1) + signal.flat[0]) / width


def _scatter(kind: tuple[str, str], signal: Signal, I: Integrals, width: int) -> float:
    """Variance over networks of one network's value; to order 2 for second moments."""
    K1, q = signal.scatter[0], signal.q
    if kind == ("preactivation", "second_moment"):
        return _summed(*preactivation_scatter(signal, width))
    if kind == ("activation", "second_moment"):
        return _summed(*signal.mean_scatter(I, width))
    if kind == ("preactivation", "fourth_moment"):
        return 36 * q**2 * K1 + 96 * q**4 / width
    if kind == ("activation", "fourth_moment"):
        return float(I.V4[1] ** 2 * K1 + (I.V8 - I.V4[0] ** 2) / width)
    return float(I.M[1] ** 2 * K1 + (I.V[0] - I.M[0] ** 2) / width)


def _summed(first: float, second: float) -> float:
    """First and second order, where the second is a correction; else the first."""
    return first + second if abs(second) < first / 2 else first


_VALUES: dict[tuple[str, str], Callable[[Signal, Integrals], Values]] = {
    ("preactivation", "second_moment"): _preactivation,
    ("preactivation", "fourth_moment"): _preactivation_quartic,
    ("activation", "second_moment"): partial(_mean_of, "V"),
    ("activation", "fourth_moment"): partial(_mean_of, "V4"),
    ("activation", "mean"): partial(_mean_of, "M"),
}


def _corrected(name: str) -> sp.Expr:
    zero, one, two = _MEANS[name]
    return zero + one * eps[l] + two * (K[l] + A[l] / 3) / 2


_EXPRESSIONS = {
    ("preactivation", "second_moment"): q_[l] + eps[l],
    ("preactivation", "fourth_moment"): 3 * (q_[l] ** 2 + 2 * q_[l] * eps[l] + K[l]) + A[l],
    ("activation", "second_moment"): _corrected("V"),
    ("activation", "fourth_moment"): _corrected("V4"),
    ("activation", "mean"): _corrected("M"),
}
_LAST = {
    "preactivation": r"$E h_l^2 = E G_l$, $E h_l^4 = 3(q_l^2 + 2 q_l\varepsilon_l + K_l) + A_l$.",
    "activation": r"For any $f$ with $F(q) = E f(\sqrt{q} z)$: $E f(h_l) = F + F'\varepsilon_l + "
    r"\frac12 F''(K_l + \frac13 A_l)$ at $q_l$.",
}


def mean(tensor: str, statistic_of: str, layer: int) -> Prediction:
    """E of the second moment, fourth moment or mean of h_l or x_l to order 1/width (E4, MF-06).

    >>> mean("activation", "second_moment", 3).exactness.value
    'LEADING_ORDER'
    """
    kind = (tensor, statistic_of)
    return Prediction(
        entry="E4",
        statement="At finite width the variance G of a preactivation scatters from network to network by K of order "
        "1/N; the curvature of the length map turns that into a shift epsilon of its mean, and so of every moment.",
        observable=f"{tensor}.{statistic_of}",
        layer=layer,
        expression=_EXPRESSIONS[kind],
        evaluate=partial(_mean, kind, layer),
        exactness=Exactness.LEADING_ORDER,
        assumptions=ASSUMES,
        reference=PDLT,
        derivation=(*RECURSION, _LAST[tensor]),
        next_order=partial(mean_left_out, kind, layer),
    )


def orders(kind: tuple[str, str], layer: int, net: DenseNet) -> Values:
    """The value at infinite width, its 1/n term, and its 1/n^2 term.

    Raises:
        TheoryError: where the expansion does not hold.
    """
    signal = signal_of(net, layer)
    return _VALUES[kind](signal, integrals(net.phi(layer), signal.q))


def _mean(kind: tuple[str, str], layer: int, net: DenseNet) -> Predicted:
    signal = signal_of(net, layer)
    leading, first, _ = orders(kind, layer, net)
    variance = _scatter(kind, signal, integrals(net.phi(layer), signal.q), net.widths[layer])
    require(abs(first) <= abs(leading) / 4, "the term of order 1/width is small against the value (a quarter at most)")
    value = leading + first
    return Predicted(value=value if _may_be_0(kind) else held(value), variance=variance)


def _may_be_0(kind: tuple[str, str]) -> bool:
    """Whether the value may be 0 or negative, as no mean square is."""
    return kind[1] == "mean"


def mean_left_out(kind: tuple[str, str], layer: int, net: DenseNet) -> tuple[float, int]:
    """Relative size of the term of order 1/n^2 that `mean` leaves out."""
    leading, first, second = orders(kind, layer, net)
    return left_out(signal_of(net, layer), leading + first, second), 2


_VARIANCES = {
    "preactivation": 2 * q_[l] ** 2 / N[l] + K[l],
    "activation": _MEANS["V"][1] ** 2 * K[l] + _R / N[l],
}


def left_out(signal: Signal, value: float, second: float) -> float:
    """|second/value|, and at least the square of the relative scatter of G."""
    return max(abs(second / value), (signal.scatter[0] / signal.q**2) ** 2)


def variance(tensor: str, layer: int) -> Prediction:
    """Variance over networks of the mean square of h_l or x_l, to its second order in 1/width (E4).

    >>> variance("preactivation", 3).statistic
    'variance'
    """
    return Prediction(
        entry="E4",
        statement="The mean square of a layer scatters from network to network: by the scatter of its variance G, "
        "and by that of a mean over N units given G.",
        observable=f"{tensor}.second_moment",
        layer=layer,
        statistic="variance",
        expression=_VARIANCES[tensor],
        evaluate=partial(_variance, tensor, layer),
        exactness=Exactness.LEADING_ORDER,
        assumptions=ASSUMES,
        reference=PDLT,
        derivation=(
            *RECURSION,
            r"Given $G_l$ the units are independent: Var of the mean square is Var $G_l + 2 E G_l^2/N_l$, and "
            r"$V'^2 K_l + (E\varphi^4 - V^2)/N_l$ behind the activation.",
            r"The number includes the next order too: third cumulant of $G$, $V'''$, $K$ to $1/n^2$; what follows is "
            r"taken to be as much smaller again.",
        ),
        next_order=partial(_variance_left_out, tensor, layer),
    )


def _variance_orders(tensor: str, layer: int, net: DenseNet) -> tuple[float, float]:
    signal, width = signal_of(net, layer), net.widths[layer]
    if tensor == "preactivation":
        return preactivation_scatter(signal, width)
    return signal.mean_scatter(integrals(net.phi(layer), signal.q), width)


def _variance(tensor: str, layer: int, net: DenseNet) -> Predicted:
    first, second = _variance_orders(tensor, layer, net)
    require(abs(second) <= first / 2, "the second order of the variance is small against the first (half at most)")
    return Predicted(value=held(first + second))


def _variance_left_out(tensor: str, layer: int, net: DenseNet) -> tuple[float, int]:
    first, second = _variance_orders(tensor, layer, net)
    signal = signal_of(net, layer)
    return max((second / first) ** 2, (signal.scatter[0] / signal.q**2) ** 2), 2
