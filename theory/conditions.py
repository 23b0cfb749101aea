"""The conditions of the statements, as questions to one network; those that fail name what is missing."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import accumulate

import numpy as np

from theory import distributions
from theory.net import DenseNet, Distribution, HalfSquaredError, once_per_kind, once_per_net
from theory.prediction import TheoryError


def require(condition: bool, missing: str) -> None:
    """Raise unless the condition holds.

    Raises:
        TheoryError: with the condition that is missing.

    >>> require(False, "the weights are Gaussian")
    Traceback (most recent call last):
    theory.prediction.TheoryError: the statement needs that the weights are Gaussian; this network differs.
    """
    if not condition:
        raise TheoryError(f"the statement needs that {missing}; this network differs.")


def held(value: float) -> float:
    """A value that is positive, where a float holds it.

    Raises:
        TheoryError: if it came out as 0, infinite or NaN.

    >>> held(2.5)
    2.5
    """
    require(0 < value < math.inf, "the value is one that a float can hold; take the log")
    return value


@once_per_kind
def slope(net: DenseNet, layer: int) -> float | None:
    """Negative slope of the activation of a layer (ReLU 0, linear 1), None if it is not homogeneous.

    >>> slope(DenseNet((2, 2), "leaky_relu", {"negative_slope": 0.2}), 1)
    0.2
    """
    return net.phi(layer).slope


def homogeneous_slope(net: DenseNet, layer: int) -> float:
    """The same where the statement needs one."""
    value = slope(net, layer)
    require(value is not None, f"the activation of layer {layer} is homogeneous (linear, relu, leaky_relu)")
    assert value is not None
    return value


@once_per_net
def _exceptions(net: DenseNet) -> dict[str, list[int]]:
    """How many layers up to l (0..L) are not as asked, for each thing that may be asked of a range of layers."""
    layers = range(1, net.depth + 1)
    return {name: [0, *accumulate(int(not test(net, k)) for k in layers)] for name, test in _ASKED.items()}


_ASKED: dict[str, Callable[[DenseNet, int], bool]] = {
    "gaussian": once_per_kind(lambda net, k: distributions.is_gaussian(net.weight(k))),
    "unbiased": once_per_kind(lambda net, k: distributions.is_zero(net.bias(k))),
    "homogeneous": lambda net, k: slope(net, k) is not None,
    "relu": lambda net, k: slope(net, k) == 0,
}


def _all(net: DenseNet, name: str, first: int, last: int) -> bool:
    counts = _exceptions(net)[name]
    return last < first or counts[last] == counts[first - 1]


def all_gaussian(net: DenseNet, first: int, last: int) -> bool:
    """Whether the weights of layers first..last are normal."""
    return _all(net, "gaussian", first, last)


def no_biases(net: DenseNet, first: int, last: int) -> bool:
    """Whether layers first..last have no biases."""
    return _all(net, "unbiased", first, last)


def all_homogeneous(net: DenseNet, first: int, last: int) -> bool:
    """Whether the activations of layers first..last are linear, relu or leaky_relu."""
    return _all(net, "homogeneous", first, last)


def all_relu(net: DenseNet, first: int, last: int) -> bool:
    """Whether the activations of layers first..last are ReLU."""
    return _all(net, "relu", first, last)


@once_per_kind
def gaussian_biases(net: DenseNet, layer: int) -> bool:
    """Whether the biases of a layer are normal or absent."""
    law = net.bias(layer)
    return distributions.is_zero(law) or distributions.is_gaussian(law)


@once_per_kind
def layer_is_gaussian(net: DenseNet, layer: int) -> bool:
    """Whether h_l is normal given x_{l-1}."""
    return distributions.is_gaussian(net.weight(layer)) and gaussian_biases(net, layer)


@once_per_kind
def symmetric_layer(net: DenseNet, layer: int) -> bool:
    """Whether (W_l, b_l) and its negative have one law."""
    return distributions.is_symmetric(net.weight(layer)) and distributions.is_symmetric(net.bias(layer))


@once_per_kind
def zero_mean_weights(net: DenseNet, layer: int) -> bool:
    """Whether the weights of a layer are random with mean 0."""
    law = net.weight(layer)
    return law.name != "constant" and distributions.mean(law) == 0 and law.variance != 0


@once_per_kind
def continuous_biases(net: DenseNet, layer: int) -> bool:
    """Whether the biases of a layer are symmetric and without atoms: no unit is ever tied at 0."""
    law = net.bias(layer)
    return distributions.is_atomless(law) and distributions.is_symmetric(law)


@once_per_kind
def biases_never_zero(net: DenseNet, layer: int) -> bool:
    """Whether the biases of a layer are symmetric and never 0: behind x_{l-1} = 0, where h_l = b_l, signs are fair."""
    law = net.bias(layer)
    return distributions.is_symmetric(law) and distributions.zero_probability(law) == 0


@once_per_kind
def fair_signs(net: DenseNet, layer: int) -> bool:
    """Whether, given x_{l-1} != 0, the signs of h_l are fair coins and no entry of h_l is 0."""
    symmetric = symmetric_layer(net, layer)
    return symmetric and (distributions.is_atomless(net.weight(layer)) or continuous_biases(net, layer))


def fixed_input(net: DenseNet) -> bool:
    """Whether x_0 is given by its values."""
    return not isinstance(net.one_input, Distribution)


def nonzero_input(net: DenseNet) -> float:
    """P(x_0 != 0)."""
    law = net.one_input
    if not isinstance(law, Distribution):
        return float(any(law))
    return -math.expm1(net.widths[0] * _log(distributions.zero_probability(law)))


@once_per_net
def alive(net: DenseNet) -> list[float]:
    """P(x_l != 0) for l = 0..L (C5); NaN where it is not known.

    A ReLU layer that is reached has all signs negative with probability 2^-N; so has one of ReLU6. Others pass on
    whatever reaches them, but for those that are 0 on other intervals, of which nothing is known.

    >>> he = tuple(Distribution("normal", 1.0) for _ in range(2))
    >>> alive(DenseNet((4, 2, 1), "relu", weights=he))
    [1.0, 0.75, 0.375]
    """
    chances = [nonzero_input(net)]
    for layer in range(1, net.depth + 1):
        chances.append(_passed(net, layer, _reached(net, layer, chances[-1])))
    return chances


def _reached(net: DenseNet, layer: int, before: float) -> float:
    if biases_never_zero(net, layer):
        return 1.0
    return before if before == 1 or distributions.is_zero(net.bias(layer)) else math.nan


def reached(net: DenseNet, layer: int) -> float:
    """r[l] of the symbols: the probability that no entry of h_l is 0, where signs are fair.

    That of x_{l-1} != 0, or 1 where the biases are never 0. NaN where it is not known, as for biases that may be
    0 behind a layer that may be dead: some entries are then 0, others are not.

    >>> he = (Distribution("normal", 1.0),) * 2
    >>> signs = (Distribution("constant", None, {"value": 0.0}), Distribution("rademacher", 0.3))
    >>> nets = [DenseNet((2, 1, 1), "relu", weights=he, biases=biases) for biases in ((), signs)]
    >>> [reached(net, 2) for net in nets]
    [0.5, 1.0]
    """
    return _reached(net, layer, alive(net)[layer - 1])


def _passed(net: DenseNet, layer: int, reached: float) -> float:
    phi = net.phi(layer)
    zeros = phi.zeros
    if zeros == "never":
        return 1.0
    if zeros == "intervals" or not fair_signs(net, layer):
        return math.nan
    if zeros == "isolated" and phi.function(np.zeros(1))[0] != 0:
        return 1.0 if not math.isnan(reached) else math.nan
    return reached * -math.expm1(-net.widths[layer] * math.log(2)) if zeros == "negative" else reached


def gate(net: DenseNet, layer: int) -> float:
    """p[l] of the symbols: the probability that the first layer behind l that is not linear is reached, if ReLU.

    Linear layers pass on a signal as they find it; 1 where another activation, or none, follows.
    """
    behind = _first_mask(net, layer)
    return reached(net, behind) if behind <= net.depth and slope(net, behind) == 0 else 1.0


def _first_mask(net: DenseNet, layer: int) -> int:
    """The first layer behind l whose activation is not linear; L + 1 if there is none."""
    return next((k for k in range(layer + 1, net.depth + 1) if slope(net, k) != 1), net.depth + 1)


def shows_alive(net: DenseNet, layer: int) -> bool:
    """Whether a gradient that is not 0 behind layer l implies x_l != 0: it came through a ReLU that sees only x_l."""
    behind = _first_mask(net, layer)
    if behind > net.depth or slope(net, behind) != 0:
        return False
    return not any(biases_never_zero(net, k) for k in range(layer + 1, behind + 1))


def ratio_gate(net: DenseNet, layer: int) -> float:
    """t[l] of the symbols: what conditioning on a gradient behind layer l does to the mask of layer l.

    A gradient that came through a ReLU layer without biases implies x_l != 0.
    """
    if slope(net, layer) != 0:
        return 1.0
    if shows_alive(net, layer):
        return -1 / math.expm1(-net.widths[layer] * math.log(2))
    return gate(net, layer - 1)


def output_law(net: DenseNet) -> Distribution | tuple[float, ...]:
    """The law or the values of dL/dx_L, where it does not depend on the network.

    Raises:
        TheoryError: if it comes from a loss.
    """
    if isinstance(net.output_gradient, HalfSquaredError):
        raise TheoryError("the statement needs an output gradient that is independent of the network, not a loss.")
    return net.output_gradient


def output_mask_is_blind(net: DenseNet) -> bool:
    """Whether the mean of g_{L-1} given x_{L-1} is 0.

    E W_L^T phi'(h_L) g is the sum of g times a vector along x_{L-1}, which is 0 where phi' is even.
    """
    law = output_law(net)
    if net.phi(net.depth).slope_is_even:
        return True
    if isinstance(law, Distribution):
        return distributions.mean(law) == 0
    return abs(math.fsum(law)) <= 1e-9 * math.fsum(map(abs, law))


def require_backward(net: DenseNet, layer: int) -> None:
    """The conditions of C7 on a layer whose derivative masks a gradient.

    Linear layers need zero-mean weights alone. Others need symmetric laws without ties, and, for the mask of
    the output layer, an output gradient with symmetric independent entries.
    """
    law = output_law(net)
    rate = homogeneous_slope(net, layer)
    require(zero_mean_weights(net, layer), f"the weights of layer {layer} are random with mean 0")
    if rate == 1:
        return
    require(fair_signs(net, layer), f"no preactivation of layer {layer} is tied at 0 and its law is symmetric")
    chance = reached(net, layer)
    known = "the probability that a layer is dead is known (biases that may be 0 need a layer before that cannot be)"
    require(not math.isnan(chance), known)
    require(chance > 0, f"a signal reaches layer {layer}")
    if layer == net.depth:
        standard = isinstance(law, Distribution) and distributions.is_symmetric(law)
        require(standard, "the output gradient has independent symmetric entries")
    require(rate == 0 or chance == 1, f"layer {layer}, whose slope at 0 is open, is always reached")


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf
