"""The symbols that all statements share, with their assumptions.

Widths stay finite symbols: letting them grow is a limit that a statement takes, never an assumption.
"""

from __future__ import annotations

import sympy as sp

N = sp.IndexedBase("N", integer=True, positive=True)
"""N[l]: width of layer l; N[0] is that of the input."""
v = sp.IndexedBase("v", positive=True)
"""v[l]: variance of one weight of layer l."""
beta = sp.IndexedBase("beta", nonnegative=True)
"""beta[l]: variance of one bias of layer l."""
kappa = sp.IndexedBase("kappa", positive=True)
"""kappa[l]: kurtosis E w^4 / (E w^2)^2 of the weights of layer l; 3 for a Gaussian."""

m0 = sp.Symbol("m_0", positive=True)
"""E x_0^2: mean over the entries of the input of the (expected) square."""
gamma2 = sp.Symbol("gamma2", positive=True)
"""E g_L^2: second moment of one entry of the output gradient dL/dx_L."""
gamma4 = sp.Symbol("gamma4", positive=True)
"""E g_L^4: fourth moment of one entry of the output gradient."""
slope = sp.Symbol("a", real=True)
"""Negative slope of a homogeneous activation: 0 for ReLU, 1 for linear."""
c2 = (1 + slope**2) / 2
c4 = (1 + slope**4) / 2

l = sp.Symbol("l", integer=True, positive=True)
q = sp.Symbol("q", integer=True, positive=True)  # running layer of a product
L = sp.Symbol("L", integer=True, positive=True)

a = sp.IndexedBase("alpha", real=True)
"""alpha[l]: negative slope of the homogeneous activation of layer l, where layers may differ."""
beta_kurtosis = sp.IndexedBase("kappa_b", positive=True)
"""kappa_b[l]: kurtosis of the biases of layer l."""
p = sp.IndexedBase("p", positive=True)
"""p[l]: r of the first layer behind l that is not linear where that is ReLU, else 1: what a dead layer costs."""
r = sp.IndexedBase("r", positive=True)
"""r[l]: the probability that layer l is reached: P(x_{l-1} != 0), or 1 where its biases are never 0."""
t = sp.IndexedBase("t", positive=True)
"""t[l]: 1/(1 - 2^-N[l]) where a gradient behind layer l implies x_l != 0, else p[l-1]; for ratios of gradients."""
m = sp.IndexedBase("m", positive=True)
"""m[l]: E |x_l|^2."""
S = sp.IndexedBase("S", positive=True)
"""S[l]: E |x_l|^4."""
F = sp.IndexedBase("F", positive=True)
"""F[l]: E sum_j x_{l,j}^4."""
md = sp.IndexedBase("m_delta", positive=True)
"""m_delta[l]: E |delta_l|^2 given that layer l - 1 passes a signal on; with S_delta and F_delta."""
Sd = sp.IndexedBase("S_delta", positive=True)
Fd = sp.IndexedBase("F_delta", positive=True)


def c2_of(layer: sp.Expr | int) -> sp.Expr:
    """E phi(h)^2 / E h^2 of a homogeneous layer whose h is symmetric."""
    return (1 + a[layer] ** 2) / 2


def c4_of(layer: sp.Expr | int) -> sp.Expr:
    """E phi(h)^4 / E h^4 of a homogeneous layer whose h is symmetric."""
    return (1 + a[layer] ** 4) / 2
