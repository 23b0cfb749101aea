"""Haar orthogonal weights: norms, entries, the sign bias of a raw QR, depth (catalogue OR-01..OR-04, OR-10).

A Haar matrix of shape m x n is gain times a random matrix with orthonormal columns (m >= n) or rows (m < n), whose law
does not change under rotations on either side. Training such nets (OR-11) is out of scope: nothing is stated of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

import sympy as sp

from theory.prediction import Exactness, Law, TheoryError
from theory.statement import Statement, real, whole

Pairing = tuple[tuple[int, int], ...]


# Norms (OR-01, OR-04)


def entry_variance(rows: int, columns: int, gain: float = 1.0) -> float:
    """Variance of an entry: gain^2 / max(m, n) (OR-01).

    >>> entry_variance(3, 4, gain=2.0)
    1.0
    """
    return real("gain", gain) ** 2 / max(whole("rows", rows), whole("columns", columns))


def norm_ratio(rows: int, columns: int) -> Law:
    """The law of |Wx|^2/|x|^2 at gain 1: Beta(m/2, (n - m)/2), or the constant 1 for m >= n (OR-01).

    Backward, |W^T y|^2/|y|^2, rows and columns change places.

    >>> norm_ratio(2, 6)
    Law(name='beta', parameters={'a': 1.0, 'b': 2.0})
    >>> norm_ratio(6, 2)
    Law(name='constant', parameters={'value': 1.0})
    """
    m, n = whole("rows", rows), whole("columns", columns)
    return Law("constant", value=1.0) if m >= n else Law("beta", a=m / 2, b=(n - m) / 2)


def norm_ratio_moment(rows: int, columns: int, power: int = 1) -> float:
    """E (|Wx|^2/|x|^2)^k at gain 1: prod_{i<k} (m + 2i)/(n + 2i) for m < n, else 1 (OR-01).

    >>> norm_ratio_moment(2, 6), norm_ratio_moment(2, 6, 2)
    (0.3333333333333333, 0.16666666666666666)
    """
    m, n = whole("rows", rows), whole("columns", columns)
    return math.prod((m + 2 * i) / (n + 2 * i) for i in range(whole("power", power))) if m < n else 1.0


def relu_ratio_moment(width: int, power: int = 1) -> float:
    """E r^k, r = |x_l|^2/|x_{l-1}|^2 of a square ReLU layer of gain sqrt(2) (OR-04): 1 and (n + 5)/(n + 2) at k = 1, 2.

    Given K ~ Bin(n, 1/2) units on, r/2 ~ Beta(K/2, (n - K)/2).

    >>> relu_ratio_moment(4), relu_ratio_moment(4, 2)
    (1.0, 1.5)
    """
    n, k = whole("width", width), whole("power", power)
    terms, total = [1], Fraction(0)  # of K(K + 2)... in falling factorials: K_(j) (K + 2i) = K_(j+1) + (j + 2i) K_(j)
    for i in range(k):
        terms = [(j + 2 * i) * a + b for j, (a, b) in enumerate(zip([*terms, 0], [0, *terms], strict=True))]
    for j, term in enumerate(terms):
        total += Fraction(term * math.prod(n - i for i in range(j)), 2**j)
    return float(2**k * total / math.prod(n + 2 * i for i in range(k)))


# Entries (OR-02)


def entry_power_moment(size: int, power: int) -> Fraction:
    """E O_11^(2k) of an n x n Haar matrix: prod_{i<k} (1 + 2i)/(n + 2i), as O_11^2 ~ Beta(1/2, (n-1)/2) (OR-02).

    >>> entry_power_moment(4, 2)
    Fraction(1, 8)
    """
    n, k = whole("size", size), whole("power", power, 0)
    return math.prod((Fraction(1 + 2 * i, n + 2 * i) for i in range(k)), start=Fraction(1))


def mixed_moment(rows: Sequence[int], columns: Sequence[int], size: int) -> Fraction:
    """E prod_k O[rows_k, columns_k] of an n x n Haar matrix, by the Weingarten function (OR-02).

    The sum over pairings a of the rows and b of the columns of the inverse of the matrix n^loops(a, b).

    Args:
        rows: Row of each factor, 1 to n; at most six.
        columns: Column of each factor, 1 to n.
        size: n, at least half the number of factors.

    >>> mixed_moment([1, 1, 2, 2], [1, 2, 1, 2], 3)
    Fraction(-1, 30)
    """
    n, degree = whole("size", size), len(rows)
    if degree != len(columns) or degree > 6:
        raise TheoryError(
            f"`rows` has {degree} entries and `columns` {len(columns)}: equal numbers up to 6 are needed."
        )
    for name, index in (("rows", rows), ("columns", columns)):
        if any(whole(name, value) > n for value in index):
            raise TheoryError(f"`{name}={list(index)}`: a matrix of size {n} has indices from 1 to {n}.")
    if degree % 2:
        return Fraction(0)
    if degree > 2 * n:
        raise TheoryError(f"`size={n}`: a moment of degree {degree} needs at least {degree // 2}.")
    pairings = _pairings(degree)
    inverse = _weingarten(degree, n)
    fits = [[all(index[i] == index[j] for i, j in pairs) for pairs in pairings] for index in (rows, columns)]
    chosen = [[k for k, good in enumerate(fit) if good] for fit in fits]
    return sum((inverse[a][b] for a in chosen[0] for b in chosen[1]), start=Fraction(0))


@lru_cache
def _pairings(degree: int) -> tuple[Pairing, ...]:
    def split(left: tuple[int, ...]) -> list[Pairing]:
        if not left:
            return [()]
        first, rest = left[0], left[1:]
        return [
            ((first, other), *pairs)
            for other in rest
            for pairs in split(tuple(value for value in rest if value != other))
        ]

    return tuple(split(tuple(range(degree))))


def _loops(a: Pairing, b: Pairing) -> int:
    """Loops of the graph that two pairings make."""
    partner = [{i: j for pair in pairs for i, j in (pair, pair[::-1])} for pairs in (a, b)]
    open_points, count = set(partner[0]), 0
    while open_points:
        point, count = open_points.pop(), count + 1
        while True:
            other = partner[0][point]
            open_points.discard(other)
            point = partner[1][other]
            if point not in open_points:
                break
            open_points.discard(point)
    return count


@lru_cache
def _weingarten(degree: int, size: int) -> tuple[tuple[Fraction, ...], ...]:
    pairings = _pairings(degree)
    gram = sp.Matrix([[sp.Integer(size) ** _loops(a, b) for b in pairings] for a in pairings])
    inverse = gram.inv()
    return tuple(tuple(Fraction(int(x.p), int(x.q)) for x in inverse.row(i)) for i in range(len(pairings)))


def raw_qr_mean(size: int) -> float:
    """E Q_11 of the Q of LAPACK's Householder QR of a Gaussian matrix: not 0, so not Haar (OR-03).

    The first column is -sign(a_11) a/|a|: E Q_11 = -E |a_11|/|a| = -Gamma(n/2)/(sqrt(pi) Gamma((n+1)/2)).

    Args:
        size: n >= 2; LAPACK does nothing to a 1 x 1 matrix.

    >>> round(raw_qr_mean(2), 9)  # -2/pi
    -0.636619772
    """
    n = whole("size", size, 2)
    return -math.exp(math.lgamma(n / 2) - math.lgamma((n + 1) / 2)) / math.sqrt(math.pi)


# Depth (OR-10)


def gaussian_log_energy(depth: int, width: int) -> float:
    """Mean of log |g_0|^2 - log |g_L|^2 of a near-critical tanh net with Gaussian weights: -L/n nats (OR-10).

    >>> gaussian_log_energy(10_000, 500)
    -20.0
    """
    return -float(whole("depth", depth)) / whole("width", width)


def gaussian_log_energy_variance(depth: int, width: int) -> float:
    """Its variance over networks, 4 L/n, where 1/L and 1/n are far below q (OR-10); 2 L/n of a linear net.

    >>> gaussian_log_energy_variance(10_000, 500)
    80.0
    """
    return 4.0 * whole("depth", depth) / whole("width", width)


def haar_log_energy_variance(depth: int, width: int, q: float) -> float:
    """Variance of log |g_0|^2 - log |g_L|^2 with Haar weights: 32 q^2 L/n, near-critical tanh (OR-10).

    Args:
        depth: L, far above 1/q.
        width: n.
        q: The fixed point E h^2, small, on the edge of chaos.

    >>> round(haar_log_energy_variance(10_000, 500, 0.03), 6)
    0.576
    """
    return 32.0 * real("q", q, 0, above=True) ** 2 * whole("depth", depth) / whole("width", width)


_n, _m, _L = sp.symbols("n m L", integer=True, positive=True)
_q, _gain = sp.symbols("q gain", positive=True)
NEAR_CRITICAL = (
    "tanh on its edge of chaos (chi_1 = 1 at the fixed point q), square layers",
    "1/n and 1/L far below q, q far below 1; leading order in q and 1/n",
    "the gradient of the output is independent of the network",
)

NORM = Statement(
    entry="OR-01",
    statement="A Haar matrix of shape m x n keeps m/n of |x|^2 in the mean, and all of it on every draw for m >= n.",
    expression=sp.Min(_m / _n, 1),
    evaluate=norm_ratio_moment,
    assumptions=("gain 1", "x independent of W"),
    reference="Saxe et al. 2014",
    derivation=(
        r"$m \geq n$: $W^TW = I$.",
        r"$m < n$: $W$ is $m$ rows of an orthogonal matrix, and $Ox$ is uniform on the sphere of radius $|x|$.",
        r"$m$ of the $n$ squares of a uniform direction sum to Beta$(\frac m2, \frac{n-m}2)$, of mean $m/n$.",
    ),
)
RELU = Statement(
    entry="OR-04",
    statement="A ReLU layer of gain sqrt(2) keeps |x|^2 in the mean, with E r^2 = (n+5)/(n+2) against 1 + 5/n for "
    "Gaussian weights; factors of different layers are independent while alive.",
    expression=(_n + 5) / (_n + 2),
    evaluate=lambda width: relu_ratio_moment(width, 2),
    assumptions=("square Haar weights times sqrt(2)", "no biases, x not 0"),
    derivation=(
        r"$h = \sqrt2 O x$ has a uniform direction, so signs are fair: $K \sim$ Bin$(n,\frac12)$ units on.",
        r"$r = 2B$ with $B \sim$ Beta$(\frac K2, \frac{n-K}2)$ given $K$.",
        r"$E r^2 = 4 E\frac{K(K+2)}{n(n+2)} = \frac{n+5}{n+2}$, with $E K^2 = n(n+1)/4$.",
    ),
)
ENTRY = Statement(
    entry="OR-02",
    statement="Entries of a Haar matrix have E O^4 = 3/(n(n+2)): kurtosis 3n/(n+2), below that of a Gaussian.",
    expression=3 / (_n * (_n + 2)),
    evaluate=lambda size: float(entry_power_moment(size, 2)),
    assumptions=("n x n Haar, gain 1",),
    reference="Collins and Sniady 2006, for mixed moments",
    derivation=(
        r"A row is uniform on the sphere: $O_{11}^2 \sim$ Beta$(\frac12, \frac{n-1}2)$.",
        r"Moments of several entries: $\sum_{a,b} \mathrm{Wg}(a,b)$ over pairings $a$ of the rows, $b$ of the columns, "
        r"Wg the inverse of $n^{\mathrm{loops}(a,b)}$.",
    ),
)
RAW_QR = Statement(
    entry="OR-03",
    statement="The Q of a raw Householder QR is not Haar: the mean of Q_11 is negative.",
    expression=-sp.gamma(_n / 2) / (sp.sqrt(sp.pi) * sp.gamma((_n + 1) / 2)),
    evaluate=raw_qr_mean,
    assumptions=("LAPACK's sign: R_11 = -sign(a_11)|a|", "n >= 2", "Gaussian matrix"),
    reference="Mezzadri 2007",
    derivation=(
        r"The first reflection sends $a$ to $-\mathrm{sign}(a_{11})|a|e_1$: $Q e_1 = -\mathrm{sign}(a_{11}) a/|a|$.",
        r"$E|u_1|$ of a uniform direction is $\Gamma(n/2)/(\sqrt\pi\,\Gamma((n+1)/2))$.",
    ),
)
GAUSSIAN_DEPTH = Statement(
    entry="OR-10",
    statement="Near-critical tanh with Gaussian weights: the typical gradient energy falls by e^(-L/n) although "
    "chi_1 = 1.",
    expression=-_L / _n,
    evaluate=gaussian_log_energy,
    exactness=Exactness.LEADING_ORDER,
    assumptions=("Gaussian weights and biases", *NEAR_CRITICAL),
    reference="Xiao et al. 2018, for the orthogonal case",
    derivation=(
        r"$|W^T\delta|^2$: the part of $\delta$ along $h$ goes along $x$; the rest is $v|\delta|^2\chi^2_{n-1}$.",
        r"Along $x$ nothing is left: $x \cdot g$ loses $2q$ a layer against $|x||g|$, as $\varphi - h\varphi' = "
        r"\frac23 h^3$. So $E\log = \log\frac{n-1}n - \frac1n = -\frac2n$ a layer.",
        r"Forward, $E\log G_{l+1}/G_l = 0$ needs $-2E(G-q) - \frac1n = 0$: $G$ lies $\frac1{2n}$ below $q$.",
        r"$\log\chi_1(G) = -2(G - q)$ gives $+\frac1n$ back. Sum: $-\frac1n$ a layer.",
    ),
)
GAUSSIAN_SCATTER = Statement(
    entry="OR-10",
    statement="Near-critical tanh with Gaussian weights: log gradient energies scatter with variance 4 L/n.",
    expression=4 * _L / _n,
    evaluate=gaussian_log_energy_variance,
    exactness=Exactness.LEADING_ORDER,
    assumptions=("Gaussian weights and biases", *NEAR_CRITICAL),
    derivation=(
        r"$\log\chi^2_n$ of each $W^T$: variance $\frac2n$ a layer.",
        r"$G$ is pulled back by $2q$ a layer and kicked by $q\sqrt{2/n}$: $\sum(G-q)$ has variance "
        r"$\frac{2q^2}n L/(2q)^2$.",
        r"$\log\chi_1(G) = -2(G-q)$: $\frac2n$ a layer more.",
    ),
)
HAAR_DEPTH = Statement(
    entry="OR-10",
    statement="Near-critical tanh with Haar weights: log gradient energies scatter with variance 32 q^2 L/n only, "
    "and their mean moves by order q^2 L/n: of order 1 at depth 1/q^2 times the width.",
    expression=32 * _q**2 * _L / _n,
    evaluate=haar_log_energy_variance,
    exactness=Exactness.LEADING_ORDER,
    assumptions=("square Haar weights, Gaussian biases", *NEAR_CRITICAL),
    reference="Xiao et al. 2018",
    derivation=(
        r"$|W^T\delta|$ has no scatter; $\sum_i \varphi'(h_i)^2 u_i^2$, $u$ the direction of $g$, has $\frac2n "
        r"\mathrm{Var}\,\varphi'^2 = \frac{16q^2}n$, at given $|h|$.",
        r"Forward, $\frac1n\sum\varphi(h_i)^2$ at given $|h|$ has variance $\frac49 q^4 (96 - 72)/n$ (of $z^4$ beside "
        r"$z^2$).",
        r"Biases, $\sigma_b^2 = q - V(q)/D(q) \approx \frac43q^3$, add $\frac2n Wx \cdot b$ to $\frac1n|h|^2$: "
        r"variance $\frac4n q\sigma_b^2 = \frac{16}3\frac{q^4}n$. Both: $16\frac{q^4}n$.",
        r"$G$ is pulled back by $2q$: $-2\sum(G-q)$ has variance $4\cdot16\frac{q^4}{n}L/(2q)^2 = 16\frac{q^2L}n$.",
        r"Sum: $(16 + 16)q^2 L/n$.",
    ),
)

STATEMENTS = (NORM, ENTRY, RAW_QR, RELU, GAUSSIAN_DEPTH, GAUSSIAN_SCATTER, HAAR_DEPTH)
