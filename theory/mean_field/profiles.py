"""Profiles over the layers of a deep net: signals, gradients, correlations (catalogue TR-02, E3, MF-08).

Glorot and Bengio (2010) show the histograms of activations and gradients layer by layer; at infinite width their
widths are sqrt(V(q_l)) and products of chi_1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from theory.mean_field.maps import Phi, activation_of, angle_map, length_map
from theory.prediction import TheoryError
from theory.statement import whole


@dataclass(frozen=True)
class Profile:
    """What layers 1..L of equal layers do; entry l - 1 is layer l.

    Attributes:
        q: E h_l^2.
        activation_rms: sqrt(E x_l^2) = sqrt(V(q_l)), the standard deviation where E x_l = 0.
        activation_std: sqrt(V(q_l) - M(q_l)^2).
        activation_gradient: E g_l^2 relative to that of layer L.
        preactivation_gradient: E delta_l^2 relative to E g_L^2.
    """

    q: tuple[float, ...]
    activation_rms: tuple[float, ...]
    activation_std: tuple[float, ...]
    activation_gradient: tuple[float, ...]
    preactivation_gradient: tuple[float, ...]


def profile(phi: Phi, mean_square: float, sw2: float, sb2: float = 0.0, *, layers: int) -> Profile:
    """Signals and gradients of `layers` equal layers whose input has mean square `mean_square` (TR-02).

    sw2 = 1/3 is U(+-1/sqrt(n)), the "standard" scheme of 2010, and 1 is the "normalized" one, in square nets.

    >>> standard = profile("tanh", 1.0, 1 / 3, layers=5)
    >>> [round(value, 3) for value in standard.activation_std]
    [0.46, 0.25, 0.141, 0.081, 0.047]
    >>> standard.activation_gradient[0] < 0.05 < profile("tanh", 1.0, 1.0, layers=5).activation_gradient[0]
    True
    """
    activation = activation_of(phi)
    orbit = length_map(activation, sw2 * mean_square + sb2, sw2, sb2, layers)
    second = [activation.second_moment_value(q) for q in orbit]
    spreads = second if activation.odd else [activation.variance(q).value for q in orbit]
    slopes = [activation.derivative_second_moment_value(q) for q in orbit]
    energies = [1.0]
    for slope in reversed(slopes[1:]):
        energies.append(energies[-1] * sw2 * slope)
    energies.reverse()
    return Profile(
        q=tuple(orbit),
        activation_rms=tuple(map(math.sqrt, second)),
        activation_std=tuple(map(math.sqrt, spreads)),
        activation_gradient=tuple(energies),
        preactivation_gradient=tuple(e * s for e, s in zip(energies, slopes, strict=True)),
    )


def correlation_profile(
    phi: Phi, correlation: float, q: float, sw2: float, sb2: float = 0.0, *, layers: int
) -> list[float]:
    """1 - c_1, ..., 1 - c_layers of two inputs of one length that is a fixed point q (MF-08).

    Near c = 1 nothing cancels: the orbit is one of angles. Critical ReLU has 1 - c_l ~ 9 pi^2/(2 l^2), slowly reached.

    Raises:
        TheoryError: unless q is a fixed point.

    >>> gaps = correlation_profile("relu", 0.0, 1.0, 2.0, layers=2)
    >>> round(gaps[1], 9) == round(1 - 1 / math.pi, 9)
    True
    """
    activation = activation_of(phi)
    following = sw2 * activation.second_moment(q).value + sb2
    if abs(following / q - 1) > 1e-8:
        raise TheoryError(f"q = {q} is no fixed point of lengths: the next is {following:.9g}.")
    if not -1 <= correlation <= 1:
        raise TheoryError(f"`correlation={correlation}`: a correlation lies between -1 and 1.")
    whole("layers", layers)
    angle = math.acos(correlation)
    gaps = [2 * math.sin(angle / 2) ** 2]
    for _ in range(layers - 1):
        angle = angle_map(activation, angle, q, sw2, sb2)
        gaps.append(2 * math.sin(angle / 2) ** 2)
    return gaps
