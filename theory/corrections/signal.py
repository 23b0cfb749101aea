r"""E and Var over networks of G_l, the variance of a preactivation given the layer before, in powers of 1/width (E4).

Given x_{l-1}, h_{l,i} are independent with variance G_l = v_l |x_{l-1}|^2 + beta_l, normal for Gaussian weights, with
fourth cumulant A_l = (kappa_l - 3) v_l^2 sum x^4 for others. G_{l+1} = s mean_i phi(h_i)^2 + beta_{l+1} is a mean
over N_l units, s = N_l v_{l+1}: it scatters by O(1/n), and the curvature of V turns scatter into a shift of its mean.
Orders 1 and 2 are both kept: the first is what is stated, the second says what is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from theory import distributions
from theory.conditions import gaussian_biases, require, zero_mean_weights
from theory.corrections.integrals import Array, Integrals, integrals
from theory.net import DenseNet, Distribution, once_per_net
from theory.prediction import TheoryError

LARGEST_SCATTER = 0.05
"""K/q^2 up to which the expansion is used."""
GATE = f"the relative scatter Var G / q^2 is at most {LARGEST_SCATTER} in every layer up to this one"


@dataclass(frozen=True)
class Signal:
    """The law of G_l and of h_l, each in orders of 1/width.

    Attributes:
        q: E h^2 at infinite width.
        shift: E G - q, orders 1 and 2 (eps of E4).
        scatter: Var G, orders 1 and 2 (K of E4).
        third: Third central moment of G, order 2.
        flat: E A, the mean fourth cumulant of h given the layer before, orders 1 and 2.
        flat_scatter: Cov(A, G), order 2.
        sixth: E of the sixth cumulant of h given the layer before, order 2.
    """

    q: float
    shift: tuple[float, float] = (0.0, 0.0)
    scatter: tuple[float, float] = (0.0, 0.0)
    third: float = 0.0
    flat: tuple[float, float] = (0.0, 0.0)
    flat_scatter: float = 0.0
    sixth: float = 0.0

    def mean(self, F: Array) -> tuple[float, float, float]:
        """E f(h) in orders 0, 1, 2, from the derivatives F of E f(sqrt(q) z) in q.

        The unconditional h has cumulants q + shift, 3 B and 15 T, B = Var G + A/3: Edgeworth's series.
        """
        (e1, e2), B = self.shift, [k + a / 3 for k, a in zip(self.scatter, self.flat, strict=True)]
        T = self.third + self.flat_scatter + self.sixth / 15
        first = F[1] * e1 + F[2] / 2 * B[0]
        second = F[1] * e2 + F[2] / 2 * (B[1] + e1**2) + F[3] / 6 * (T + 3 * B[0] * e1) + F[4] / 8 * B[0] ** 2
        return float(F[0]), float(first), float(second)

    def mean_scatter(self, I: Integrals, width: int) -> tuple[float, float]:
        """Variance over networks of mean_i phi(h_i)^2 over `width` units, orders 1 and 2."""
        (K1, K2), e1, A1 = self.scatter, self.shift[0], self.flat[0]
        V, R = I.V, I.spread
        first = V[1] ** 2 * K1 + R[0] / width
        spread = V[1] ** 2 * K2 + V[1] * V[2] * (self.third + 2 * K1 * e1 + self.flat_scatter / 3)
        spread += V[2] ** 2 / 2 * K1**2 + V[1] * V[3] * K1 * (K1 + A1 / 3)
        own = R[1] * e1 + R[2] / 2 * K1 + A1 * (I.V4[2] - 2 * V[0] * V[2]) / 6
        return float(first), float(spread + own / width)

    def mean_third(self, I: Integrals, width: int) -> float:
        """Third central moment of mean_i phi(h_i)^2, order 2."""
        K1, V, R = self.scatter[0], I.V, I.spread
        third = V[1] ** 3 * self.third + 3 * V[1] ** 2 * V[2] * K1**2 + 3 * V[1] * R[1] * K1 / width
        return float(third + I.third / width**2)


def first_signal(net: DenseNet) -> Signal:
    """That of layer 1: fixed for a fixed input; a mean over the entries of a random one, exactly."""
    weight, variance, n = net.weight(1), distributions.variance(net.weight(1)), net.widths[0]
    fourth, sixth = _cumulants(weight)
    if isinstance(net.one_input, Distribution):
        m2, m4, m6 = (distributions.raw_moment(net.one_input, k) for k in (1, 2, 3))
        sums = (n * m2, n * m4, n * m6)
        central = (n * (m4 - m2**2), n * (m6 - 3 * m4 * m2 + 2 * m2**3), n * (m6 - m4 * m2))
    else:
        squares = np.array(net.one_input) ** 2
        sums = (float(squares.sum()), float((squares**2).sum()), float((squares**3).sum()))
        central = (0.0, 0.0, 0.0)
    return Signal(
        q=variance * sums[0] + distributions.raw_moment(net.bias(1), 1),
        scatter=(variance**2 * central[0], 0.0),
        third=variance**3 * central[1],
        flat=(fourth * sums[1], 0.0),
        flat_scatter=fourth * variance * central[2],
        sixth=sixth * sums[2],
    )


def next_signal(net: DenseNet, layer: int, signal: Signal) -> Signal:
    """That of layer l + 1 from that of layer l."""
    I, width, weight = integrals(net.phi(layer), signal.q), net.widths[layer], net.weight(layer + 1)
    variance = distributions.variance(weight)
    s, (fourth, sixth) = width * variance, _cumulants(weight)
    second, quartic = signal.mean(I.V), signal.mean(I.V4)
    scatter = signal.mean_scatter(I, width)
    both = (I.V6 - I.V4[0] * I.V[0]) / width + I.V4[1] * I.V[1] * signal.scatter[0]
    return Signal(
        q=s * second[0] + distributions.raw_moment(net.bias(layer + 1), 1),
        shift=(s * second[1], s * second[2]),
        scatter=(s**2 * scatter[0], s**2 * scatter[1]),
        third=s**3 * signal.mean_third(I, width),
        flat=(fourth * width * quartic[0], fourth * width * quartic[1]),
        flat_scatter=float(fourth * width * s * both),
        sixth=sixth * width * I.V6,
    )


def _cumulants(weight: Distribution) -> tuple[float, float]:
    """The fourth and the sixth cumulant of a weight."""
    if distributions.is_gaussian(weight):
        return 0.0, 0.0
    variance, m4, m6 = distributions.variance(weight), *(distributions.standard_moment(weight, k) for k in (2, 3))
    return variance**2 * (m4 - 3), variance**3 * (m6 - 15 * m4 + 30)


@once_per_net
def signals(net: DenseNet) -> list[Signal | TheoryError]:
    """That of layers 1..L (index 0 is layer 1), or why it is not known; after such a layer none is."""
    found: list[Signal | TheoryError] = []
    for layer in range(1, net.depth + 1):
        before = found[-1] if found else None
        try:
            if isinstance(before, TheoryError):
                raise before
            _require_layer(net, layer)
            signal = first_signal(net) if before is None else next_signal(net, layer - 1, before)
            found.append(_gated(signal))
        except TheoryError as error:
            found.append(error)
    return found


def _require_layer(net: DenseNet, layer: int) -> None:
    law = net.weight(layer)
    require(zero_mean_weights(net, layer), f"the weights of layer {layer} are random with mean 0")
    require(distributions.is_iid(law), f"the weights of layer {layer} are independent")
    require(gaussian_biases(net, layer), f"the biases of layer {layer} are Gaussian or absent")
    smooth = law.name != "rademacher" or not net.phi(layer).kinks
    require(smooth, f"the activation of layer {layer}, whose weights are signs, has no kink")


def _gated(signal: Signal) -> Signal:
    require(signal.q > 0, "a signal reaches every layer: the input or the biases are not 0")
    require(2.0**-200 < signal.q < 2.0**200, "the fourth power of E h^2 is one that a float can hold")
    size = (signal.scatter[0] + abs(signal.flat[0]) / 3) / signal.q**2
    require(size <= LARGEST_SCATTER, f"{GATE} (here {size:.3g})")
    return signal


def signal_of(net: DenseNet, layer: int) -> Signal:
    """That of layer l = 1..L.

    Raises:
        TheoryError: naming the condition that is missing.

    >>> from theory import activations
    >>> xavier = tuple(Distribution("normal", 1 / 64) for _ in range(3))
    >>> net = DenseNet((64, 64, 64, 64), activations.get("tanh"), weights=xavier, input=(1.0,) * 64)
    >>> signal = signal_of(net, 2)
    >>> round(signal.q, 6), signal.shift, round(64 * signal.scatter[0], 6)
    (0.394294, (0.0, 0.0), 0.097524)
    """
    found = signals(net)[layer - 1]
    if isinstance(found, TheoryError):
        raise type(found)(str(found))
    return found
