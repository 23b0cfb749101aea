"""What a network does in the limit of infinite width, in sentences (catalogue E1, E2, MF-02, MF-03)."""

from __future__ import annotations

import math

from theory import distributions
from theory.activations import Activation
from theory.mean_field.depth_scales import depth_scale
from theory.mean_field.fixed_points import FixedPoint, correlation_fixed_points, length_fixed_points
from theory.mean_field.maps import chi_1, correlation_map_slope
from theory.net import DenseNet, kinds
from theory.prediction import TheoryError


def summary(net: DenseNet) -> list[str]:
    r"""Fixed points of lengths and correlations, their stability, rates and depth scales, one sentence each.

    Of nets whose layers behind the first have one sw2 = N v, one bias variance and one activation; of others, a
    sentence that says why not.

    >>> from theory.net import Distribution
    >>> net = DenseNet((64,) * 4, "tanh", weights=(Distribution("normal", 2.25 / 64),) * 3)
    >>> print(*summary(net), sep="\n")
    Every layer has sw2 = N v = 2.25 and sb2 = 0.
    E h^2 (q): q = 0 is repelling, q = 0.793354 is attracting.
    At q = 0.793354: chi_1 = 1.13932, so gradients grow by this factor a layer.
    Lengths settle with a depth scale of 1.46 layers.
    Correlations at q = 0.793354: c = -1 is repelling, c = 0 is attracting, c = 1 is repelling.
    Differences between inputs settle at c = 0 with a depth scale of 17 layers.
    """
    try:
        activation, sw2, sb2 = _shared(net)
        lines = [f"Every layer has sw2 = N v = {sw2:.6g} and sb2 = {sb2:.6g}."]
        points = length_fixed_points(activation, sw2, sb2)
        lines.append(f"E h^2 (q): {points.reason}.")
        if points.everywhere:
            lines += _correlations(activation, sw2, sb2, 1.0)
        for point in points.attracting:
            if point.value > 0:
                lines += [*_rates(activation, sw2, point), *_correlations(activation, sw2, sb2, point.value)]
    except (TheoryError, OverflowError) as error:
        return [f"There is no one limit to describe: {error}"]
    return lines


def _shared(net: DenseNet) -> tuple[Activation, float, float]:
    numbers = {_numbers(net, layer) for layer in _one_a_kind(net)}
    if net.depth < 2 or len(numbers) != 1 or net.phi(net.depth) is not net.phi(1):
        raise TheoryError("its layers differ in N v, in bias variance or in activation, or it has one layer.")
    ((sw2, sb2),) = numbers
    return net.phi(1), sw2, sb2


def _one_a_kind(net: DenseNet) -> list[int]:
    """One layer behind the first for each kind and width before."""
    found = {(kind, net.widths[layer - 1]): layer for layer, kind in enumerate(kinds(net), 1) if layer > 1}
    return list(found.values())


def _numbers(net: DenseNet, layer: int) -> tuple[float, float]:
    sw2 = net.widths[layer - 1] * distributions.variance(net.weight(layer))
    return float(f"{sw2:.12g}"), distributions.raw_moment(net.bias(layer), 1)


def _rates(activation: Activation, sw2: float, point: FixedPoint) -> list[str]:
    gradients = chi_1(activation, point.value, sw2)
    does = "grow" if gradients > 1 + 1e-9 else "shrink" if gradients < 1 - 1e-9 else "keep their size: 1"
    by = " by this factor a layer" if does in ("grow", "shrink") else ""
    return [
        f"At q = {point.value:.6g}: chi_1 = {gradients:.6g}, so gradients {does}{by}.",
        f"Lengths settle {_scale(point.slope)}.",
    ]


def _correlations(activation: Activation, sw2: float, sb2: float, q: float) -> list[str]:
    points = correlation_fixed_points(activation, sw2, sb2, q)
    lines = [f"Correlations at q = {q:.6g}: {points.reason}."]
    for point in points.attracting:
        rate = correlation_map_slope(activation, point.value, q, sw2, sb2)
        what = "Inputs become alike" if math.isclose(point.value, 1) else "Differences between inputs settle"
        lines.append(f"{what} at c = {point.value:.6g} {_scale(rate)}.")
    return lines


def _scale(rate: float) -> str:
    try:
        return f"with a depth scale of {depth_scale(rate):.3g} layers"
    except TheoryError:
        return "algebraically, on no depth scale"
