"""The symbols of the mean field, and the assumptions that its statements share."""

from __future__ import annotations

import sympy as sp

P16 = "Poole et al. 2016; Schoenholz et al. 2017"
V, D, M = sp.Function("V"), sp.Function("D"), sp.Function("M")
"""V(q) = E phi(sqrt(q) z)^2, D(q) = E phi'(sqrt(q) z)^2, M(q) = E phi(sqrt(q) z), z ~ N(0, 1)."""
V4 = sp.Function("V4")
"""V4(q) = E phi(sqrt(q) z)^4."""
K = sp.Function("K")
"""K(q1, q2, q12) = E phi(u) phi(v), (u, v) Gaussian with variances q1, q2 and covariance q12."""
q_ = sp.IndexedBase("Q", positive=True)
"""Q[l]: E h_l^2, q_l of the texts."""

MAPS = (
    "weights independent, zero mean, any law",
    "biases Gaussian, or none",
    "widths large against depth: the value holds to order 1/N",
)
ONE_STEP = ("Gaussian weights in layer 1, Gaussian biases or none", "fixed input")
BLIND = "dloss/dx_L independent of the network, with entries of mean 0 unless phi' of the output is even"
