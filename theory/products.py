"""Products of k independent n x n matrices with iid entries of variance sigma^2 (catalogue A18, C10, D1-D7).

A product applied to a vector is a linear network without biases: the statements about norms of networks apply
as well, and those here are the ones about the whole matrix. Norm growth is given in nats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import sympy as sp

from theory.finite_width import Factor, log_mean, log_variance


def frobenius_second_moment(n: int, k: int, variance: float) -> float:
    """E |M|_F^2 = n (n sigma^2)^k for any iid entries of mean 0 (D1).

    >>> frobenius_second_moment(4, 100, 0.25)
    4.0
    """
    return n * (n * variance) ** k


def mean_square_entry(n: int, k: int, variance: float) -> float:
    """E M_ij^2 = n^(k-1) sigma^(2k): carried by rare products, never to be estimated by sampling (A18).

    >>> mean_square_entry(4, 3, 1.0)
    16.0
    """
    return float(n) ** (k - 1) * variance**k


def trace_recursion(widths: Sequence[int], variances: Sequence[float]) -> tuple[float, float]:
    """E (tr A)^2 and E tr A^2 for A = P^T P, P = W_L ... W_1 Gaussian, W_q of shape N_q x N_{q-1} (C10, D2).

    One factor of shape N x N' on the left of the chain maps (T, Q) to v^2 (N^2 T + 2 N Q, N T + N (N+1) Q), from
    T = N_0^2, Q = N_0.

    >>> trace_recursion((1, 1), (1.0,))  # E z^4 twice
    (3.0, 3.0)
    """
    T, Q = float(widths[0] ** 2), float(widths[0])
    for width, variance in zip(widths[1:], variances, strict=True):
        T, Q = (
            variance**2 * (width**2 * T + 2 * width * Q),
            variance**2 * (width * T + width * (width + 1) * Q),
        )
    return T, Q


def loss_gradient_second_moment(
    widths: Sequence[int], variances: Sequence[float], x_squared: float, y_squared: float
) -> float:
    """E |dloss/dx_0|^2 for the loss |f(x) - y|^2 / 2 of a linear Gaussian net (C10).

    g_0 = P^T (P x - y): |x|^2 E tr A^2 / N_0 + |y|^2 E tr A / N_L, with E tr A = N_0 prod N_q v_q.

    >>> loss_gradient_second_moment((2, 3), (1.0,), 1.0, 0.0)  # N_1 (N_1 + N_0 + 1)
    18.0
    """
    quartic = trace_recursion(widths, variances)[1]
    trace = widths[0] * math.prod(n * v for n, v in zip(widths[1:], variances, strict=True))
    return x_squared * quartic / widths[0] + y_squared * trace / widths[-1]


def log_norm(n: int, k: int, variance: float) -> tuple[float, float]:
    """Mean and variance of log |M v|^2 - log |v|^2: k independent log(sigma^2 chi2_n), exact, Gaussian (D3).

    >>> mean, spread = log_norm(4, 101, 1.0)
    >>> round(mean / 2, 3), round(math.sqrt(spread) / 2, 3)  # of log |M v|
    (56.355, 4.035)
    """
    factor = Factor(n, 1.0)
    return k * (math.log(variance) + log_mean(factor)), k * log_variance(factor)


def log_entry(n: int, k: int, variance: float) -> tuple[float, float]:
    """Mean and variance of log M_ij^2: M_ij^2 = sigma^(2k) chi2_1 prod of k - 1 chi2_n, exact, Gaussian (D4)."""
    mean, spread = log_norm(n, k - 1, variance)
    one = Factor(1, 1.0)
    return mean + math.log(variance) + log_mean(one), spread + log_variance(one)


def log_volume(n: int, k: int, variance: float, frame: int | None = None) -> tuple[float, float]:
    """Mean and variance of the log growth of the volume of a frame of m vectors; log |det M| for m = n (D5).

    Each Gaussian factor multiplies the squared volume by sigma^(2m) prod_{i<=m} chi2_{n-i+1}.
    """
    m = n if frame is None else frame
    factors = [Factor(n - i, 1.0) for i in range(m)]
    mean = sum(math.log(variance) + log_mean(f) for f in factors) / 2
    return k * mean, k * sum(log_variance(f) for f in factors) / 4


def lyapunov_exponents(n: int, variance: float) -> list[float]:
    """lambda_i = (log 2 + psi((n-i+1)/2))/2 + log sigma, the growth rates of the singular values (D6; Newman 1986).

    >>> first, second, *_ = lyapunov_exponents(4, 1.0)
    >>> round(first - second, 4)  # (psi(2) - psi(3/2)) / 2
    0.1931
    """
    return [(math.log(variance) + log_mean(Factor(n - i, 1.0))) / 2 for i in range(n)]


def critical_std(n: int, slope: float = 1.0) -> dict[str, float]:
    """Standard deviation of a weight that keeps the mean square, and the larger one that keeps the typical one (D7).

    >>> scales = critical_std(4)
    >>> scales["mean_square"], round(scales["typical"], 4)
    (0.5, 0.5724)
    """
    mean_square = 1 / math.sqrt(n * (1 + slope**2) / 2)
    return {"mean_square": mean_square, "typical": math.exp(-log_mean(Factor(n, slope)) / 2)}


def singular_value_bounds(
    first: Sequence[float], second: Sequence[float]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Bounds from the singular values of square A and B: on every singular value of AB, and on its condition (A2).

    smin(A) smin(B) <= s_i(AB) <= smax(A) smax(B), and 1 <= cond(AB) <= cond(A) cond(B). Eigenvalues bound nothing:
    [[0, 2], [0, 0]] has eigenvalues 0 alone, and A A^T has eigenvalue 4.

    >>> singular_value_bounds([2.0, 1.0], [3.0, 1.0])
    ((1.0, 6.0), (1.0, 6.0))
    """
    low, high = min(first) * min(second), max(first) * max(second)
    return (low, high), (1.0, high / low if low else math.inf)


def xavier_factors(n_in: sp.Expr, n_out: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Forward and backward factor n_in v and n_out v of a layer at v = 2/(n_in + n_out) (A6): they sum to 2.

    >>> i, o = sp.symbols("i o", positive=True)
    >>> f, b = xavier_factors(i, o)
    >>> sp.simplify(f + b), sp.factor(1 - f * b)
    (2, (i - o)**2/(i + o)**2)
    """
    v = 2 / (n_in + n_out)
    return n_in * v, n_out * v
