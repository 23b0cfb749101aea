"""Small signals: the linear regime, and how lengths and gradients fall at the critical gain (A9, E3, MF-07).

With phi(s) = a1 s + a2 s^2/2 + a3 s^3/6 + ... and a1 != 0,
V(q)/(a1^2 q) = 1 - A q + O(q^2) and D(q)/a1^2 = 1 - B q + O(q^2), where
A = -(3/4) (a2/a1)^2 - a3/a1 and B = -(a2/a1)^2 - a3/a1.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from theory import activations
from theory.mean_field.depth_scales import Algebraic
from theory.mean_field.maps import Phi, activation_of
from theory.prediction import TheoryError


@dataclass(frozen=True)
class WeakSignal:
    """What a layer does to small lengths.

    Attributes:
        slope: phi'(0).
        length: A, in V(q)/(slope^2 q) = 1 - A q + O(q^2).
        gradient: B, in D(q)/slope^2 = 1 - B q + O(q^2).
    """

    slope: float
    length: float
    gradient: float


def weak_signal(phi: Phi) -> WeakSignal:
    """The expansion at q = 0 of the maps of lengths and gradients (A9).

    Raises:
        TheoryError: unless phi(0) = 0, phi'(0) is not 0, and phi has three derivatives at 0.

    >>> weak_signal("tanh")
    WeakSignal(slope=1.0, length=2.0, gradient=2.0)
    """
    activation = activation_of(phi)
    if 0.0 in activation.kinks:
        raise TheoryError(f"{activation.name} has a kink at 0: it has no linear regime.")
    terms = [sp.N(sp.diff(activation.expression, activations.x, k).subs(activations.x, 0)) for k in range(4)]
    zero, a1, a2, a3 = (float(term) for term in terms)
    if zero != 0:
        raise TheoryError(f"a linear regime needs phi(0) = 0; that of {activation.name} is {zero:.6g}.")
    if a1 == 0:
        raise TheoryError(f"a linear regime needs phi'(0) != 0; that of {activation.name} is 0.")
    bend, cubic = (a2 / a1) ** 2, a3 / a1
    return WeakSignal(a1, -0.75 * bend - cubic, -bend - cubic)


def linear_regime_error(phi: Phi, q: float) -> float:
    """V(q)/q - 1: by how much "x ~ W x + b" is wrong about the second moment of one layer (A9).

    Raises:
        TheoryError: unless phi(0) = 0 and phi'(0) = 1: a sigmoid has 1/2 and 1/4, and is no such case at any q.

    >>> round(linear_regime_error("tanh", 0.001) / 0.001, 2)
    -1.99
    """
    activation, expansion = activation_of(phi), weak_signal(phi)
    if expansion.slope != 1:
        raise TheoryError(f"a linear regime of slope 1 needs phi'(0) = 1; that of {activation.name} is not.")
    return activation.second_moment(q).value / q - 1


@dataclass(frozen=True)
class CriticalDecay:
    """Depth l at sw2 = 1/phi'(0)^2 without biases, widths first to infinity.

    Attributes:
        length: q_l.
        gradient_power: The energy of gradients is proportional to l^-gradient_power.
    """

    length: Algebraic
    gradient_power: float


def critical_decay(phi: Phi) -> CriticalDecay:
    """Algebraic decay at the critical gain of q = 0 (E3): tanh has q_l ~ 1/(2l), energies of gradients ~ 1/l.

    q_{l+1} = q_l - A q_l^2 gives 1/q_{l+1} = 1/q_l + A + O(q_l): q_l ~ 1/(A l). Each layer multiplies gradients by
    1 - B q_l = 1 - (B/A)/l: a product ~ l^(-B/A).

    Raises:
        TheoryError: if there is no linear regime, or A <= 0 and small signals grow at the critical gain.

    >>> decay = critical_decay("tanh")
    >>> decay.length.at(100), decay.gradient_power
    (0.005, 1.0)
    """
    expansion = weak_signal(phi)
    if expansion.length <= 0:
        name = activation_of(phi).name
        raise TheoryError(
            f"at the critical gain of q = 0 the lengths of {name} do not fall (A = {expansion.length:.6g})."
        )
    return CriticalDecay(Algebraic(1 / expansion.length, 1.0), expansion.gradient / expansion.length)
