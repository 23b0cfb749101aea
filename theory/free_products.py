"""Spectra of products of free matrices: S-transforms, Fuss-Catalan numbers (catalogue OR-06..OR-09).

Moments m_1, m_2, ... of a spectrum are lists that start with m_1 > 0; numbers may be floats, `Fraction`s or sympy
expressions. With psi(z) = sum m_k z^k and chi its inverse, S(y) = chi(y) (1 + y)/y; S-transforms of free factors
multiply. Everything here is INFINITE_WIDTH as a statement about networks: an error of order 1/n at fixed depth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import sympy as sp

from theory.net import DenseNet
from theory.prediction import Exactness, TheoryError
from theory.statement import Statement, real, whole

Number = Any
Series = list[Number]
"""Coefficients of 1, y, y^2, ..."""


def _times(a: Series, b: Series) -> Series:
    """Product of two series, to the length of the first."""
    return [sum(a[i] * b[k - i] for i in range(k + 1)) for k in range(len(a))]


def _inverse(a: Series) -> Series:
    """1/a, for a series whose constant term is not 0."""
    found = [1 / a[0]]
    for k in range(1, len(a)):
        found.append(-sum(a[i] * found[k - i] for i in range(1, k + 1)) / a[0])
    return found


def _reversion(a: Series) -> Series:
    """b with y b(y) the inverse function of z a(z): b_k = [z^k] a^-(k+1) / (k + 1) (Lagrange)."""
    inverse = _inverse(a)
    power, found = [1, *[0] * (len(a) - 1)], []
    for k in range(len(a)):
        power = _times(power, inverse)
        found.append(power[k] / (k + 1))
    return found


def s_transform(moments: Sequence[Number]) -> Series:
    """S(y) to the order of the moments given (OR-07).

    >>> s_transform([1, 2, 5, 14])  # Marchenko-Pastur: 1/(1 + y)
    [1.0, -1.0, 1.0, -1.0]
    """
    if not moments or moments[0] == 0:
        raise TheoryError(f"`moments={list(moments)}`: an S-transform needs a first moment that is not 0.")
    chi = _reversion(list(moments))
    return [chi[0], *(chi[k] + chi[k - 1] for k in range(1, len(chi)))]


def moments_of(s: Series) -> Series:
    """The moments whose S-transform is given, to the same order (OR-07).

    >>> moments_of([1, -1, 1, -1])
    [1.0, 2.0, 5.0, 14.0]
    """
    alternating = [(-1) ** k for k in range(len(s))]  # 1/(1 + y)
    return _reversion(_times(list(s), alternating))


def free_product(*factors: Sequence[Number]) -> Series:
    """Moments of a product of free matrices, from those of each (OR-07).

    >>> free_product([1, 2, 5], [1, 2, 5])  # two square Gaussians: 1, 3, 12
    [1.0, 3.0, 12.0]
    """
    order = min(len(moments) for moments in factors)
    transforms = [s_transform(moments[:order]) for moments in factors]
    product = transforms[0]
    for s in transforms[1:]:
        product = _times(product, s)
    return moments_of(product)


def jacobian_moments(masks: Sequence[Sequence[Number]], sw2: Sequence[Number], *, haar: bool = False) -> Series:
    """m_k of J J^T of square layers at infinite width: S = prod S_WW^T S_D^2 (OR-07).

    Args:
        masks: For each layer E phi'^2, E phi'^4, ...; as many as moments are asked for.
        sw2: n v of each layer.
        haar: Haar weights (S = 1/sw2) instead of Gaussian ones (S = 1/(sw2 (1 + y))).

    >>> jacobian_moments([[0.5] * 3] * 2, [2.0] * 2)
    [1.0, 5.0, 33.0]
    >>> jacobian_moments([[1.0] * 3] * 9, [1.0] * 9, haar=True)
    [1.0, 1.0, 1.0]
    """
    if len(masks) != len(sw2) or not masks:
        raise TheoryError(
            f"`masks` has {len(masks)} layers and `sw2` {len(sw2)}: equal numbers, at least 1, are needed."
        )
    order = min(len(moments) for moments in masks)
    product: Series = [1, *[0] * (order - 1)]
    gaussian = [(-1) ** k for k in range(order)]
    for moments, factor in zip(masks, sw2, strict=True):
        if not haar:
            product = _times(product, gaussian)
        product = [c / factor for c in _times(product, s_transform(moments[:order]))]
    return moments_of(product)


def network_moments(net: DenseNet, layer: int, order: int) -> list[float]:
    """m_1..m_order of J J^T with J = dx_l/dx_0 of a network of equal widths (OR-07).

    Raises:
        TheoryError: for unequal widths, or weights of which some are Haar and others independent.

    >>> from theory.net import Distribution
    >>> he = (Distribution("normal", 0.25),) * 2
    >>> network_moments(DenseNet((8, 8, 8), "relu", weights=he), 2, 3)
    [1.0, 5.0, 33.0]
    """
    from theory import distributions, forward

    if len(set(net.widths[: layer + 1])) != 1:
        raise TheoryError(f"S-transforms of square layers need equal widths, not {net.widths[: layer + 1]}.")
    kinds = {distributions.is_iid(net.weight(k)) for k in range(1, layer + 1)}
    if len(kinds) != 1:
        raise TheoryError("layers of independent and of orthogonal weights are mixed; multiply their S-transforms.")
    masks = []
    for k in range(1, layer + 1):
        second = forward.power_sums_of(net, "preactivation", k, exact=False).mean
        masks.append([net.phi(k).derivative_power_mean(second, 2 * j).value for j in range(1, order + 1)])
    variances = [net.widths[0] * distributions.variance(net.weight(k)) for k in range(1, layer + 1)]
    return [float(m) for m in jacobian_moments(masks, variances, haar=kinds == {False})]


def singular_value_variance(mu_1: float, mu_2: float, depth: int, *, haar: bool = False) -> float:
    """Variance of squared singular values, their mean 1: L (mu_2/mu_1^2 - 1 - s_1) (OR-06).

    Args:
        mu_1: E phi'^2, with sw2 mu_1 = 1.
        mu_2: E phi'^4.
        depth: L.
        haar: s_1 = 0 instead of -1.

    >>> singular_value_variance(0.5, 0.5, 10), singular_value_variance(0.5, 0.5, 10, haar=True)
    (20.0, 10.0)
    """
    first, second = real("mu_1", mu_1, 0, above=True), real("mu_2", mu_2, 0)
    if second < first * first * (1 - 1e-12):
        raise TheoryError(f"`mu_1={mu_1}`, `mu_2={mu_2}`: mu_2 >= mu_1^2 is needed.")
    return whole("depth", depth) * (second / first**2 - (1 if haar else 0))


def fuss_catalan(power: int, depth: int) -> int:
    """m_k = C(k (L + 1), k)/(k L + 1) of L square Gaussian matrices of variance 1/n (OR-08).

    >>> [fuss_catalan(k, 1) for k in (1, 2, 3, 4)], [fuss_catalan(k, 2) for k in (1, 2, 3, 4)]
    ([1, 2, 5, 14], [1, 3, 12, 55])
    """
    k, layers = whole("power", power, 0), whole("depth", depth)
    return math.comb(k * (layers + 1), k) // (k * layers + 1)


def upper_edge(depth: int) -> float:
    """The largest squared singular value of L square Gaussians of variance 1/n: (L + 1)^(L + 1)/L^L (OR-08).

    >>> upper_edge(1)
    4.0
    """
    layers = whole("depth", depth)
    return (layers + 1) * (1 + 1 / layers) ** layers


def density(angle: float, depth: int) -> tuple[float, float]:
    """A squared singular value s and its density, at an angle in (0, pi/(L + 1)) (OR-08).

    s = sin((L+1) t)^(L+1)/(sin t sin(L t)^L), density sin(t)^2 sin(L t)^(L-1)/(pi sin((L+1) t)^L).

    >>> s, rho = density(math.pi / 4, 1)  # sqrt((4 - s)/s)/(2 pi) at s = 2
    >>> round(s, 12), round(2 * math.pi * rho, 12)
    (2.0, 1.0)
    """
    layers = whole("depth", depth)
    t = real("angle", angle, 0, math.pi / (layers + 1), above=True)
    top, low = math.sin((layers + 1) * t), math.sin(layers * t)
    if top <= 0:
        raise TheoryError(f"`angle={angle}`: below pi/(L + 1) is needed, where s is above 0.")
    ratio = math.log(top / low)  # powers of the sines themselves fall below what a float holds
    s = math.exp(layers * ratio + math.log(top / math.sin(t)))
    return s, math.exp(-layers * ratio + math.log(math.sin(t) / low)) * math.sin(t) / math.pi


def linear_haar_condition(depth: int) -> float:
    """Condition number of J of a linear net with square Haar weights: 1 at any depth (OR-09).

    >>> linear_haar_condition(1000)
    1.0
    """
    whole("depth", depth)
    return 1.0


def relu_isometry_probability(width: int, depth: int) -> float:
    """P(J has full rank) of a square ReLU net: all n units of all L layers on, 2^-(n L) (OR-09).

    >>> relu_isometry_probability(2, 3)
    0.015625
    """
    return 2.0 ** -(whole("width", width) * whole("depth", depth))


_k, _L, _n = sp.symbols("k L n", integer=True, positive=True)
_mu1, _mu2, _s1 = sp.Symbol("mu_1", positive=True), sp.Symbol("mu_2", positive=True), sp.Symbol("s_1", real=True)
FREE = ("equal widths to infinity at fixed depth: an error of order L^2/n", "masks and weights are free")

STATEMENTS = (
    Statement(
        entry="OR-06",
        statement="At criticality squared singular values have mean 1 and a variance that grows as the depth: L for "
        "linear Gaussian nets, 2L and L for ReLU with Gaussian and Haar weights.",
        expression=_L * (_mu2 / _mu1**2 - 1 - _s1),
        evaluate=singular_value_variance,
        exactness=Exactness.INFINITE_WIDTH,
        assumptions=(*FREE, "sw2 mu_1 = 1", "s_1 = -1 for Gaussian weights, 0 for Haar weights"),
        reference="Pennington, Schoenholz and Ganguli 2017",
        derivation=(
            r"$S(y) = 1 + s\,y + \ldots$ belongs to $m_1 = 1$, $m_2 = 1 - s$.",
            r"S-transforms multiply, so the $s$ of factors add up: $s_1$ of the weights and "
            r"$1 - \mu_2/\mu_1^2$ of the masks, once a layer.",
        ),
    ),
    Statement(
        entry="OR-08",
        statement="Products of L square Gaussian matrices have the Fuss-Catalan numbers for moments.",
        expression=sp.binomial(_k * (_L + 1), _k) / (_k * _L + 1),
        evaluate=lambda power, depth: float(fuss_catalan(power, depth)),
        exactness=Exactness.INFINITE_WIDTH,
        assumptions=("independent entries of variance 1/n", FREE[0]),
        reference="Penson and Zyczkowski 2011",
        derivation=(
            r"$S = (1+y)^{-L}$, so $\chi(y) = y(1+y)^{-L-1}$.",
            r"Lagrange: $m_k = \frac1k[y^{k-1}](1+y)^{k(L+1)} = \frac{1}{kL+1}\binom{k(L+1)}{k}$.",
        ),
    ),
    Statement(
        entry="OR-08",
        statement="The largest squared singular value of L square Gaussians is (L+1)^(L+1)/L^L: of order e L.",
        expression=(_L + 1) ** (_L + 1) / _L**_L,
        evaluate=upper_edge,
        exactness=Exactness.INFINITE_WIDTH,
        assumptions=("independent entries of variance 1/n", FREE[0]),
        reference="Penson and Zyczkowski 2011",
        derivation=(r"$\chi(y) = y(1+y)^{-L-1}$ is largest at $y = 1/L$; the edge is $1/\chi(1/L)$.",),
    ),
    Statement(
        entry="OR-09",
        statement="A linear net with square Haar weights is an isometry: cond J = 1 on every draw, at any depth.",
        expression=sp.Integer(1),
        evaluate=linear_haar_condition,
        assumptions=("square Haar weights", "linear activation"),
        reference="Saxe et al. 2014",
        derivation=(r"A product of orthogonal matrices is orthogonal.",),
    ),
    Statement(
        entry="OR-09",
        statement="A square ReLU net is no isometry at any depth: rank J <= min over layers of the units on, "
        "each Bin(n, 1/2).",
        expression=2 ** (-_n * _L),
        evaluate=relu_isometry_probability,
        assumptions=("weights symmetric and without atoms (Haar too), no biases", "J invertible given its masks"),
        reference="Pennington, Schoenholz and Ganguli 2017",
        derivation=(
            r"A unit that is off gives $D_l$ a zero: rank $J \leq$ rank $D_l$.",
            r"All $nL$ signs are fair, and independent while a signal is alive: $2^{-nL}$.",
        ),
    ),
)
