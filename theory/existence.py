"""Which moments exist: no mean of a layer is 0 where it is no number, as behind exp(x) twice.

|phi(s)| <= C (1 + |s|^p) leaves x_l moments of every order below 1/p of those of h_l. Of what grows faster than every
power the Gaussian integral of the square decides, in the first layer of a fixed input; behind it nothing is known.
"""

from __future__ import annotations

import math
from itertools import accumulate

from theory.conditions import fixed_input, layer_is_gaussian, require
from theory.forward import power_sums_of
from theory.net import DenseNet, Distribution, once_per_net
from theory.prediction import TheoryError


def require_mean(net: DenseNet, layer: int) -> None:
    """Refuse where E |x_l| is not known to be finite.

    Raises:
        TheoryError: also for an activation of which the theory knows nothing.

    >>> law = (Distribution("normal", 1.0),) * 3
    >>> require_mean(DenseNet((2, 2, 2, 2), "exp", weights=law, input=(1.0, 1.0)), 1)
    >>> require_mean(DenseNet((2, 2, 2, 2), "exp", weights=law, input=(1.0, 1.0)), 2)
    Traceback (most recent call last):
    theory.prediction.TheoryError: the statement needs that E|x_2| is finite, which exp may not leave it; this ...
    """
    if layer > 0:
        require(orders(net)[layer] > 1, f"E|x_{layer}| is finite, which {net.phi(layer).name} may not leave it")


@once_per_net
def orders(net: DenseNet) -> list[float]:
    """For x_0..x_L a number below which moments of every order exist.

    >>> t = (Distribution("student_t", 1.0, {"df": 5}),) * 2
    >>> orders(DenseNet((2, 2, 2), "square", weights=t, input=(1.0, 1.0)))
    [inf, 2.5, 1.25]
    """
    found = [_of_law(net.one_input)]
    for k in range(1, net.depth + 1):
        try:
            found.append(_of_activation(net, k, _of_preactivation(net, k, found[-1])))
        except TheoryError:
            found.append(0.0)
    return found


def _of_law(law: Distribution | tuple[float, ...]) -> float:
    student = isinstance(law, Distribution) and law.name == "student_t"
    return float(law.parameters["df"]) if student and isinstance(law, Distribution) else math.inf


def _of_preactivation(net: DenseNet, layer: int, before: float) -> float:
    return min(before, _of_law(net.weight(layer)), _of_law(net.bias(layer)))


def _of_activation(net: DenseNet, layer: int, h: float) -> float:
    power = net.phi(layer).growth
    if power < math.inf:
        return math.inf if power == 0 else h / power
    if not _one_gaussian_step(net, layer):
        return 0.0
    net.phi(layer).second_moment(power_sums_of(net, "preactivation", 1).mean)
    return 2.0


def _one_gaussian_step(net: DenseNet, layer: int) -> bool:
    return layer == 1 and fixed_input(net) and layer_is_gaussian(net, 1)


def require_gradient_mean(net: DenseNet, layer: int) -> None:
    """Refuse where E |delta_l| is not known to be finite: phi' of some layer from l on may be too large.

    Raises:
        TheoryError: also for an activation of which the theory knows nothing.

    >>> law = (Distribution("normal", 1.0),) * 2
    >>> require_gradient_mean(DenseNet((2, 2, 2), "tanh", weights=law), 1)
    >>> require_gradient_mean(DenseNet((2, 2, 2), "exp", weights=law), 1)
    Traceback (most recent call last):
    theory.prediction.TheoryError: the statement needs that gradients have a mean, which phi' of layers 1.. may ...
    """
    counts = _large_slopes(net)
    missing = f"gradients have a mean, which phi' of layers {layer}.. may not leave them"
    require(layer > net.depth or counts[net.depth] == counts[layer - 1], missing)


@once_per_net
def _large_slopes(net: DenseNet) -> list[int]:
    """How many of the layers up to l (0..L) may have gradients without a mean."""
    return [0, *accumulate(int(not _slope_is_tame(net, k)) for k in range(1, net.depth + 1))]


def _slope_is_tame(net: DenseNet, layer: int) -> bool:
    try:
        power = net.phi(layer).slope_growth
        return power == 0 or _has_mean(net, layer, power)
    except TheoryError:
        return False


def _has_mean(net: DenseNet, layer: int, power: float) -> bool:
    if power < math.inf:
        return _all_moments(net) and _of_preactivation(net, layer, orders(net)[layer - 1]) == math.inf
    if not _one_gaussian_step(net, layer):
        return False
    net.phi(layer).derivative_second_moment(power_sums_of(net, "preactivation", 1).mean)
    return True


@once_per_net
def _all_moments(net: DenseNet) -> bool:
    """Whether every law of weights has moments of every order."""
    return all(_of_law(net.weight(k)) == math.inf for k in range(1, net.depth + 1))
