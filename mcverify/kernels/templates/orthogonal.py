"""Haar orthogonal factors of Gaussian matrices, by Householder reflections in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcverify.kernels.templates.jit import kernel, scalar


@kernel
def orthogonalize(z: Any, n_out: int, n_in: int, lanes: int) -> None:
    """Replace each network's Gaussian matrix (entry i * n_in + j, float32) by sqrt(max side) times its Q.

    Q has orthonormal columns (rows, where the matrix is wide) and is that of the factorization whose R has a
    positive diagonal, so that it is uniform (Mezzadri 2007).
    """
    long, short = max(n_out, n_in), min(n_out, n_in)
    by_long, by_short = (n_in, 1) if n_out >= n_in else (1, n_in)
    a, q = np.empty((short, long)), np.empty((short, long))  # columns in rows
    for lane in range(lanes):
        for c in range(short):
            for r in range(long):
                a[c, r] = z[(r * by_long + c * by_short) * lanes + lane]
        _factor(a, q)
        for c in range(short):
            for r in range(long):
                z[(r * by_long + c * by_short) * lanes + lane] = np.float32(q[c, r] * np.sqrt(np.float64(long)))


@scalar
def dot(x: Any, y: Any) -> Any:
    """Sum of x y, in four chains of every fourth term: a fixed order that leaves the processor something to overlap."""
    s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
    for k in range(0, x.size - 3, 4):
        s0 += x[k] * y[k]
        s1 += x[k + 1] * y[k + 1]
        s2 += x[k + 2] * y[k + 2]
        s3 += x[k + 3] * y[k + 3]
    for k in range(x.size // 4 * 4, x.size):
        s0 += x[k] * y[k]
    return (s0 + s2) + (s1 + s3)


@scalar
def subtract(y: Any, factor: Any, x: Any) -> None:
    """Subtract factor x from y."""
    for k in range(x.size):
        y[k] -= factor * x[k]


@kernel
def _factor(a: Any, q: Any) -> None:
    """Q of the matrix whose columns are the rows of a, into the rows of q; a is overwritten."""
    short = a.shape[0]
    signs = np.empty(short)
    for c in range(short):
        v = a[c][c:]
        norm = np.sqrt(dot(v, v))
        signs[c] = -1.0 if v[0] >= 0 else 1.0  # of the diagonal of R
        v[0] -= signs[c] * norm
        square = dot(v, v)
        v *= np.sqrt(2 / square) if square > 0 else 0.0
        for later in range(c + 1, short):
            w = a[later][c:]
            subtract(w, dot(v, w), v)
    q[:] = 0
    for c in range(short):
        q[c, c] = signs[c]
        for back in range(c, -1, -1):
            v, w = a[back][back:], q[c][back:]
            subtract(w, dot(v, w), v)
