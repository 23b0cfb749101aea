"""The maps of one layer at infinite width: lengths, gradients, correlations (catalogue E1, E2, MF-01, MF-02, TR-01).

q = E h^2 of a preactivation. A layer maps q to sw2 V(q) + sb2, with sw2 = fan-in times weight variance and sb2
the bias variance; it multiplies the energy of gradients by chi_1 = sw2 D(q), and small differences of q by
chi_q = sw2 V'(q). Two inputs of one length q whose preactivations have the cosine c go to cosine C(c).
Every function takes an activation by name or as an `activations.Activation`.
"""

from __future__ import annotations

import math

import numpy as np

from theory import activations
from theory.activations import Activation
from theory.prediction import TheoryError
from theory.statement import whole

Phi = str | Activation


def activation_of(phi: Phi) -> Activation:
    """The activation of a name with its default parameters, or the one given.

    >>> activation_of("tanh").name
    'tanh'
    """
    return activations.get(phi) if isinstance(phi, str) else phi


def check(sw2: float, sb2: float, q: float | None = None) -> None:
    """Raise unless variances are finite and of the right sign.

    Raises:
        TheoryError: naming the one that is not.
    """
    if not (math.isfinite(sw2) and sw2 > 0):
        raise TheoryError(f"`sw2={sw2}`: fan-in times weight variance must be positive and finite.")
    if not (math.isfinite(sb2) and sb2 >= 0):
        raise TheoryError(f"`sb2={sb2}`: the variance of biases must be finite and not negative.")
    if q is not None and not (math.isfinite(q) and q > 0):
        raise TheoryError(f"`q={q}`: a second moment must be positive and finite.")


def variance_map(phi: Phi, q: float, sw2: float = 1.0, sb2: float = 0.0) -> float:
    """sw2 V(q) + sb2, the next layer's E h^2 (E1).

    >>> variance_map("relu", 1.0, sw2=2.0)
    1.0
    """
    return sw2 * activation_of(phi).second_moment(q).value + sb2


def variance_map_slope(phi: Phi, q: float, sw2: float = 1.0) -> float:
    """chi_q = sw2 V'(q), V'(q) = E[(z^2 - 1) phi(sqrt(q) z)^2] / (2 q): no derivative of phi needed (E2).

    >>> round(variance_map_slope("relu", 2.0), 12)
    0.5
    """
    return sw2 * activation_of(phi).second_moment_slope(q).value


def variance_map_curvature(phi: Phi, q: float, sw2: float = 1.0) -> float:
    """sw2 V''(q), V''(q) = E[He4(z) phi(sqrt(q) z)^2] / (4 q^2), He4(z) = z^4 - 6 z^2 + 3 (E2).

    >>> round(variance_map_curvature("square", 2.0), 9)
    6.0
    """
    return sw2 * activation_of(phi).second_moment_slope(q, 2).value


def chi_1(phi: Phi, q: float, sw2: float = 1.0) -> float:
    """sw2 D(q): what a layer multiplies the energy of gradients by, and the slope C'(1) of correlations (E2, MF-02).

    >>> chi_1("relu", 7.0, sw2=2.0)
    1.0
    """
    return sw2 * activation_of(phi).derivative_second_moment(q).value


def slope_energy(activation: Activation, q: float) -> float:
    """D(q), where it is not 0.

    Raises:
        TheoryError: if it is 0, as of a step: no gain keeps gradients then.

    >>> slope_energy(activation_of("relu"), 1.0)
    0.5
    """
    if not (value := activation.derivative_second_moment(q).value) > 0:
        raise TheoryError(f"E phi'^2 of {activation.name} is 0 at q = {q:.6g}: no gradient passes.")
    return value


def length_map(phi: Phi, q1: float, sw2: float, sb2: float, layers: int) -> list[float]:
    """q_1, ..., q_layers of equal layers (E1, MF-01).

    Raises:
        TheoryError: where q leaves what a float can hold, naming the layer; if `layers` is not at least 1.

    >>> length_map("relu", 1.0, 2.0, 0.0, 3)
    [1.0, 1.0, 1.0]
    """
    check(sw2, sb2, q1)
    whole("layers", layers)
    second_moment, q, orbit = activation_of(phi).second_moment_value, q1, [q1]
    for _ in range(layers - 1):
        q = sw2 * second_moment(q) + sb2
        if not 0 < q < math.inf:
            raise TheoryError(f"the second moment leaves what a float can hold at layer {len(orbit) + 1}: q = {q}.")
        orbit.append(q)
    return orbit


# Correlations


