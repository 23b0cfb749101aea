"""Moments of power sums up to degree four in the squares: eighth moments of a random vector (catalogue B2, C7, OR-01).

For y in R^n let R = |y|^2 / E|y|^2, and Q, S, T = sum_j y_j^4, y_j^6, y_j^8 over (E|y|^2)^2, ^3, ^4. The moments
E R^a Q^b S^c T^d with a + 2b + 3c + 4d <= 4, one a partition of 0..4, close under every layer of a network. They
are kept about their means, R about 1: nothing cancels and nothing overflows, however wide or deep the network.

Each step is the law of total cumulance: given y the new power sums are sums of independent terms, whose joint
cumulants are polynomials in y's power sums. `rows` is W y + b with independent rows, `masks` multiplies entries
by fair coins, `turned` is a Haar-orthogonal W. Relative errors grow by some 1e-15 a layer.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple


class Moments(NamedTuple):
    """Central moments of R and of the power sums Q, S, T; NaN where they are not known.

    Attributes:
        r2: E (R-1)^2.
        q: E Q.
        r3: E (R-1)^3.
        rq: Cov(R, Q).
        s: E S.
        r4: E (R-1)^4.
        rrq: Cov((R-1)^2, Q).
        qq: Var Q.
        rs: Cov(R, S).
        t: E T.
    """

    r2: float
    q: float
    r3: float
    rq: float
    s: float
    r4: float
    rrq: float
    qq: float
    rs: float
    t: float


UNKNOWN = Moments(*(math.nan,) * 10)


def of_values(values: tuple[float, ...]) -> Moments:
    """Those of a given vector.

    >>> of_values((3.0, 4.0)).q
    0.5392
    """
    squares = [value**2 for value in values]
    total = math.fsum(squares)
    if total == 0:
        return UNKNOWN
    q, s, t = (math.fsum((square / total) ** k for square in squares) for k in (2, 3, 4))
    return Moments(0.0, q, 0.0, 0.0, s, 0.0, 0.0, 0.0, 0.0, t)


def of_entries(width: int, law: tuple[float, float, float]) -> Moments:
    """Those of independent entries with one law, given by its `distributions.cumulants`.

    >>> of_entries(10, (0.0, 0.0, 0.0)).r2
    0.2
    """
    return rows(width, Moments(0.0, law[0], 0.0, 0.0, law[1], 0.0, 0.0, 0.0, 0.0, law[2]))


def low_of_rows(
    r2: float, q: float, signal: float, weight: tuple[float, ...], bias: tuple[float, ...]
) -> tuple[float, float]:
    """r2 and q of `of_rows`, all that fourth moments need."""
    return signal * signal * r2, weight[0] * signal * signal * q + bias[0] * (1 - signal) * (1 - signal)


def low_rows(width: int, r2: float, q: float) -> tuple[float, float]:
    """r2 and q of `rows`."""
    return r2 + (2 * (1 + r2) + q) / width, (3 * (1 + r2) + q) / width


def low_masks(r2: float, q: float, slope: float) -> tuple[float, float]:
    """r2 and q of `masks`."""
    d = ((1 - slope) * (1 + slope) / (1 + slope * slope)) ** 2
    return r2 + d * q, (1 + d) * q


def low_turned(r2: float, u: Moments) -> tuple[float, float]:
    """r2 and q of `turned`, given those of the direction."""
    return r2 + (1 + r2) * u.r2, (1 + r2) * u.q


def of_rows(y: Moments, signal: float, weight: tuple[float, float, float], bias: tuple[float, float, float]) -> Moments:
    """Those of the even cumulants K_2, K_4, K_6, K_8 of an entry of W y + b given y, in the place of R, Q, S, T.

    K_2k = k_2k(w) sum_j y_j^2k + k_2k(b), over (E h^2)^k. `signal` is the share of W y in E h^2; laws are given by
    their `distributions.cumulants`, the bias by 0 where there is none.
    """
    a, b = signal, 1 - signal
    a2, b2 = a * a, b * b
    w4, w6, w8 = weight[0] * a2, weight[1] * a2 * a, weight[2] * a2 * a2
    return Moments(
        *low_of_rows(y.r2, y.q, signal, weight, bias),
        r3=a2 * a * y.r3,
        rq=w4 * a * y.rq,
        s=w6 * y.s + bias[1] * b2 * b,
        r4=a2 * a2 * y.r4,
        rrq=w4 * a2 * y.rrq,
        qq=w4 * w4 * y.qq,
        rs=w6 * a * y.rs,
        t=w8 * y.t + bias[2] * b2 * b2,
    )


def rows(width: int, k: Moments) -> Moments:
    """Those of `width` entries, independent and of one symmetric law given its even cumulants (`of_rows`).

    With m_k = E h^2k given the cumulants: m_2 = 3 K_2^2 + K_4, m_3 = 15 K_2^3 + 15 K_2 K_4 + K_6 and so on; the
    joint cumulants of (h^2, h^4, h^6, h^8) are 2 K_2^2 + K_4, 8 K_2^3 + 12 K_2 K_4 + K_6 and so on.
    """
    r2, q, r3, rq, s, r4, rrq, qq, rs, t = k
    n = 1 / width
    cube, fourth = 1 + 3 * r2 + r3, 1 + 6 * r2 + 4 * r3 + r4  # E K_2^3, E K_2^4
    tilt = 3 * r2 + 3 * r3 + r4  # Cov(K_2, K_2^3)
    square = 4 * r2 + 4 * r3 + r4 - r2 * r2  # Var K_2^2
    square_q = 2 * rq + rrq  # Cov(K_2^2, K_4)
    once, twice, both = q + rq, q * (1 + r2) + square_q, qq + q * q  # E K_2 K_4, E K_2^2 K_4, E K_4^2
    rrq_raw, with_s = rrq + r2 * q, s + rs
    tilt_q = rq + rrq_raw  # Cov(K_2, K_2 K_4)
    spread, skew = 2 * (2 * r2 + r3) + rq, 8 * tilt + 12 * tilt_q + rs  # Cov of R with the second, third cumulant
    third = 48 * fourth + 144 * twice + 32 * both + 24 * with_s + t  # E of the fourth cumulant of h^2
    r4_new = r4 + n * 6 * (2 * (r2 + 2 * r3 + r4) + rrq_raw)
    r4_new += n * n * (4 * skew + 3 * (4 * fourth + 4 * twice + both) + n * third)
    rrq_new = 3 * (2 * r3 + r4 - r2 * r2) + rrq + n * (2 * (12 * tilt + 14 * tilt_q + rs))
    rrq_new += n * (6 * square + 5 * square_q + qq)
    rrq_new += n * n * (72 * fourth + 176 * twice + 34 * both + 26 * with_s + t)
    qq_new = 9 * square + 6 * square_q + qq + n * (96 * fourth + 204 * twice + 34 * both + 28 * with_s + t)
    rs_new = 15 * (tilt + tilt_q) + rs + n * (90 * fourth + 195 * twice + 35 * both + 27 * with_s + t)
    return Moments(
        *low_rows(width, r2, q),
        r3=r3 + n * (3 * spread + n * (8 * cube + 12 * once + s)),
        rq=n * (3 * (2 * r2 + r3) + rq + n * (12 * cube + 14 * once + s)),
        s=n * n * (15 * (cube + once) + s),
        r4=r4_new,
        rrq=n * rrq_new,
        qq=n * n * qq_new,
        rs=n * n * rs_new,
        t=n**3 * (105 * fourth + 210 * twice + 35 * both + 28 * with_s + t),
    )


def masks(y: Moments, slope: float) -> Moments:
    """Those of the entries of y times 1 or `slope`, by fair coins independent of |y|: phi(h), or phi'(h) times g.

    A squared entry is multiplied by (1 + a^2)/2 times B = 1 + d or 1 - d, d = (1 - a^2)/(1 + a^2).

    >>> masks(of_values((1.0,) * 4), 0.0).r2, masks(of_values((1.0,) * 4), -1.0).r2
    (0.25, 0.0)
    """
    r2, q, r3, rq, s, r4, rrq, qq, rs, t = y
    d = ((1 - slope) * (1 + slope) / (1 + slope * slope)) ** 2  # Var B
    g2, g3, g4 = 1 + d, 1 + 3 * d, 1 + 6 * d + d * d  # E B^2, E B^3, E B^4
    return Moments(
        *low_masks(r2, q, slope),
        r3=r3 + 3 * d * rq,
        rq=g2 * rq + 2 * d * s,
        s=g3 * s,
        r4=r4 + 6 * d * (rrq + r2 * q) + d * d * (3 * (qq + q * q) - 2 * t),
        rrq=g2 * (rrq + d * qq) + 4 * d * rs,
        qq=g2 * g2 * qq + 4 * d * t,
        rs=g3 * rs + (3 + d) * d * t,
        t=g4 * t,
    )


def turned(y: Moments, width: int, size: int) -> Moments:
    """Those of |y| times the first `width` coordinates of a uniform direction in R^`size`: W y for Haar W (OR-01).

    The direction is independent of y, so R = |y|^2 u and Q = |y|^4 Q_u: products of independent factors.
    """
    x2, x3, x4 = y.r2, y.r3, y.r4
    u = directions(width, size)
    cube, fourth = 1 + 3 * x2 + x3, 1 + 6 * x2 + 4 * x3 + x4
    tilt, square = 3 * x2 + 3 * x3 + x4, 4 * x2 + 4 * x3 + x4 - x2 * x2
    r3 = x3 + 3 * (2 * x2 + x3) * u.r2 + cube * u.r3
    r4 = x4 + 6 * (x2 + 2 * x3 + x4) * u.r2 + 4 * tilt * u.r3 + fourth * u.r4
    rrq = u.q * (2 * x3 + x4 - x2 * x2) + 2 * tilt * u.rq + fourth * u.rrq + u.r2 * u.q * square
    return Moments(
        *low_turned(x2, u),
        r3=r3,
        rq=(2 * x2 + x3) * u.q + cube * u.rq,
        s=cube * u.s,
        r4=r4,
        rrq=rrq,
        qq=square * u.q**2 + fourth * u.qq,
        rs=tilt * u.s + fourth * u.rs,
        t=fourth * u.t,
    )


@lru_cache(maxsize=4096)
def directions(width: int, size: int) -> Moments:
    """Those of the first `width` coordinates of a uniform direction in R^`size`, from exact fractions (OR-01, OR-02).

    A Gaussian vector is its length times its direction, and they are independent: E of a form of degree 2d in the
    coordinates is that of the Gaussians over size (size + 2) ... (size + 2d - 2). For the Gaussians
    E z_1^2k |z|^2j = (2k-1)!! (m + 2k)(m + 2k + 2) ..., j factors.

    >>> directions(4, 4).r2, directions(1, 3).q
    (0.0, 1.8)
    """
    m = width

    def mean(odd: int, k: int, j: int) -> Fraction:  # E Q R^j (k = 2), E S R^j (k = 3), E T (k = 4), E R^j (k = 0)
        top = odd * math.prod(m + 2 * (k + i) for i in range(j))
        return Fraction(top * size ** (k + j), m ** (k + j) * math.prod(size + 2 * i for i in range(k + j)))

    r = [mean(1, 0, j) for j in range(5)]
    q = [mean(3 * m, 2, j) for j in range(3)]
    s = [mean(15 * m, 3, j) for j in range(2)]
    t = mean(105 * m, 4, 0)
    squared = mean(105 * m + 9 * m * (m - 1), 4, 0)
    r2 = r[2] - 1
    central = (
        r2,
        q[0],
        r[3] - 3 * r[2] + 2,
        q[1] - q[0],
        s[0],
        r[4] - 4 * r[3] + 6 * r[2] - 3,
        q[2] - 2 * q[1] + q[0] - r2 * q[0],
        squared - q[0] ** 2,
        s[1] - s[0],
        t,
    )
    return Moments(*map(float, central))
