r"""Mean squares of tangents, in powers of 1/width (E6).

A tangent t_l = dh_l along a direction obeys t_{l+1} = W_{l+1}(phi'(h_l) t_l). Given the past the pairs (h_i, t_i) are
independent Gaussian with variances G, T and covariance beta; so, with s = N_l v_{l+1} and means over N_l pairs,

    G+ = s mean phi^2 + b,    T+ = s mean (phi' t)^2,    beta+ = s mean phi phi' t.

This holds exactly for Gaussian weights. Everything stated is linear in (T, beta^2), so the moments
a_j = E T g^j (j = 0..4) and b_j = E beta^2 g^j (j = 0..2) of g = G - q close on themselves up to order 1/n^2, by
E F(h) t^2 = T E F + 2 beta^2 (E F)' (the prime is d/dG).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from theory import distributions
from theory.corrections.integrals import ORDERS, Array, Integrals, integrals
from theory.corrections.signal import Signal, signal_of
from theory.net import DenseNet

_TAYLOR = np.array([1 / math.factorial(j) for j in range(ORDERS)])


@dataclass(frozen=True)
class Tangent:
    """Moments of a tangent, each in orders 0, 1, 2 of 1/width (the last axis).

    Attributes:
        a: (5, 3), E T g^j.
        b: (5, 3), E beta^2 g^j; beta^2 is of order 1, so rows 3 and 4 are 0.
    """

    a: Array
    b: Array

    def mean(self, free: Array, tied: Array) -> Array:
        """E [T f(g) + beta^2 h(g)] in orders 0, 1, 2, of polynomials f and h in g."""
        return np.asarray(free @ self.a + tied @ self.b)


def start(signal: Signal, bias: float = 0.0, *, tied_to: int | None = None, weighted: bool = False) -> Tangent:
    """A tangent in front of a layer whose G has the law `signal`, and its biases the variance `bias`.

    Args:
        signal: Of the layer.
        bias: Only needed for the other two.
        tied_to: Width N of the layer before, where the tangent is W u of a random direction u, of unit variance:
            then E[beta^2 | G] = (G - bias)/N. None: independent of h, of unit variance.
        weighted: Times G - bias = v |x_{l-1}|^2, for the product of the two.
    """
    (e1, e2), (K1, K2), T3 = signal.shift, signal.scatter, signal.third
    powers = np.zeros((ORDERS + 1, 3))
    powers[0, 0] = 1
    powers[1, 1:] = e1, e2
    powers[2, 1:] = K1, K2 + e1**2
    powers[3, 2] = T3 + 3 * K1 * e1
    powers[4, 2] = 3 * K1**2
    product = (signal.q - bias) * powers[:ORDERS] + powers[1:]
    tied = np.zeros((ORDERS, 3)) if tied_to is None else _later(product / tied_to)
    return Tangent(product if weighted else powers[:ORDERS], tied)


@dataclass(frozen=True)
class _Layer:
    """One layer as polynomials in g = G - q: what it does to G and to t."""

    I: Integrals
    s: float
    width: int

    @property
    def m(self) -> Array:
        """E[G+ | G] - q+."""
        return np.asarray(self.s * self.I.V * _TAYLOR * (np.arange(ORDERS) > 0))

    @property
    def slopes(self) -> tuple[Array, Array]:
        """E phi'^2 and twice its derivative: what T and beta^2 give to (phi' t)^2."""
        return self.I.D * _TAYLOR, 2 * _derivative(self.I.D)

    @property
    def slopes_and_square(self) -> tuple[Array, Array]:
        """The same of phi'^2 (phi^2 - V)."""
        V = self.I.V * _TAYLOR
        P, dP = self.I.P * _TAYLOR, _derivative(self.I.P)
        return P - _times(V, self.slopes[0]), 2 * dP - _times(V, self.slopes[1])

    @property
    def products(self) -> tuple[Array, Array]:
        """The same of phi^2 phi'^2."""
        return self.I.P * _TAYLOR, 2 * _derivative(self.I.P)

    @property
    def spread(self) -> Array:
        """The variance of phi^2."""
        return np.asarray(self.I.spread * _TAYLOR)

    @property
    def beta(self) -> tuple[Array, Array]:
        """(E phi phi' t)^2 / beta^2 = V'^2, and 2 E[phi phi' t (phi^2 - V)] E[phi phi' t] / beta^2 = R' V'."""
        dV = _derivative(self.I.V)
        return _times(dV, dV), _times(_derivative(self.I.spread), dV)


def step(tangent: Tangent, I: Integrals, s: float, width: int) -> Tangent:
    """Through one layer of `width` units: its activation, then weights with s = width times their variance."""
    layer = _Layer(I, s, width)
    return Tangent(s * _variances(tangent, layer), s**2 * _covariances(tangent, layer))