def correlation_map(phi: Phi, c: float, q: float, sw2: float, sb2: float = 0.0) -> float:
    """C(c) = (sw2 K(q, q, c q) + sb2) / (sw2 V(q) + sb2): the next cosine of two inputs of length q (MF-02).

    At a fixed point q* the denominator is q*. For 1 - C(c) near c = 1 see `angle_map`, which does not cancel.

    >>> round(correlation_map("relu", 0.0, 1.0, 2.0), 12) == round(1 / math.pi, 12)
    True
    """
    check(sw2, sb2, q)
    if not -1 <= c <= 1:
        raise TheoryError(f"`c={c}`: a correlation lies between -1 and 1.")
    activation = activation_of(phi)
    return (sw2 * activation.kernel(q, q, c * q).value + sb2) / variance_map(activation, q, sw2, sb2)


def correlation_map_slope(phi: Phi, c: float, q: float, sw2: float, sb2: float = 0.0) -> float:
    """C'(c) = sw2 q Kdot(q, q, c q) / (sw2 V(q) + sb2); chi_1 at c = 1 and a fixed point (MF-02).

    By Price's theorem dK/dq12 = Kdot = E phi'(u) phi'(v).

    >>> round(correlation_map_slope("relu", 0.0, 1.0, 2.0), 12)
    0.5
    """
    check(sw2, sb2, q)
    activation = activation_of(phi)
    require_continuous(activation)
    return sw2 * q * activation.derivative_kernel(q, q, c * q).value / variance_map(activation, q, sw2, sb2)


def require_continuous(activation: Activation) -> None:
    """Refuse a phi with jumps, of which phi' knows nothing: Price's theorem is false, and C'(1) infinite.

    Raises:
        TheoryError: naming the activation.
    """
    if not activation.continuous:
        raise TheoryError(f"slopes of the map of correlations need a phi without jumps; {activation.name} has one.")


def angle_map(phi: Phi, angle: float, q: float, sw2: float, sb2: float = 0.0) -> float:
    """acos C(cos angle), stable down to angles of 1e-150: 1 - C is computed without cancelling (MF-02, MF-08).

    >>> round(angle_map("relu", math.pi / 2, 1.0, 2.0), 12) == round(math.acos(1 / math.pi), 12)
    True
    """
    gap = correlation_gap(phi, angle, q, sw2, sb2)
    return 2 * math.asin(math.sqrt(min(1.0, gap / 2)))


def correlation_gap(phi: Phi, angle: float, q: float, sw2: float, sb2: float = 0.0) -> float:
    """1 - C(cos angle) = sw2 (V(q) - K(q, q, q cos angle)) / (sw2 V(q) + sb2), at full relative precision."""
    check(sw2, sb2, q)
    activation = activation_of(phi)
    return sw2 * lost_kernel(activation, q, angle) / variance_map(activation, q, sw2, sb2)


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


def lost_kernel(activation: Activation, q: float, angle: float) -> float:
    """V(q) - K(q, q, q cos t), t the angle, at full relative precision.

    By Price's theorem it is q int_0^t Kdot(q cos s) sin s ds, a sum of terms of one sign where t is small.

    Raises:
        TheoryError: if phi jumps and the angle is so small that nothing but Price's theorem would do.
    """
    if (slope := activation.slope) is not None:
        return q * ((1 - slope) ** 2 * _arc(angle) / (2 * math.pi) + slope * 2 * math.sin(angle / 2) ** 2)
    total = activation.second_moment(q).value
    plain = total - activation.kernel(q, q, q * math.cos(angle)).value
    if plain > (1e-3 if activation.continuous else 1e-6) * total or angle == 0:
        return plain
    require_continuous(activation)
    nodes = angle * (1 + _NODES) / 2
    slopes = [activation.derivative_kernel(q, q, q * math.cos(s)).value for s in nodes]
    return float(q * angle / 2 * np.dot(_WEIGHTS * np.sin(nodes), slopes))


def _arc(t: float) -> float:
    """pi (1 - cos t) - (sin t - t cos t): 2 pi (V - K)/q of ReLU; the last difference by its series for small t."""
    last = math.sin(t) - t * math.cos(t)
    if t < 0.5:
        last, term = 0.0, t**3
        for k in range(1, 9):
            last += term * 2 * k / math.factorial(2 * k + 1)
            term *= -t * t
    return 2 * math.pi * math.sin(t / 2) ** 2 - last


# The sigmoid's slope


def sigmoid_slope(s: float) -> float:
    """sigma'(s) = 1/(4 cosh(s/2)^2): even, largest at 0, where it is 1/4 (A17).

    >>> sigmoid_slope(0.0), round(sigmoid_slope(4.0), 6)
    (0.25, 0.017663)
    """
    decay = math.exp(-abs(s))
    return decay / (1 + decay) ** 2


def goldilocks(edge: float, layers: int) -> tuple[float, float]:
    """Least and greatest product of sigmoid slopes over `layers` layers that stay in [-edge, edge] (TR-01).

    >>> low, high = goldilocks(4.0, 10)
    >>> f"{low:.1e} {high:.1e}"
    '3.0e-18 9.5e-07'
    """
    return sigmoid_slope(edge) ** layers, 0.25**layers
