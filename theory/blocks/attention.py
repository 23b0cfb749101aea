"""Attention scores: q.k of random vectors, and what the scale of logits does to a softmax (catalogue AR-08)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import sympy as sp

from theory.prediction import TheoryError
from theory.statement import Statement, real, whole


def score_variance(dimension: int, scale: float = 1.0) -> float:
    """Variance of scale * q.k for iid entries of mean 0 and variance 1: d scale^2 (AR-08).

    >>> score_variance(64), score_variance(64, scale=64**-0.5)
    (64.0, 1.0)
    """
    return whole("dimension", dimension) * real("scale", scale) ** 2


def score_kurtosis(dimension: int, query_kurtosis: float = 3.0, key_kurtosis: float = 3.0) -> float:
    """Kurtosis of q.k: 3 + (kappa_q kappa_k - 3)/d, Gaussian 3 + 6/d, whatever the scale (AR-08).

    >>> score_kurtosis(6)
    4.0
    """
    product = real("query_kurtosis", query_kurtosis, 1) * real("key_kurtosis", key_kurtosis, 1)
    return 3 + (product - 3) / whole("dimension", dimension)


def tied_score_mean(dimension: int, second_moment: float = 1.0) -> float:
    """E q.q where W_q = W_k: d E q_i^2 (AR-08); independent W_q and W_k give 0.

    >>> tied_score_mean(64)
    64.0
    """
    return whole("dimension", dimension) * real("second_moment", second_moment, 0)


def softmax(logits: Sequence[float], scale: float = 1.0) -> list[float]:
    """exp(scale z_i) over their sum, without overflow.

    >>> softmax([0.0, 0.0])
    [0.5, 0.5]
    """
    if not logits:
        raise TheoryError("`logits=[]`: at least one is needed.")
    scaled = [real("scale * logits", real("scale", scale) * real("logits", z)) for z in logits]
    weights = [math.exp(z - max(scaled)) for z in scaled]
    total = math.fsum(weights)
    return [w / total for w in weights]


def softmax_entropy(logits: Sequence[float], scale: float = 1.0) -> float:
    """Entropy of softmax(scale z) in nats (AR-08).

    >>> round(softmax_entropy([0.0, 0.0]), 6)
    0.693147
    """
    return -math.fsum(p * math.log(p) for p in softmax(logits, scale) if p)


def softmax_entropy_slope(logits: Sequence[float], scale: float = 1.0) -> float:
    """dH/dscale = -scale Var(z) under the softmax: never positive for scale > 0 (AR-08).

    >>> softmax_entropy_slope([1.0, 1.0]), softmax_entropy_slope([0.0, 2.0]) < 0
    (-0.0, True)
    """
    chances = softmax(logits, scale)
    centre = math.fsum(p * z for p, z in zip(chances, logits, strict=True))
    return -scale * math.fsum(p * (z - centre) ** 2 for p, z in zip(chances, logits, strict=True))


_d = sp.Symbol("d", integer=True, positive=True)
_kq, _kk, _s, _q2, _z2 = sp.symbols("kappa_q kappa_k s q2 Var_p", positive=True)
ENTRIES = "entries of q and k iid with mean 0 and variance 1, all independent"

VARIANCE = Statement(
    entry="AR-08",
    statement="A score q.k has variance d; divided by sqrt(d), variance 1.",
    expression=_d * _s**2,
    evaluate=score_variance,
    assumptions=(ENTRIES,),
    reference="Vaswani et al. 2017, section 3.2.1",
    derivation=(r"$q \cdot k$ is a sum of $d$ independent terms of mean 0 and variance $E q^2 E k^2 = 1$.",),
)
KURTOSIS = Statement(
    entry="AR-08",
    statement="A score has kurtosis 3 + (kappa_q kappa_k - 3)/d: 3 + 6/d for normal entries.",
    expression=3 + (_kq * _kk - 3) / _d,
    evaluate=score_kurtosis,
    assumptions=(ENTRIES, "entries with a fourth moment"),
    derivation=(
        r"Each term has kurtosis $E q^4 E k^4 = \kappa_q\kappa_k$.",
        r"Excess kurtosis of a sum of $d$ iid terms is that of one term over $d$.",
    ),
)
TIED_MEAN = Statement(
    entry="AR-08",
    statement="With W_q = W_k a token's score with itself has mean d E q_i^2 rather than 0.",
    expression=_d * _q2,
    evaluate=tied_score_mean,
    assumptions=("W_q = W_k, so k = q for one token",),
    derivation=(r"$q \cdot q = |q|^2$, of mean $\sum_i E q_i^2$.",),
)
ENTROPY_SLOPE = Statement(
    entry="AR-08",
    statement="The entropy of a softmax falls as its logits are scaled up, for every set of logits not all equal.",
    expression=-_s * _z2,
    evaluate=softmax_entropy_slope,
    assumptions=("logits fixed, scale s > 0; Var_p is the variance of the logits under the softmax",),
    derivation=(
        r"$H = \log Z - s\,E_p z$ with $Z = \sum_i e^{s z_i}$, and $d\log Z/ds = E_p z$.",
        r"$dE_p z/ds = \mathrm{Var}_p z$.",
        r"So $dH/ds = -s\,\mathrm{Var}_p z \leq 0$.",
    ),
)

STATEMENTS = (VARIANCE, KURTOSIS, TIED_MEAN, ENTROPY_SLOPE)