def _variances(tangent: Tangent, layer: _Layer) -> Array:
    """E of mean (phi' t)^2 times powers of g+ = m(g) + zeta, zeta = c sum (phi_i^2 - V), c = s/N."""
    E, I, m, R = tangent.mean, layer.I, layer.m, layer.spread
    D, Q = layer.slopes, layer.slopes_and_square
    c, s, a0 = layer.s / layer.width, layer.s, float(tangent.a[0, 0])
    d0, q0, r0 = float(D[0][0]), float(Q[0][0]), float(R[0])
    square = I.P4 - 2 * I.V[0] * I.P[0] + I.V[0] ** 2 * d0  # E phi'^2 (phi^2 - V)^2
    a = np.zeros((ORDERS, 3))
    a[0] = E(*D)
    a[1] = E(*_both(m, D)) + c * _later(E(*Q))
    a[2] = E(*_both(_times(m, m), D)) + _later(2 * c * E(*_both(m, Q)) + c * s * E(*_both(R, D)))
    a[2, 2] += c**2 * (square - r0 * d0) * a0
    a[3] = E(*_both(_times(_times(m, m), m), D))
    a[3] += _later(3 * c * E(*_both(_times(m, m), Q)) + 3 * c * s * E(*_both(_times(m, R), D)))
    a[3, 2] += s * c**2 * (3 * q0 * r0 + I.third * d0) * a0
    fourth = _times(_times(m, m), _times(m, m))
    a[4] = E(*_both(fourth, D)) + _later(6 * c * s * E(*_both(_times(_times(m, m), R), D)))
    a[4, 2] += 3 * (c * s * r0) ** 2 * d0 * a0
    return a


def _covariances(tangent: Tangent, layer: _Layer) -> Array:
    """E of (mean phi phi' t)^2 times 1, g+, g+^2."""
    E, I, m, P, (square, cross) = tangent.mean, layer.I, layer.m, layer.products, layer.beta
    n, c, none, a0 = layer.width, layer.s / layer.width, np.zeros(ORDERS), float(tangent.a[0, 0])
    b = np.zeros((ORDERS, 3))
    tied = E(none, square)
    b[0] = tied + _later(E(*P) - tied) / n
    b[1] = E(none, _times(m, square)) + _later(E(*_both(m, P)) / n + c * E(none, cross))
    b[1, 2] += c / n * (I.P4 - I.V[0] * I.P[0]) * a0
    m2 = _times(m, m)
    b[2] = E(none, _times(m2, square)) + _later(E(*_both(m2, P)) / n + c * layer.s * I.spread[0] * tied)
    b[2, 2] += c * layer.s * I.spread[0] * I.P[0] * a0 / n
    return b


def output_mean(net: DenseNet, tangent: Tangent, layer: int) -> Array:
    """E of the mean of (phi'(h_L) t_L)^2 over the units of the last layer, for a tangent in front of `layer`."""
    for k in range(layer, net.depth):
        width = net.widths[k]
        s = width * distributions.variance(net.weight(k + 1))
        tangent = step(tangent, integrals(net.phi(k), signal_of(net, k).q), s, width)
    I = integrals(net.phi(net.depth), signal_of(net, net.depth).q)
    return tangent.mean(I.D * _TAYLOR, 2 * _derivative(I.D))


def _later(orders: Array) -> Array:
    """The same, times 1/n: every order moves on by one."""
    moved = np.zeros_like(orders)
    moved[..., 1:] = orders[..., :-1]
    return moved


def _times(p: Array, r: Array) -> Array:
    """The product of two polynomials up to the fourth power."""
    return np.convolve(p, r)[:ORDERS]


def _both(p: Array, pair: tuple[Array, Array]) -> tuple[Array, Array]:
    """Both polynomials times p."""
    return _times(p, pair[0]), _times(p, pair[1])


def _derivative(values: Array) -> Array:
    """The polynomial in g of F' from the derivatives of F."""
    return np.append(values[1:] * _TAYLOR[:-1], 0.0)


@dataclass(frozen=True)
class Scatter:
    """At leading order, of the mean of (phi'(h_L) t_L)^2 over the last layer, for a Gaussian tangent.

    Attributes:
        mean: Its mean c.
        variance: Its variance over networks and tangents.
        slope: dc/dq of the layer in front of which the tangent starts.
    """

    mean: float
    variance: float
    slope: float


def output_scatter(net: DenseNet, layer: int, variance: float) -> Scatter:
    """The scatter of a Gaussian tangent that starts in front of `layer` with variance T of mean 1 and this scatter."""
    c, C, KT, slope, rate = 1.0, 0.0, variance, 0.0, 1.0  # rate: dq_k/dq of the first layer
    for k in range(layer, net.depth + 1):
        signal, n = signal_of(net, k), net.widths[k]
        I, K = integrals(net.phi(k), signal.q), signal.scatter[0]
        s = n * distributions.variance(net.weight(k + 1)) if k < net.depth else 1.0
        chi, turn, dV = s * I.D[0], s * I.D[1], s * I.V[1]
        own = s**2 / n
        KT = chi**2 * KT + 2 * chi * c * turn * C + (c * turn) ** 2 * K + own * c**2 * (3 * I.D4 - I.D[0] ** 2)
        C = dV * (chi * C + c * turn * K) + own * c * (I.P[0] - I.V[0] * I.D[0])
        slope = turn * rate * c + chi * slope
        rate, c = rate * dV, chi * c
    return Scatter(float(c), float(KT), float(slope))
