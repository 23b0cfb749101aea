"""One matrix used twice: tied weights and tied embeddings (catalogue AR-10)."""

from __future__ import annotations

import sympy as sp

from theory.statement import Statement, real, whole


def transpose(rows: int, columns: int, variance: float, kurtosis: float = 3.0) -> float:
    """E |W^T W x|^2 / |x|^2 = v^2 m (m + n + kappa - 2) for W of shape m x n (AR-10); Gaussian m + n + 1.

    >>> transpose(2, 3, 1.0)
    12.0
    """
    m, n = whole("rows", rows), whole("columns", columns)
    return real("variance", variance, 0) ** 2 * m * (m + n + real("kurtosis", kurtosis, 1) - 2)


def untied(rows: int, columns: int, variance: float) -> float:
    """E |U^T W x|^2 / |x|^2 = v^2 m n for independent U and W of shape m x n (AR-10).

    >>> untied(2, 3, 1.0)
    6.0
    """
    return real("variance", variance, 0) ** 2 * whole("rows", rows) * whole("columns", columns)


def twice(width: int, kurtosis: float = 3.0) -> float:
    """E |W^2 x|^2 / |x|^2 = 1 + (kappa - 1)/n^2 for one square W with v = 1/n (AR-10).

    >>> twice(2), twice(2, kurtosis=1.0)
    (1.5, 1.0)
    """
    return 1 + (real("kurtosis", kurtosis, 1) - 1) / whole("width", width) ** 2


def self_logit(dimension: int, variance: float = 1.0) -> float:
    """E of a token's logit with itself under tied embeddings: d v (AR-10); 0 with another token.

    >>> self_logit(64)
    64.0
    """
    return whole("dimension", dimension) * real("variance", variance, 0)


_m, _n, _d = sp.symbols("m n d", integer=True, positive=True)
_v, _kappa = sp.symbols("v kappa", positive=True)
WEIGHTS = ("weights iid of mean 0, any law with a fourth moment", "any fixed x")

TRANSPOSE = Statement(
    entry="AR-10",
    statement="A decoder tied to its encoder gives more than an untied one: m + n + kappa - 2 in place of n.",
    expression=_v**2 * _m * (_m + _n + _kappa - 2),
    evaluate=transpose,
    assumptions=WEIGHTS,
    derivation=(
        r"With rows $w_i$, $(W^TW)^2 = \sum_{ij} w_i (w_i \cdot w_j) w_j^T$.",
        r"Pairs $i \neq j$ give $m(m-1)v^2 I$.",
        r"$E w|w|^2w^T = v^2(\kappa + n - 1)I$: entries off the diagonal carry an odd power. Times $m$.",
        r"Sum: $v^2 m(m + n + \kappa - 2)$, Gaussian $v^2 m(m+n+1)$.",
    ),
)
UNTIED = Statement(
    entry="AR-10",
    statement="Independent encoder and decoder of shape m x n multiply |x|^2 by v^2 m n in the mean.",
    expression=_v**2 * _m * _n,
    evaluate=untied,
    assumptions=WEIGHTS,
    derivation=(r"$E|Wx|^2 = m v|x|^2$ and $E|U^Ty|^2 = n v|y|^2$.",),
)
TWICE = Statement(
    entry="AR-10",
    statement="One square matrix used in two layers keeps |x|^2 but for (kappa - 1)/n^2 from its diagonal.",
    expression=1 + (_kappa - 1) / _n**2,
    evaluate=twice,
    assumptions=(*WEIGHTS, "v = 1/n"),
    derivation=(
        r"$(W^2x)_i = \sum_{jk} w_{ij}w_{jk}x_k$; the square keeps the pairs that match.",
        r"Each $(i,j,k)$ gives $v^2x_k^2$, but $i=j=k$, where one entry is used twice, $\kappa v^2 x_i^2$.",
        r"Sum: $v^2(n^2 + \kappa - 1)|x|^2$.",
    ),
)
SELF_LOGIT = Statement(
    entry="AR-10",
    statement="With tied N(0, 1) embeddings a token's logit with itself has mean d, with another token mean 0.",
    expression=_d * _v,
    evaluate=self_logit,
    assumptions=("embedding entries iid of mean 0",),
    derivation=(r"$E\,e \cdot e = \sum_j E e_j^2 = d v$, $E\,e \cdot e' = 0$.",),
)

STATEMENTS = (TRANSPOSE, UNTIED, TWICE, SELF_LOGIT)
