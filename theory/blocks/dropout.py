"""Inverted dropout: x -> mask x / keep with P(mask = 1) = keep, independent entries (catalogue AR-09)."""

from __future__ import annotations

import sympy as sp

from theory.prediction import Exactness
from theory.statement import Statement, real, whole

S17 = "Schoenholz et al. 2017, section on dropout"


def second_moment(width: int, variance: float, keep: float, x_squared: float = 1.0) -> float:
    """E |W (mask x / keep)|^2 = |x|^2 N v / keep over masks and weights (AR-09).

    Args:
        width: N, the rows of W.
        variance: v of the entries of W.
        keep: Probability that an entry is kept, in (0, 1].
        x_squared: |x|^2 of the fixed input.

    >>> second_moment(8, 1 / 8, 0.5)
    2.0
    """
    rows, kept = whole("width", width), real("keep", keep, 0, 1, above=True)
    return real("x_squared", x_squared, 0) * rows * real("variance", variance, 0) / kept


def homogeneous_variance(fan_in: int, keep: float, slope: float) -> float:
    """The weight variance 2 keep/((1 + a^2) fan_in) that keeps the second moment, dropout after phi (AR-09).

    >>> homogeneous_variance(10, 0.5, 0.0)
    0.1
    """
    rate = real("slope", slope)
    return 2 * real("keep", keep, 0, 1, above=True) / ((1 + rate**2) * whole("fan_in", fan_in))


def correlation_at_one(sw2: float, sb2: float, second: float, keep: float) -> float:
    """C(1): correlation of one input with itself through two independent masks (AR-09).

    Args:
        sw2: N v of the layer.
        sb2: Variance of the biases.
        second: E phi(h)^2 before dropout.
        keep: Probability that an entry is kept, in (0, 1].

    >>> correlation_at_one(2.0, 0.0, 0.5, 0.8)
    0.8
    """
    signal = real("sw2", sw2, 0, above=True) * real("second", second, 0, above=True)
    offset = real("sb2", sb2, 0)
    return (signal + offset) / (signal / real("keep", keep, 0, 1, above=True) + offset)


_N = sp.Symbol("N", integer=True, positive=True)
_v, _p, _x2 = sp.symbols("v p x2", positive=True)
_sw2, _sb2, _V = sp.Symbol("sw2", positive=True), sp.Symbol("sb2", nonnegative=True), sp.Symbol("V", positive=True)

SECOND_MOMENT = Statement(
    entry="AR-09",
    statement="Inverted dropout multiplies the second moment of the next preactivation by 1/keep.",
    expression=_x2 * _N * _v / _p,
    evaluate=second_moment,
    assumptions=("weights independent of the mask and of each other, zero mean, one variance", "any fixed x"),
    derivation=(
        r"The mask $m_j$ is 1 with probability $p$: $E(m_j/p)^2 = 1/p$, and $E\,m_j/p = 1$.",
        r"Cross terms of $\sum_j w_{ij} m_j x_j/p$ have mean 0: $E h_i^2 = v\sum_j x_j^2/p$.",
        r"Sum over the $N$ rows.",
    ),
)

CORRELATION = Statement(
    entry="AR-09",
    statement="Through two masks one input has a correlation below 1 with itself: c = 1 is no fixed point, and no "
    "weight variance is critical.",
    expression=(_sw2 * _V + _sb2) / (_sw2 * _V / _p + _sb2),
    evaluate=correlation_at_one,
    exactness=Exactness.INFINITE_WIDTH,
    assumptions=("independent masks for the two passes", "widths large: E h h' / E h^2 is the correlation"),
    reference=S17,
    derivation=(
        r"Same unit, two independent masks: $E (m_j/p)(m_j'/p) = 1$, so $E h h' = \sigma_w^2 V + \sigma_b^2$.",
        r"One mask: $E (m_j/p)^2 = 1/p$, so $E h^2 = \sigma_w^2 V/p + \sigma_b^2$.",
        r"The ratio is below 1 for $p < 1$ and any $\sigma_w^2 > 0$: $C(1) < 1$.",
    ),
)

STATEMENTS = (SECOND_MOMENT, CORRELATION)
