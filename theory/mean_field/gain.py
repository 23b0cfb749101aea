"""Gains: what a multiplier of sqrt(1/fan_in) preserves, and what published ones do (catalogue GN-01..04, TR-03, E8).

A gain g is sw2 = g^2. Lengths q are kept by g_f = sqrt(q/V(q)), energies of gradients by g_b = 1/sqrt(D(q)), the
variance of activations about their mean by g_c = sqrt(q/(V(q) - M(q)^2)). All depend on q unless phi is homogeneous.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from theory.conditions import held
from theory.mean_field.fixed_points import Stability, length_fixed_points, square_slope_at_0
from theory.mean_field.maps import Phi, activation_of, check, chi_1, slope_energy, variance_map_slope
from theory.prediction import TheoryError
from theory.statement import real


def gains(phi: Phi, q: float = 1.0) -> dict[str, float]:
    """Gains that preserve E h^2 = q, the energy of gradients, and the centred variance (GN-01).

    `forward` sqrt(q/V), `backward` D^-1/2, `centred` sqrt(q/(V - M^2)), which is infinite for a constant phi.

    Raises:
        TheoryError: if phi' is 0 almost everywhere, as of a step, or V is too small for a float.

    >>> sorted(gains("relu").items())[0]
    ('backward', 1.4142135623730951)
    """
    check(1.0, 0.0, q)
    activation = activation_of(phi)
    second, centred = activation.second_moment(q).value, activation.variance(q).value
    return {
        "forward": math.sqrt(q / held(second)),
        "backward": slope_energy(activation, q) ** -0.5,
        "centred": math.sqrt(q / centred) if centred > 0 else math.inf,
    }


def preserved(phi: Phi, gain: float, q: float = 1.0) -> str:
    """What a gain keeps at E h^2 = q to a relative 1e-9: "forward", "backward", "both" or "neither" (GN-01).

    >>> preserved("relu", 2**0.5), preserved("tanh", 5 / 3), preserved("selu", 1.0)
    ('both', 'neither', 'forward')
    """
    found = gains(phi, q)
    kept = [name for name in ("forward", "backward") if math.isclose(gain, found[name], rel_tol=1e-9)]
    return {0: "neither", 2: "both"}.get(len(kept)) or kept[0]


def explain_gain(phi: Phi, gain: float, q: float = 1.0) -> str:
    """A sentence: what a gain does to lengths and gradients at E h^2 = q (GN-01).

    >>> explain_gain("tanh", 5 / 3)
    'tanh with gain 1.66667 at q = 1 keeps neither: a layer multiplies lengths by 1.09526, gradients by 1.29001.'
    """
    activation = activation_of(phi)
    forward = gain**2 * activation.second_moment(q).value / q
    backward = chi_1(activation, q, gain**2)
    kept = {"both": "both lengths and gradients", "forward": "lengths only", "backward": "gradients only"}
    return (
        f"{activation.name} with gain {gain:.6g} at q = {q:g} keeps {kept.get(preserved(phi, gain, q), 'neither')}: "
        f"a layer multiplies lengths by {forward:.6g}, gradients by {backward:.6g}."
    )


@dataclass(frozen=True)
class GainRow:
    """What a gain does without biases.

    Attributes:
        activation: Name of phi.
        gain: Multiplier of sqrt(1/fan_in).
        q_star: The attracting fixed point of lengths; None if there is none, or every q is one.
        chi_1: Factor of gradient energies a layer, at q* (at 0 as q -> 0); None where there is no q*.
        chi_q: Slope of the map of lengths there.
        reason: The fixed points in words.
        keeps: Whether every length and every gradient energy is kept: only by homogeneous phi at its own gain.
    """

    activation: str
    gain: float
    q_star: float | None
    chi_1: float | None
    chi_q: float | None
    reason: str
    keeps: bool


def gain_row(phi: Phi, gain: float) -> GainRow:
    """What a gain does without biases: its fixed point, and what happens to gradients there (GN-02).

    >>> row = gain_row("tanh", 5 / 3)
    >>> round(row.q_star, 5), row.chi_1 > 1, gain_row("tanh", 1.0).q_star, gain_row("relu", 2**0.5).keeps
    (1.17848, True, 0.0, True)
    """
    activation, sw2 = activation_of(phi), gain**2
    found = length_fixed_points(activation, sw2)
    if found.everywhere:
        rate = chi_1(activation, 1.0, sw2)
        return GainRow(activation.name, gain, None, rate, 1.0, found.reason, abs(rate - 1) < 1e-9)
    points = [point for point in found.points if point.stability == Stability.ATTRACTING]
    if len(points) != 1:
        return GainRow(activation.name, gain, None, None, None, found.reason, False)
    q = points[0].value
    rate = chi_1(activation, q, sw2) if q > 0 else sw2 * square_slope_at_0(activation)
    return GainRow(activation.name, gain, q, rate, points[0].slope, found.reason, False)


def torch_gain(name: str, negative_slope: float = 0.01) -> float:
    """torch.nn.init.calculate_gain, as documented (GN-02).

    Raises:
        TheoryError: for an activation that it does not know, gelu and silu among them.

    >>> torch_gain("tanh"), torch_gain("selu"), torch_gain("linear")
    (1.6666666666666667, 0.75, 1.0)
    """
    known = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 0.75}
    if name == "leaky_relu":
        return math.sqrt(2.0 / (1 + real("negative_slope", negative_slope) ** 2))
    if name not in known:
        raise TheoryError(f"calculate_gain has no value for {name!r}; it has {', '.join(known)}, leaky_relu.")
    return known[name]


TORCH = ("linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu")
OTHERS = (("tanh", 1.0), ("selu", 1.0), ("gelu", 1.0), ("silu", 1.0))
"""Gains in use that calculate_gain does not give: the natural 1 of tanh and selu, and 1 where it has no value."""


def torch_gains() -> list[GainRow]:
    """Every value of torch's calculate_gain, and those of `OTHERS`, with what they do (GN-02).

    Only linear, relu and leaky_relu keep anything at every length.

    >>> [row.activation for row in torch_gains() if row.keeps]
    ['linear', 'relu', 'leaky_relu']
    """
    return [gain_row(name, torch_gain(name)) for name in TORCH] + [gain_row(name, gain) for name, gain in OTHERS]


@dataclass(frozen=True)
class SelfNormalizing:
    """Whether lengths settle at 1 with mean 0, at gain 1, and what speaks for it (GN-03).

    Attributes:
        mean: M(1), 0 for selu.
        second_moment: V(1), 1 for selu.
        chi_q: V'(1), below 1: attracting.
        chi_1: D(1), what gradients are multiplied by; not 1.
    """

    mean: float
    second_moment: float
    chi_q: float
    chi_1: float

    @property
    def holds(self) -> bool:
        """Whether (0, 1) is a fixed point, to 1e-9, and attracts: of selu, not of tanh.

        >>> self_normalization("selu").holds, self_normalization("tanh").holds
        (True, False)
        """
        return abs(self.mean) < 1e-9 and abs(self.second_moment - 1) < 1e-9 and self.chi_q < 1


def self_normalization(phi: Phi = "selu") -> SelfNormalizing:
    """Whether phi has SELU's fixed point (mean 0, variance 1), and its slopes (GN-03; Klambauer et al. 2017).

    E h = 0 and E h^2 = V(q) whatever the mean of x, for weights of mean 0: so the pair (mean, variance) of x goes to
    (M(q), V(q) - M(q)^2), whose slope at q = 1 is V'(1) as M(1) = 0.

    >>> found = self_normalization()
    >>> round(found.mean, 12), round(found.second_moment, 12), round(found.chi_q, 6), round(found.chi_1, 6)
    (0.0, 1.0, 0.782648, 1.071575)
    """
    activation = activation_of(phi)
    return SelfNormalizing(
        mean=activation.mean(1.0).value,
        second_moment=activation.second_moment(1.0).value,
        chi_q=variance_map_slope(activation, 1.0),
        chi_1=activation.derivative_second_moment(1.0).value,
    )


def backward_factor(phi: Phi, q: float) -> float:
    """q D(q)/V(q): chi_1 of the gain that keeps the length q, at least 1 for odd phi (GN-04).

    For phi of mean M the bound is on the variance: V - M^2 <= q D (the Poincare inequality of a Gaussian), so an odd
    activation that keeps lengths always lets gradients grow; 1 is reached by linear phi alone.

    Raises:
        TheoryError: if phi is not odd (V - M^2 = V is then not known), or q is not positive.

    >>> backward_factor("linear", 3.0), round(backward_factor("tanh", 1.0), 5)
    (1.0, 1.17781)
    """
    activation = activation_of(phi)
    if not activation.odd:
        raise TheoryError(f"the bound q D(q) >= V(q) needs an odd activation; {activation.name} is not.")
    return 1 / held(weight_gradient_growth(activation, q))


def weight_gradient_growth(phi: Phi, q: float) -> float:
    """V(q)/(q D(q)): E|dW_{l+1}|^2 / E|dW_l|^2 for equal widths and variances without biases (TR-03).

    >>> weight_gradient_growth("relu", 3.0)
    1.0
    """
    check(1.0, 0.0, q)
    activation = activation_of(phi)
    return held(activation.second_moment(q).value) / (q * slope_energy(activation, q))
