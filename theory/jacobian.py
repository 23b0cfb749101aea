"""Singular values of the input-output Jacobian of a network (catalogue OR-05).

J = dx_l/dx_0 = D_l W_l ... D_1 W_1 or dh_l/dx_0 = W_l D_{l-1} ... W_1, with masks D_k = diag phi'(h_k), and A = J J^T.
The mean of tr A, and E (tr A)^2, E tr A^2 and E sum_i A_ii^2 go from layer to layer, for any widths, for independent
weights of any kurtosis and for Haar weights. For homogeneous activations with fair signs that is exact; for others the
masks carry their moments at infinite width.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import sympy as sp

from theory import distributions, forward
from theory.conditions import (
    biases_never_zero,
    fair_signs,
    homogeneous_slope,
    nonzero_input,
    reached,
    require,
    slope,
    zero_mean_weights,
)
from theory.forward import FACTS
from theory.net import DenseNet
from theory.power_sums import known, scaled
from theory.prediction import Exactness, MissingMomentError, Predicted, Prediction, TheoryError
from theory.symbols import N, c2_of, c4_of, kappa, l, q, v

HN20 = "Hanin and Nica 2020"
PSG = "Pennington, Schoenholz and Ganguli 2017"
T, Q, F = (sp.IndexedBase(name, positive=True) for name in ("T_A", "Q_A", "F_A"))
"""T_A[l], Q_A[l], F_A[l]: E (tr A)^2, E tr A^2, E sum_i A_ii^2 with J = dx_l/dx_0; N_0^2, N_0, N_0 at l = 0."""
D, D4 = sp.Function("D"), sp.Function("D4")
"""D(q) = E phi'(sqrt(q) z)^2 and D4(q) = E phi'(sqrt(q) z)^4."""
q_ = sp.IndexedBase("Q", positive=True)

EXACT = (
    "weights independent and symmetric about 0, without atoms (linear layers: any law of mean 0), or Haar orthogonal",
    "biases none, or symmetric and never 0 (or 0 at times, where no layer before can be dead)",
    "activation homogeneous: phi(s) = s for s > 0, a s for s < 0; phi'(0) = 0 for ReLU",
    "x_0 not 0",
)
WIDE = (
    "weights independent of mean 0, or Haar orthogonal",
    "biases Gaussian, or none",
    "widths large: masks and weights are free, masks have the moments D(q_l) and D4(q_l); an error of order 1/N",
)


@dataclass(frozen=True)
class Spectrum:
    """Moments of A, relative to the square of E tr A.

    Attributes:
        trace: E tr A.
        excess: E (tr A)^2 / (E tr A)^2 - 1; NaN where it is not known.
        square: E tr A^2 / (E tr A)^2.
        diagonal: E sum_i A_ii^2 / (E tr A)^2.
        width: Rows of J.
    """

    trace: float
    excess: float
    square: float
    diagonal: float
    width: int


def identity(width: int) -> Spectrum:
    """That of J = I, the Jacobian of the input.

    >>> identity(4)
    Spectrum(trace=4.0, excess=0.0, square=0.25, diagonal=0.25, width=4)
    """
    return Spectrum(float(width), 0.0, 1 / width, 1 / width, width)


def multiply(a: Spectrum, width: int, variance: float, kurtosis: float = 3.0) -> Spectrum:
    """That of W J for W of `width` rows, entries independent, mean 0 (OR-05).

    For a row w: E (w^T A w)^2 = v^2 (T + 2 Q + (kappa - 3) F); for two, E (w^T A w')^2 = v^2 Q.

    >>> multiply(identity(1), 1, 1.0)  # E z^4 = 3
    Spectrum(trace=1.0, excess=2.0, square=3.0, diagonal=3.0, width=1)
    """
    more = 2 * a.square + (kurtosis - 3) * a.diagonal
    row = (1 + a.excess + more) / width
    square = a.square * (1 - 1 / width) + row
    return Spectrum(width * variance * a.trace, a.excess + more / width, square, row, width)


def rotate(a: Spectrum, width: int, variance: float) -> Spectrum:
    """That of W J for a Haar W of `width` rows, entries of variance gain^2/max(rows, columns) (OR-05).

    >>> rotate(identity(3), 3, 1 / 3).square * 9  # all singular values stay 1
    3.0
    """
    m, n = width, a.width
    whole = 1 + a.excess
    trace = m * variance * a.trace
    if m >= n:  # A padded with zeros, then turned: rows of the rotation are uniform on the sphere
        return Spectrum(trace, a.excess, a.square, (whole + 2 * a.square) / (m + 2), m)
    one = (whole + 2 * a.square) / (n * (n + 2))  # E B_ii^2 of the turned A, of which m rows remain
    off = (n * a.square - whole) / (n * (n - 1) * (n + 2))  # E B_ij^2
    scale = n * n / m
    excess = a.excess + 2 * n * (n - m) / (m * (n - 1) * (n + 2)) * (a.square - whole / n)  # of m B_ii^2, B_ii B_jj
    return Spectrum(trace, excess, scale * (one + (m - 1) * off), scale * one, m)


def mask(b: Spectrum, mu_1: float, rho: float) -> Spectrum:
    """That of D J, with squared masks d_i independent of J and of each other, E d = mu_1, E d^2 = rho mu_1^2 (OR-05).

    >>> mask(identity(2), 0.5, 2.0)
    Spectrum(trace=1.0, excess=0.5, square=1.0, diagonal=1.0, width=2)
    """
    extra = (rho - 1) * b.diagonal
    return Spectrum(mu_1 * b.trace, b.excess + extra, b.square + extra, rho * b.diagonal, b.width)


Masks = Callable[[DenseNet, int], tuple[float, float]]


def spectrum(net: DenseNet, tensor: str, layer: int, masks: Masks) -> Spectrum:
    """That of dx_l/dx_0 (`activation`) or dh_l/dx_0 (`preactivation`), with (mu_1, rho) of each mask."""
    state = identity(net.widths[0])
    for k in range(1, layer + 1):
        state = _weights(net, k, state)
        if k < layer or tensor == "activation":
            state = mask(state, *masks(net, k))
    require(2.0**-1000 < state.trace < 2.0**1000, "the value is one that a float can hold")
    return state


def _weights(net: DenseNet, k: int, before: Spectrum) -> Spectrum:
    require(zero_mean_weights(net, k), f"the weights of layer {k} are random with mean 0")
    law, width = net.weight(k), net.widths[k]
    if not distributions.is_iid(law):
        return rotate(before, width, distributions.variance(law))
    try:
        flat = distributions.kurtosis(law)
    except MissingMomentError:
        flat = math.nan
    return multiply(before, width, distributions.variance(law), flat)


def exact_mask(net: DenseNet, k: int) -> tuple[float, float]:
    """(mu_1, rho) of a homogeneous layer: (1 + a^2)/2 and 2 (1 + a^4)/(1 + a^2)^2.

    Raises:
        TheoryError: where the mask of the layer is no fair coin, independent of the weights.
    """
    rate = homogeneous_slope(net, k)
    if rate == 1:
        return 1.0, 1.0
    require(fair_signs(net, k), f"no preactivation of layer {k} is tied at 0 and its law is symmetric")
    require(reached(net, k) > 0, "what kills a signal before a layer kills the Jacobian: no atoms in linear layers")
    first = next(j for j in range(1, k + 1) if slope(net, j) != 1)
    require(nonzero_input(net) == 1 or biases_never_zero(net, first), "the input is not 0")
    return (1 + rate**2) / 2, 2 * (1 + rate**4) / (1 + rate**2) ** 2


def wide_mask(net: DenseNet, k: int) -> tuple[float, float]:
    """(mu_1, rho) = (D(q_k), D4(q_k)/D(q_k)^2) at infinite width."""
    second = forward.power_sums_of(net, "preactivation", k, exact=False).mean
    mu_1 = net.phi(k).derivative_power_mean(second, 2).value
    require(mu_1 > 0, f"the activation of layer {k} has a derivative")
    require(mu_1**2 > 0, f"E phi'^2 of layer {k} has a square that a float can hold")
    return mu_1, net.phi(k).derivative_power_mean(second, 4).value / mu_1**2


@lru_cache
def _chain(tensor: str, rate: Callable[[sp.Expr], sp.Expr]) -> sp.Expr:
    last = l if tensor == "activation" else l - 1
    weights = sp.Product(N[q] * v[q], (q, 1, l))
    return N[0] / N[l] * weights * sp.Product(rate(q), (q, 1, last))


def _wide_rate(layer: sp.Expr) -> sp.Expr:
    return D(q_[layer])


@lru_cache
def _recursion(tensor: str, exact: bool) -> tuple[sp.Expr, sp.Expr]:
    """E (tr A)^2 and E tr A^2 of layer l from those of dx_{l-1}/dx_0, for independent weights."""
    row = N[l] * v[l] ** 2 * (T[l - 1] + 2 * Q[l - 1] + (kappa[l] - 3) * F[l - 1])
    pairs = N[l] * (N[l] - 1) * v[l] ** 2
    mu_1, mu_2 = (c2_of(l), c4_of(l)) if exact else (D(q_[l]), D4(q_[l]))
    if tensor == "preactivation":
        mu_1 = mu_2 = sp.Integer(1)
    return mu_1**2 * pairs * T[l - 1] + mu_2 * row, mu_1**2 * pairs * Q[l - 1] + mu_2 * row


FAIR = (
    r"Flipping row $i$ of $W_k$ (and $b_{k,i}$) flips $h_{k,i}$, and no entry of $J J^T$ but for its sign: the masks "
    r"$d_{k,i} = \varphi'(h_{k,i})^2$ are fair coins, independent of the weights.",
    r"Behind a dead ReLU layer $h = 0$ and the mask is no coin, but there $J = 0$ either way: no factor $P(x \neq 0)$.",
)
ROWS = (
    r"Rows $w$ of $W$: $E(w^TAw)^2 = v^2(T + 2Q + (\kappa-3)F)$, $E(w^TAw')^2 = v^2Q$, with $T = E(\mathrm{tr}A)^2$, "
    r"$Q = E\,\mathrm{tr}A^2$, $F = E\sum_i A_{ii}^2$.",
    r"$B = WAW^T$: $F_B = Nv^2(T+2Q+(\kappa-3)F)$, $T_B = N(N-1)v^2T + F_B$, $Q_B = N(N-1)v^2Q + F_B$.",
    r"Haar, square, gain $g$: $T_B = g^4T$, $Q_B = g^4Q$, $F_B = g^4(T+2Q)/(N+2)$; other shapes by "
    r"$E B_{ii}B_{jj}$ and $E B_{ij}^2$ of a turned matrix.",
    r"Masks: $T' = \mu_1^2(T_B - F_B) + \mu_2F_B$, $Q' = \mu_1^2(Q_B-F_B) + \mu_2F_B$, $F' = \mu_2F_B$, with "
    r"$\mu_k = E\varphi'^{2k}$.",
    r"Start: $A = I$, $T = N_0^2$, $Q = F = N_0$.",
)
TRACE = (
    r"$E\,\mathrm{tr}A$ is multiplied by $N_kv_k$ by weights of any law of mean 0, and by $\mu_1$ by a mask.",
    r"Divide by $N_l$, starting from $N_0$.",
)


def first_moment(tensor: str, layer: int, *, exact: bool = True) -> Prediction:
    """Mean of tr(J J^T)/N_l, the mean squared singular value, with its scatter over networks (OR-05).

    >>> from theory.net import Distribution
    >>> net = DenseNet((4, 4), "relu", weights=(Distribution("normal", 0.5),), input=(1.0,) * 4)
    >>> first_moment("activation", 1).at(net)
    Predicted(value=1.0, variance=0.5, law=None, log=False, variance_is_bound=False)
    """
    return Prediction(
        entry="OR-05" if exact else "OR-06",
        statement="Each layer multiplies the mean of tr(J J^T) by width times weight variance times E phi'(h)^2: "
        + ("(1 + a^2)/2, dead networks included." if exact else "D(q)."),
        observable=f"{tensor}.spectrum_1",
        layer=layer,
        expression=_chain(tensor, c2_of if exact else _wide_rate),
        evaluate=partial(_first, tensor, layer, exact),
        exactness=Exactness.EXACT if exact else Exactness.INFINITE_WIDTH,
        assumptions=EXACT if exact else WIDE,
        reference=HN20 if exact else PSG,
        derivation=(*FAIR, *TRACE) if exact else TRACE,
        states=FACTS if exact else frozenset(),
    )


def second_moment(tensor: str, layer: int, *, exact: bool = True) -> Prediction:
    """Mean of tr((J J^T)^2)/N_l, the mean fourth power of singular values (OR-05)."""
    return Prediction(
        entry="OR-05" if exact else "OR-06",
        statement="E tr (J J^T)^2 follows from E (tr A)^2, E tr A^2 and E sum A_ii^2 of the layer before.",
        observable=f"{tensor}.spectrum_2",
        layer=layer,
        expression=_recursion(tensor, exact)[1] / N[l],
        evaluate=partial(_second, tensor, layer, exact),
        exactness=Exactness.EXACT if exact else Exactness.INFINITE_WIDTH,
        assumptions=(*(EXACT if exact else WIDE), "weights with a fourth moment", "the formula: independent weights"),
        reference=HN20 if exact else PSG,
        derivation=(*FAIR, *ROWS) if exact else ROWS,
        states=FACTS if exact else frozenset(),
    )


def first_moment_variance(tensor: str, layer: int) -> Prediction:
    """Variance over networks of tr(J J^T)/N_l: (E (tr A)^2 - (E tr A)^2)/N_l^2 (OR-05)."""
    return Prediction(
        entry="OR-05",
        statement="The mean squared singular value scatters from network to network by E (tr A)^2.",
        observable=f"{tensor}.spectrum_1",
        layer=layer,
        statistic="variance",
        expression=_recursion(tensor, True)[0] / N[l] ** 2 - _chain(tensor, c2_of) ** 2,
        evaluate=partial(_first_variance, tensor, layer),
        assumptions=(*EXACT, "weights with a fourth moment", "the formula: independent weights"),
        reference=HN20,
        derivation=(*FAIR, *ROWS),
        states=FACTS,
    )


def _first(tensor: str, layer: int, exact: bool, net: DenseNet) -> Predicted:
    found = spectrum(net, tensor, layer, exact_mask if exact else wide_mask)
    value = found.trace / found.width
    return Predicted(value=value, variance=known(scaled(found.excess, value, value)) if exact else None)


def _second(tensor: str, layer: int, exact: bool, net: DenseNet) -> Predicted:
    _require_fourth_moments(net, layer)
    found = spectrum(net, tensor, layer, exact_mask if exact else wide_mask)
    value = found.trace / found.width * found.trace * found.square
    require(math.isfinite(value) and value > 0, "the value is one that a float can hold")
    return Predicted(value=value)


def _first_variance(tensor: str, layer: int, net: DenseNet) -> Predicted:
    _require_fourth_moments(net, layer)
    found = spectrum(net, tensor, layer, exact_mask)
    value = (found.trace / found.width) ** 2 * found.excess
    require(found.excess > 1e-12 * found.square, "the mean squared singular value is random")
    require(math.isfinite(value) and value > 0, "the variance is one that a float can hold")
    return Predicted(value=value)


def _require_fourth_moments(net: DenseNet, layer: int) -> None:
    for k in range(1, layer + 1):
        if distributions.is_iid(net.weight(k)):
            distributions.kurtosis(net.weight(k))


def square_recursion(
    width: int, depth: int, sw2: float, mu_1: float, mu_2: float, *, haar: bool = False
) -> tuple[float, float, float]:
    """E tr A / n, E (tr A)^2 / n^2 and E tr A^2 / n of `depth` equal square layers of given mask moments (OR-05).

    >>> square_recursion(8, 1, 1.0, 1.0, 1.0, haar=True)
    (1.0, 1.0, 1.0)
    """
    if not (mu_1 > 0 and mu_2 >= mu_1**2):
        raise TheoryError(f"`mu_1={mu_1}`, `mu_2={mu_2}`: mu_1 > 0 and mu_2 >= mu_1^2 are needed.")
    state = identity(width)
    for _ in range(depth):
        state = rotate(state, width, sw2 / width) if haar else multiply(state, width, sw2 / width)
        state = mask(state, mu_1, mu_2 / mu_1**2)
    mean = state.trace / width
    return mean, mean * mean * (1 + state.excess), mean * state.trace * state.square
